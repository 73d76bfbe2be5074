package informer

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"github.com/mini-hpa/mini-hpa/annotations"
)

func quantities(cpu, memory string) corev1.ResourceList {
	list := corev1.ResourceList{}
	if cpu != "" {
		list[corev1.ResourceCPU] = resource.MustParse(cpu)
	}
	if memory != "" {
		list[corev1.ResourceMemory] = resource.MustParse(memory)
	}
	return list
}

// keptPodSpec is what has to survive of the pod spec in testdata, which pod and pod template share.
func keptPodSpec() corev1.PodSpec {
	return corev1.PodSpec{
		InitContainers: []corev1.Container{
			{Name: "proxy", RestartPolicy: new(corev1.ContainerRestartPolicyAlways), Resources: corev1.ResourceRequirements{Requests: quantities("100m", "64Mi")}},
			{Name: "migrate", Resources: corev1.ResourceRequirements{Requests: quantities("50m", "")}},
		},
		Containers: []corev1.Container{
			{Name: "app", Resources: corev1.ResourceRequirements{Requests: quantities("500m", "256Mi"), Limits: quantities("", "512Mi")}},
		},
		Resources: &corev1.ResourceRequirements{Requests: quantities("700m", "384Mi"), Limits: quantities("2", "")},
	}
}

func wantedPod() *corev1.Pod {
	spec := keptPodSpec()
	spec.Overhead, spec.NodeName = quantities("10m", "20Mi"), "node-17"
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "web-6d5f7c9b8d-x7k2p", UID: "3b1c2f5e-3c55-4f0e-9a52-0d6a3c0b9d11", ResourceVersion: "918273",
			CreationTimestamp: at("10:00:00"), DeletionTimestamp: new(at("12:00:30")),
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web-6d5f7c9b8d", UID: "5e0a1f2b-7a2c-4a52-8e55-5b8f5f0c1a22", Controller: new(true),
			}},
		},
		Spec: spec,
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, StartTime: new(at("10:00:01")),
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: at("10:00:20")},
				{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: at("10:00:00")}},
		},
	}
}

func keptDeployment() *kept {
	w := &annotations.Workload{
		Key: annotations.DeploymentKey("shop", "web"), APIVersion: "apps/v1", Resource: "deployments", UID: "8c0f7a7e-9d2f-4d64-b0f0-5a3f2c1d4e99", Version: "918270",
		Deleting: true, Annotations: map[string]string{"mini-hpa/target-cpu": "50", "mini-hpa/min": "2", "mini-hpa/max": "10"},
		Template: &corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{"mini-hpa/max": "20"}}, Spec: keptPodSpec()},
		Replicas: 4, StatusReplicas: 5, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web", "tier": "frontend"}},
		ScaledBy: "someone-else", ScaledByUs: true, SetBy: "mini-hpa, someone-else",
	}
	return &kept{record: record{namespace: w.Namespace, name: w.Name, uid: w.UID, version: w.Version}, choice: &choice{selected: w}}
}

// load reads an object as the API server sends it.
func load[T any](t testing.TB, file string, edits ...func(*T)) *T {
	t.Helper()
	data, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	obj := new(T)
	if err := json.Unmarshal(data, obj); err != nil {
		t.Fatal(err)
	}
	for _, edit := range edits {
		edit(obj)
	}
	return obj
}

func TestTransformsKeepWhatADecisionReadsAndNothingElse(t *testing.T) {
	slimPod := leastWanted().slim
	onlyName := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: wantedPod().Namespace, Name: wantedPod().Name, ResourceVersion: wantedPod().ResourceVersion}}
	deploymentOf := func(edits ...func(*appsv1.Deployment)) any { return load(t, "deployment.json", edits...) }
	podOf := func(edits ...func(*corev1.Pod)) any { return load(t, "pod.json", edits...) }
	replicaSetOf := func(edits ...func(*appsv1.ReplicaSet)) any { return load(t, "replicaset.json", edits...) }
	replicaSetRecord := func(kind, apiVersion string) record {
		return record{namespace: "shop", name: "web-6d5f7c9b8d", uid: "5e0a1f2b-7a2c-4a52-8e55-5b8f5f0c1a22", version: "918271", owner: &metav1.OwnerReference{
			APIVersion: apiVersion, Kind: kind, Name: "web", UID: "8c0f7a7e-9d2f-4d64-b0f0-5a3f2c1d4e99", Controller: new(true)}}
	}
	tombstone := cache.DeletedFinalStateUnknown{Key: "shop/web", Obj: podOf()}

	cases := map[string]struct {
		transform cache.TransformFunc
		in, want  any
		bytes     int // the most that the result may weigh as JSON
	}{
		"a pod of a Deployment": {slimPod, podOf(), wantedPod(), 1100},
		"a pod without conditions yet": {slimPod,
			podOf(func(p *corev1.Pod) { p.Status = corev1.PodStatus{Phase: corev1.PodPending} }),
			func() any {
				p := wantedPod()
				p.Status = corev1.PodStatus{Phase: corev1.PodPending}
				return p
			}(), 1000},
		"a pod that no node takes": {slimPod,
			podOf(func(p *corev1.Pod) {
				p.Status = corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{
					{Type: corev1.PodInitialized, Status: corev1.ConditionTrue},
					{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, LastTransitionTime: at("10:00:01"),
						LastProbeTime: at("10:00:02"), Message: strings.Repeat("0/3 nodes are available: 3 Insufficient cpu. ", 20)}}}
			}),
			func() any {
				p := wantedPod()
				p.Status = corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{
					{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, LastTransitionTime: at("10:00:01"),
						Message: strings.Repeat("0/3 nodes are available: 3 Insufficient cpu. ", 20)[:300]}}}
				return p
			}(), 1500},
		"a pod of a DaemonSet":                 {slimPod, podOf(controlledBy("apps/v1", "DaemonSet")), onlyName, 200},
		"a pod of somebody else's ReplicaSet":  {slimPod, podOf(controlledBy("example.com/v1", "ReplicaSet")), onlyName, 200},
		"a pod that its ReplicaSet has let go": {slimPod, podOf(func(p *corev1.Pod) { p.OwnerReferences[1].Controller = nil }), onlyName, 200},
		"a bare pod":                           {slimPod, podOf(func(p *corev1.Pod) { p.OwnerReferences = nil }), onlyName, 200},
		"a pod in a tombstone":                 {slimPod, tombstone, tombstone, 1e6},
		"a ReplicaSet of a Deployment":         {slimReplicaSet, replicaSetOf(), &kept{record: replicaSetRecord("Deployment", "apps/v1")}, 300},
		"a ReplicaSet of a Deployment, which has copied its annotations": {slimReplicaSet,
			replicaSetOf(func(rs *appsv1.ReplicaSet) { rs.Annotations["mini-hpa/max"] = "5" }), &kept{record: replicaSetRecord("Deployment", "apps/v1")}, 300},
		"a ReplicaSet of something else": {slimReplicaSet,
			replicaSetOf(func(rs *appsv1.ReplicaSet) {
				rs.OwnerReferences[0].Kind, rs.OwnerReferences[0].APIVersion = "Rollout", "argoproj.io/v1alpha1"
			}),
			&kept{record: replicaSetRecord("Rollout", "argoproj.io/v1alpha1")}, 300},
		"a ReplicaSet in a tombstone": {slimReplicaSet, tombstone, tombstone, 1e6},
		"a selected Deployment":       {slimDeployment, deploymentOf(), keptDeployment(), 1500},
		"a Deployment whose pods are refused": {slimDeployment, deploymentOf(func(d *appsv1.Deployment) {
			d.Status.Conditions = []appsv1.DeploymentCondition{
				{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue, Message: "Deployment has minimum availability."},
				{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate", LastUpdateTime: at("10:00:01"), Message: "exceeded quota: 3"}}
		}), func() any {
			d := keptDeployment()
			d.selected.Refused = "exceeded quota: 3"
			return d
		}(), 1700},
		"a Deployment that is not selected": {slimDeployment, deploymentOf(unselected),
			&kept{record: keptDeployment().record}, 400},
		"a Deployment in a tombstone": {slimDeployment, tombstone, tombstone, 1e6},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			before := asJSON(t, c.in)
			got, err := c.transform(c.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, shown(got), cmp.AllowUnexported(kept{}, choice{}, record{})); diff != "" {
				t.Errorf("kept (-want +got):\n%s", diff)
			}
			check(t, "the object that was given", asJSON(t, c.in), before)
			again, err := c.transform(got)
			if err != nil {
				t.Fatal(err)
			}
			if again != got {
				t.Error("done twice, it is another object")
			}
			if size := weight(t, got); size > c.bytes {
				t.Errorf("keeps %d bytes, more than %d", size, c.bytes)
			}
		})
	}
}

// shown is a record as the object of the API that it stands for.
func shown(kept any) any {
	switch kept := kept.(type) {
	case *keptPod:
		return whole(kept)
	}
	return kept
}

// weight is the size of what is kept, as JSON.
func weight(t testing.TB, o any) int {
	k, ok := o.(*kept)
	if !ok {
		return len(asJSON(t, shown(o)))
	}
	if !k.isAnnotated() {
		return len(asJSON(t, metaOf(&k.record)))
	}
	return len(asJSON(t, metaOf(&k.record))) + len(asJSON(t, k.selected))
}

func asJSON(t testing.TB, o any) string {
	t.Helper()
	data, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// A fake or a cache in front of the API server may go on using the object that it handed out.
func TestTransformsDoNotWriteToWhatTheyAreGiven(t *testing.T) {
	in := load[corev1.Pod](t, "pod.json")
	before := in.DeepCopy()
	if _, err := leastWanted().slim(in); err != nil {
		t.Fatal(err)
	}
	check(t, "pod", in, before)

	d := load[appsv1.Deployment](t, "deployment.json")
	original := d.DeepCopy()
	if _, err := slimDeployment(d); err != nil {
		t.Fatal(err)
	}
	check(t, "deployment", d, original)
}

func BenchmarkSlimPod(b *testing.B) {
	in, slimPod := load[corev1.Pod](b, "pod.json"), leastWanted().slim
	kept, err := slimPod(in)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := slimPod(in); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(asJSON(b, in))), "JSON-bytes-before")
	b.ReportMetric(float64(len(asJSON(b, shown(kept)))), "JSON-bytes-after")
}

// BenchmarkMemory is what stays of a pod of one container, and of a ReplicaSet.
func BenchmarkMemory(b *testing.B) {
	const pods = 5000
	for name, of := range map[string]struct {
		owner string // of the pods
		read  bool   // by a decision
		each  int    // pods of a ReplicaSet
	}{
		"no ReplicaSet's":                     {"Job", false, 5},
		"one of five":                         {"ReplicaSet", false, 5},
		"one of five, which a decision reads": {"ReplicaSet", true, 5},
		"one of two, which a decision reads":  {"ReplicaSet", true, 2},
		"alone, and which a decision reads":   {"ReplicaSet", true, 1},
	} {
		b.Run(name, func(b *testing.B) {
			var before, after runtime.MemStats
			for b.Loop() {
				web := deployment("web")
				set := filled(b, web)
				slim := set.templates.pods(leastWanted())
				runtime.GC()
				runtime.ReadMemStats(&before)
				for i := range pods {
					slim, err := slim(load(b, "pod.json", func(p *corev1.Pod) {
						p.Namespace, p.Name, p.UID, p.ResourceVersion = "shop", fmt.Sprintf("web-6d5f7c9b8d-%05d", i), types.UID(fmt.Sprintf("3b1c2f5e-3c55-4f0e-9a52-0d6a3c0%05d", i)), strconv.Itoa(918273+i)
						p.Spec.InitContainers, p.Spec.Overhead, p.Spec.Resources = nil, nil, nil
						p.Spec.NodeName, p.DeletionTimestamp = fmt.Sprintf("node-%d", i%50), nil
						p.Spec.Containers[0].Name = fmt.Sprintf("web-%d", i/of.each)
						for j := range p.OwnerReferences {
							if o := &p.OwnerReferences[j]; o.Controller != nil && *o.Controller {
								o.Kind, o.Name, o.UID = of.owner, fmt.Sprintf("web-%d", i/of.each), types.UID(fmt.Sprintf("5e0a1f2b-7a2c-4a52-8e55-5b8f5%05d", i/of.each))
							}
						}
					}))
					if err != nil {
						b.Fatal(err)
					}
					if err := set.pods.Load().informer.GetIndexer().Add(slim); err != nil {
						b.Fatal(err)
					}
				}
				runtime.GC()
				runtime.ReadMemStats(&after)
				without := after.HeapAlloc
				if of.read {
					for i := range pods / of.each {
						rs := replicaSet(web, fmt.Sprintf("web-%d", i))
						rs.UID = types.UID(fmt.Sprintf("5e0a1f2b-7a2c-4a52-8e55-5b8f5%05d", i))
						if err := hold(set, rs); err != nil {
							b.Fatal(err)
						}
					}
					runtime.GC()
					runtime.ReadMemStats(&after)
					replicaSets := after.HeapAlloc - without
					w := set.Workload(annotations.DeploymentKey("shop", "web"))
					if got := len(set.Pods(w)); got != pods {
						b.Fatal(got)
					}
					runtime.GC()
					runtime.ReadMemStats(&after)
					b.ReportMetric(float64(replicaSets)/float64(pods/of.each), "bytes/ReplicaSet")
					after.HeapAlloc -= replicaSets
				}
				runtime.KeepAlive(set)
			}
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/pods, "bytes/pod")
		})
	}
}

// whole is a pod with all that is kept of it.
func whole(p *keptPod) *corev1.Pod {
	out := &corev1.Pod{}
	if f := p.facts; f != nil {
		out = f.Core()
		out.Spec.NodeName = f.Node
		for i := range out.Status.Conditions {
			if c := &out.Status.Conditions[i]; c.Type == corev1.PodScheduled {
				c.Message = f.Unscheduled
			}
		}
	}
	meta := metaOf(&p.record)
	out.Namespace, out.Name, out.UID, out.ResourceVersion, out.OwnerReferences = meta.Namespace, meta.Name, meta.UID, meta.ResourceVersion, meta.OwnerReferences
	return out
}

// metaOf is a record as the API shows it.
func metaOf(r *record) metav1.ObjectMeta {
	meta := metav1.ObjectMeta{Namespace: r.namespace, Name: r.name, UID: r.uid, ResourceVersion: r.version}
	if r.owner != nil {
		meta.OwnerReferences = []metav1.OwnerReference{*r.owner}
	}
	return meta
}

// TestClientGoKnowsARecord by what it asks of any object.
func TestClientGoKnowsARecord(t *testing.T) {
	for _, owner := range []*metav1.OwnerReference{nil, {APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: "u0"}} {
		p := &keptPod{record: record{namespace: "shop", name: "web-1", uid: "u1", version: "7", owner: owner}}
		meta, err := apimeta.Accessor(p)
		if err != nil {
			t.Fatal(err)
		}
		got := metav1.ObjectMeta{Namespace: meta.GetNamespace(), Name: meta.GetName(), UID: meta.GetUID(), ResourceVersion: meta.GetResourceVersion(),
			OwnerReferences: meta.GetOwnerReferences(), Labels: meta.GetLabels(), Annotations: meta.GetAnnotations()}
		if diff := cmp.Diff(metaOf(&p.record), got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// TestWhatRequestsPassIsKept of a workload that they wake, and of no other.
func TestWhatRequestsPassIsKept(t *testing.T) {
	t.Parallel()
	hook := &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 10}}
	shared := newTemplates()
	for name, wakes := range map[string]bool{"woken by requests": true, "another": false} {
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "web", Annotations: map[string]string{"mini-hpa/max": "3"}}}
		if wakes {
			d.Annotations[annotations.WakeKey] = "requests"
		}
		d.Spec.Template.Labels = map[string]string{"app": "web"}
		d.Spec.Template.Spec = corev1.PodSpec{TerminationGracePeriodSeconds: new(int64(40)), Containers: []corev1.Container{{Name: "app", Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}},
			Lifecycle: &corev1.Lifecycle{PreStop: hook, PostStart: hook}}}}
		obj, err := shared.workloads(slimDeployment)(d)
		if err != nil {
			t.Fatal(err)
		}
		template := obj.(*kept).selected.Template
		c := template.Spec.Containers[0]
		has := template.Labels["app"] == "web" && len(c.Ports) == 1 && c.Lifecycle != nil && c.Lifecycle.PreStop != nil && c.Lifecycle.PostStart == nil && template.Spec.TerminationGracePeriodSeconds != nil
		if has != wakes {
			t.Errorf("%s: kept %+v", name, template)
		}
	}
}
