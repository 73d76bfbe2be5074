//go:build linux

package story

import (
	"strings"
	"testing"
)

func TestExplanationsOfPodsThatWait(t *testing.T) {
	t.Parallel()
	const (
		title  = "statefulset shop/db: stay at 3 replicas\n  x\n\n"
		waits  = "Pods (2 owned, 1 with a sample; spec.replicas 3, status.replicas 2)\n"
		is     = "Pods (3 owned, 2 with a sample; spec.replicas 3, status.replicas 3)\n"
		leaves = "Pods (3 owned, 3 with a sample; spec.replicas 2, status.replicas 3)\n"
	)
	for name, tc := range map[string]struct{ page, says string }{
		"one waits":          {page: title + waits},
		"of the leader":      {page: "source: leader mini-hpa-7c9f-x2, 3s ago\n" + title + waits},
		"all are there":      {page: title + is, says: "3 replicas are asked for, and there are 3 pods"},
		"one leaves":         {page: title + leaves, says: "2 replicas are asked for, and there are 3 pods"},
		"of another kind":    {page: "deployment shop/db: stay\n" + waits, says: "begin with the StatefulSet's name"},
		"nothing is counted": {page: title, says: "should count the pods"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := checkTurns(tc.page); (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want %q", err, tc.says)
			}
		})
	}
}

func TestPodsThatWaitAreNotMissing(t *testing.T) {
	t.Parallel()
	const (
		out  = "  Normal  SuccessfulRescale  2m  mini-hpa  New size: 3; reason: cpu utilization 166% above target 60% (1 of 1 pods, sample 9s old)\n"
		more = "  Normal  SuccessfulRescale  2m  mini-hpa  New size: 5; reason: cpu utilization 166% above target 60% (1 of 3 pods, sample 9s old)\n"
		in   = "  Normal  SuccessfulRescale  2s  mini-hpa  New size: 1; reason: cpu utilization 2% below target 60% (3 of 3 pods, sample 9s old)\n"
	)
	for name, tc := range map[string]struct{ text, says string }{
		"as it should be": {text: out + in},
		"told as missing": {text: out + "  Warning  ReplicasNotComing  2s  mini-hpa  1 of 3 replicas do not come\n" + in, says: "no Event ReplicasNotComing"},
		"made up for":     {text: out + more + in, says: "the load needs 3 replicas at most, and not as many as in"},
		"nothing is told": {text: in, says: "should have an Event SuccessfulRescale"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := checkPatience(tc.text); (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want %q", err, tc.says)
			}
		})
	}
}
