package doors

import (
	"crypto/tls"
	"fmt"
	"math"
	"sync"
	"time"

	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	discoveryclient "k8s.io/client-go/kubernetes/typed/discovery/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/podspec"
	"github.com/mini-hpa/mini-hpa/annotations/serves"
	"github.com/mini-hpa/mini-hpa/scaler/wake"
)

// Cluster is what is known of Services, read from memory. What it returns is shared: read-only.
type Cluster interface {
	// Serving returns, of the Services of a workload's namespace, those of these names or, without names, those that select its pods. Service returns one by its
	// name, or nil.
	Serving(w *annotations.Workload, names []string) []*corev1.Service
	Service(name types.NamespacedName) *corev1.Service
	// Slices returns the EndpointSlices of a Service, whoever manages them.
	Slices(service types.NamespacedName) []*discoveryv1.EndpointSlice
	// OwnSlice returns an EndpointSlice by its name, or nil; OwnSlices those whose label says that mini-hpa manages them.
	OwnSlice(name types.NamespacedName) *discoveryv1.EndpointSlice
	OwnSlices() []*discoveryv1.EndpointSlice
	// Activators returns the pods of the activators.
	Activators() []*corev1.Pod
	// Err says what is not known yet; nil if everything is.
	Err() error
}

// Workloads finds workloads.
type Workloads interface {
	// Workload returns the workload, or nil if it does not exist or is not known.
	Workload(key annotations.Key) *annotations.Workload
	// Doubtful returns what is known of a workload of which it is not certain whether it is there, and scaled; nil if that is certain. Where nothing is known of it, as
	// while its kind cannot be listed, it has only its key. It is shared: read-only.
	Doubtful(key annotations.Key) *annotations.Workload
	// Pods returns the pods that the workload owns. They are shared: read-only.
	Pods(w *annotations.Workload) []*podspec.Pod
}

// Config is everything that a Keeper works with. All fields are required but TLS.
type Config struct {
	Cluster   Cluster
	Workloads Workloads
	// Slices writes EndpointSlices, for as long as this process leads.
	Slices discoveryclient.EndpointSlicesGetter
	// Enqueue asks for workloads to be looked at now.
	Enqueue func(keys ...annotations.Key)
	// TLS is what a connection to an activator is made with; nil is without TLS, for tests.
	TLS func() (*tls.Config, error)
	// Port is where activators tell their state, unless their pod has a port of the name "state".
	Port int32
	// Propagation is how long it takes at least until every node knows of a change.
	Propagation time.Duration
	// Range is the ports of the activators that are handed out.
	Range serves.Range
	Now   func() time.Time
	Log   *zap.Logger
}

// Keeper keeps the slices of mini-hpa in the shape that decisions ask for. Its methods may be called from any goroutine, but no two calls of Lead for one key at a time.
type Keeper struct {
	Config
	mu sync.Mutex
	// began is when this process began to lead; zero while it does not.
	began    time.Time
	services map[types.NamespacedName]*service
	sleepers map[annotations.Key]*sleeper
	reports  map[types.UID]*report
	pairs    *pairs
	// propagation is how late nodes were.
	propagation wake.Propagation
	// inherited are the activators to which slices led when this process began to lead.
	inherited map[types.UID]bool
	// leaving is since when the slices have been Out that are to go, and missing since when the workload of one is not there.
	leaving, missing map[types.NamespacedName]time.Time
	strange          map[types.NamespacedName]string
	// of are the slices that say that they are of a workload, readings what each says.
	of       map[annotations.Key][]types.NamespacedName
	readings map[types.NamespacedName]*reading
	changed  chan struct{}
}

// sleeper is a workload that requests wake.
type sleeper struct {
	services []types.NamespacedName
	// slices are those that are led or taken away when the workload is looked at.
	slices map[types.NamespacedName]bool
	// wake is what its annotation says.
	wake annotations.Wake
	// replicas are those of the last look, zeroed when they were first seen at 0.
	replicas int32
	zeroed   time.Time
	// came is when the last request was heard of, refused how many were refused since that was asked for.
	came    time.Time
	refused uint64
	state   wake.State
	// lacks is since when there has not been a Service that there should be; zero if there are all. Stranded is why requests cannot wake it any more.
	lacks    time.Time
	stranded string
	load
}

// load is how many requests a workload has at a time.
type load struct {
	average wake.Average
	// unsettled says that they are more or fewer than on average, and that a look at the workload is on its way.
	unsettled bool
	// whole is how many there were when each activator had told of its own; infinite before that.
	whole float64
}

func newSleeper(replicas int32) *sleeper {
	return &sleeper{replicas: replicas, load: load{whole: math.Inf(1)}}
}

// NewKeeper makes a Keeper that does nothing before Run.
func NewKeeper(c Config) *Keeper {
	k := &Keeper{Config: c, changed: make(chan struct{}, 1)}
	k.reset()
	return k
}

func (k *Keeper) reset() {
	k.began, k.services, k.sleepers, k.reports = time.Time{}, map[types.NamespacedName]*service{}, map[annotations.Key]*sleeper{}, map[types.UID]*report{}
	k.inherited = map[types.UID]bool{}
	k.of, k.readings = map[annotations.Key][]types.NamespacedName{}, map[types.NamespacedName]*reading{}
	k.pairs, k.leaving, k.missing, k.strange = newPairs(), map[types.NamespacedName]time.Time{}, map[types.NamespacedName]time.Time{}, map[types.NamespacedName]string{}
}

// waitsLocked are how long moves wait now.
func (k *Keeper) waitsLocked(now time.Time) wake.Waits {
	return wake.Waiting(k.propagation.Wait(now, k.Propagation))
}

// read reads a slice, once for each version of it.
func (k *Keeper) read(object *discoveryv1.EndpointSlice) *reading {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.readLocked(object)
}

func (k *Keeper) readLocked(object *discoveryv1.EndpointSlice) *reading {
	name := types.NamespacedName{Namespace: object.Namespace, Name: object.Name}
	if r := k.readings[name]; r != nil && r.version == object.ResourceVersion {
		return r
	}
	r := &reading{version: object.ResourceVersion}
	if r.says, r.err = serves.Read(object); r.err == nil && r.says.ServiceUID == "" {
		r.err = fmt.Errorf("EndpointSlice %q has no Service as its owner", object.Name)
	}
	k.readings[name] = r
	return r
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// sooner is the shorter one of two times, of which 0 is none.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}
