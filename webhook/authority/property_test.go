package authority

import (
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// The property: once an API server can call a replica, it always can, even with a caBundle that is a tenth of a CA's life old. That
// holds through rotations, latencies between any two requests, replicas that start, stop and lose the API server, and a Secret
// that is deleted or spoilt.
func TestWhoIsTrustedStaysTrusted(t *testing.T) {
	const seeds = 10
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, seed)
			for w.now.Before(noon().Add(8 * long)) {
				w.tick()
			}
			if w.generations < 8 || w.verified == 0 {
				t.Errorf("%d generations, %d checks: nothing happened", w.generations, w.verified)
			}
		})
	}
}

// world is an API server in a few lines, and replicas that make one request in a step.
type world struct {
	t       *testing.T
	rand    *rand.Rand
	now     time.Time
	secret  map[string][]byte // nil: none
	version int               // of the Secret
	bundle  []byte
	edition int // of the configuration
	bundles []dated
	calm    time.Time // no accident before that
	actors  []*actor

	generations, verified int

	story []string // what happened, printed if the test fails
	names map[string]string
}

// dated is a bundle and when it was written.
type dated struct {
	from time.Time
	cas  []*x509.Certificate
}

// actor is a replica between two requests.
type actor struct {
	memory memory
	s      observed
	stage  int
	failed bool
	read   int // the version of the Secret that was read
	wake   time.Time
	away   time.Time // no answer before that
	ready  time.Time // zero while it was not called yet
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{t: t, rand: rand.New(rand.NewPCG(seed, 1)), now: noon(), bundles: []dated{{from: noon()}}}
	for range 3 {
		w.actors = append(w.actors, &actor{})
	}
	return w
}

// chance is true once in so many ticks of 1.25 seconds on average.
func (w *world) chance(ticks int) bool { return w.rand.IntN(ticks) == 0 }

func (w *world) within(d time.Duration) time.Duration { return time.Duration(w.rand.Int64N(int64(d))) }

func (w *world) tick() {
	w.now = w.now.Add(w.within(long / 400))
	for _, i := range w.rand.Perm(len(w.actors)) {
		a := w.actors[i]
		if w.chance(600) {
			w.tell("replica %d is another process", i)
			*a = actor{}
		}
		if w.chance(400) && a.away.Before(w.now.Add(-long/4)) {
			w.tell("replica %d is alone", i)
			a.away = w.now.Add(w.within(long / 8))
		}
		if w.chance(2) {
			w.step(a)
		}
		w.check(i, a)
	}
	w.accident()
}

// accident is what people do to a Secret. There is time for a rotation between two accidents: if the Secret is deleted again and
// again, the former CA goes on signing until it has to be replaced at short notice.
func (w *world) accident() {
	if w.now.Before(w.calm) {
		return
	}
	calm := w.now.Add(long / 4)
	switch {
	case w.chance(200):
		w.calm = calm
		w.writeSecret(nil)
	case w.secret != nil && w.chance(200):
		w.calm = calm
		key := ownKeys()[w.rand.IntN(len(ownKeys()))]
		spoilt := maps.Clone(w.secret)
		spoilt[key] = []byte("garbage")
		w.writeSecret(spoilt)
	}
}

// step makes the next request of a replica.
func (w *world) step(a *actor) {
	switch a.stage {
	case 0:
		if w.now.Before(a.wake) {
			return
		}
		a.stage, a.failed = 1, false
		m := a.memory
		a.s = observed{now: w.now, known: m.known, trustedSince: m.trustedSince, leaf: m.leaf, configuration: m.configuration, jitter: w.rand.Float64()}
		if a.failed = w.now.Before(a.away); !a.failed {
			cas, _ := decodePEM(w.bundle)
			a.s.configuration = &configuration{version: fmt.Sprint(w.edition), webhooks: []webhook{{name: "h", bundle: w.bundle, cas: cas}}}
			a.s.trustedSince = a.s.configuration.trustedSince(m.trustedSince, w.now)
		}
	case 1:
		a.stage = 2
		if w.now.Before(a.away) {
			a.failed = true
			return
		}
		a.read = w.version
		a.s.secret = &secret{}
		if w.secret != nil {
			a.s.secret = readSecret(&corev1.Secret{Data: w.secret}, w.now)
		}
	case 2:
		w.act(a, decide(a.s))
	}
}

// act is Authority.act in this world.
func (w *world) act(a *actor, p plan) {
	err := error(nil)
	switch {
	case p.prepare:
		a.s.prepared = fresh(w.t, a.s.now, long)
	case p.write != nil:
		err = w.store(a, *p.write)
	case p.issue != nil:
		a.s.leaf, err = p.issue.issue(subject{hosts: []string{"h"}}, a.s.now, long/4)
		a.memory.leaf = a.s.leaf // served from now on
		w.tell("leaf of %s for replica %d", w.name(p.issue.cert), slices.Index(w.actors, a))
	case p.bundle != nil:
		a.s.bundleWritten = true
		err = w.publish(a, p.bundle)
	default:
		a.memory = memory{known: p.known, trustedSince: a.s.trustedSince, leaf: a.s.leaf, configuration: a.s.configuration}
		a.stage, a.wake = 0, p.recheck
		if a.failed {
			a.wake = w.now.Add(long / 100)
		}
	}
	a.failed = a.failed || err != nil
}

func (w *world) store(a *actor, v rotation) error {
	a.s.secret, a.s.prepared = nil, nil
	if w.now.Before(a.away) || a.read != w.version {
		return errors.New("moved")
	}
	data, err := v.content()
	if err != nil {
		w.t.Fatal(err)
	}
	w.writeSecret(data)
	a.read = w.version
	a.s.secret = readSecret(&corev1.Secret{Data: data}, w.now)
	w.generations++
	return nil
}

// tell adds to the story.
func (w *world) tell(format string, args ...any) {
	w.story = append(w.story, fmt.Sprintf("%6.1fs ", w.now.Sub(noon()).Seconds())+fmt.Sprintf(format, args...))
}

// name gives short names to CAs.
func (w *world) name(all ...*x509.Certificate) string {
	text := ""
	for _, c := range all {
		if w.names == nil {
			w.names = map[string]string{}
		}
		name, ok := w.names[string(c.Raw)]
		if !ok {
			name = fmt.Sprintf("%d ", len(w.names))
			w.names[string(c.Raw)] = name
		}
		text += name
	}
	return text
}

// fail ends the test with the last part of the story.
func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	w.tell(format, args...)
	w.t.Fatal("\n" + strings.Join(w.story[max(0, len(w.story)-40):], "\n"))
}

func (w *world) writeSecret(data map[string][]byte) {
	v := readSecret(&corev1.Secret{Data: data}, w.now)
	w.tell("Secret: %s of %v: %v", w.name(v.all()...), slices.Sorted(maps.Keys(data)), v.faults)
	w.secret = data
	w.version++
	w.ring()
}

func (w *world) publish(a *actor, bundle []byte) error {
	if w.now.Before(a.away) || a.s.configuration.version != fmt.Sprint(w.edition) {
		return errors.New("moved")
	}
	w.bundle = bundle
	w.edition++
	cas, _ := decodePEM(bundle)
	w.tell("bundle: %s", w.name(cas...))
	w.bundles = append(w.bundles, dated{from: w.now, cas: cas})
	a.s.configuration = &configuration{version: fmt.Sprint(w.edition), webhooks: []webhook{{name: "h", bundle: bundle, cas: cas}}}
	a.s.trustedSince = a.s.configuration.trustedSince(a.s.trustedSince, w.now)
	w.ring()
	return nil
}

// ring has every replica notice a change after a while.
func (w *world) ring() {
	for _, a := range w.actors {
		if moment := w.now.Add(w.within(long / 100)); moment.Before(a.wake) {
			a.wake = moment
		}
	}
}

// check calls a replica with every caBundle of the last tenth of a life, but not with those from before it was first called.
func (w *world) check(i int, a *actor) {
	if a.memory.leaf == nil {
		return
	}
	live := w.bundles[len(w.bundles)-1]
	if a.ready.IsZero() {
		if !contains(live.cas, a.memory.leaf.by.cert) {
			return
		}
		a.ready = w.now
	}
	served := a.memory.leaf.served.Leaf
	if reached(w.now, served.NotAfter) || reached(w.now, a.memory.leaf.by.cert.NotAfter) {
		w.fail("replica %d serves a leaf that expired at %s", i, served.NotAfter)
	}
	from := w.now.Add(-long / 10)
	if from.Before(a.ready) {
		from = a.ready
	}
	for j := len(w.bundles) - 1; j >= 0; j-- {
		if !contains(w.bundles[j].cas, a.memory.leaf.by.cert) {
			w.fail("the bundle of %s does not trust replica %d and CA %s", w.bundles[j].from, i, w.name(a.memory.leaf.by.cert))
		}
		w.verified++
		if !w.bundles[j].from.After(from) {
			break
		}
	}
}
