package replay

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// Account is how the default decisions compare with the HPA controller's.
type Account struct {
	// Decisions were compared, Differ were different in the number of replicas.
	Decisions, Differ int
	// ByRepair counts the different decisions by the repairs that had a say: a decision may count for several.
	ByRepair map[string]*Tally
	// Raised are decisions about a workload whose min was raised while it slept, which is corrected at once, and Unasked those in which the
	// HPA controller has asked a metric of the pods in the sleep, when there should be none. Neither is a repair.
	Raised, Unasked int
	// Complaints are decisions that cannot be accounted for, in words.
	Complaints []string
}

// Tally counts the decisions that one repair made different: more replicas, fewer, or the same for another reason.
type Tally struct{ Higher, Lower, Reason int }

// Add evaluates each observation of a recording twice, in compatibility mode and by default, with the history of the
// former: what differs is then only what the repairs did to this one decision.
func (a *Account) Add(r *Recording) error {
	policy, err := r.Policy()
	if err != nil {
		return err
	}
	if a.ByRepair == nil {
		a.ByRepair = map[string]*Tally{}
	}
	compat, history := recommend.DefaultRules(), recommend.History{}
	compat.Compat = true
	for i, s := range r.Snapshots {
		policy.Min = r.Outcomes[i].Min
		want, next := compat.Recommend(policy, s, history)
		// The HPA controller overwrites changes that one direction's policies do not look at any more.
		a.decide(r, i, policy, recommend.History{Recommendations: history.Recommendations, Changes: next.Changes})
		history = next.Applied(want)
	}
	return nil
}

// decide compares the decisions on one observation, with the same history.
func (a *Account) decide(r *Recording, i int, p annotations.Policy, h recommend.History) {
	a.Decisions++
	compat, s := recommend.DefaultRules(), r.Snapshots[i]
	compat.Compat = true
	want, _ := compat.Recommend(p, s, h)
	got, _ := recommend.DefaultRules().Recommend(p, s, h)
	if problem := against(got); problem != "" {
		a.complain(r, i, want, got, problem)
	}
	if got.Desired == want.Desired && got.Active == want.Active {
		return
	}
	if got.Asleep && p.Min > 0 {
		a.Raised++
		return
	}
	if asked := want; got.Asleep {
		p.Metrics = slices.DeleteFunc(slices.Clone(p.Metrics), func(m annotations.Metric) bool { return !m.IsTotal() })
		if want, _ = compat.Recommend(p, s, h); want.Desired != asked.Desired || want.Active != asked.Active {
			a.Unasked++
		}
	}
	if got.Desired != want.Desired || got.Active != want.Active {
		a.differ(r, i, want, got, unrepaired(p, s, h, got))
	}
}

func (a *Account) tally(name string, got, want recommend.Decision) {
	if a.ByRepair[name] == nil {
		a.ByRepair[name] = &Tally{}
	}
	switch {
	case got.Desired > want.Desired:
		a.ByRepair[name].Higher++
	case got.Desired < want.Desired:
		a.ByRepair[name].Lower++
	default:
		a.ByRepair[name].Reason++
	}
}

// unrepaired decides without the repairs that had a say, and without those that have one once these are off, until
// none has. In a sleep, what is active decides and not what metrics propose: that is the rule of idle-cpu, which has no name there, as it
// seldom makes a difference.
func unrepaired(p annotations.Policy, s recommend.Snapshot, h recommend.History, d recommend.Decision) recommend.Decision {
	rules := recommend.DefaultRules()
	if d.Asleep {
		rules.Without = recommend.RepairIdle
	}
	for d.Repairs != 0 {
		rules.Without |= d.Repairs
		d, _ = rules.Recommend(p, s, h)
	}
	return d
}

func (a *Account) differ(r *Recording, i int, want, got, again recommend.Decision) {
	if got.Desired != want.Desired {
		a.Differ++
	}
	for _, name := range got.Repairs.Names() {
		a.tally(name, got, want)
	}
	switch {
	case got.Repairs == 0:
		a.complain(r, i, want, got, "no repair explains the difference")
	case again.Desired != want.Desired || again.Active != want.Active:
		a.complain(r, i, want, got, fmt.Sprintf("without its repairs the decision is %d (%s)", again.Desired, again.Active))
	case got.Desired < want.Desired && got.Desired < got.Current && needsMore(got):
		a.complain(r, i, want, got, "scales in, though a metric is above its target")
	}
}

// against says whether a metric's proposal goes against its ratio; empty if not. At 0 replicas any value above 0 asks for one.
func against(d recommend.Decision) string {
	if d.Current == 0 {
		return ""
	}
	for _, m := range d.Metrics {
		switch {
		case m.Failed:
		case m.Ratio < 1 && m.Replicas > d.Current:
			return fmt.Sprintf("metric %s proposes %d at ratio %g", m.Metric, m.Replicas, m.Ratio)
		case m.Ratio > 1 && m.Replicas < d.Current:
			return fmt.Sprintf("metric %s proposes %d at ratio %g", m.Metric, m.Replicas, m.Ratio)
		}
	}
	return ""
}

// needsMore says that a metric is above its target, within the bounds. What the pods use does not keep a workload awake of which nothing is
// asked.
func needsMore(d recommend.Decision) bool {
	idle := d.Repairs&recommend.RepairIdle != 0
	for _, m := range d.Metrics {
		total := m.Type == autoscalingv2.ObjectMetricSourceType || m.Type == autoscalingv2.ExternalMetricSourceType
		if !m.Failed && m.Ratio > 1 && (total || !idle) {
			return true
		}
	}
	return false
}

func (a *Account) complain(r *Recording, i int, want, got recommend.Decision, problem string) {
	a.Complaints = append(a.Complaints, fmt.Sprintf("seed %d, observation %d: %s\n  annotations %q\n  compatible %d -> %d %s, default %d %s, repairs %v\n  steps %+v\n  failure %+v",
		r.Seed, i+1, problem, r.Workload.Annotations, want.Current, want.Desired, want.Active, got.Desired, got.Active, got.Repairs.Names(), got.Steps, got.Failure))
}

// Merge adds the counts of another account.
func (a *Account) Merge(b Account) {
	if a.ByRepair == nil {
		a.ByRepair = map[string]*Tally{}
	}
	a.Decisions += b.Decisions
	a.Differ += b.Differ
	a.Raised += b.Raised
	a.Unasked += b.Unasked
	a.Complaints = append(a.Complaints, b.Complaints...)
	for name, t := range b.ByRepair {
		if a.ByRepair[name] == nil {
			a.ByRepair[name] = &Tally{}
		}
		a.ByRepair[name].Higher += t.Higher
		a.ByRepair[name].Lower += t.Lower
		a.ByRepair[name].Reason += t.Reason
	}
}

// Print writes the table.
func (a *Account) Print(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if _, err := fmt.Fprintf(table, "%d of %d default decisions differ from the HPA controller's\n"+
		"min was raised in the sleep\t%d\nthe pods' metrics are not asked in the sleep\t%d\nrepair\thigher\tlower\tsame, other reason\n", a.Differ, a.Decisions, a.Raised, a.Unasked); err != nil {
		return err
	}
	for _, repair := range recommend.RepairTable() {
		name := repair.Name
		t := a.ByRepair[name]
		if t == nil {
			t = &Tally{}
		}
		if _, err := fmt.Fprintf(table, "%s\t%d\t%d\t%d\n", name, t.Higher, t.Lower, t.Reason); err != nil {
			return err
		}
	}
	return table.Flush()
}
