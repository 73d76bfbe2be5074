package chart

import (
	"context"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	apiresource "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"

	"github.com/mini-hpa/mini-hpa/test/controlplane"
	"github.com/mini-hpa/mini-hpa/test/controlplane/loadsim"
)

// samplePeriod is how often loadsim publishes here: faster than metrics-server, so that a story takes seconds.
const samplePeriod = 2 * time.Second

// site is a cluster into which the chart is installed. Its pods are KWOK's; what would run in them runs beside it.
type site struct {
	cluster *controlplane.Cluster
	load    *loadsim.Server
	client  kubernetes.Interface
	objects metadata.Interface
	program string
}

// newSite is a cluster with a namespace for the release that demands restricted pods, and a namespace shop.
func newSite(t *testing.T) *site {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a control plane, which -short leaves out")
	}
	s := &site{cluster: controlplane.Start(t, controlplane.Options{Audit: true, Out: t.Output()}), program: build(t)}
	config := s.cluster.Config()
	var err error
	if s.client, err = kubernetes.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	if s.objects, err = metadata.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	s.load, err = loadsim.Start(t.Context(), config, loadsim.Options{Period: samplePeriod, Window: samplePeriod, FirstSample: samplePeriod})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.load.Close() }) // its API server ends with the test
	s.namespace(t, home, map[string]string{"pod-security.kubernetes.io/enforce": "restricted"})
	s.namespace(t, "shop", nil)
	return s
}

func (s *site) namespace(t *testing.T, name string, labels map[string]string) {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
	if _, err := s.client.CoreV1().Namespaces().Create(t.Context(), ns, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// deploy makes a Deployment of one pod that requests a core, in the namespace shop.
func (s *site) deploy(t *testing.T, name string, annotations map[string]string) {
	t.Helper()
	s.create(t, schema.GroupResource{Group: appsv1.GroupName, Resource: "deployments"}, name, annotations)
}

// define makes a custom kind whose objects can be scaled, and which nobody looks after.
func (s *site) define(t *testing.T, name schema.GroupResource) {
	t.Helper()
	body := fmt.Sprintf(`{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":%q},"spec":{"group":%q,"scope":"Namespaced",
		"names":{"plural":%q,"kind":%q},"versions":[{"name":"v1","served":true,"storage":true,"subresources":{"scale":{"specReplicasPath":".spec.replicas","statusReplicasPath":".status.replicas"}},
		"schema":{"openAPIV3Schema":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}]}}`, name, name.Group, name.Resource, kindOf(name))
	must(t, "define "+name.String(), s.client.AppsV1().RESTClient().Post().AbsPath("/apis/apiextensions.k8s.io/v1/customresourcedefinitions").
		SetHeader("Content-Type", "application/json").Body([]byte(body)).Do(t.Context()).Error())
	s.kubectl(t, "wait", "--for=condition=Established", "crd/"+name.String())
}

// kindOf is the kind of a custom resource.
func kindOf(name schema.GroupResource) string {
	return strings.ToUpper(name.Resource[:1]) + strings.TrimSuffix(name.Resource[1:], "s")
}

// pathOf leads to the workloads of a kind in the namespace shop, or to one of them.
func pathOf(of schema.GroupResource, names ...string) string {
	return strings.Join(append([]string{"/apis", of.Group, "v1/namespaces/shop", of.Resource}, names...), "/")
}

// create makes a workload in the namespace shop.
func (s *site) create(t *testing.T, of schema.GroupResource, name string, annotations map[string]string) {
	t.Helper()
	labels := map[string]string{"app": name}
	meta, selector := metav1.ObjectMeta{Name: name, Annotations: annotations}, &metav1.LabelSelector{MatchLabels: labels}
	template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{
		{Name: "app", Image: "app", Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: apiresource.MustParse("1")}}}}}}
	body := map[string]runtime.Object{
		"deployments":  &appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{Selector: selector, Template: template}},
		"replicasets":  &appsv1.ReplicaSet{ObjectMeta: meta, Spec: appsv1.ReplicaSetSpec{Selector: selector, Template: template}},
		"statefulsets": &appsv1.StatefulSet{ObjectMeta: meta, Spec: appsv1.StatefulSetSpec{Selector: selector, Template: template}},
	}[of.Resource]
	if body == nil {
		custom := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"replicas": 1}}}
		custom.SetGroupVersionKind(of.WithVersion("v1").GroupVersion().WithKind(kindOf(of)))
		custom.SetName(name)
		custom.SetAnnotations(annotations)
		body = custom
	}
	must(t, "create "+of.String()+" "+name, s.client.AppsV1().RESTClient().Post().AbsPath(pathOf(of)).Body(body).Do(t.Context()).Error())
}

// replicas waits until a Deployment of the namespace shop has so many.
func (s *site) replicas(t *testing.T, name string, want int32) {
	t.Helper()
	s.scaled(t, schema.GroupResource{Group: appsv1.GroupName, Resource: "deployments"}, name, want)
}

// scaled waits until a workload of the namespace shop has so many replicas.
func (s *site) scaled(t *testing.T, of schema.GroupResource, name string, want int32) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s %s has %d replicas", of, name, want), func(ctx context.Context) (bool, string) {
		scale := &autoscalingv1.Scale{}
		err := s.client.AppsV1().RESTClient().Get().AbsPath(pathOf(of, name, "scale")).Do(ctx).Into(scale)
		if err != nil {
			return false, err.Error()
		}
		return scale.Spec.Replicas == want, fmt.Sprint(scale.Spec.Replicas)
	})
}

// kubectl runs it as the administrator.
func (s *site) kubectl(t *testing.T, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), s.cluster.Kubectl(), append([]string{"--kubeconfig", s.cluster.Kubeconfig()}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// ofEachNamespace is what the controller manager gives each namespace, soon after it was made.
var ofEachNamespace = map[string]string{"configmaps": "kube-root-ca.crt", "serviceaccounts": "default"}

// inventory names every stored object, except the traces that components leave on their own: Events, and what each namespace has.
func (s *site) inventory(ctx context.Context) ([]string, error) {
	lists, err := s.client.Discovery().ServerPreferredResources()
	if err != nil {
		return nil, err
	}
	lists = discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"list", "create", "delete"}}, lists)
	var names []string
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, err
		}
		for _, r := range list.APIResources {
			if r.Name == "events" {
				continue
			}
			found, err := s.objects.Resource(gv.WithResource(r.Name)).List(ctx, metav1.ListOptions{})
			if err != nil {
				return nil, fmt.Errorf("list %s: %w", r.Name, err)
			}
			for i := range found.Items {
				if found.Items[i].GetName() == ofEachNamespace[r.Name] {
					continue
				}
				names = append(names, r.Name+" "+found.Items[i].Namespace+"/"+found.Items[i].Name)
			}
		}
	}
	slices.Sort(names)
	return names, nil
}

// difference is what one inventory has more than the other, with the sign of a diff.
func difference(before, after []string) []string {
	var found []string
	for _, name := range before {
		if !slices.Contains(after, name) {
			found = append(found, "-"+name)
		}
	}
	for _, name := range after {
		if !slices.Contains(before, name) {
			found = append(found, "+"+name)
		}
	}
	return found
}

// eventually waits until something is so; told says what was seen instead.
func eventually(t *testing.T, what string, so func(context.Context) (bool, string)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	seen := "nothing"
	for {
		done, told := so(ctx)
		if done {
			return
		}
		if ctx.Err() == nil { // what is cut short says only that
			seen = told
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not within %s; last seen: %s", what, patience, seen)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// merged is one set of values with another laid over it, both of one level.
func merged(a, b map[string]any) map[string]any {
	m := map[string]any{}
	maps.Copy(m, a)
	maps.Copy(m, b)
	return m
}
