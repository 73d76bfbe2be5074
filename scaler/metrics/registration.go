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
// number of workloads that ask for it. forgive is the same for what it could not say.
const (
	recheck = 30 * time.Second
	forgive = 3 * time.Second
)

// api is an aggregated API that is asked question by question.
type api struct {
	name    string
	group   string
	service string // the APIService by which an adapter registers
}

func customAPI() api {
	return api{"custom metrics API", custommetricsv1beta2.GroupName, "v1beta2.custom.metrics.k8s.io"}
}

func externalAPI() api {
	return api{"external metrics API", externalmetricsv1beta1.GroupName, "v1beta1.external.metrics.k8s.io"}
}

// String is what messages call the API.
func (a api) String() string { return a.name }

// Close does nothing: the connections are the API server's, and shared with other clients of it.
func (a api) Close() {}

// registration knows whether an API is registered with the API server, and in which version to ask it.
type registration struct {
	api
	// discover asks for the API group; its error is a NotFound if there is none. It has a deadline of its own.
	discover func() (*metav1.APIGroup, error)

	mu sync.Mutex
	// finding is closed when the look-up under way has ended; nil if none is.
	finding chan struct{}
	// checked is when the last one ended, version and err what came of it.
	checked time.Time
	version schema.GroupVersion
	err     error
	// unsure says that discovery did not say anything, doubted that what it said seems to be out of date.
	unsure, doubted bool
}

// newRegistration asks the API server that the client is for.
func newRegistration(a api, client rest.Interface) *registration {
	return &registration{api: a, discover: func() (*metav1.APIGroup, error) {
		var group metav1.APIGroup
		err := client.Get().AbsPath("/apis", a.group).Do(context.Background()).Into(&group)
		return &group, err
	}}
}

// preferred returns the version to ask in. Its error says that there is none, or why that is not known. If discovery has to be asked, it
// is asked once for all that wait, and each waits until its ctx ends.
func (r *registration) preferred(ctx context.Context) (schema.GroupVersion, error) {
	r.mu.Lock()
	if r.finding == nil && r.due() {
		r.finding = make(chan struct{})
		go r.find()
	}
	finding := r.finding
	r.mu.Unlock()
	if finding != nil {
		select {
		case <-finding:
		case <-ctx.Done():
			return schema.GroupVersion{}, r.unknown(ctx.Err())
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.version, r.err
}

// due says whether it is time to look up.
func (r *registration) due() bool {
	switch age := time.Since(r.checked); {
	case r.checked.IsZero() || r.doubted:
		return true
	case r.unsure:
		return age >= forgive
	default:
		return r.err != nil && age >= recheck
	}
}

// doubt has discovery asked again if what it said is not new.
func (r *registration) doubt() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.doubted = time.Since(r.checked) >= recheck
}

// find asks discovery, without holding up those who do not need to know.
func (r *registration) find() {
	group, err := r.discover()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.version, r.err, r.checked = schema.GroupVersion{}, nil, time.Now()
	r.unsure, r.doubted = false, false
	switch {
	case apierrors.IsNotFound(err):
		r.err = fmt.Errorf("no %s is registered (APIService %s)", r.api, r.api.service)
	case err != nil:
		r.err, r.unsure = r.unknown(err), true
	default:
		r.version, r.err = r.choose(group)
	}
	close(r.finding)
	r.finding = nil
}

func (r *registration) unknown(err error) error {
	return fmt.Errorf("cannot find out whether the %s is registered: %w", r.api, err)
}

// choose takes the newest version that both sides know, whatever the API server prefers.
func (r *registration) choose(group *metav1.APIGroup) (schema.GroupVersion, error) {
	known := []schema.GroupVersion{custommetricsv1beta2.SchemeGroupVersion, custommetricsv1beta1.SchemeGroupVersion}
	if r.api == externalAPI() {
		known = []schema.GroupVersion{externalmetricsv1beta1.SchemeGroupVersion}
	}
	for _, version := range known {
		for _, served := range group.Versions {
			if served.GroupVersion == version.String() {
				return version, nil
			}
		}
	}
	return schema.GroupVersion{}, fmt.Errorf("no %s of a known version is registered (APIService %s)", r.api, r.api.service)
}
