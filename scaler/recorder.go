package scaler

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/record"
)

// NewRecorder records Events as component "mini-hpa". Its spam filter counts each reason of a workload by itself (the
// usual one counts all of a workload together: 25 at once, then one in 5 minutes), so that a metric that keeps failing
// cannot use up what scaling Events need. The returned function ends it; Events that are under way get a moment.
func NewRecorder(client kubernetes.Interface) (record.EventRecorder, func()) {
	broadcaster := record.NewBroadcaster(record.WithCorrelatorOptions(record.CorrelatorOptions{SpamKeyFunc: spamKey}))
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: client.CoreV1().Events("")})
	recorder := broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: FieldManager})
	return recorder, broadcaster.Shutdown
}

// spamKey is the workload and the reason.
func spamKey(event *corev1.Event) string {
	return string(event.InvolvedObject.UID) + "/" + event.Type + "/" + event.Reason
}
