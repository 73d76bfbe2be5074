package scaler

import (
	"cmp"
	"slices"
	"strings"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
	"github.com/mini-hpa/mini-hpa/scaler/wake"
)

// Shown is all that can be shown of one workload.
type Shown struct {
	// Status is its row among the others.
	Status Status `json:"status"`
	// Annotations are its own that mini-hpa reads. Together with Defaults they are the policy.
	Annotations map[string]string `json:"annotations"`
	// Problems keep it from being scaled: there is no decision then, unless it sleeps and is to be woken because of them.
	Problems []string `json:"problems,omitempty"`
	// ProblemEvent is the reason of the Event that tells them.
	ProblemEvent string                `json:"problemEvent,omitempty"`
	Warnings     []annotations.Warning `json:"warnings,omitempty"`
	// Snapshot is what the last decision was made on, and Decision the last decision; nil where nothing is decided.
	Snapshot *recommend.Snapshot `json:"snapshot,omitempty"`
	Decision *recommend.Decision `json:"decision,omitempty"`
	// Leads are where requests to its Services go, where requests wake it.
	Leads []wake.Lead `json:"leads,omitempty"`
	// Requests is what is known of its requests; nil where they do not wake it.
	Requests *RequestsShown `json:"requests,omitempty"`
	// Replies are when and how sources were asked for their newest answers, which may be newer than the decision, by the metrics' ID.
	Replies map[string]metrics.Reply `json:"replies,omitempty"`
	// Chronicle is what has happened to it since this process leads, the oldest first.
	Chronicle []Entry `json:"history,omitempty"`
}

// Standing lists the workloads that are remembered and that wanted wants, by namespace, name and kind.
func (s *Scaler) Standing(wanted func(annotations.Key) bool) []annotations.Key {
	keys := s.memory.some(wanted)
	slices.SortFunc(keys, CompareKeys)
	return keys
}

// CompareKeys puts workloads into the order of a table: by namespace, name and kind.
func CompareKeys(a, b annotations.Key) int {
	return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name), strings.Compare(a.Kind.Kind, b.Kind.Kind), strings.Compare(a.Kind.Group, b.Kind.Group))
}

// Status is how a workload stands after the last look at it; false if it is not known, or gone. Any goroutine may ask.
func (s *Scaler) Status(key annotations.Key) (Status, bool) {
	p, ok := s.standpoint(key)
	if !ok {
		return Status{}, false
	}
	return p.status(), true
}

// Chronicle is what has happened to a workload since this process leads, the oldest first. Any goroutine may ask.
func (s *Scaler) Chronicle(key annotations.Key) []Entry { return s.chronicle.of(key) }

// Show is everything about a workload; false if it is not known, or gone. Any goroutine may ask.
func (s *Scaler) Show(key annotations.Key) (Shown, bool) {
	p, ok := s.standpoint(key)
	if !ok {
		return Shown{}, false
	}
	shown := Shown{Status: p.status(), Annotations: map[string]string{}, Warnings: p.warnings, Chronicle: s.chronicle.of(key), Decision: p.decision}
	for name, value := range p.workload.Annotations {
		if strings.HasPrefix(name, annotations.Prefix) {
			shown.Annotations[name] = value
		}
	}
	for _, problem := range p.problems {
		shown.Problems = append(shown.Problems, problem.Error())
	}
	if len(p.problems) > 0 {
		shown.ProblemEvent = ProblemEvent(p.problems)
	}
	if p.decision != nil {
		shown.Leads, shown.Requests = s.leads(key), s.requestsShown(p.remembered, key, p.policy)
		policy := s.observer.counted(p.whole)
		shown.Snapshot, shown.Replies = &p.snapshot, s.observer.replies(p.workload, policy, s.observer.Answers.Reply)
		shown.Warnings = slices.Concat(shown.Warnings, doubts(policy, p.snapshot))
	}
	return shown, true
}

// standpoint makes the last decision again, of the same values.
func (s *Scaler) standpoint(key annotations.Key) (standpoint, bool) {
	mem, w := s.memory.find(key), s.observer.Workloads.Workload(key)
	if mem == nil || w == nil || mem.uid != w.UID {
		return standpoint{}, false
	}
	v, snapshot, before, marks := mem.glance.read()
	p := standpoint{remembered: mem, workload: w, pods: s.observer.Workloads.Pods(w), marks: marks, now: s.now()}
	if v == nil {
		return p, true
	}
	p.policy, _ = s.observer.moment(v.Policy)
	p.whole, p.problems, p.mode, p.warnings = v.Policy, v.Problems, v.Mode, v.Warnings
	if !snapshot.Time.IsZero() {
		decision, _ := s.observer.Rules.Recommend(v.Policy, snapshot, before)
		p.decision, p.snapshot = &decision, snapshot
	}
	return p, true
}
