package scaler

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/record"
)

// NewRecorder records Events as component "mini-hpa". Its spam filter counts each reason of a workload by itself (the
// usual one counts all of a workload together: 25 at once, then one in 5 minutes), so that a metric that keeps failing
// cannot use up what scaling Events need. The returned function ends it, after what is under way was written or a few
// seconds have passed.
func NewRecorder(client kubernetes.Interface) (record.EventRecorder, func()) {
	broadcaster := record.NewBroadcaster(record.WithCorrelatorOptions(record.CorrelatorOptions{SpamKeyFunc: spamKey}))
	sink := &flushable{EventSink: &typedcorev1.EventSinkImpl{Interface: client.CoreV1().Events("")}, flushed: make(chan struct{})}
	broadcaster.StartRecordingToSink(sink)
	recorder := broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: FieldManager})
	return recorder, func() {
		defer broadcaster.Shutdown()
		recorder.Event(&corev1.ObjectReference{Kind: "Flush", Namespace: "default"}, corev1.EventTypeNormal, flushReason, "")
		select {
		case <-sink.flushed:
		case <-time.After(flushTimeout):
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
