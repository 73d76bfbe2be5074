package loadsim

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// SetLoad puts a workload under a load from now on; nil is no load. It is the name of a Deployment, or the kind and the name of another
// object that controls pods, or the ReplicaSet of the pods: "StatefulSet/db". It need not exist yet. The last call and the last change of a
// ConfigMap win.
func (s *Server) SetLoad(namespace, workload string, c Curve) {
	s.api.setLoad(time.Now(), types.NamespacedName{Namespace: namespace, Name: workload}, c)
}

// SetFault puts the API under a fault at once, in place of the one before; the zero Fault ends it.
func (s *Server) SetFault(f Fault) { s.api.setFault(f) }

// Lists is the number of requests for a list of pod metrics so far, of all namespaces or of one, also of those that a
// fault or an error answered.
func (s *Server) Lists() int64 { return s.api.lists.Load() }

// Listed is the number of samples that the answers to those requests held.
func (s *Server) Listed() int64 { return s.api.listed.Load() }

// LastSample is the sample set that is being served; the zero Sample before the first one.
func (s *Server) LastSample() Sample {
	last, _ := s.api.last()
	return last
}

// AwaitSample waits until a sample set with a timestamp later than after is served: with the zero time any set, with
// the time of a SetLoad plus the window one that knows nothing but that load. While a Fault holds the set Stale there
// is none. The error wraps ctx's.
func (s *Server) AwaitSample(ctx context.Context, after time.Time) (Sample, error) {
	return s.api.await(ctx, after)
}
