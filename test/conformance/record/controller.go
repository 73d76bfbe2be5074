package record

import (
	"context"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	autoscalinglisters "k8s.io/client-go/listers/autoscaling/v2"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/kubernetes/pkg/apis/autoscaling"
	defaults "k8s.io/kubernetes/pkg/apis/autoscaling/v2"
	"k8s.io/kubernetes/pkg/apis/autoscaling/validation"
	"k8s.io/kubernetes/pkg/controller/podautoscaler"
	"k8s.io/kubernetes/pkg/controller/podautoscaler/metrics"

	"github.com/mini-hpa/mini-hpa/test/conformance/generate"
)

// The settings of kube-controller-manager, all at their defaults in Kubernetes 1.37.
const (
	downscaleStabilization  = 5 * time.Minute
	tolerance               = 0.1
	cpuInitializationPeriod = 5 * time.Minute
	initialReadinessDelay   = 30 * time.Second
)

// Defaulted fills in what the API server fills in.
func Defaulted(hpa *autoscalingv2.HorizontalPodAutoscaler) *autoscalingv2.HorizontalPodAutoscaler {
	hpa = hpa.DeepCopy()
	defaults.SetObjectDefaults_HorizontalPodAutoscaler(hpa)
	return hpa
}

// Validate says what the API server would.
func Validate(hpa *autoscalingv2.HorizontalPodAutoscaler) error {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{autoscaling.AddToScheme, defaults.AddToScheme} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	internal := &autoscaling.HorizontalPodAutoscaler{}
	if err := scheme.Convert(hpa, internal, nil); err != nil {
		return err
	}
	return validation.ValidateHorizontalPodAutoscaler(internal, validation.HorizontalPodAutoscalerSpecValidationOptions{
		MinReplicasLowerBound:          0, // the feature gate HPAScaleToZero is on by default
		ObjectMetricsValidationOptions: validation.CrossVersionObjectReferenceValidationOptions{AllowEmptyAPIGroup: true},
	}).ToAggregate()
}

// informer is an informer that somebody else fills.
type informer struct {
	cache.SharedIndexInformer
	store    cache.Indexer
	handlers []cache.ResourceEventHandler
}

func newInformer() *informer {
	return &informer{store: cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})}
}

// AddEventHandlerWithResyncPeriod remembers the handler.
func (i *informer) AddEventHandlerWithResyncPeriod(h cache.ResourceEventHandler, _ time.Duration) (cache.ResourceEventHandlerRegistration, error) {
	i.handlers = append(i.handlers, h)
	return nil, nil
}

// GetStore is where the controller asks how new its cache is, which this one does not say.
func (i *informer) GetStore() cache.Store { return i.store }

// HasSynced is always true.
func (i *informer) HasSynced() bool { return true }

type hpaInformer struct{ *informer }

// Informer is the one behind the lister.
func (i hpaInformer) Informer() cache.SharedIndexInformer { return i.informer }

// Lister lists what is in the store.
func (i hpaInformer) Lister() autoscalinglisters.HorizontalPodAutoscalerLister {
	return autoscalinglisters.NewHorizontalPodAutoscalerLister(i.store)
}

type podInformer struct{ *informer }

// Informer is the one behind the lister.
func (i podInformer) Informer() cache.SharedIndexInformer { return i.informer }

// Lister lists what is in the store.
func (i podInformer) Lister() corelisters.PodLister { return corelisters.NewPodLister(i.store) }

func newController(ctx context.Context, c *cluster, period time.Duration) *podautoscaler.HorizontalController {
	kinds := generate.Kinds()
	var versions []schema.GroupVersion
	for _, k := range kinds {
		versions = append(versions, k.GroupVersion())
	}
	mapper := meta.NewDefaultRESTMapper(versions)
	for _, k := range kinds {
		plural := k.GroupVersion().WithResource(k.Resource)
		mapper.AddSpecific(k.GroupVersionKind, plural, plural, meta.RESTScopeNamespace)
	}
	return podautoscaler.NewHorizontalController(ctx, events{}, c, c, mapper, metrics.NewRESTMetricsClient(c, custom{c}, external{c}),
		hpaInformer{c.hpas}, podInformer{c.pods}, period, downscaleStabilization, tolerance, cpuInitializationPeriod, initialReadinessDelay)
}
