// Package observe records what can be seen of the demo's workloads from outside: replicas from a watch on the Deployments, the reason
// of each change from the Events, utilization from the metrics API. It knows nothing of the controller but what the API server shows.
package observe

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
	metrics "k8s.io/metrics/pkg/client/clientset/versioned"

	"github.com/mini-hpa/mini-hpa/test/demo/story"
)

const (
	// Label is on every pod of the demo and names its workload; the metrics API repeats the labels of the pods.
	Label = "app"
	// interval is how often the metrics API is asked. A new sample is seen at most this late.
	interval = 200 * time.Millisecond
	// quiet is the longest time between two points of a track while nothing changes.
	quiet = time.Second
)

// Config says whom to ask and what for.
type Config struct {
	Client    kubernetes.Interface
	Metrics   metrics.Interface
	Namespace string
	// Request is the CPU request of one pod, in millicores.
	Request int64
	// Load is what is asked of a workload at this moment, in millicores.
	Load func(workload string) int64
}

// Observer records from New on. Its methods may be called from any goroutine.
type Observer struct {
	config  Config
	started time.Time
	stop    func()

	mu      sync.Mutex
	tracks  []story.Track
	now     map[string]*sight
	untold  []told
	newest  time.Time
	sampled time.Duration
	failure error
}

// sight is a workload as it was last seen.
type sight struct {
	replicas, ready, utilization int32
}

// told is a reason that an Event gave for a size.
type told struct {
	workload string
	size     int32
	reason   string
}

// New starts to record and returns when the present state is known. Close ends it.
func New(ctx context.Context, c Config) (*Observer, error) {
	ctx, cancel := context.WithCancel(ctx)
	o := &Observer{config: c, started: time.Now(), now: map[string]*sight{}}
	factory := informers.NewSharedInformerFactoryWithOptions(c.Client, 0, informers.WithNamespace(c.Namespace))
	synced, err := o.subscribe(factory)
	if err != nil {
		cancel()
		return nil, err
	}
	factory.Start(ctx.Done())
	var polling sync.WaitGroup
	polling.Go(func() { wait.UntilWithContext(ctx, o.poll, interval) })
	o.stop = func() {
		cancel()
		factory.Shutdown()
		polling.Wait()
	}
	if !cache.WaitForCacheSync(ctx.Done(), synced...) {
		o.stop()
		return nil, fmt.Errorf("could not watch Deployments and Events: %w", context.Cause(ctx))
	}
	return o, nil
}

// Close ends the recording and returns when nothing of it runs any more.
func (o *Observer) Close() { o.stop() }

func (o *Observer) subscribe(factory informers.SharedInformerFactory) ([]cache.InformerSynced, error) {
	deployments, err := factory.Apps().V1().Deployments().Informer().AddEventHandler(typed(
		func(_, now *appsv1.Deployment) { o.deployment(now) }))
	if err != nil {
		return nil, fmt.Errorf("could not watch Deployments: %w", err)
	}
	events, err := factory.Core().V1().Events().Informer().AddEventHandler(typed(o.event))
	if err != nil {
		return nil, fmt.Errorf("could not watch Events: %w", err)
	}
	return []cache.InformerSynced{deployments.HasSynced, events.HasSynced}, nil
}

// typed calls see for what is added, with nil for what was before, and for what is updated.
func typed[T any](see func(before, now *T)) cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc: func(object any) {
			if now, ok := object.(*T); ok {
				see(nil, now)
			}
		},
		UpdateFunc: func(old, object any) {
			before, _ := old.(*T)
			if now, ok := object.(*T); ok {
				see(before, now)
			}
		},
	}
}

// Now is the time since the recording began, which all times of the tracks count from.
func (o *Observer) Now() time.Duration { return time.Since(o.started) }

// Tracks is a copy of all that was seen, by workload, in the order in which they appeared.
func (o *Observer) Tracks() []story.Track {
	o.mu.Lock()
	defer o.mu.Unlock()
	tracks := slices.Clone(o.tracks)
	for i := range tracks {
		tracks[i].Points, tracks[i].Changes = slices.Clone(tracks[i].Points), slices.Clone(tracks[i].Changes)
	}
	return tracks
}

// Sampled is when the newest sample was first seen, counted as Now does; zero before the first. Its own timestamp has whole seconds only.
func (o *Observer) Sampled() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sampled
}

// Err is why the metrics API does not answer, or nil.
func (o *Observer) Err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.failure
}

// poll asks the metrics API once and adds a point to every track that has something new to show.
func (o *Observer) poll(ctx context.Context) {
	list, err := o.config.Metrics.MetricsV1beta1().PodMetricses(o.config.Namespace).List(ctx, metav1.ListOptions{})
	o.mu.Lock()
	defer o.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	if o.failure = err; err != nil {
		list = &metricsv1beta1.PodMetricsList{}
	}
	for _, pod := range list.Items {
		if pod.Timestamp.After(o.newest) {
			o.newest, o.sampled = pod.Timestamp.Time, o.Now()
		}
	}
	for i := range o.tracks {
		name := o.tracks[i].Workload
		o.now[name].utilization = Utilization(list.Items, name, o.config.Request)
		o.point(&o.tracks[i])
	}
}

// point notes what is now the case, unless the last point says the same and is recent.
func (o *Observer) point(t *story.Track) {
	seen := o.now[t.Workload]
	p := story.Point{
		At: o.Now(), Load: o.config.Load(t.Workload),
		Utilization: seen.utilization, Replicas: seen.replicas, Ready: seen.ready,
	}
	if n := len(t.Points); n > 0 {
		same := t.Points[n-1]
		if same.At = p.At; same == p && p.At-t.Points[n-1].At < quiet {
			return
		}
	}
	t.Points = append(t.Points, p)
}

// Utilization is what the measured pods of a workload use, in percent of what they request (request is one pod's, in millicores);
// story.Unknown without any.
func Utilization(pods []metricsv1beta1.PodMetrics, workload string, request int64) int32 {
	var usage, requested int64
	for _, pod := range pods {
		if pod.Labels[Label] != workload {
			continue
		}
		requested += request
		for _, container := range pod.Containers {
			usage += container.Usage.Cpu().MilliValue()
		}
	}
	if requested == 0 {
		return story.Unknown
	}
	return int32(usage * 100 / requested)
}
