package informer

import (
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// filled returns a Set whose caches hold these objects as the informers would have stored them.
func filled(t testing.TB, objects ...any) *Set {
	t.Helper()
	set, err := New(Config{Client: fake.NewSimpleClientset()})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		if err := hold(set, o); err != nil {
			t.Fatal(err)
		}
	}
	return set
}

func hold(set *Set, o any) error {
	for _, c := range set.builtin {
		slim, err := c.slim(o)
		if err != nil {
			return err
		}
		if _, isOfThisKind := slim.(*kept); isOfThisKind {
			return c.informer.GetIndexer().Add(slim)
		}
	}
	slim, err := set.pods.Load().wants.slim(o)
	if err != nil {
		return err
	}
	return set.pods.Load().informer.GetIndexer().Add(slim)
}

func TestPodsOfADeployment(t *testing.T) {
	web := deployment("web")
	old, current := replicaSet(web, "web-1"), replicaSet(web, "web-2")
	reborn := deployment("web", uid("deploy-web-again"))
	other := deployment("other")
	elsewhere := inNamespace("bank", deployment("web", uid("deploy-bank-web")))
	elsewhereRS := inNamespace("bank", replicaSet(elsewhere, "web-2"))
	elsewhereRS.UID = "rs-bank-web-2"

	cases := map[string]struct {
		world []any
		of    *appsv1.Deployment
		want  []string
	}{
		"nothing there": {[]any{web}, web, nil},
		"sorted by name, over all ReplicaSets": {
			[]any{web, old, current, pod(current, "c"), pod(old, "b"), pod(current, "a"), pod(old, "d")}, web, []string{"a", "b", "c", "d"},
		},
		"pods before their ReplicaSet count once it is there": {[]any{web, pod(current, "a")}, web, nil},
		"labels do not make a pod ours": {
			[]any{web, current, pod(current, "a"), pod(current, "bare", func(p *corev1.Pod) { p.OwnerReferences = nil }),
				pod(current, "ds", controlledBy("apps/v1", "DaemonSet")), other, replicaSet(other, "other-1"), pod(replicaSet(other, "other-1"), "o")},
			web, []string{"a"},
		},
		"a namesake in another namespace": {
			[]any{web, current, pod(current, "a"), elsewhere, elsewhereRS, inNamespace("bank", pod(elsewhereRS, "b"))}, web, []string{"a"},
		},
		"an owner that does not control": {
			[]any{web, current, pod(current, "a", func(p *corev1.Pod) { p.OwnerReferences[0].Controller = new(false) })}, web, nil,
		},
		"made anew under the same name, it does not inherit": {[]any{reborn, current, pod(current, "a")}, reborn, nil},
		"the one that is gone keeps its own":                 {[]any{reborn, current, pod(current, "a")}, web, []string{"a"}},
		"terminating and failed pods are there too": {
			[]any{web, current, pod(current, "a", func(p *corev1.Pod) { p.DeletionTimestamp = new(at("10:00:00")) }),
				pod(current, "b", func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed })}, web, []string{"a", "b"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			check(t, "pods", names(filled(t, c.world...).Pods(annotations.OfDeployment(c.of))), c.want)
		})
	}
}

// TestWhoOwnsAPodIsToldOneWay: the samples of exactly the pods that a decision is made on are kept, whatever a pod says of its owner.
func TestWhoOwnsAPodIsToldOneWay(t *testing.T) {
	web := deployment("web")
	rs := replicaSet(web, "web-1")
	misnamed := replicaSet(web, "web-2")
	misnamed.OwnerReferences[0].Name = "other"
	set := filled(t, web, rs, misnamed, pod(rs, "a"), inNamespace("bank", pod(rs, "b")), pod(misnamed, "c"),
		pod(rs, "d", func(p *corev1.Pod) { p.OwnerReferences[0].Name = "web-0" }))
	check(t, "pods", names(set.Pods(annotations.OfDeployment(web))), []string{"a"})
	for name, namespace := range map[string]string{"a": "shop", "b": "bank", "c": "shop", "d": "shop"} {
		check(t, "owned is "+name, set.Owns(namespace, name), name == "a")
	}
}

func TestWorkloadOfAPod(t *testing.T) {
	web := deployment("web")
	rs := replicaSet(web, "web-1")
	namesake := replicaSet(web, "web-1")
	namesake.UID = "rs-from-another-life"

	cases := map[string]struct {
		world []any
		want  string
	}{
		"the whole chain":                               {[]any{web, rs}, "shop/web"},
		"not selected":                                  {[]any{deployment("web", unselected), rs}, ""},
		"no Deployment yet":                             {[]any{rs}, ""},
		"no ReplicaSet yet":                             {[]any{web}, ""},
		"a ReplicaSet of the same name":                 {[]any{web, namesake}, ""},
		"a Deployment of the same name":                 {[]any{deployment("web", uid("another")), rs}, ""},
		"a ReplicaSet of an Argo Rollout":               {[]any{web, func() any { r := replicaSet(web, "web-1"); r.OwnerReferences[0].Kind = "Rollout"; return r }()}, ""},
		"a ReplicaSet of the name in another namespace": {[]any{web, inNamespace("bank", replicaSet(web, "web-1"))}, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := ""
			for _, key := range filled(t, c.world...).workloadsOf(keep(t, pod(rs, "a"))) {
				got += key.NamespacedName().String()
			}
			check(t, "workload", got, c.want)
		})
	}
}

func TestWorkloadsOfManyPodsAreNamedOnce(t *testing.T) {
	web, bank := deployment("web"), inNamespace("bank", deployment("web", uid("deploy-bank-web")))
	webRS, bankRS := replicaSet(web, "web-1"), replicaSet(bank, "web-1")
	set := filled(t, web, bank, webRS, bankRS)
	got := set.workloadsOf(keep(t, pod(webRS, "a")), keep(t, pod(bankRS, "a")), keep(t, pod(replicaSet(web, "unknown"), "x")), keep(t, pod(webRS, "b")), keep(t, pod(webRS, "a")))
	check(t, "workloads", got, []annotations.Key{annotations.DeploymentKey("shop", "web"), annotations.DeploymentKey("bank", "web")})
}

func BenchmarkPodsOfADeploymentWith1000(b *testing.B) {
	set, web, _ := crowd(b)
	b.ReportAllocs()
	for b.Loop() {
		if n := len(set.Pods(annotations.OfDeployment(web))); n != 1000 {
			b.Fatalf("%d pods", n)
		}
	}
}

// crowd is a cluster of 10 selected workloads with 1000 pods each, ten old ReplicaSets each, and 10000 pods of others.
func crowd(b *testing.B) (*Set, *appsv1.Deployment, []types.NamespacedName) {
	b.Helper()
	var world []any
	var pods []types.NamespacedName
	add := func(p *corev1.Pod) {
		world = append(world, p)
		pods = append(pods, types.NamespacedName{Namespace: p.Namespace, Name: p.Name})
	}
	for i := range 10 {
		d := deployment(fmt.Sprintf("web-%d", i))
		world = append(world, d)
		for r := range 11 {
			world = append(world, replicaSet(d, fmt.Sprintf("web-%d-%d", i, r)))
		}
		rs := replicaSet(d, fmt.Sprintf("web-%d-0", i))
		for p := range 1000 {
			add(pod(rs, fmt.Sprintf("%s-%x", rs.Name, p*7919%1000)))
			add(pod(rs, fmt.Sprintf("daemon-%d-%d", i, p), controlledBy("apps/v1", "DaemonSet")))
		}
	}
	return filled(b, world...), world[0].(*appsv1.Deployment), pods
}
