package generate

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// pod is one pod and what will become of it.
type pod struct {
	name    string
	created time.Time
	// number is the last part of its name: for a pod of a StatefulSet its ordinal.
	number int
	// starts, readies and samples are when it will start, be ready and be measured first.
	starts, readies, samples time.Time
	phase                    corev1.PodPhase
	started                  time.Time
	// ready is the status of the Ready condition, empty for none; turned is its last transition.
	ready  corev1.ConditionStatus
	turned time.Time
	// deleted and gone are when its deletion began and ends; zero if it has not begun.
	deleted, gone time.Time
	spec          corev1.PodSpec
	// factor is its share of the load, compared with the others'.
	factor float64
	// unmeasured are the evaluations for which it still has no sample.
	unmeasured int
	// noStart says that its startTime is not set.
	noStart bool
	// foreign says that it is not of the present template; such pods go first.
	foreign bool
}

// plan decides how the pod will start.
func (p *pod) plan(w *Workload) {
	d := w.dice
	wait, warm := d.seconds(0, 3), d.seconds(0, 12)
	if d.chance(w.mood.slow) {
		wait, warm = d.seconds(0, 90), pick(d, d.seconds(10, 400), 29*time.Second, 30*time.Second, 31*time.Second)
	}
	if w.mood.aligned {
		wait, warm = wait.Truncate(w.Period), warm.Truncate(w.Period)
	}
	p.starts = p.created.Add(wait)
	p.readies = p.starts.Add(warm)
	p.samples = p.starts.Add(d.seconds(0, 45))
	if p.foreign = d.chance(w.mood.foreign); p.foreign {
		p.differ(d)
	}
}

// differ makes the pod one of another template: during a rollout, or with something injected.
func (p *pod) differ(d dice) {
	c := &p.spec.Containers
	switch d.IntN(6) {
	case 0:
		*c = append(*c, container("injected", nil))
	case 1:
		*c = append(*c, container("injected", requests(d)))
	case 2:
		(*c)[0].Resources.Requests = requests(d)
	case 3:
		(*c)[0].Name = "renamed"
	case 4:
		(*c)[len(*c)-1].Resources.Requests = corev1.ResourceList{"memory": resource.MustParse("1Mi")}
	case 5:
		p.spec.Resources = &corev1.ResourceRequirements{Requests: requests(d)}
	}
}

func (p *pod) alive() bool {
	return p.deleted.IsZero() && p.phase != corev1.PodFailed && p.phase != corev1.PodSucceeded
}

// rank is higher for pods that a ReplicaSet would delete first.
func (p *pod) rank() int {
	switch {
	case p.foreign:
		return 4
	case p.phase == corev1.PodPending:
		return 3
	case p.ready != corev1.ConditionTrue:
		return 2
	}
	return int(p.created.Unix() % 2)
}

// live lets the pod live until now.
func (p *pod) live(w *Workload, now time.Time) {
	d := w.dice
	if p.phase == corev1.PodPending && !p.starts.After(now) {
		p.phase, p.started, p.ready, p.turned = corev1.PodRunning, p.starts, corev1.ConditionFalse, p.starts
		p.noStart = d.chance(w.mood.flap / 4)
	}
	if p.phase == corev1.PodRunning {
		p.run(w, now)
	}
}

// run is the life of a pod that has started.
func (p *pod) run(w *Workload, now time.Time) {
	d := w.dice
	if !p.readies.IsZero() && !p.readies.After(now) {
		p.ready, p.turned, p.readies = corev1.ConditionTrue, p.readies, time.Time{}
	}
	if d.chance(w.mood.flap) || now.Equal(p.started.Add(5*time.Minute)) && w.mood.aligned && d.chance(0.6) {
		p.flap(w, now)
	}
	if d.chance(w.mood.fail) {
		p.end(d, now)
	}
	if p.unmeasured > 0 {
		p.unmeasured--
	} else if d.chance(w.mood.gap) {
		p.unmeasured = d.between(1, 20)
	}
}

// end makes the pod fail, finish or get lost.
func (p *pod) end(d dice, now time.Time) {
	p.phase = pick(d, corev1.PodFailed, corev1.PodFailed, corev1.PodSucceeded, corev1.PodUnknown)
	if p.phase != corev1.PodUnknown {
		p.gone = now.Add(d.seconds(15, 400))
	}
}

// flap changes the readiness, preferably just around the initial-readiness delay or with the samples' windows.
func (p *pod) flap(w *Workload, now time.Time) {
	d := w.dice
	p.ready = pick(d, corev1.ConditionFalse, corev1.ConditionFalse, corev1.ConditionTrue, corev1.ConditionUnknown, "")
	p.turned = now.Add(-d.seconds(0, int(w.Period/time.Second)))
	p.readies = now.Add(d.seconds(5, 300))
	if d.chance(0.3) {
		p.turned = p.started.Add(time.Duration(pick(d, 0, 29, 30, 31, 60)) * time.Second)
	}
	if p.turned.After(now) {
		p.turned = now
	}
	if d.chance(0.15) {
		p.readies = time.Time{}
	}
}

// object is the pod as the API server has it.
func (p *pod) object(owner metav1.OwnerReference) *corev1.Pod {
	o := &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: p.name, Namespace: Namespace, Labels: map[string]string{"app": Name},
			CreationTimestamp: metav1.NewTime(p.created), OwnerReferences: []metav1.OwnerReference{owner}},
		Spec:   p.spec,
		Status: corev1.PodStatus{Phase: p.phase},
	}
	if !p.deleted.IsZero() {
		o.DeletionTimestamp = new(metav1.NewTime(p.deleted))
	}
	if !p.started.IsZero() && !p.noStart {
		o.Status.StartTime = new(metav1.NewTime(p.started))
	}
	if p.ready != "" {
		o.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: p.ready, LastTransitionTime: metav1.NewTime(p.turned)}}
	}
	return o
}
