package wake

import (
	"fmt"
	"strings"
	"testing"
)

// The model of a workload all of whose requests go through the activators (path=always). No node leads anybody to a pod: it leads to activators, by what it knows
// of our slice, and these lead to the pods of which they are told by it. Where requests are sent after each step is as in the other model, and besides there is one request that
// a pod has for some time, of which the leader hears later than the pod has it.
//
//	Waits.Face, Waits.Gate, Workload.Tells --> our slice, replicas --> nodes, late ----> activators
//	        ^                                        |                                      ^ |
//	        |                                        +--> activators, late: which pods -----+ +--> pods
//	        +---- leader, late <---- pods, and what activators have passed on <---------------+
//
// "Told has passed" can happen when every activator has seen that it is told of no pods, and the leader has heard of what they passed on before: that is what Told is.
// "A pod stops accepting" can happen, if it drains, when nobody leads there any more: its preStop must be longer than it takes until another process leads, where a pod is told
// to end by somebody else while none does.

// told is one version of our slice, and of which pods it tells.
type told struct {
	slice
	tells [pods]bool
}

// through is one state.
type through struct {
	replicas, asked int8 // those that are asked for, and those of which Kubernetes knows
	idle, paused    bool
	blind, alive    bool
	pods            [pods]podPhase
	activators      [2]activatorPhase

	ours        [versions]told
	ourses      uint8
	node, knows uint8      // the versions that the node, and the activator that is late, go by
	seen        [pods]bool // those that are ready, as the leader sees them
	withheld    age
	at          uint8 // the pod that has the request, from 1; 0 if none has
	heard, cut  bool  // the leader knows of it; its pod was told to end

	sleeps, crashes, deaths, rolls, evictions uint8
}

func firstThrough() through {
	m := through{replicas: 1, asked: 1, pods: [pods]podPhase{ready}, alive: true, ourses: 1, seen: [pods]bool{true}}
	m.ours[0] = told{slice{Active, [2]bool{true, true}}, [pods]bool{true}}
	return m
}

func (m *through) newest() told { return m.ours[m.ourses-1] }

// view is what the leader knows, as the functions of this package take it.
func (m *through) view(r *rules) Workload {
	s := Service{Name: "web", Quiet: r.quiet, Face: m.newest().face, Always: true, Withheld: ago(m.withheld), Listening: m.newest().to != [2]bool{} && (!m.blind || r.deaf)}
	w := Workload{Now: modelNow, Replicas: int32(m.replicas), Desired: 1, Stays: m.paused, Services: []Service{s}}
	switch {
	case m.paused:
		w.Desired = w.Replicas
	case m.idle && (m.at == 0 || !m.heard) && w.Stranded() == "":
		w.Desired = 0
	}
	return w
}

// steps are all that may happen next.
func (m through) steps(r *rules) []step[through] {
	var all []step[through]
	add := func(what string, change func(*through)) {
		next := m
		change(&next)
		next.settle(r)
		if next != m {
			all = append(all, step[through]{what, next})
		}
	}
	add("there is nothing to do any more", func(n *through) { n.idle = true })
	add("there is something to do", func(n *through) { n.idle = false })
	if r.pauses {
		add("somebody pauses it", func(n *through) { n.paused = true })
		add("somebody lets it go on", func(n *through) { n.paused = false })
	}
	m.cluster(r, add)
	m.request(add)
	if m.node+1 < m.ourses {
		add("the node sees the next version of our slice", func(n *through) { n.node++ })
	}
	if m.knows+1 < m.ourses {
		add("the activators see the next version of our slice", func(n *through) { n.knows++ })
	}
	if r.rolls {
		m.roll(r, add)
	}
	m.leader(r, add)
	return all
}

// cluster is what Kubernetes and the pods do.
func (m *through) cluster(r *rules, add func(string, func(*through))) {
	add("Kubernetes sees how many replicas are asked for", func(n *through) { n.asked = n.replicas })
	alive, free := 0, -1
	for i, p := range m.pods {
		switch p {
		case noPod:
			free = i
		case starting, ready, crashed:
			alive++
		default: // it ends
		}
		name, isAt := fmt.Sprintf("pod %d", i+1), m.at == uint8(i+1)
		switch {
		case p == starting:
			add(name+" becomes ready", func(n *through) { n.pods[i] = ready })
		case p == ready && r.crashes && m.crashes == 0:
			add(name+" crashes", func(n *through) {
				if n.pods[i], n.crashes = crashed, 1; isAt {
					n.at = 0 // nobody can save it
				}
			})
		case p == crashed:
			add(name+" has restarted and is ready", func(n *through) { n.pods[i] = ready })
		case p == ending && (!r.drain || m.forgotten(i)):
			add(name+" stops accepting", func(n *through) { n.pods[i] = ended })
		case p == ended && !isAt, p == wreck && m.forgotten(i):
			add(name+" is gone", func(n *through) { n.pods[i] = noPod })
		}
		if m.asked == 0 && (p == starting || p == ready || p == crashed) {
			add(name+" is told to end", func(n *through) {
				n.pods[i] = map[podPhase]podPhase{starting: ended, ready: ending, crashed: wreck}[p]
				n.cut = isAt && n.replicas == 0
			})
		}
		if r.evicts && m.evictions == 0 && p == ready {
			add(name+" is told to end by somebody else", func(n *through) { n.pods[i], n.evictions = ending, 1 })
		}
	}
	if m.asked > 0 && alive == 0 && free >= 0 {
		add(fmt.Sprintf("pod %d is made", free+1), func(n *through) { n.pods[free] = starting })
	}
}

// forgotten says whether nobody leads to a pod any more, or is about to.
func (m *through) forgotten(pod int) bool {
	for _, v := range m.ours[m.knows:m.ourses] {
		if v.tells[pod] {
			return false
		}
	}
	return !m.seen[pod]
}

// request is what may become of the request that a pod has.
func (m *through) request(add func(string, func(*through))) {
	for i, p := range m.pods {
		if m.at == 0 && m.ours[m.knows].tells[i] && (p == ready || p == ending) {
			add(fmt.Sprintf("an activator passes a request on to pod %d", i+1), func(n *through) { n.at = uint8(i + 1) })
		}
	}
	if m.at == 0 {
		return
	}
	if m.alive && !m.blind {
		add("the leader hears of the request", func(n *through) { n.heard = true })
	}
	add("the request is answered", func(n *through) { n.at = 0 })
}

// roll replaces activators.
func (m *through) roll(r *rules, add func(string, func(*through))) {
	for i, a := range m.activators {
		name := fmt.Sprintf("activator %d", i+1)
		other := 1 - i
		switch {
		case a == listening && m.rolls < 2 && m.activators[other] == listening && m.everywhere(other, true):
			add(name+" is told to end", func(n *through) { n.activators[i], n.rolls = draining, n.rolls+1 })
		case a == draining && (!r.leave || m.everywhere(i, false)):
			add(name+" ends", func(n *through) { n.activators[i] = gone })
		case a == gone:
			add(name+" is replaced by one that listens", func(n *through) { n.activators[i] = listening })
		}
	}
}

// everywhere says whether our slice leads to an activator, or does not, in all versions that a node goes by.
func (m *through) everywhere(activator int, leads bool) bool {
	for _, v := range m.ours[m.node:m.ourses] {
		if v.to[activator] != leads {
			return false
		}
	}
	return true
}

// leader is what the process that leads does.
func (m *through) leader(r *rules, add func(string, func(*through))) {
	if !m.alive {
		add("another process leads", func(n *through) { n.alive, n.seen = true, n.truth() })
		return
	}
	if r.deaths && m.deaths == 0 {
		add("the leader dies", func(n *through) {
			n.alive, n.deaths, n.withheld, n.seen, n.blind, n.heard = false, 1, never, [pods]bool{}, true, false
		})
	}
	if m.seen != m.truth() {
		add("the leader sees which pods are ready", func(n *through) { n.seen = n.truth() })
	}
	if r.blinds {
		add("the leader loses the streams of all activators", func(n *through) { n.blind, n.heard = true, false })
	}
	if m.blind {
		add("the leader hears the activators", func(n *through) { n.blind, n.heard = false, n.at > 0 })
	}
	if m.withheld == fresh && m.newest().tells == [pods]bool{} && m.knows+1 == m.ourses && (m.at == 0 || m.heard || m.blind) {
		add("Told has passed since activators are told of no pods", func(n *through) { n.withheld = old })
	}
	m.move(r, add)
}

// truth are the pods that are ready.
func (m *through) truth() (all [pods]bool) {
	for i, p := range m.pods {
		all[i] = p == ready
	}
	return all
}

// reachable are the activators that are to be in our slice.
func (m *through) reachable(r *rules) (to [2]bool) {
	for i, a := range m.activators {
		to[i] = a == listening && (!m.blind || r.keeps && m.newest().to[i])
	}
	return to
}

// move is what the functions of this package say.
func (m *through) move(r *rules, add func(string, func(*through))) {
	w := m.view(r)
	face, _ := r.waits.Face(&w, &w.Services[0])
	want := told{slice: slice{face, m.reachable(r)}}
	if w.Tells() || r.early && w.Desired > 0 {
		want.tells = m.seen
	}
	switch {
	case want != m.newest():
		if m.ourses < versions {
			add(fmt.Sprintf("the leader writes our slice: %s, activators %v, pods %v", face, want.to, want.tells), func(n *through) {
				if n.newest().tells != [pods]bool{} && n.withheld != never {
					n.withheld = fresh // they could not know before
				}
				n.ours[n.ourses], n.ourses = want, n.ourses+1
			})
		}
	case w.Desired == w.Replicas:
	case w.Desired > 0:
		add("the leader writes 1 replica", func(n *through) { n.replicas = 1 })
	case m.sleeps < r.sleeps && r.waits.Gate(&w) == nil:
		add("the leader writes 0 replicas", func(n *through) { n.replicas, n.sleeps = 0, n.sleeps+1 })
	}
}

// settle brings the rest of a state up to date: since when the leader tells of no pods, and which versions nobody goes by.
func (m *through) settle(r *rules) {
	if m.at == 0 {
		m.heard = false
	}
	switch w := m.view(r); {
	case !m.alive:
	case w.Tells():
		m.withheld = never
	case m.withheld == never:
		m.withheld = fresh
	}
	for ; m.node > 0 && m.knows > 0; m.node, m.knows = m.node-1, m.knows-1 {
		m.ours, m.ourses = [versions]told{m.ours[1], m.ours[2]}, m.ourses-1
	}
}

// lost says which request is lost in a state; empty if none is. One that is led to a pod that has crashed is refused, and waits.
func (m through) lost(*rules) string {
	if m.cut {
		return "a pod is told to end by the sleep that has a request, which may last for longer than it is given"
	}
	led := m.ours[m.node]
	if led.face != Active || led.to == [2]bool{} {
		return "the node knows nobody to send a request to"
	}
	for a, leads := range led.to {
		if leads && m.activators[a] == gone {
			return fmt.Sprintf("the node sends a request to activator %d, which is gone", a+1)
		}
	}
	for i, tells := range m.ours[m.knows].tells {
		switch p := m.pods[i]; {
		case tells && p == ended:
			return fmt.Sprintf("an activator sends a request to pod %d as it stops accepting", i+1)
		case tells && (p == noPod || p == starting):
			return fmt.Sprintf("an activator sends a request to where pod %d was, and somebody else may be", i+1)
		}
	}
	return ""
}

// soundThrough is what no request is lost with.
func soundThrough() rules {
	return rules{quiet: Out, waits: Waiting(modelW), drain: true, leave: true, keeps: true, sleeps: 2}
}

// TestNoRequestThroughActivatorsIsLost goes through all orders of what can happen.
func TestNoRequestThroughActivatorsIsLost(t *testing.T) {
	t.Parallel()
	for name, with := range map[string]func(*rules){
		"":                           func(*rules) {},
		"a pod crashes":              func(r *rules) { r.crashes = true },
		"a pod is told to end":       func(r *rules) { r.evicts = true },
		"the leader dies":            func(r *rules) { r.deaths = true },
		"the leader dies, a pod too": func(r *rules) { r.deaths, r.crashes, r.evicts, r.sleeps = true, true, true, 1 },
		"activators are replaced":    func(r *rules) { r.rolls, r.sleeps = true, 1 },
		"activators are replaced, and all are lost at once": func(r *rules) { r.rolls, r.blinds, r.sleeps = true, true, 1 },
		"the leader dies, and somebody pauses it":           func(r *rules) { r.deaths, r.pauses = true, true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := soundThrough()
			with(&r)
			states, how := explore(t, firstThrough(), r)
			if len(how) > 0 {
				t.Errorf("a request is lost:\n\t%s", strings.Join(how, "\n\t"))
			}
			t.Logf("%d states", states)
		})
	}
}

// TestWhatIsNeededThroughActivators takes away one rule at a time, and shows how a request is lost then.
func TestWhatIsNeededThroughActivators(t *testing.T) {
	t.Parallel()
	for name, without := range map[string]func(*rules){
		"until activators know of no pods":            func(r *rules) { r.waits.Told = 0 },
		"until more than 0 replicas are asked for":    func(r *rules) { r.early = true },
		"until activators are heard":                  func(r *rules) { r.deaths, r.deaf = true, true },
		"of a pod that somebody tells to end":         func(r *rules) { r.evicts, r.drain = true, false },
		"of a pod that is to sleep and to wake again": func(r *rules) { r.drain = false },
		"of an activator":                             func(r *rules) { r.rolls, r.leave = true, false },
		"for the leader's network":                    func(r *rules) { r.blinds, r.keeps = true, false },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := soundThrough()
			without(&r)
			states, how := explore(t, firstThrough(), r)
			if len(how) == 0 {
				t.Fatalf("no request is lost in %d states: it is not needed, or the model does not see what it is for", states)
			}
			t.Logf("%d steps:\n\t%s", len(how)-1, strings.Join(how, "\n\t"))
		})
	}
}
