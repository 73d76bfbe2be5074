package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
)

const (
	// tick is how often the player looks.
	tick = 200 * time.Millisecond
	// delay is how long a change waits for the Event that explains it and for what is seen of the subject with it.
	delay = 2 * time.Second
)

// subject is what a story is about: what its phases put on workloads, and what can be seen of that beside the replicas.
type subject interface {
	// heads are the headings of its columns: what there is for all workloads, and what is seen of each.
	heads() (load, seen string)
	// says is what a phase puts on its workloads, as a person would say it.
	says(p phase) string
	// put prepares the workloads that are new, which look shows, and puts on all of the phase's what it says, when the moment has come.
	put(ctx context.Context, p phase, fresh []string, look func(context.Context) error) error
	// load is what there is of it so long after it was put.
	load(p phase, since time.Duration) string
	// look notes what can be seen of each workload now. Its error is told if the phase fails: all may be well again soon.
	look(ctx context.Context, now map[string]*sight) error
}

// player plays phases and prints what can be seen of them from outside: replicas from the Deployments, the reason of each change from the
// Events, and the rest from its subject. It asks the controller nothing.
type player struct {
	*stage
	subject subject
	out     io.Writer
	began   time.Time
	broken  func() error // why the play cannot go on
	names   []string     // of all workloads so far
	now     map[string]*sight
	told    map[types.UID]string // the version of each Event that has explained a change
	failure error                // why the subject cannot be seen
}

// play plays phases one after the other until one fails. The error says so, or why the play could not go on.
func (p *player) play(ctx context.Context, phases []phase) error {
	p.now, p.told = map[string]*sight{}, map[types.UID]string{}
	for i, phase := range phases {
		fmt.Fprintf(p.out, "\n%d. %s: %s\n   %s.\n   Expected: %s.\n\n", i+1, phase.title, p.subject.says(phase), phase.watch, phase.expect)
		v, err := p.act(ctx, phase)
		if err != nil {
			return errors.Join(fmt.Errorf("phase %q: %w", phase.title, err), p.failure)
		}
		if !v.held {
			fmt.Fprintf(p.out, "\n   FAILED: %s.\n", v.says)
			return errors.Join(fmt.Errorf("phase %q did not show what it should: %s", phase.title, v.says), p.failure)
		}
		fmt.Fprintf(p.out, "\n   ok: %s.\n", v.says)
	}
	return nil
}

func (p *player) act(ctx context.Context, phase phase) (verdict, error) {
	var fresh []string
	for _, w := range phase.workloads {
		if p.now[w.name] != nil {
			continue
		}
		if err := p.create(ctx, w); err != nil {
			return verdict{}, err
		}
		p.now[w.name], fresh = &sight{replicas: 1, seen: unknown}, append(fresh, w.name)
	}
	p.names = append(p.names, fresh...)
	if err := p.subject.put(ctx, phase, fresh, p.look); err != nil {
		return verdict{}, err
	}
	for _, name := range phase.names() {
		p.now[name].changes = nil
	}
	return p.follow(ctx, phase)
}

// follow prints a row for every change, and one every period, until the expectation is met or cannot be met any more.
func (p *player) follow(ctx context.Context, phase phase) (v verdict, err error) {
	began, printed, next, names := time.Since(p.began), map[string]int{}, time.Duration(0), phase.names()
	p.head(names)
	err = wait.PollUntilContextCancel(ctx, tick, true, func(ctx context.Context) (bool, error) {
		if err := p.look(ctx); err != nil {
			return false, err
		}
		now := time.Since(p.began)
		v = phase.expect.judge(seen{began, now - began, p.now})
		for _, name := range names {
			for _, c := range p.now[name].changes[printed[name]:] {
				if c.reason == "" && now-c.at < delay && !v.known {
					break
				}
				printed[name]++
				next = c.at + p.period*3/2 // a change comes with a sample, and so may the next one
				p.row(clock(c.at), p.subject.load(phase, c.at-began), names, func(other string) (string, string) {
					if other == name {
						return p.cells(name, c.String(), c.to)
					}
					return p.cells(other, "", p.now[other].replicas)
				}, p.because(names, name, c.reason))
			}
		}
		if now >= next || v.known {
			next = now + p.period
			p.row(clock(now), p.subject.load(phase, now-began), names, func(name string) (string, string) { return p.cells(name, "", p.now[name].replicas) }, "")
		}
		return v.known, nil
	})
	return v, err
}

// head prints the headings of the table. Where there are several workloads, their replicas are under their names.
func (p *player) head(names []string) {
	load, seen := p.subject.heads()
	p.row("TIME", load, names, func(name string) (string, string) {
		if len(names) > 1 {
			return seen, strings.ToUpper(name)
		}
		return seen, "REPLICAS"
	}, "REASON")
}

func (p *player) because(names []string, name, reason string) string {
	if len(names) > 1 {
		return name + ": " + reason
	}
	return reason
}

// row prints a line of the table: plain text that is only ever appended, so that it reads the same on a terminal and in a file.
func (p *player) row(at, load string, names []string, cells func(name string) (seen, replicas string), reason string) {
	line := fmt.Sprintf("%6s  %6s", at, load)
	for _, name := range names {
		seen, replicas := cells(name)
		line += fmt.Sprintf("  %11s  %-19s", seen, replicas)
	}
	fmt.Fprintln(p.out, strings.TrimRight(line+"  "+reason, " "))
}

// cells are a workload's: what is seen of it, and its replicas as a number, or a change, and a bar.
func (p *player) cells(name, change string, replicas int32) (string, string) {
	if change == "" {
		change = fmt.Sprint(replicas)
	}
	return p.now[name].seen, fmt.Sprintf("%-8s %s", change, strings.Repeat("#", int(min(max(replicas, 0), limit))))
}

// clock is a moment of the demo in minutes and seconds, "1:05".
func clock(at time.Duration) string {
	at = at.Round(time.Second)
	return fmt.Sprintf("%d:%02d", int(at.Minutes()), int(at.Seconds())%60)
}

// rescaled is what the Event of a written change says; client-go's recorder puts something before it when it combines many.
var rescaled = regexp.MustCompile(`New size: (\d+); reason: (.*)$`)

// look notes what has changed of the workloads.
func (p *player) look(ctx context.Context) error {
	if err := p.broken(); err != nil {
		return err
	}
	deployments, err := p.client.AppsV1().Deployments(p.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("could not list the Deployments: %w", err)
	}
	for _, d := range deployments.Items {
		if w := p.now[d.Name]; w != nil && w.replicas != *d.Spec.Replicas {
			w.changes = append(w.changes, change{at: time.Since(p.began), from: w.replicas, to: *d.Spec.Replicas})
			w.replicas = *d.Spec.Replicas
		}
	}
	events, err := p.client.CoreV1().Events(p.namespace).List(ctx, metav1.ListOptions{FieldSelector: "reason=SuccessfulRescale"})
	if err != nil {
		return fmt.Errorf("could not list the Events: %w", err)
	}
	for _, e := range events.Items {
		if found := rescaled.FindStringSubmatch(e.Message); found != nil && p.told[e.UID] != e.ResourceVersion && p.explain(e.InvolvedObject.Name, found[1], found[2]) {
			p.told[e.UID] = e.ResourceVersion
		}
	}
	p.failure = p.subject.look(ctx, p.now)
	return nil
}

// explain gives the oldest change to a size that has no reason yet the reason, and says whether there is one.
func (p *player) explain(name, size, reason string) bool {
	if p.now[name] == nil {
		return false
	}
	for i := range p.now[name].changes {
		if c := &p.now[name].changes[i]; c.reason == "" && strconv.Itoa(int(c.to)) == size {
			c.reason = reason
			return true
		}
	}
	return false
}
