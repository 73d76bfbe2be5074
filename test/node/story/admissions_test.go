//go:build linux

package story

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestAdmissionsAreCounted(t *testing.T) {
	t.Parallel()
	invalid := apierrors.NewInvalid(schema.GroupKind{Kind: "Deployment"}, "unrequested", nil)
	broken := errors.New("no answer")
	for name, tc := range map[string]struct {
		bad  bool
		err  error
		want tally
	}{
		"a bad one is refused":                       {bad: true, err: invalid, want: tally{refused: 1, row: 3}},
		"a bad one is let through":                   {bad: true, want: tally{through: 1}},
		"a bad one that fails otherwise is no proof": {bad: true, err: broken, want: tally{unanswered: 1, last: broken}},
		"a good one is admitted":                     {want: tally{admitted: 1, row: 3}},
		"a good one is refused":                      {err: invalid, want: tally{hindered: 1, last: invalid}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := tally{row: 2}
			got.count(tc.bad, tc.err)
			same := cmp.Comparer(func(a, b error) bool { return errors.Is(a, b) })
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(tally{}), same); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got.total() != 1 {
				t.Errorf("the total is %d", got.total())
			}
		})
	}
}

func TestAdmissionsAreJudged(t *testing.T) {
	t.Parallel()
	broken := errors.New("no answer")
	for name, tc := range map[string]struct {
		tally tally
		says  string
	}{
		"all were right":                   {tally: tally{refused: 50, admitted: 50}},
		"one of each had no answer":        {tally: tally{refused: 49, admitted: 49, hindered: 1, unanswered: 1, last: broken}},
		"bad ones alone had none":          {tally: tally{unanswered: 3, last: broken}, says: "3 admissions had no answer, which 2 at most may have, at last: no answer"},
		"good ones alone had none":         {tally: tally{hindered: 3, last: broken}, says: "3 admissions had no answer"},
		"one bad one that passed is a lot": {tally: tally{refused: 99, admitted: 100, through: 1}, says: "1 bad Deployments were admitted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := tc.tally.err(); (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want %q", err, tc.says)
			}
		})
	}
}

func TestWhatKubernetesMakesIsNotTheReleases(t *testing.T) {
	t.Parallel()
	for object, want := range map[string]bool{
		"serviceaccount/default":              false,
		"configmap/kube-root-ca.crt":          false,
		"namespace/mini-hpa":                  false,
		"event/mini-hpa.1":                    false,
		"event.events.k8s.io/mini-hpa.1":      false,
		"serviceaccount/mini-hpa":             true,
		"secret/sh.helm.release.v1.mini-hpa":  true,
		"lease.coordination.k8s.io/mini-hpa":  true,
		"eviction.policy/a-kind-like-an-even": true,
	} {
		if got := ofRelease(object); got != want {
			t.Errorf("%s: got %t", object, got)
		}
	}
}
