package metrics

import (
	"context"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	custommetricsv1beta1 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta1"
	custommetricsv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"
)

// recheck is how long what discovery said is taken for granted. It bounds what a missing API costs, whatever the
// number of workloads that ask for it.
const recheck = 30 * time.Second

// registration knows whether an API is registered with the API server, and in which version to ask it. It is the
// AvailableAPIsGetter of the custom metrics client.
type registration struct {
	api api
	// discover asks for the API group; its error is a NotFound where there is none.
	discover func() (*metav1.APIGroup, error)

	mu      sync.Mutex
	checked time.Time
	version schema.GroupVersion
	err     error
}

// newRegistration asks the API server that the client is for.
func newRegistration(a api, client rest.Interface) *registration {
	return &registration{api: a, discover: func() (*metav1.APIGroup, error) {
		var group metav1.APIGroup
		err := client.Get().AbsPath("/apis", a.group()).Do(context.Background()).Into(&group)
		return &group, err
	}}
}

// PreferredVersion is the version to ask in. Its error says that there is none, or why that is not known.
func (r *registration) PreferredVersion() (schema.GroupVersion, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.checked.IsZero() || r.err != nil && time.Since(r.checked) >= recheck {
		r.check()
	}
	return r.version, r.err
}

// Invalidate asks discovery again if what it said is not new.
func (r *registration) Invalidate() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.checked) >= recheck {
		r.check()
	}
}

// check asks discovery. What it could not say is asked again the next time.
func (r *registration) check() {
	group, err := r.discover()
	r.version, r.err, r.checked = schema.GroupVersion{}, nil, time.Now()
	switch {
	case apierrors.IsNotFound(err):
		r.err = fmt.Errorf("no %s is registered (APIService %s)", r.api, r.api.service())
	case err != nil:
		r.err, r.checked = fmt.Errorf("cannot find out whether the %s is registered: %w", r.api, err), time.Time{}
	default:
		r.version, r.err = r.choose(group)
	}
}

// choose takes the newest version that both sides know, whatever the API server prefers.
func (r *registration) choose(group *metav1.APIGroup) (schema.GroupVersion, error) {
	known := []schema.GroupVersion{custommetricsv1beta2.SchemeGroupVersion, custommetricsv1beta1.SchemeGroupVersion}
	if r.api == externalAPI {
		known = []schema.GroupVersion{externalmetricsv1beta1.SchemeGroupVersion}
	}
	for _, version := range known {
		for _, served := range group.Versions {
			if served.GroupVersion == version.String() {
				return version, nil
			}
		}
	}
	return schema.GroupVersion{}, fmt.Errorf("no %s of a known version is registered (APIService %s)", r.api, r.api.service())
}
