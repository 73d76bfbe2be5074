package scaler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
)

// etcd stores Events, each of which takes a while.
type etcd struct {
	typedcorev1.EventInterface // of which only what is below is asked
	// takes is how long an Event of a namespace takes.
	takes func(namespace string) time.Duration
	// fails, if set, is why an Event is not stored.
	fails func(e *corev1.Event) error

	mu      sync.Mutex
	started time.Time
	stored  map[string]*corev1.Event
	written []string // when, which, how often
}

func newEtcd() *etcd {
	return &etcd{started: time.Now(), stored: map[string]*corev1.Event{}, takes: func(string) time.Duration { return 0 },
		fails: func(*corev1.Event) error { return nil }}
}

func (s *etcd) Events(string) typedcorev1.EventInterface { return s }

func (s *etcd) Create(ctx context.Context, e *corev1.Event, _ metav1.CreateOptions) (*corev1.Event, error) {
	return s.write(ctx, e.DeepCopy())
}

// Patch counts, which is all that is ever changed of an Event, but for its time and message.
func (s *etcd) Patch(ctx context.Context, name string, _ types.PatchType, _ []byte, _ metav1.PatchOptions, _ ...string) (*corev1.Event, error) {
	s.mu.Lock()
	e := s.stored[name].DeepCopy()
	s.mu.Unlock()
	if e == nil {
		return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "events"}, name)
	}
	e.Count++
	return s.write(ctx, e)
}

func (s *etcd) write(ctx context.Context, e *corev1.Event) (*corev1.Event, error) {
	s.mu.Lock()
	takes := s.takes(e.Namespace)
	s.mu.Unlock()
	if takes > 0 { // the race detector of Go 1.26 crashes when two goroutines of a bubble meet a timer that has run out at the same moment
		select {
		case <-time.After(takes):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fails(e); err != nil {
		return nil, err
	}
	s.stored[e.Name] = e
	s.written = append(s.written, fmt.Sprintf("%s %s/%s %s %d", time.Since(s.started), e.Namespace, e.InvolvedObject.Name, e.Message, e.Count))
	return e, nil
}

// lines are what was written so far.
func (s *etcd) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.written)
}

// slow says how long Events take from now on.
func (s *etcd) slow(takes time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.takes = func(string) time.Duration { return takes }
}

func named(namespace, name string) *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID(namespace + "/" + name)}}
}

// watchedBudget is a budget and what it says in the log.
func watchedBudget() (*Budget, *observer.ObservedLogs) {
	core, logs := observer.New(zap.InfoLevel)
	return NewBudget(prometheus.NewRegistry(), zap.New(core)), logs
}

// lines are the log's, each with its fields.
func lines(logs *observer.ObservedLogs) (lines []string) {
	for _, entry := range logs.TakeAll() {
		lines = append(lines, fmt.Sprint(entry.Message, " ", entry.ContextMap()))
	}
	return lines
}

// TestNamespacesTakeTurns: a namespace that has much to tell, or whose Events are taken slowly, keeps no other one waiting.
func TestNamespacesTakeTurns(t *testing.T) {
	for name, slow := range map[string]time.Duration{"much to tell": 100 * time.Millisecond, "taken slowly": time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newEtcd()
				store.takes = func(namespace string) time.Duration {
					if namespace == "noisy" {
						return slow
					}
					return 100 * time.Millisecond
				}
				writer, end := NewEventWriter(store, nil)
				for i := range 5000 {
					writer.Event(named("noisy", fmt.Sprint("web-", i)), corev1.EventTypeWarning, EventInvalidAnnotations, "no")
				}
				time.Sleep(time.Second)
				store.mu.Lock()
				store.written = nil
				store.mu.Unlock()
				writer.Event(named("quiet", "web"), corev1.EventTypeNormal, EventSuccessfulRescale, "New size: 5")
				time.Sleep(150 * time.Millisecond)
				if written := store.lines(); !slices.Contains(written, "1.1s quiet/web New size: 5 1") {
					t.Errorf("written %q, want that of the other namespace as well", written)
				}
				end()
			})
		})
	}
}

// TestEventsOfAWorkloadAreInOrder, however long each takes, and what is said again is counted.
func TestEventsOfAWorkloadAreInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newEtcd()
		turn := 0
		store.takes = func(string) time.Duration { turn++; return time.Second / time.Duration(turn) }
		writer, end := NewEventWriter(store, nil)
		for _, message := range []string{"a", "b", "a", "c"} {
			writer.Event(named("shop", "web"), corev1.EventTypeNormal, EventSuccessfulRescale, message)
			time.Sleep(time.Nanosecond)
		}
		end()
		want := []string{"1s shop/web a 1", "1.5s shop/web b 1", "1.833333333s shop/web a 2", "2.083333333s shop/web c 1"}
		if diff := cmp.Diff(want, store.lines()); diff != "" {
			t.Errorf("written (-want +got):\n%s", diff)
		}
	})
}

// TestABurstOfEventsIsKept: a load step on all workloads of a big cluster tells of thousands of changes at once, faster than an API
// server takes them, in one namespace or in many.
func TestABurstOfEventsIsKept(t *testing.T) {
	const workloads = 10_000
	for name, namespaces := range map[string]int{"one namespace": 1, "many": 500} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newEtcd()
				writer, end := NewEventWriter(store, nil)
				for i := range workloads {
					writer.Event(named(fmt.Sprint("ns-", i%namespaces), fmt.Sprint("web-", i)), corev1.EventTypeNormal, EventSuccessfulRescale, "New size: 5")
				}
				end()
				if len(store.lines()) != workloads {
					t.Errorf("%d Events of %d were written", len(store.lines()), workloads)
				}
			})
		})
	}
}

// TestTooManyEventsWait: the namespace that has the most of them loses some, and that is counted and said.
func TestTooManyEventsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newEtcd()
		store.slow(time.Hour)
		budget, logs := watchedBudget()
		writer, end := NewEventWriter(store, budget)
		for range mostWaiting + 100 {
			writer.Event(named("noisy", "web"), corev1.EventTypeWarning, EventInvalidAnnotations, "no")
		}
		writer.Event(named("quiet", "web"), corev1.EventTypeNormal, EventSuccessfulRescale, "New size: 5")
		store.slow(0)
		time.Sleep(2 * time.Minute)
		want := []string{"Events could not be written map[error:too many Events are waiting lost:101 namespace:noisy]"}
		if diff := cmp.Diff(want, lines(logs)); diff != "" {
			t.Errorf("said (-want +got):\n%s", diff)
		}
		end()
	})
}

// TestAskedToTellLater: the API server asks to come again in an hour, for the Events of more namespaces than there are writers. Another
// one's are written at once, and theirs in order as soon as they are taken.
func TestAskedToTellLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, began := newEtcd(), time.Now()
		store.fails = func(e *corev1.Event) error {
			if e.Namespace != "quiet" && time.Since(began) < 30*time.Second {
				return apierrors.NewTooManyRequests("come again", 3600)
			}
			return nil
		}
		budget, logs := watchedBudget()
		writer, end := NewEventWriter(store, budget)
		const turnedAway = 10 * writers
		for _, message := range []string{"a", "b", "c"} {
			for i := range turnedAway {
				writer.Event(named(fmt.Sprint("shop-", i), "web"), corev1.EventTypeWarning, EventInvalidAnnotations, message)
			}
			time.Sleep(time.Second)
		}
		writer.Event(named("quiet", "web"), corev1.EventTypeNormal, EventSuccessfulRescale, "New size: 5")
		synctest.Wait()
		if diff := cmp.Diff([]string{"3s quiet/web New size: 5 1"}, store.lines()); diff != "" {
			t.Errorf("written (-want +got):\n%s", diff)
		}
		time.Sleep(time.Minute)
		told := map[string][]string{}
		for _, line := range store.lines()[1:] {
			var at, who, what string
			fmt.Sscan(line, &at, &who, &what)
			told[who] = append(told[who], what)
		}
		for i := range turnedAway {
			who := fmt.Sprintf("shop-%d/web", i)
			if diff := cmp.Diff([]string{"a", "b", "c"}, told[who]); diff != "" {
				t.Errorf("written of %s (-want +got):\n%s", who, diff)
			}
		}
		end()
		budget.SayAll()
		if said := lines(logs); said != nil {
			t.Errorf("said %q", said)
		}
	})
}

// TestTheEndCountsWhatPauses: what was to be tried again later, and what waits behind it, is lost and said.
func TestTheEndCountsWhatPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newEtcd()
		store.fails = func(*corev1.Event) error { return apierrors.NewTooManyRequests("come again", 3600) }
		budget, logs := watchedBudget()
		writer, end := NewEventWriter(store, budget)
		for i := range 3 {
			writer.Event(named("shop", fmt.Sprint("web-", i)), corev1.EventTypeNormal, EventSuccessfulRescale, "New size: 5")
		}
		began := time.Now()
		end()
		if took := time.Since(began); took != flushTimeout {
			t.Errorf("ended after %s, want %s", took, flushTimeout)
		}
		budget.SayAll()
		want := []string{"Events could not be written map[error:the process is ending lost:3 namespace:shop]"}
		if diff := cmp.Diff(want, lines(logs)); diff != "" {
			t.Errorf("said (-want +got):\n%s", diff)
		}
	})
}

// TestAnAPIServerThatIsAway is asked again for a while; what it refuses is not sent again.
func TestAnAPIServerThatIsAway(t *testing.T) {
	refused := apierrors.NewForbidden(schema.GroupResource{Resource: "events"}, "", errors.New("no"))
	for name, story := range map[string]struct {
		err  error
		away time.Duration
		want []string
		said []string
	}{
		"away for a minute": {errors.New("connection refused"), time.Minute, []string{"shop/web New size: 5 1"}, nil},
		"away for long": {errors.New("connection refused"), time.Hour, nil,
			[]string{"Events could not be written map[error:connection refused lost:1 namespace:shop]"}},
		"much to do":       {apierrors.NewTooManyRequests("come again", 3600), time.Minute, []string{"shop/web New size: 5 1"}, nil},
		"about to end":     {apierrors.NewServiceUnavailable("shutting down"), time.Minute, []string{"shop/web New size: 5 1"}, nil},
		"its etcd is slow": {apierrors.NewInternalError(errors.New("etcdserver: request timed out")), time.Minute, []string{"shop/web New size: 5 1"}, nil},
		"much to do for long": {apierrors.NewTooManyRequests("come again", 3600), time.Hour, nil,
			[]string{"Events could not be written map[error:come again lost:1 namespace:shop]"}},
		"refused":             {refused, time.Minute, nil, []string{"Events could not be written map[error:events is forbidden: no lost:1 namespace:shop]"}},
		"the answer was lost": {apierrors.NewAlreadyExists(schema.GroupResource{Resource: "events"}, "web.1"), time.Minute, nil, nil},
		"the namespace ends": {&apierrors.StatusError{ErrStatus: metav1.Status{Reason: metav1.StatusReasonForbidden, Details: &metav1.StatusDetails{
			Causes: []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}}}}, time.Minute, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, began := newEtcd(), time.Now()
				store.fails = func(*corev1.Event) error {
					if time.Since(began) < story.away {
						return story.err
					}
					return nil
				}
				budget, logs := watchedBudget()
				writer, end := NewEventWriter(store, budget)
				writer.Event(named("shop", "web"), corev1.EventTypeNormal, EventSuccessfulRescale, "New size: 5")
				time.Sleep(10 * time.Minute)
				var written []string
				for _, line := range store.lines() {
					var at string
					fmt.Sscan(line, &at)
					written = append(written, line[len(at)+1:])
				}
				if diff := cmp.Diff(story.want, written); diff != "" {
					t.Errorf("written (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(story.said, lines(logs)); diff != "" {
					t.Errorf("said (-want +got):\n%s", diff)
				}
				end()
			})
		})
	}
}

// TestTheEndWaitsForTheEvents: what was recorded before is written when the end returns; but it does not wait for ever, and says what
// is missing.
func TestTheEndWaitsForTheEvents(t *testing.T) {
	for name, story := range map[string]struct {
		takes, ends time.Duration
		written     int
		said        []string
	}{
		"in time":  {10 * time.Millisecond, 500 * time.Millisecond, 50, nil},
		"too slow": {2 * time.Second, flushTimeout, 2, []string{"Events could not be written map[error:the process is ending lost:48 namespace:shop]"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newEtcd()
				store.slow(story.takes)
				budget, logs := watchedBudget()
				writer, end := NewEventWriter(store, budget)
				for i := range 50 {
					writer.Event(named("shop", fmt.Sprint("web-", i)), corev1.EventTypeNormal, EventSuccessfulRescale, "New size: 5")
				}
				began := time.Now()
				end()
				if took := time.Since(began); took != story.ends || len(store.lines()) != story.written {
					t.Errorf("%d Events are written after %s, want %d after %s", len(store.lines()), took, story.written, story.ends)
				}
				budget.SayAll()
				if diff := cmp.Diff(story.said, lines(logs)); diff != "" {
					t.Errorf("said (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// BenchmarkWaiting is what an Event that waits takes.
func BenchmarkWaiting(b *testing.B) {
	store := newEtcd()
	store.slow(time.Hour)
	writer, _ := NewEventWriter(store, nil)
	d := named("shop", "web")
	b.ReportAllocs()
	for b.Loop() {
		writer.Event(d, corev1.EventTypeNormal, EventSuccessfulRescale, "New size: 5")
	}
}
