package recommend

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestStages: each stage by itself, on a decision that those before it have left. 8 replicas of 2 to 20.
func TestStages(t *testing.T) {
	usual, compat := DefaultRules(), DefaultRules()
	compat.Compat = true
	asked := func(replicas int32, change ...func(*proposals)) proposals {
		all := proposals{valid: 1, replicas: replicas, metric: "cpu", alone: replicas, state: plain("state")}
		for _, c := range change {
			c(&all)
		}
		return all
	}
	fewer := func(ago time.Duration, needed int32) outside {
		return outside{at: noon.Add(-ago), from: 12, needed: needed}
	}
	failure := &Failure{Metric: "hits", Reason: ReasonNoSamples, Detail: "no samples"}
	recommended := func(replicas int32, basis Basis) History {
		return History{Recommendations: []Recommendation{{Time: noon.Add(-time.Minute), Replicas: replicas, Basis: basis}}}
	}
	// told is what a stage leaves of a decision.
	type told struct {
		Desired               int32
		Active, Able, Limited string
		Stage, Result, Detail string // of the last step
		Repairs               Repairs
		Next                  time.Duration
		Final                 bool
	}
	for name, c := range map[string]struct {
		stage    func(*view, draft) draft
		rules    *Rules
		replicas int32 // 8 if it is not said
		history  History
		seen     func(*Snapshot)
		before   func(*draft)
		want     told
	}{
		"pause, 0 replicas": {stage: (*view).pause, replicas: -1, seen: func(s *Snapshot) { s.Paused = "kubectl" }, want: told{Active: ActiveDisabled, Able: AbleSucceededGetScale, Final: true}},
		"pause, any others": {stage: (*view).pause, want: told{Desired: 8, Able: AbleSucceededGetScale}},
		"confine, within":   {stage: (*view).confine, want: told{Desired: 8, Able: AbleSucceededGetScale}},
		"confine, below": {stage: (*view).confine, replicas: 1,
			want: told{Desired: 2, Able: AbleSucceededGetScale, Stage: StageBounds, Result: LimitedTooFew, Detail: "current number of replicas 1 below mini-hpa/min 2", Final: true}},
		"confine, above": {stage: (*view).confine, replicas: 21,
			want: told{Desired: 20, Able: AbleSucceededGetScale, Stage: StageBounds, Result: LimitedTooMany, Detail: "current number of replicas 21 above mini-hpa/max 20", Final: true}},
		"restore, nobody else": {stage: (*view).restore, before: func(d *draft) { d.asked = asked(4) }, want: told{Desired: 8, Able: AbleSucceededGetScale}},
		"restore, what was needed": {stage: (*view).restore,
			before: func(d *draft) {
				d.asked = asked(4, func(all *proposals) { all.outside, all.incomplete = fewer(10*time.Second, 11), true })
			},
			want: told{Desired: 8, Able: AbleSucceededGetScale, Stage: StageOutside, Result: ReasonRestored, Repairs: RepairOutside, Next: 50 * time.Second,
				Detail: "somebody else has set 8 instead of 12 10s ago; before that the load asked for 11"}},
		"restore, all were measured": {stage: (*view).restore,
			before: func(d *draft) {
				d.asked = asked(4, func(all *proposals) { all.outside = fewer(10*time.Second, 11) })
			},
			want: told{Desired: 8, Able: AbleSucceededGetScale, Next: 50 * time.Second}},
		"restore, a minute later": {stage: (*view).restore,
			before: func(d *draft) {
				d.asked = asked(4, func(all *proposals) { all.outside, all.incomplete = fewer(time.Minute, 11), true })
			},
			want: told{Desired: 8, Able: AbleSucceededGetScale}},
		"largest": {stage: (*view).largest, before: func(d *draft) { d.asked = asked(4) },
			want: told{Desired: 4, Active: ActiveValidMetric, Able: AbleSucceededGetScale, Stage: StageLargest, Result: ReasonLargest, Detail: "state"}},
		"largest, another metric fails": {stage: (*view).largest,
			before: func(d *draft) {
				d.asked, d.Failure = asked(4, func(all *proposals) { all.failed = ActiveFailedPods }), failure
			},
			want: told{Desired: 8, Active: ActiveFailedPods, Able: AbleSucceededGetScale, Stage: StageLargest, Result: ReasonPartial, Final: true,
				Detail: "4 proposed, but not scaling in while another metric fails: no samples"}},
		"largest, another metric fails, on the way out": {stage: (*view).largest,
			before: func(d *draft) { d.asked, d.Failure = asked(9), failure },
			want:   told{Desired: 9, Active: ActiveValidMetric, Able: AbleSucceededGetScale, Stage: StageLargest, Result: ReasonLargest, Detail: "state"}},
		"largest, none": {stage: (*view).largest, before: func(d *draft) { d.asked, d.Failure = proposals{failed: ActiveFailedPods}, failure },
			want: told{Desired: 8, Active: ActiveFailedPods, Able: AbleSucceededGetScale, Final: true}},
		"stabilize, nothing against it": {stage: (*view).stabilize, history: recommended(5, Recommended), before: func(d *draft) { d.Desired = 6 },
			want: told{Desired: 6, Able: AbleReady, Stage: StageStabilize, Result: AbleReady, Detail: "no recommendation of the windows stands against it"}},
		"stabilize, more in the window": {stage: (*view).stabilize, history: recommended(7, Recommended), before: func(d *draft) { d.Desired, d.look = 4, look{proposed: 4, alone: 4} },
			want: told{Desired: 7, Able: AbleDownStabilized, Stage: StageStabilize, Result: AbleDownStabilized, Next: 4 * time.Minute,
				Detail: "7 is the highest recommendation of the last 5m0s; it ends in 4m0s"}},
		"stabilize, what was assumed is none": {stage: (*view).stabilize, history: recommended(7, Assumed), before: func(d *draft) { d.Desired, d.look = 4, look{proposed: 4, alone: 4} },
			want: told{Desired: 4, Able: AbleReady, Stage: StageStabilize, Result: AbleReady, Repairs: RepairAssumed, Detail: "no recommendation of the windows stands against it"}},
		"stabilize, in the HPA it is one": {stage: (*view).stabilize, rules: &compat, history: recommended(7, Assumed), before: func(d *draft) { d.Desired, d.look = 4, look{proposed: 4, alone: 4} },
			want: told{Desired: 7, Able: AbleDownStabilized, Stage: StageStabilize, Result: AbleDownStabilized, Next: 4 * time.Minute,
				Detail: "7 is the highest that pods which could not be measured held it at in the last 5m0s; it ends in 4m0s"}},
		"stabilize, a sample from before the change": {stage: (*view).stabilize, history: History{carried: 6, Recommendations: recommended(4, Recommended).Recommendations},
			before: func(d *draft) { d.Desired, d.asked.early, d.look = 4, true, look{proposed: 4, alone: 4} },
			want: told{Desired: 6, Able: AbleDownStabilized, Stage: StageStabilize, Result: AbleDownStabilized, Repairs: RepairSettled,
				Detail: "6 is what the last change was to come to, and there are samples from before it"}},
		"bound, within": {stage: (*view).bound, before: func(d *draft) { d.Desired = 20 },
			want: told{Desired: 20, Able: AbleSucceededGetScale, Limited: LimitedNot, Stage: StageBounds, Result: LimitedNot, Detail: "within 2..20"}},
		"bound, below": {stage: (*view).bound, before: func(d *draft) { d.Desired = 1 },
			want: told{Desired: 2, Able: AbleSucceededGetScale, Limited: LimitedTooFew, Stage: StageBounds, Result: LimitedTooFew, Detail: "1 is not within 2..20"}},
		"limit, no change": {stage: (*view).limit,
			want: told{Desired: 8, Able: AbleSucceededGetScale, Stage: StagePolicy, Result: LimitedNot, Detail: "no change to limit"}},
		"limit, far enough": {stage: (*view).limit, before: func(d *draft) { d.Desired = 16 },
			want: told{Desired: 16, Able: AbleSucceededGetScale, Stage: StagePolicy, Result: LimitedNot, Detail: "4 pods/15s, 100%/15s would allow 16"}},
		"limit, the budget is used": {stage: (*view).limit, history: History{Changes: []Change{{Time: noon.Add(-5 * time.Second), Delta: 4, From: 4}}},
			before: func(d *draft) { d.Desired = 16 },
			want: told{Desired: 8, Able: AbleSucceededGetScale, Limited: LimitedUp, Stage: StagePolicy, Result: LimitedUp, Next: 10 * time.Second,
				Detail: "4 pods/15s, 100%/15s: no further than 8 now"}},
		"refuse, they do not come": {stage: (*view).refuse, seen: func(s *Snapshot) { s.Refused, s.StatusReplicas, s.Pods = "quota", 6, s.Pods[:6] },
			before: func(d *draft) { d.Desired = 12 },
			want: told{Desired: 8, Able: AbleSucceededGetScale, Limited: LimitedUp, Stage: StagePolicy, Result: LimitedUp, Repairs: RepairRefused,
				Detail: "2 of 8 replicas are refused: no further than 8 now"}},
		"refuse, and fewer are asked for": {stage: (*view).refuse, seen: func(s *Snapshot) { s.Refused, s.StatusReplicas, s.Pods = "quota", 6, s.Pods[:6] },
			before: func(d *draft) { d.Desired = 4 }, want: told{Desired: 4, Able: AbleSucceededGetScale}},
	} {
		t.Run(name, func(t *testing.T) {
			rules := usual
			if c.rules != nil {
				rules = *c.rules
			}
			replicas := max(c.replicas, 0)
			if c.replicas == 0 {
				replicas = 8
			}
			s := snapshot(noon, replicas, pods(noon, int(replicas), "500m"))
			if c.seen != nil {
				c.seen(&s)
			}
			p := policy(t, "target-cpu=50", "min=2", "max=20")
			v := rules.view(&p, &s, c.history)
			d := v.draft()
			if c.before != nil {
				c.before(&d)
			}
			d = c.stage(v, d)
			got := told{Desired: d.Desired, Active: d.Active, Able: d.Able, Limited: d.Limited, Repairs: d.Repairs, Final: d.final}
			if n := len(d.Steps); n > 0 {
				last := d.Steps[n-1]
				got.Stage, got.Result, got.Detail = last.Stage, last.Reason, last.Detail.String()
			}
			if !d.Next.IsZero() {
				got.Next = d.Next.Sub(noon)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestWhatAStageLearns: what the metrics ask for is known to the next look, and after a gap the present number holds.
func TestWhatAStageLearns(t *testing.T) {
	p := policy(t, "target-cpu=50", "min=2", "max=20")
	old := History{Recommendations: []Recommendation{{Time: noon.Add(-time.Hour), Replicas: 8}}}
	s := snapshot(noon, 8, pods(noon, 8, "500m"))
	v := DefaultRules().view(&p, &s, old)
	d := v.draft()
	d.asked, d.look = proposals{valid: 1, replicas: 4, needed: 3}, look{proposed: 4, alone: 3}
	d = v.resume(d)
	h := v.remembered(&d)
	if h.asked != 4 || h.needed != (Recommendation{Time: noon, Replicas: 3}) || h.resumed != (Recommendation{Time: noon, Replicas: 8, Basis: Found}) {
		t.Errorf("asked %d, needed %+v, resumed %+v", h.asked, h.needed, h.resumed)
	}
	want := []Recommendation{{Time: noon, Replicas: 3}, {Time: noon, Replicas: 4, Basis: Assumed}} // that of an hour ago is in no window
	if diff := cmp.Diff(want, h.Recommendations); diff != "" {
		t.Errorf("recommendations (-want +got):\n%s", diff)
	}
}
