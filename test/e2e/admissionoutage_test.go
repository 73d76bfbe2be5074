package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// stopped is about the time in which nobody answers.
func (a *admission) stopped(t *testing.T) {
	a.serve(t).terminate()
	t.Run("Ignore", a.ignored)
	t.Run("Fail", a.failing)
}

// bad are manifests that are admitted while nobody answers, with the reason of the Event by which the controller refuses them.
func bad() map[string]string {
	right := annotated(strings.Replace(plain, "  paused: true\n", "", 1))
	return map[string]string{
		"InvalidAnnotations": strings.Replace(right, `max: "10"`, `max: "0"`, 1),
		"MissingRequest":     strings.Replace(right, requests, "", 1),
		"NoMetric":           strings.Replace(right, `mini-hpa/target-cpu: "50", `, "", 1),
	}
}

// ignored: with failurePolicy Ignore everything is admitted. The controller refuses what is wrong and tells it once, and the
// webhook refuses it when it is back.
func (a *admission) ignored(t *testing.T) {
	ns := a.somewhere(t)
	if said := a.kubectl(t, plain, "-n", ns, "create", "-f", "-"); said.verdict() != accepted {
		t.Errorf("unannotated: %s", said)
	}
	before := a.counts(t, nil)
	a.controls(t)
	spaces := map[string]string{}
	for reason, manifest := range bad() {
		spaces[reason] = a.space(t, "ignored-"+strings.ToLower(reason), true)
		if said := a.kubectl(t, manifest, "-n", spaces[reason], "create", "-f", "-"); said.verdict() != accepted {
			t.Errorf("%s: %s, want it admitted", reason, said)
		}
	}
	last := a.deploy(t, a.space(t, "ignored-last", true), "last", 1, loadFor(5), map[string]string{"target-cpu": "50", "max": "10"})
	eventually(t, "the controller refuses all", func(ctx context.Context) (bool, string) {
		told := a.told(ctx, t)
		for _, ns := range spaces {
			if len(told[ns]) == 0 {
				return false, ns
			}
		}
		return true, ""
	})
	last.await(5)
	a.samples(t, 3)
	told, scaled := a.told(t.Context(), t), a.scaled(t)
	for reason, ns := range spaces {
		want := strings.Replace(reason, "NoMetric", "InvalidAnnotations", 1)
		if len(told[ns]) != 1 || !strings.HasPrefix(told[ns][0], "1 "+want+" ") || scaled[ns] > 0 {
			t.Errorf("%s: Events %q and %d writes of the scale, want one Event and none", ns, told[ns], scaled[ns])
		}
	}
	if n := a.counts(t, nil).failedOpen - before.failedOpen; n != len(spaces)+1 {
		t.Errorf("the API server let %d through without an answer, want %d", n, len(spaces)+1)
	}
	a.serve(t)
	for reason, manifest := range bad() {
		if said := a.kubectl(t, manifest, "-n", a.somewhere(t), "create", "-f", "-"); said.verdict() != denied {
			t.Errorf("%s, when the webhook is back: %s, want it denied", reason, said)
		}
		if said := a.kubectl(t, "", "-n", spaces[reason], "set", "env", "deployment", "web", "COLOR=blue"); said.verdict() != warned {
			t.Errorf("%s, admitted before: %s, want a warning", reason, said)
		}
	}
}

// failing: with failurePolicy Fail, only what the webhook would have been asked about is refused.
func (a *admission) failing(t *testing.T) {
	right := annotated(strings.Replace(plain, "  paused: true\n", "", 1))
	standing, other := a.space(t, "failing-standing", true), a.space(t, "failing-other", true)
	a.must(t, right, "-n", standing, "create", "-f", "-") // still with Ignore
	a.configure(t, `{"failurePolicy":"Fail"}`)
	defer a.configure(t, `{"failurePolicy":"Ignore"}`)
	isRefused := func(s said) bool { return s.code != 0 && strings.Contains(s.err, "failed calling webhook") }
	eventually(t, "the API server refuses what it cannot ask about", func(context.Context) (bool, string) {
		s := a.kubectl(t, right, "-n", other, "create", "--dry-run=server", "-f", "-")
		return isRefused(s), fmt.Sprint(s)
	})
	for _, step := range []struct {
		do, text string
		refused  bool
	}{
		{"create -f -", right, true},
		{"create -f -", plain, false},
		{"set image deployment web app=app:2", "", false},
		{"annotate deployment web mini-hpa/max=5", "", true},
		{"delete deployment web", "", false},
	} {
		a.wantRefused(t, other, step.do, step.text, step.refused, isRefused)
	}
	for do, refused := range map[string]bool{
		"scale deployment web --replicas=2":                    false,
		"label deployment web tier=front":                      false,
		"annotate deployment web team=a":                       false,
		"patch deployment web -p {\"spec\":{\"paused\":true}}": false,
		"set image deployment web app=app:2":                   true,
		"annotate deployment web --overwrite mini-hpa/max=5":   true,
	} {
		a.wantRefused(t, standing, do, "", refused, isRefused)
	}
	a.wantRefused(t, standing, "annotate deployment web mini-hpa/max- mini-hpa/target-cpu-", "", false, isRefused) // the way out
	a.serve(t)
	if said := a.kubectl(t, right, "-n", other, "create", "-f", "-"); said.verdict() != accepted {
		t.Errorf("when the webhook is back: %s", said)
	}
}

func (a *admission) wantRefused(t *testing.T, namespace, do, text string, want bool, isRefused func(said) bool) {
	t.Helper()
	s := a.kubectl(t, text, append([]string{"-n", namespace}, strings.Fields(do)...)...)
	if isRefused(s) != want || !want && s.code != 0 {
		t.Errorf("kubectl %s: %s; want it refused: %t", do, s, want)
	}
}
