package story

import (
	"fmt"
	"maps"
	"strconv"
	"time"
)

// Workload is a Deployment of the story: its name and the mini-hpa annotations it carries.
type Workload struct {
	Name        string
	Annotations map[string]string
}

// Phase is one act of the workshop.
type Phase struct {
	// Title names it, Watch says what there is to see.
	Title, Watch string
	// Workloads are created when the phase begins, unless an earlier phase did.
	Workloads []Workload
	// Load is set on each of the workloads when the phase begins.
	Load   Load
	Expect Expectation `json:"-"`
}

// Names are the names of the phase's workloads, in order.
func (p Phase) Names() []string {
	names := make([]string, 0, len(p.Workloads))
	for _, w := range p.Workloads {
		names = append(names, w.Name)
	}
	return names
}

// Pace is how fast the story can be told: it follows from how often there is a new sample and how old that sample is by then.
type Pace struct {
	// Sample is how long it may take until a change of load is fully visible in the metrics API.
	Sample time.Duration
	// Stabilization is the scale-down stabilization window of web. The product's default is 5 minutes.
	Stabilization time.Duration
	// Detour is how much longer scaling in may take where pods that should idle use a little: a size in between then holds for a
	// stabilization window of its own.
	Detour time.Duration
	// Start is how long a new pod may take until it is ready.
	Start time.Duration
	// Hold is how long a number of replicas must last to count as settled.
	Hold time.Duration
	// Load and Hot are the loads that need 5 and all 10 pods, in percent of one pod's CPU request.
	Load, Hot int64
	// Burst is the period of the bursty load, half of it high; Bursts is how many of them are played.
	Burst  time.Duration
	Bursts int
}

const (
	// Target is the wanted utilization of every workload, in percent of the CPU request.
	Target int32 = 50
	// limit is the most replicas any workload may have; the hottest load needs exactly that many.
	limit = 10
)

// Simulated is the pace where pods are ready at once and each sample is the true average since the one before it.
func Simulated(period time.Duration) Pace {
	return paced(period, Pace{Sample: 2 * period, Start: 10 * time.Second, Load: 220, Hot: 480, Bursts: 5})
}

// Real is the pace of a cluster with kubelets: the kubelet measures every 10 to 15 s by itself, and images are pulled. The first sample
// after a change mixes the old load with the new, so that the first step may fall one pod short: the loads are such that one pod short is
// outside the tolerance and the second step follows.
func Real(period time.Duration) Pace {
	p := paced(period, Pace{Sample: 2*period + 30*time.Second, Start: time.Minute, Load: 240, Hot: 520, Bursts: 4})
	p.Detour = p.Stabilization
	return p
}

// paced fills in the rest. Hold is longer than the 15 s period of the default scale-up policy, or the next step would be cut short.
func paced(period time.Duration, p Pace) Pace {
	p.Hold = max(16*time.Second, 3*period)
	p.Stabilization = 6 * period
	p.Burst = 2 * p.Sample
	return p
}

// Longest is how long the story takes if every phase uses all of its time.
func Longest(phases []Phase) time.Duration {
	var sum time.Duration
	for _, phase := range phases {
		sum += phase.Expect.Longest()
	}
	return sum
}

// Workshop is the story at a pace.
func Workshop(pace Pace) []Phase {
	web := Workload{Name: "web", Annotations: guarded(map[string]string{
		"mini-hpa/scale-down-stabilization": pace.Stabilization.String(),
	})}
	soon := pace.Sample + pace.Start
	// The window starts at the last evaluation that wanted more, which may precede the new load by a sample.
	early := max(0, pace.Stabilization-pace.Sample)
	return []Phase{
		{
			Title: "idle", Watch: "20% is below the target of 50%, and 1 is the minimum: nothing happens",
			Workloads: []Workload{web}, Load: Steady(20),
			Expect: Reaches{Workload: "web", Replicas: 1, Within: soon, Hold: pace.Hold},
		},
		{
			Title: "load",
			Watch: fmt.Sprintf("%d%% on one pod is %.1f times the target: 5 pods carry it at %d%%",
				pace.Load, float64(pace.Load)/float64(Target), pace.Load/5),
			Workloads: []Workload{web}, Load: Steady(pace.Load),
			Expect: Reaches{Workload: "web", Replicas: 5, Within: soon, Hold: pace.Hold},
		},
		{
			Title: "still hotter",
			Watch: fmt.Sprintf("%d%% on 5 pods is %d%% each: 10 pods carry it at %d%%, which is within the tolerance of 10%%: it settles",
				pace.Hot, pace.Hot/5, pace.Hot/limit),
			Workloads: []Workload{web}, Load: Steady(pace.Hot),
			Expect: Reaches{Workload: "web", Replicas: limit, Within: soon, Hold: pace.Hold + pace.Sample},
		},
		{
			Title: "load gone",
			Watch: fmt.Sprintf("the highest recommendation of the last %s (an annotation; the default is 5m) holds the replicas, then they go",
				pace.Stabilization),
			Workloads: []Workload{web}, Load: Steady(20),
			Expect: Reaches{Workload: "web", Replicas: 1, NotBefore: early, Within: pace.Stabilization + pace.Detour + soon, Hold: pace.Hold / 2},
		},
		flapping(pace),
	}
}

// flapping is the comparison: the same bursts for a workload without its guards and for one with the defaults.
func flapping(pace Pace) Phase {
	bare := guarded(map[string]string{
		"mini-hpa/tolerance":                "0",
		"mini-hpa/scale-up-stabilization":   "0s",
		"mini-hpa/scale-down-stabilization": "0s",
	})
	return Phase{
		Title: "flapping", Watch: "flappy has tolerance 0 and no stabilization, steady has the defaults; both get the same bursts",
		Workloads: []Workload{{Name: "flappy", Annotations: bare}, {Name: "steady", Annotations: guarded(nil)}},
		Load:      Load{Low: 20, High: 190, Period: pace.Burst, On: pace.Burst / 2},
		Expect:    Calmer{Wild: "flappy", Calm: "steady", Times: 3, For: time.Duration(pace.Bursts) * pace.Burst},
	}
}

// guarded is the annotations every workload has, and those it has of its own.
func guarded(own map[string]string) map[string]string {
	all := map[string]string{
		"mini-hpa/target-cpu": strconv.Itoa(int(Target)),
		"mini-hpa/min":        "1",
		"mini-hpa/max":        strconv.Itoa(limit),
	}
	maps.Copy(all, own)
	return all
}
