package scaler

import (
	"cmp"
	"fmt"
	"maps"
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

// event says it in the cluster and in the log, if the budget allows it, and notes it in any case.
func (s *Scaler) event(w *annotations.Workload, kind, reason, message string) {
	s.say(w, kind, Entry{Reason: reason, Message: message})
}

// say is event for what may be about a change of the replicas.
func (s *Scaler) say(w *annotations.Workload, kind string, e Entry) {
	e.Time, e.Message = s.now(), cut(e.Message, maxMessage)
	s.chronicle.add(w.Key, e)
	s.publish(w, kind, e.Reason, e.Message)
}

// publish says it in the cluster and in the log, if the budget allows it.
func (s *Scaler) publish(w *annotations.Workload, kind, reason, message string) {
	if !s.budget.Take(w.Key, reason) {
		return
	}
	s.events.Event(w.Reference(), kind, reason, message)
	s.log.Info(message, zap.Stringer("workload", w.Key), zap.String("reason", reason))
}

// tellVerdict tells all problems in one Event and all warnings in another.
func (s *Scaler) tellVerdict(mem *remembered, w *annotations.Workload, v *annotations.Verdict) {
	if mem.news(topicProblems, join(v.Problems, problemNews)) {
		s.event(w, corev1.EventTypeWarning, ProblemEvent(v.Problems), join(v.Problems, problemText(len(v.Problems))))
	}
	if text := join(v.Warnings, annotations.Warning.String); mem.news(topicWarnings, text) {
		s.event(w, corev1.EventTypeWarning, EventAnnotationWarning, text)
	}
}

// problemText is how one of so many problems is told: of many, what they have in common is left out, so that the name of each annotation finds room.
func problemText(many int) func(*field.Error) string {
	const some = 8
	return func(e *field.Error) string {
		if many > some {
			return strings.TrimPrefix(e.Error(), "metadata.annotations")
		}
		return e.Error()
	}
}

// isForbidden says whether a line asks for what its namespace may not ask, be it listed or not.
func isForbidden(problem *field.Error) bool {
	return problem.Origin == annotations.FoundSourceForbidden || problem.Origin == annotations.FoundUnknownSource
}

// problemNews is what has to change for a problem to be told again. What else the administrator allows is not a part of it.
func problemNews(problem *field.Error) string {
	if isForbidden(problem) {
		return fmt.Sprintf("%s %s %v", problem.Origin, problem.Field, problem.BadValue)
	}
	return problem.Error()
}

// ProblemEvent is the reason of the Event that fits the first problem: those of the annotations come before those of the template, and
// those before other autoscalers. There is at least one problem.
func ProblemEvent(problems field.ErrorList) string {
	if isForbidden(problems[0]) {
		return EventSourceForbidden
	}
	switch problems[0].Origin {
	case annotations.FoundConflict:
		return EventConflictingAutoscaler
	case annotations.FoundMissingRequest, annotations.FoundInvalidRequest:
		return EventMissingRequest
	}
	return EventInvalidAnnotations
}

// tell tells everything that a decision shows except its write.
func (s *Scaler) tell(mem *remembered, w *annotations.Workload, p annotations.Policy, decision recommend.Decision) {
	s.tellMetrics(mem, w, p, decision)
	s.tellOmitted(mem, w, decision)
	s.tellMax(mem, w, p, decision)
	s.tellObserved(mem, w, p, decision)
	s.tellMissing(mem, w, p, decision)
	disabled := ""
	if decision.Active == recommend.ActiveDisabled {
		disabled = decision.Reason.String()
		if _, sleeper := s.observer.moment(p); sleeper {
			disabled += fmt.Sprintf(". A workload that is asleep already is paused by %s: %s", annotations.ModeKey, annotations.ModePaused)
		}
	}
	if mem.news(topicDisabled, disabled) {
		s.event(w, corev1.EventTypeNormal, EventScalingDisabled, disabled)
	}
}

// tellMetrics tells of each metric when it fails, and once when all that were told to fail work again.
func (s *Scaler) tellMetrics(mem *remembered, w *annotations.Workload, p annotations.Policy, decision recommend.Decision) {
	working := slices.ContainsFunc(decision.Metrics, func(m recommend.MetricResult) bool { return !m.Failed })
	var causes []cause
	mem.failures, causes = mem.failures.after(s.now(), p, decision)
	for len(causes) > 0 {
		event := causes[0].event
		var one []cause // Event
		causes = slices.DeleteFunc(causes, func(c cause) bool {
			if c.event == event {
				one = append(one, c)
			}
			return c.event == event
		})
		s.event(w, corev1.EventTypeWarning, event, failureText(one, working, p, decision))
		mem.news(topicMetrics, event)
	}
	if mem.told[topicMetrics] != "" && decision.Decided() && !mem.failures.failing() {
		delete(mem.told, topicMetrics)
		s.event(w, corev1.EventTypeNormal, EventValidMetricFound, "metrics are usable again: "+decision.Reason.String())
	}
}

// tellDoubts tells what the last answers of sources show beside their values. While they are not known, what was told holds.
func (s *Scaler) tellDoubts(mem *remembered, w *annotations.Workload, p annotations.Policy, seen recommend.Snapshot) {
	text := ""
	limit, known := limitBelowMax(p, seen)
	if limit != nil {
		text = limit.String()
	}
	if known && mem.news(topicLimit, text) {
		s.event(w, corev1.EventTypeWarning, EventAnnotationWarning, text)
	}
	for _, m := range silent(p, seen) {
		since, fails := mem.history.FailingSince()[m.ID]
		if !fails || seen.Time.Sub(since) < silence || !mem.news(topicSilent+topic(m.ID), "told") {
			continue
		}
		text := sourceSilent(m, fmt.Sprintf(" for %.0f minutes", silence.Minutes()), seen.Errors[m.ID]).String()
		if p.Fallback.Replicas == 0 {
			text += "; how many replicas there are to be meanwhile, " + annotations.FallbackKey + " would say"
		}
		s.event(w, corev1.EventTypeWarning, EventAnnotationWarning, text)
	}
	maps.DeleteFunc(mem.told, func(about topic, _ string) bool {
		id, isSilence := strings.CutPrefix(string(about), string(topicSilent))
		return isSilence && !mem.failures.ofLine(id)
	})
}

// tellOmitted tells which container is left out of the decision because it has no request.
func (s *Scaler) tellOmitted(mem *remembered, w *annotations.Workload, decision recommend.Decision) {
	if decision.Active == recommend.ActiveValidMetric && !decision.Asleep && mem.news(topicOmitted, decision.Omitted) {
		s.event(w, corev1.EventTypeWarning, EventMissingRequest, decision.Omitted+"; set the request, or name the container to measure with "+annotations.Container)
	}
}

// tellMax tells when the load asks for more replicas than mini-hpa/max, which only the user can change.
func (s *Scaler) tellMax(mem *remembered, w *annotations.Workload, p annotations.Policy, decision recommend.Decision) {
	if decision.Active != recommend.ActiveValidMetric || decision.Asleep {
		return // it is not known what the load asks for, or there has not been a chance to do anything about it
	}
	limited := slices.ContainsFunc(decision.Steps, func(step recommend.Step) bool {
		return step.Stage == recommend.StageBounds && step.Reason == recommend.LimitedTooMany
	})
	bound := fmt.Sprintf("%s %d", annotations.Max, p.Max)
	if line, counts := p.Schedule.At(decision.Time); counts && line.SetsMax() {
		if !limited || !mem.newLine(p, line) {
			return
		}
		bound = fmt.Sprintf("the max %d of %s of %s", p.Max, line, annotations.ScheduleKey)
	} else if !limited {
		delete(mem.told, topicMax)
		return
	} else if !mem.news(topicMax, bound) {
		return
	}
	s.event(w, corev1.EventTypeWarning, EventScalingLimited, fmt.Sprintf("the load asks for more than %s: %s", bound, decision.Reason))
}

// tellMissing tells once why replicas do not come, and again only if all had come in between.
func (s *Scaler) tellMissing(mem *remembered, w *annotations.Workload, p annotations.Policy, decision recommend.Decision) {
	m := decision.Missing
	if m == nil {
		delete(mem.told, topicMissing)
		return
	}
	kind := "refused"
	if m.Refused == 0 {
		kind = "unscheduled"
	}
	if isLate(&decision, &p) && mem.news(topicMissing, kind) {
		s.event(w, corev1.EventTypeWarning, EventReplicasNotComing, m.Text(decision.Current))
	}
}

// tellObserved tells what would have been written, were the mode not observe.
func (s *Scaler) tellObserved(mem *remembered, w *annotations.Workload, p annotations.Policy, decision recommend.Decision) {
	would := ""
	if p.Mode == annotations.ModeObserve && decision.Desired != decision.Current {
		would = fmt.Sprint(decision.Desired)
	}
	if mem.news(topicObserved, would) {
		s.event(w, corev1.EventTypeNormal, EventRescaleObserved,
			fmt.Sprintf("Would set size: %s; reason: %s (%s is observe)", would, reasonOf(decision), annotations.ModeKey))
	}
}

// tellRescale tells what was written. Every write is news.
func (s *Scaler) tellRescale(mem *remembered, w *annotations.Workload, decision recommend.Decision) {
	delete(mem.told, topicWrite)
	mem.glance.scale(Rescale{Time: s.now(), From: decision.Current, To: decision.Desired})
	s.say(w, corev1.EventTypeNormal, Entry{Reason: EventSuccessfulRescale, From: decision.Current, To: decision.Desired,
		Message: fmt.Sprintf("New size: %d; reason: %s", decision.Desired, reasonOf(decision))})
}

// NewSize is the number of replicas that the message of a SuccessfulRescale says; false if it is that of something else.
func NewSize(message string) (replicas int32, ok bool) {
	n, err := fmt.Sscanf(message, "New size: %d;", &replicas)
	return replicas, n == 1 && err == nil
}

// tellFailedRescale tells what could not be written, once for each kind of error, as the text may differ each time. A refused patch is not
// told again before a patch is stored, however the updates in its place end.
func (s *Scaler) tellFailedRescale(mem *remembered, w *annotations.Workload, decision recommend.Decision, err error, patched bool) {
	kind := kindOfFailure(err)
	news := mem.news(topicWrite, kind)
	if patched && refused(err) {
		news = mem.news(topicPatch, kind)
	}
	if news {
		s.event(w, corev1.EventTypeWarning, EventFailedRescale,
			fmt.Sprintf("New size: %d; reason: %s; error: %q", decision.Desired, reasonOf(decision), cut(err.Error(), maxQuoted)))
	}
}

// kindOfFailure is what has to change for a failed write to be told again.
func kindOfFailure(err error) string {
	return cmp.Or(string(apierrors.ReasonForError(err)), "no answer")
}

// tellUnsigned tells that it could not be put on record that a workload sleeps, once for each kind of error.
func (s *Scaler) tellUnsigned(mem *remembered, w *annotations.Workload, err error) {
	if mem.news(topicSign, kindOfFailure(err)) {
		s.event(w, corev1.EventTypeWarning, EventFailedRescale, fmt.Sprintf("it sleeps, and that could not be put on record: error: %q; a controller that "+
			"starts anew would take the 0 replicas for a pause, and not wake it", cut(err.Error(), maxQuoted)))
	}
}

// reasonOf is what drove the decision and, where it was held back, by what.
func reasonOf(decision recommend.Decision) string {
	text := decision.Reason.String()
	for _, step := range decision.Steps {
		limits := step.Stage == recommend.StageOutside || step.Stage == recommend.StageStabilize || step.Stage == recommend.StageBounds ||
			step.Stage == recommend.StagePolicy || step.Reason == recommend.ReasonSleepAfter
		if limits && step.From != step.To && decision.Active != "" {
			text += fmt.Sprintf("; %d instead of %d: %s", step.To, step.From, step.Detail)
		}
	}
	return text
}

// tellRival tells who sets the replicas again and again, and what to do.
func (s *Scaler) tellRival(mem *remembered, w *annotations.Workload, decision recommend.Decision, pause time.Duration) {
	if !mem.rival.insists(s.now()) || !mem.news(topicRival, "insists") {
		return
	}
	when := "at once"
	if pause > 0 {
		when = "in " + pause.String()
	}
	s.event(w, corev1.EventTypeWarning, EventReplicasOverwritten, fmt.Sprintf("%s sets the replicas again and again: now to %d, where mini-hpa "+
		"wants %d and tries again %s, later the more often they are overwritten. Take spec.replicas out of the manifest (or let the tool ignore it: "+
		"ignoreDifferences in Argo CD), or remove the other autoscaler; to set replicas by hand, set %s to paused first", writer(w), decision.Current, decision.Desired, when, annotations.ModeKey))
}

// tellClocks tells once of each node whose clock is off, on the workload that shows it first, and once when it is right again.
func (s *Scaler) tellClocks(w *annotations.Workload, changes []clockChange) {
	for _, change := range changes {
		if change.right {
			s.log.Info("the clock of a node is right again", zap.String("node", change.node))
			continue
		}
		s.event(w, corev1.EventTypeWarning, EventNodeClockOff, clockText(change.node, change.ahead))
	}
}

func clockText(node string, ahead time.Duration) string {
	relation := "ahead of"
	if ahead < 0 {
		relation = "behind"
	}
	return fmt.Sprintf("the clock of node %s is %s %s the controller's; its pods are scaled as if it were right, but set it (NTP): certificates, leases and logs depend on it. If many nodes are told of, see to the controller's own node",
		node, ahead.Abs().Round(time.Second), relation)
}

// tellNamesake tells of a second installation, which has changed the replicas from the number before.
func (s *Scaler) tellNamesake(w *annotations.Workload, before int32) {
	s.event(w, corev1.EventTypeWarning, EventSecondInstallation, fmt.Sprintf("somebody else acts as mini-hpa: the replicas went from %d to %d "+
		"under the field manager %q, and this controller has not written them. Of two installations in one cluster remove one, or give each "+
		"a class (--class) or namespaces (--namespace) of its own", before, w.Replicas, annotations.FieldManager))
}

// tellInner tells once of an annotated object that another one is scaled in its place, or may be. It is not noted: the object is no workload, so that nobody can ask for
// what has happened to it, and nothing would be forgotten with it.
func (s *Scaler) tellInner(key annotations.Key, w *annotations.Workload) {
	if s.chain == nil {
		return
	}
	news := innerNews{}
	if w != nil {
		news = innerNews{w.UID, s.innerText(key)}
	}
	if s.inner.news(key, news) {
		s.publish(w, corev1.EventTypeWarning, EventAnnotationWarning, cut(news.text, maxMessage))
	}
}

// innerText is what is told of an inner object. Where the controller of the outer one has copied the annotations, nobody has meant them, and
// nothing is told.
func (s *Scaler) innerText(key annotations.Key) string {
	outer, copied, found := s.chain.Outer(key)
	if copied {
		return ""
	}
	if found {
		return fmt.Sprintf("the annotations here have no effect: %s controls this object, is annotated, too, and is scaled in its place", outer.Title())
	}
	if why := s.chain.Obscured(key); why != "" {
		return "this object is not scaled, because it cannot be known whether what controls it is scaled in its place: " + why
	}
	return ""
}
