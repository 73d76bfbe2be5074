package recommend

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// sourced is a workload with lines of mini-hpa/sources, whose pods follow the replicas at once.
type sourced struct{ *workload }

func newSourced(t *testing.T, replicas int32, pairs ...string) sourced {
	return sourced{newWorkload(t, replicas, pairs...)}
}

// said is what sources say, by ID: a value, "-" for a failure, and after a blank what a hint says: limit=, active=, target=, settling=, recent=.
type said map[string]string

func (a said) in(s Snapshot) Snapshot {
	s.ExternalMetrics = map[string][]externalmetricsv1beta1.ExternalMetricValue{}
	for id, text := range a {
		words := strings.Fields(text)
		if words[0] == "-" {
			if s.Errors == nil {
				s.Errors = map[string]string{}
			}
			s.Errors[id] = "its source did not answer in 5s"
			continue
		}
		s.ExternalMetrics[id] = []externalmetricsv1beta1.ExternalMetricValue{{MetricName: id, Value: resource.MustParse(words[0])}}
		if len(words) == 1 {
			continue
		}
		hint := Hint{}
		for _, word := range words[1:] {
			switch key, value, _ := strings.Cut(word, "="); key {
			case "limit":
				_, _ = fmt.Sscan(value, &hint.Limit)
				hint.Because = fmt.Sprintf("%d partitions of topic %q", hint.Limit, "shop.orders")
			case "active":
				active := value == "true"
				hint.Active = &active
			case "target":
				q := resource.MustParse(value)
				hint.Target = &q
			case "recent":
				q := resource.MustParse(value)
				hint.Recent = &q
			case "settling":
				hint.Settling.Duration, _ = time.ParseDuration(value)
			}
		}
		if s.Hints == nil {
			s.Hints = map[string]Hint{}
		}
		s.Hints[id] = hint
	}
	return s
}

func (w sourced) look(a said) sourced { return w.looks(a, tick) }

// looks evaluates every 15 s for a time; the pods use 20 % of their CPU.
func (w sourced) looks(a said, during time.Duration) sourced {
	for end := w.now.Add(during); w.now.Before(end); {
		w.see(a.in(snapshot(w.now, w.replicas, pods(w.now, int(w.replicas), "200m"))), tick)
	}
	return w
}

func (w sourced) wants(replicas int32) sourced {
	w.t.Helper()
	w.want(replicas)
	return w
}

func (w sourced) because(reason string) sourced {
	w.t.Helper()
	if w.last.Reason.String() != reason {
		w.t.Errorf("reason\n%s, want\n%s", w.last.Reason, reason)
	}
	return w
}

// says demands that one of the steps has these words.
func (w sourced) says(words string) sourced {
	w.t.Helper()
	if !strings.Contains(steps(w.last), words) {
		w.t.Errorf("%q is not among the steps:\n%s", words, steps(w.last))
	}
	return w
}

const orders, lag = "sources=orders-kafka group=shop.orders topic=shop.orders ", "orders-kafka@lag"

// TestAQueueWorkerSleepsAndWakes up to the partitions of its topic, in as many steps as the policies want.
func TestAQueueWorkerSleepsAndWakes(t *testing.T) {
	const many = "5200 limit=12"
	w := newSourced(t, 0, orders+"target=100", "min=0", "max=40")
	w.look(said{lag: "0 limit=12"}).wants(0).because("none of the metrics and sources that can wake it is active: it stays asleep")
	w.look(said{lag: many}).wants(4).says(`ceil(5200 / 100) = 52, limited to 12 partitions of topic "shop.orders"`).
		because(`orders-kafka@lag 5200, target 100, limited to 12 partitions of topic "shop.orders", above 0: wakes`)
	w.look(said{lag: many}).wants(8).look(said{lag: many}).wants(12).looks(said{lag: many}, 10*time.Minute).wants(12)
	if got := w.last.Metrics[0].Ratio; got < 4.3 || got > 4.4 {
		t.Errorf("ratio %v: a limit is no part of what is measured, want 52/12", got)
	}
	w.looks(said{lag: "-"}, 10*time.Minute).wants(12)
	if w.last.Active != ActiveFailedSource {
		t.Errorf("ScalingActive: %s, want %s", w.last.Active, ActiveFailedSource)
	}
	w.looks(said{lag: "0 limit=12"}, 6*time.Minute).wants(0)

	newSourced(t, 0, orders+"target=100", "min=0", "max=40", "scale-up-policies=12 pods/15s").look(said{lag: many}).wants(12)
}

// TestWhatHasToLast: where a source only counts approximately, what was of late keeps awake, and wakes nothing.
func TestWhatHasToLast(t *testing.T) {
	const jobs, window = "jobs-sqs@messages", "scale-down-stabilization=1m"
	line := []string{"sources=jobs-sqs queue=x target=5 active=5", "min=0", "max=20", window}
	// What is asleep stays so, whatever has come and gone.
	newSourced(t, 0, line...).looks(said{jobs: "3"}, time.Minute).wants(0).look(said{jobs: "0 settling=1m recent=3"}).wants(0).look(said{jobs: "0 settling=1m"}).wants(0).
		look(said{jobs: "0 settling=1m recent=500"}).wants(0).look(said{jobs: "6 settling=1m"}).wants(2)
	// What is awake stays so for as long as it was more of late, or may have been.
	for _, of := range []string{"4 settling=1m recent=500", "0 settling=1m recent=500", "0 settling=1m recent=5001m", "0 settling=1m", "4 settling=1m"} {
		newSourced(t, 4, line...).looks(said{jobs: of}, time.Hour).wants(1).looks(said{jobs: "4"}, 2*time.Minute).wants(0)
	}
	newSourced(t, 4, line...).looks(said{jobs: "0 settling=1m recent=5"}, 2*time.Minute).wants(0)
	signal := newSourced(t, 1, "sources=jobs-sqs queue=x", "min=0", "max=20", window)
	signal.looks(said{jobs: "0 settling=1m recent=3"}, time.Hour).wants(1).says("0 is not above 0, but not for 1m0s yet: a line without a target asks for 1").
		looks(said{jobs: "0"}, 2*time.Minute).wants(0)
	// What its source says of it has to last, too.
	newSourced(t, 1, line...).looks(said{jobs: "0 active=false settling=1m recent=6"}, time.Hour).wants(1).looks(said{jobs: "0 active=false"}, 2*time.Minute).wants(0)
	// Where scale-down is disabled, the last step waits until nothing was left of late.
	newSourced(t, 7, append(line, "scale-down-policies=disabled")...).looks(said{jobs: "0 settling=1m recent=5"}, time.Hour).wants(7).looks(said{jobs: "0"}, 2*time.Minute).wants(0)
}

// TestWorkersThatMustNotBeEnded are scaled in only to 0, and only if no message is left.
func TestWorkersThatMustNotBeEnded(t *testing.T) {
	const messages = "rabbit@messages"
	pairs := []string{"min=0", "max=20", "scale-down-policies=disabled", "scale-down-stabilization=1m"}
	w := newSourced(t, 0, append(pairs, "sources=rabbit queue=transcode target=1")...)
	w.looks(said{messages: "7"}, time.Minute).wants(7).looks(said{messages: "1"}, time.Hour).wants(7).looks(said{messages: "0"}, 2*time.Minute).wants(0)

	w = newSourced(t, 7, append(pairs, "sources=rabbit queue=transcode target=1 active=5")...)
	w.looks(said{messages: "3"}, time.Hour).wants(7).says("3 / 7 replicas") // not active, and not nothing either
	w.looks(said{messages: "0"}, 2*time.Minute).wants(0).looks(said{messages: "5"}, time.Minute).wants(0).look(said{messages: "6"}).wants(4).
		because("rabbit@messages 6, target 1, above 5: wakes")
}

// TestAWebServiceGoesOnByCPU while its source is down, with the fallback for a floor.
func TestAWebServiceGoesOnByCPU(t *testing.T) {
	const requests = "prom@requests-per-second"
	w := newSourced(t, 4, "target-cpu=60", "sources=prom requests-per-second target=40", "min=2", "max=30", "fallback=6 after 2m")
	w.looks(said{requests: "160"}, time.Minute).wants(4).look(said{requests: "400"}).wants(8).look(said{requests: "400"}).wants(10)
	w = newSourced(t, 4, "target-cpu=60", "sources=prom requests-per-second target=40", "min=2", "max=30", "fallback=6 after 2m")
	w.looks(said{requests: "160"}, time.Minute).looks(said{requests: "-"}, time.Minute).wants(4).looks(said{requests: "-"}, 2*time.Minute).wants(6)
	w.see(said{requests: "-"}.in(snapshot(w.now, w.replicas, pods(w.now, int(w.replicas), "900m"))), tick).want(9)
}

// TestASignalWakesAndKeepsAwake, and how many replicas there are the CPU says.
func TestASignalWakesAndKeepsAwake(t *testing.T) {
	const requests = "prom@ingress-requests"
	w := newSourced(t, 0, "target-cpu=70", "sources=prom ingress-requests service=web", "min=0", "max=3", "sleep-after=30m")
	w.look(said{requests: "7000"}).wants(1).because("prom@ingress-requests 7000, above 0: wakes").says("7000 is above 0: a line without a target asks for 1")
	w.see(said{requests: "7000"}.in(snapshot(w.now, w.replicas, pods(w.now, 1, "1900m"))), tick).want(3)
	w.looks(said{requests: "1"}, 20*time.Minute).wants(1).looks(said{requests: "0"}, 29*time.Minute).wants(1).says("0 is not above 0: a line without a target asks for nothing")
	w.looks(said{requests: "-"}, time.Hour).wants(1).looks(said{requests: "0"}, 31*time.Minute).wants(0)
}

func TestAProxyForEachTenPods(t *testing.T) {
	newSourced(t, 1, "sources=workload selector=app=web target=10", "max=20").look(said{"workload@pods": "35"}).wants(4)
}

// TestAStreamWithTwoGroups has two metrics of one name, which messages tell apart.
func TestAStreamWithTwoGroups(t *testing.T) {
	const mailer, audit = "cache@lag{group=mailer,stream=shop:events}", "cache@lag{group=audit,stream=shop:events}"
	w := newSourced(t, 1, "sources=cache stream=shop:events group=mailer target=200\ncache stream=shop:events group=audit target=1000", "max=20", "scale-up-policies=20 pods/15s")
	w.look(said{mailer: "900", audit: "9000"}).wants(9).because(audit + " 9000 for 1 replicas above target 1000 for each")
	w.looks(said{mailer: "900", audit: "-"}, time.Hour).wants(9)
}

// TestALimitOfTheLine counts where it is lower than that of the source, and only for its metric.
func TestALimitOfTheLine(t *testing.T) {
	for name, c := range map[string]struct {
		line, answer string
		want         int32
		says         string
	}{
		"its own":                   {"target=100 limit=5", "5200", 5, "ceil(5200 / 100) = 52, limited to 5 by its line"},
		"the source's is lower":     {"target=100 limit=5", "5200 limit=3", 3, `= 52, limited to 3 partitions of topic "shop.orders"`},
		"the source's is higher":    {"target=100 limit=5", "5200 limit=7", 5, "limited to 5 by its line"},
		"it is not reached":         {"target=100 limit=5", "300 limit=7", 3, "ceil(300 / 100) = 3\n"},
		"a source's that is none":   {"target=100", "700 limit=-1", 7, "ceil(700 / 100) = 7\n"},
		"of a total":                {"total=100 limit=2", "5200", 2, "= 52, limited to 2 by its line"},
		"within the tolerance":      {"target=5200 limit=1", "5200", 1, ""},
		"a target of the source's":  {"", "90 target=30 limit=2", 2, `ceil(90 / 30) = 3, limited to 2 partitions of topic "shop.orders"`},
		"one of its own goes first": {"target=10", "90 target=30", 9, "ceil(90 / 10) = 9"},
		"one that is none":          {"", "90 target=0", 1, "90 is above 0: a line without a target asks for 1"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newSourced(t, 1, orders+c.line, "max=40", "scale-up-policies=40 pods/15s")
			w.look(said{lag: c.answer}).wants(c.want).says(c.says)
		})
	}
	newSourced(t, 1, orders+"target=100 limit=5\nrabbit queue=mail target=100", "max=40", "scale-up-policies=40 pods/15s").
		look(said{lag: "5200", "rabbit@messages": "1500"}).wants(15)
}

// TestWhatIsActive is above the line's number, unless the source says it itself.
func TestWhatIsActive(t *testing.T) {
	for name, c := range map[string]struct {
		line, answer string
		want         bool
	}{
		"nothing":                              {"target=100", "0", false},
		"a thousandth":                         {"target=100", "1m", true},
		"at the number":                        {"target=100 active=5", "5", false},
		"above the number":                     {"target=100 active=5", "5001m", true},
		"the source knows better":              {"target=100 active=5", "0 active=true", true},
		"the source knows of nothing to do":    {"target=100", "50 active=false", false},
		"a signal":                             {"active=2", "3", true},
		"a signal that is low":                 {"active=2", "2", false},
		"a signal of a source that knows well": {"", "9 active=false", false},
	} {
		t.Run(name, func(t *testing.T) {
			asleep := newSourced(t, 0, orders+c.line, "min=0", "max=40").look(said{lag: c.answer})
			awake := newSourced(t, 1, orders+c.line, "min=0", "max=40", "scale-down-stabilization=0s").look(said{lag: c.answer})
			if got := asleep.replicas > 0; got != c.want || awake.replicas > 0 != c.want || asleep.last.Metrics[0].Active != c.want {
				t.Errorf("asleep %d, awake %d; want it to be active: %t; steps:\n%s", asleep.replicas, awake.replicas, c.want, steps(asleep.last))
			}
		})
	}
}

// TestWhoWakesIsTold also where another metric asks for more.
func TestWhoWakesIsTold(t *testing.T) {
	w := newSourced(t, 0, orders+"target=1 active=100\nprom ingress-requests", "min=0", "max=40")
	w.look(said{lag: "50", "prom@ingress-requests": "0"}).wants(0).look(said{lag: "50", "prom@ingress-requests": "2"}).wants(4).
		because("orders-kafka@lag 50, target 1; prom@ingress-requests 2 is above 0: wakes").says("1 of 2 metrics and sources that can wake it are active: it wakes")
}

// TestByTheRulesOfTheHPA a line is a metric as any other, and only 0 is nothing to do.
func TestByTheRulesOfTheHPA(t *testing.T) {
	w := newSourced(t, 3, orders+"target=100 active=50", "min=0", "max=40", "scale-down-stabilization=0s")
	w.rules.Compat = true
	w.look(said{lag: "20 active=false"}).wants(1).look(said{lag: "0 active=true"}).wants(0).look(said{lag: "20"}).wants(1)
}

// TestPropertiesOfLines are those of single metrics in any company: a limit lowers only its own metric, and says nothing of what was measured;
// a signal asks for 1 at most.
func TestPropertiesOfLines(t *testing.T) {
	rng := rand.New(rand.NewPCG(18, 4))
	ids, cuts := []string{"a@length", "b@messages", "c@value"}, 0
	for range 3000 {
		replicas := rng.Int32N(30)
		lines := []string{
			fmt.Sprintf("a list=x %s=%d", []string{"target", "total"}[rng.IntN(2)], 1+rng.IntN(50)), fmt.Sprintf("b queue=y target=%d active=%d", 1+rng.IntN(50), rng.IntN(20)),
			fmt.Sprintf("c value-of=z active=%d", rng.IntN(20))}
		answer := said{}
		for _, id := range ids {
			answer[id] = fmt.Sprint(rng.IntN(1000))
			if rng.IntN(8) == 0 {
				answer[id] += []string{" active=true", " active=false"}[rng.IntN(2)]
			}
			if rng.IntN(10) == 0 {
				answer[id] = "-"
			}
		}
		decide := func(change func(lines []string, s *Snapshot)) Decision {
			now := append([]string{}, lines...)
			s := answer.in(snapshot(noon, replicas, pods(noon, int(replicas), "200m")))
			change(now, &s)
			p := policy(t, "min=0", "max=100", "sources="+strings.Join(now, "\n"))
			d, _ := DefaultRules().Recommend(p, s, History{slept: true})
			return d
		}
		at, most := rng.IntN(3), 1+rng.Int32N(20)
		free := decide(func([]string, *Snapshot) {})
		byLine := rng.IntN(2) == 0
		cut := decide(func(lines []string, s *Snapshot) {
			if byLine {
				lines[at] += fmt.Sprintf(" limit=%d", most)
				return
			}
			hints := map[string]Hint{}
			maps.Copy(hints, s.Hints)
			hint := hints[ids[at]]
			hint.Limit = most
			hints[ids[at]], s.Hints = hint, hints
		})
		for i, got := range cut.Metrics {
			want := free.Metrics[i]
			if i == at && got.Replicas != want.Replicas {
				if got.Replicas != min(want.Replicas, most) {
					t.Fatalf("%v, limit %d: %d of %d", lines[i], most, got.Replicas, want.Replicas)
				}
				cuts++
				want.Replicas = got.Replicas
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%v of %v, limit %d at %d (-without +with):\n%s", lines[i], answer, most, at, diff)
			}
		}
		if signal := free.Metrics[2]; !signal.Failed && (signal.Replicas > 1 || signal.Active != (signal.Replicas == 1)) {
			t.Fatalf("%s of %v asks for %d, active %t", lines[2], answer, signal.Replicas, signal.Active)
		}
	}
	if cuts < 300 {
		t.Errorf("a limit counted %d times, want at least 300", cuts)
	}
}

// TestHintsAreTheSameAfterJSON as an observation is recorded and read again.
func TestHintsAreTheSameAfterJSON(t *testing.T) {
	s := said{lag: "5200 limit=12 active=true target=30"}.in(snapshot(noon, 0, nil))
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if want := `"hints":{"orders-kafka@lag":{"limit":12,"because":"12 partitions of topic \"shop.orders\"","active":true,"target":"30"}}`; !strings.Contains(string(text), want) {
		t.Errorf("got %s, want %s in it", text, want)
	}
	var again Snapshot
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s.Hints, again.Hints); diff != "" {
		t.Errorf("-written +read:\n%s", diff)
	}
}

// TestALineIsNoOtherMetricOfItsName: what an adapter calls a metric like a line is not taken for its answer.
func TestALineIsNoOtherMetricOfItsName(t *testing.T) {
	p := policy(t, orders+"target=100", "max=40")
	p.Metrics[0].ID = "another"
	d, _ := recommend(p, said{lag: "5200"}.in(snapshot(noon, 1, pods(noon, 1, "200m"))), History{})
	if d.Failure == nil || d.Metrics[0].Type != autoscalingv2.ExternalMetricSourceType {
		t.Errorf("decided on the answer of another metric: %+v", d)
	}
	if p.Metrics[0].Source == annotations.SourceExternal {
		t.Error("a line is asked of the external metrics API")
	}
}
