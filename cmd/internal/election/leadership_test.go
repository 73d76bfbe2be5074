package election

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	fakecoordination "k8s.io/client-go/kubernetes/typed/coordination/v1/fake"
	k8stesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

const us, them = "us", "them"

// pause is between two looks at the lease: the retry period.
const pause = 2 * time.Second

// world is an API server with one Lease, and a leadership that competes for it, in a synctest bubble.
type world struct {
	t      *testing.T
	stored k8stesting.ObjectTracker
	flags  Flags // others'
	lead   *Leadership
	began  time.Time
	down   atomic.Bool
	// refused is whether the next update conflicts, because somebody else was faster: the tracker checks no resource versions.
	refused atomic.Bool
	// readOnly is whether all updates fail.
	readOnly atomic.Bool
	// lingers is how long a term takes to end.
	lingers time.Duration
	story   []event
	quit    context.CancelFunc
	ended   chan struct{}
}

// event is what happened how long after the beginning.
type event struct {
	at   time.Duration
	what string
}

// expected is an event that must happen between two moments.
type expected struct {
	what     string
	from, to time.Duration
}

// compare says where the story differs from what was expected.
func compare(t *testing.T, want []expected, story []event) {
	t.Helper()
	for i := range max(len(want), len(story)) {
		switch {
		case i >= len(want):
			t.Errorf("unexpected after %s: %s", story[i].at, story[i].what)
		case i >= len(story):
			t.Errorf("missing: %s", want[i].what)
		case want[i].what != story[i].what:
			t.Errorf("after %s: %q, want %q", story[i].at, story[i].what, want[i].what)
		case story[i].at < want[i].from || story[i].at > want[i].to:
			t.Errorf("%q after %s, want %s to %s", want[i].what, story[i].at, want[i].from, want[i].to)
		}
	}
}

// exactly is an event at a moment without chance.
func exactly(at time.Duration, what string) expected { return expected{what: what, from: at, to: at} }

func between(from, to time.Duration, what string) expected {
	return expected{what: what, from: from, to: to}
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, began: time.Now(), ended: make(chan struct{}),
		stored: k8stesting.NewObjectTracker(scheme.Scheme, scheme.Codecs.UniversalDecoder())}
	api := &k8stesting.Fake{}
	api.AddReactor("*", "leases", w.fault)
	api.AddReactor("*", "leases", k8stesting.ObjectReaction(w.stored))
	flags := DefaultFlags()
	flags.Namespace = "default"
	w.flags = flags
	w.lead = &Leadership{Flags: flags, Client: &fakecoordination.FakeCoordinationV1{Fake: api}, identity: us, Log: zap.NewNop(), Tenure: NewTenure(flags),
		watchdog: leaderelection.NewLeaderHealthzAdaptor(wedged),
		Forget:   func() { w.tell("forget") },
		Term: func(ctx context.Context) {
			w.tell("term begins")
			<-ctx.Done()
			time.Sleep(w.lingers)
			w.tell("term ends, lease is " + w.holder() + "'s")
		}}
	return w
}

func (w *world) fault(action k8stesting.Action) (bool, runtime.Object, error) {
	switch {
	case w.down.Load():
		return true, nil, errors.New("the API server is down")
	case action.GetVerb() == "update" && w.readOnly.Load():
		return true, nil, errors.New("etcd has no space left")
	case action.GetVerb() == "update" && w.refused.Swap(false):
		w.write(them, 1)
		return true, nil, apierrors.NewConflict(leases.GroupResource(), "mini-hpa", errors.New("it has been modified"))
	}
	return false, nil, nil
}

func (w *world) start() {
	ctx, cancel := context.WithCancel(context.Background())
	w.quit = cancel
	go func() {
		defer close(w.ended)
		if err := w.lead.Run(ctx); err != nil {
			w.t.Errorf("run: %v", err)
		}
	}()
}

// stop tells the process to end and waits until it has.
func (w *world) stop() {
	w.quit()
	<-w.ended
	w.tell("ended, lease is " + w.holder() + "'s")
}

func (w *world) tell(what string) {
	w.story = append(w.story, event{at: time.Since(w.began), what: what})
}

// after lets time pass.
func (w *world) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// lease reads the Lease past the fault injection, as the API server itself would.
func (w *world) lease() *coordinationv1.Lease {
	o, err := w.stored.Get(leases, "default", "mini-hpa")
	if err != nil {
		return nil
	}
	return o.(*coordinationv1.Lease)
}

func (w *world) holder() string {
	lease := w.lease()
	if lease == nil || lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity == "" {
		return "nobody"
	}
	return *lease.Spec.HolderIdentity
}

var leases = coordinationv1.SchemeGroupVersion.WithResource("leases")

// write puts a record of somebody else's into the Lease.
func (w *world) write(holder string, transitions int) {
	now := metav1.Now()
	spec := resourcelock.LeaderElectionRecordToLeaseSpec(&resourcelock.LeaderElectionRecord{HolderIdentity: holder,
		LeaseDurationSeconds: int(w.flags.leaseDuration.Seconds()), AcquireTime: now, RenewTime: now, LeaderTransitions: transitions})
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "mini-hpa"}, Spec: spec}
	write := w.stored.Update
	if w.lease() == nil {
		write = func(r schema.GroupVersionResource, o runtime.Object, ns string, _ ...metav1.UpdateOptions) error {
			return w.stored.Create(r, o, ns)
		}
	}
	if err := write(leases, lease, "default"); err != nil {
		w.t.Fatal(err)
	}
}

func TestLeadership(t *testing.T) {
	tests := map[string]struct {
		play func(w *world)
		want []expected
	}{
		"wins a lease that nobody has, and gives it away only after its term has ended": {
			play: func(w *world) {
				w.lingers = 3 * time.Second
				w.start()
				w.after(time.Minute)
				w.stop()
			},
			want: []expected{exactly(0*time.Second, "term begins"), exactly(63*time.Second, "term ends, lease is us's"), exactly(63*time.Second, "ended, lease is nobody's")},
		},
		"stands by while somebody else renews": {
			play: func(w *world) {
				w.write(them, 0)
				w.start()
				for range 6 {
					w.after(10 * time.Second)
					w.write(them, 0)
				}
				w.stop()
			},
			want: []expected{exactly(60*time.Second, "ended, lease is them's")},
		},
		"takes over from somebody who died, without anything to forget": {
			play: func(w *world) {
				w.write(them, 0)
				w.start()
				w.after(30 * time.Second)
				w.stop()
			},
			want: []expected{exactly(15*time.Second, "term begins"), exactly(30*time.Second, "term ends, lease is us's"), exactly(30*time.Second, "ended, lease is nobody's")},
		},
		"takes over at the moment at which the lease of somebody who died runs out": {
			play: func(w *world) {
				w.write(them, 0)
				w.start()
				w.after(7300 * time.Millisecond)
				w.write(them, 0) // seen at 8 s
				w.after(30 * time.Second)
				w.stop()
			},
			want: []expected{exactly(23*time.Second, "term begins"), exactly(37300*time.Millisecond, "term ends, lease is us's"), exactly(37300*time.Millisecond, "ended, lease is nobody's")},
		},
		"takes over from somebody who was told to end at the next look": {
			play: func(w *world) {
				w.write(them, 0)
				w.start()
				w.after(7300 * time.Millisecond)
				w.write("", 0)
				w.after(time.Second)
				w.stop()
			},
			want: []expected{exactly(8*time.Second, "term begins"), exactly(8300*time.Millisecond, "term ends, lease is us's"), exactly(8300*time.Millisecond, "ended, lease is nobody's")},
		},
		"a lease lasts as long as its holder says": {
			play: func(w *world) {
				w.flags.leaseDuration = time.Minute
				w.write(them, 0)
				w.start()
				w.after(61 * time.Second)
				w.stop()
			},
			want: []expected{exactly(60*time.Second, "term begins"), exactly(61*time.Second, "term ends, lease is us's"), exactly(61*time.Second, "ended, lease is nobody's")},
		},
		"whoever is slower to take a free lease watches it again": {
			play: func(w *world) {
				w.write(them, 0)
				w.refused.Store(true)
				w.start()
				w.after(35 * time.Second)
				w.stop()
			},
			want: []expected{exactly(30*time.Second, "term begins"), exactly(35*time.Second, "term ends, lease is us's"), exactly(35*time.Second, "ended, lease is nobody's")},
		},
		"an API server that is away ends the term before the lease expires; the next term remembers": {
			play: func(w *world) {
				w.start()
				w.after(21 * time.Second)
				w.down.Store(true)
				w.after(2 * time.Minute)
				w.down.Store(false)
				w.after(10 * time.Second)
				w.stop()
			},
			want: []expected{exactly(0*time.Second, "term begins"), exactly(32*time.Second, "term ends, lease is us's"),
				between(141*time.Second, 141*time.Second+pause, "term begins"), exactly(151*time.Second, "term ends, lease is us's"), exactly(151*time.Second, "ended, lease is nobody's")},
		},
		"another leader in between makes it forget": {
			play: func(w *world) {
				w.start()
				w.after(21 * time.Second)
				w.down.Store(true)
				w.after(20 * time.Second)
				w.write(them, 1) // whom the API server answers
				w.after(time.Second)
				w.down.Store(false)
				w.after(time.Minute)
				w.stop()
			},
			want: []expected{exactly(0*time.Second, "term begins"), exactly(32*time.Second, "term ends, lease is us's"),
				between(57*time.Second, 57*time.Second+pause, "forget"), between(57*time.Second, 57*time.Second+pause, "term begins"),
				exactly(102*time.Second, "term ends, lease is us's"), exactly(102*time.Second, "ended, lease is nobody's")},
		},
		"another leader in between that released the lease makes it forget too": {
			play: func(w *world) {
				w.start()
				w.after(21 * time.Second)
				w.down.Store(true)
				w.after(20 * time.Second)
				w.write("", 1)
				w.down.Store(false)
				w.after(20 * time.Second)
				w.stop()
			},
			want: []expected{exactly(0*time.Second, "term begins"), exactly(32*time.Second, "term ends, lease is us's"),
				between(41*time.Second, 41*time.Second+pause, "forget"), between(41*time.Second, 41*time.Second+pause, "term begins"),
				exactly(61*time.Second, "term ends, lease is us's"), exactly(61*time.Second, "ended, lease is nobody's")},
		},
		"a leader that finds another in the lease stops at its next try, not at the renew deadline": {
			play: func(w *world) {
				w.start()
				w.after(21 * time.Second)
				w.refused.Store(true)
				w.after(5 * time.Second)
				w.stop()
			},
			want: []expected{exactly(0*time.Second, "term begins"), exactly(22*time.Second, "term ends, lease is them's"), exactly(26*time.Second, "ended, lease is them's")},
		},
		"told to end while the API server is away, it ends all the same": {
			play: func(w *world) {
				w.start()
				w.after(21 * time.Second)
				w.down.Store(true)
				w.after(time.Second)
				w.stop()
			},
			want: []expected{exactly(0*time.Second, "term begins"), exactly(22*time.Second, "term ends, lease is us's"), exactly(22*time.Second, "ended, lease is us's")},
		},
		"without leader election there is one term and no lease": {
			play: func(w *world) {
				w.lead.Flags.Enabled = false
				w.start()
				w.after(time.Minute)
				w.stop()
			},
			want: []expected{exactly(0*time.Second, "term begins"), exactly(60*time.Second, "term ends, lease is nobody's"), exactly(60*time.Second, "ended, lease is nobody's")},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				test.play(w)
				compare(t, test.want, w.story)
			})
		})
	}
}

func TestHealthOfALeader(t *testing.T) {
	tests := map[string]struct {
		lingers time.Duration
		trouble func(w *world)
		want    map[time.Duration]int // status of /healthz so long after the trouble began
	}{
		"a term that ends in time is healthy": {
			trouble: func(w *world) { w.down.Store(true) },
			want:    map[time.Duration]int{9 * time.Second: 200, 29 * time.Second: 200, 40 * time.Second: 200, 10 * time.Minute: 200},
		},
		"a leader that can read its lease but not renew it is no leader any more, and healthy": {
			trouble: func(w *world) { w.readOnly.Store(true) },
			want:    map[time.Duration]int{9 * time.Second: 200, 29 * time.Second: 200, 40 * time.Second: 200, 90 * time.Second: 200, 10 * time.Minute: 200},
		},
		"a term that does not end is not": {
			lingers: time.Hour, trouble: func(w *world) { w.down.Store(true) },
			want: map[time.Duration]int{9 * time.Second: 200, 29 * time.Second: 200, 40 * time.Second: 500, 10 * time.Minute: 500},
		},
		"a term that does not end while another process leads is not either": {
			lingers: time.Hour, trouble: func(w *world) { w.refused.Store(true) },
			want: map[time.Duration]int{9 * time.Second: 200, 20 * time.Second: 200, 29 * time.Second: 500, 10 * time.Minute: 500},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.lingers = test.lingers
				w.start()
				w.after(21 * time.Second)
				test.trouble(w)
				gone := time.Now()
				for _, at := range slices.Sorted(maps.Keys(test.want)) {
					w.after(time.Until(gone.Add(at)))
					status, err := http.StatusOK, errors.Join(w.lead.Renews(httptest.NewRequest(http.MethodGet, "/healthz", nil)), w.lead.EndsTerms())
					if err != nil {
						status = http.StatusInternalServerError
					}
					if status != test.want[at] {
						t.Errorf("%s after: status %d, want %d: %v", at, status, test.want[at], err)
					}
				}
				w.stop()
			})
		})
	}
}

func TestSameReign(t *testing.T) {
	at := func(nanoseconds int, transitions int) *resourcelock.LeaderElectionRecord {
		return &resourcelock.LeaderElectionRecord{LeaderTransitions: transitions,
			AcquireTime: metav1.NewTime(time.Date(2026, 1, 1, 0, 0, 0, nanoseconds, time.UTC))}
	}
	tests := map[string]struct {
		before, now *resourcelock.LeaderElectionRecord
		want        bool
	}{
		"the same record": {before: at(1000, 3), now: at(1000, 3), want: true},
		"the same record, rounded by the API server": {before: at(1999, 3), now: at(1000, 3), want: true},
		"one more transition":                        {before: at(1000, 3), now: at(1000, 4)},
		"the lease was deleted and made anew":        {before: at(1000, 0), now: at(5000, 0)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := sameReign(test.before, test.now); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}
