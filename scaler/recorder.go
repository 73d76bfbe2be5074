package scaler

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
)

// lanes is how many Events are written at a time. A broadcaster writes one after the other, keeps a thousand, and drops what comes
// then: a load step on all workloads of a big cluster is more than that.
const lanes = 16

// remembered is of how many objects and reasons each lane knows what it has said, to count what is repeated: 4096 in all, as many as
// one broadcaster has by default. With the default for each lane it would be 16 times as many, of workloads that are long gone.
const remembered = 4096 / lanes

// NewRecorder records Events as component "mini-hpa". Its spam filter counts each reason of a workload by itself (the
// usual one counts all of a workload together: 25 at once, then one in 5 minutes), so that a metric that keeps failing
// cannot use up what scaling Events need; it knows the newest 4096 of them. Events of one workload are written in order. The
// returned function ends it, after what is under way was written or a few seconds have passed.
func NewRecorder(client kubernetes.Interface) (Events, func()) {
	r := make(recorder, lanes)
	for i := range r {
		r[i] = newLane(client)
	}
	return r, r.end
}

// lane is one broadcaster with its sink.
type lane struct {
	record.EventRecorder
	broadcaster record.EventBroadcaster
	sink        *flushable
}

func newLane(client kubernetes.Interface) lane {
	broadcaster := record.NewBroadcaster(record.WithCorrelatorOptions(record.CorrelatorOptions{SpamKeyFunc: spamKey, LRUCacheSize: remembered}))
	sink := &flushable{EventSink: &typedcorev1.EventSinkImpl{Interface: client.CoreV1().Events("")}, flushed: make(chan struct{})}
	broadcaster.StartRecordingToSink(sink)
	return lane{broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: FieldManager}), broadcaster, sink}
}

// recorder has each object's Events in a lane of its own.
type recorder []lane

// Event records an Event of type Normal or Warning.
func (r recorder) Event(object runtime.Object, kind, reason, message string) {
	r.lane(object).Event(object, kind, reason, message)
}

func (r recorder) lane(object runtime.Object) lane {
	named, err := meta.Accessor(object)
	if err != nil {
		return r[0] // a reference
	}
	return r[int(share(cache.ObjectName{Namespace: named.GetNamespace(), Name: named.GetName()})*float64(len(r)))]
}

// end waits until every lane has written what it was given before.
func (r recorder) end() {
	late := time.After(flushTimeout)
	for _, l := range r {
		defer l.broadcaster.Shutdown()
		l.Event(&corev1.ObjectReference{Kind: "Flush", Namespace: "default"}, corev1.EventTypeNormal, flushReason, "")
	}
	for _, l := range r {
		select {
		case <-l.sink.flushed:
		case <-late:
			return
		}
	}
}

// spamKey is the workload and the reason.
func spamKey(event *corev1.Event) string {
	return string(event.InvolvedObject.UID) + "/" + event.Type + "/" + event.Reason
}

const (
	// flushReason marks the Event that is recorded last and goes nowhere.
	flushReason = "Flush"
	// flushTimeout leaves time for the rest of a graceful end within the usual 30 s (terminationGracePeriodSeconds).
	flushTimeout = 5 * time.Second
)

// flushable is a sink that knows when it is done. A broadcaster hands Events to its sink in order, one after the other,
// but cannot be asked whether any are left: the arrival of the last one tells.
type flushable struct {
	record.EventSink
	flushed chan struct{}
}

// Create writes an Event, but for the last one.
func (f *flushable) Create(event *corev1.Event) (*corev1.Event, error) {
	if event.Reason == flushReason {
		close(f.flushed)
		return event, nil
	}
	return f.EventSink.Create(event)
}
