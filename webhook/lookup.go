package webhook

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
)

const (
	// maxComparedBytes is how large a workload may be to be looked up, in bytes of JSON: it is decoded in full, which can take a
	// few hundred times its size. For a larger one, the answer is that it is not known.
	maxComparedBytes = 128 << 10
	// lookupTimeout is how long one lookup may take, of the 5 s that the API server gives the webhook.
	lookupTimeout = 2 * time.Second
	// maxLookups is how many lookups of one kind may be under way at a time.
	maxLookups = 2
)

// lookups asks the API server about a workload that is about to be refused. It has clients of its own, so that it delays nothing
// else, and bounds of its own, because strangers can cause lookups.
type lookups struct {
	metadata metadata.Interface
	objects  kubernetes.Interface
	turns    chan struct{}
}

func newLookups(m metadata.Interface, objects kubernetes.Interface) lookups {
	return lookups{metadata: m, objects: objects, turns: make(chan struct{}, maxLookups)}
}

// begin waits for a turn, and returns the context of a lookup and what ends it. Without a turn in time it returns false.
func (l *lookups) begin(ctx context.Context) (_ context.Context, end func(), ok bool) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	select {
	case l.turns <- struct{}{}:
		return ctx, func() { <-l.turns; cancel() }, true
	case <-ctx.Done():
		cancel()
		return nil, nil, false
	}
}

// cached asks for what the API server has in memory: what a lookup is for is old enough to be there.
var cached = metav1.GetOptions{ResourceVersion: "0"}
