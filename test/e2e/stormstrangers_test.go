package e2e

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"
)

const (
	// stormMemory bounds the memory of a replica that is attacked, in MiB. 210 to 266 were seen: 1000 connections, 32 MiB of bodies,
	// what is decoded of them, and as much again, which is what Go's garbage collector waits for.
	stormMemory = 300
	// stormSlack is how far above its start the memory may remain, in MiB, and how many goroutines more.
	stormSlack, stormGoroutines = 64, 50
)

// TestStormOfStrangers: whoever reaches the webhook's port can neither exhaust its memory nor keep it from answering the API server.
// It does not run beside other tests: it takes all of the machine.
func TestStormOfStrangers(t *testing.T) {
	lasts := 7 * time.Second // each wave
	if testing.Short() {
		lasts /= 2
	}
	waves := stormWaves() // their bodies are made before
	s := newStorm(t, 5)   // as docs/webhook.yaml has it
	r := s.launch("--shutdown-delay-duration", "1s")
	s.awaitReady(r)
	st := s.stream(stormPlain(), math.MaxInt, 20)
	st.await(t, 60) // at its usual size

	before, _ := r.memory()
	goroutines := r.goroutines()
	t.Logf("at first: %.0f MiB, %.0f goroutines", before, goroutines)
	for _, wave := range waves {
		r.endure(wave, lasts, st)
		over := time.Now()
		eventually(t, "memory and goroutines are near those of the start", func(context.Context) (bool, string) {
			r.alive()
			now, _ := r.memory()
			n := r.goroutines()
			return now < before+stormSlack && n < goroutines+stormGoroutines,
				fmt.Sprintf("%.0f MiB of %.0f, %.0f goroutines of %.0f", now, before, n, goroutines)
		})
		after, _ := r.memory()
		t.Logf("%s after it: %.0f MiB, %.0f goroutines", time.Since(over).Round(100*time.Millisecond), after, r.goroutines())
		began := time.Now()
		st.further(t, 40)
		if wrong := st.since(began).wrong(); len(wrong) > 0 {
			t.Errorf("%s: once it was over, %s, want all right", wave.name, wrong)
		}
	}
	if m, err := r.scrape(); err == nil {
		t.Logf("refused: %s", m.counts("mini_hpa_webhook_refused_total"))
		t.Logf("verdicts: %s", m.counts("mini_hpa_webhook_verdicts_total"))
	}
	t.Logf("in the log: %v", r.lines())
	if _, most := r.memory(); most > stormMemory {
		t.Errorf("the webhook took %.0f MiB, want at most %d", most, stormMemory)
	}
	r.alive() // the process that was started, and no other one
}

// endure attacks a replica, and judges what users noticed.
func (r *stormReplica) endure(wave stormWave, lasts time.Duration, st *stormStream) {
	r.t.Helper()
	assault := &stormAssault{address: r.hook}
	began := time.Now()
	ctx, cancel := context.WithTimeout(r.t.Context(), lasts)
	defer cancel()
	assault.run(ctx, wave.attacks)
	honest := st.since(began)
	_, most := r.memory()
	r.t.Logf("%s for %s, at most %.0f MiB so far:\n%s", wave.name, time.Since(began).Round(100*time.Millisecond), most, assault)
	r.t.Logf("honest meanwhile: %s\n  %.1f a second, p50 %s, p99 %s, longest %s; wrong ones by second: %v", honest, honest.rate(),
		honest.quantile(0.5), honest.quantile(0.99), honest.quantile(1), honest.wrong().seconds(began))
	wrong := honest.wrong()
	if failed := wrong.outcomes(stormFailed); failed < len(wrong) {
		r.t.Errorf("%s: %d honest admissions were answered wrongly, want none", wave.name, len(wrong)-failed)
	}
	// How many get their answer within 5 s depends on how much of the machine is left: on two cores that others use too, 26 of 63 were
	// seen. Of those that do not is told above. What strangers could do is to let nobody through.
	if right := len(honest) - len(wrong); right < len(honest)/5 && !wave.isTooMany {
		r.t.Errorf("%s: %d of %d honest admissions failed", wave.name, len(wrong), len(honest))
	}
	r.alive()
}

// lines counts those of the log by their message.
func (r *stormReplica) lines() map[string]int {
	counts := map[string]int{}
	for _, line := range r.log() {
		counts[line.Msg]++
	}
	return counts
}

func (r *stormReplica) goroutines() float64 {
	r.t.Helper()
	m, err := r.scrape()
	if err != nil {
		r.t.Fatal(err)
	}
	return m["go_goroutines"]
}
