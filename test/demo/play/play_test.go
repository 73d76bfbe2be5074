package play

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mini-hpa/mini-hpa/test/demo/story"
)

// world is a cluster of fake time: it samples every 5 s and scales as its workloads' rules say.
type world struct {
	began     time.Time
	workloads []*workload
	rules     map[string]rule
	down      error
}

// rule is the number of replicas for a sample.
type rule func(w *workload, at time.Duration, utilization int64) int32

type workload struct {
	story.Track
	load     story.Load
	set      time.Duration
	replicas int32
	sample   int32
	high     time.Duration // when scaling in was last not wanted
	created  time.Duration
	at       time.Duration // how far it has been simulated
	used     []int64       // in every step, in percent of one pod's request
}

const period = 5 * time.Second

func newWorld(rules map[string]rule) *world { return &world{began: time.Now(), rules: rules} }

func (w *world) Now() time.Duration     { return time.Since(w.began) }
func (w *world) Sampled() time.Duration { return w.Now().Truncate(period) }
func (w *world) Err() error             { return w.down }

func (w *world) Create(_ context.Context, s story.Workload) error {
	w.workloads = append(w.workloads, &workload{Track: story.Track{Workload: s.Name}, replicas: 1, sample: story.Unknown, created: w.Now(), at: w.Now()})
	return nil
}

func (w *world) SetLoad(_ context.Context, names []string, l story.Load) error {
	w.Tracks()
	for _, one := range w.workloads {
		for _, name := range names {
			if one.Workload == name {
				one.load, one.set = l, w.Now()
			}
		}
	}
	return nil
}

// Tracks simulates up to now, in steps of 100 ms.
func (w *world) Tracks() []story.Track {
	var tracks []story.Track
	for _, one := range w.workloads {
		for ; one.at <= w.Now(); one.at += 100 * time.Millisecond {
			one.step(w.rules[one.Workload], w.down)
		}
		tracks = append(tracks, one.Track)
	}
	return tracks
}

func (o *workload) step(r rule, down error) {
	o.used = append(o.used, o.load.At(o.at-o.set))
	if o.at%period == 0 && o.at > o.created && down == nil {
		utilization := o.average() / int64(o.replicas)
		if to := r(o, o.at, utilization); to != o.replicas {
			o.Changes = append(o.Changes, story.Change{At: o.at, From: o.replicas, To: to, Reason: fmt.Sprintf("cpu utilization %d%%", utilization)})
			o.replicas = to
		}
		o.sample = int32(utilization)
	}
	o.Points = append(o.Points, story.Point{At: o.at, Utilization: o.sample, Replicas: o.replicas, Ready: o.replicas})
}

// average is over the steps of one sample.
func (o *workload) average() int64 {
	window := o.used[max(0, len(o.used)-int(period/(100*time.Millisecond))):]
	var sum int64
	for _, used := range window {
		sum += used
	}
	return sum / int64(len(window))
}

// follows goes where the load is; with a window it goes in only when nothing else was wanted for that long.
func follows(window time.Duration) rule {
	return func(w *workload, at time.Duration, utilization int64) int32 {
		wanted := int32(max(1, (utilization*int64(w.replicas)+49)/50))
		if wanted >= w.replicas {
			w.high = at
		}
		if wanted < w.replicas && at-w.high < window {
			return w.replicas
		}
		return wanted
	}
}

func stubborn(*workload, time.Duration, int64) int32 { return 1 }

func play(t *testing.T, w *world, broken chan error) ([]story.Act, string, error) {
	t.Helper()
	var out bytes.Buffer
	player := Player{Stage: w, Eye: w, Out: &out, Request: 1000, Period: period, Aligned: true, Patience: 30 * time.Second, Broken: broken}
	acts, err := player.Play(t.Context(), story.Workshop(story.Simulated(period)))
	return acts, out.String(), err
}

func good() map[string]rule {
	return map[string]rule{"web": follows(30 * time.Second), "flappy": follows(0), "steady": follows(5 * time.Minute)}
}

func TestTheWholeStory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		acts, text, err := play(t, newWorld(good()), nil)
		if err != nil {
			t.Fatal(err)
		}
		var says []string
		for _, act := range acts {
			says = append(says, string(act.Verdict.State)+": "+act.Verdict.Says)
		}
		want := []string{
			"held: web stayed at 1",
			"held: web went 1 -> 5 in 5.3s and stayed there",
			"held: web went 5 -> 10 in 5.3s and stayed there",
			"held: web went 10 -> 1 in 25.3s and stayed there",
			"held: flappy changed its replicas 10 times, steady 1 times",
		}
		if diff := cmp.Diff(want, says); diff != "" {
			t.Errorf("verdicts (-want +got):\n%s\n%s", diff, text)
		}
		if n := strings.Count(text, " -> "); n != 3+10+1+3 {
			t.Errorf("%d changes in the text, want a row for each of 14 and 3 in the verdicts:\n%s", n, text)
		}
	})
}

func TestTheTableOfAPhase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, text, err := play(t, newWorld(good()), nil)
		if err != nil {
			t.Fatal(err)
		}
		want := `
2. load: 220% of one pod's CPU request
   220% on one pod is 4.4 times the target: 5 pods carry it at 44%.
   Expected: web is at 5 within 20s and stays there for 16s.

  TIME    LOAD  UTILIZATION  REPLICAS              REASON
  0:30   2200m          20%         1  #
  0:35   2200m         220%    1 -> 5  #####       cpu utilization 220%
  0:43   2200m          44%         5  #####
  0:48   2200m          44%         5  #####
  0:51   2200m          44%         5  #####

   ok: web went 1 -> 5 in 5.3s and stayed there.

3. `
		_, phase, _ := strings.Cut(text, "\n2. ")
		phase, _, _ = strings.Cut(phase, "\n3. ")
		if diff := cmp.Diff(want, "\n2. "+phase+"\n3. "); diff != "" {
			t.Errorf("second phase (-want +got):\n%s", diff)
		}
	})
}

func TestAFailedPhaseIsTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		acts, text, err := play(t, newWorld(map[string]rule{"web": stubborn}), nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(acts) != 2 || acts[1].Verdict.State != story.Failed {
			t.Errorf("acts: %+v", acts)
		}
		if !strings.HasSuffix(text, "   FAILED: web is at 1 after 20.2s, expected 5.\n") {
			t.Errorf("it ends with %q", text[max(0, len(text)-80):])
		}
	})
}

func TestWhatStopsThePlay(t *testing.T) {
	gone := errors.New("the controller is gone")
	tests := map[string]struct {
		prepare func(w *world, broken chan error, cancel context.CancelCauseFunc)
		want    string
	}{
		"no samples":   {prepare: func(w *world, _ chan error, _ context.CancelCauseFunc) { w.down = errors.New("503") }, want: "phase \"idle\": no sample of [web]: none within 30s\n503"},
		"a dead child": {prepare: func(_ *world, broken chan error, _ context.CancelCauseFunc) { broken <- gone }, want: "phase \"idle\": no sample of [web]: the controller is gone"},
		"an interrupt": {prepare: func(_ *world, _ chan error, cancel context.CancelCauseFunc) { cancel(errors.New("ctrl-c")) }, want: "phase \"idle\": no sample of [web]: ctrl-c"},
		"one in a play": {prepare: func(_ *world, _ chan error, cancel context.CancelCauseFunc) {
			time.AfterFunc(12*time.Second, func() { cancel(errors.New("ctrl-c")) })
		}, want: "phase \"idle\": ctrl-c"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				w, broken := newWorld(good()), make(chan error, 1)
				tt.prepare(w, broken, cancel)
				player := Player{Stage: w, Eye: w, Out: &bytes.Buffer{}, Request: 1000, Period: period, Aligned: true, Patience: 30 * time.Second, Broken: broken}
				acts, err := player.Play(ctx, story.Workshop(story.Simulated(period)))
				if err == nil || err.Error() != tt.want {
					t.Errorf("error %q, want %q", err, tt.want)
				}
				if len(acts) != 1 || acts[0].Verdict.State != story.Pending {
					t.Errorf("acts %+v, want the one that was cut short", acts)
				}
			})
		})
	}
}

func TestUntilNext(t *testing.T) {
	const ms = time.Millisecond
	tests := map[string]struct{ sampled, now, period, want time.Duration }{
		"just seen":                 {sampled: 10000 * ms, now: 10000 * ms, period: period, want: 4700 * ms},
		"before the next":           {sampled: 10000 * ms, now: 14000 * ms, period: period, want: 700 * ms},
		"too close to it":           {sampled: 10000 * ms, now: 14800 * ms, period: period, want: 4900 * ms},
		"none for a while":          {sampled: 10000 * ms, now: 31000 * ms, period: period, want: 3700 * ms},
		"at the moment itself":      {sampled: 10000 * ms, now: 14700 * ms, period: period, want: 5000 * ms},
		"nothing was sampled, ever": {now: 2000 * ms, period: period, want: 2700 * ms},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := untilNext(tt.sampled, tt.now, tt.period); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

type broken struct{ err error }

func (b broken) Write([]byte) (int, error) { return 0, b.err }

func TestATextThatCannotBeWrittenStopsThePlay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := errors.New("disk full")
		w := newWorld(good())
		_, err := (&Player{Stage: w, Eye: w, Out: broken{full}, Period: period, Patience: time.Minute}).Play(t.Context(), story.Workshop(story.Simulated(period)))
		if !errors.Is(err, full) {
			t.Errorf("error %v", err)
		}
	})
}
