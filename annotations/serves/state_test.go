package serves

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLines(t *testing.T) {
	busy := State{Slice: "shop/mini-hpa-web", Name: "http", Pair: 20016, Listening: true, Held: 3, InFlight: 1, Total: 118, Wakes: 4, Refused: 2,
		Standby: Door{}, Active: Door{Connections: 118, Age: 1.5}, RequestSeconds: 12.5}
	busy.Waits.Observe(1400 * time.Millisecond)
	tests := map[string]struct {
		line Line
		want string
	}{
		"the process": {Line{Process: &Process{Start: "a-1/17"}}, `{"process":{"start":"a-1/17"}}`},
		"it ends":     {Line{Process: &Process{Start: "a-1/17", Draining: true}}, `{"process":{"start":"a-1/17","draining":true}}`},
		"a port": {Line{Port: &busy}, `{"port":{"slice":"shop/mini-hpa-web","name":"http","pair":20016,"listening":true,"held":3,"inFlight":1,"active":{"connections":118,"age":1.5},"total":118,"wakes":4,"refused":2,` +
			`"requestSeconds":12.5,"waits":{"counts":[0,0,0,0,0,0,0,0,1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0],"seconds":1.4}}}`},
		"a port that is taken": {Line{Port: &State{Slice: "shop/mini-hpa-web", Pair: 20016, Problem: "in use"}}, `{"port":{"slice":"shop/mini-hpa-web","pair":20016,"problem":"in use"}}`},
		"that was all":         {Line{Synced: true}, `{"synced":true}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			text := AppendLine(nil, tt.line)
			if diff := cmp.Diff(tt.want+"\n", string(text)); diff != "" {
				t.Error(diff)
			}
			got, err := ParseLine(text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.line, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	now := time.Date(2026, 11, 29, 8, 0, 10, 0, time.UTC)
	if last, ok := busy.Active.Last(now); !ok || now.Sub(last) != 1500*time.Millisecond {
		t.Errorf("the last came at %s: %t", last, ok)
	}
	if _, ok := busy.Standby.Last(now); ok {
		t.Error("nobody came, and there is a last")
	}
	if key := busy.Key().String(); key != "shop/mini-hpa-web" {
		t.Errorf("the slice is %s", key)
	}
}

func TestParseLineRefuses(t *testing.T) {
	tests := map[string]struct{ line, want string }{
		"nothing":           {"", `line "" must be JSON`},
		"an empty one":      {"{}", "must have exactly one of process, port and synced"},
		"two":               {`{"synced":true,"process":{"start":"a"}}`, "must have exactly one of process, port and synced"},
		"no start":          {`{"process":{}}`, "process.start must not be empty"},
		"no slice":          {`{"port":{"pair":20016}}`, `port.slice: Invalid value: ""`},
		"another's slice":   {`{"port":{"slice":"shop/web","pair":20016}}`, `port.slice: Invalid value: "shop/web"`},
		"a door":            {`{"port":{"slice":"shop/mini-hpa-web","pair":20017}}`, `port.pair: Invalid value: 20017: must be an even port between 1024 and 65535`},
		"fewer than none":   {`{"port":{"slice":"shop/mini-hpa-web","pair":20016,"held":-1}}`, `port.held: Invalid value: -1: must not be less than 0`},
		"other histograms":  {`{"port":{"slice":"shop/mini-hpa-web","pair":20016,"waits":{"counts":[1]}}}`, `port.waits.counts: Invalid value: 1: must be 26 numbers`},
		"a line that grows": {strings.Repeat(" ", 64<<10) + "{}", "a line of 65538 bytes; must be at most 65536"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := ParseLine([]byte(tt.line)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %s", err, tt.want)
			}
		})
	}
}

func TestWaits(t *testing.T) {
	var w Waits
	if w.Quantile(0.99) != 0 || w.Total() != 0 {
		t.Error("there are waits at the beginning")
	}
	for range 98 {
		w.Observe(3 * time.Millisecond)
	}
	before := w.Clone()
	w.Observe(2 * time.Second)
	w.Observe(time.Hour)
	if before.Total() != 98 || w.Total() != 100 || w.Seconds < 3602 || w.Seconds > 3603 {
		t.Errorf("%d and %d waits of %g s", before.Total(), w.Total(), w.Seconds)
	}
	for q, want := range map[float64]time.Duration{0: 0, 0.5: 5 * time.Millisecond, 0.98: 5 * time.Millisecond, 0.99: 2 * time.Second, 1: 10 * time.Minute} {
		if got := w.Quantile(q); got != want {
			t.Errorf("the quantile %g is %s, want %s", q, got, want)
		}
	}
	var sum Waits
	sum.Add(Waits{})
	sum.Add(w)
	sum.Add(before)
	if sum.Total() != 198 || sum.Quantile(0.995) != 10*time.Minute {
		t.Errorf("%d waits, of which one in 200 was %s", sum.Total(), sum.Quantile(0.995))
	}
}

func FuzzParseLine(f *testing.F) {
	for _, text := range []string{"", "{}", `{"synced":true}`, `{"process":{"start":"a","draining":true}}`, `{"port":{"slice":"shop/mini-hpa-web","name":"http","pair":20016,"held":3,"active":{"connections":1,"age":1e308}}}`, `{"port":{"slice":"/mini-hpa-a","pair":20016}}`, `{"port":null}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := ParseLine(text)
		if err != nil {
			if len(err.Error()) > 4096+8*len(text) {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		again, err := ParseLine(AppendLine(nil, l))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(l, again); diff != "" {
			t.Error(diff)
		}
		if l.Port != nil {
			l.Port.Active.Last(time.Time{})
			l.Port.Waits.Quantile(0.99)
		}
	})
}
