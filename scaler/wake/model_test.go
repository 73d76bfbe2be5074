package wake

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// The model is everything that can happen to one workload with one Service, in every order: what is decided, what its pods do, when each watcher
// knows of it, whether the process that leads lives. What mini-hpa does is not a part of it: that are the functions of this package. After each
// step the node sends a request to every endpoint that it may choose by what it knows then. Where one is not taken, a request is lost. Others would change
// nothing: they know nothing of each other, and what is waited for is that the one that is late knows.
//
//	Waits.Face, Waits.Gate --> our slice, replicas --> pods --> Kubernetes' slice
//	        ^                        |                               |
//	        +---- leader, late <-----+---- nodes, late <-------------+
//
// "W has passed" is a step, too. It can be made when everybody who watches has seen what was written before the wait began: that is what W is.

// plane is how the nodes choose among endpoints.
type plane string

const (
	kubeProxy plane = "kube-proxy"         // ready ones, or else those that are serving and terminating
	readyOnly plane = "ready ones or none" // as most ingresses do
)

// rules are what a model is run with.
type rules struct {
	plane plane
	quiet Face
	waits Waits
	// drain says that pods go on accepting for W after they were told to end, leave that activators do.
	drain, leave bool
	// sleeps is how often 0 replicas are written at most.
	sleeps uint8
	// crashes says that a pod may crash once, deaths that the leader may die once, rolls that activators are replaced, one after the other.
	crashes, deaths, rolls bool
	// blinds says that the leader may lose the streams of all activators, keeps that it leaves those in the slice whose pods are there.
	blinds, keeps bool
	// hinders says that it may become impossible for requests to wake the workload, pauses that somebody may pause it.
	hinders, pauses bool
	// evicts says that a pod may be told to end while the workload is awake. The others are left out where they are true: the leader tells activators of pods as long
	// as 0 replicas are asked for, and takes those for heard that it has not heard.
	evicts, early, deaf bool
}

const modelW = 10 * time.Second

var modelNow = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

type podPhase uint8

const (
	noPod podPhase = iota
	starting
	ready
	crashed
	ending // told to end, and accepts
	ended  // does not accept, and is there
	wreck  // was told to end after it had crashed
)

type endpoint uint8

const (
	noEndpoint endpoint = iota
	notReady
	readyEndpoint
	terminating // and serving
)

type activatorPhase uint8

const (
	listening activatorPhase = iota
	draining
	gone
)

const (
	pods = 2
	// versions is how many versions of a slice there are that not everybody has seen.
	versions = 3
)

// slice is one version of our slice.
type slice struct {
	face Face
	to   [2]bool
}

// node is which versions of both slices a node knows, as places in the history.
type node struct{ kube, ours uint8 }

type age uint8

const (
	never    age = iota
	fresh        // not for W
	old          // for W
	doubtful     // it was there before the sleep, and may be told to end
)

// model is one state. The histories begin with the oldest version that somebody still goes by.
type model struct {
	replicas   int8
	idle       bool
	blind      bool
	hindered   bool
	paused     bool
	pods       [pods]podPhase
	activators [2]activatorPhase

	kube     [versions][pods]endpoint
	ours     [versions]slice
	kubes    uint8 // how many versions there are, from 1
	ourses   uint8
	node     node
	shaken   bool // a pod has crashed, and not everybody knows how it went on
	sleeps   uint8
	crashes  uint8
	deaths   uint8
	rolls    uint8
	alive    bool
	seen     uint8 // the leader's version of Kubernetes' slice
	doubt    bool  // 0 replicas were written, or the leader died, less than Settled ago
	readyFor [pods]age
	since    [pods]uint8 // the version of Kubernetes' slice that everybody has to know for readyFor to be old
	active   age         // for how long our slice has its face
}

func first(quiet Face) model {
	m := model{replicas: 1, pods: [pods]podPhase{ready}, alive: true, kubes: 1, ourses: 1, active: old, readyFor: [pods]age{old}}
	m.kube[0] = [pods]endpoint{readyEndpoint}
	m.ours[0] = slice{quiet, [2]bool{true, true}}
	return m
}

func (m *model) newestKube() [pods]endpoint { return m.kube[m.kubes-1] }
func (m *model) newestOurs() slice          { return m.ours[m.ourses-1] }

// truth is what Kubernetes' slice says once its controller has looked.
func (m *model) truth() (all [pods]endpoint) {
	for i, p := range m.pods {
		all[i] = [...]endpoint{noPod: noEndpoint, starting: notReady, ready: readyEndpoint, crashed: notReady, ending: terminating, ended: terminating, wreck: terminating}[p]
	}
	return all
}

// service is what the leader knows, as the functions of this package take it.
func (m *model) service(r *rules) Service {
	s := Service{Name: "web", Quiet: r.quiet, Face: m.newestOurs().face, Since: ago(m.active), Ready: m.ready().Since(), Listening: m.newestOurs().to != [2]bool{} && !m.blind}
	if m.hindered {
		s.Hindrance = "somebody has made the Service headless"
	}
	return s
}

// ago is when something began that is of an age.
func ago(a age) time.Time {
	switch a {
	case fresh:
		return modelNow
	case old:
		return modelNow.Add(-modelW)
	case doubtful:
		return modelNow.Add(Settled)
	default:
		return time.Time{}
	}
}

// names are those of the pods.
var names = [pods]string{"1", "2"}

// ready is what the leader remembers of the pods.
func (m *model) ready() Ready {
	r := Ready{since: map[string]time.Time{}}
	for i, a := range m.readyFor {
		if a != never {
			r.since[names[i]] = ago(a)
		}
	}
	return r
}

// look is what the leader remembers after a look at the pods.
func (m *model) look() {
	var seen []string
	for i, e := range m.kube[m.seen] {
		if e == readyEndpoint {
			seen = append(seen, names[i])
		}
	}
	doubted := time.Time{}
	if m.doubt {
		doubted = ago(doubtful)
	}
	r := m.ready().After(modelNow, seen, doubted)
	for i := range m.readyFor {
		before := m.readyFor[i]
		switch since, is := r.since[names[i]]; {
		case !is:
			m.readyFor[i] = never
		case since.Equal(ago(doubtful)):
			m.readyFor[i] = doubtful
		case since.Equal(ago(old)):
			m.readyFor[i] = old
		default:
			m.readyFor[i] = fresh
		}
		if m.readyFor[i] == fresh && before != fresh {
			m.since[i] = m.kubes - 1
		}
	}
}

// step is what may happen next, in words.
type step[M any] struct {
	what string
	to   M
}

// steps are all that may happen next.
func (m model) steps(r *rules) []step[model] {
	var all []step[model]
	add := func(what string, change func(*model)) {
		next := m
		change(&next)
		next.settle()
		if next != m {
			all = append(all, step[model]{what, next})
		}
	}
	add("there is nothing to do any more", func(n *model) { n.idle = true })
	add("there is something to do", func(n *model) { n.idle = false })
	if r.hinders {
		add("requests cannot wake it", func(n *model) { n.hindered = true })
		add("requests can wake it again", func(n *model) { n.hindered = false })
	}
	if r.pauses {
		add("somebody pauses it", func(n *model) { n.paused = true })
		add("somebody lets it go on", func(n *model) { n.paused = false })
	}
	m.cluster(r, add)
	if m.node.kube+1 < m.kubes {
		add("the node sees the next version of Kubernetes' slice", func(n *model) { n.node.kube++ })
	}
	if m.node.ours+1 < m.ourses {
		add("the node sees the next version of our slice", func(n *model) { n.node.ours++ })
	}
	if r.rolls {
		m.roll(r, add)
	}
	m.leader(r, add)
	return all
}

// cluster is what Kubernetes and the pods do.
func (m *model) cluster(r *rules, add func(string, func(*model))) {
	alive, free := 0, -1
	for i, p := range m.pods {
		switch p {
		case noPod:
			free = i
		case starting, ready, crashed:
			alive++
		default: // it ends
		}
		name := fmt.Sprintf("pod %d", i+1)
		switch {
		case p == starting:
			add(name+" becomes ready", func(n *model) { n.pods[i] = ready })
		case p == ready && r.crashes && m.crashes == 0:
			add(name+" crashes", func(n *model) { n.pods[i], n.crashes, n.shaken = crashed, 1, true })
		case p == crashed:
			add(name+" has restarted and is ready", func(n *model) { n.pods[i] = ready })
		case p == ending && (!r.drain || m.known(i)):
			add(name+" stops accepting", func(n *model) { n.pods[i] = ended })
		case p == ended, p == wreck && m.known(i):
			add(name+" is gone", func(n *model) { n.pods[i] = noPod })
		}
		if m.replicas == 0 && (p == starting || p == ready || p == crashed) {
			add(name+" is told to end", func(n *model) {
				n.pods[i] = map[podPhase]podPhase{starting: ended, ready: ending, crashed: wreck}[p]
			})
		}
	}
	if m.replicas > 0 && alive == 0 && free >= 0 {
		add(fmt.Sprintf("pod %d is made", free+1), func(n *model) { n.pods[free] = starting })
	}
	if m.kubes < versions && m.truth() != m.newestKube() {
		add("Kubernetes writes its slice", func(n *model) { n.kube[n.kubes], n.kubes = n.truth(), n.kubes+1 })
	}
}

// known says whether everybody knows that a pod is ready no more.
func (m *model) known(pod int) bool {
	for _, known := range m.kube[m.node.kube:m.kubes] {
		if known[pod] == readyEndpoint {
			return false
		}
	}
	return true
}

// roll replaces activators.
func (m *model) roll(r *rules, add func(string, func(*model))) {
	for i, a := range m.activators {
		name := fmt.Sprintf("activator %d", i+1)
		other := 1 - i
		switch {
		case a == listening && m.rolls < 2 && m.activators[other] == listening && m.everywhere(other, true):
			add(name+" is told to end", func(n *model) { n.activators[i], n.rolls = draining, n.rolls+1 })
		case a == draining && (!r.leave || m.everywhere(i, false)):
			add(name+" ends", func(n *model) { n.activators[i] = gone })
		case a == gone:
			add(name+" is replaced by one that listens", func(n *model) { n.activators[i] = listening })
		}
	}
}

// everywhere says whether our slice leads to an activator, or does not, in all versions that somebody goes by.
func (m *model) everywhere(activator int, leads bool) bool {
	for _, s := range m.ours[:m.ourses] {
		if s.to[activator] != leads {
			return false
		}
	}
	return true
}

// leader is what the process that leads does.
func (m *model) leader(r *rules, add func(string, func(*model))) {
	if !m.alive {
		add("another process leads", func(n *model) { n.alive = true })
		return
	}
	if r.deaths && m.deaths == 0 {
		add("the leader dies", func(n *model) {
			n.alive, n.deaths, n.active, n.doubt, n.readyFor, n.seen = false, 1, fresh, true, [pods]age{}, 0
		})
	}
	if m.seen+1 < m.kubes {
		add("the leader sees the next version of Kubernetes' slice", func(n *model) { n.seen++ })
	}
	latest := min(m.seen, m.node.kube)
	for i := range m.pods {
		if m.readyFor[i] == fresh && latest >= m.since[i] {
			add(fmt.Sprintf("W has passed since pod %d was seen ready", i+1), func(n *model) { n.readyFor[i] = old })
		}
	}
	if m.doubt && latest == m.kubes-1 && m.truth() == m.newestKube() && (m.replicas > 0 || m.truth() == [pods]endpoint{}) {
		add("what was asked of Kubernetes before is carried out, and known", func(n *model) {
			n.doubt = false
			for i, a := range n.readyFor {
				if a == doubtful {
					n.readyFor[i], n.since[i] = fresh, n.kubes-1
				}
			}
		})
	}
	if m.active == fresh && m.node.ours+1 == m.ourses {
		add("W has passed since our slice was written", func(n *model) { n.active = old })
	}
	if r.blinds {
		add("the leader loses the streams of all activators", func(n *model) { n.blind = true })
		add("the leader hears the activators again", func(n *model) { n.blind = false })
	}
	if to := m.reachable(r); to != m.newestOurs().to && m.ourses < versions {
		add("the leader writes which activators listen", func(n *model) {
			n.ours[n.ourses], n.ourses = slice{n.newestOurs().face, to}, n.ourses+1
		})
	}
	m.move(r, add)
}

// reachable are the activators that are to be in our slice.
func (m *model) reachable(r *rules) (to [2]bool) {
	for i, a := range m.activators {
		to[i] = a == listening && (!m.blind || r.keeps && m.newestOurs().to[i])
	}
	return to
}

// move is what the functions of this package say.
func (m *model) move(r *rules, add func(string, func(*model))) {
	w := Workload{Now: modelNow, Replicas: int32(m.replicas), Desired: 1, Stays: m.paused, Services: []Service{m.service(r)}}
	switch {
	case m.paused:
		w.Desired = w.Replicas
	case m.idle && w.Stranded() == "":
		w.Desired = 0
	}
	face, _ := r.waits.Face(&w, &w.Services[0])
	switch {
	case face != w.Services[0].Face:
		if m.ourses < versions {
			add(fmt.Sprintf("the leader makes our slice %s", face), func(n *model) {
				n.ours[n.ourses], n.ourses, n.active = slice{face, n.reachable(r)}, n.ourses+1, fresh
			})
		}
	case w.Desired == w.Replicas:
	case w.Desired > 0:
		add("the leader writes 1 replica", func(n *model) { n.replicas = 1 })
	case m.sleeps < r.sleeps && r.waits.Gate(&w) == nil:
		add("the leader writes 0 replicas", func(n *model) { n.replicas, n.doubt, n.sleeps = 0, true, n.sleeps+1 })
	}
}

// settle brings the rest of a state up to date: what the leader has noted of what it sees, which versions nobody goes by, and in which order
// the nodes are, which are all alike.
func (m *model) settle() {
	if m.alive {
		m.look()
	}
	for i := range m.readyFor {
		if m.readyFor[i] != fresh {
			m.since[i] = 0
		}
	}
	for ; m.seen > 0 && m.node.kube > 0; m.node.kube-- {
		m.kube, m.kubes, m.seen = [versions][pods]endpoint{m.kube[1], m.kube[2]}, m.kubes-1, m.seen-1
		for i := range m.since {
			m.since[i] = max(m.since[i], 1) - 1
		}
	}
	for ; m.node.ours > 0; m.node.ours-- {
		m.ours, m.ourses = [versions]slice{m.ours[1], m.ours[2]}, m.ourses-1
	}
	calm := m.kubes == 1 && m.newestKube() == m.truth()
	for _, p := range m.pods {
		calm = calm && p != crashed
	}
	m.shaken = m.shaken && !calm
}

// lost says which request is lost in a state; empty if none is. One that a node sends to a pod that has crashed is nobody's to save, and neither is
// one for which there is nobody else because of that, where our slice promises nothing.
func (m model) lost(r *rules) string {
	known, ours := m.kube[m.node.kube], m.ours[m.node.ours]
	chosen := func(e endpoint, face Face) (to int, why string) {
		for p, is := range known {
			if is != e {
				continue
			}
			to++
			if phase := m.pods[p]; phase == noPod || phase == starting || phase == ended {
				why = fmt.Sprintf("the node sends a request to pod %d, which does not accept it", p+1)
			}
		}
		for a, leads := range ours.to {
			if ours.face != face || !leads {
				continue
			}
			to++
			if m.activators[a] == gone {
				why = fmt.Sprintf("the node sends a request to activator %d, which is gone", a+1)
			}
		}
		return to, why
	}
	to, why := chosen(readyEndpoint, Active)
	if to == 0 && r.plane == kubeProxy {
		if to, why = chosen(terminating, Standby); m.shaken {
			why = "" // the pod that ends is chosen only because the one after it has crashed, as it would be without us
		}
	}
	if to == 0 && !(m.shaken && (r.plane == readyOnly || r.quiet == Out)) {
		why = "the node knows nobody to send a request to"
	}
	return why
}

// possible is a state of what can happen.
type possible[M any] interface {
	comparable
	steps(r *rules) []step[M]
	lost(r *rules) string
}

// explore goes through all states, and returns how a request is lost with the fewest steps; empty if none is.
func explore[M possible[M]](t *testing.T, start M, r rules) (states int, how []string) {
	t.Helper()
	type came struct {
		from M
		by   string
	}
	before := map[M]came{start: {}}
	for queue := []M{start}; len(queue) > 0; queue = queue[1:] {
		m := queue[0]
		if why := m.lost(&r); why != "" {
			how = []string{why}
			for ; m != start; m = before[m].from {
				how = append([]string{before[m].by}, how...)
			}
			return len(before), how
		}
		for _, s := range m.steps(&r) {
			if _, known := before[s.to]; !known {
				before[s.to] = came{m, s.what}
				queue = append(queue, s.to)
			}
		}
		if len(before) > 1_000_000 {
			t.Fatalf("more than %d states", len(before))
		}
	}
	return len(before), nil
}

// allRules are the rules under which no request may be lost, and what may happen besides.
func allRules() map[string]rules {
	all := map[string]rules{}
	for _, p := range []plane{kubeProxy, readyOnly} {
		for _, quiet := range []Face{Out, Standby} {
			sound := rules{plane: p, quiet: quiet, waits: Waiting(modelW), drain: true, leave: true, sleeps: 2}
			name := fmt.Sprintf("%s, %s", p, quiet)
			all[name] = sound
			crashing := sound
			crashing.crashes = true
			all[name+", a pod crashes"] = crashing
			dying := sound
			dying.deaths = true
			all[name+", the leader dies"] = dying
			rolling := sound
			rolling.rolls, rolling.sleeps = true, 1
			all[name+", activators are replaced"] = rolling
			blinded := rolling
			blinded.blinds, blinded.keeps = true, true
			all[name+", activators are replaced, and all are lost at once"] = blinded
			hindered := sound
			hindered.hinders = true
			all[name+", requests cannot wake it for a time"] = hindered
			paused := dying
			paused.pauses = true
			all[name+", the leader dies, and somebody pauses it"] = paused
		}
	}
	return all
}

// TestNoRequestIsLost goes through all orders of what can happen.
func TestNoRequestIsLost(t *testing.T) {
	t.Parallel()
	for name, r := range allRules() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			states, how := explore(t, first(r.quiet), r)
			if len(how) > 0 {
				t.Errorf("a request is lost:\n\t%s", strings.Join(how, "\n\t"))
			}
			t.Logf("%d states", states)
		})
	}
}

// TestEachWaitIsNeeded takes away one rule at a time, and shows how a request is lost then.
func TestEachWaitIsNeeded(t *testing.T) {
	t.Parallel()
	for name, without := range map[string]func(*rules){
		"before the sleep":         func(r *rules) { r.waits.BeforeSleep = 0 },
		"before the way out":       func(r *rules) { r.waits.BeforeOut = 0 },
		"of the pod":               func(r *rules) { r.drain = false },
		"of an activator":          func(r *rules) { r.rolls, r.leave = true, false },
		"for the leader's network": func(r *rules) { r.blinds = true },
	} {
		for _, p := range []plane{kubeProxy, readyOnly} {
			t.Run(fmt.Sprintf("%s, %s", name, p), func(t *testing.T) {
				t.Parallel()
				r := rules{plane: p, quiet: Standby, waits: Waiting(modelW), drain: true, leave: true, sleeps: 2}
				without(&r)
				states, how := explore(t, first(r.quiet), r)
				if len(how) == 0 {
					t.Fatalf("no request is lost in %d states: the wait is not needed, or the model does not see what it is for", states)
				}
				t.Logf("%d steps:\n\t%s", len(how)-1, strings.Join(how, "\n\t"))
			})
		}
	}
}
