//go:build linux

package story

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mini-hpa/mini-hpa/test/node/calls"
	"github.com/mini-hpa/mini-hpa/test/node/sandbox"
)

const (
	answers = "answers" // a Deployment, and its Service
	callers = "callers" // the namespace of what says whether anybody calls
	// every so often a request of each kind is made.
	every = 100 * time.Millisecond
)

// callbook is the account of the requests of a story.
type callbook struct {
	cycles int           // how often requests come, and then none
	burst  time.Duration // for how long they come
	ledger calls.Ledger
	kinds  []calls.Kind
	now    atomic.Int64 // requests that are under way, and those of a moment ago

	mu       sync.Mutex
	made     int
	lost     []string
	longest  time.Duration
	asking   sync.WaitGroup
	sequence int
}

// startCallers serves the ledger, and what the source asks for.
func (d *director) startCallers(context.Context) error {
	mux := http.NewServeMux()
	mux.Handle("POST /", &d.calls.ledger)
	mux.HandleFunc("GET /calls", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"now":%d}`, d.calls.now.Load())
	})
	listener, err := net.Listen("tcp", sandbox.Address+":0")
	if err != nil {
		return err
	}
	go func() { _ = http.Serve(listener, mux) }() //nolint:gosec // it ends with the sandbox
	_, d.words["CallersPort"], _ = net.SplitHostPort(listener.Addr().String())
	d.words["Address"], d.words["Ledger"] = sandbox.Address, "http://"+listener.Addr().String()
	d.say("requests are entered into a ledger at %s", listener.Addr())
	return nil
}

func (d *director) installWithActivators(ctx context.Context) error {
	for _, name := range []string{namespace, callers, shop} {
		if err := d.createNamespace(ctx, name); err != nil {
			return err
		}
	}
	values, err := d.file("wakevalues.yaml")
	if err != nil {
		return err
	}
	return d.installRelease(ctx, "--values="+values)
}

func (d *director) deployAnswers(ctx context.Context) error {
	manifest, err := d.file("wake.yaml")
	if err != nil {
		return err
	}
	if _, err := d.kubectl(ctx, "apply", "--filename="+manifest); err != nil {
		return err
	}
	go d.watch(ctx, answers)
	ip, err := d.kubectl(ctx, "-n", shop, "get", "service", answers, "--output=jsonpath={.spec.clusterIP}")
	if err != nil {
		return err
	}
	addresses := map[string]string{}
	for port, number := range map[string]string{"http": "80", "http2": "81", "grpc": "82", "tcp": "83"} {
		addresses[port] = net.JoinHostPort(ip, number)
	}
	if d.calls.kinds, err = calls.Kinds(addresses); err != nil {
		return err
	}
	return d.awaitReplicas(ctx, answers, 0, 0)
}

// callAndSleep is one cycle after the other: requests of all kinds come for a while, at first to a workload that sleeps, then there are none. Every
// second time the next ones come before it sleeps, at a moment that differs: while it is about to.
func (d *director) callAndSleep(ctx context.Context) error {
	for cycle := range d.calls.cycles {
		d.call(ctx, d.calls.burst)
		pods, err := d.size(ctx, answers)
		if err != nil {
			return err
		}
		d.calls.mu.Lock()
		d.say("cycle %d of %d: %d requests were made, %d lost, the longest took %s; %s", cycle+1, d.calls.cycles, d.calls.made, len(d.calls.lost), d.calls.longest.Round(time.Millisecond), pods)
		d.calls.mu.Unlock()
		if cycle%2 == 0 {
			if err := d.awaitReplicas(ctx, answers, 0, 0); err != nil {
				return err
			}
			continue
		}
		pause := time.Duration(rand.Int64N(int64(25 * time.Second)))
		d.say("the next requests come in %s", pause.Round(time.Second))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
	return nil
}

// call makes requests of all kinds for so long, and waits for all answers.
func (d *director) call(ctx context.Context, takes time.Duration) {
	end := time.Now().Add(takes)
	for time.Now().Before(end) && ctx.Err() == nil {
		for i, kind := range d.calls.kinds {
			d.calls.sequence++
			id := fmt.Sprintf("%d-%d", i, d.calls.sequence)
			d.calls.now.Add(1)
			d.calls.asking.Go(func() {
				defer d.calls.now.Add(-1)
				d.calls.one(ctx, kind, id)
			})
		}
		time.Sleep(every) //nolint:forbidigo // the rate of the requests
	}
	d.calls.asking.Wait()
}

func (b *callbook) one(ctx context.Context, kind calls.Kind, id string) {
	begun := time.Now()
	err := kind.Call(ctx, id)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.made++
	b.longest = max(b.longest, time.Since(begun))
	if err != nil {
		b.lost = append(b.lost, fmt.Sprintf("%s, %s, after %s: %v", kind.Name, id, time.Since(begun).Round(time.Millisecond), err))
	}
}

// checkLedger wants each request served, and once.
func (d *director) checkLedger(context.Context) error {
	served, twice := d.calls.ledger.Entries()
	d.mu.Lock()
	history := slices.Clone(d.history[answers])
	d.mu.Unlock()
	d.say("%d requests were made, %d served, %d lost, %d served twice; replicas of %s: %v", d.calls.made, served, len(d.calls.lost), len(twice), answers, history)
	var errs []error
	if len(d.calls.lost) > 0 {
		errs = append(errs, errors.New("lost are "+strings.Join(d.calls.lost, "\n")))
	}
	if len(twice) > 0 || served != d.calls.made {
		errs = append(errs, fmt.Errorf("%d of %d were served, twice %v", served, d.calls.made, twice))
	}
	asleep := 0
	for _, replicas := range history {
		if replicas == 0 {
			asleep++
		}
	}
	if want := d.calls.cycles / 2; asleep < want {
		errs = append(errs, fmt.Errorf("it slept %d times, want at least %d", asleep, want))
	}
	return errors.Join(errs...)
}
