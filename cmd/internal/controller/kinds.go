package controller

import (
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
	"github.com/mini-hpa/mini-hpa/informer"
)

// kinds follows the custom kinds of these names, and logs when the objects of one can be scaled, and when they cannot.
func kinds(api cluster.Clients, names []schema.GroupResource, failed func(error), log *zap.Logger) (*informer.Kinds, error) {
	k := kindsLog{log: log, untold: map[schema.GroupResource]*time.Timer{}}
	return informer.NewKinds(informer.KindsConfig{Dynamic: api.Dynamic, Names: names, Watches: api.Watches, OnError: failed, OnChange: k.changed})
}

// establishing is how long a CustomResourceDefinition that is new may take until its objects are served. Usually it takes some milliseconds.
const establishing = 5 * time.Second

// kindsLog logs what becomes of custom kinds.
type kindsLog struct {
	log *zap.Logger

	mu sync.Mutex
	// untold are the kinds whose definition is not established yet, each with what will tell so.
	untold map[schema.GroupResource]*time.Timer
}

// changed is informer.KindsConfig's OnChange.
func (k *kindsLog) changed(name schema.GroupResource, kind annotations.Kind, problem error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if timer := k.untold[name]; timer != nil {
		timer.Stop()
		delete(k.untold, name)
	}
	told := k.log.With(zap.Stringer("kind", name))
	tell := func() { told.Warn("objects of this kind are not scaled", zap.Error(problem)) }
	switch {
	case errors.Is(problem, informer.ErrNotEstablished):
		k.untold[name] = time.AfterFunc(establishing, tell)
	case problem != nil:
		tell()
	default:
		told.Info("the CustomResourceDefinition of this kind says how its objects are scaled", zap.String("version", kind.Version), zap.String("replicas", kind.ReplicasPath))
	}
}
