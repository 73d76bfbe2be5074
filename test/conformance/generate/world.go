package generate

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/mini-hpa/mini-hpa/annotations/podspec"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// world is the cluster as far as one workload sees it.
type world struct {
	now      time.Time
	tick     int
	replicas int32
	// by is who has set the replicas last; empty if it was the autoscaler.
	by string
	// status is status.replicas as it is seen now.
	status int32
	pods   []*pod
	// strays are names of pods that are gone and whose samples are still there.
	strays []*pod
	next   int
	// surge are extra pods of a rollout, for some evaluations.
	surge, surging int
	// back is what the replicas are set back to after somebody set them to 0.
	back, away int32
	// quiet are the evaluations for which the resource metrics API still fails, blind those for which it returns only
	// half of the samples.
	quiet, blind int
}

// Start fills the cluster with pods that exist at the start, of all ages.
func (w *Workload) Start(now time.Time) {
	w.world.now = now
	for range w.world.replicas {
		age := pick(w.dice, time.Hour, time.Hour, w.dice.seconds(1, 700), 300*time.Second-w.Period)
		w.world.pods = append(w.world.pods, w.newPod(w.number(), now.Add(-age)))
	}
	for _, p := range w.world.pods {
		p.live(w, now)
	}
}

// manager is the field manager of everybody else who sets replicas.
const manager = "kubectl"

// Written is what the autoscaler wrote after the last observation.
func (w *Workload) Written(replicas int32) { w.world.replicas, w.world.by = replicas, "" }

// Observe lets the cluster live until now and says what an autoscaler sees.
func (w *Workload) Observe(now time.Time) recommend.Snapshot {
	w.world.now = now
	w.world.tick++
	before := w.world.replicas
	if w.outside(); w.world.replicas != before {
		w.world.by = manager
	}
	w.edit()
	if w.stateful() {
		w.inOrder()
	} else {
		w.rollout()
		w.reconcile()
	}
	w.live()
	w.aim()
	w.world.status = w.status()
	read := w.Read()
	s := recommend.Snapshot{Time: now, Replicas: read.Replicas, StatusReplicas: read.StatusReplicas}
	if read.Replicas == 0 {
		s.Paused = w.world.by
	}
	for _, p := range w.objects() {
		s.Pods = append(s.Pods, new(podspec.ReadPod(p)))
	}
	if w.dice.chance(w.mood.unseen) {
		s.Pods = s.Pods[:pick(w.dice, 0, w.dice.IntN(len(s.Pods)+1))]
	}
	w.sample(&s)
	w.series(&s)
	return s
}

// objects are its pods as the API server has them.
func (w *Workload) objects() []*corev1.Pod {
	var all []*corev1.Pod
	for _, p := range w.world.pods {
		all = append(all, p.object(w.owner(p)))
	}
	return all
}

// outside is somebody else who scales.
func (w *Workload) outside() {
	d, world := w.dice, &w.world
	if world.away > 0 {
		if world.away--; world.away == 0 && world.replicas == 0 {
			world.replicas = world.back
		}
		return
	}
	if !d.chance(w.mood.outside) {
		return
	}
	if d.chance(w.mood.zero) {
		world.back, world.away, world.replicas = max(world.replicas, 1), int32(d.between(1, 12)), 0
		return
	}
	if w.zero.on {
		world.replicas = w.byHand()
		return
	}
	low, high := w.Min(), w.HPA.Spec.MaxReplicas
	world.replicas = max(0, pick(d, low-1, high+1, high+5, low, high, low+int32(d.IntN(int(high-low+1))), world.replicas+1, world.replicas-1))
}

func (w *Workload) rollout() {
	world := &w.world
	if world.surging > 0 {
		if world.surging--; world.surging == 0 {
			world.surge = 0
		}
		return
	}
	if w.dice.chance(w.mood.surge) {
		world.surge, world.surging = w.dice.between(1, 1+int(world.replicas)/3), w.dice.between(2, 8)
	}
}

// reconcile is the workload's own controller, unless it is a StatefulSet: it adds pods, or deletes those that are not ready or the youngest.
func (w *Workload) reconcile() {
	world := &w.world
	var alive []*pod
	for _, p := range world.pods {
		if p.alive() {
			alive = append(alive, p)
		}
	}
	want := int(world.replicas) + world.surge
	if world.replicas == 0 {
		want = 0
	}
	for range min(want-len(alive), 40) {
		world.pods = append(world.pods, w.newPod(w.number(), world.now.Add(-w.back())))
	}
	if len(alive) <= want {
		return
	}
	slices.SortStableFunc(alive, func(a, b *pod) int { return b.rank() - a.rank() })
	for _, p := range alive[:len(alive)-want] {
		w.remove(p)
	}
}

// back is how long before this observation a pod was made.
func (w *Workload) back() time.Duration {
	back := w.dice.seconds(0, int(w.Period/time.Second)-1)
	if w.mood.aligned {
		return 0
	}
	return back
}

// remove begins the deletion of a pod.
func (w *Workload) remove(p *pod) {
	p.deleted = w.world.now.Add(-w.dice.seconds(0, int(w.Period/time.Second)-1))
	p.gone = p.deleted.Add(pick(w.dice, 0, 5*time.Second, 30*time.Second, 60*time.Second))
}

func (w *Workload) live() {
	world := &w.world
	var kept []*pod
	for _, p := range world.pods {
		if !p.gone.IsZero() && !p.gone.After(world.now) {
			if w.dice.chance(w.mood.stray) {
				world.strays = append(world.strays, p)
			}
			continue
		}
		p.live(w, world.now)
		kept = append(kept, p)
	}
	world.pods = kept
	if len(world.strays) > 0 && w.dice.chance(0.2) {
		world.strays = world.strays[1:]
	}
}

// status is status.replicas: what exists and is not on its way out. A StatefulSet counts all that exist.
func (w *Workload) status() int32 {
	n := int32(0)
	for _, p := range w.world.pods {
		if p.alive() || w.stateful() {
			n++
		}
	}
	if w.dice.chance(w.mood.lag) {
		n = max(0, n+int32(pick(w.dice, -2, -1, 1, 2, 3, -100)))
	}
	return n
}

// number is that of the next pod; no number comes twice.
func (w *Workload) number() int {
	w.world.next++
	return w.world.next - 1
}

// newPod is a pod with a number, which is in its name.
func (w *Workload) newPod(number int, created time.Time) *pod {
	p := &pod{name: fmt.Sprintf("%s-%d", Name, number), number: number, created: created, phase: corev1.PodPending, spec: w.shape.spec(),
		factor: 1 + (w.dice.Float64()*2-1)*w.mood.noise}
	p.plan(w)
	return p
}
