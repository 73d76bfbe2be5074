package chart

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const activator = release + "-activator"

// activators are the names of what belongs to activators.
func activators(objects []*unstructured.Unstructured) []string {
	var found []string
	for _, id := range identities(objects) {
		if strings.Contains(id, activator) {
			found = append(found, id)
		}
	}
	return found
}

func TestThereIsNoActivatorByDefault(t *testing.T) {
	t.Parallel()
	objects := render(t, nil)
	if found := activators(objects); len(found) > 0 {
		t.Errorf("there is %q", found)
	}
	for _, arg := range deployed(t, objects).Spec.Template.Spec.Containers[0].Args {
		if strings.Contains(arg, "activator") {
			t.Errorf("the controller has argument %s", arg)
		}
	}
}

func TestTheActivatorsPods(t *testing.T) {
	t.Parallel()
	objects := renderYAML(t, "activator: {enabled: true}")
	d := typedAs[appsv1.Deployment](t, pick(t, objects, "Deployment", activator))
	if *d.Spec.Replicas != 2 || len(d.Spec.Template.Spec.TopologySpreadConstraints) != 2 {
		t.Errorf("%d replicas, spread %v", *d.Spec.Replicas, d.Spec.Template.Spec.TopologySpreadConstraints)
	}
	for _, c := range d.Spec.Template.Spec.TopologySpreadConstraints {
		if c.LabelSelector.MatchLabels["app.kubernetes.io/component"] != "activator" {
			t.Errorf("spread over pods of %v", c.LabelSelector.MatchLabels)
		}
	}
	c := d.Spec.Template.Spec.Containers[0]
	if diff := cmp.Diff([]string{"activator", "--tls-dir=/etc/mini-hpa/activator-tls"}, c.Args); diff != "" {
		t.Errorf("arguments:\n%s", diff)
	}
	if c.Resources.Limits.Memory().String() != "384Mi" || c.ReadinessProbe == nil || c.LivenessProbe == nil || !*c.SecurityContext.ReadOnlyRootFilesystem {
		t.Errorf("container %+v", c)
	}
	if !slices.ContainsFunc(c.Env, func(e corev1.EnvVar) bool { return e.Name == "GOMEMLIMIT" && e.Value == "322122547" }) { // 80 % of 384 MiB, not of what the controller has
		t.Errorf("environment %v", c.Env)
	}
	if *d.Spec.Template.Spec.AutomountServiceAccountToken || d.Spec.Template.Spec.ServiceAccountName != activator {
		t.Errorf("account %q", d.Spec.Template.Spec.ServiceAccountName)
	}
	if !includes(d.Spec.Template.Labels, d.Spec.Selector.MatchLabels) || includes(d.Spec.Template.Labels, deployed(t, objects).Spec.Selector.MatchLabels) {
		t.Errorf("labels %v are selected by %v", d.Spec.Template.Labels, d.Spec.Selector.MatchLabels)
	}
}

// TestActivatorsHaveTimeToEnd: slices stop naming them, every node learns of that, who waits has the longest hold, what is at a pod has its time.
func TestActivatorsHaveTimeToEnd(t *testing.T) {
	t.Parallel()
	for values, want := range map[string]int64{"": 30 + 10 + 600 + 300 + 5, ", propagation: 1m, drain: 1500ms": 30 + 60 + 600 + 2 + 5, ", drain: 1h30m": 30 + 10 + 600 + 5400 + 5} {
		objects := renderYAML(t, "activator: {enabled: true"+values+"}")
		if got := *typedAs[appsv1.Deployment](t, pick(t, objects, "Deployment", activator)).Spec.Template.Spec.TerminationGracePeriodSeconds; got != want {
			t.Errorf("%s: %d s, want %d", values, got, want)
		}
	}
}

func TestAnActivatorOnEachNode(t *testing.T) {
	t.Parallel()
	objects := renderYAML(t, "activator: {enabled: true, kind: DaemonSet}")
	d := typedAs[appsv1.DaemonSet](t, pick(t, objects, "DaemonSet", activator))
	if d.Spec.Template.Spec.TopologySpreadConstraints != nil || d.Spec.Selector.MatchLabels["app.kubernetes.io/component"] != "activator" {
		t.Errorf("spread %v, selector %v", d.Spec.Template.Spec.TopologySpreadConstraints, d.Spec.Selector)
	}
	for _, id := range activators(objects) {
		if strings.Contains(id, "PodDisruptionBudget") {
			t.Error("there is a budget, which evictions of a DaemonSet's pods need not")
		}
	}
}

func TestArgumentsAboutActivators(t *testing.T) {
	t.Parallel()
	objects := renderYAML(t, "{webhook: {enabled: false}, controller: {watchNamespace: shop}, activator: {enabled: true, ports: 30000-30999, propagation: 30s, drain: 1m}}")
	want := []string{"controller", "--namespace=shop", "--leader-elect-resource-name=mini-hpa", "--activator",
		"--activator-selector=app.kubernetes.io/component=activator,app.kubernetes.io/instance=mini-hpa,app.kubernetes.io/name=mini-hpa",
		"--activator-ca-secret=mini-hpa-activator-ca", "--activator-tls-secret=mini-hpa-activator-tls", "--activator-ports=30000-30999", "--activator-propagation=30s"}
	if diff := cmp.Diff(want, deployed(t, objects).Spec.Template.Spec.Containers[0].Args); diff != "" {
		t.Errorf("the controller's:\n%s", diff)
	}
	want = []string{"activator", "--tls-dir=/etc/mini-hpa/activator-tls", "--namespace=shop", "--activator-propagation=30s", "--activator-drain=1m"}
	if diff := cmp.Diff(want, typedAs[appsv1.Deployment](t, pick(t, objects, "Deployment", activator)).Spec.Template.Spec.Containers[0].Args); diff != "" {
		t.Errorf("the activator's:\n%s", diff)
	}
}

// TestTheActivatorsAccountReadsSlicesOnly, and nothing else.
func TestTheActivatorsAccountReadsSlicesOnly(t *testing.T) {
	t.Parallel()
	for values, kind := range map[string]string{"activator: {enabled: true}": "ClusterRole", "{controller: {watchNamespace: shop}, activator: {enabled: true}}": "Role"} {
		objects := renderYAML(t, values)
		var roles []string
		for _, object := range objects {
			if !strings.HasSuffix(object.GetKind(), "RoleBinding") {
				continue
			}
			binding := typedAs[rbacv1.ClusterRoleBinding](t, object)
			if binding.Subjects[0].Name == activator {
				roles = append(roles, binding.RoleRef.Kind+" "+binding.RoleRef.Name)
			}
		}
		if diff := cmp.Diff([]string{kind + " " + activator + "-pods"}, roles); diff != "" {
			t.Errorf("%s: roles of the activator:\n%s", values, diff)
		}
		want := []rbacv1.PolicyRule{{APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: []string{"list", "watch"}}}
		if diff := cmp.Diff(want, typedAs[rbacv1.ClusterRole](t, pick(t, objects, kind, activator+"-pods")).Rules); diff != "" {
			t.Errorf("%s: rules:\n%s", values, diff)
		}
	}
}

func TestThePolicyOfActivators(t *testing.T) {
	t.Parallel()
	spec := typedAs[networkingv1.NetworkPolicy](t, pick(t, renderYAML(t, "activator: {enabled: true, ports: 30000-30999}"), "NetworkPolicy", activator)).Spec
	if at := spec.Ingress[0].Ports[0]; at.Port.IntVal != 30000 || *at.EndPort != 30999 || spec.Ingress[0].From != nil {
		t.Errorf("who may reach a Service may come: %+v", spec.Ingress[0])
	}
	if state := spec.Ingress[1]; state.Ports[0].Port.String() != "state" || state.From[0].PodSelector.MatchLabels["app.kubernetes.io/component"] != "controller" || state.From[0].NamespaceSelector != nil {
		t.Errorf("only the controller asks for the state: %+v", state)
	}
	for _, id := range activators(renderYAML(t, "{networkPolicy: {enabled: false}, activator: {enabled: true}}")) {
		if strings.Contains(id, "NetworkPolicy") {
			t.Errorf("there is %s", id)
		}
	}
}

// TestWhatSleepsIsWokenBeforeTheReleaseGoes, by a hook that stops the controller first.
func TestWhatSleepsIsWokenBeforeTheReleaseGoes(t *testing.T) {
	t.Parallel()
	objects := renderYAML(t, "{controller: {kinds: [rollouts.argoproj.io]}, activator: {enabled: true, wakeTimeout: 2m, propagation: 20s}}")
	hook := pick(t, objects, "Job", activator+"-wake")
	job := typedAs[batchv1.Job](t, hook)
	want := []string{"wake", "--all", "--stop=" + home + "/" + release, "--timeout=2m", "--kinds=rollouts.argoproj.io", "--activator-propagation=20s"}
	if diff := cmp.Diff(want, job.Spec.Template.Spec.Containers[0].Args); diff != "" {
		t.Errorf("arguments:\n%s", diff)
	}
	if hook.GetAnnotations()["helm.sh/hook"] != "pre-delete" || *job.Spec.ActiveDeadlineSeconds != 240 || job.Spec.Template.Spec.ServiceAccountName != release {
		t.Errorf("annotations %v, deadline %d, account %q", hook.GetAnnotations(), *job.Spec.ActiveDeadlineSeconds, job.Spec.Template.Spec.ServiceAccountName)
	}
	if includes(job.Spec.Template.Labels, deployed(t, objects).Spec.Selector.MatchLabels) {
		t.Error("its pod is taken for one of the controller, which is waited for")
	}
	for _, id := range activators(renderYAML(t, "activator: {enabled: true, wakeOnUninstall: false, policy: false}")) {
		if strings.Contains(id, "wake") || strings.Contains(id, "AdmissionPolicy") {
			t.Errorf("there is %s", id)
		}
	}
}
