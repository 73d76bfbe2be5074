package chart

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"

	"github.com/mini-hpa/mini-hpa/test/controlplane/loadsim"
)

// TestMigrations: a release of an application replaces its HPA, or its ScaledObject, with annotations, and the other way round, with
// either Helm, while the webhook is asked about it. Helm changes the Deployment before it deletes the other autoscaler: a refusal
// would leave both there for ever.
func TestMigrations(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.extend(t)
	must(t, "install", newHelm4(t, s.cluster.Kubeconfig(), product()).install(nil))
	p := s.start(t)
	s.trust(t)
	s.lead(t, p)
	for name, connect := range helms() {
		for _, other := range []string{"hpa", "keda"} {
			t.Run(name+" "+other, func(t *testing.T) {
				app := strings.ToLower(strings.NewReplacer("/", "-", " ", "-").Replace(name + "-" + other))
				h := connect(t, s.cluster.Kubeconfig(), target{filepath.Join("testdata", "app"), app, "shop"})
				s.migrate(t, h, app, other)
			})
		}
	}
}

func (s *site) migrate(t *testing.T, h helm, app, other string) {
	scaledBy := func(what string) map[string]any { return map[string]any{"autoscaler": what} }
	s.load.SetLoad("shop", app, loadsim.Constant(340)) // of 100m requested, 50 % in 7 pods
	must(t, "install with "+other, h.install(scaledBy(other)))
	s.kubectl(t, "-n", "shop", "scale", "deployment", app, "--replicas=7") // as the other one may have done
	s.awaitRival(t, app, true)

	s.neverAlone(t, app, other, func() error { return h.upgrade(scaledBy("mini-hpa")) })
	s.gone(t, app)
	s.awaitRival(t, app, false)
	d, err := s.client.AppsV1().Deployments("shop").Get(t.Context(), app, metav1.GetOptions{})
	must(t, "read the Deployment", err)
	if *d.Spec.Replicas != 7 || d.Annotations["mini-hpa/max"] != "10" {
		t.Errorf("%d replicas and %v, want the 7 that were there, and annotations", *d.Spec.Replicas, d.Annotations)
	}
	// Of a first sample of a part of it come 8 replicas, and it is too much for them as well.
	s.load.SetLoad("shop", app, loadsim.Constant(448))
	s.replicas(t, app, 9) // it goes on from there

	must(t, "and back", h.upgrade(scaledBy(other)))
	d, err = s.client.AppsV1().Deployments("shop").Get(t.Context(), app, metav1.GetOptions{})
	must(t, "read the Deployment", err)
	if *d.Spec.Replicas != 9 || d.Annotations["mini-hpa/max"] != "" {
		t.Errorf("%d replicas and %v, want the 9 that were there, and no annotations", *d.Spec.Replicas, d.Annotations)
	}
	must(t, "the release with annotations again", h.rollback(2))
	s.gone(t, app)
	must(t, "uninstall", h.uninstall())
}

// neverAlone replaces another autoscaler with annotations, and wants the API server to have stored them before the other one was gone: there is no moment
// without an autoscaler. The versions of all objects are numbers of one sequence.
func (s *site) neverAlone(t *testing.T, app, other string, replace func() error) {
	t.Helper()
	rivals := map[string]schema.GroupVersionResource{"hpa": {Group: "autoscaling", Version: "v2", Resource: "horizontalpodautoscalers"}, "keda": {Group: "keda.sh", Version: "v1alpha1", Resource: "scaledobjects"}}
	version := func(of schema.GroupVersionResource, is func(watch.EventType, *metav1.PartialObjectMetadata) bool) <-chan uint64 {
		events, err := s.objects.Resource(of).Namespace("shop").Watch(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=" + app})
		must(t, "watch "+of.Resource, err)
		found := make(chan uint64, 1)
		go func() {
			defer close(found)
			defer events.Stop()
			for event := range events.ResultChan() {
				if object, ok := event.Object.(*metav1.PartialObjectMetadata); ok && is(event.Type, object) {
					number, _ := strconv.ParseUint(object.ResourceVersion, 10, 64)
					found <- number
					return
				}
			}
		}()
		return found
	}
	annotated := version(schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}, func(_ watch.EventType, o *metav1.PartialObjectMetadata) bool {
		return o.Annotations["mini-hpa/max"] != ""
	})
	gone := version(rivals[other], func(kind watch.EventType, _ *metav1.PartialObjectMetadata) bool { return kind == watch.Deleted })
	must(t, "the annotations replace it", replace())
	if begins, ends := <-annotated, <-gone; begins == 0 || begins >= ends {
		t.Errorf("the annotations are stored as version %d, and the other autoscaler is gone in version %d", begins, ends)
	}
}

// lead lets the API server reach the webhook, which runs beside the cluster's network.
func (s *site) lead(t *testing.T, p *process) {
	t.Helper()
	_, text, err := net.SplitHostPort(p.webhook)
	must(t, "read the address", err)
	port, err := strconv.Atoi(text)
	must(t, "read the port", err)
	s.kubectl(t, "-n", home, "patch", "service", release+"-webhook", "--type=merge", "-p",
		`{"spec":{"type":"ExternalName","externalName":"localhost","selector":null,"clusterIP":null,"clusterIPs":null}}`)
	patch, err := json.Marshal([]map[string]any{{"op": "replace", "path": "/webhooks/0/clientConfig/service/port", "value": port}})
	must(t, "write the patch", err)
	_, err = s.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Patch(t.Context(), release, types.JSONPatchType, patch, metav1.PatchOptions{})
	must(t, "name the port", err)
	s.deploy(t, "asked", nil)
	eventually(t, "the webhook is asked", func(ctx context.Context) (bool, string) {
		_, err := s.annotate(ctx, "asked", `"mini-hpa/max":"0"`)
		return apierrors.IsInvalid(err), fmt.Sprint(err)
	})
}

// annotate tries annotations, and returns what stays of them.
func (s *site) annotate(ctx context.Context, name, pairs string) (map[string]string, error) {
	d, err := s.client.AppsV1().Deployments("shop").Patch(ctx, name, types.MergePatchType, []byte(`{"metadata":{"annotations":{`+pairs+`}}}`),
		metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil {
		return nil, err
	}
	return d.Annotations, nil
}

// awaitRival waits until the program knows of the other autoscaler, or that it is gone, by what it says of a Deployment that it
// would scale.
func (s *site) awaitRival(t *testing.T, app string, want bool) {
	t.Helper()
	eventually(t, "mini-hpa knows what scales", func(ctx context.Context) (bool, string) {
		said := s.warnings(ctx, t, app)
		return strings.Contains(said, "already scales this Deployment") == want, said
	})
}

// warnings are what the API server passes on of the webhook, when annotations are tried.
func (s *site) warnings(ctx context.Context, t *testing.T, app string) string {
	t.Helper()
	heard := &hearing{}
	config := s.cluster.Config()
	config.WarningHandler = heard
	client, err := kubernetes.NewForConfig(config)
	must(t, "make a client", err)
	_, err = client.AppsV1().Deployments("shop").Patch(ctx, app, types.MergePatchType,
		[]byte(`{"metadata":{"annotations":{"mini-hpa/target-cpu":"50","mini-hpa/max":"11"}}}`), metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
	must(t, "try annotations", err)
	return strings.Join(heard.texts, "\n")
}

// hearing is a rest.WarningHandler.
type hearing struct{ texts []string }

// HandleWarningHeader is rest.WarningHandler's.
func (h *hearing) HandleWarningHeader(_ int, _, text string) { h.texts = append(h.texts, text) }

// gone wants that Helm has deleted the other autoscaler.
func (s *site) gone(t *testing.T, app string) {
	t.Helper()
	names, err := s.inventory(t.Context())
	must(t, "list", err)
	for _, name := range names {
		if strings.HasSuffix(name, "shop/"+app) && (strings.HasPrefix(name, "horizontalpodautoscalers ") || strings.HasPrefix(name, "scaledobjects ")) {
			t.Errorf("%s is still there", name)
		}
	}
}
