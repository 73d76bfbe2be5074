package main

import (
	"fmt"
	"time"

	"github.com/mini-hpa/mini-hpa/test/rabbitmq"
)

// The numbers of the second story.
const (
	// messages come at once, and there is to be a pod for so many each. The max of the worker is more than that makes.
	messages, each, most = 5000, 500, 20
	// A consumer has one message at a time in hand for so long; the last one takes longer than the window of scale-down.
	takes, lastTakes = 100 * time.Millisecond, 30 * time.Second
	// window is the worker's scale-down stabilization, which for the product is 5 minutes by default, and period its sync period.
	window, period = 15 * time.Second, 5 * time.Second
	// soon is the longest that a change may take: what is left is asked for once in a period, or a tenth of it later, then pods start.
	soon = 2*period*11/10 + 6*time.Second
)

// jobs are the messages that a phase brings.
type jobs struct {
	count       int
	takes, last time.Duration
}

// String says the messages as a person would.
func (j jobs) String() string {
	if j.count == 0 {
		return "no message comes"
	}
	return fmt.Sprintf("%d messages come; a consumer is busy with each for %s, with the last one for %s", j.count, j.takes, j.last)
}

// list is one job for each message.
func (j jobs) list() []rabbitmq.Job {
	all := make([]rabbitmq.Job, j.count)
	for i := range all {
		all[i] = rabbitmq.Job{Number: i, Takes: j.takes}
		if i == j.count-1 {
			all[i].Takes = j.last
		}
	}
	return all
}

// queueStory is a worker that sleeps, wakes in proportion to what is left, and sleeps when nothing is, not even a message in hand.
func queueStory() []phase {
	needed := int32(messages / each)
	workers := []workload{{worker, map[string]string{
		"mini-hpa/sources": fmt.Sprintf("rabbit queue=%s target=%d", orders, each), "mini-hpa/min": "0", "mini-hpa/max": fmt.Sprint(most),
		"mini-hpa/scale-up-policies": fmt.Sprintf("%d pods/15s", most), "mini-hpa/scale-down-policies": "disabled",
		"mini-hpa/scale-down-stabilization": window.String(), "mini-hpa/sync-period": period.String(),
	}}}
	empty := reaches{workload: worker, replicas: 0, within: window + soon, hold: 3 * time.Second}
	return []phase{
		{
			title: "nothing to do", watch: fmt.Sprintf("no message is left for %s (an annotation; the default is 5m): the worker sleeps", window),
			workloads: workers, expect: unharmed{empty},
		},
		{
			title: "work comes", watch: fmt.Sprintf("ceil(%d / %d) = %d pods, in one step (an annotation; by default 4, then 8 ...)", messages, each, needed),
			workloads: workers, jobs: jobs{messages, takes, lastTakes},
			expect: reaches{workload: worker, replicas: needed, within: soon, hold: period},
		},
		{
			title: "one is still busy", watch: "consumers that have nothing to do stay, too: only the step to 0 is allowed, and not while a message is in hand",
			workloads: workers,
			// On a busy machine consumers take some more time for each message.
			expect: drains{workload: worker, replicas: needed, messages: messages, within: 3*messages*takes/time.Duration(needed) + lastTakes},
		},
		{
			title: "nothing is left", watch: "the worker sleeps again, all at once, and no message is delivered twice",
			workloads: workers, expect: unharmed{empty},
		},
	}
}

// tally is what can be seen of a queue and its consumers.
type tally struct {
	known   bool // what is left
	left    int
	account rabbitmq.Account
	crew    rolls
}

// complaint says what has gone wrong with a message; empty where nothing has.
func (t tally) complaint() string {
	switch {
	case t.crew.held > 0:
		return fmt.Sprintf("%d consumers were ended with a message in hand", t.crew.held)
	case t.account.Again > 0:
		return fmt.Sprintf("%d messages were delivered again", t.account.Again)
	case t.account.Twice > 0:
		return fmt.Sprintf("%d messages were done twice", t.account.Twice)
	}
	return ""
}

// drains expects that all messages of a queue are done, each once, while its worker has this number of replicas all the time.
type drains struct {
	workload string
	replicas int32
	messages int
	within   time.Duration
}

func (d drains) String() string {
	return fmt.Sprintf("all %d messages are done within %s, each once, while %s is at %d", d.messages, d.within, d.workload, d.replicas)
}

func (d drains) longest() time.Duration { return d.within }

func (d drains) judge(s seen) verdict {
	w := s.workloads[d.workload]
	complaint, done, t := w.tally.complaint(), w.tally.account.Done, w.tally
	switch {
	case complaint != "":
		return verdict{known: true, says: complaint}
	case len(w.changes) > 0:
		return verdict{known: true, says: fmt.Sprintf("%s went %s with %d messages left", d.workload, w.changes[0], t.left)}
	case done == d.messages && t.known && t.left == 0:
		return verdict{true, true, fmt.Sprintf("%d messages are done, each once, in %s", done, tenths(s.elapsed))}
	case s.elapsed > d.within:
		return verdict{known: true, says: fmt.Sprintf("%d of %d messages are done, and %d are left after %s", done, d.messages, t.left, tenths(s.elapsed))}
	}
	return verdict{}
}

// unharmed is an expectation by which no consumer ends with a message in hand.
type unharmed struct{ reaches }

func (u unharmed) String() string {
	return u.reaches.String() + ", and no consumer ends with a message in hand"
}

func (u unharmed) judge(s seen) verdict {
	t := s.workloads[u.workload].tally
	if complaint := t.complaint(); complaint != "" {
		return verdict{known: true, says: complaint}
	}
	v := u.reaches.judge(s)
	if v.held {
		v.says += fmt.Sprintf("; consumers that have ended so far: %d, with a message in hand: %d; messages delivered twice: %d", t.crew.ended, t.crew.held, t.account.Again)
	}
	return v
}
