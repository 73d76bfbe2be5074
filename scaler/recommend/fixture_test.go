package recommend

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/podspec"
	"github.com/mini-hpa/mini-hpa/scaler/sample"
)

// noon is when the stories begin. Their pods started an hour earlier unless they say otherwise.
var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

const sampleWindow = 15 * time.Second

// policy parses annotations given without their prefix: policy(t, "target-cpu=50", "max=10").
func policy(t testing.TB, pairs ...string) annotations.Policy {
	t.Helper()
	values := map[string]string{}
	for _, pair := range pairs {
		key, value, _ := strings.Cut(pair, "=")
		values[annotations.Prefix+key] = value
	}
	p, _, problems := annotations.DefaultDefaults().Parse(values)
	if len(problems) > 0 {
		t.Fatalf("annotations %v: %v", values, problems.ToAggregate())
	}
	return p
}

// recommend decides with DefaultRules.
func recommend(p annotations.Policy, s Snapshot, h History) (Decision, History) {
	return DefaultRules().Recommend(p, s, h)
}

// fixture builds one pod and its sample. The pod is running and ready, requests 1 CPU and 1Gi and has a fresh sample.
type fixture struct {
	pod    *podspec.Pod
	sample *sample.Pod
}

type option func(*fixture, time.Time)

func newFixture(now time.Time, index int, cpu string, options ...option) fixture {
	start := now.Add(-time.Hour)
	name := fmt.Sprintf("web-%03d", index)
	f := fixture{
		pod: &podspec.Pod{
			Name: name, Namespace: "default", Created: start, Started: start, Phase: corev1.PodRunning,
			Ready: podspec.Condition{Status: corev1.ConditionTrue, Since: start},
			Spec:  &podspec.Spec{Containers: []corev1.Container{container("app", "1", "1Gi")}},
		},
		sample: &sample.Pod{
			Name: name, Namespace: "default", Time: now.Add(-2 * time.Second), Window: sampleWindow,
			Containers: []sample.Container{{Name: "app", Usage: sample.UsageOf(corev1.ResourceList{
				corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse("512Mi")})}},
		},
	}
	for _, o := range options {
		o(&f, now)
	}
	return f
}

// uses replaces what the sample says of a resource.
func (f *fixture) uses(name corev1.ResourceName, quantity string) {
	for i := range f.sample.Containers[0].Usage {
		if a := &f.sample.Containers[0].Usage[i]; a.Resource == name {
			a.Quantity = resource.MustParse(quantity)
		}
	}
}

func container(name, cpu, memory string) corev1.Container {
	requests := corev1.ResourceList{}
	if cpu != "" {
		requests[corev1.ResourceCPU] = resource.MustParse(cpu)
	}
	if memory != "" {
		requests[corev1.ResourceMemory] = resource.MustParse(memory)
	}
	return corev1.Container{Name: name, Resources: corev1.ResourceRequirements{Requests: requests}}
}

func without(f *fixture, _ time.Time) { f.sample = nil }
func pending(f *fixture, _ time.Time) { f.pod.Phase = corev1.PodPending; f.sample = nil }
func failed(f *fixture, _ time.Time)  { f.pod.Phase = corev1.PodFailed }
func succeeded(f *fixture, _ time.Time) {
	f.pod.Phase, f.pod.Ready.Status = corev1.PodSucceeded, corev1.ConditionFalse
	f.sample = nil
}
func negative(f *fixture, _ time.Time) {
	f.uses(corev1.ResourceCPU, "-3")
}
func deleted(f *fixture, now time.Time) { f.pod.Deleted = now }
func noRequest(f *fixture, _ time.Time) { f.pod.Spec.Containers[0].Resources.Requests = nil }

func sidecar(cpu string, usage string) option {
	always := corev1.ContainerRestartPolicyAlways
	return func(f *fixture, _ time.Time) {
		c := container("proxy", cpu, "")
		c.RestartPolicy = &always
		f.pod.Spec.InitContainers = append(f.pod.Spec.InitContainers, c)
		f.sample.Containers = append(f.sample.Containers, sample.Container{Name: "proxy",
			Usage: sample.Usage{{Resource: corev1.ResourceCPU, Quantity: resource.MustParse(usage)}}})
	}
}

// started sets how long ago the pod was created and started, and readySince when its Ready condition last changed.
func started(ago time.Duration) option {
	return func(f *fixture, now time.Time) {
		start := now.Add(-ago)
		f.pod.Created, f.pod.Started, f.pod.Ready.Since = start, start, start
	}
}

func ready(status corev1.ConditionStatus, ago time.Duration) option {
	return func(f *fixture, now time.Time) {
		f.pod.Ready = podspec.Condition{Status: status, Since: now.Add(-ago)}
	}
}

func sampled(ago time.Duration) option {
	return func(f *fixture, now time.Time) { f.sample.Time = now.Add(-ago) }
}

// pods is n pods alike.
func pods(now time.Time, n int, cpu string, options ...option) []fixture {
	made := make([]fixture, n)
	for i := range made {
		made[i] = newFixture(now, i, cpu, options...)
	}
	return made
}

// snapshot is what is seen of the groups of pods, with names of their own.
func snapshot(now time.Time, replicas int32, groups ...[]fixture) Snapshot {
	s := Snapshot{Time: now, Replicas: replicas, StatusReplicas: replicas}
	for g, group := range groups {
		for _, f := range group {
			f.pod.Name = fmt.Sprintf("%s-%d", f.pod.Name, g)
			s.Pods = append(s.Pods, f.pod)
			if f.sample != nil {
				f.sample.Name = f.pod.Name
				s.PodMetrics = append(s.PodMetrics, f.sample)
			}
		}
	}
	return s
}

// workload plays a Deployment whose pods share a load evenly and follow the replicas at once.
type workload struct {
	t        *testing.T
	policy   annotations.Policy
	rules    Rules
	now      time.Time
	replicas int32
	history  History
	last     Decision
	changes  int
}

func newWorkload(t *testing.T, replicas int32, pairs ...string) *workload {
	return &workload{t: t, policy: policy(t, pairs...), rules: DefaultRules(), now: noon, replicas: replicas}
}

// load evaluates once with so many milli-CPU over all pods, applies the decision and lets some time pass.
func (w *workload) load(milliCPU int, pass time.Duration) *workload {
	each := fmt.Sprintf("%dm", milliCPU/int(w.replicas))
	return w.see(snapshot(w.now, w.replicas, pods(w.now, int(w.replicas), each)), pass)
}

func (w *workload) see(s Snapshot, pass time.Duration) *workload {
	w.last, w.history = w.rules.Recommend(w.policy, s, w.history)
	if w.last.Desired != w.replicas {
		w.history, w.replicas = w.history.Applied(w.last), w.last.Desired
		w.changes++
	}
	w.now = w.now.Add(pass)
	return w
}

func (w *workload) want(replicas int32) {
	w.t.Helper()
	if w.replicas != replicas {
		w.t.Fatalf("at %s: replicas = %d, want %d; reason %q, steps:\n%s", w.now.Format(time.TimeOnly), w.replicas, replicas, w.last.Reason, steps(w.last))
	}
}

func steps(d Decision) string {
	var b strings.Builder
	for _, s := range d.Steps {
		fmt.Fprintf(&b, "  %-10s %-8s %3d -> %3d  %-20s %s\n", s.Stage, s.Metric, s.From, s.To, s.Reason, s.Detail)
	}
	return b.String()
}
