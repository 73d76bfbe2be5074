//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"

	"github.com/mini-hpa/mini-hpa/test/await"
	"github.com/mini-hpa/mini-hpa/test/controlplane"
	"github.com/mini-hpa/mini-hpa/test/controlplane/loadsim"
)

// period is metrics-server's default.
const period = 15 * time.Second

// enough is how long after the beginning of its first round a contender begins another one. The HPA controller with its default flags
// needs minutes for each thing that it does to a thousand workloads.
const enough = 9 * time.Minute

// arena is a cluster with workloads, in which one contender after the other is measured.
type arena struct {
	settings
	size    int
	program string
	cluster *controlplane.Cluster
	client  kubernetes.Interface
	load    *loadsim.Server
	fleet   *fleet
}

// measure measures all contenders with so many workloads.
func measure(ctx context.Context, s settings, program string, size int, book *book) (err error) {
	a := &arena{settings: s, size: size, program: program}
	closeAll, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer closeAll()
	now, err := a.setting(ctx)
	if err != nil {
		return err
	}
	say("%d workloads of %d pods are ready", size, s.pods)
	var failed error
	for _, name := range s.contenders {
		r := result{Name: name, Workloads: size, Pods: s.pods, setting: now}
		switch name {
		case miniHPA:
			r.Flags = s.extra
		case miniHPABefore:
			if r.Program, err = revision(s.before); err != nil {
				return err
			}
		}
		if r.Rounds, err = a.contend(ctx, name); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", name, err)) // another one may do better
		}
		if len(r.Rounds) == 0 {
			continue
		}
		if err := book.add(r); err != nil {
			return err
		}
		_, _ = fmt.Fprint(os.Stderr, table([]result{r})) // as progress is told
	}
	return failed
}

func (a *arena) open(ctx context.Context) (closeAll func(), err error) {
	stop, err := a.boot(ctx, 1+a.size*a.pods/5000, "*,-horizontal-pod-autoscaler-controller")
	if err != nil {
		return nil, err
	}
	if err := a.populate(ctx); err != nil {
		stop()
		return nil, err
	}
	return func() { a.fleet.stop(); _ = a.load.Close(); stop() }, nil // the APIService goes with the cluster
}

// boot starts a cluster with so many nodes (less than none: not even KWOK) and these controllers.
func (a *arena) boot(ctx context.Context, nodes int, controllers string) (stop func(), err error) {
	a.cluster, err = controlplane.Run(ctx, controlplane.Options{Nodes: nodes, Args: map[controlplane.Component][]string{
		controlplane.ControllerManager: {"--controllers=" + controllers},
	}})
	if err != nil {
		return nil, err
	}
	return func() {
		if err := a.cluster.Stop(); err != nil {
			say("stopping the cluster: %v", err)
		}
	}, nil
}

func (a *arena) populate(ctx context.Context) (err error) {
	config := a.cluster.Config()
	config.ContentType = runtime.ContentTypeProtobuf // who watches should cost what is watched as little as can be
	if a.client, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	if a.load, err = loadsim.Start(ctx, a.cluster.Config(), loadsim.Options{Period: period}); err != nil {
		return err
	}
	a.fleet = newFleet(a.client, a.load, a.size, a.pods, a.perNamespace)
	return a.fleet.create(ctx)
}

// quiet lets what starting has caused come to an end: two sets of samples and the informers' lists.
func (a *arena) quiet(ctx context.Context) error { return pause(ctx, 2*period) }

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// contend measures one contender. It is started anew in each round, each time at another phase of the samples: when it looks at the
// workloads may depend on when it was started.
func (a *arena) contend(ctx context.Context, name string) ([]round, error) {
	say("measuring the cluster without an autoscaler; then %s", name)
	if err := a.quiet(ctx); err != nil {
		return nil, err
	}
	idle, err := a.usage(ctx, nil, nil)
	if err != nil {
		return nil, err
	}
	c := makers()[name](a)
	if err := c.arm(ctx); err != nil {
		return nil, err
	}
	all, err := a.roundsOf(ctx, c, idle)
	return all, errors.Join(err, c.disarm(ctx), a.fleet.settle(ctx))
}

// roundsOf returns the rounds before the first that fails.
func (a *arena) roundsOf(ctx context.Context, c contender, idle usage) (all []round, err error) {
	for i, began := 0, time.Now(); i < a.rounds && time.Since(began) < enough; i++ {
		r, err := a.round(ctx, c, i, idle)
		if err != nil {
			return all, err
		}
		say("  round %d of %d: %s", i+1, a.rounds, r)
		all = append(all, r)
	}
	return all, nil
}

// round is the life of one process: a start, a rest, and load steps.
func (a *arena) round(ctx context.Context, c contender, i int, idle usage) (round, error) {
	r := round{}
	p, err := a.begin(ctx, c, time.Duration(2*i+1)*period/time.Duration(2*a.rounds))
	if err != nil {
		return r, err
	}
	defer p.Kill()
	if err := a.atRest(ctx, c, p, idle, &r); err != nil {
		return r, err
	}
	for k := range a.steps {
		s, err := a.step(ctx, p, i*a.steps+k)
		if err != nil {
			return r, err
		}
		say("  step %d of %d: %s", k+1, a.steps, s)
		r.Steps = append(r.Steps, s)
	}
	peak, err := p.peak()
	if err != nil {
		return r, err
	}
	r.PeakRSS = max(r.PeakRSS, peak)
	return r, p.stop()
}

// begin starts it so long after a set of samples was published.
func (a *arena) begin(ctx context.Context, c contender, phase time.Duration) (*process, error) {
	if _, err := a.load.AwaitSample(ctx, a.load.LastSample().Timestamp); err != nil {
		return nil, err
	}
	if err := pause(ctx, phase); err != nil {
		return nil, err
	}
	p, err := c.start(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.underWay(ctx, c); err != nil {
		p.Kill()
		return nil, err
	}
	return p, nil
}

// underWay waits until every workload has been looked at.
func (a *arena) underWay(ctx context.Context, c contender) error {
	err := await.Within(ctx, patience, time.Second, func(ctx context.Context) error {
		count, err := c.evaluations(ctx)
		if err == nil && count < float64(2*a.size) {
			err = fmt.Errorf("it has made %.0f evaluations of %d workloads", count, a.size)
		}
		return err
	})
	if err != nil {
		return err
	}
	return a.quiet(ctx)
}

// atRest measures what it costs while nothing changes.
func (a *arena) atRest(ctx context.Context, c contender, p *process, idle usage, r *round) error {
	used, err := a.usage(ctx, c, p)
	if err != nil {
		return err
	}
	r.Rest, r.Evaluations = used.above(idle), used.Evaluations/float64(a.size)*period.Minutes()
	if r.RSS, err = p.rss(); err != nil {
		return err
	}
	if r.PeakRSS, err = p.peak(); err != nil {
		return err
	}
	if r.Age, err = a.ages(ctx, c); err != nil {
		return err
	}
	return p.forgetPeak() // reading pages of metrics again and again costs memory that nobody else would ask for
}
