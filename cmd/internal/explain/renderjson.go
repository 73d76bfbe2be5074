package explain

import (
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/scaler"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
	"github.com/mini-hpa/mini-hpa/scaler/wake"
)

// explanationJSON is the machine form of an explanation. Its policy is in the words of autoscaling/v2.
type explanationJSON struct {
	Kind      string             `json:"kind"`
	Namespace string             `json:"namespace"`
	Name      string             `json:"name"`
	Policy    policyJSON         `json:"policy"`
	Warnings  []warningJSON      `json:"warnings,omitempty"`
	Snapshot  recommend.Snapshot `json:"snapshot"`
	Decision  recommend.Decision `json:"decision"`
	// Replies are by the metrics' ID.
	Replies map[string]replyJSON `json:"replies,omitempty"`
	// AsleepSince is absent where it is not known.
	AsleepSince time.Time `json:"asleepSince,omitzero"`
	// Leads are where requests to its Services go, where requests wake it.
	Leads []wake.Lead `json:"leads,omitempty"`
	// Note says what cannot be seen from outside the controller; it is absent where the controller has answered.
	Note string `json:"note,omitempty"`
	// Source says who has answered.
	Source string `json:"source,omitempty"`
	// Status and Chronicle are what only the controller knows.
	Status    *scaler.Status `json:"status,omitempty"`
	Chronicle []scaler.Entry `json:"history,omitempty"`
	// Requests are absent where they do not wake it.
	Requests *scaler.RequestsShown `json:"requests,omitempty"`
}

// replyJSON is when a source was asked, how long it took to answer, and how many questions it was asked at the same time, this one included.
type replyJSON struct {
	Asked    time.Time `json:"asked"`
	Took     string    `json:"took"`
	Together int       `json:"together,omitempty"`
}

type policyJSON struct {
	MinReplicas int32                                         `json:"minReplicas"`
	MaxReplicas int32                                         `json:"maxReplicas"`
	Metrics     []autoscalingv2.MetricSpec                    `json:"metrics"`
	Behavior    autoscalingv2.HorizontalPodAutoscalerBehavior `json:"behavior"`
	Mode        annotations.Mode                              `json:"mode"`
	WarmUp      string                                        `json:"warmUp"`
	SyncPeriod  string                                        `json:"syncPeriod"`
	// The others are absent where nothing is asked for.
	SleepAfter   string        `json:"sleepAfter,omitempty"`
	WakeReplicas int32         `json:"wakeReplicas,omitempty"`
	Fallback     *fallbackJSON `json:"fallback,omitempty"`
	// Sources says more of those metrics that are lines of mini-hpa/sources.
	Sources  []sourceJSON  `json:"sources,omitempty"`
	Schedule *scheduleJSON `json:"schedule,omitempty"`
}

type sourceJSON struct {
	Line   int               `json:"line"`
	Metric string            `json:"metric"`
	Source string            `json:"source"`
	Query  string            `json:"query,omitempty"`
	Given  map[string]string `json:"given,omitempty"`
	Active resource.Quantity `json:"active,omitzero"`
	Limit  int32             `json:"limit,omitempty"`
}

type fallbackJSON struct {
	Replicas int32  `json:"replicas"`
	After    string `json:"after"`
}

// scheduleJSON is the lines of a schedule, the bounds of the moment, and when others count.
type scheduleJSON struct {
	Zone  string     `json:"zone"`
	Lines []lineJSON `json:"lines"`
	Now   boundsJSON `json:"now"`
	Next  time.Time  `json:"next,omitzero"`
}

// lineJSON has those bounds that the line says.
type lineJSON struct {
	Line        int    `json:"line"`
	When        string `json:"when"`
	MinReplicas *int32 `json:"minReplicas,omitempty"`
	MaxReplicas *int32 `json:"maxReplicas,omitempty"`
}

// boundsJSON has no line where none counts.
type boundsJSON struct {
	MinReplicas int32 `json:"minReplicas"`
	MaxReplicas int32 `json:"maxReplicas"`
	Line        int   `json:"line,omitempty"`
}

// scheduled is the machine form of a policy's schedule; nil if there is none.
func scheduled(p annotations.Policy, now time.Time) *scheduleJSON {
	if p.Schedule.IsZero() {
		return nil
	}
	then := p.At(now)
	counts, _ := p.Schedule.At(now)
	form := &scheduleJSON{Zone: p.Schedule.Zone(), Next: p.Schedule.Next(now), Now: boundsJSON{MinReplicas: then.Min, MaxReplicas: then.Max, Line: counts.Number}}
	for l := range p.Schedule.Lines() {
		line := lineJSON{Line: l.Number, When: l.When()}
		fewest, most := l.Bounds(0, 0)
		if l.SetsMin() {
			line.MinReplicas = &fewest
		}
		if l.SetsMax() {
			line.MaxReplicas = &most
		}
		form.Lines = append(form.Lines, line)
	}
	return form
}

// warningJSON is one warning; its key is empty if it is not about an annotation.
type warningJSON struct {
	Key     string `json:"key,omitempty"`
	Field   string `json:"field"`
	Rule    string `json:"rule"`
	Message string `json:"message"`
}

func (a *Answer) machineForm() explanationJSON {
	e := a.Explanation
	p := e.Policy
	form := explanationJSON{
		Kind: e.Key.Kind.Kind, Namespace: e.Key.Namespace, Name: e.Key.Name, Snapshot: e.Snapshot, Decision: e.Decision, Note: strings.ReplaceAll(noHistory, "\n", " "),
		Policy: policyJSON{MinReplicas: p.Min, MaxReplicas: p.Max, Mode: p.Mode, WarmUp: p.WarmUp.String(), SyncPeriod: p.SyncPeriod.String(),
			Behavior: autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleUp: &p.Up, ScaleDown: &p.Down}},
	}
	if form.Source, form.Status, form.Chronicle = a.Source, a.Status, a.Chronicle; a.Status != nil {
		form.Note = ""
	}
	form.AsleepSince, form.Leads, form.Requests = e.AsleepSince, e.Leads, a.Requests
	for id, reply := range e.Replies {
		if form.Replies == nil {
			form.Replies = map[string]replyJSON{}
		}
		form.Replies[id] = replyJSON{reply.Asked, reply.Took.String(), reply.Together}
	}
	form.Policy.WakeReplicas, form.Policy.Schedule = p.WakeReplicas, scheduled(p, e.Snapshot.Time)
	if p.SleepAfter > 0 {
		form.Policy.SleepAfter = p.SleepAfter.String()
	}
	if f := p.Fallback; f.Replicas > 0 {
		form.Policy.Fallback = &fallbackJSON{f.Replicas, f.After.String()}
	}
	for _, m := range p.Metrics {
		form.Policy.Metrics = append(form.Policy.Metrics, m.Spec)
		if l := m.Line; l != nil {
			form.Policy.Sources = append(form.Policy.Sources, sourceJSON{l.Number, m.ID, m.Source, l.Query, l.Given, l.Active, l.Limit})
		}
	}
	for _, w := range e.Warnings {
		form.Warnings = append(form.Warnings, warningJSON{Key: cli.Clean(w.Key), Field: w.Path(), Rule: w.Rule, Message: w.Message})
	}
	return form
}
