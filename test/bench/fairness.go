//go:build linux

package main

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
)

// few is how many workloads share the cluster with a crowd in another namespace.
const few = 10

// fairness is what a load step on a crowd does to the few of another namespace.
type fairness struct {
	setting
	// Crowd and Few are how many workloads there are, Rounds how often each step was made; the distributions are over all of them.
	Crowd, Few, Rounds int
	// Alone is the reaction to a step on the few while the crowd rests, Together that of the few when the load of all changes at
	// once, and Others then is the crowd's.
	Alone, Together, Others step
}

func (f *fairness) table() string {
	row := func(who string, s spread) string {
		return fmt.Sprintf("| %s | %s | %s | %s |\n", who, rounded(s.P50), rounded(s.P99), rounded(s.Last))
	}
	return fmt.Sprintf("\n### A crowd of %d, and %d in another namespace\n\n"+
		"%s. From the readable sample to the write of the scale, over %d steps of each kind. The p99 of the few with the crowd to theirs without it is %s.\n\n"+
		"| | p50 | p99 | last |\n| --- | ---: | ---: | ---: |\n%s%s%s", f.Crowd, f.Few, f.setting, f.Rounds,
		ratio(f.Together.FromSample.P99.Seconds(), f.Alone.FromSample.P99.Seconds()),
		row("the few, while the crowd rests", f.Alone.FromSample), row("the few, when the load of all changes", f.Together.FromSample),
		row("the crowd then", f.Others.FromSample))
}

// measureFairness measures mini-hpa with a crowd of so many.
func measureFairness(ctx context.Context, s settings, program string, crowd int, book *book) error {
	s.perNamespace, s.pods = crowd, 1
	a := &arena{settings: s, size: crowd + few, program: program}
	closeAll, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer closeAll()
	say("%d workloads are ready, %d of them in a namespace of their own", a.size, few)
	m := &annotated{arena: a}
	if err := m.arm(ctx); err != nil {
		return err
	}
	p, err := a.begin(ctx, m, 0)
	if err != nil {
		return err
	}
	defer p.Kill()
	f := fairness{Crowd: crowd, Few: few, Rounds: s.rounds}
	if f.setting, err = a.setting(ctx); err != nil {
		return err
	}
	if err := a.disturb(ctx, &f); err != nil {
		return err
	}
	book.Fairness = &f
	return book.save()
}

// disturb makes the steps.
func (a *arena) disturb(ctx context.Context, f *fairness) error {
	theCrowd, theFew := a.fleet.names[:f.Crowd], a.fleet.names[f.Crowd:]
	var alone, together, others delays
	for round := range f.Rounds {
		d, err := a.disturbance(ctx, round, theFew, theFew)
		if err != nil {
			return err
		}
		alone.add(d[0])
		if d, err = a.disturbance(ctx, round, a.fleet.names, theFew, theCrowd); err != nil {
			return err
		}
		together.add(d[0])
		others.add(d[1])
		f.Alone, f.Together, f.Others = alone.step(), together.step(), others.step()
		say("  after round %d: the few alone %s; the few with the crowd %s; the crowd %s", round+1, f.Alone.FromSample, f.Together.FromSample, f.Others.FromSample)
	}
	return nil
}

// disturbance is one step on some workloads, and the delays of several groups of them.
func (a *arena) disturbance(ctx context.Context, round int, names []types.NamespacedName, groups ...[]types.NamespacedName) ([]delays, error) {
	since, err := a.rise(ctx, round, names)
	if err == nil {
		err = a.scaled(ctx, names)
	}
	if err != nil {
		return nil, err
	}
	all := make([]delays, len(groups))
	for i, group := range groups {
		all[i] = a.delays(group, since)
	}
	return all, a.fall(ctx)
}
