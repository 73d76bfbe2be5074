package cluster

import (
	"testing"
	"time"
)

func TestPause(t *testing.T) {
	for _, c := range []struct {
		byLeader         bool
		took, wantsPause time.Duration
	}{{true, time.Minute, 2 * time.Second}, {false, time.Second, 15 * time.Second}, {false, 20 * time.Second, time.Minute}} {
		if got := Pause(c.byLeader, c.took); got != c.wantsPause {
			t.Errorf("%+v: %s", c, got)
		}
	}
}
