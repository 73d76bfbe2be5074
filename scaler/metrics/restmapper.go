package metrics

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/restmapper"
)

// kinds knows the resource of a kind, which the custom metrics API is asked by. Discovery is asked when the first
// Object metric is, and again when a kind is not known, but not each time.
type kinds struct {
	meta.RESTMapper
	// reset makes the RESTMapper forget what discovery said.
	reset func()

	mu    sync.Mutex
	since time.Time // the last reset
}

func newKinds(client discovery.DiscoveryInterface) *kinds {
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(client))
	return &kinds{RESTMapper: mapper, reset: mapper.Reset}
}

// RESTMapping finds the resource of a kind. That of pods is known without discovery, and so is always there.
func (k *kinds) RESTMapping(kind schema.GroupKind, versions ...string) (*meta.RESTMapping, error) {
	if kind == (schema.GroupKind{Kind: "Pod"}) {
		pods := schema.GroupVersion{Version: "v1"}
		return &meta.RESTMapping{Resource: pods.WithResource("pods"), GroupVersionKind: pods.WithKind("Pod"), Scope: meta.RESTScopeNamespace}, nil
	}
	mapping, err := k.RESTMapper.RESTMapping(kind, versions...)
	if !meta.IsNoMatchError(err) || !k.forget() {
		return mapping, err
	}
	return k.RESTMapper.RESTMapping(kind, versions...)
}

// forget drops what discovery said, unless that is new.
func (k *kinds) forget() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if time.Since(k.since) < recheck {
		return false
	}
	k.since = time.Now()
	k.reset()
	return true
}
