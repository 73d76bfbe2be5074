package story

import (
	"testing"
	"time"
)

func TestLoadAt(t *testing.T) {
	bursts := Load{Low: 20, High: 190, Period: 20 * time.Second, On: 8 * time.Second}
	tests := map[string]struct {
		load  Load
		since time.Duration
		want  int64
	}{
		"a steady load never changes":        {load: Steady(220), since: time.Hour, want: 220},
		"a burst begins at once":             {load: bursts, since: 0, want: 190},
		"it lasts until just before its end": {load: bursts, since: 8*time.Second - 1, want: 190},
		"then the load is low":               {load: bursts, since: 8 * time.Second, want: 20},
		"until the period is over":           {load: bursts, since: 20*time.Second - 1, want: 20},
		"the next burst is the same":         {load: bursts, since: 5*time.Minute + 3*time.Second, want: 190},
		"before it was set it is low":        {load: bursts, since: -time.Second, want: 20},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := tt.load.At(tt.since); got != tt.want {
				t.Errorf("At(%s) = %d, want %d", tt.since, got, tt.want)
			}
		})
	}
}

func TestLoadMilliFollowsTheRequest(t *testing.T) {
	for request, want := range map[int64]int64{1000: 2200, 100: 220, 30: 66} {
		if got := Steady(220).Milli(0, request); got != want {
			t.Errorf("220%% of pods that request %dm = %dm, want %dm", request, got, want)
		}
	}
}
