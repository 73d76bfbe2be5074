package simulate

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// cpus are the CPU of requests or limits; none if empty.
func cpus(amount string) corev1.ResourceList {
	if amount == "" {
		return nil
	}
	return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(amount)}
}

func container(name, request, limit string) corev1.Container {
	return corev1.Container{Name: name, Resources: corev1.ResourceRequirements{Requests: cpus(request), Limits: cpus(limit)}}
}

func sidecar(name, request, limit string) corev1.Container {
	c := container(name, request, limit)
	c.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
	return c
}

// of is a setup whose pods have these containers.
func of(t *testing.T, load string, own map[string]string, spec corev1.PodSpec) Setup {
	t.Helper()
	s := setup(t, load, own)
	s.Workload.Template.Spec = spec
	return s
}

func podOf(all ...corev1.Container) corev1.PodSpec { return corev1.PodSpec{Containers: all} }

func whole(spec corev1.PodSpec, request, limit string) corev1.PodSpec {
	spec.Resources = &corev1.ResourceRequirements{Requests: cpus(request), Limits: cpus(limit)}
	return spec
}

func with(spec corev1.PodSpec, initial ...corev1.Container) corev1.PodSpec {
	spec.InitContainers = initial
	return spec
}

func TestTheLimitOfAPod(t *testing.T) {
	none := math.Inf(1)
	tests := map[string]struct {
		spec corev1.PodSpec
		want float64
	}{
		"they add up":                  {podOf(container("a", "", "1"), container("b", "", "500m")), 1500},
		"the first may use anything":   {podOf(container("a", "", ""), container("b", "", "1")), none},
		"the last may use anything":    {podOf(container("a", "", "1"), container("b", "", "")), none},
		"a sidecar counts":             {with(podOf(container("a", "", "1")), sidecar("s", "", "1")), 2000},
		"an init container does not":   {with(podOf(container("a", "", "1")), container("i", "", "1")), 1000},
		"the pod's own limit":          {whole(podOf(container("a", "", "")), "", "3"), 3000},
		"less than the pod's is there": {whole(podOf(container("a", "", "1")), "", "3"), 1000},
	}
	for name, tt := range tests {
		s := of(t, "steady", nil, tt.spec)
		if got := newTemplate(s.Workload, Epoch()).limit; got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

// As in a cluster, where the API server fills in requests.
func TestTheRequestOfAPod(t *testing.T) {
	overhead := whole(podOf(container("a", "1", "")), "3", "")
	overhead.Overhead = cpus("250m")
	tests := map[string]struct {
		spec corev1.PodSpec
		want float64
	}{
		"a request":                           {podOf(container("a", "1", "2")), 1000},
		"a limit alone":                       {podOf(container("a", "", "2")), 2000},
		"neither":                             {podOf(container("a", "", "")), 0},
		"a sidecar's":                         {with(podOf(container("a", "1", "")), sidecar("s", "500m", "")), 1500},
		"a sidecar's limit":                   {with(podOf(container("a", "1", "")), sidecar("s", "", "250m")), 1250},
		"an init container is gone":           {with(podOf(container("a", "1", "")), container("i", "4", "")), 1000},
		"the pod's":                           {whole(podOf(container("a", "1", "")), "3", "4"), 3000},
		"the pod's, with its overhead":        {overhead, 3250},
		"the pod's is that of its containers": {whole(podOf(container("a", "1", "")), "", "4"), 1000},
		"and of the init container":           {whole(with(podOf(container("a", "1", "")), sidecar("s", "500m", ""), container("i", "2", "")), "", "4"), 2500},
		"the pod's limit":                     {whole(podOf(container("a", "", "")), "", "4"), 4000},
	}
	for name, tt := range tests {
		s := of(t, "steady", nil, tt.spec)
		given := copyOf(s.Workload)
		if got := s.Request(); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
		if diff := cmp.Diff(given, s.Workload); diff != "" {
			t.Errorf("%s: the workload changed: %s", name, diff)
		}
	}
}

func TestUsageIsDivided(t *testing.T) {
	tests := map[string]struct {
		spec  corev1.PodSpec
		usage float64
		want  []float64
	}{
		"by the requests":            {podOf(container("a", "300m", ""), container("b", "100m", "")), 800, []float64{600, 200}},
		"evenly without any":         {podOf(container("a", "", ""), container("b", "", "")), 800, []float64{400, 400}},
		"a sidecar has its part":     {with(podOf(container("a", "1", "")), sidecar("s", "1", "")), 800, []float64{400, 400}},
		"none above its limit":       {podOf(container("a", "100m", "1"), container("b", "100m", "100m")), 600, []float64{500, 100}},
		"the rest by the requests":   {podOf(container("a", "100m", "100m"), container("b", "100m", ""), container("c", "300m", "")), 1300, []float64{100, 300, 900}},
		"one after the other":        {podOf(container("a", "100m", "100m"), container("b", "100m", "300m"), container("c", "100m", "")), 1200, []float64{100, 300, 800}},
		"all are full":               {podOf(container("a", "100m", "1"), container("b", "100m", "100m")), 1100, []float64{1000, 100}},
		"at last without a request":  {podOf(container("a", "100m", "200m"), container("b", "", "")), 500, []float64{200, 300}},
		"nothing":                    {podOf(container("a", "100m", "1")), 0, []float64{0}},
		"without a request, for now": {podOf(container("a", "100m", "200m"), container("b", "", "")), 150, []float64{150, 0}},
	}
	for name, tt := range tests {
		s := of(t, "steady", nil, tt.spec)
		if diff := cmp.Diff(tt.want, newTemplate(s.Workload, Epoch()).divide(tt.usage), cmpopts.EquateApprox(1e-9, 0)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// The load at which a container is at its target, where another one is at its limit before.
func TestPerReplicaKnowsLimits(t *testing.T) {
	spec := podOf(container("app", "100m", "1"), container("log", "100m", "100m"))
	tests := map[string]struct {
		container, target string
		want              float64
	}{
		"both are below":              {"log", "90m", 180},
		"the other one is full":       {"app", "500m", 600},
		"it never uses so much":       {"log", "150m", 0},
		"there is no such container":  {"lag", "90m", 0},
		"percent of its own requests": {"app", "80", 160},
	}
	for name, tt := range tests {
		s := policed(t, of(t, "steady", map[string]string{annotations.Container: tt.container, annotations.TargetCPU: tt.target}, spec))
		if got := s.PerReplica(); math.Abs(got-tt.want) > 1e-9 {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

func TestPodsAreScaledByWhatTheirContainersRequest(t *testing.T) {
	tests := map[string]struct {
		spec  corev1.PodSpec
		want  []int32
		usage float64
	}{
		"a limit is a request":    {podOf(container("app", "", "1")), []int32{1, 2, 4, 8}, 1000},
		"a sidecar carries, too":  {with(podOf(container("app", "1", "")), sidecar("proxy", "1", "")), []int32{1, 4}, 4000},
		"a limit of the whole":    {whole(podOf(container("app", "", "")), "", "2"), []int32{1, 2, 4}, 2000},
		"what is full has no say": {podOf(container("app", "900m", ""), container("log", "100m", "100m")), []int32{1, 5, 8}, 4000},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := of(t, "step", nil, tt.spec)
			run := play(t, s)
			if diff := cmp.Diff(tt.want, sizes(run)); diff != "" {
				t.Errorf("replicas (-want +got):\n%s", diff)
			}
			largest := 0.0
			for _, e := range run.Evaluations {
				largest = max(largest, e.Usage)
			}
			if math.Abs(largest-tt.usage) > 1 {
				t.Errorf("a pod uses up to %v, want %v", largest, tt.usage)
			}
		})
	}
}

func TestTheFirstPodsAreReady(t *testing.T) {
	for _, startup := range []time.Duration{0, time.Hour, 24 * time.Hour} {
		s := setup(t, "steady:load=500", nil)
		s.Startup, s.MetricsPeriod, s.MetricsDelay = startup, 10*time.Minute, 10*time.Minute
		run := play(t, s)
		if first := run.Evaluations[0]; first.Moment.Ready != 1 || first.Usage != 500 || run.UnservedCores > 0 {
			t.Errorf("with a startup of %s: %d ready at 0, usage %v, unserved %v", startup, first.Moment.Ready, first.Usage, run.UnservedCores)
		}
	}
}

// A pipeline of 40 s behind samples of 15 s: all of them come, in order, each at its time.
func TestSamplesMayBeOlderThanTheNextOne(t *testing.T) {
	s := setup(t, "step:to=1500,at=1m", map[string]string{annotations.Max: "1"})
	s.MetricsDelay = 40 * time.Second
	var seen []time.Duration
	last := -1.0
	for _, e := range play(t, s).Evaluations {
		if e.Usage != last {
			seen, last = append(seen, e.Moment.At), e.Usage
		}
	}
	if diff := cmp.Diff([]time.Duration{0, 115 * time.Second}, seen); diff != "" {
		t.Errorf("usage that changes (-want +got):\n%s", diff)
	}
}
