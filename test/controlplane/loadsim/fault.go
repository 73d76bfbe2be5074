package loadsim

import (
	"context"
	"hash/fnv"
	"math"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

// Fault is what goes wrong with the metrics; the zero Fault is none. Discovery keeps working under every fault, so that
// the API server goes on passing requests through and the first good answer comes as soon as the fault is taken back;
// for a metrics API that is gone altogether, Close the Server.
type Fault struct {
	// Error answers every request for metrics with this HTTP status code and a Status object; 0 is none.
	Error int
	// Delay holds every answer back, an error too, or until the client gives up.
	Delay time.Duration
	// Stale publishes no more sample sets: the present one is served on, its timestamps grow old.
	Stale bool
	// Partial is the share of each workload's sampled pods that is left out, 0 to 1, rounded half up to whole pods:
	// the first ones by name. Pods that no Deployment owns count as one workload.
	Partial float64
	// Ahead is how far the clocks are ahead that stamp the samples of a Skewed share of all pods, 0 to 1; negative is behind. It is always
	// the same pods.
	Ahead  time.Duration
	Skewed float64
	// Empty leaves every pod and node out: lists are empty, a single one is not found.
	Empty bool
}

// hides says whether the fault leaves out the pod of that rank (by name, from 0) among the count sampled pods of a workload.
func (f Fault) hides(rank, count int) bool {
	return f.Empty || float64(rank) < math.Floor(f.Partial*float64(count)+0.5)
}

// stamp is the timestamp of a pod's sample that was taken at a time.
func (f Fault) stamp(pod types.UID, at time.Time) time.Time {
	hash := fnv.New32a()
	hash.Write([]byte(pod)) // never fails
	if float64(hash.Sum32()) < f.Skewed*(1<<32) {
		return at.Add(f.Ahead)
	}
	return at
}

// strike delays and refuses a request as the fault wants. It returns early when the request ends.
func (f Fault) strike(ctx context.Context, resource string) error {
	if f.Delay > 0 {
		timer := time.NewTimer(f.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return apierrors.NewTimeoutError("the request ended before its delay", 0)
		}
	}
	if f.Error == 0 {
		return nil
	}
	return apierrors.NewGenericServerResponse(f.Error, http.MethodGet, metricsv1beta1.Resource(resource), "",
		"fault set in loadsim", 0, false)
}
