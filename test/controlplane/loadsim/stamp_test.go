package loadsim

import (
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// TestAShareOfThePodsHasClocksThatAreOff, always the same ones.
func TestAShareOfThePodsHasClocksThatAreOff(t *testing.T) {
	at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for share, want := range map[float64][2]int{0: {0, 0}, 0.3: {200, 400}, 1: {1000, 1000}} {
		f, off := Fault{Ahead: -time.Minute, Skewed: share}, 0
		for i := range 1000 {
			uid := types.UID(fmt.Sprint("pod-", i))
			switch got := f.stamp(uid, at); {
			case got != f.stamp(uid, at):
				t.Errorf("%s: another timestamp the second time", uid)
			case got.Equal(at.Add(-time.Minute)):
				off++
			case !got.Equal(at):
				t.Errorf("%s: %s", uid, got)
			}
		}
		if off < want[0] || off > want[1] {
			t.Errorf("share %v: %d of 1000 are off, want %d to %d", share, off, want[0], want[1])
		}
	}
}
