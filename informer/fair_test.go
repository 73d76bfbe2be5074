package informer

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mini-hpa/mini-hpa/annotations"
)

func TestFairQueue(t *testing.T) {
	t.Parallel()
	for name, story := range map[string]struct {
		// steps are keys to push, and "" for each pop.
		steps []string
		want  string
	}{
		"one namespace is first in, first out": {[]string{"a/1", "a/2", "", "a/3", "", ""}, "a/1 a/2 a/3"},
		"namespaces take turns":                {[]string{"a/1", "a/2", "a/3", "b/1", "b/2", "c/1", "", "", "", "", "", ""}, "a/1 b/1 c/1 a/2 b/2 a/3"},
		"a newcomer waits for one round":       {[]string{"a/1", "a/2", "b/1", "b/2", "", "c/1", "", "", "", ""}, "a/1 b/1 a/2 c/1 b/2"},
		"who comes back has no claim to more":  {[]string{"a/1", "b/1", "b/2", "", "a/2", "", "", ""}, "a/1 b/1 a/2 b/2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := newFairQueue()
			var got []string
			left := 0
			for _, step := range story.steps {
				if step == "" {
					got = append(got, q.Pop().NamespacedName().String())
					left--
				} else {
					namespace, workload, _ := strings.Cut(step, "/")
					q.Push(annotations.DeploymentKey(namespace, workload))
					left++
				}
				if q.Len() != left {
					t.Fatalf("after %v its length is %d, want %d", got, q.Len(), left)
				}
			}
			if diff := cmp.Diff(story.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("order (-want +got):\n%s", diff)
			}
			if len(q.waiting) > 0 || len(q.turns) > 0 {
				t.Errorf("it remembers %v and %v of what is gone", q.waiting, q.turns)
			}
		})
	}
}

// TestFairQueueKeepsNothing of namespaces that come and go.
func TestFairQueueKeepsNothing(t *testing.T) {
	t.Parallel()
	q := newFairQueue()
	for i := range 10_000 {
		q.Push(annotations.DeploymentKey(fmt.Sprint(i), "web"))
		q.Pop()
	}
	if len(q.waiting) > 0 || cap(q.turns) > 16 {
		t.Errorf("%d namespaces are remembered, room for %d turns", len(q.waiting), cap(q.turns))
	}
}
