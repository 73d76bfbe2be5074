package simulate

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// backlogOf is the annotation for a queue of which each pod should have so many messages.
func backlogOf(target string) string {
	return `[{type: External, external: {metric: {name: backlog}, target: {type: AverageValue, averageValue: "` + target + `"}}}]`
}

// queue is half an hour of pods that serve 10 messages per second each; there should be 100 waiting for each. It begins asleep.
func queue(t *testing.T, arrivals string, own map[string]string) Setup {
	t.Helper()
	s := DefaultSetup()
	all := map[string]string{annotations.Min: "0", annotations.Metrics: backlogOf("100")}
	for key, value := range own {
		all[key] = value
	}
	s.Workload = web("2", all)
	s.Workload.Replicas = 0
	for _, key := range []string{annotations.TargetCPU, annotations.Metrics} {
		if all[key] == "" {
			delete(s.Workload.Annotations, key)
		}
	}
	shape, err := ParseShape(arrivals, PerSecond)
	if err != nil {
		t.Fatal(err)
	}
	s.Arrivals = &Arrivals{Load: shape, Rate: 10, Delay: 5 * time.Second}
	return policed(t, s)
}

// moves are the replicas with the times at which they change.
func moves(r *Run) string {
	var all []string
	for i, m := range r.Moments {
		if i == 0 || m.Replicas != r.Moments[i-1].Replicas {
			all = append(all, fmt.Sprintf("%s %d", m.At, m.Replicas))
		}
	}
	return strings.Join(all, ", ")
}

// TestABurstWakesAndIsSleptOff: 600 messages come from 5:00 to 6:00, computed by hand.
//
//	5:00  nothing is known of them: the backlog is read each 15 s, and is 5 s old
//	5:15  100 wait, of which the next reading tells: a pod is made
//	5:30  250 wait as of 5:25: 3 pods
//	5:35  the first pod is ready, and 350 messages wait. The one that it serves first is 35 s old, and so are those after it, as 10 come
//	      and 10 go in a second
//	5:45  350 wait as of 5:40: 4 pods
//	5:50  with 3 pods, 30 messages go in a second
//	6:00  no more come; 150 wait, of which the last is served at 6:05. What is read is the 250 of 5:55
//	10:45 the 4 were recommended 5 minutes ago
//	11:00 so were the 3, and it is as long since something was read
func TestABurstWakesAndIsSleptOff(t *testing.T) {
	run := play(t, queue(t, "spike:from=0,to=10,at=5m,for=1m", nil))
	if diff := cmp.Diff("0s 0, 5m15s 1, 5m30s 3, 5m45s 4, 10m45s 3, 11m0s 0", moves(run)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want := &Messages{Arrived: 600, Served: 600, MostWaiting: 350, LongestWait: 35 * time.Second, UsualWait: 35 * time.Second}
	if diff := cmp.Diff(want, run.Messages); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if run.Wakes != 1 || run.Changes != 5 || run.Asleep != 5*minute+15*second+19*minute {
		t.Errorf("%d wakes, %d changes, asleep for %s", run.Wakes, run.Changes, run.Asleep)
	}
	if got, want := run.ReplicaHours*3600, 1.0*15+3*15+4*300+3*15; got < want-1e-6 || got > want+1e-6 {
		t.Errorf("%v replica-seconds, want %v", got, want)
	}
	for at, want := range map[time.Duration]Moment{
		5*minute + 1*second:  {Arrivals: 10, Backlog: 10, Oldest: 900 * time.Millisecond},
		5*minute + 35*second: {Arrivals: 10, Backlog: 350, Oldest: 34900 * time.Millisecond, Replicas: 3, Ready: 1, Load: 1000},
		6 * minute:           {Backlog: 150, Oldest: 14900 * time.Millisecond, Replicas: 4, Ready: 3, Load: 3000},
		6*minute + 5*second:  {Replicas: 4, Ready: 4},
	} {
		want.At = at
		if diff := cmp.Diff(want, run.Moments[at/Tick]); diff != "" {
			t.Errorf("at %s (-want +got):\n%s", at, diff)
		}
	}
}

func TestStoriesOfAQueue(t *testing.T) {
	start := func(text string) func(*Setup) {
		return func(s *Setup) {
			var err error
			if s.Start, err = time.Parse(time.RFC3339, text); err != nil {
				t.Fatal(err)
			}
			s.Duration = 24 * time.Hour
		}
	}
	compat := func(replicas int32) func(*Setup) {
		return func(s *Setup) { s.Rules.Compat, s.Workload.Replicas = true, replicas }
	}
	tests := map[string]struct {
		arrivals string
		own      map[string]string
		change   func(*Setup)
		want     string
	}{
		"nothing comes, nothing wakes": {arrivals: "steady:load=0", want: "0s 0"},
		"sleep-after holds the last pod": {arrivals: "spike:from=0,to=10,at=5m,for=1m", own: map[string]string{annotations.SleepAfter: "10m"},
			want: "0s 0, 5m15s 1, 5m30s 3, 5m45s 4, 10m45s 3, 11m0s 1, 16m0s 0"},
		"a pod that keeps up is not idle": {arrivals: "steady:load=8", want: "0s 0, 15s 1, 30s 2, 45s 3, 5m45s 2, 6m0s 1"},
		"one message in 5 seconds":        {arrivals: "steady:load=0.2", own: map[string]string{annotations.SyncPeriod: "1s"}, want: "0s 0, 10s 1"},
		"an older value wakes later": {arrivals: "spike:from=0,to=10,at=5m,for=10s", change: func(s *Setup) { s.Arrivals.Delay = time.Minute },
			want: "0s 0, 6m15s 1, 12m45s 0"},
		"an Object metric": {arrivals: "spike:from=0,to=10,at=5m,for=1m", own: map[string]string{annotations.Metrics: `[{type: Object, object: {metric: {name: depth},
			describedObject: {apiVersion: example.com/v1, kind: Queue, name: mail}, target: {type: AverageValue, averageValue: "100"}}}]`},
			want: "0s 0, 5m15s 1, 5m30s 3, 5m45s 4, 10m45s 3, 11m0s 0"},
		"the HPA controller decides so, too":             {arrivals: "spike:from=0,to=10,at=5m,for=1m", change: compat(1), want: "0s 1, 5m0s 0, 5m15s 1, 5m30s 3, 5m45s 4, 10m45s 3, 11m0s 0"},
		"and takes 0 for off, unless it has set them":    {arrivals: "spike:from=0,to=10,at=5m,for=1m", change: compat(0), want: "0s 0"},
		"a pod that is always busy uses what it request": {arrivals: "steady:load=10", own: map[string]string{annotations.Min: "1", annotations.TargetCPU: "50"}, want: "0s 1, 20s 2"},
		"an outage is not emptiness": {arrivals: "spike:from=0,to=10,at=5m,for=1m", change: func(s *Setup) { s.Outage = &Outage{At: 6 * minute, For: 10 * minute} },
			want: "0s 0, 5m15s 1, 5m30s 3, 5m45s 4, 21m0s 0"},
		"nor work, but for fallback": {arrivals: "spike:from=0,to=10,at=5m,for=1m", own: map[string]string{annotations.FallbackKey: "2 after 2m"},
			change: func(s *Setup) { s.Outage = &Outage{At: 4 * minute, For: 10 * minute} }, want: "0s 0, 6m0s 2, 19m0s 0"},
		"a day in the week": {arrivals: "steady:load=0", own: map[string]string{annotations.ScheduleKey: "Mon-Fri 08:00-18:00 min=2"}, change: start("2026-11-27T00:00:00Z"),
			want: "0s 0, 8h0m0s 2, 18h0m0s 0"},
		"in another zone than the simulation's": {arrivals: "steady:load=0", own: map[string]string{annotations.ScheduleKey: "zone Europe/Berlin\nMon-Fri 08:00-18:00 min=2"}, change: start("2026-11-27T00:00:00-05:00"),
			want: "0s 0, 2h0m0s 2, 12h0m0s 0"},
		"a day of the weekend": {arrivals: "steady:load=0", own: map[string]string{annotations.ScheduleKey: "Mon-Fri 08:00-18:00 min=2"}, change: start("2026-11-28T00:00:00Z"), want: "0s 0"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := queue(t, tt.arrivals, tt.own)
			if tt.change != nil {
				tt.change(&s)
			}
			run := play(t, s)
			if diff := cmp.Diff(tt.want, moves(run)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			wakes := 0
			for i, m := range run.Moments[1:] {
				if m.Replicas > 0 && run.Moments[i].Replicas == 0 {
					wakes++
				}
			}
			if run.Wakes != wakes {
				t.Errorf("it wakes %d times, and %d are counted", wakes, run.Wakes)
			}
		})
	}
}

// TestNoMessageIsLost: at each moment what has arrived was served or waits, nothing is served that is not there, and what waits was there for
// the longest wait at most.
func TestNoMessageIsLost(t *testing.T) {
	for seed := range 20 {
		arrivals := fmt.Sprintf("noise:load=%v,by=%v,every=%ds,seed=%d", []float64{0.05, 1.0 / 3, 7, 400}[seed%4], []float64{0.05, 5, 7, 300}[seed/4%4], 1+7*seed, seed)
		s := queue(t, arrivals, map[string]string{annotations.ScaleDownStabilization: fmt.Sprintf("%ds", seed*10), annotations.Max: "30"})
		s.Arrivals.Rate = []float64{0.1, 1.0 / 3, 3, 25}[seed/2%4]
		run := play(t, s)
		arrived, served := int64(0), int64(0)
		for _, m := range run.Moments {
			done := arrived/parts - m.Backlog
			if most := float64(served) + s.Arrivals.Rate*float64(m.Ready+30) + 1; done < served || float64(done) > most || m.Oldest > run.Messages.LongestWait || m.Oldest > 0 && m.Backlog == 0 {
				t.Fatalf("%s at %s: %d served after %d, %d wait, the oldest for %s of %s", arrivals, m.At, done, served, m.Backlog, m.Oldest, run.Messages.LongestWait)
			}
			served, arrived = done, arrived+inParts(m.Arrivals)
		}
		got, last := run.Messages, run.Moments[len(run.Moments)-1]
		if got.Arrived != got.Served+last.Backlog || got.Arrived == 0 || got.UsualWait > got.LongestWait || got.MostWaiting < last.Backlog {
			t.Errorf("%s: %+v, and %d wait", arrivals, got, last.Backlog)
		}
	}
}

// TestWaitsByHand: each line is a queue with pods that are there from the start, and how long its messages wait.
func TestWaitsByHand(t *testing.T) {
	tests := map[string]struct {
		arrivals []float64 // in each second
		pods     []int32
		rate     float64
		want     Messages
	}{
		"what is there is served at once":               {[]float64{2, 2, 2}, []int32{1, 1, 1}, 2, Messages{Arrived: 6, Served: 6}},
		"half as fast as they come":                     {[]float64{2, 2, 0, 0}, []int32{1, 1, 1, 1}, 1, Messages{Arrived: 4, Served: 4, MostWaiting: 2, LongestWait: 2 * second, UsualWait: 2 * second}},
		"nobody is there":                               {[]float64{1, 0, 0}, []int32{0, 0, 0}, 1, Messages{Arrived: 1, MostWaiting: 1, LongestWait: 2 * second, UsualWait: 2 * second}},
		"a message counts when all of it is":            {[]float64{0.5, 0, 0.5, 0}, []int32{0, 0, 0, 1}, 1, Messages{Arrived: 1, Served: 1, MostWaiting: 1, LongestWait: second, UsualWait: second}},
		"the last of a burst waits longest":             {[]float64{10, 0, 0, 0, 0}, []int32{1, 1, 1, 1, 1}, 2, Messages{Arrived: 10, Served: 10, MostWaiting: 8, LongestWait: 4 * second, UsualWait: 4 * second}},
		"the first does, if pods come late":             {[]float64{10, 0, 0, 0}, []int32{0, 0, 0, 10}, 2, Messages{Arrived: 10, Served: 10, MostWaiting: 10, LongestWait: 2950 * time.Millisecond, UsualWait: 2950 * time.Millisecond}},
		"one in a hundred may wait long":                {[]float64{5, 0, 495}, []int32{0, 0, 1}, 500, Messages{Arrived: 500, Served: 500, MostWaiting: 5, LongestWait: 1802 * time.Millisecond, UsualWait: second}},
		"but not more":                                  {[]float64{6, 0, 494}, []int32{0, 0, 1}, 500, Messages{Arrived: 500, Served: 500, MostWaiting: 6, LongestWait: 1835 * time.Millisecond, UsualWait: 1835 * time.Millisecond}},
		"what comes as the pod does waits for its turn": {[]float64{0.5, 0.5, 200, 0, 0}, []int32{0, 0, 1, 1, 1}, 200, Messages{Arrived: 201, Served: 201, MostWaiting: 1, LongestWait: 5 * time.Millisecond, UsualWait: 5 * time.Millisecond}},
	}
	for name, tt := range tests {
		b := newBacklog(Arrivals{Rate: tt.rate, Load: Load{At: func(at time.Duration) float64 { return tt.arrivals[at/Tick] }}}, time.Minute)
		for i, pods := range tt.pods {
			b.pass(time.Duration(i)*Tick, pods)
		}
		if diff := cmp.Diff(&tt.want, b.sum(time.Duration(len(tt.pods))*Tick)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestWhatIsServedCountsAsWaiting: pods that keep up are busy for a part of the time, and in so many readings there is a message.
func TestWhatIsServedCountsAsWaiting(t *testing.T) {
	for load, want := range map[float64]float64{0.5: 0.05, 1: 0.1, 9: 0.9, 10: 1, 25: 2.5} {
		b := newBacklog(Arrivals{Rate: 10, Load: Load{At: func(time.Duration) float64 { return load }}}, time.Hour)
		sum, n := 0.0, 20_000
		for i := range n {
			b.pass(time.Duration(i)*Tick, 3)
			sum += float64(b.value(time.Duration(i+1) * Tick))
		}
		if got := sum / float64(n); got < want-0.01 || got > want+0.01 {
			t.Errorf("%v messages per second: %v are seen, want %v", load, got, want)
		}
	}
}

func TestArrivalsThatAreRefused(t *testing.T) {
	const two = `[{type: External, external: {metric: {name: a}, target: {type: Value, value: 1}}}, {type: External, external: {metric: {name: b}, target: {type: Value, value: 1}}}]`
	tests := map[string]struct {
		own    map[string]string
		change func(*Setup)
		want   string
	}{
		"no metric for them": {map[string]string{annotations.Metrics: "", annotations.Min: "1", annotations.TargetCPU: "50"}, nil,
			"the messages that wait are the value of an External or Object metric, and there is only cpu (Resource); want exactly one in mini-hpa/metrics or mini-hpa/sources"},
		"a schedule alone": {map[string]string{annotations.Metrics: "", annotations.ScheduleKey: "daily 08:00-18:00 min=1"}, nil,
			"the messages that wait are the value of an External or Object metric, and there is no metric; want exactly one in mini-hpa/metrics or mini-hpa/sources"},
		"two metrics":        {map[string]string{annotations.Metrics: two}, nil, "the messages that wait are the value of one External or Object metric, and there are 2: a (External), b (External); want exactly one"},
		"no rate":            {nil, func(s *Setup) { s.Arrivals.Rate = 0 }, "a pod serves 0 messages per second; want 0.001 to 1000000"},
		"half a second":      {nil, func(s *Setup) { s.Arrivals.Delay = 500 * time.Millisecond }, "500ms is not a whole number of seconds from 0 up"},
		"a load beside them": {nil, func(s *Setup) { s.Load, _ = ParseShape("steady", Millicores) }, "there are both a load and arrivals; want one of them"},
	}
	for name, tt := range tests {
		own := map[string]string{}
		for key, value := range tt.own {
			own[key] = value
		}
		s := queue(t, "steady", nil)
		for key, value := range own {
			if s.Workload.Annotations[key] = value; value == "" {
				delete(s.Workload.Annotations, key)
			}
		}
		s = policed(t, s)
		if tt.change != nil {
			tt.change(&s)
		}
		if _, err := Simulate(t.Context(), s); err == nil || err.Error() != tt.want {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
}

// TestWhatIsSeenOfAnOutage: the metric fails, and those of the pods do.
func TestWhatIsSeenOfAnOutage(t *testing.T) {
	s := queue(t, "steady", nil)
	s.Outage = &Outage{At: minute, For: minute}
	failed := 0
	s.distort = func(seen recommend.Snapshot) recommend.Snapshot {
		if (seen.Errors["backlog"] != "") != (len(seen.ExternalMetrics) == 0) {
			t.Errorf("at %s: %v beside %v", seen.Time, seen.ExternalMetrics, seen.Errors)
		}
		if seen.Errors["backlog"] != "" {
			failed++
		}
		return seen
	}
	if play(t, s); failed != 4 {
		t.Errorf("the metric failed %d times, want each 15 s of a minute", failed)
	}
}

// TestACurveOfMessages: a file of messages per second counts by its average in each second, as one of CPU does.
func TestACurveOfMessages(t *testing.T) {
	const text = "time,messages per second\n0,0.2\n10s,0.2\n10s,3\n12.5s,3\n12.5s,0\n"
	load, err := ReadCSV(strings.NewReader(text), "queue.csv", PerSecond, false)
	if err != nil {
		t.Fatal(err)
	}
	s := queue(t, "steady:load=0", nil)
	s.Arrivals.Load, s.Duration = load, time.Minute
	if got := play(t, s).Messages.Arrived; got != 2+7 {
		t.Errorf("%d messages arrived, want 0.2 in each of 10 seconds and 3 in each of 2.5, and no half ones", got)
	}
	for text, want := range map[string]string{
		"":            "there is no point; want rows of time,messages per second, such as 90,0.2",
		"0\n":         "line 1: 1 fields; want 2, time and messages per second",
		"0,500m\n":    `line 1: "500m" is not a rate; want messages per second from 0 to 1000000, such as 0.2`,
		"0,1000001\n": `line 1: "1000001" is not a rate`,
	} {
		if _, err := ReadCSV(strings.NewReader(text), "queue.csv", PerSecond, false); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// TestManyMessagesForLong: the largest rates fit into the numbers.
func TestManyMessagesForLong(t *testing.T) {
	s := queue(t, "noise:load=1000000,by=1000000,every=1h", map[string]string{annotations.Max: "2"})
	s.Arrivals.Rate, s.Duration = MostPerSecond/2, 24*time.Hour
	if m := play(t, s).Messages; m.Arrived < 80e9 || m.Served < 70e9 || m.MostWaiting <= 0 || m.LongestWait <= 0 {
		t.Errorf("%+v", m)
	}
}

// BenchmarkAWeekOfMessages is a week with a schedule.
func BenchmarkAWeekOfMessages(b *testing.B) {
	s := DefaultSetup()
	s.Workload = web("2", map[string]string{annotations.Min: "0", annotations.Metrics: backlogOf("100"), annotations.ScheduleKey: "Mon-Fri 08:00-18:00 min=2"})
	delete(s.Workload.Annotations, annotations.TargetCPU)
	s.Policy, _, _ = annotations.DefaultDefaults().Parse(s.Workload.Annotations)
	load, _ := ParseShape("burst", PerSecond)
	s.Arrivals, s.Duration = &Arrivals{Load: load, Rate: 10, Delay: 5 * time.Second}, 7*24*time.Hour
	for b.Loop() {
		if _, err := Simulate(b.Context(), s); err != nil {
			b.Fatal(err)
		}
	}
}

// TestALineOfSourcesIsTheBacklog as an External metric is, and its limit is one to the replicas.
func TestALineOfSourcesIsTheBacklog(t *testing.T) {
	lines := func(line string) map[string]string {
		return map[string]string{annotations.Metrics: "", annotations.SourcesKey: "orders-kafka group=a topic=b " + line}
	}
	for line, want := range map[string]string{
		"target=100":         "0s 0, 5m15s 1, 5m30s 3, 5m45s 4, 10m45s 3, 11m0s 0",
		"target=100 limit=2": "0s 0, 5m15s 1, 5m30s 2, 11m0s 1, 11m15s 0",
		"active=200":         "0s 0, 5m30s 1, 11m30s 0",
	} {
		if diff := cmp.Diff(want, moves(play(t, queue(t, "spike:from=0,to=10,at=5m,for=1m", lines(line))))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", line, diff)
		}
	}
}
