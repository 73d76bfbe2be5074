package scaler

import (
	"cmp"
	"context"
	"errors"
	"reflect"
	"strconv"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/podspec"
	"github.com/mini-hpa/mini-hpa/scaler/clock"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
	"github.com/mini-hpa/mini-hpa/scaler/sample"
)

var (
	noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	web  = annotations.DeploymentKey("default", "web")
)

// cluster is the world of one Deployment: what the Scaler reads and what it does to it.
type cluster struct {
	t          *testing.T
	now        time.Time
	deployment *appsv1.Deployment
	// seen is the Deployment as the Scaler has it.
	seen     *appsv1.Deployment
	workload *annotations.Workload
	// surroundings are the LimitRanges and the other autoscalers.
	surroundings annotations.Surroundings
	// milliCPU is each pod's usage; below 0 the pods have no sample.
	milliCPU int64
	podAge   time.Duration
	// running is how many pods there are, where that differs from the replicas.
	running int32
	// unscheduled is what the scheduler says of all pods but the first; "" if they run. They have waited since noon.
	unscheduled string
	// nowhere says that the first waits, too.
	nowhere bool
	// created is the pods' creation, where it differs from their start.
	created    time.Time
	samplesErr error
	// fetching says that the samples are there, but not in memory yet.
	fetching bool
	// ahead is how far the clock of the pods' node is ahead, advanced that this is certain.
	ahead    time.Duration
	advanced bool
	// unready says that no pod is ready.
	unready bool
	// node is where the pods run.
	node string
	// injected adds a container without a request to each pod.
	injected bool
	// unrequested takes away the request of each pod.
	unrequested bool
	// answers are what the custom and external metrics APIs say, by metric; an error is one too.
	answers map[string]any
	// answered is when the totals were asked for.
	answered time.Time
	asked    []string
	asking   sync.Mutex
	scaleErr error
	// scaling is called when a write begins.
	scaling func()
	writes  []int32
	// stored is what the last write has made of the Deployment, replaced the version that it was made for. A late watch does
	// not show it yet.
	stored   *appsv1.Deployment
	replaced string
	late     bool
	// live is the Deployment as the API server has it, where the watch does not tell of it; liveErr is how reading it fails.
	live        *appsv1.Deployment
	liveErr     error
	lives       int
	doubts      []string
	conditions  []string // the versions that writes were for
	events      *record.FakeRecorder
	scaler      *Scaler
	registry    *prometheus.Registry
	lastWait    time.Duration
	lastFailure error
}

func newCluster(t *testing.T, pairs map[string]string) *cluster {
	one := int32(1)
	c := &cluster{t: t, now: noon, milliCPU: 500, podAge: time.Hour, events: record.NewFakeRecorder(100), registry: prometheus.NewRegistry(),
		deployment: &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web", UID: types.UID("u1"), ResourceVersion: "1", Annotations: map[string]string{}},
			Spec:       appsv1.DeploymentSpec{Replicas: &one, Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{app()}}}},
		}}
	c.annotate(pairs)
	observer := Observer{Workloads: c, Surroundings: c, Samples: c, Answers: c, Defaults: annotations.DefaultDefaults(), Rules: recommend.DefaultRules(),
		Now: func() time.Time { return c.now }}
	c.scaler = New(Deps{Observer: observer, Origin: c, Scales: c, Events: c.events, Telemetry: NewTelemetry(c.registry), Log: zap.NewNop()})
	return c
}

func selected() map[string]string { return map[string]string{"target-cpu": "50", "max": "10"} }

func (c *cluster) annotate(pairs map[string]string) {
	c.deployment.Annotations = map[string]string{}
	for key, value := range pairs {
		c.deployment.Annotations[annotations.Prefix+key] = value
	}
}

// Workload is the same object for as long as nothing of it changes, as an informer's is, and never the one that the tests write to.
func (c *cluster) Workload(annotations.Key) *annotations.Workload {
	if c.deployment == nil {
		return nil
	}
	if !reflect.DeepEqual(c.seen, c.deployment) {
		c.seen = c.deployment.DeepCopy()
		c.workload = annotations.OfDeployment(c.seen)
	}
	return c.workload
}

func (c *cluster) Surroundings(_, _ *annotations.Workload) annotations.Surroundings {
	return c.surroundings
}

// app is the only container, in the template and in the pods.
func app() corev1.Container {
	return corev1.Container{Name: "app", Resources: corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourceMemory: resource.MustParse("1Gi")}}}
}

func (c *cluster) Pods(w *annotations.Workload) []*podspec.Pod {
	start := c.now.Add(-c.podAge)
	created := start
	if !c.created.IsZero() {
		created = c.created
	}
	made := make([]*podspec.Pod, cmp.Or(c.running, w.Replicas))
	for i := range made {
		made[i] = &podspec.Pod{
			Namespace: "default", Name: "web-" + string(rune('a'+i)), Node: c.node, Created: created, Started: start, Phase: corev1.PodRunning,
			Ready: podspec.Condition{Status: corev1.ConditionTrue, Since: start}, Spec: &podspec.Spec{Containers: []corev1.Container{app()}},
		}
		if c.unready {
			made[i].Ready.Status = corev1.ConditionFalse
		}
		if c.unrequested {
			made[i].Spec.Containers[0].Resources = corev1.ResourceRequirements{}
		}
		if c.unscheduled != "" && (i > 0 || c.nowhere) {
			made[i].Phase, made[i].Started, made[i].Ready = corev1.PodPending, time.Time{}, podspec.Condition{}
			made[i].Scheduled, made[i].Unscheduled = podspec.Condition{Status: corev1.ConditionFalse, Since: noon}, c.unscheduled
		}
		if c.injected {
			made[i].Spec.Containers = append(made[i].Spec.Containers, corev1.Container{Name: "proxy"})
		}
	}
	return made
}

func (c *cluster) Sample(namespace, name string) (*sample.Pod, *clock.Stamp) {
	if c.milliCPU < 0 {
		return nil, nil
	}
	sampled := c.now.Add(-2 * time.Second)
	stamp := &clock.Stamp{Timestamp: sampled.Add(c.ahead), Taken: sampled, Advanced: c.advanced}
	if c.fetching {
		return nil, stamp
	}
	return &sample.Pod{
		Namespace: namespace, Name: name, Time: stamp.Timestamp, Window: 15 * time.Second,
		Containers: []sample.Container{{Name: "app", Usage: sample.Usage{
			{Resource: corev1.ResourceCPU, Quantity: *resource.NewMilliQuantity(c.milliCPU, resource.DecimalSI)}}}},
	}, stamp
}

func (c *cluster) Err() error { return c.samplesErr }

func (c *cluster) Live(context.Context, annotations.Key) (*annotations.Workload, error) {
	c.lives++
	if c.live != nil {
		return annotations.OfDeployment(c.live.DeepCopy()), c.liveErr
	}
	return annotations.OfDeployment(c.deployment.DeepCopy()), c.liveErr
}

func (c *cluster) Doubt(_ annotations.Key, version string) { c.doubts = append(c.doubts, version) }

func (c *cluster) Scale(ctx context.Context, w *annotations.Workload, replicas int32) (string, error) {
	c.conditions = append(c.conditions, w.Version)
	if c.scaling != nil {
		c.scaling()
	}
	if c.scaleErr != nil {
		return "", c.scaleErr
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	current := c.deployment
	if c.live != nil {
		current = c.live
	}
	based := w.Version
	if based == "" {
		based = current.ResourceVersion
		if w.Replicas != *current.Spec.Replicas {
			return "", apierrors.NewConflict(deployments, w.Name, errors.New("other replicas"))
		}
	} else if c.replaced == based || c.live != nil && based != c.live.ResourceVersion {
		return "", apierrors.NewConflict(deployments, w.Name, errors.New("changed"))
	}
	c.replaced = based
	c.writes = append(c.writes, replicas)
	c.stored = current.DeepCopy()
	c.stored.Spec.Replicas = &replicas
	version, _ := strconv.Atoi(based)
	c.stored.ResourceVersion = strconv.Itoa(version + 1)
	c.stored.ManagedFields = signed(annotations.FieldManager, "scale", replicas)
	if c.live != nil {
		c.live = c.stored
	} else if !c.late {
		c.deployment = c.stored
	}
	return c.stored.ResourceVersion, nil
}

// reconcile looks once, then lets some time pass.
func (c *cluster) reconcile(pass time.Duration) *cluster {
	c.t.Helper()
	c.lastWait, c.lastFailure = c.scaler.Reconcile(c.t.Context(), web)
	c.now = c.now.Add(pass)
	return c
}

// wantEvents compares with, and takes away, the Events since the last call.
func (c *cluster) wantEvents(want ...string) *cluster {
	c.t.Helper()
	var got []string
	for len(c.events.Events) > 0 {
		got = append(got, <-c.events.Events)
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		c.t.Errorf("events (-want +got):\n%s", diff)
	}
	return c
}

func (c *cluster) wantWrites(want ...int32) *cluster {
	c.t.Helper()
	if diff := gocmp.Diff(want, c.writes); diff != "" {
		c.t.Errorf("written replicas (-want +got):\n%s", diff)
	}
	return c
}

// overwrite is a write by somebody else.
func (c *cluster) overwrite(manager, subresource string, replicas int32) {
	version, _ := strconv.Atoi(c.deployment.ResourceVersion)
	c.deployment = c.deployment.DeepCopy()
	c.deployment.Spec.Replicas = &replicas
	c.deployment.ResourceVersion = strconv.Itoa(version + 1)
	c.deployment.ManagedFields = signed(manager, subresource, replicas)
}

// signed is what an API server records of a write. It forgets who has updated a scale to 0; mini-hpa applies that.
func signed(manager, subresource string, replicas int32) []metav1.ManagedFieldsEntry {
	if manager == "" || replicas == 0 && subresource == "scale" && manager != annotations.FieldManager {
		return nil
	}
	return []metav1.ManagedFieldsEntry{{Manager: manager, Subresource: subresource}}
}
