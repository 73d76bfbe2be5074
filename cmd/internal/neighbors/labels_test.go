package neighbors

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
)

// labelsOf reads "a=1 b=2".
func labelsOf(text string) map[string]string {
	all := map[string]string{}
	for pair := range strings.FieldsSeq(text) {
		key, value, _ := strings.Cut(pair, "=")
		all[key] = value
	}
	return all
}

func (n *Neighborhood) withService(name, selector string) {
	n.AddService(&corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.ServiceSpec{Selector: labelsOf(selector)}}, "")
}

func (n *Neighborhood) withPolicy(name string, selector metav1.LabelSelector) {
	n.AddNetworkPolicy(&networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: networkingv1.NetworkPolicySpec{PodSelector: selector}}, "")
}

// withWorkload adds one whose pods have these labels. Requests wake it, if there is a line for that.
func (n *Neighborhood) withWorkload(name, pods, line string) *annotations.Workload {
	w := &annotations.Workload{Key: annotations.DeploymentKey("", name), Annotations: map[string]string{}, Template: &corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labelsOf(pods)}}}
	if line != "" {
		w.Annotations[annotations.WakeKey] = line
	}
	n.AddWorkload(w, "")
	return w
}

// names are those of objects, with blanks between them.
func names[T metav1.Object](all []T) string {
	list := make([]string, len(all))
	for i, o := range all {
		list[i] = o.GetName()
	}
	return strings.Join(list, " ")
}

func workloadNames(all []*annotations.Workload) string {
	list := make([]string, len(all))
	for i, w := range all {
		list[i] = w.Name
	}
	return strings.Join(list, " ")
}

// TestWhatBearsOnRequests: of Services and NetworkPolicies those that select the pods or are named, and of workloads those that share a Service.
func TestWhatBearsOnRequests(t *testing.T) {
	n := New()
	n.withService("web", "app=web tier=front")
	n.withService("all", "tier=front")
	n.withService("api", "app=api tier=front")
	n.withService("canary", "app=web version=2")
	n.withService("outside", "")
	n.withPolicy("everything", metav1.LabelSelector{})
	n.withPolicy("front", metav1.LabelSelector{MatchLabels: labelsOf("tier=front")})
	n.withPolicy("api", metav1.LabelSelector{MatchLabels: labelsOf("app=api tier=front")})
	n.withPolicy("some", metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "app", Operator: metav1.LabelSelectorOpIn, Values: []string{"web", "db"}}}})
	n.withPolicy("not-front", metav1.LabelSelector{MatchLabels: labelsOf("app=web"), MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "tier", Operator: metav1.LabelSelectorOpDoesNotExist}}})
	n.withPolicy("unreadable", metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "app", Operator: "Like"}}})
	web := n.withWorkload("web", "app=web tier=front", "requests")
	api := n.withWorkload("api", "app=api tier=front", "requests service=outside,api,gone")
	db := n.withWorkload("db", "app=db", "requests")
	n.withWorkload("plain", "app=web tier=front", "")
	for _, test := range []struct {
		of                         *annotations.Workload
		services, policies, beside string
	}{
		{web, "all web", "everything front some", "web api plain"},
		{api, "api outside", "api everything front", "api"},
		{db, "", "everything some", ""},
	} {
		s := n.Of(test.of)
		if got := [3]string{names(s.Services), names(s.NetworkPolicies), workloadNames(s.Beside)}; got != [3]string{test.services, test.policies, test.beside} {
			t.Errorf("%s: %q, want %q, %q and %q", test.of.Name, got, test.services, test.policies, test.beside)
		}
		if s.Services == nil {
			t.Errorf("%s: it is not known that no Service is its own", test.of.Name)
		}
	}
	if s := New().Of(web); s.Services != nil || s.NetworkPolicies != nil {
		t.Error("where there are none at all, something is known of them")
	}
}

// TestFewBesideAreEnough: of all that share a Service, some of each sort.
func TestFewBesideAreEnough(t *testing.T) {
	n := New()
	n.withService("web", "tier=front")
	for i := range 40 {
		line := ""
		if i%4 == 3 {
			line = "requests"
		}
		n.withWorkload(fmt.Sprint("w", i), "tier=front", line)
	}
	beside := n.Beside([]*corev1.Service{n.services["web"]})
	sleepers := slices.DeleteFunc(slices.Clone(beside), func(w *annotations.Workload) bool { return w.Annotations[annotations.WakeKey] == "" })
	if len(beside) != 2*mostBeside || len(sleepers) != mostBeside || beside[0].Name != "w0" || beside[3].Name != "w3" {
		t.Errorf("%s, of which %s sleep", workloadNames(beside), workloadNames(sleepers))
	}
}

// TestManyServices: a look at one workload is not one at all others, nor at their Services and policies.
func TestManyServices(t *testing.T) {
	clitest.Linear(t, 500, func(count int) func() {
		n, all := New(), make([]*annotations.Workload, count)
		for i := range count {
			pods := fmt.Sprintf("app=w%d tier=front", i)
			n.withService(fmt.Sprint("w", i), pods)
			n.withPolicy(fmt.Sprint("w", i), metav1.LabelSelector{MatchLabels: labelsOf(pods)})
			all[i] = n.withWorkload(fmt.Sprint("w", i), pods, "requests")
		}
		return func() {
			for _, w := range all {
				if s := n.Of(w); names(s.Services) != w.Name || names(s.NetworkPolicies) != w.Name || workloadNames(s.Beside) != w.Name {
					t.Fatalf("%s has %s, %s and %s", w.Name, names(s.Services), names(s.NetworkPolicies), workloadNames(s.Beside))
				}
			}
		}
	})
}
