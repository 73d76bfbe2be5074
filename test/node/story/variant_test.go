//go:build linux

package story

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// TestPatches: what is left out of the product is in it, and once, also if more is left out.
func TestPatches(t *testing.T) {
	t.Parallel()
	for _, names := range []string{"no-wait-sleep", "no-wait-out", "no-wait-sleep,no-wait-out"} {
		v, err := ReadVariant(strings.Split(names, ","))
		if err != nil || len(v.Patches) == 0 {
			t.Fatalf("%s: %d patches, %v", names, len(v.Patches), err)
		}
		texts := map[string]string{}
		for _, p := range v.Patches {
			if texts[p.File] == "" {
				text, err := os.ReadFile(filepath.Join("..", "..", "..", p.File))
				if err != nil {
					t.Fatal(err)
				}
				texts[p.File] = string(text)
			}
			if n := strings.Count(texts[p.File], p.Old); n != 1 {
				t.Errorf("%s: %q is %d times in %s", names, p.Old, n, p.File)
			}
			texts[p.File] = strings.Replace(texts[p.File], p.Old, p.New, 1)
		}
	}
}

func TestReadVariant(t *testing.T) {
	t.Parallel()
	for _, p := range parts() {
		v, err := ReadVariant([]string{p.name})
		if err != nil || v.String() != "wake --with="+p.name || v.cycles == 0 || v.burst == 0 {
			t.Errorf("%s: %v, %d cycles of %s, %v", p.name, &v, v.cycles, v.burst, err)
		}
		if !strings.Contains(Parts(), "  "+p.name+" ") {
			t.Errorf("%s is not told of", p.name)
		}
	}
	if v, err := ReadVariant(nil); err != nil || v.String() != "wake" || v.isFaulty() {
		t.Errorf("the usual one: %v, %v", &v, err)
	}
	if _, err := ReadVariant([]string{"crash", "fire"}); err == nil || !strings.Contains(err.Error(), `got "fire"`) {
		t.Errorf("got %v", err)
	}
	excused := func(b *callbook, l loss, names ...string) bool {
		v, err := ReadVariant(names)
		return err == nil && slices.ContainsFunc(v.excuses, func(e excuse) bool { return e(b, l) })
	}
	if eof := (loss{err: errors.New("EOF")}); !excused(&callbook{}, eof, "crash") || excused(&callbook{}, eof, "hold-unready", "crash") {
		t.Error("with hold-on=unready not every loss is excused, and without it each")
	}
	now := time.Now()
	waited := loss{begun: now, ended: now.Add(time.Minute), err: errors.New("EOF")}
	if b := (&callbook{crashes: []time.Time{now}}); excused(b, waited, "always", "crash") || !excused(b, waited, "hold-unready", "crash") {
		t.Error("where all requests go through the activators, a crash is an excuse for what pods work on alone")
	}
	if refused := (loss{begun: now, ended: now, err: errors.New("connection refused")}); excused(&callbook{ready: []readiness{{at: now}}}, refused, "always", "refuse") {
		t.Error("where all requests go through the activators, a pod that refuses is no excuse")
	}
	if !excused(&callbook{ready: []readiness{{at: now}}}, loss{begun: now, ended: now, err: errors.New("connection refused")}, "refuse", "crash", "hold-unready") {
		t.Error("with hold-on=unready, too, a pod that is ready may refuse")
	}
}

// TestTheManifestOfEachPath: with path=always the Service has no selector and consents, and nothing else says whether anybody calls.
func TestTheManifestOfEachPath(t *testing.T) {
	t.Parallel()
	selector, consent, source := "selector: {app: answers}\n  ports", "annotations: {mini-hpa/activator: answers}", "mini-hpa/sources"
	for with, want := range map[string][2][]string{
		"long":          {{selector, source, "limit=10000  \n"}, {consent, "path="}},
		"always":        {{consent, "limit=10000 path=always target=3 \n", `{name: TAKES, value: "100ms"}`}, {selector, source}},
		"always,refuse": {{`{name: REFUSE, value: "2s"}`}, {selector}},
		"hold-unready":  {{"limit=10000  hold-on=unready\n"}, nil},
	} {
		v, err := ReadVariant(strings.Split(with, ","))
		if err != nil {
			t.Fatal(err)
		}
		d := newDirector(nil, t.TempDir(), io.Discard)
		v.fill(d.words)
		d.words["Ledger"], d.words["Address"], d.words["CallersPort"] = "http://10.0.0.1", "10.0.0.1", "80"
		path, err := d.file("wake.yaml")
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for document := range strings.SplitSeq(string(text), "\n---\n") {
			var object map[string]any
			if err := yaml.Unmarshal([]byte(document), &object); err != nil || object["kind"] == nil {
				t.Errorf("%s: %v in\n%s", with, err, document)
			}
		}
		for _, part := range want[0] {
			if !strings.Contains(string(text), part) {
				t.Errorf("%s: %q is not in\n%s", with, part, text)
			}
		}
		for _, part := range want[1] {
			if strings.Contains(string(text), part) {
				t.Errorf("%s: %q is in\n%s", with, part, text)
			}
		}
	}
}

// TestTheGuideIsPlayed: make wake-faults plays what the guide has figures of, but what takes long or a package that is not everywhere. Where the guide says what leaving
// something out costs, a run that costs nothing fails.
func TestTheGuideIsPlayed(t *testing.T) {
	t.Parallel()
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join("..", "..", "..", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	_, with, _ := strings.Cut(read("Makefile"), "\nWITH ?= ")
	with, _, _ = strings.Cut(with, "\n")
	played := strings.Fields(with)
	for _, names := range played {
		if _, err := ReadVariant(strings.Split(names, ",")); err != nil {
			t.Error(err)
		}
	}
	_, table, _ := strings.Cut(read("docs/wake.md"), "| `--with=` |")
	table, _, _ = strings.Cut(table, "\n\n")
	rows := regexp.MustCompile("(?m)^\\| `([a-z,-]+)` \\|").FindAllStringSubmatch(table, -1)
	for _, row := range rows {
		if names := row[1]; !slices.Contains(played, names) && names != "long" && !strings.HasPrefix(names, "nftables") {
			t.Errorf("make wake-faults does not play %s, which the guide has figures of", names)
		}
	}
	if len(rows) < 9 {
		t.Errorf("%d rows", len(rows))
	}
	for _, names := range prices() {
		if v, err := ReadVariant(names); err != nil || !v.mustLose || !slices.Contains(played, strings.Join(names, ",")) {
			t.Errorf("%s is not played, or may lose nothing: %v", names, err)
		}
	}
}

func TestLateness(t *testing.T) {
	t.Parallel()
	ours := []byte(`{"type":"MODIFIED","object":{"metadata":{"labels":{"endpointslice.kubernetes.io/managed-by":"mini-hpa"}}}}`)
	theirs := []byte(`{"type":"MODIFIED","object":{"metadata":{"labels":{"endpointslice.kubernetes.io/managed-by":"endpointslice-controller.k8s.io"}}}}`)
	for name, want := range map[string][2]time.Duration{"late-proxy": {late, late}, "late-doors": {late, 0}, "late-pods": {0, late}} {
		v, err := ReadVariant([]string{name})
		if err != nil {
			t.Fatal(err)
		}
		if got := [2]time.Duration{v.Node.Late(ours), v.Node.Late(theirs)}; got != want {
			t.Errorf("%s: late by %s, want %s", name, got, want)
		}
	}
}

func TestLossesThatAreExcused(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	at := func(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }
	refused, cut := errors.New("dial tcp 10.96.0.7:80: connect: connection refused"), errors.New("unexpected EOF")
	b := &callbook{ready: []readiness{{at: at(60)}}, crashes: []time.Time{at(100)}}
	for name, tc := range map[string]struct {
		excuse excuse
		loss   loss
		want   bool
	}{
		"refused before a pod was ready": {atReadyPod, loss{begun: at(50), ended: at(61), err: refused}, false},
		"refused by a pod that is ready": {atReadyPod, loss{begun: at(61), ended: at(61), err: refused}, true},
		"cut off by it":                  {atReadyPod, loss{begun: at(61), ended: at(61), err: cut}, false},
		"refused long after":             {atReadyPod, loss{begun: at(90), ended: at(90), err: refused}, false},
		"at a pod that crashes":          {atCrash, loss{begun: at(99), ended: at(101), err: cut}, true},
		"before nodes knew":              {atCrash, loss{begun: at(102), ended: at(102), err: refused}, true},
		"when they have to know":         {atCrash, loss{begun: at(120), ended: at(121), err: refused}, false},
		"before it crashed":              {atCrash, loss{begun: at(90), ended: at(91), err: refused}, false},
		"in its hands":                   {atWork, loss{begun: at(90), ended: at(101), err: cut}, true},
		"refused by it":                  {atWork, loss{begun: at(99), ended: at(101), err: refused}, false},
		"cut off before it crashed":      {atWork, loss{begun: at(90), ended: at(91), err: cut}, false},
		"begun when it had crashed":      {atWork, loss{begun: at(102), ended: at(102), err: cut}, false},
		"refused by an activator":        {atWork, loss{begun: at(99), ended: at(101), err: errors.New("answer 503")}, false},
		"cut off long after":             {atWork, loss{begun: at(100), ended: at(104), err: cut}, false},
	} {
		if got := tc.excuse(b, tc.loss); got != tc.want {
			t.Errorf("%s: %t", name, got)
		}
	}
	lost := []loss{{err: refused}, {err: cut}, {err: refused}, {err: errors.New("the cause: moon")}, {err: errors.New("0 bytes came back of 7")}}
	if got, want := reasons(lost), " (1 EOF, 1 cut short, 1 moon, 2 connection refused)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestContainersThatHaveEnded: one that crashes for the first time runs again at once, and may never be seen ended.
func TestContainersThatHaveEnded(t *testing.T) {
	t.Parallel()
	pod := func(restarts int32, state corev1.ContainerState) []corev1.Pod {
		return []corev1.Pod{{ObjectMeta: metav1.ObjectMeta{UID: "u1"}, Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{RestartCount: restarts, State: state}}}}}
	}
	runs, waits := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}, corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{}}
	for name, tc := range map[string]struct {
		now  []corev1.Pod
		want bool
	}{
		"it runs on":         {pod(1, runs), false},
		"it runs again":      {pod(2, runs), true},
		"it is to run again": {pod(1, waits), true},
		"its pod is gone":    {nil, true},
	} {
		if got := ended(pod(1, runs), tc.now); got != tc.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
