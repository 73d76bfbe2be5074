package loadsim

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// cluster is a simulation with the Deployments web and db in the namespace shop, since noon.
func cluster(t testing.TB, o Options) *simulation {
	t.Helper()
	o, err := o.complete()
	if err != nil {
		t.Fatal(err)
	}
	s := newSimulation(o, noon)
	for _, name := range []string{"web", "db"} {
		s.setReplicaSet(owned(name+"-1", name+"-1-uid", controller("Deployment", name)))
	}
	return s
}

func owned(name, uid string, owner metav1.OwnerReference) *metav1.PartialObjectMetadata {
	m := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID(uid)}}
	if owner.UID != "" {
		m.OwnerReferences = []metav1.OwnerReference{owner}
	}
	return m
}

func controller(kind, name string) metav1.OwnerReference {
	return metav1.OwnerReference{Kind: kind, Name: name, UID: types.UID(name + "-uid"), Controller: new(true)}
}

// webPod is a running and ready pod of web with one container; changes may make another of it.
func webPod(name string, changes ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: name, UID: types.UID(name + "-uid"),
			Labels: map[string]string{"app": "web", "pod": name}, OwnerReferences: []metav1.OwnerReference{controller("ReplicaSet", "web-1")},
		},
		Spec: corev1.PodSpec{NodeName: "node-1", Containers: []corev1.Container{{Name: "main"}}},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
		},
	}
	for _, change := range changes {
		change(p)
	}
	return p
}

func unready(p *corev1.Pod)     { p.Status.Conditions[0].Status = corev1.ConditionFalse }
func pending(p *corev1.Pod)     { p.Status.Phase = corev1.PodPending }
func terminating(p *corev1.Pod) { p.DeletionTimestamp = new(metav1.NewTime(noon)) }

func ownedBy(kind, name string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.OwnerReferences[0] = controller(kind, name) }
}

func limited(cpu string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)}
	}
}

// withSidecars gives the pod a second container, a sidecar and a container that only initializes.
func withSidecars(p *corev1.Pod) {
	p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: "proxy"})
	p.Spec.InitContainers = []corev1.Container{
		{Name: "setup"}, {Name: "logs", RestartPolicy: new(corev1.ContainerRestartPolicyAlways)},
	}
	for i := range p.Spec.InitContainers {
		p.Spec.InitContainers[i].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("5m")}
	}
}

var shopWeb = types.NamespacedName{Namespace: "shop", Name: "web"}

// summary is a sample set in a readable form: pod: container=cpu/memory ... over window.
func summary(s *simulation, set *sampleSet) map[string]string {
	lines := map[string]string{}
	for uid, sample := range set.pods {
		var line string
		for _, c := range sample.containers {
			line += fmt.Sprintf("%s=%s/%s ", c.Name, c.Usage.Cpu(), c.Usage.Memory())
		}
		lines[s.pods[uid].object.Name] = line + "over " + sample.window.String()
	}
	return lines
}

func TestMeasure(t *testing.T) {
	t.Parallel()
	early := Options{FirstSample: -1}
	for name, story := range map[string]struct {
		options Options
		events  func(*simulation)
		want    map[string]string // fifteen seconds after noon
	}{
		"an idle workload uses no CPU": {
			Options{},
			func(s *simulation) { s.setPod(noon, webPod("a")) },
			map[string]string{"a": "main=0/64Mi over 15s"},
		},
		"a load is divided over the ready pods": {
			Options{},
			func(s *simulation) {
				s.setLoad(noon, shopWeb, Constant(2200))
				s.setPod(noon, webPod("a"))
				s.setPod(noon, webPod("b"))
				s.setPod(noon, webPod("c", unready))
			},
			map[string]string{
				"a": "main=1100m/64Mi over 15s", "b": "main=1100m/64Mi over 15s", "c": "main=0/64Mi over 15s",
			},
		},
		"usage is in nanocores, as metrics-server's": {
			Options{},
			func(s *simulation) {
				s.setLoad(noon, shopWeb, Constant(1000))
				for _, name := range []string{"a", "b", "c"} {
					s.setPod(noon, webPod(name))
				}
			},
			map[string]string{
				"a": "main=333333333n/64Mi over 15s", "b": "main=333333333n/64Mi over 15s", "c": "main=333333333n/64Mi over 15s",
			},
		},
		"only what the Deployment owns shares its load": {
			Options{},
			func(s *simulation) {
				s.setLoad(noon, shopWeb, Constant(600))
				s.setPod(noon, webPod("a"))
				s.setPod(noon, webPod("other-deployment", ownedBy("ReplicaSet", "db-1")))
				s.setPod(noon, webPod("other-kind", ownedBy("StatefulSet", "web")))
				s.setPod(noon, webPod("same-labels", func(p *corev1.Pod) { p.OwnerReferences = nil }))
				s.setPod(noon, webPod("former", ownedBy("ReplicaSet", "web-0")))
			},
			map[string]string{
				"a": "main=600m/64Mi over 15s", "other-deployment": "main=0/64Mi over 15s",
				"other-kind": "main=0/64Mi over 15s", "same-labels": "main=0/64Mi over 15s", "former": "main=0/64Mi over 15s",
			},
		},
		"owners that become known late count for the whole window": {
			Options{},
			func(s *simulation) {
				s.setLoad(noon, shopWeb, Constant(600))
				s.setPod(noon, webPod("a", ownedBy("ReplicaSet", "web-2")))
				s.setReplicaSet(owned("web-2", "web-2-uid", controller("Deployment", "web")))
			},
			map[string]string{"a": "main=600m/64Mi over 15s"},
		},
		"any kind of controller has a load, which it shares with none of its name": {
			Options{},
			func(s *simulation) {
				s.setLoad(noon, shopWeb, Constant(600))
				s.setLoad(noon, types.NamespacedName{Namespace: "shop", Name: "StatefulSet/web"}, Constant(500))
				s.setLoad(noon, types.NamespacedName{Namespace: "shop", Name: "ReplicaSet/web"}, Constant(400))
				s.setLoad(noon, types.NamespacedName{Namespace: "shop", Name: "Rollout/web"}, Constant(300))
				s.setReplicaSet(owned("canary", "canary-uid", controller("Rollout", "web")))
				for name, owner := range map[string]string{"a": "StatefulSet web", "b": "ReplicaSet web", "c": "ReplicaSet canary"} {
					kind, of, _ := strings.Cut(owner, " ")
					s.setPod(noon, webPod(name, ownedBy(kind, of)))
				}
			},
			map[string]string{"a": "main=500m/64Mi over 15s", "b": "main=400m/64Mi over 15s", "c": "main=300m/64Mi over 15s"},
		},
		"a deleted ReplicaSet leaves the pods of a Deployment without load": {
			Options{},
			func(s *simulation) {
				s.setLoad(noon, shopWeb, Constant(600))
				s.setPod(noon, webPod("a"))
				s.dropReplicaSet(owned("web-1", "web-1-uid", metav1.OwnerReference{}))
			},
			map[string]string{"a": "main=0/64Mi over 15s"},
		},
		"a pod that went away has taken its part": {
			Options{},
			func(s *simulation) {
				s.setLoad(noon, shopWeb, Constant(600))
				s.setPod(noon, webPod("a"))
				s.setPod(noon, webPod("b"))
				s.dropPod(off(5), webPod("b"))
			},
			map[string]string{"a": "main=500m/64Mi over 15s"},
		},
		"a terminating pod gets no traffic but is measured until it ends": {
			Options{},
			func(s *simulation) {
				s.setLoad(noon, shopWeb, Constant(600))
				s.setPod(noon, webPod("a"))
				s.setPod(noon, webPod("b"))
				s.setPod(off(5), webPod("b", terminating))
			},
			map[string]string{"a": "main=500m/64Mi over 15s", "b": "main=100m/64Mi over 15s"},
		},
		"a pod that has finished is not measured": {
			Options{},
			func(s *simulation) {
				s.setPod(noon, webPod("a"))
				s.setPod(off(5), webPod("a", func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }))
			},
			map[string]string{},
		},
		"a pending pod is not measured": {
			early,
			func(s *simulation) { s.setPod(noon, webPod("a", pending)) },
			map[string]string{},
		},
		"a young pod has no sample, but takes load": {
			Options{},
			func(s *simulation) {
				s.setLoad(noon, shopWeb, Constant(600))
				s.setPod(noon, webPod("a"))
				s.setPod(off(5.1), webPod("young"))
			},
			map[string]string{"a": "main=402m/64Mi over 15s"},
		},
		"a pod of ten seconds has a sample over its age": {
			Options{},
			func(s *simulation) {
				s.setLoad(noon, shopWeb, Constant(600))
				s.setPod(off(5), webPod("a"))
			},
			map[string]string{"a": "main=600m/64Mi over 10s"},
		},
		"age counts from the start of the containers, not from readiness": {
			Options{},
			func(s *simulation) {
				s.setLoad(noon, shopWeb, Constant(600))
				s.setPod(noon, webPod("a", unready))
				s.setPod(off(12), webPod("a"))
			},
			map[string]string{"a": "main=120m/64Mi over 15s"},
		},
		"a sample may be asked for at once": {
			early,
			func(s *simulation) {
				s.setLoad(noon, shopWeb, Constant(600))
				s.setPod(off(14), webPod("a"))
				s.setPod(off(15), webPod("just-now"))
			},
			map[string]string{"a": "main=600m/64Mi over 1s"},
		},
		"a full window may be asked for": {
			Options{FirstSample: 15 * time.Second},
			func(s *simulation) {
				s.setPod(noon, webPod("a"))
				s.setPod(off(0.001), webPod("b"))
			},
			map[string]string{"a": "main=0/64Mi over 15s"},
		},
		"a window may be shorter than a period": {
			Options{Window: 5 * time.Second},
			func(s *simulation) {
				s.setLoad(off(11), shopWeb, Constant(600))
				s.setPod(noon, webPod("a"))
			},
			map[string]string{"a": "main=480m/64Mi over 5s"},
		},
		"a limit throttles": {
			Options{},
			func(s *simulation) {
				s.setLoad(noon, shopWeb, Constant(5000))
				s.setPod(noon, webPod("a", limited("2200m")))
			},
			map[string]string{"a": "main=2200m/64Mi over 15s"},
		},
		"the first container takes the load": {
			Options{},
			func(s *simulation) {
				s.setLoad(noon, shopWeb, Constant(600))
				s.setPod(noon, webPod("a", withSidecars))
			},
			map[string]string{"a": "main=600m/64Mi proxy=0/0 logs=0/0 over 15s"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := cluster(t, story.options)
			story.events(s)
			if diff := cmp.Diff(story.want, summary(s, s.measure(off(15)))); diff != "" {
				t.Errorf("samples (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMeasureForgetsWhatNoWindowReaches(t *testing.T) {
	t.Parallel()
	s := cluster(t, Options{})
	s.setPod(noon, webPod("stays"))
	s.setPod(noon, webPod("goes"))
	s.setPod(off(1), webPod("stays", unready))
	s.setPod(off(2), webPod("stays"))
	s.dropPod(off(3), webPod("goes"))
	for i := range 5 {
		s.setLoad(off(float64(i)), shopWeb, Constant(100))
	}
	s.setLoad(off(5), types.NamespacedName{Name: "ended"}, nil)

	for _, at := range []float64{15, 30} {
		s.measure(off(at))
	}
	if len(s.pods) != 1 || len(s.pods["stays-uid"].ready) != 1 {
		t.Errorf("pods remembered: %d, spans of the one that stays: %d, want 1 and 1", len(s.pods), len(s.pods["stays-uid"].ready))
	}
	if len(s.loads) != 1 || len(s.loads[shopWeb]) != 1 {
		t.Errorf("loads remembered: %v, want one of one workload", s.loads)
	}
}

func TestMeasureRemembersWhatALongWindowReaches(t *testing.T) {
	t.Parallel()
	s := cluster(t, Options{Window: 30 * time.Second})
	s.setPod(off(-5), webPod("a"))
	s.setPod(off(-5), webPod("b"))
	s.setLoad(off(-5), shopWeb, Constant(600))
	s.setLoad(off(18), shopWeb, Constant(1200))
	s.dropPod(off(24), webPod("b"))
	s.measure(off(30))
	want := map[string]string{"a": "main=990m/64Mi over 30s"} // 3s of 300m, 6s of 600m, 21s of 1200m
	if diff := cmp.Diff(want, summary(s, s.measure(off(45)))); diff != "" {
		t.Errorf("samples (-want +got):\n%s", diff)
	}
}

func BenchmarkMeasure(b *testing.B) {
	s := cluster(b, Options{})
	s.setLoad(noon, shopWeb, Burst(200, 2200, 20*time.Second, 10*time.Second))
	for i := range 1000 {
		s.setPod(noon, webPod(fmt.Sprint("pod-", i)))
	}
	for b.Loop() {
		s.measure(off(15))
	}
}
