package chart

import (
	"context"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	discoveryclient "k8s.io/client-go/kubernetes/typed/discovery/v1"
	"k8s.io/client-go/rest"

	"github.com/mini-hpa/mini-hpa/test/controlplane"
)

// sliceOf is an EndpointSlice as mini-hpa writes it, but for what a case changes.
func sliceOf(name string, change func(*discoveryv1.EndpointSlice)) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: name, Namespace: "shop", Labels: map[string]string{discoveryv1.LabelServiceName: "web", discoveryv1.LabelManagedBy: "mini-hpa"}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: new("http"), Port: new(int32(20017)), Protocol: new(corev1.ProtocolTCP)}},
		Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"10.9.9.1"},
			TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: home, Name: "mini-hpa-activator-6d4cf56db6-x7k2p"}}},
	}
	if change != nil {
		change(s)
	}
	return s
}

// TestSlicesAreMiniHPAsAlone installs the chart's policy in an API server in which the accounts may do anything else: mini-hpa can lead requests to its
// activators and nowhere else, and nobody else can write what passes for its own.
func TestSlicesAreMiniHPAsAlone(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs a control plane, which -short leaves out")
	}
	cluster := controlplane.Start(t, controlplane.Options{Out: t.Output()})
	client, err := kubernetes.NewForConfig(cluster.Config())
	must(t, "make a client", err)
	for _, name := range []string{home, "shop"} {
		_, err := client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
		must(t, "create a namespace", err)
	}
	objects := renderYAML(t, "activator: {enabled: true}")
	policies := client.AdmissionregistrationV1()
	policy := typedAs[admissionregistrationv1.ValidatingAdmissionPolicy](t, pick(t, objects, "ValidatingAdmissionPolicy", release+"-activator-slices"))
	_, err = policies.ValidatingAdmissionPolicies().Create(t.Context(), policy, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
	must(t, "create the policy", err)
	binding := typedAs[admissionregistrationv1.ValidatingAdmissionPolicyBinding](t, pick(t, objects, "ValidatingAdmissionPolicyBinding", release+"-activator-slices"))
	_, err = policies.ValidatingAdmissionPolicyBindings().Create(t.Context(), binding, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
	must(t, "bind the policy", err)

	as := func(user string) discoveryclient.EndpointSliceInterface {
		config := rest.CopyConfig(cluster.Config())
		config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: []string{"system:masters"}}
		c, err := kubernetes.NewForConfig(config)
		must(t, "make a client", err)
		return c.DiscoveryV1().EndpointSlices("shop")
	}
	own, other := as("system:serviceaccount:"+home+":"+release), as("system:serviceaccount:shop:deployer")
	create := func(by discoveryclient.EndpointSliceInterface, s *discoveryv1.EndpointSlice) error {
		_, err := by.Create(t.Context(), s, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err
	}
	eventually(t, "the policy counts", func(context.Context) (bool, string) {
		err := create(other, sliceOf("mini-hpa-web", nil))
		return apierrors.IsInvalid(err) || apierrors.IsForbidden(err), "a slice of somebody else was taken"
	})

	const (
		names = "called mini-hpa-* and labelled endpointslice.kubernetes.io/managed-by=mini-hpa"
		ports = "whose ports are from 20000-29999"
		pods  = "whose endpoints are pods of its activators"
		alone = "are written by mini-hpa alone"
	)
	for name, test := range map[string]struct {
		by   discoveryclient.EndpointSliceInterface
		what *discoveryv1.EndpointSlice
		want string // of the refusal; empty if there is none
	}{
		"its own":            {own, sliceOf("mini-hpa-web", nil), ""},
		"without endpoints":  {own, sliceOf("mini-hpa-web", func(s *discoveryv1.EndpointSlice) { s.Endpoints, s.Ports = nil, nil }), ""},
		"another name":       {own, sliceOf("web-x7k2p", nil), names},
		"another's label":    {own, sliceOf("mini-hpa-web", func(s *discoveryv1.EndpointSlice) { s.Labels[discoveryv1.LabelManagedBy] = "me" }), names},
		"no labels":          {own, sliceOf("mini-hpa-web", func(s *discoveryv1.EndpointSlice) { s.Labels = nil }), names},
		"a port below":       {own, sliceOf("mini-hpa-web", func(s *discoveryv1.EndpointSlice) { s.Ports[0].Port = new(int32(443)) }), ports},
		"a port above":       {own, sliceOf("mini-hpa-web", func(s *discoveryv1.EndpointSlice) { s.Ports[0].Port = new(int32(30000)) }), ports},
		"no port":            {own, sliceOf("mini-hpa-web", func(s *discoveryv1.EndpointSlice) { s.Ports[0].Port = nil }), ports},
		"somebody's address": {own, sliceOf("mini-hpa-web", func(s *discoveryv1.EndpointSlice) { s.Endpoints[0].TargetRef = nil }), pods},
		"somebody's pod":     {own, sliceOf("mini-hpa-web", func(s *discoveryv1.EndpointSlice) { s.Endpoints[0].TargetRef.Namespace = "shop" }), pods},
		"the controller's":   {own, sliceOf("mini-hpa-web", func(s *discoveryv1.EndpointSlice) { s.Endpoints[0].TargetRef.Name = "mini-hpa-5d8f" }), pods},
		"one of several": {own, sliceOf("mini-hpa-web", func(s *discoveryv1.EndpointSlice) {
			s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{Addresses: []string{"10.9.9.2"}})
		}), pods},
		"somebody else's own": {other, sliceOf("web-1", func(s *discoveryv1.EndpointSlice) {
			s.Labels[discoveryv1.LabelManagedBy] = "me"
			s.Endpoints[0].TargetRef = nil
		}), ""},
		"that passes for it":    {other, sliceOf("web-1", nil), alone},
		"of its name but label": {other, sliceOf("mini-hpa-web", func(s *discoveryv1.EndpointSlice) { s.Labels = nil }), ""},
	} {
		refused(t, name, create(test.by, test.what), test.want)
	}

	_, err = own.Create(t.Context(), sliceOf("mini-hpa-web", nil), metav1.CreateOptions{})
	must(t, "create its own", err)
	foreign := sliceOf("web-x7k2p", func(s *discoveryv1.EndpointSlice) {
		s.Labels[discoveryv1.LabelManagedBy] = "endpointslice-controller.k8s.io"
	})
	_, err = other.Create(t.Context(), foreign, metav1.CreateOptions{})
	must(t, "create somebody's", err)
	update := func(by discoveryclient.EndpointSliceInterface, s *discoveryv1.EndpointSlice) error {
		_, err := by.Update(t.Context(), s, metav1.UpdateOptions{DryRun: []string{metav1.DryRunAll}})
		return err
	}
	remove := func(by discoveryclient.EndpointSliceInterface, name string) error {
		return by.Delete(t.Context(), name, metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}})
	}
	takeOver := func(s *discoveryv1.EndpointSlice) { s.Labels[discoveryv1.LabelManagedBy] = "me" }
	refused(t, "it updates its own", update(own, sliceOf("mini-hpa-web", nil)), "")
	refused(t, "it makes somebody's its own", update(own, sliceOf("web-x7k2p", nil)), names)
	refused(t, "it deletes its own", remove(own, "mini-hpa-web"), "")
	refused(t, "it deletes somebody's", remove(own, "web-x7k2p"), names)
	refused(t, "somebody updates its own", update(other, sliceOf("mini-hpa-web", nil)), alone)
	refused(t, "somebody takes its own over", update(other, sliceOf("mini-hpa-web", takeOver)), alone)
	refused(t, "somebody deletes its own", remove(other, "mini-hpa-web"), "")
	refused(t, "the garbage collector updates its own", update(as("system:serviceaccount:kube-system:generic-garbage-collector"), sliceOf("mini-hpa-web", nil)), "")
}

// refused checks that a write is refused with what is wanted, or taken if that is empty.
func refused(t *testing.T, what string, err error, want string) {
	t.Helper()
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("%s: %v, want %q", what, err, want)
	}
}
