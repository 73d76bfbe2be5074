package clitest

import (
	"errors"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"
	kubetesting "k8s.io/client-go/testing"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// FakeCluster answers from memory.
type FakeCluster struct {
	Core    *fake.Clientset
	Dynamic *dynamicfake.FakeDynamicClient
}

// NewFakeCluster has, in namespace shop, a LimitRange that requests 100m, an HPA of KEDA and its ScaledObject for web,
// and an HPA for api.
func NewFakeCluster() FakeCluster {
	hpa := func(name, target string, owners ...metav1.OwnerReference) *autoscalingv2.HorizontalPodAutoscaler {
		return &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, OwnerReferences: owners},
			Spec: autoscalingv2.HorizontalPodAutoscalerSpec{ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: target}}}
	}
	limits := &corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "limits"}, Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{
		{Type: corev1.LimitTypeContainer, DefaultRequest: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m")}}}}}
	scaled := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject",
		"metadata": map[string]any{"namespace": "shop", "name": "queue"}, "spec": map[string]any{"scaleTargetRef": map[string]any{"name": "web"}, "triggers": []any{}}}}
	return FakeCluster{
		Core: fake.NewClientset(limits, hpa("api", "api"), hpa("keda-hpa-queue", "web", metav1.OwnerReference{
			APIVersion: "keda.sh/v1alpha1", Kind: "ScaledObject", Name: "queue", Controller: new(true)})),
		Dynamic: dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(),
			map[schema.GroupVersionResource]string{{Group: annotations.GroupKEDA, Version: "v1alpha1", Resource: "scaledobjects"}: "ScaledObjectList",
				{Group: annotations.GroupResizer, Version: "v1", Resource: "verticalpodautoscalers"}: "VerticalPodAutoscalerList"}, scaled),
	}
}

// Refuse lets the lists of a resource fail.
func (c FakeCluster) Refuse(name string, err error) {
	fail := func(kubetesting.Action) (bool, runtime.Object, error) { return true, nil, err }
	c.Core.PrependReactor("list", name, fail)
	c.Dynamic.PrependReactor("list", name, fail)
}

// Forbidden is the error of somebody who may not list a resource, with text that a terminal would obey.
func Forbidden(what string) error {
	return apierrors.NewForbidden(schema.GroupResource{Resource: what}, "", errors.New("not you\x1b[31m"))
}
