package controller

import (
	"go.uber.org/zap"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
	"github.com/mini-hpa/mini-hpa/informer"
)

// kinds follows the custom kinds of these names, and logs when the objects of one can be scaled, and when they cannot.
func kinds(api cluster.Clients, names []schema.GroupResource, failed func(error), log *zap.Logger) (*informer.Kinds, error) {
	return informer.NewKinds(informer.KindsConfig{Dynamic: api.Dynamic, Names: names, Watches: api.Watches, OnError: failed,
		OnChange: func(name schema.GroupResource, kind annotations.Kind, problem error) {
			told := log.With(zap.Stringer("kind", name))
			if problem != nil {
				told.Warn("objects of this kind are not scaled", zap.Error(problem))
				return
			}
			told.Info("objects of this kind are scaled", zap.String("version", kind.Version), zap.String("replicas", kind.ReplicasPath))
		}})
}
