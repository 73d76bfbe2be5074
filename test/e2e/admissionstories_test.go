package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// step is one of several changes.
type step struct {
	do, text string // arguments and standard input of kubectl
	want     string
}

// storyOf is what is stored before there is a webhook, and what is done to it then.
type storyOf struct {
	before string
	steps  []step
}

// stories are changes that build on each other.
func stories() map[string]storyOf {
	right := annotated(strings.Replace(plain, "  paused: true\n", "", 1))
	wrong := strings.NewReplacer(requests, "", `max: "10"`, `max: "5"`).Replace(right)
	doubly := strings.Replace(wrong, `max: "5"`, `max: "5", mini-hpa/min: "0"`, 1)
	undo := "rollout undo deployment web"
	unannotated := strings.Replace(plain, "  paused: true\n", "", 1)
	forgetful := func(manifest string) string {
		return strings.Replace(manifest, "spec:\n  sel", "spec:\n  revisionHistoryLimit: 0\n  sel", 1)
	}
	return map[string]storyOf{
		// A rollback brings back a template without a request, and the annotations of that time.
		"rollback": {wrong, []step{
			{"apply -f -", right, accepted},
			{"annotate deployment web mini-hpa/tolerance=5%", "", accepted},
			{undo + " --dry-run=server", "", warned},
			{undo, "", warned},
			{"set image deployment web app=app:2", "", warned}, // what was wrong is no hindrance then either
			{undo, "", warned},
			{undo + " --to-revision=2", "", accepted},
			{"annotate deployment web mini-hpa/target-cpu- mini-hpa/max- mini-hpa/tolerance-", "", accepted},
			{undo, "", warned}, // annotations that were removed are back
		}},
		// Another way back is to apply what there was. What there never was is no rollback.
		"rollback-by-apply": {wrong, []step{
			{"apply -f -", right, accepted},
			{"apply -f -", strings.Replace(wrong, "app:1", "app:9", 1), denied},
			{"apply -f - --dry-run=server", wrong, warned},
			{"apply -f -", wrong, warned},
			{"apply -f -", right, accepted},
		}},
		// Two problems need not be solved at once.
		"one-problem-after-the-other": {doubly, []step{
			{"annotate deployment web --overwrite mini-hpa/min=1", "", warned},
			{"set resources deployment web --requests=cpu=100m", "", accepted},
			{"set resources deployment web --requests=cpu=0", "", denied},
		}},
		"the-other-problem-first": {doubly, []step{
			{"set resources deployment web --requests=cpu=100m", "", warned},
			{"annotate deployment web --overwrite mini-hpa/min=-1", "", denied}, // not better, only otherwise wrong
			{"annotate deployment web mini-hpa/min-", "", accepted},
		}},
		// The way from a field that is applied to one that is autoscaled.
		"replicas-in-the-manifest": {strings.Replace(right, "spec:\n  sel", "spec:\n  replicas: 2\n  sel", 1), []step{
			{"scale deployment web --replicas=4", "", accepted},
			{"apply -f -", strings.Replace(right, "spec:\n  sel", "spec:\n  replicas: 2\n  sel", 1), warned},
			{"scale deployment web --replicas=4", "", accepted},
			{"apply -f -", right, warned}, // kubectl takes the field away, hence the API server sets it to 1
			{"scale deployment web --replicas=4", "", accepted},
			{"apply -f -", right, accepted},
		}},
		// The same field, in the manifest of a Deployment that was not autoscaled: it goes when the annotations come.
		"replicas-go-with-the-first-annotations": {strings.Replace(unannotated, "spec:\n  sel", "spec:\n  replicas: 3\n  sel", 1), []step{
			{"apply -f - --dry-run=server", right, warned},
			{"apply -f -", right, warned},
			{"scale deployment web --replicas=4", "", accepted},
			{"apply -f -", right, accepted},
		}},
		// A request was missing before, too; only that nobody could see it.
		"what-was-hidden": {strings.Replace(wrong, `target-cpu: "50"`, `target-cpu: "half"`, 1), []step{
			{"apply -f -", wrong, warned},
			{"set image deployment web app=app:2", "", warned},
		}},
		"a-container-is-renamed": {wrong, []step{
			{"apply -f -", strings.Replace(wrong, "- name: app", "- name: main", 1), warned},
		}},
		// Nothing is kept of what there was before, so that going back looks like a mistake.
		"rollback-without-history": {forgetful(strings.Replace(unannotated, requests, "", 1)), []step{
			{"apply -f -", forgetful(strings.Replace(right, "app:1", "app:2", 1)), accepted},
			{"apply -f -", forgetful(strings.Replace(right, requests, "", 1)), warned},
		}},
		// Nothing is decided while it is paused.
		"paused-without-a-request": {strings.Replace(unannotated, requests, "", 1), []step{
			{"annotate deployment web mini-hpa/target-cpu=50 mini-hpa/max=10 mini-hpa/mode=paused", "", warned},
			{"annotate deployment web --overwrite mini-hpa/mode=auto", "", denied},
			{"set resources deployment web --requests=cpu=100m", "", accepted},
			{"annotate deployment web --overwrite mini-hpa/mode=auto", "", accepted},
		}},
		// Somebody begins to autoscale: a slip, then another one, then it works.
		"first-steps": {strings.Replace(plain, requests, "", 1), []step{
			{"annotate deployment web mini-hpa/target-cpu=50", "", denied},
			{"annotate deployment web mini-hpa/target-cpu=50 mini-hpa/max=10", "", denied},
			{"set resources deployment web --requests=cpu=100m", "", accepted},
			{"annotate deployment web mini-hpa/target-cpu=50 mini-hpa/max=10", "", accepted},
		}},
	}
}

// tell tells the stories, and compares what kubectl says and what is stored with golden files.
func (a *admission) tell(t *testing.T) {
	t.Parallel()
	for name, story := range stories() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a.before(t, name, story.before, false)
			transcript := "before: " + a.stored(t, name)
			for _, s := range story.steps {
				before := a.stored(t, name)
				said := a.kubectl(t, s.text, append([]string{"-n", name}, strings.Fields(s.do)...)...)
				after := a.stored(t, name)
				if said.verdict() != s.want || s.want == denied && before != after {
					t.Errorf("%s: %s, want %s; what is stored went from\n%sto\n%s\n%s", s.do, said.verdict(), s.want, before, after, said)
				}
				transcript += fmt.Sprintf("\n$ kubectl %s\n%sstored: %s", s.do, said, after)
				a.settle(t, name) // the Deployment controller has made the ReplicaSet
			}
			golden(t, filepath.Join("stories", name+".golden"), transcript)
		})
	}
}
