package metrics

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"

	"k8s.io/client-go/rest"
	client "k8s.io/metrics/pkg/client/clientset/versioned/typed/metrics/v1beta1"
)

const (
	// acceptedContent asks for protobuf, which is decoded several times faster than JSON, and takes JSON from
	// implementations of the API that speak nothing else.
	acceptedContent = "application/vnd.kubernetes.protobuf,application/json"
	// listQPS and listBurst bound the client, not the feed: its own schedule asks three times in 0.6 s, and otherwise once a second at most.
	listQPS, listBurst = 5, 10
	// mostListed bounds the text of an answer, decompressed: 150,000 pods, the largest cluster that Kubernetes supports, have 33 MB of protobuf
	// and two to three times that of JSON. It is read as it comes.
	mostListed = 96 << 20
)

// Lister reads the newest sample of every pod of a scope in one call. It must return when ctx ends. The caller owns the
// returned Listing and what it refers to.
type Lister interface {
	List(ctx context.Context) (Listing, error)
}

// podLister lists pods.metrics.k8s.io of one namespace, or of all of them.
type podLister struct {
	client    rest.Interface
	namespace string
	// listed is how many samples the newest answer had.
	listed atomic.Int64
}

// NewLister returns a Lister of metrics.k8s.io/v1beta1 for one namespace, or for all namespaces if it is empty. It works on
// a copy of config with its own rate limit, so that other traffic of the process cannot delay a LIST. The deadline is the
// context's, and config.Timeout is not used. The error says why no client can be made from config.
func NewLister(config *rest.Config, namespace string) (Lister, error) {
	if config == nil {
		return nil, errors.New("make a client of the resource metrics API: no client configuration given")
	}
	own := rest.CopyConfig(config)
	own.AcceptContentTypes = acceptedContent
	own.QPS, own.Burst, own.RateLimiter, own.Timeout = listQPS, listBurst, nil, 0
	own.Wrap(func(next http.RoundTripper) http.RoundTripper { return bounded{next: next, most: mostListed} })
	c, err := client.NewForConfig(own)
	if err != nil {
		return nil, fmt.Errorf("make a client of the resource metrics API: %w", err)
	}
	return &podLister{client: c.RESTClient(), namespace: namespace}, nil
}

// List makes exactly one request. Retries are the schedule's: client-go's own (up to ten on a Retry-After) would use up the
// deadline in silence and turn "service unavailable" into a timeout.
func (l *podLister) List(ctx context.Context) (Listing, error) {
	body, err := l.client.Get().NamespaceIfScoped(l.namespace, l.namespace != "").Resource("pods").MaxRetries(0).Stream(ctx)
	if err != nil {
		return Listing{}, fmt.Errorf("list pods.metrics.k8s.io: %w", err)
	}
	defer body.Close()
	list, err := readList(body, int(l.listed.Load()))
	if err != nil {
		return Listing{}, fmt.Errorf("list pods.metrics.k8s.io: %w", err)
	}
	l.listed.Store(int64(len(list.Samples)))
	return list, nil
}
