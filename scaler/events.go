package scaler

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// Reasons of the Events on a Deployment. Where the HPA controller has a reason for the same thing, it is the same.
const (
	// EventSuccessfulRescale: replicas were written.
	EventSuccessfulRescale = "SuccessfulRescale"
	// EventFailedRescale: the API server refused the write, or for half a minute turned away each one, because others were writing at the
	// same time or it had too much to do.
	EventFailedRescale = "FailedRescale"
	// EventFailedGetResourceMetric: no usable CPU or memory samples. Replicas are held; while other metrics work, they
	// may go up but not down. The same is true of the five below.
	EventFailedGetResourceMetric = recommend.ActiveFailedResource
	// EventFailedGetContainerResourceMetric: the same for a metric of one container.
	EventFailedGetContainerResourceMetric = recommend.ActiveFailedContainer
	// EventFailedGetPodsMetric: the custom metrics API gave no usable values of the pods.
	EventFailedGetPodsMetric = recommend.ActiveFailedPods
	// EventFailedGetObjectMetric: the custom metrics API gave no value of the object.
	EventFailedGetObjectMetric = recommend.ActiveFailedObject
	// EventFailedGetExternalMetric: the external metrics API gave no value.
	EventFailedGetExternalMetric = recommend.ActiveFailedExternal
	// EventMissingRequest: a target that is a percentage of the request, and no request to divide by. If the pod template lacks
	// it, nothing is decided until it is set. If only pods lack it, say for a sidecar that was injected, its container is left
	// out of the decision; where no container has one, replicas are held.
	EventMissingRequest = recommend.ReasonMissingRequest
	// EventValidMetricFound: all metrics of whose failure one of the above has told are usable again.
	EventValidMetricFound = recommend.ActiveValidMetric
	// EventInvalidAnnotations: the annotations have errors, or name a container that is not there; nothing is decided until that
	// changes.
	EventInvalidAnnotations = annotations.FoundInvalid
	// EventConflictingAutoscaler: a HorizontalPodAutoscaler or a KEDA ScaledObject scales the same Deployment; nothing is
	// decided while it does.
	EventConflictingAutoscaler = annotations.FoundConflict
	// EventAnnotationWarning: the workload is scaled, but perhaps not as meant, or only for as long as something else stays as it
	// is, such as a LimitRange.
	EventAnnotationWarning = "AnnotationWarning"
	// EventScalingLimited: the load asks for more than mini-hpa/max.
	EventScalingLimited = "ScalingLimited"
	// EventScalingDisabled: replicas is 0, which pauses autoscaling.
	EventScalingDisabled = recommend.ActiveDisabled
	// EventNodeClockOff: the clock of a node is more than a minute ahead or behind. That does not change how its pods are scaled. It is told
	// once for each node, on the first Deployment that shows it.
	EventNodeClockOff = "NodeClockOff"
	// EventReplicasOverwritten: somebody else sets the replicas again and again, soon after mini-hpa has taken it back, or for the third
	// time in an hour. mini-hpa waits longer each time before it tries again, up to 20 sync periods, and less once the replicas stay.
	EventReplicasOverwritten = "ReplicasOverwritten"
	// EventSecondInstallation: another controller writes replicas under the name mini-hpa; told once, on one Deployment.
	EventSecondInstallation = "SecondInstallation"
	// EventReplicasNotComing: replicas that are asked for do not come, for a sync period because the API server refuses their pods (a
	// quota, most often), or for a minute because no node takes them. They stay asked for, but while pods are refused no more are.
	EventReplicasNotComing = "ReplicasNotComing"
	// EventRescaleObserved: what would have been written, were mini-hpa/mode not observe.
	EventRescaleObserved = "RescaleObserved"
)

// topic is a state that is told only when it changes.
type topic string

const (
	topicProblems topic = "problems"
	topicWarnings topic = "warnings"
	topicMetrics  topic = "metrics"
	topicOmitted  topic = "omitted"
	topicWrite    topic = "write"
	topicPatch    topic = "patch"
	topicMax      topic = "max"
	topicDisabled topic = "disabled"
	topicObserved topic = "observed"
	topicRival    topic = "rival"
	topicMissing  topic = "missing"
)

// news remembers what is now the case and says whether that is new. Nothing being the case is "".
func (st *state) news(about topic, now string) bool {
	if st.told[about] == now {
		return false
	}
	st.told[about] = now
	return now != ""
}

// maxMessage is how much of a message an Event holds (API validation: 1024 bytes).
const maxMessage = 1000

// maxQuoted is how much of an error's own text an Event repeats.
const maxQuoted = 300

// event says it in the cluster and in the log, if the budget allows it.
func (s *Scaler) event(w *annotations.Workload, kind, reason, message string) {
	if !s.budget.Take(w.Key, reason) {
		return
	}
	message = cut(message, maxMessage)
	s.events.Event(w.Reference(), kind, reason, message)
	s.log.Info(message, zap.Stringer("deployment", w.NamespacedName()), zap.String("reason", reason))
}

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
	const separator, most = "; ", 16
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

// tellVerdict tells all problems in one Event and all warnings in another.
func (s *Scaler) tellVerdict(st *state, w *annotations.Workload, v annotations.Verdict) {
	if text := join(v.Problems, func(e *field.Error) string { return e.Error() }); st.news(topicProblems, text) {
		s.event(w, corev1.EventTypeWarning, problemEvent(v.Problems), text)
	}
	if text := join(v.Warnings, annotations.Warning.String); st.news(topicWarnings, text) {
		s.event(w, corev1.EventTypeWarning, EventAnnotationWarning, text)
	}
}

// problemEvent is the reason that fits the first problem: those of the annotations come before those of the template, and
// those before other autoscalers.
func problemEvent(problems field.ErrorList) string {
	switch problems[0].Origin {
	case annotations.FoundConflict:
		return EventConflictingAutoscaler
	case annotations.FoundMissingRequest, annotations.FoundInvalidRequest:
		return EventMissingRequest
	}
	return EventInvalidAnnotations
}

// tell tells everything that a decision shows except its write.
func (s *Scaler) tell(st *state, w *annotations.Workload, p annotations.Policy, decision recommend.Decision) {
	s.tellMetrics(st, w, p, decision)
	s.tellOmitted(st, w, decision)
	s.tellMax(st, w, p, decision)
	s.tellObserved(st, w, p, decision)
	s.tellMissing(st, w, p, decision)
	disabled := ""
	if decision.Active == recommend.ActiveDisabled {
		disabled = decision.Reason.String()
	}
	if st.news(topicDisabled, disabled) {
		s.event(w, corev1.EventTypeNormal, EventScalingDisabled, disabled)
	}
}

// tellMax tells when the load asks for more replicas than mini-hpa/max, which only the user can change.
func (s *Scaler) tellMax(st *state, w *annotations.Workload, p annotations.Policy, decision recommend.Decision) {
	if decision.Active != recommend.ActiveValidMetric {
		return // it is not known what the load asks for
	}
	limited := slices.ContainsFunc(decision.Steps, func(step recommend.Step) bool {
		return step.Stage == recommend.StageBounds && step.Reason == recommend.LimitedTooMany
	})
	if !limited {
		st.told[topicMax] = ""
	} else if st.news(topicMax, fmt.Sprint(p.Max)) {
		s.event(w, corev1.EventTypeWarning, EventScalingLimited, fmt.Sprintf("the load asks for more than %s %d: %s", annotations.Max, p.Max, decision.Reason))
	}
}

// patience is how long a pod may be without a node before that is told: a cluster autoscaler needs about as long to notice.
const patience = time.Minute

// tellMissing tells once why replicas do not come, and again only if all had come in between.
func (s *Scaler) tellMissing(st *state, w *annotations.Workload, p annotations.Policy, decision recommend.Decision) {
	m := decision.Missing
	if m == nil {
		st.told[topicMissing] = ""
		return
	}
	kind, wait := "refused", p.SyncPeriod
	if m.Refused == 0 {
		kind, wait = "unscheduled", max(p.SyncPeriod, patience)
	}
	if decision.Time.Sub(m.Since) >= wait && st.news(topicMissing, kind) {
		s.event(w, corev1.EventTypeWarning, EventReplicasNotComing, m.Text(decision.Current))
	}
}

// tellObserved tells what would have been written, were the mode not observe.
func (s *Scaler) tellObserved(st *state, w *annotations.Workload, p annotations.Policy, decision recommend.Decision) {
	would := ""
	if p.Mode == annotations.ModeObserve && decision.Desired != decision.Current {
		would = fmt.Sprint(decision.Desired)
	}
	if st.news(topicObserved, would) {
		s.event(w, corev1.EventTypeNormal, EventRescaleObserved,
			fmt.Sprintf("Would set size: %s; reason: %s (%s is observe)", would, reasonOf(decision), annotations.ModeKey))
	}
}

// tellRescale tells what was written. Every write is news.
func (s *Scaler) tellRescale(st *state, w *annotations.Workload, decision recommend.Decision) {
	st.told[topicWrite] = ""
	s.event(w, corev1.EventTypeNormal, EventSuccessfulRescale,
		fmt.Sprintf("New size: %d; reason: %s", decision.Desired, reasonOf(decision)))
}

// tellFailedRescale tells what could not be written, once for each kind of error, as the text may differ each time. A refused patch is not
// told again before a patch is stored, however the updates in its place end.
func (s *Scaler) tellFailedRescale(st *state, w *annotations.Workload, decision recommend.Decision, err error, patched bool) {
	kind := cmp.Or(string(apierrors.ReasonForError(err)), "no answer")
	news := st.news(topicWrite, kind)
	if patched && refused(err) {
		news = st.news(topicPatch, kind)
	}
	if news {
		s.event(w, corev1.EventTypeWarning, EventFailedRescale,
			fmt.Sprintf("New size: %d; reason: %s; error: %q", decision.Desired, reasonOf(decision), cut(err.Error(), maxQuoted)))
	}
}

// reasonOf is what drove the decision and, where it was held back, by what.
func reasonOf(decision recommend.Decision) string {
	text := decision.Reason.String()
	for _, step := range decision.Steps {
		limits := step.Stage == recommend.StageOutside || step.Stage == recommend.StageStabilize || step.Stage == recommend.StageBounds || step.Stage == recommend.StagePolicy
		if limits && step.From != step.To && decision.Active != "" {
			text += fmt.Sprintf("; %d instead of %d: %s", step.To, step.From, step.Detail)
		}
	}
	return text
}
