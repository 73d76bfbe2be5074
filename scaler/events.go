package scaler

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// Reasons of the Events on a workload. Where the HPA controller has a reason for the same thing, it is the same.
const (
	// EventSuccessfulRescale: replicas were written.
	EventSuccessfulRescale = "SuccessfulRescale"
	// EventFailedRescale: the API server refused the write, or for half a minute turned away each one, because others were writing at the
	// same time or it had too much to do. Or a sleep could not be put on record as mini-hpa's, so that the controller that starts next would take
	// it for a pause.
	EventFailedRescale = "FailedRescale"
	// EventFailedGetResourceMetric: no usable CPU or memory samples. Replicas are held; while other metrics work, they
	// may go up but not down. The same is true of the six below. Of a workload that sleeps it is told what still wakes it.
	EventFailedGetResourceMetric = recommend.ActiveFailedResource
	// EventFailedGetContainerResourceMetric: the same for a metric of one container.
	EventFailedGetContainerResourceMetric = recommend.ActiveFailedContainer
	// EventFailedGetPodsMetric: the custom metrics API gave no usable values of the pods.
	EventFailedGetPodsMetric = recommend.ActiveFailedPods
	// EventFailedGetObjectMetric: the custom metrics API gave no value of the object.
	EventFailedGetObjectMetric = recommend.ActiveFailedObject
	// EventFailedGetExternalMetric: the external metrics API gave no value.
	EventFailedGetExternalMetric = recommend.ActiveFailedExternal
	// EventFailedGetSource: a source of a line of `mini-hpa/sources` gave no value.
	EventFailedGetSource = recommend.ActiveFailedSource
	// EventMissingRequest: a target that is a percentage of the request, and no request to divide by. If the pod template lacks
	// it, nothing is decided until it is set. If only pods lack it, say for a sidecar that was injected, its container is left
	// out of the decision; where no container has one, replicas are held.
	EventMissingRequest = recommend.ReasonMissingRequest
	// EventValidMetricFound: all metrics of whose failure one of the above has told are usable again.
	EventValidMetricFound = recommend.ActiveValidMetric
	// EventInvalidAnnotations: the annotations have errors, or name a container that is not there; nothing is decided until that
	// changes.
	EventInvalidAnnotations = annotations.FoundInvalid
	// EventSourceForbidden: a line of `mini-hpa/sources` asks for what the administrator's list does not have, or does not allow the namespace;
	// nothing is decided until the line or the list changes.
	EventSourceForbidden = annotations.FoundSourceForbidden
	// EventConflictingAutoscaler: a HorizontalPodAutoscaler or a KEDA ScaledObject scales the same workload; nothing is
	// decided while it does.
	EventConflictingAutoscaler = annotations.FoundConflict
	// EventAnnotationWarning: the workload is scaled, but perhaps not as meant, or only for as long as something else stays as it
	// is, such as a LimitRange. Or it is not scaled, because an object that controls it is annotated, too, and scaled in its place,
	// or because it cannot be known whether one is.
	EventAnnotationWarning = "AnnotationWarning"
	// EventScalingLimited: the load asks for more than mini-hpa/max. Or it asks for more than the max of the line of mini-hpa/schedule that counts, which
	// is told once of each line.
	EventScalingLimited = "ScalingLimited"
	// EventScalingDisabled: somebody has set the replicas to 0, which pauses autoscaling, or mini-hpa/max is 0. A workload that sleeps is not disabled.
	EventScalingDisabled = recommend.ActiveDisabled
	// EventNodeClockOff: the clock of a node is more than a minute ahead or behind. That does not change how its pods are scaled. It is told
	// once for each node, on the first workload that shows it.
	EventNodeClockOff = "NodeClockOff"
	// EventReplicasOverwritten: somebody else sets the replicas again and again, soon after mini-hpa has taken it back, or for the third
	// time in an hour. mini-hpa waits longer each time before it tries again, up to 20 sync periods, and less once the replicas stay.
	EventReplicasOverwritten = "ReplicasOverwritten"
	// EventSecondInstallation: another controller writes replicas under the name mini-hpa; told once, on one workload.
	EventSecondInstallation = "SecondInstallation"
	// EventReplicasNotComing: replicas that are asked for do not come, for a sync period because the API server refuses their pods (a
	// quota, most often), or for a minute because no node takes them. They stay asked for, but while pods are refused no more are.
	EventReplicasNotComing = "ReplicasNotComing"
	// EventNotPutToSleep: requests wake the workload (`mini-hpa/wake`), there is nothing to do, and it is not put to sleep, because requests
	// could not be led to an activator meanwhile.
	EventNotPutToSleep = "NotPutToSleep"
	// EventRequestsRefused: activators have refused requests, because no pod was ready in time, or too many requests waited already. It is told once in
	// five minutes at most.
	EventRequestsRefused = "RequestsRefused"
	// EventRescaleObserved: what would have been written, were mini-hpa/mode not observe.
	EventRescaleObserved = "RescaleObserved"
)

// Events tells the users of a workload, as client-go's record.EventRecorder does.
type Events interface {
	// Event records an Event of type Normal or Warning. It returns at once and does not write to the object.
	Event(object runtime.Object, kind, reason, message string)
}

// topic is what something is told about that lasts, so that it is told only when it changes.
type topic string

const (
	topicProblems topic = "problems"
	topicWarnings topic = "warnings"
	topicMetrics  topic = "metrics"
	topicOmitted  topic = "omitted"
	topicWrite    topic = "write"
	topicPatch    topic = "patch"
	topicSign     topic = "sign"
	topicMax      topic = "max"
	topicDisabled topic = "disabled"
	topicObserved topic = "observed"
	topicRival    topic = "rival"
	topicMissing  topic = "missing"
	topicLimit    topic = "limit"
	topicGate     topic = "gate"
	topicSilent   topic = "silent " // and the metric
)

// maxMessage is how much of a message an Event holds (API validation: 1024 bytes).
const maxMessage = 1000

// maxQuoted is how much of an error's own text an Event repeats.
const maxQuoted = 300

// cut shortens a message to so many bytes.
func cut(message string, limit int) string {
	if len(message) <= limit {
		return message
	}
	return strings.ToValidUTF8(message[:limit-3], "") + "..."
}

// join makes one message of several. If they are too long together each gets its share: they begin with the key and the
// value, so that none goes unnamed. Of more than a few the rest is counted.
func join[T any](items []T, text func(T) string) string {
	const separator, most = "; ", 24
	rest := ""
	if len(items) > most {
		rest = fmt.Sprintf("%sand %d more", separator, len(items)-most)
		items = items[:most]
	}
	var texts []string
	total := len(rest)
	for _, item := range items {
		texts = append(texts, text(item))
		total += len(texts[len(texts)-1]) + len(separator)
	}
	if total > maxMessage {
		for i := range texts {
			texts[i] = cut(texts[i], (maxMessage-len(rest))/len(texts)-len(separator))
		}
	}
	return strings.Join(texts, separator) + rest
}
