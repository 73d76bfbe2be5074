package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/clientcmd"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
	metricsfake "k8s.io/metrics/pkg/client/clientset/versioned/fake"

	"github.com/mini-hpa/mini-hpa/test/controlplane/loadsim"
)

func TestParse(t *testing.T) {
	for name, tt := range map[string]struct {
		args []string
		want options
		bad  string
	}{
		"nothing":          {want: options{image: "busybox:1.37", period: 15 * s}},
		"everything":       {args: []string{"--here", "--image=b:1", "--out", "x", "--period=30s"}, want: options{here: true, image: "b:1", out: "x", period: 30 * s}},
		"an unknown flag":  {args: []string{"--there"}, bad: "unknown flag: --there"},
		"the other story":  {args: []string{"queue", "--out=x"}, want: options{queue: true, image: "busybox:1.37", out: "x", period: 15 * s}},
		"not on a cluster": {args: []string{"queue", "--here"}, bad: "--here: the story of the queue has consumers beside a control plane of its own"},
		"an argument":      {args: []string{"now\x1b"}, bad: `unexpected arguments ["now\x1b"]: want queue, or none`},
		"a strange period": {args: []string{"--period=0s"}, bad: "--period is 0s, want 1s to 1m"},
	} {
		got, err := parse(tt.args)
		if tt.bad != "" && (err == nil || err.Error() != tt.bad) || tt.bad == "" && (err != nil || got != tt.want) {
			t.Errorf("%s: %+v, error %v, want %+v, %q", name, got, err, tt.want, tt.bad)
		}
	}
	if code := command([]string{"now"}); code != exitUsage {
		t.Errorf("exit code %d", code)
	}
}

// world is a stage on fake API servers.
type world struct {
	stage
	fake *fake.Clientset
	used map[string]int64 // in millicores, by workload
}

func newWorld() *world {
	w := &world{fake: fake.NewClientset(), used: map[string]int64{}}
	samples := metricsfake.NewSimpleClientset()
	samples.PrependReactor("list", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
		list := &metricsv1beta1.PodMetricsList{}
		for name, milli := range w.used {
			list.Items = append(list.Items, metricsv1beta1.PodMetrics{
				ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{label: name}}, Timestamp: metav1.NewTime(time.Now().Truncate(5 * s)),
				Containers: []metricsv1beta1.ContainerMetrics{{Usage: corev1.ResourceList{corev1.ResourceCPU: *resource.NewMilliQuantity(milli, resource.DecimalSI)}}},
			})
		}
		return true, list, nil
	})
	w.client, w.metrics, w.namespace, w.loads = w.fake, samples, "demo", map[string]setLoad{}
	w.request, w.simulated, w.period, w.pace = wholeCPU, true, 5*s, paceOf(5*s, true)
	return w
}

// scale brings a Deployment to so many replicas and tells why.
func (w *world) scale(t *testing.T, name string, to int32, reason string) {
	t.Helper()
	d, err := w.client.AppsV1().Deployments(w.namespace).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	d.Spec.Replicas = &to
	_, err = w.client.AppsV1().Deployments(w.namespace).Update(t.Context(), d, metav1.UpdateOptions{})
	e := &corev1.Event{ObjectMeta: metav1.ObjectMeta{Name: reason, UID: types.UID(reason), ResourceVersion: "1"}, Reason: "SuccessfulRescale",
		InvolvedObject: corev1.ObjectReference{Kind: "Deployment", Name: name}, Message: fmt.Sprintf("(combined from similar events): New size: %d; reason: %s", to, reason)}
	_, eventErr := w.client.CoreV1().Events(w.namespace).Create(t.Context(), e, metav1.CreateOptions{})
	if err := errors.Join(err, eventErr); err != nil {
		t.Fatal(err)
	}
}

// TestAPhaseIsATable: a row for every change with its reason and its utilization, one every period, and what came of it.
func TestAPhaseIsATable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, text := newWorld(), &strings.Builder{}
		w.used["web"] = 2400
		p := player{stage: &w.stage, subject: &cpu{stage: &w.stage}, out: text, began: time.Now(), broken: func() error { return nil }}
		go func() {
			time.Sleep(7 * s)
			w.scale(t, "web", 5, "cpu 240%")
		}()
		one := workshop(w.pace)[1]
		one.expect = reaches{workload: "web", replicas: 5, within: 10 * s, hold: 3 * s}
		if err := p.play(t.Context(), []phase{one}); err != nil {
			t.Errorf("%v\n%s", err, text)
		}
		want := `
1. load: 240% of one pod's CPU request
   240% on one pod is 4.8 times the target: 5 pods carry it at 48%.
   Expected: web is at 5 within 10s and stays there for 3s.

  TIME    LOAD  UTILIZATION  REPLICAS             REASON
  0:05   2400m         240%  1        #
  0:07   2400m         240%  1 -> 5   #####       cpu 240%
  0:10   2400m         240%  5        #####

   ok: web went 1 -> 5 in 2.4s and stayed there.
`
		if diff := cmp.Diff(want, text.String()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestWhatEndsThePlay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		p := player{stage: &w.stage, subject: &cpu{stage: &w.stage}, out: &strings.Builder{}, began: time.Now(), broken: func() error { return nil }}
		if err := p.play(t.Context(), workshop(w.pace)); err == nil || !strings.Contains(err.Error(), "no sample of [web]") {
			t.Errorf("without samples: %v", err)
		}
		w = newWorld()
		w.used["web"] = 200
		p.stage, p.subject = &w.stage, &cpu{stage: &w.stage}
		if err := p.play(t.Context(), workshop(w.pace)[1:]); err == nil || !strings.Contains(err.Error(), `phase "load" did not show what it should: web is at 1`) {
			t.Errorf("without a controller: %v", err)
		}
		w, gone := newWorld(), errors.New("the controller ended by itself")
		p.stage, p.subject, p.broken = &w.stage, &cpu{stage: &w.stage}, func() error { return gone }
		if err := p.play(t.Context(), workshop(w.pace)); !errors.Is(err, gone) {
			t.Errorf("with one that ended: %v", err)
		}
	})
}

func TestLoadsAreWrittenForLoadsim(t *testing.T) {
	w := newWorld()
	for _, step := range []struct {
		workloads []string
		load      load
		want      map[string]string
	}{
		{[]string{"web"}, load{low: 20}, map[string]string{"web": "200m"}},
		{[]string{"flappy"}, load{20, 190, 20 * s}, map[string]string{"web": "200m", "flappy": "burst(200m,1900m,20s,10s)"}},
	} {
		if err := w.setLoad(t.Context(), step.workloads, step.load); err != nil {
			t.Fatal(err)
		}
		control, err := w.client.CoreV1().ConfigMaps(w.namespace).Get(t.Context(), loadsim.ControlName, metav1.GetOptions{})
		if err != nil || !maps.Equal(control.Data, step.want) {
			t.Errorf("ConfigMap %v, %v, want %v", control, err, step.want)
		}
	}
}

// TestPodsThatBurnCPUShareTheLoad: only those that are ready, each told once.
func TestPodsThatBurnCPUShareTheLoad(t *testing.T) {
	w := newWorld()
	w.simulated, w.request = false, tenthCPU
	for name, status := range map[string]corev1.ConditionStatus{"a": "True", "b": "True", "c": "False"} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{label: "web"}},
			Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: status}}}}
		if _, err := w.client.CoreV1().Pods(w.namespace).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.setLoad(t.Context(), []string{"web"}, load{low: 220}), w.steerOnce(t.Context()), w.steerOnce(t.Context())); err != nil {
		t.Fatal(err)
	}
	var patched []string
	for _, action := range w.fake.Actions() {
		if patch, ok := action.(clienttesting.PatchAction); ok {
			patched = append(patched, string(patch.GetPatch()))
		}
	}
	const told = `{"metadata":{"annotations":{"demo/millicores":"110"}}}`
	if diff := cmp.Diff([]string{told, told}, patched); diff != "" {
		t.Errorf("patches (-want +got):\n%s", diff)
	}
	if out, err := exec.CommandContext(t.Context(), "sh", "-n", "-c", burn).CombinedOutput(); err != nil {
		t.Errorf("the shell does not read the script: %v: %s", err, out)
	}
	if err := w.create(t.Context(), workload{"web", nil}); err != nil {
		t.Fatal(err)
	}
	var d *appsv1.Deployment
	d, _ = w.client.AppsV1().Deployments(w.namespace).Get(t.Context(), "web", metav1.GetOptions{})
	if c := d.Spec.Template.Spec.Containers[0]; c.Resources.Requests.Cpu().MilliValue() != tenthCPU || c.Command[2] != burn || d.Spec.Template.Labels[label] != "web" {
		t.Errorf("pods are made of %+v", d.Spec.Template)
	}
}

const twoContexts = `{apiVersion: v1, kind: Config, current-context: work,
contexts: [{name: work, context: {cluster: work, user: me}}, {name: home, context: {cluster: home, user: me}}],
clusters: [{name: work, cluster: {server: "https://work", certificate-authority: ca.crt}}, {name: home, cluster: {server: "https://home"}}],
users: [{name: me, user: {token: secret}}]}`

func TestTheCurrentContextAloneIsPlayedOn(t *testing.T) {
	for name, tt := range map[string]struct{ kubeconfig, bad string }{
		"as it should be":                {twoContexts, ""},
		"no context is current":          {strings.Replace(twoContexts, "current-context: work,", "", 1), "no current context"},
		"the current one does not exist": {strings.Replace(twoContexts, "current-context: work", "current-context: gone", 1), `could not use context "gone"`},
		"its certificate does not exist": {strings.Replace(twoContexts, "ca.crt", "no.crt", 1), `could not use context "work"`},
		"it is not a kubeconfig":         {"]", "could not load the kubeconfig"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			t.Setenv("KUBECONFIG", filepath.Join(dir, "config"))
			if err := errors.Join(os.WriteFile(filepath.Join(dir, "config"), []byte(tt.kubeconfig), 0o600), os.WriteFile(filepath.Join(dir, "ca.crt"), []byte("certificate"), 0o600)); err != nil {
				t.Fatal(err)
			}
			var st stage
			defer func() { _ = st.close() }()
			config, err := st.here(options{period: 15 * s})
			if tt.bad != "" {
				if err == nil || !strings.Contains(err.Error(), tt.bad) {
					t.Errorf("error %v, want one that says %q", err, tt.bad)
				}
				return
			}
			if err != nil || config.Host != "https://work" || string(config.CAData) != "certificate" {
				t.Fatalf("config %+v, error %v", config, err)
			}
			if got, err := clientcmd.LoadFromFile(st.kubeconfig); err != nil || len(got.Contexts) != 1 {
				t.Errorf("the controller's kubeconfig has %+v, %v", got, err)
			}
		})
	}
}
