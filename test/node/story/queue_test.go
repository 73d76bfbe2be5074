//go:build linux

package story

import (
	"strings"
	"testing"
)

func TestReplicasInProportion(t *testing.T) {
	t.Parallel()
	const (
		begin = "  Normal  SuccessfulRescale  9m   mini-hpa  New size: 0; reason: none of the metrics and sources that can wake it is active\n"
		wakes = "  Normal  SuccessfulRescale  5m   mini-hpa  New size: 10; reason: rabbit@messages 5000, target 500, above 0: wakes\n"
		half  = "  Normal  SuccessfulRescale  5m   mini-hpa  New size: 4; reason: rabbit@messages 1999, target 500, above 0: wakes\n"
		grows = "  Normal  SuccessfulRescale  4m   mini-hpa  New size: 10; reason: rabbit@messages 4600 for 4 replicas above target 500 for each\n"
	)
	for name, tc := range map[string]struct {
		events  string
		history []int32
		says    string
	}{
		"in one step":         {begin + wakes, []int32{1, 0, 10, 0}, ""},
		"in two":              {half + begin + grows, []int32{1, 0, 4, 10, 0}, ""},
		"too many":            {strings.Replace(half, "size: 4", "size: 5", 1), []int32{1, 0, 5, 0}, "1999 messages need 4 pods"},
		"too few":             {strings.Replace(half, "1999", "2001", 1), []int32{1, 0, 4, 0}, "2001 messages need 5 pods"},
		"scaled in meanwhile": {wakes, []int32{1, 0, 10, 9, 0}, "the replicas were [1 0 10 9 0], and should have been [1 0 10 0]"},
		"never woken":         {begin, []int32{1, 0}, "the replicas were [1 0]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := checkProportion(tc.events, tc.history); (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want %q", err, tc.says)
			}
		})
	}
}
