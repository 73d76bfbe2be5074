package loadsim

import (
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// simulation is the cluster as the load sees it: which pods share which load since when, and what was last sampled.
// Times are arguments, so that the past of a window is known exactly whenever the sample is taken.
type simulation struct {
	options Options
	start   time.Time // ticks are at start + k*Period

	mu          sync.RWMutex
	pods        map[types.UID]*pod
	replicaSets map[types.UID]metav1.OwnerReference // to what controls them, a Deployment mostly
	nodes       map[string]map[string]string        // labels by name
	loads       map[types.NamespacedName][]load
	fault       Fault
	named       *named

	served    *sampleSet    // of the last tick at which the fault was not Stale
	published chan struct{} // closed when served is replaced
}

// pod is what is remembered of a pod that runs or ran within the window.
type pod struct {
	object *corev1.Pod
	since  time.Time // first seen running
	ready  []span
	gone   bool
}

func newSimulation(o Options, start time.Time) *simulation {
	return &simulation{
		options: o, start: start,
		pods:        map[types.UID]*pod{},
		replicaSets: map[types.UID]metav1.OwnerReference{},
		nodes:       map[string]map[string]string{},
		loads:       map[types.NamespacedName][]load{},
		served:      &sampleSet{},
		named:       newNamed(), published: make(chan struct{}),
	}
}

// setPod takes a pod as it is from now on. Only running pods count; metrics-server's informer asks for no others.
func (s *simulation) setPod(now time.Time, object *corev1.Pod) {
	if object.Status.Phase != corev1.PodRunning {
		s.dropPod(now, object)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.pods[object.UID]
	if p == nil {
		p = &pod{since: now}
		s.pods[object.UID] = p
	}
	p.object = object
	p.setReady(now, isReady(object))
}

func (s *simulation) dropPod(now time.Time, object *corev1.Pod) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.pods[object.UID]; p != nil {
		p.gone = true
		p.setReady(now, false)
	}
}

func (p *pod) isReady() bool {
	return len(p.ready) > 0 && p.ready[len(p.ready)-1].to.IsZero()
}

func (p *pod) setReady(now time.Time, ready bool) {
	switch {
	case ready && !p.isReady():
		p.ready = append(p.ready, span{from: now})
	case !ready && p.isReady():
		p.ready[len(p.ready)-1].to = now
	}
}

// isReady says whether a Service sends traffic to the pod: EndpointSlices leave a terminating pod out at once.
func isReady(p *corev1.Pod) bool {
	return p.DeletionTimestamp == nil && slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

func (s *simulation) setReplicaSet(m *metav1.PartialObjectMetadata) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if owner := metav1.GetControllerOf(m); owner != nil {
		s.replicaSets[m.UID] = *owner
	}
}

func (s *simulation) dropReplicaSet(m *metav1.PartialObjectMetadata) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.replicaSets, m.UID)
}

func (s *simulation) setNode(m *metav1.PartialObjectMetadata) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nodes[m.Name] = m.Labels
}

func (s *simulation) dropNode(m *metav1.PartialObjectMetadata) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.nodes, m.Name)
}

func (s *simulation) setLoad(now time.Time, workload types.NamespacedName, c Curve) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loads[workload] = append(s.loads[workload], load{from: now, curve: c})
}

func (s *simulation) setFault(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

func (s *simulation) currentFault() Fault {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.fault
}

// workload is what controls the pod, or what controls the ReplicaSet that does; the zero name if nothing does. A Deployment is called by
// its name, any other by its kind, too: "StatefulSet/db". It is looked up when it is needed: the events of pods and ReplicaSets come in
// any order.
func (s *simulation) workload(p *pod) types.NamespacedName {
	controller := metav1.GetControllerOf(p.object)
	if controller == nil {
		return types.NamespacedName{}
	}
	owner := *controller
	if outer, isControlled := s.replicaSets[owner.UID]; isControlled {
		owner = outer
	}
	if owner.Kind != "Deployment" {
		owner.Name = owner.Kind + "/" + owner.Name
	}
	return types.NamespacedName{Namespace: p.object.Namespace, Name: owner.Name}
}

// byWorkload groups the pods, each group ordered by name.
func (s *simulation) byWorkload() map[types.NamespacedName][]*pod {
	groups := map[types.NamespacedName][]*pod{}
	for _, p := range s.pods {
		w := s.workload(p)
		groups[w] = append(groups[w], p)
	}
	for _, group := range groups {
		slices.SortFunc(group, func(a, b *pod) int {
			return strings.Compare(a.object.Namespace+"/"+a.object.Name, b.object.Namespace+"/"+b.object.Name)
		})
	}
	return groups
}
