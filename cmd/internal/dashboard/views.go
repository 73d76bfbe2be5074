package dashboard

import (
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/explain"
	"github.com/mini-hpa/mini-hpa/cmd/internal/state"
	"github.com/mini-hpa/mini-hpa/scaler"
)

// What a tab is told is values; the page puts them into words. Text from the cluster goes out as it is, and the page shows it so that
// nothing obeys it (clean, in page/app.js).

// head is who tells, and how old that is.
type head struct {
	// Scope is the namespace that is shown; empty for all.
	Scope string `json:"scope,omitempty"`
	// Args are the flags that say which cluster it is, as a shell takes them, for commands that the page shows; Lease is the controller's, as NAMESPACE/NAME.
	Args  string `json:"args,omitempty"`
	Lease string `json:"lease,omitempty"`
	// Source says in words where it comes from, Leader is the pod that leads; Told says that it has been asked, Vacant that nobody leads.
	Source string `json:"source,omitempty"`
	Leader string `json:"leader,omitempty"`
	Told   bool   `json:"told"`
	Vacant bool   `json:"vacant"`
	// Asked is when the last answer came; zero if none has come. Problem is why there is no newer one.
	Asked   time.Time `json:"asked,omitzero"`
	Problem string    `json:"problem,omitempty"`
	// MetricsError is why there are no current samples.
	MetricsError string `json:"metricsError,omitempty"`
	// Since is since when the past is remembered here.
	Since time.Time `json:"since"`
}

// row is a workload in the table of all.
type row struct {
	scaler.Status
	// Resource is the kind as paths have it: "deployments.apps".
	Resource string `json:"resource"`
	// Problem says that somebody should do something about it; Rank is the place of its state, of which 0 is the worst.
	Problem bool `json:"problem"`
	Rank    int  `json:"rank"`
	Past    past `json:"past"`
}

func keyOf(s *scaler.Status) annotations.Key {
	key := annotations.Key{Namespace: s.Namespace, Name: s.Name}
	key.Kind.Group, key.Kind.Kind = s.Group, s.Kind
	return key
}

func rowOf(s *scaler.Status, p past) *row {
	return &row{Status: *s, Resource: state.Resource(keyOf(s)), Problem: s.State.IsProblem(), Rank: s.State.Rank(), Past: p}
}

// id names a workload in paths and in messages to the page: "shop/deployments.apps/web".
func (r *row) id() string { return r.Namespace + "/" + r.Resource + "/" + r.Name }

// detail is the page of one workload.
type detail struct {
	// Row is its row in the table; nil if it is not there.
	Row *row `json:"row"`
	// Problem is why there is no explanation. Sections are the explanation, as mini-hpa explain prints it.
	Problem  string        `json:"problem,omitempty"`
	Sections []cli.Section `json:"sections,omitempty"`
	// Next is when time alone changes the decision; zero if it does not.
	Next time.Time `json:"next,omitzero"`
	// Changes are what the controller remembers, the oldest first, and Past is what was seen here.
	Changes []scaler.Entry `json:"changes,omitempty"`
	Past    past           `json:"past"`
	// Annotations are the object's, and SetBy who has set its replicas; both are empty if it may not be read. Up and Down are the rules that they stand for.
	Annotations map[string]string              `json:"annotations,omitempty"`
	SetBy       string                         `json:"setBy,omitempty"`
	Up          *autoscalingv2.HPAScalingRules `json:"up,omitempty"`
	Down        *autoscalingv2.HPAScalingRules `json:"down,omitempty"`
}

// explained adds an explanation. Its history has a table of its own.
func (d *detail) explained(a *explain.Answer, now time.Time) {
	d.Changes, a.Chronicle = a.Chronicle, nil
	d.Sections, d.Next, d.Up, d.Down = a.Sections(now), a.Decision.Next, &a.Policy.Up, &a.Policy.Down
}

// system is the page of the controller.
type system struct {
	// Head is what the leader says of itself; nil if it cannot be asked. Why says why, and Vacancy since when nobody leads.
	Head    *state.Head `json:"head,omitempty"`
	Holder  string      `json:"holder,omitempty"`
	Why     string      `json:"why,omitempty"`
	Vacancy string      `json:"vacancy,omitempty"`
	// Lease is by whom and when it was renewed; LeaseError is why that is not known.
	Lease      *coordinationv1.LeaseSpec `json:"lease,omitempty"`
	LeaseError string                    `json:"leaseError,omitempty"`
	// Until is when the newest CA of the webhook expires; WebhookError is why that is not known.
	Until        time.Time `json:"until,omitzero"`
	WebhookError string    `json:"webhookError,omitempty"`
}
