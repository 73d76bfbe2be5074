//go:build linux

package story

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mini-hpa/mini-hpa/test/node/machine"
)

// Variant is how the story of requests is told: for how long, on which node, what goes wrong meanwhile, and what is left out. The zero value is no variant: see
// ReadVariant.
type Variant struct {
	// Node is what its node has otherwise, Patches what is changed in the product.
	Node    machine.Options
	Patches []machine.Patch
	// Picture is the file into which what happens to one of the requests is drawn; empty for none.
	Picture string

	names    []string
	cycles   int               // how often requests come, and then none
	burst    time.Duration     // for how long they come
	patience time.Duration     // how long an answer may take
	words    map[string]string // what manifests leave open
	troubles []trouble
	excuses  []excuse
	mustLose bool // what is left out keeps requests, so that some are lost without it
}

// trouble goes wrong in a cycle, while its requests come. It returns when what it has done is over.
type trouble func(ctx context.Context, d *director, cycle int) error

// excuse says whether a request may be lost, as no promise speaks of it.
type excuse func(b *callbook, l loss) bool

// part is what makes a variant different. The order of the table is that in which parts have their say.
type part struct {
	name, says string
	apply      func(v *Variant)
}

// late is how late kube-proxy learns of a change. It is less than how long mini-hpa and the pods wait for it.
const late = 5 * time.Second

// refusal is for how long a pod refuses connections that is ready.
const refusal = 2 * time.Second

// holdUnready is what mini-hpa/wake has more, so that requests wait while all pods crash.
const holdUnready = "hold-on=unready"

// prices are variants that have lost requests, because they leave out what keeps these. Where such a one loses none, it shows nothing any more.
func prices() [][]string {
	return [][]string{{"late-proxy", "no-prestop"}, {"late-doors", "no-prestop", "no-wait-sleep"}, {"late-pods", "no-wait-out"}}
}

func parts() []part {
	return []part{
		{"long", "more than 20,000 requests, and at least 20 sleeps; a third of an hour", func(v *Variant) { v.cycles, v.burst = 40, 12*time.Second }},
		{"wakes", "a hundred wakes of one request of each kind, for their figures; a third of an hour", func(v *Variant) {
			v.cycles, v.burst = 100, every
			v.words["Lifecycle"] = "{}" // nobody comes before the pods have ended
		}},
		{"always", "all requests go through the activators, each takes a tenth of a second, and three at a time are to be at a pod (path=always target=3)", func(v *Variant) {
			v.words["Always"], v.words["Takes"] = "path=always target=3", "100ms"
		}},
		{"nftables", "kube-proxy works with nftables (package nftables)", func(v *Variant) { v.Node.Mode = machine.Nftables }},
		{"late-proxy", "kube-proxy learns of each EndpointSlice 5 s late", func(v *Variant) { v.Node.Late = func([]byte) time.Duration { return late } }},
		{"late-doors", "it learns of those of mini-hpa 5 s late, and of Kubernetes' at once", func(v *Variant) { v.Node.Late = lateOf(true) }},
		{"late-pods", "it learns of Kubernetes' 5 s late, and of those of mini-hpa at once", func(v *Variant) { v.Node.Late = lateOf(false) }},
		{"roll-activators", "the activators are rolled twice", func(v *Variant) { v.troubles = append(v.troubles, rollActivators) }},
		{"kill-leader", "the leader is killed five times", func(v *Variant) { v.troubles = append(v.troubles, killLeader) }},
		{"refuse", "pods refuse connections for 2 s after they are ready", func(v *Variant) {
			v.words["Refuse"] = refusal.String()
			if !v.isAlways() { // nobody but activators leads to pods, and these try again
				v.excuses = append(v.excuses, atReadyPod)
			}
		}},
		{"crash", "all pods crash, twice", func(v *Variant) {
			v.cycles, v.burst = 1, 110*time.Second // requests are led to pods alone a minute and ten seconds after the end of the sleep
			words := v.words
			v.troubles = append(v.troubles, crashPods)
			if v.isAlways() {
				v.excuses = append(v.excuses, atWork)
				return
			}
			v.excuses = append(v.excuses, func(b *callbook, l loss) bool { return words["Wake"] != holdUnready || atCrash(b, l) })
		}},
		{"hold-unready", "requests wait also while there are pods of which none is ready (hold-on=unready)", func(v *Variant) {
			v.words["Wake"] = holdUnready
			v.excuses = append(v.excuses, atCrash)
		}},
		{"no-prestop", "pods accept nothing any more as soon as they are to end", func(v *Variant) {
			v.words["Lifecycle"] = "{}"
			v.excuses = append(v.excuses, anyLoss)
		}},
		{"no-wait-sleep", "0 replicas are written without a wait", func(v *Variant) {
			v.Patches = append(v.Patches, machine.Patch{File: "scaler/wake/moves.go", Old: "BeforeSleep: w, ", New: ""})
			v.excuses = append(v.excuses, anyLoss)
		}},
		{"no-wait-out", "requests are led to a pod alone as soon as it is ready", func(v *Variant) {
			v.Patches = append(v.Patches, machine.Patch{File: "scaler/wake/moves.go", Old: "BeforeOut: w}", New: "}"},
				machine.Patch{File: "scaler/wake/ready.go", Old: "const Settled = time.Minute", New: "const Settled = time.Duration(0)"})
			v.excuses = append(v.excuses, anyLoss)
		}},
	}
}

// Parts lists the parts of variants, a line for each.
func Parts() string {
	var text strings.Builder
	for _, p := range parts() {
		fmt.Fprintf(&text, "  %-15s  %s\n", p.name, p.says)
	}
	return text.String()
}

// ReadVariant makes a variant of the parts of these names; none is the story as it is.
func ReadVariant(names []string) (Variant, error) {
	v := Variant{cycles: 6, burst: 8 * time.Second, patience: 9 * time.Minute, words: map[string]string{"Refuse": "0s", "Takes": "0s", "Always": "", "Lifecycle": "{preStop: {sleep: {seconds: 12}}}", "Wake": ""}}
	var known []string
	for _, p := range parts() {
		known = append(known, p.name)
		if slices.Contains(names, p.name) {
			v.names = append(v.names, p.name)
			p.apply(&v)
		}
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return Variant{}, fmt.Errorf("a story is told with some of %s, got %.64q", strings.Join(known, ", "), name)
		}
	}
	v.mustLose = slices.ContainsFunc(prices(), func(all []string) bool {
		return !slices.ContainsFunc(all, func(name string) bool { return !slices.Contains(names, name) })
	})
	if len(names) == 0 {
		v.cycles = 4 // it is told at each change of the code
	}
	if len(v.excuses) > 0 {
		v.patience = 2 * time.Minute // what waits for longer is lost
	}
	return v, nil
}

// String is how the variant is asked for.
func (v *Variant) String() string {
	if len(v.names) == 0 {
		return "wake"
	}
	return "wake --with=" + strings.Join(v.names, ",")
}

// isFaulty says whether anything goes wrong or is left out.
func (v *Variant) isFaulty() bool {
	return len(v.troubles) > 0 || len(v.excuses) > 0 || v.Node.Late != nil
}

// isAlways says whether all requests go through the activators.
func (v *Variant) isAlways() bool { return v.words["Always"] != "" }

// fill puts the variant's words with those of the manifests.
func (v *Variant) fill(words map[string]string) { maps.Copy(words, v.words) }

// lateOf is late for the slices of mini-hpa, or for all others.
func lateOf(ours bool) func(event []byte) time.Duration {
	return func(event []byte) time.Duration {
		if bytes.Contains(event, []byte(`"endpointslice.kubernetes.io/managed-by":"mini-hpa"`)) == ours {
			return late
		}
		return 0
	}
}
