package chart

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mini-hpa/mini-hpa/test/controlplane/loadsim"
)

// account is the name under which the API server knows the release's pods.
const account = "system:serviceaccount:" + home + ":" + release

// TestTheRolesAreWhatIsUsed runs everything that the program can do and holds what it asked of the API server, by the
// audit log, against what the chart's roles grant: nothing was refused, and nothing is granted that was not used. For custom kinds as
// many rights come on top as they need, and go with them.
func TestTheRolesAreWhatIsUsed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.extend(t)
	helm := newHelm4(t, s.cluster.Kubeconfig(), product())
	must(t, "install", helm.install(nil))
	// An API server before 1.32 is listed first and watched then; newer ones send the list as part of the watch.
	s.start(t, "KUBE_FEATURE_WatchListClient=false").stop()
	p := s.start(t)
	s.scaleByEveryMetric(t)
	s.sayItTwice(t)
	for _, resource := range []string{"deployments", "replicasets", "statefulsets"} {
		s.crowd(t, schema.GroupResource{Group: appsv1.GroupName, Resource: resource})
	}
	s.rollBack(t, p)
	s.nameAContainer(t, p)
	s.restoreWhatIsDeleted(t)
	p.stop()

	always, asked := s.granted(t), s.asked(t)
	holdTo(t, always, always, asked)
	for _, names := range [][]string{{"rollouts.argoproj.io"}, {"trains.rail.example.com", "ships.example.com"}} {
		kinds := make([]any, len(names))
		for i, name := range names {
			kinds[i] = name
			s.define(t, schema.ParseGroupResource(name))
		}
		must(t, "upgrade", helm.upgrade(map[string]any{"controller": map[string]any{"kinds": kinds}}))
		p := s.start(t, "KUBE_FEATURE_WatchListClient=false")
		for _, name := range names {
			s.crowd(t, schema.ParseGroupResource(name))
		}
		p.stop()
		before := len(asked)
		granted := s.granted(t)
		asked = s.asked(t)
		added := slices.DeleteFunc(slices.Clone(granted), func(g grant) bool { return slices.Contains(always, g) })
		if len(granted) != len(always)+len(added) || len(added) != 6*len(names) {
			t.Errorf("with %q there are %d rights, of which %d are new, and %d without; want 6 new ones for each", names, len(granted), len(added), len(always))
		}
		holdTo(t, granted, added, asked[before:])
	}
}

// holdTo holds what was asked against what was granted: nothing else was asked, and of some of the rights each was used.
func holdTo(t *testing.T, granted, used []grant, asked []request) {
	t.Helper()
	for _, r := range asked {
		if r.code == http.StatusForbidden {
			t.Errorf("refused: %s", r)
		}
	}
	for _, g := range used {
		if !slices.ContainsFunc(asked, g.covers) {
			t.Errorf("granted but not used: %s", g)
		}
	}
	for _, r := range asked {
		if !slices.ContainsFunc(granted, func(g grant) bool { return g.covers(r) }) {
			t.Errorf("used but not granted by the chart: %s", r)
		}
	}
	t.Logf("%d requests, %d rights, of which %d are held to be used", len(asked), len(granted), len(used))
}

func (s *site) scaleByEveryMetric(t *testing.T) {
	s.load.SetLoad("shop", "cpu", loadsim.Constant(2200))
	s.load.SetExternal("backlog", map[string]string{"queue": "mail"}, loadsim.Constant(40_000))
	s.load.SetObjectMetric(loadsim.Object{Namespace: "shop", Resource: "services", Kind: "Service", Name: "front"}, "rate", loadsim.Constant(40_000))
	s.deploy(t, "cpu", map[string]string{"mini-hpa/target-cpu": "50", "mini-hpa/max": "10"})
	s.deploy(t, "external", map[string]string{"mini-hpa/max": "4", "mini-hpa/metrics": `[{type: External, external: {metric: {name: backlog,
		selector: {matchLabels: {queue: mail}}}, target: {type: AverageValue, averageValue: 10}}}]`})
	s.deploy(t, "object", map[string]string{"mini-hpa/max": "4", "mini-hpa/metrics": `[{type: Object, object: {metric: {name: rate},
		describedObject: {apiVersion: v1, kind: Service, name: front}, target: {type: AverageValue, averageValue: 10}}}]`})
	s.deploy(t, "pods", map[string]string{"mini-hpa/max": "4", "mini-hpa/metrics": `[{type: Pods, pods: {metric: {name: hits},
		target: {type: AverageValue, averageValue: 10}}}]`})
	s.load.SetPodsMetric("shop", "pods", "hits", loadsim.Constant(40_000))
	s.replicas(t, "cpu", 5)
	for _, name := range []string{"external", "object", "pods"} {
		s.replicas(t, name, 4)
	}
}

// crowd scales a workload that somebody else changes all the time.
func (s *site) crowd(t *testing.T, of schema.GroupResource) {
	resource := of.Resource
	backlog := func(n int64) {
		s.load.SetExternal("crowd", map[string]string{"of": resource}, loadsim.Constant(n))
	}
	backlog(1_000)
	s.create(t, of, "crowded", map[string]string{"mini-hpa/max": "4", "mini-hpa/sync-period": "1s", "mini-hpa/scale-down-stabilization": "0s",
		"mini-hpa/scale-up-policies": "10 pods/1s", "mini-hpa/scale-down-policies": "10 pods/1s", "mini-hpa/metrics": `[{type: External, external: {metric: {name: crowd,
		selector: {matchLabels: {of: ` + resource + `}}}, target: {type: AverageValue, averageValue: 10}}}]`})
	ctx, cancel := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	defer writing.Wait()
	defer cancel()
	writing.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			body := fmt.Appendf(nil, `{"metadata":{"labels":{"n":"%d"}}}`, n)
			err := s.client.AppsV1().RESTClient().Patch(types.MergePatchType).AbsPath(pathOf(of, "crowded")).Body(body).Do(ctx).Error()
			if err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
	})
	for range 10 { // a write may get through by chance
		backlog(40_000)
		s.scaled(t, of, "crowded", 4)
		backlog(1_000)
		s.scaled(t, of, "crowded", 1)
		asked := s.asked(t)
		if slices.ContainsFunc(asked, func(r request) bool {
			return r.verb == "patch" && r.group == of.Group && r.resource == resource+"/scale"
		}) &&
			slices.ContainsFunc(asked, func(r request) bool {
				return r.verb == "update" && r.group == of.Group && r.resource == resource+"/scale"
			}) {
			return
		}
	}
}

// sayItTwice has the same Event twice, which is one Event counted up.
func (s *site) sayItTwice(t *testing.T) {
	s.load.SetLoad("shop", "wrong", loadsim.Constant(2200))
	s.deploy(t, "wrong", map[string]string{"mini-hpa/target-cpu": "much", "mini-hpa/max": "10"})
	s.told(t, "wrong", 1)
	s.kubectl(t, "-n", "shop", "annotate", "deployment", "wrong", "--overwrite", "mini-hpa/target-cpu=50")
	s.replicas(t, "wrong", 5)
	s.kubectl(t, "-n", "shop", "annotate", "deployment", "wrong", "--overwrite", "mini-hpa/target-cpu=much")
	s.told(t, "wrong", 2)
}

// told waits for an Event that has been counted so often.
func (s *site) told(t *testing.T, name string, count int32) {
	t.Helper()
	eventually(t, fmt.Sprintf("the Event is counted %d times", count), func(ctx context.Context) (bool, string) {
		events, err := s.client.CoreV1().Events("shop").List(ctx, metav1.ListOptions{FieldSelector: "reason=InvalidAnnotations,involvedObject.name=" + name})
		if err != nil || len(events.Items) == 0 {
			return false, fmt.Sprint(err)
		}
		return events.Items[0].Count == count, fmt.Sprint(events.Items[0].Count)
	})
}

// extend gives the cluster the resources of KEDA and of the VerticalPodAutoscaler.
func (s *site) extend(t *testing.T) {
	t.Helper()
	for file, name := range map[string]string{"scaledobjects": "scaledobjects.keda.sh", "verticalpodautoscalers": "verticalpodautoscalers.autoscaling.k8s.io"} {
		s.kubectl(t, "create", "-f", filepath.Join("..", "e2e", "testdata", "admission", file+".yaml"))
		s.kubectl(t, "wait", "--for=condition=Established", "crd/"+name)
	}
}

// nameAContainer asks the webhook about a container that neither the template nor the pods have, nor the namespace announces.
func (s *site) nameAContainer(t *testing.T, p *process) {
	before := s.revision(t, "cpu", "1")
	after := before.DeepCopy()
	after.Annotations["mini-hpa/container"] = "proxy"
	answer, err := s.review(t.Context(), p.webhook, before, after)
	must(t, "ask the webhook", err)
	if answer.Allowed {
		t.Error("a container that is nowhere was let through")
	}
	s.kubectl(t, "label", "namespace", "shop", "istio-injection=enabled")
	answer, err = s.review(t.Context(), p.webhook, before, after)
	must(t, "ask the webhook", err)
	if !answer.Allowed || len(answer.Warnings) == 0 {
		t.Errorf("a container that may be injected: %+v", answer)
	}
}

// rollBack asks the webhook about updates to a pod template that cannot be autoscaled, but is one that the workload had.
func (s *site) rollBack(t *testing.T, p *process) {
	s.deploy(t, "undone", nil)
	without, with := s.revision(t, "undone", "0"), s.revision(t, "undone", "1")
	s.undo(t, p, with, without, &without.Spec.Template)
	s.create(t, schema.GroupResource{Group: appsv1.GroupName, Resource: "statefulsets"}, "undone", nil)
	former, latter := s.revisionOfSet(t, "undone", "0"), s.revisionOfSet(t, "undone", "1")
	s.undo(t, p, latter, former, &former.Spec.Template)
}

// undo has the webhook asked about an update to the former form, whose template this is, and about one to another.
func (s *site) undo(t *testing.T, p *process, latter, former metav1.Object, template *corev1.PodTemplateSpec) {
	t.Helper()
	for _, o := range []metav1.Object{former, latter} {
		o.SetAnnotations(map[string]string{"mini-hpa/target-cpu": "50", "mini-hpa/max": "10"})
	}
	answer, err := s.review(t.Context(), p.webhook, latter, former)
	must(t, "ask the webhook", err)
	if !answer.Allowed {
		t.Errorf("the rollback of a %T was refused: %v", former, answer.Result)
	}
	template.Spec.Containers[0].Image = "new"
	answer, err = s.review(t.Context(), p.webhook, latter, former)
	must(t, "ask the webhook", err)
	if answer.Allowed {
		t.Errorf("what is no rollback of a %T was let through", former)
	}
}

// revision rolls out a CPU request and returns the Deployment as it is then.
func (s *site) revision(t *testing.T, name, cpu string) *appsv1.Deployment {
	t.Helper()
	s.rollOut(t, "deployment", name, cpu)
	d, err := s.client.AppsV1().Deployments("shop").Get(t.Context(), name, metav1.GetOptions{})
	must(t, "read the Deployment", err)
	return d
}

// revisionOfSet is revision of a StatefulSet.
func (s *site) revisionOfSet(t *testing.T, name, cpu string) *appsv1.StatefulSet {
	t.Helper()
	s.rollOut(t, "statefulset", name, cpu)
	set, err := s.client.AppsV1().StatefulSets("shop").Get(t.Context(), name, metav1.GetOptions{})
	must(t, "read the StatefulSet", err)
	return set
}

func (s *site) rollOut(t *testing.T, kind, name, cpu string) {
	t.Helper()
	s.kubectl(t, "-n", "shop", "set", "resources", kind, name, "--requests=cpu="+cpu)
	s.kubectl(t, "-n", "shop", "rollout", "status", kind, name, "--timeout="+patience.String())
}

// review is what the API server does with an update, beside its own way to the Service.
func (s *site) review(ctx context.Context, address string, old, updated metav1.Object) (*admissionv1.AdmissionResponse, error) {
	trust := x509.NewCertPool()
	bundle, err := s.bundle(ctx)
	if err != nil || !trust.AppendCertsFromPEM(bundle) {
		return nil, fmt.Errorf("no caBundle: %w", err)
	}
	kind, resource := metav1.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}, metav1.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	if _, isSet := updated.(*appsv1.StatefulSet); isSet {
		kind.Kind, resource.Resource = "StatefulSet", "statefulsets"
	}
	encode := func(o metav1.Object) runtime.RawExtension {
		fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
		if err != nil {
			panic(err) // objects of the API always convert
		}
		fields["apiVersion"], fields["kind"] = "apps/v1", kind.Kind
		text, _ := json.Marshal(fields) // and encode
		return runtime.RawExtension{Raw: text}
	}
	question, err := json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{UID: types.UID("1"), Kind: kind, Resource: resource, RequestKind: &kind, RequestResource: &resource,
			Name: updated.GetName(), Namespace: updated.GetNamespace(), Operation: admissionv1.Update, UserInfo: authenticationv1.UserInfo{Username: "somebody"},
			Object: encode(updated), OldObject: encode(old)},
	})
	if err != nil {
		return nil, err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: trust, ServerName: release + "-webhook." + home + ".svc"}}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+address+"/validate-workloads?timeout=5s", bytes.NewReader(question))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var review admissionv1.AdmissionReview
	if err := json.NewDecoder(response.Body).Decode(&review); err != nil || review.Response == nil {
		return nil, fmt.Errorf("%s: %w", response.Status, err)
	}
	return review.Response, nil
}

// restoreWhatIsDeleted takes away what the program owns at run time.
func (s *site) restoreWhatIsDeleted(t *testing.T) {
	s.kubectl(t, "-n", home, "delete", "secret", release+"-webhook-ca")
	s.kubectl(t, "-n", home, "delete", "lease", release)
	eventually(t, "the CA and the Lease are back", func(ctx context.Context) (bool, string) {
		secret, err := s.client.CoreV1().Secrets(home).Get(ctx, release+"-webhook-ca", metav1.GetOptions{})
		if err != nil || len(secret.Data) == 0 {
			return false, fmt.Sprint(err)
		}
		lease, err := s.client.CoordinationV1().Leases(home).Get(ctx, release, metav1.GetOptions{})
		return err == nil && lease.Spec.HolderIdentity != nil, fmt.Sprint(err)
	})
}

// asked are the requests of the release's pods, discovery aside, which everybody may.
func (s *site) asked(t *testing.T) []request {
	t.Helper()
	file, err := os.Open(s.cluster.AuditLog())
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var found []request
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var e struct {
			Verb           string
			User           struct{ Username string }
			ObjectRef      *struct{ APIGroup, Resource, Subresource, Namespace, Name string }
			ResponseStatus struct{ Code int }
		}
		if json.Unmarshal(lines.Bytes(), &e) != nil || e.User.Username != account || e.ObjectRef == nil {
			continue
		}
		r := request{verb: e.Verb, group: e.ObjectRef.APIGroup, resource: strings.TrimSuffix(e.ObjectRef.Resource+"/"+e.ObjectRef.Subresource, "/"),
			namespace: e.ObjectRef.Namespace, name: e.ObjectRef.Name, code: e.ResponseStatus.Code}
		if found = append(found, r); r.verb == "patch" && r.code == http.StatusCreated { // an apply that creates needs both
			r.verb = "create"
			found = append(found, r)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}

// request is one that the API server saw.
type request struct {
	verb, group, resource, namespace, name string
	code                                   int
}

func (r request) String() string {
	return fmt.Sprintf("%s %s.%s %s/%s (%d)", r.verb, r.resource, r.group, r.namespace, r.name, r.code)
}

// grant is one verb on one resource, with the name and the namespace to which it is limited; empty is all.
type grant struct{ verb, group, resource, namespace, name string }

func (g grant) String() string {
	return fmt.Sprintf("%s %s.%s in %q, name %q", g.verb, g.resource, g.group, g.namespace, g.name)
}

func (g grant) covers(r request) bool {
	return g.verb == r.verb && g.group == r.group && (g.resource == "*" || g.resource == r.resource) &&
		(g.namespace == "" || g.namespace == r.namespace) && (g.name == "" || g.name == r.name)
}

// granted is every rule of every role that is bound to the release's pods.
func (s *site) granted(t *testing.T) []grant {
	t.Helper()
	var found []grant
	clusterBindings, err := s.client.RbacV1().ClusterRoleBindings().List(t.Context(), metav1.ListOptions{})
	must(t, "list the bindings", err)
	for i := range clusterBindings.Items {
		if b := &clusterBindings.Items[i]; bound(b.Subjects) {
			role, err := s.client.RbacV1().ClusterRoles().Get(t.Context(), b.RoleRef.Name, metav1.GetOptions{})
			must(t, "read the role", err)
			found = append(found, expand("", role.Rules)...)
		}
	}
	bindings, err := s.client.RbacV1().RoleBindings("").List(t.Context(), metav1.ListOptions{})
	must(t, "list the bindings", err)
	for i := range bindings.Items {
		if b := &bindings.Items[i]; bound(b.Subjects) {
			role, err := s.client.RbacV1().Roles(b.Namespace).Get(t.Context(), b.RoleRef.Name, metav1.GetOptions{})
			must(t, "read the role", err)
			found = append(found, expand(b.Namespace, role.Rules)...)
		}
	}
	if len(found) == 0 {
		t.Fatal("no role is bound to the release's pods")
	}
	return found
}

func bound(subjects []rbacv1.Subject) bool {
	return slices.ContainsFunc(subjects, func(s rbacv1.Subject) bool {
		return s.Kind == rbacv1.ServiceAccountKind && s.Namespace == home && s.Name == release
	})
}

func expand(namespace string, rules []rbacv1.PolicyRule) []grant {
	var found []grant
	for _, rule := range rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					for _, name := range append(rule.ResourceNames, "")[:max(len(rule.ResourceNames), 1)] {
						found = append(found, grant{verb, group, resource, namespace, name})
					}
				}
			}
		}
	}
	return found
}
