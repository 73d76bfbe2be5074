// Package play plays the story's phases on a stage and prints what happens. It is told what happens by an eye that looks at the API
// server; it asks the controller nothing.
package play

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/mini-hpa/mini-hpa/test/demo/story"
)

const (
	// tick is how often the player looks.
	tick = 200 * time.Millisecond
	// lead is how long before a sample a load is set: late enough for it to be no news in that sample, and early enough to fill the next.
	lead = 300 * time.Millisecond
)

// Stage is where the workloads run.
type Stage interface {
	// Create makes a Deployment of one replica.
	Create(ctx context.Context, w story.Workload) error
	// SetLoad sets the load of each of the workloads from now on.
	SetLoad(ctx context.Context, workloads []string, l story.Load) error
}

// Eye is what can be seen of them.
type Eye interface {
	// Now is the time since the recording began.
	Now() time.Duration
	// Tracks is all that was seen so far, times counted as by Now.
	Tracks() []story.Track
	// Sampled is when the newest sample of any pod was first seen, at most lead after it was taken.
	Sampled() time.Duration
	// Err is why the metrics API does not answer, or nil.
	Err() error
}

// Player plays phases.
type Player struct {
	Stage Stage
	Eye   Eye
	Out   io.Writer
	// Request is the CPU request of one pod in millicores, to print loads.
	Request int64
	// Period is the time between two samples, and between two rows of the table while nothing happens.
	Period time.Duration
	// Aligned says that all pods are sampled at the same moments; loads are set just before one, so that it still shows the old load and
	// the next one nothing but the new.
	Aligned bool
	// Patience is how long a new workload may take until the metrics API has a sample of it.
	Patience time.Duration
	// Broken yields an error when the play can't go on, such as a controller that ended. May be nil.
	Broken <-chan error
}

// Play plays phases one after the other until one fails. The error says that the play itself could not go on; what was seen until then
// is returned with it.
func (p *Player) Play(ctx context.Context, phases []story.Phase) ([]story.Act, error) {
	var acts []story.Act
	for i, phase := range phases {
		if err := p.announce(i+1, phase); err != nil {
			return acts, err
		}
		act, err := p.act(ctx, phase)
		if err != nil {
			return append(acts, act), fmt.Errorf("phase %q: %w", phase.Title, err)
		}
		acts = append(acts, act)
		if act.Verdict.State == story.Failed {
			return acts, nil
		}
	}
	return acts, nil
}

// announce says what is about to be seen.
func (p *Player) announce(number int, phase story.Phase) error {
	_, err := fmt.Fprintf(p.Out, "\n%d. %s: %s\n   %s.\n   Expected: %s.\n\n", number, phase.Title, phase.Load, phase.Watch, phase.Expect)
	if err != nil {
		return fmt.Errorf("could not announce the phase: %w", err)
	}
	return nil
}

// act plays one phase. Its verdict is Pending only beside an error.
func (p *Player) act(ctx context.Context, phase story.Phase) (story.Act, error) {
	act := story.Act{Phase: phase, Began: p.Eye.Now(), Verdict: story.Verdict{State: story.Pending}}
	err := p.prepare(ctx, phase)
	if err == nil {
		err = p.Stage.SetLoad(ctx, phase.Names(), phase.Load)
	}
	if act.Began = p.Eye.Now(); err == nil {
		act.Verdict, err = p.follow(ctx, act)
	}
	act.Ended = p.Eye.Now()
	if err != nil {
		return act, err
	}
	return act, p.conclude(act)
}

// prepare makes the phase's workloads and waits for the moment at which its load is to be set.
func (p *Player) prepare(ctx context.Context, phase story.Phase) error {
	for _, w := range phase.Workloads {
		if p.track(w.Name).Points != nil {
			continue
		}
		if err := p.Stage.Create(ctx, w); err != nil {
			return err
		}
		if err := p.Stage.SetLoad(ctx, []string{w.Name}, story.Steady(phase.Load.Low)); err != nil {
			return err
		}
	}
	if err := p.await(ctx, p.Patience, func() bool { return p.measured(phase.Names()) }); err != nil {
		return fmt.Errorf("no sample of %v: %w", phase.Names(), errors.Join(err, p.Eye.Err()))
	}
	if !p.Aligned {
		return nil
	}
	return p.pause(ctx, untilNext(p.Eye.Sampled(), p.Eye.Now(), p.Period))
}

// untilNext is how long to wait for the moment just before the next sample; the newest one was first seen at sampled.
func untilNext(sampled, now, period time.Duration) time.Duration {
	return period - (now+lead-sampled)%period
}

// measured says whether the metrics API has a sample of each of the workloads.
func (p *Player) measured(workloads []string) bool {
	for _, name := range workloads {
		points := p.track(name).Points
		if len(points) == 0 || points[len(points)-1].Utilization == story.Unknown {
			return false
		}
	}
	return true
}

func (p *Player) track(workload string) story.Track {
	return story.Recording{Tracks: p.Eye.Tracks()}.Track(workload)
}

// await looks again and again until done says so.
func (p *Player) await(ctx context.Context, patience time.Duration, done func() bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("none within %s", patience))
	defer cancel()
	for !done() {
		if err := p.pause(ctx, tick); err != nil {
			return err
		}
	}
	return nil
}

// pause waits, unless the play can't go on.
func (p *Player) pause(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case err := <-p.Broken:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// follow prints what happens until the phase's expectation is met or can't be met any more.
func (p *Player) follow(ctx context.Context, act story.Act) (story.Verdict, error) {
	rows := newReporter(p.Out, act, p.Request, p.Period)
	if err := rows.begin(p.seen(act)); err != nil {
		return act.Verdict, err
	}
	for {
		seen := p.seen(act)
		verdict := act.Phase.Expect.Judge(seen)
		if err := rows.report(seen, verdict.State != story.Pending); err != nil || verdict.State != story.Pending {
			return verdict, err
		}
		if err := p.pause(ctx, tick); err != nil {
			return act.Verdict, err
		}
	}
}

func (p *Player) seen(act story.Act) story.Seen {
	return story.Seen{Began: act.Began, Now: p.Eye.Now(), Tracks: p.Eye.Tracks()}
}

// conclude prints the verdict.
func (p *Player) conclude(act story.Act) error {
	word := "ok"
	if act.Verdict.State == story.Failed {
		word = "FAILED"
	}
	says := act.Verdict.Says
	if err := p.Eye.Err(); err != nil && word != "ok" {
		says = fmt.Sprintf("%s (the metrics API does not answer: %v)", says, err)
	}
	if _, err := fmt.Fprintf(p.Out, "\n   %s: %s.\n", word, says); err != nil {
		return fmt.Errorf("could not print the verdict: %w", err)
	}
	return nil
}
