package informer

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/util/workqueue"

	"github.com/mini-hpa/mini-hpa/annotations"
)

func TestMain(m *testing.M) {
	workqueue.SetProvider(queueMetrics)
	goleak.VerifyTestMain(m)
}

// cluster is a small world of fake clients with a Set that watches it, inside a bubble of fake time.
type cluster struct {
	t       *testing.T
	client  *fake.Clientset
	dynamic *dynamicfake.FakeDynamicClient
	kinds   *Kinds
	set     *Set
	stop    context.CancelFunc // ends the informers

	mu      sync.Mutex
	version int
	watches map[string]*watch.RaceFreeFakeWatcher
	down    error // while set, every list and watch fails with it
	errs    []string
	news    []string
	blocked chan struct{}
	lists   []string // the resources that were listed
	looks   []string
	verdict func(key annotations.Key, nth int) (time.Duration, error) // what the reconcile returns at the nth look at a key
	seen    map[annotations.Key]int
}

// newCluster makes a world with these objects. The informers are not started.
func newCluster(t *testing.T, objects ...runtime.Object) *cluster {
	return newClusterOf(t, []schema.GroupResource{trainsV1.GroupResource()}, objects...)
}

// newClusterOf is the same with these custom kinds instead of trains.
func newClusterOf(t *testing.T, kinds []schema.GroupResource, objects ...runtime.Object) *cluster {
	c := &cluster{
		t: t, client: fake.NewSimpleClientset(),
		watches: map[string]*watch.RaceFreeFakeWatcher{}, seen: map[annotations.Key]int{},
	}
	c.dynamic = dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{
		definitions: "CustomResourceDefinitionList", trainsV1: "TrainList", trainsV2: "TrainList", cars: "CarList"})
	c.hook(&c.client.Fake, c.client.Tracker())
	c.hook(&c.dynamic.Fake, c.dynamic.Tracker())
	for _, o := range objects {
		c.put(o)
	}
	c.kinds, _ = NewKinds(KindsConfig{Dynamic: c.dynamic, Names: kinds, OnError: c.onError,
		OnChange: func(name schema.GroupResource, kind annotations.Kind, problem error) {
			if problem != nil {
				c.onNews(name.String() + ": " + problem.Error())
				return
			}
			c.onNews(name.String() + ": " + kind.Version + " " + kind.ReplicasPath)
		}})
	set, err := New(Config{Client: c.client, Kinds: c.kinds, OnError: c.onError, OnNews: c.onNews})
	if err != nil {
		t.Fatal(err)
	}
	c.set = set
	return c
}

// hook makes watches stoppable and the API server breakable.
func (c *cluster) hook(f *clienttesting.Fake, tracker clienttesting.ObjectTracker) {
	f.PrependReactor("list", "*", func(a clienttesting.Action) (bool, runtime.Object, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.lists = append(c.lists, a.GetResource().Resource)
		return c.down != nil, nil, c.down
	})
	f.PrependWatchReactor("*", func(a clienttesting.Action) (bool, watch.Interface, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.down != nil {
			return true, nil, c.down
		}
		w, err := tracker.Watch(a.GetResource(), a.GetNamespace(), a.(clienttesting.WatchActionImpl).ListOptions)
		if err == nil {
			c.watches[a.GetResource().Resource] = w.(*watch.RaceFreeFakeWatcher)
		}
		return true, w, err
	})
}

func (c *cluster) onError(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.errs = append(c.errs, err.Error())
}

func (c *cluster) onNews(news string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.news = append(c.news, news)
}

// listed returns how often a resource was listed since the last call.
func (c *cluster) listed(resource string) int {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, l := range c.lists {
		if l == resource {
			n++
		}
	}
	c.lists = nil
	return n
}

// heard returns the news since the last call.
func (c *cluster) heard() []string {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	news := c.news
	c.news = nil
	return news
}

// reconcile notes the look and answers with the verdict of the test.
func (c *cluster) reconcile(_ context.Context, key annotations.Key) (time.Duration, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	look := key.String()
	if key.Kind == deploymentKind {
		look = key.NamespacedName().String()
	}
	c.looks = append(c.looks, look)
	c.seen[key]++
	if c.verdict == nil {
		return 0, nil
	}
	return c.verdict(key, c.seen[key])
}

// start starts the informers; the world ends with the test.
func (c *cluster) start() {
	ctx, stop := context.WithCancel(c.t.Context())
	c.stop = stop
	c.kinds.Start(ctx)
	if err := c.set.Start(ctx); err != nil {
		c.t.Fatal(err)
	}
}

// lead begins a term and returns what ends it and waits for that.
func (c *cluster) lead(workers int, f ReconcileFunc) (end func()) {
	ctx, cancel := context.WithCancel(c.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.set.Run(ctx, workers, f)
	}()
	synctest.Wait()
	return func() {
		cancel()
		<-done
	}
}

// looked returns the workloads looked at since the last call, sorted.
func (c *cluster) looked() []string {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	looks := c.looks
	c.looks = nil
	slices.Sort(looks)
	return looks
}

// told returns the errors reported since the last call.
func (c *cluster) told() []string {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	errs := c.errs
	c.errs = nil
	return errs
}

// outage makes the API server answer everything with err from now on and ends the watches with a 410; nil repairs it.
func (c *cluster) outage(err error) {
	c.mu.Lock()
	c.down = err
	watches := c.watches
	c.watches = map[string]*watch.RaceFreeFakeWatcher{}
	c.mu.Unlock()
	expired := apierrors.NewResourceExpired("too old resource version").ErrStatus
	for _, w := range watches {
		w.Error(&expired)
	}
	synctest.Wait()
}

// block holds up lists of a resource until unblock is called.
func (c *cluster) block(resource string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	blocked := make(chan struct{})
	c.blocked = blocked
	c.client.PrependReactor("list", resource, func(clienttesting.Action) (bool, runtime.Object, error) {
		<-blocked
		return false, nil, nil
	})
}

func (c *cluster) unblock() {
	synctest.Wait()
	close(c.blocked)
}

// mute silences the open watch of a kind of object.
func (c *cluster) mute(resource string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watches[resource].Reset() // another channel, to which nobody listens
}

// put creates or updates an object under a new resource version.
func (c *cluster) put(o runtime.Object) {
	c.t.Helper()
	o = o.DeepCopyObject()
	acc, err := meta.Accessor(o)
	if err != nil {
		c.t.Fatal(err)
	}
	c.version++
	acc.SetResourceVersion(strconv.Itoa(1000 + c.version))
	tracker, gvr := c.home(o)
	err = tracker.Create(gvr, o, acc.GetNamespace())
	if apierrors.IsAlreadyExists(err) {
		err = tracker.Update(gvr, o, acc.GetNamespace())
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// remove deletes an object.
func (c *cluster) remove(o runtime.Object) {
	c.t.Helper()
	acc, err := meta.Accessor(o)
	if err != nil {
		c.t.Fatal(err)
	}
	tracker, gvr := c.home(o)
	if err := tracker.Delete(gvr, acc.GetNamespace(), acc.GetName()); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) home(o runtime.Object) (clienttesting.ObjectTracker, schema.GroupVersionResource) {
	switch o.(type) {
	case *appsv1.Deployment:
		return c.client.Tracker(), appsv1.SchemeGroupVersion.WithResource("deployments")
	case *corev1.Pod:
		return c.client.Tracker(), corev1.SchemeGroupVersion.WithResource("pods")
	case *unstructured.Unstructured:
		gvr, _ := meta.UnsafeGuessKindToResource(o.GetObjectKind().GroupVersionKind())
		return c.dynamic.Tracker(), gvr
	case *appsv1.StatefulSet:
		return c.client.Tracker(), appsv1.SchemeGroupVersion.WithResource("statefulsets")
	default:
		return c.client.Tracker(), appsv1.SchemeGroupVersion.WithResource("replicasets")
	}
}

func check(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

var errDown = errors.New("connection refused")
