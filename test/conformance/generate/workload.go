package generate

import (
	"fmt"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// Names of everything in a generated workload.
const (
	// Namespace and Name are those of the object and of its HorizontalPodAutoscaler.
	Namespace = "default"
	Name      = "load"
)

// Workload is one generated workload and the cluster it lives in.
type Workload struct {
	// Seed is what it was generated from.
	Seed uint64
	// Kind is the object's.
	Kind Kind
	// Object carries the annotations, and the pods' template where its kind has one. It is written to at each observation.
	Object runtime.Object
	// HPA says the same as the annotations. Its behavior is set, its defaults are not filled in. Its MinReplicas may change at each
	// observation.
	HPA *autoscalingv2.HorizontalPodAutoscaler
	// Period is the time between two evaluations, Ticks how many there are.
	Period time.Duration
	Ticks  int

	dice     dice
	shape    shape
	mood     mood
	metrics  []*metric
	world    world
	annotate map[string]string
	ordinals ordinals
	zero     zero
	// custom is how mini-hpa reads a custom resource.
	custom annotations.Kind
}

// New generates a workload.
func New(seed uint64) *Workload {
	w := &Workload{Seed: seed, Kind: kindOf(seed), dice: newDice(seed), annotate: map[string]string{}}
	w.Period = 15 * time.Second
	if w.dice.chance(0.12) {
		w.Period = time.Duration(pick(w.dice, 1, 5, 7, 10, 20, 30, 60)) * time.Second
	}
	w.shape = newShape(w.dice)
	w.mood = newMood(w.dice)
	w.HPA = &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Name: Name, Namespace: Namespace}}
	w.HPA.Spec.ScaleTargetRef = autoscalingv2.CrossVersionObjectReference{APIVersion: w.Kind.GroupVersion().String(), Kind: w.Kind.Kind, Name: Name}
	w.bounds()
	switch {
	case isZero(seed):
		w.mayBeZero()
	case w.dice.chance(0.3):
		scene := pick(w.dice, w.scenes()...)
		scene.set(&w.mood)
		w.list(scene.metrics)
	}
	w.targets()
	w.behave()
	w.Ticks = w.length()
	w.begin()
	w.embody()
	return w
}

// embody makes the object, and reads its kind's definition.
func (w *Workload) embody() {
	w.ordinals = newOrdinals(w.dice.seeded("ordinals"))
	if w.Kind.spec != nil {
		custom, err := annotations.ReadKind(w.Kind.definition())
		must(err)
		w.custom = custom
	}
	w.Object = w.newObject()
	w.Read()
}

// length is long enough for the longest window to end, within reason.
func (w *Workload) length() int {
	ticks := w.dice.between(100, 150)
	longest := int32(0)
	for _, rules := range []*autoscalingv2.HPAScalingRules{w.HPA.Spec.Behavior.ScaleUp, w.HPA.Spec.Behavior.ScaleDown} {
		if rules != nil && rules.StabilizationWindowSeconds != nil {
			longest = max(longest, *rules.StabilizationWindowSeconds)
		}
	}
	if longest > 600 {
		ticks = max(ticks, min(int(time.Duration(longest)*time.Second/w.Period)+40, 300))
	}
	return ticks
}

func (w *Workload) bounds() {
	d := w.dice
	low := int32(pick(d, 1, 1, 1, 2, 2, 3, 4, 5))
	high := low + int32(pick(d, 0, 1, 3, 5, 8, 10, 15, 20, 30))
	if d.chance(0.04) {
		high = low + int32(d.between(60, 150))
	}
	w.HPA.Spec.MaxReplicas = high
	if low > 1 || d.chance(0.5) {
		w.HPA.Spec.MinReplicas = &low
		w.annotate["mini-hpa/min"] = fmt.Sprint(low)
	}
	w.annotate["mini-hpa/max"] = fmt.Sprint(high)
}

// Min is the least number of replicas that is allowed now.
func (w *Workload) Min() int32 {
	if w.HPA.Spec.MinReplicas == nil {
		return 1
	}
	return *w.HPA.Spec.MinReplicas
}

// begin makes the cluster as it is at the start. A workload that is created with 0 replicas mostly gets some later.
func (w *Workload) begin() {
	w.world = world{replicas: w.replicas(), by: manager}
	if w.world.replicas == 0 && w.dice.chance(0.9) {
		w.world.back, w.world.away = 1, int32(w.dice.between(2, 8))
	}
}

func (w *Workload) replicas() int32 {
	low, high := w.Min(), w.HPA.Spec.MaxReplicas
	if w.zero.on && w.dice.chance(0.9) {
		low = 1
	}
	if high > low {
		return low + int32(w.dice.between(0, int(min(high-low, 12))))
	}
	return high
}
