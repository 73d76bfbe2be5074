package doors

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/serves"
	"github.com/mini-hpa/mini-hpa/scaler/wake"
)

// awake is a scene in which web has a pod, and activators listen.
func awake(t *testing.T, activators ...string) *scene {
	s := newScene(t)
	s.ready = []string{"p1"}
	s.lead(1)
	for _, name := range activators {
		s.activator(name)
	}
	s.writes = nil
	return s
}

// asleep is a scene in which web has gone to sleep two minutes ago.
func asleep(t *testing.T) *scene {
	s := awake(t, "a1", "a2")
	s.lead(0)
	s.pass(w)
	s.lead(0)
	if s.workload.Replicas != 0 {
		t.Fatal("it is awake")
	}
	s.ready = nil
	s.lead(0)
	s.pass(2 * time.Minute)
	s.lead(0)
	s.keeper.sweep()
	s.writes = nil
	return s
}

// TestFromAwakeToAsleepAndBack is the life of a Service.
func TestFromAwakeToAsleepAndBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.ready = []string{"p1"}
		if led := s.lead(1); led.State != wake.Direct || led.Next == 0 {
			t.Errorf("%+v", led)
		}
		s.wantWrites("create mini-hpa-web out")
		s.wantClosed(s.lead(0), 0, `no activator listens for Service "web"`)
		s.wantWrites()
		s.activator("a1")
		led := s.lead(0)
		s.wantClosed(led, 10, "not every node may know")
		if led.State != wake.Closing || led.Next != 10*time.Second {
			t.Errorf("%+v", led)
		}
		s.wantWrites("update mini-hpa-web active a1")
		s.pass(9 * time.Second)
		s.activator("a2")
		s.wantClosed(s.lead(0), 1, "not every node may know") // another activator does not change since when nodes are told
		s.wantWrites("update mini-hpa-web active a1 a2")
		s.pass(time.Second)
		s.wantClosed(s.lead(0), 0, "")
		s.wantWrites()

		s.ready = nil
		if led := s.lead(0); led.State != wake.Asleep {
			t.Errorf("%+v", led)
		}
		s.pass(2 * time.Minute)
		s.lead(2)
		if led := s.lead(2); led.State != wake.Waking || led.Next != 0 {
			t.Errorf("%+v", led)
		}
		s.wantWrites()
		s.ready = []string{"p2"}
		if led := s.lead(2); led.Next != 10*time.Second {
			t.Errorf("%+v", led)
		}
		s.pass(10 * time.Second)
		if led := s.lead(2); led.State != wake.Direct {
			t.Errorf("%+v", led)
		}
		s.wantWrites("update mini-hpa-web out")
	})
}

// TestARequestWakes: it is told at once, once a second at most, and counts for a while after it has ended.
func TestARequestWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := asleep(t)
		s.enqueued = 0
		want := func(held, inFlight int, active bool) {
			t.Helper()
			if got, err := s.keeper.Requests(s.workload.Key); err != nil || got.Held != held || got.InFlight != inFlight || got.Active != active {
				t.Errorf("%+v %v; want %d held, %d in flight, active %t", got, err, held, inFlight, active)
			}
		}
		want(0, 0, false)
		s.tell("a1", func(p *serves.State) { p.Held, p.Total = 1, 1 })
		s.tell("a2", func(p *serves.State) { p.Held, p.Total = 2, 2 })
		want(3, 0, true)
		if s.enqueued != 1 {
			t.Errorf("enqueued %d times; want once: the second one is a moment later", s.enqueued)
		}
		s.tell("a1", func(p *serves.State) { p.Held, p.InFlight = 0, 1 })
		s.tell("a2", func(p *serves.State) { p.Held = 0 })
		want(0, 1, true)
		s.pass(time.Minute)
		want(0, 1, true)
		s.tell("a1", func(p *serves.State) { p.InFlight, p.Total = 0, 2 })
		s.pass(14 * time.Second)
		want(0, 0, true)
		s.pass(time.Second)
		want(0, 0, false)
		s.tell("a1", func(p *serves.State) { p.Refused = 7 })
		if n := s.keeper.Refused(s.workload.Key); n != 7 {
			t.Errorf("%d refused", n)
		}
		if n := s.keeper.Refused(s.workload.Key); n != 0 {
			t.Errorf("%d refused once more", n)
		}
	})
}

// TestWhatIsNotKnownOfRequests: a process that has just begun to lead waits for the activators, and one without any says so.
func TestWhatIsNotKnownOfRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		if _, err := s.keeper.Requests(s.workload.Key); !errors.Is(err, wake.ErrUnknown) {
			t.Errorf("at first: %v", err)
		}
		s.pass(5 * time.Second)
		if _, err := s.keeper.Requests(s.workload.Key); !errors.Is(err, wake.ErrNobody) {
			t.Errorf("later: %v", err)
		}
		s.activator("a1")
		if _, err := s.keeper.Requests(s.workload.Key); !errors.Is(err, wake.ErrUnknown) {
			t.Errorf("before the first look: %v", err)
		}
		s.lead(1)
		if _, err := s.keeper.Requests(s.workload.Key); err != nil {
			t.Error(err)
		}
	})
}

// TestAnActivatorThatGoes is taken out of the slices, while others are there and when none is.
func TestAnActivatorThatGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := asleep(t)
		s.enqueued = 0
		s.keeper.says("a1", serves.Line{Process: &serves.Process{Start: "1", Draining: true}})
		if s.enqueued != 1 {
			t.Errorf("enqueued %d times", s.enqueued)
		}
		s.lead(0)
		s.wantWrites("update mini-hpa-web active a2")
		s.keeper.lose("a2", errors.New("no line for 15 s"))
		s.lead(0)
		s.wantWrites("update mini-hpa-web active")
		// While it starts anew it tells less than it did, and nobody is led to a door that is closed.
		s.keeper.begins("a2")
		s.keeper.says("a2", serves.Line{Process: &serves.Process{Start: "2"}})
		s.keeper.says("a2", serves.Line{Port: &serves.State{Slice: "shop/mini-hpa-web", Name: "http", Pair: s.keeper.services[types.NamespacedName{Namespace: "shop", Name: "web"}].stored[discoveryv1.AddressTypeIPv4].says.Ports[0].Pair}})
		s.keeper.says("a2", serves.Line{Synced: true})
		s.lead(0)
		s.wantWrites()
		s.tell("a2", func(p *serves.State) { p.Listening = true })
		s.lead(0)
		s.wantWrites("update mini-hpa-web active a2")
	})
}

// TestActivatorsThatAreNewBeforeASleep: the nodes are told anew if no activator is left of whom they know.
func TestActivatorsThatAreNewBeforeASleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := awake(t, "a1")
		s.lead(0)
		s.pass(9 * time.Second)
		s.keeper.lose("a1", errors.New("no line for 15 s"))
		s.wantClosed(s.lead(0), 0, `no activator listens for Service "web"`)
		s.pass(5 * time.Second)
		s.activator("a2")
		s.writes = nil
		s.wantClosed(s.lead(0), 10, "not every node may know")
		s.wantWrites("update mini-hpa-web active a2")
		s.pass(6 * time.Second)
		s.activator("a3")
		s.wantClosed(s.lead(0), 4, "not every node may know") // of a2
		s.pass(time.Second)
		s.keeper.lose("a2", errors.New("no line for 15 s"))
		s.wantClosed(s.lead(0), 9, "not every node may know") // of a3
		s.pass(9 * time.Second)
		s.wantClosed(s.lead(0), 0, "")
	})
}

// TestWhoeverEditsASlice is overwritten, and nodes have to be told anew.
func TestWhoeverEditsASlice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := awake(t, "a1")
		s.lead(0)
		s.writes = nil
		s.pass(9 * time.Second)
		s.edit("mini-hpa-web", func(slice *discoveryv1.EndpointSlice) { slice.Endpoints = nil })
		s.wantClosed(s.lead(0), 10, "not every node may know")
		s.wantWrites("update mini-hpa-web active a1")
		s.pass(5 * time.Second)
		s.edit("mini-hpa-web", func(slice *discoveryv1.EndpointSlice) {
			slice.Annotations["example.com/note"], slice.Labels["example.com/team"] = "mine", "shop"
		})
		s.wantClosed(s.lead(0), 5, "not every node may know") // what is not mini-hpa's stays
		s.wantWrites()
		s.delete("mini-hpa-web")
		s.wantClosed(s.lead(0), 10, "not every node may know")
		s.wantWrites("create mini-hpa-web active a1")
	})
}

// TestAStrangersSlice is left alone, and the workload stays awake.
func TestAStrangersSlice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.ready = []string{"p1"}
		stranger := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "mini-hpa-web", ResourceVersion: "1", Labels: map[string]string{discoveryv1.LabelServiceName: "web"}},
			AddressType: discoveryv1.AddressTypeIPv4}
		if err := s.client.Tracker().Add(stranger); err != nil {
			t.Fatal(err)
		}
		s.lead(1)
		s.activator("a1")
		s.wantClosed(s.lead(0), 0, `EndpointSlice "mini-hpa-web" is not mini-hpa's`)
		s.keeper.sweep()
		s.wantWrites()
	})
}

// TestOnceNobodyNeedsASlice it leads nowhere, and is deleted when every node knows that.
func TestOnceNobodyNeedsASlice(t *testing.T) {
	for name, unneeded := range map[string]func(*scene){
		"it is scaled no more": func(s *scene) { s.workload.Annotations = map[string]string{} },
		"the workload is gone": func(s *scene) { s.workload = nil },
	} {
		synctest.Test(t, func(t *testing.T) {
			s := asleep(t)
			unneeded(s)
			if next := s.leave(); next != 10*time.Second {
				t.Errorf("%s: again in %s", name, next)
			}
			s.pass(9 * time.Second)
			s.leave()
			s.wantWrites()
			s.pass(time.Second)
			s.leave()
			s.wantWrites("update mini-hpa-web out")
			s.pass(9 * time.Second)
			s.leave()
			s.wantWrites()
			s.pass(time.Second)
			s.leave()
			s.wantWrites("delete mini-hpa-web")
			s.keeper.sweep()
			if len(s.keeper.pairs.taken)+len(s.keeper.services) > 0 {
				t.Errorf("%s: %v are still taken, %v are known", name, s.keeper.pairs.taken, s.keeper.services)
			}
		})
	}
}

// TestASliceThatWentAndCameBack goes as slowly as the first time when it goes again, and so does one whose workload was gone for a moment.
func TestASliceThatWentAndCameBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := asleep(t)
		workload := s.workload
		missing := func(want time.Duration) {
			t.Helper()
			s.workload = nil
			if next := s.leave(); next != want {
				t.Errorf("again in %s; want %s", next, want)
			}
			s.pass(9 * time.Second)
			s.leave()
			s.workload = workload
			s.wantWrites()
		}
		missing(10 * time.Second)
		s.services[0].Spec.PublishNotReadyAddresses = true
		s.lead(0)
		s.pass(time.Minute)
		missing(10 * time.Second)

		s.workload.Replicas, s.ready = 1, []string{"p2"}
		s.lead(1)
		s.pass(10 * time.Second)
		s.lead(1)
		s.wantWrites("update mini-hpa-web out")
		s.services[0].Spec.PublishNotReadyAddresses = false
		s.lead(1)
		s.wantWrites()
		s.pass(time.Hour)
		s.services[0].Spec.PublishNotReadyAddresses = true
		if led := s.lead(1); led.Next != 10*time.Second {
			t.Errorf("%+v", led)
		}
		s.wantWrites()
	})
}

// TestWhatHasNoSlicesAndIsGone is forgotten, too.
func TestWhatHasNoSlicesAndIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.services[0].Spec.ClusterIP = corev1.ClusterIPNone
		s.lead(1)
		s.workload, s.unknown = nil, true
		if s.leave(); len(s.keeper.sleepers) != 1 {
			t.Error("it may be there")
		}
		s.unknown = false
		if s.leave(); len(s.keeper.sleepers) != 0 {
			t.Errorf("known: %v", s.keeper.sleepers)
		}
	})
}

// TestThePairOfAPortThatIsGone is given back, and rests.
func TestThePairOfAPortThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := asleep(t)
		pair := serves.PairOf(*s.stored("mini-hpa-web").Ports[0].Port)
		s.services[0].Spec.Ports[0].Name = "web"
		s.lead(0)
		s.lead(0)
		pairs := s.keeper.pairs
		if again := serves.PairOf(*s.stored("mini-hpa-web").Ports[0].Port); again == pair || len(pairs.of) != 1 || len(pairs.taken) != 1 || pairs.taken[again].port != "web" {
			t.Errorf("%d became %d; taken: %v", pair, again, pairs.taken)
		}
		if until := pairs.free[pair]; !until.Equal(time.Now().Add(keptFree)) {
			t.Errorf("it rests until %s", until)
		}
	})
}

// TestASliceThatNobodyLeads has its workload looked at.
func TestASliceThatNobodyLeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := asleep(t)
		s.enqueued = 0
		if s.keeper.sweep(); s.enqueued > 0 {
			t.Error("it is led")
		}
		s.keeper = s.leader()
		if s.keeper.sweep(); s.enqueued != 1 {
			t.Errorf("enqueued %d times", s.enqueued)
		}
	})
}

// leaders are who goes on: the process that has led the workload, or a new one.
func leaders() map[string]func(*scene) {
	return map[string]func(*scene){
		"the same leader": func(s *scene) { s.keeper.Forget(s.workload.Key) },
		"a new leader": func(s *scene) {
			s.keeper = s.leader()
			s.activator("a1")
			s.activator("a2")
		},
	}
}

// TestWhatIsNotKnownIsNotGone: the slices of a workload whose kind cannot be listed stay, for a process that has led it and for a new one, and lead to the
// activators that there are.
func TestWhatIsNotKnownIsNotGone(t *testing.T) {
	for name, next := range leaders() {
		synctest.Test(t, func(t *testing.T) {
			s := asleep(t)
			workload := s.workload
			s.unknown = true
			next(s)
			s.workload = nil
			for range 60 {
				s.leave()
				s.pass(time.Second)
			}
			s.wantWrites()
			s.keeper.lose("a1", errors.New("no line for 15 s"))
			s.leave()
			s.wantWrites("update mini-hpa-web active a2")
			s.tell("a2", func(p *serves.State) { p.Held, p.Total = 1, 1 })
			s.workload, s.unknown = workload, false
			s.lead(0)
			if got, err := s.keeper.Requests(workload.Key); err != nil || got.Held != 1 {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
			s.wantWrites()
		})
	}
}

// TestWhatMayBeScaledInAnotherPlace: the slices of a workload stay while it cannot be known whether what controls it is scaled in its place. Whoever comes waits,
// and is passed on if somebody scales it.
func TestWhatMayBeScaledInAnotherPlace(t *testing.T) {
	for name, next := range leaders() {
		synctest.Test(t, func(t *testing.T) {
			s := asleep(t)
			s.obscured = true
			next(s)
			for range 60 {
				s.leave()
				s.pass(time.Second)
			}
			s.wantWrites()
			s.tell("a1", func(p *serves.State) { p.Held, p.Total = 1, 1 })
			if got, err := s.keeper.Requests(s.workload.Key); err != nil || got.Held != 1 {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
			s.workload.Replicas, s.ready = 1, []string{"p2"}
			s.leave()
			s.wantWrites()
			s.pass(10 * time.Second)
			s.leave()
			s.wantWrites("update mini-hpa-web out")

			s.obscured, s.workload.Annotations = false, nil
			s.leave()
			s.pass(10 * time.Second)
			s.leave()
			s.pass(10 * time.Second)
			s.leave()
			s.wantWrites("delete mini-hpa-web")
		})
	}
}

// TestWhatIsPaused: nothing is decided on it. Whoever comes to one that sleeps waits at the activators that there are, and is passed on if somebody scales it.
func TestWhatIsPaused(t *testing.T) {
	for name, next := range map[string]func(*scene){
		"the same leader": func(*scene) {},
		"a new leader": func(s *scene) {
			s.keeper = s.leader()
			s.activator("a1")
			s.activator("a2")
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := asleep(t)
			next(s)
			s.stay()
			s.wantWrites()
			s.keeper.lose("a1", errors.New("no line for 15 s"))
			s.stay()
			s.wantWrites("update mini-hpa-web active a2")
			s.tell("a2", func(p *serves.State) { p.Held, p.Total = 1, 1 })
			if got, err := s.keeper.Requests(s.workload.Key); err != nil || got.Held != 1 {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
			s.workload.Replicas = 1
			s.stay()
			s.pass(2 * time.Minute)
			s.ready = []string{"p2"}
			if next := s.stay(); next != 10*time.Second {
				t.Errorf("%s: again in %s", name, next)
			}
			s.pass(9 * time.Second)
			s.stay()
			s.wantWrites()
			s.pass(time.Second)
			s.stay()
			s.wantWrites("update mini-hpa-web out")
			s.workload.Replicas, s.ready = 0, nil
			s.stay()
			s.wantWrites() // nobody would wake it
		})
	}
}

// TestWhoeverEditsASliceOfWhatIsPaused is overwritten, too.
func TestWhoeverEditsASliceOfWhatIsPaused(t *testing.T) {
	for name, edit := range map[string]func(*scene){
		"without endpoints": func(s *scene) {
			s.edit("mini-hpa-web", func(slice *discoveryv1.EndpointSlice) { slice.Endpoints = nil })
		},
		"turned out": func(s *scene) {
			s.edit("mini-hpa-web", func(slice *discoveryv1.EndpointSlice) {
				slice.Endpoints, *slice.Ports[0].Port = nil, *slice.Ports[0].Port-1
			})
		},
		"unreadable": func(s *scene) {
			s.edit("mini-hpa-web", func(slice *discoveryv1.EndpointSlice) { slice.Annotations = nil })
		},
		"deleted": func(s *scene) { s.delete("mini-hpa-web") },
	} {
		synctest.Test(t, func(t *testing.T) {
			s := asleep(t)
			edit(s)
			s.stay()
			if got := describe(s.stored("mini-hpa-web")); got != "mini-hpa-web active a1 a2" {
				t.Errorf("%s: %s", name, got)
			}
		})
	}
}

// TestWhatIsPausedAndHasNoSlices is nothing to a Keeper.
func TestWhatIsPausedAndHasNoSlices(t *testing.T) {
	s := newScene(t)
	s.stay()
	if s.wantWrites(); len(s.keeper.sleepers) > 0 {
		t.Errorf("%v are known", s.keeper.sleepers)
	}
}

// TestASleeperWhoseServiceCannotLeadToActivatorsAnyMore is woken first; only then its slice goes.
func TestASleeperWhoseServiceCannotLeadToActivatorsAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := asleep(t)
		s.services[0].Spec.PublishNotReadyAddresses = true
		if led := s.lead(0); led.Next != soonKnown {
			t.Errorf("%+v", led)
		}
		s.wantStranded("publishNotReadyAddresses")
		s.keeper.lose("a1", errors.New("no line for 15 s"))
		s.lead(0)
		s.wantWrites("update mini-hpa-web active a2") // it is not woken yet
		s.workload.Replicas = 1
		s.lead(1)
		s.wantStranded("")
		s.ready = []string{"p2"}
		s.lead(1)
		s.pass(9 * time.Second)
		s.wantClosed(s.lead(0), 0, "publishNotReadyAddresses")
		s.wantWrites()
		s.pass(time.Second)
		s.wantClosed(s.lead(0), 0, "publishNotReadyAddresses")
		s.wantWrites("update mini-hpa-web out")
		s.pass(10 * time.Second)
		s.lead(1)
		s.wantWrites("delete mini-hpa-web")
	})
}

// TestASleeperThatRequestsAreNotToWakeAnyMore: the line of its annotations is gone, or it is only watched.
func TestASleeperThatRequestsAreNotToWakeAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := asleep(t)
		s.wake.Requests = false
		s.lead(0)
		s.wantStranded(`requests to Service "web" are not to wake it any more`)
		s.pass(time.Hour)
		s.lead(0)
		s.wantWrites()
		s.workload.Replicas, s.ready = 1, []string{"p2"}
		s.lead(1)
		s.pass(9 * time.Second)
		s.wantClosed(s.lead(0), 0, "still leads to the activators")
		s.pass(time.Second)
		s.wantClosed(s.lead(0), 0, "")
		s.wantWrites("update mini-hpa-web out")
		s.pass(10 * time.Second)
		s.lead(0)
		s.wantWrites("delete mini-hpa-web")
		s.keeper.sweep()
		if s.lead(0); len(s.keeper.sleepers)+len(s.keeper.services) > 0 {
			t.Errorf("known: %v, %v", s.keeper.sleepers, s.keeper.services)
		}
	})
}

// TestAServiceThatWakesNobodyAnyMore loses its slice while the workload has others, once it is awake.
func TestAServiceThatWakesNobodyAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := asleep(t)
		admin := s.services[0].DeepCopy()
		admin.Name, admin.UID = "admin", "admin-uid"
		s.services = append(s.services, admin)
		s.lead(0)
		s.wantWrites("create mini-hpa-admin active")
		s.activator("a1")
		s.lead(0)
		s.wantWrites("update mini-hpa-admin active a1")
		s.keeper.sweep()
		s.wake.Services = []string{"admin"}
		s.lead(0)
		s.wantStranded(`requests to Service "web"`)
		s.wantWrites()
		s.workload.Replicas, s.ready = 1, []string{"p2"}
		s.lead(1)
		s.pass(10 * time.Second)
		s.lead(1)
		s.wantWrites("update mini-hpa-admin out", "update mini-hpa-web out")
		s.pass(10 * time.Second)
		s.lead(1)
		s.wantWrites("delete mini-hpa-web")
	})
}

// TestAPortThatGoesIsNotTheOneThatHasItsName: a Service that was made anew has another pair, and what the activator tells of the one before, which lingers, says
// nothing of it, in whatever order it is told.
func TestAPortThatGoesIsNotTheOneThatHasItsName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := asleep(t)
		s.tell("a1", func(p *serves.State) { p.Held, p.Total = 1, 1 })
		pair := serves.PairOf(*s.stored("mini-hpa-web").Ports[0].Port)
		gone := serves.Line{Port: &serves.State{Slice: "shop/mini-hpa-web", Name: "http", Pair: pair + 2, Gone: true}}
		live := serves.Line{Port: &serves.State{Slice: "shop/mini-hpa-web", Name: "http", Pair: pair, Listening: true, Held: 1, Total: 1}}
		want := func(held int) {
			t.Helper()
			if got, err := s.keeper.Requests(s.workload.Key); err != nil || got.Held != held {
				t.Errorf("%+v, %v; want %d held", got, err, held)
			}
		}
		s.keeper.says("a1", gone)
		want(1)
		for _, lines := range [][]serves.Line{{gone, live}, {live, gone}} {
			s.keeper.begins("a1")
			s.keeper.says("a1", serves.Line{Process: &serves.Process{Start: "1"}})
			for _, line := range lines {
				line.Port = new(*line.Port)
				s.keeper.says("a1", line)
			}
			s.keeper.says("a1", serves.Line{Synced: true})
			want(1)
		}
		s.lead(0)
		s.wantWrites()
		gone.Port.Pair = pair
		s.keeper.says("a1", gone)
		want(0)
		s.lead(0)
		s.wantWrites("update mini-hpa-web active a2")
	})
}

// TestAServiceThatIsAwayForAMoment, as when it is replaced, wakes nobody; one that stays away does.
func TestAServiceThatIsAwayForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := asleep(t)
		web := s.services[0]
		s.services = nil
		if led := s.lead(0); led.Next != 10*time.Second {
			t.Errorf("%+v", led)
		}
		s.pass(9 * time.Second)
		s.lead(0)
		s.wantStranded("")
		s.services = []*corev1.Service{web.DeepCopy()}
		s.services[0].UID = "another"
		s.lead(0)
		s.wantWrites("update mini-hpa-web active a1 a2") // its owner is another one
		if owner := s.stored("mini-hpa-web").OwnerReferences[0].UID; owner != "another" {
			t.Errorf("owned by %s", owner)
		}
		s.services = nil
		s.lead(0)
		s.pass(10 * time.Second)
		s.lead(0)
		s.wantStranded("there is no Service that selects its pods")
	})
}

// TestAServiceThatIsGone, with its slice, is forgotten, and its doors are given back.
func TestAServiceThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := asleep(t)
		s.services = nil
		s.delete("mini-hpa-web")
		if s.keeper.sweep(); len(s.keeper.services)+len(s.keeper.pairs.taken) > 0 {
			t.Errorf("known: %v; taken: %v", s.keeper.services, s.keeper.pairs.taken)
		}
	})
}

// TestAPortThatIsNew waits until activators listen there, and the others do not wait for it.
func TestAPortThatIsNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := asleep(t)
		s.services[0].Spec.Ports = append(s.services[0].Spec.Ports, corev1.ServicePort{Name: "admin", Port: 81})
		s.lead(0)
		s.wantWrites("update mini-hpa-web active a1 a2")
		ports := s.stored("mini-hpa-web").Ports
		if len(ports) != 2 {
			t.Fatalf("ports %v", ports)
		}
		listens := func(name string, does bool) {
			s.keeper.says(types.UID(name), serves.Line{Port: &serves.State{Slice: "shop/mini-hpa-web", Name: "admin", Pair: serves.PairOf(*ports[1].Port), Listening: does}})
		}
		listens("a2", false) // it cannot, and nobody else does
		s.lead(0)
		s.wantWrites()
		listens("a1", true)
		s.lead(0)
		s.wantWrites("update mini-hpa-web active a1")
		listens("a2", true)
		s.lead(0)
		s.wantWrites("update mini-hpa-web active a1 a2")
	})
}

// TestAllActivatorsAreLost: it may be this process that cannot reach them, so that they stay, but for those whose pods are gone.
func TestAllActivatorsAreLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := asleep(t)
		s.pods = []*corev1.Pod{pod("a1"), pod("a2")}
		s.keeper.lose("a1", errors.New("no line for 15 s"))
		s.keeper.lose("a2", errors.New("no line for 15 s"))
		s.lead(0)
		s.wantWrites()
		if _, err := s.keeper.Requests(s.workload.Key); !errors.Is(err, wake.ErrNobody) {
			t.Errorf("requests: %v", err)
		}
		s.pods = s.pods[:1]
		s.lead(0)
		s.wantWrites("update mini-hpa-web active a1")
		s.activator("a2")
		s.lead(0)
		s.wantWrites("update mini-hpa-web active a2") // a1 is lost, and there is another one
	})
}

// TestAnActivatorThatIsToEnd: nobody is led there any more, and what it holds counts.
func TestAnActivatorThatIsToEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := asleep(t)
		s.tell("a1", func(p *serves.State) { p.Held, p.Total = 3, 3 })
		s.enqueued = 0
		if s.keeper.isToEnd("a1", false); s.enqueued != 1 {
			t.Errorf("enqueued %d times", s.enqueued)
		}
		s.lead(0)
		s.wantWrites("update mini-hpa-web active a2")
		if got, err := s.keeper.Requests(s.workload.Key); err != nil || got.Held != 3 {
			t.Errorf("%+v, %v", got, err)
		}
		s.keeper.lose("a2", errors.New("no line for 15 s"))
		if got, err := s.keeper.Requests(s.workload.Key); err != nil || got.Held != 3 {
			t.Errorf("and it is the only one: %+v, %v", got, err)
		}
	})
}

// TestAllActivatorsAreToEnd: as long as nobody else is there, requests are led to those that still listen; nothing is put to sleep by that.
func TestAllActivatorsAreToEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := asleep(t)
		s.keeper.isToEnd("a1", false)
		s.keeper.says("a2", serves.Line{Process: &serves.Process{Start: "1", Draining: true}})
		s.lead(0)
		s.wantWrites()
		s.tell("a1", func(p *serves.State) { p.Listening = false })
		s.lead(0)
		s.wantWrites("update mini-hpa-web active a2")
		s.workload.Replicas = 1
		s.wantClosed(s.lead(0), 0, `no activator listens for Service "web"`)
		s.wantWrites()
		s.activator("a3")
		s.lead(0)
		s.wantWrites("update mini-hpa-web active a3")
	})
}

// TestWhoIsNeverHeard is no secret to what nothing else makes be looked at: a slice may lead there since before this process has led.
func TestWhoIsNeverHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := asleep(t)
		s.pods = []*corev1.Pod{pod("a1"), pod("a2")}
		s.keeper = s.leader()
		s.activator("a1")
		s.keeper.reports["a2"] = &report{activator: activator{uid: "a2", name: "a2"}, ports: map[portKey]*serves.State{}}
		s.stay()
		s.wantWrites()
		s.pass(lost)
		s.enqueued = 0
		if s.keeper.lose("a2", errors.New("it does not answer")); s.enqueued != 1 {
			t.Errorf("enqueued %d times", s.enqueued)
		}
		s.stay()
		s.wantWrites("update mini-hpa-web active a1")
	})
}

// TestWhoStaysAwayIsToldOnce, though its pod is looked at each second; at the start again, as slices lead there until others have had the time to tell their state.
func TestWhoStaysAwayIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := asleep(t)
		s.keeper = s.leader()
		s.activator("a1")
		s.keeper.reports["a2"] = &report{activator: activator{uid: "a2", name: "a2"}, ports: map[portKey]*serves.State{}}
		s.lead(0)
		want := func(enqueued int) {
			t.Helper()
			s.enqueued = 0
			for range 10 {
				s.keeper.lose("a2", errors.New("it does not answer, and its pod is not ready"))
				s.pass(sweeping)
			}
			if s.enqueued != enqueued {
				t.Errorf("enqueued %d times; want %d", s.enqueued, enqueued)
			}
		}
		want(5 + 1)
		want(0)
		s.keeper.isToEnd("a2", false)
		want(1)
		s.keeper.isToEnd("a2", false)
		want(0)
		s.keeper.isToEnd("a2", true)
		want(1)
		s.activator("a2")
		want(1)
	})
}

// TestFromBothFamiliesToOne: the slice of the other one goes, and keeps nobody awake.
func TestFromBothFamiliesToOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.services[0].Spec.IPFamilies = []corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol}
		s.ready = []string{"p1"}
		s.lead(1)
		s.activator("a1")
		s.keeper.sweep()
		s.keeper.reports["a1"].addresses = append(s.keeper.reports["a1"].addresses, "fd00::1")
		s.lead(0)
		s.writes = nil
		s.services[0].Spec.IPFamilies = s.services[0].Spec.IPFamilies[:1]
		s.wantClosed(s.lead(0), 10, "not every node may know")
		s.wantWrites("update mini-hpa-web.ipv6 out")
		s.pass(10 * time.Second)
		s.wantClosed(s.lead(0), 0, "")
		s.wantWrites("delete mini-hpa-web.ipv6")
	})
}

// TestFromBothFamiliesToOneWhileAwake: what was known of the other one's slice says nothing of whether the Service leads to the activators.
func TestFromBothFamiliesToOneWhileAwake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.services[0].Spec.IPFamilies = []corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol}
		s.ready = []string{"p1"}
		s.lead(1)
		s.activator("a1")
		s.services[0].Spec.IPFamilies = s.services[0].Spec.IPFamilies[:1]
		s.wantClosed(s.lead(0), 10, "not every node may know")
		s.pass(10 * time.Second)
		s.wantClosed(s.lead(0), 0, "")
	})
}

// TestAnEditThatIsRight delays a sleep, once.
func TestAnEditThatIsRight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := awake(t, "a1", "a2")
		s.lead(0)
		s.pass(5 * time.Second)
		s.edit("mini-hpa-web", func(slice *discoveryv1.EndpointSlice) { slice.Endpoints = slice.Endpoints[:1] })
		s.keeper.lose("a2", errors.New("no line for 15 s"))
		s.writes = nil
		s.wantClosed(s.lead(0), 10, "not every node may know")
		s.pass(4 * time.Second)
		s.wantClosed(s.lead(0), 6, "not every node may know")
		s.pass(6 * time.Second)
		s.wantClosed(s.lead(0), 0, "")
		s.wantWrites()
	})
}

// TestAnotherProcessLeads: it waits anew, and writes the slice once more before the workload sleeps, as its watch may be late.
func TestAnotherProcessLeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := awake(t, "a1")
		s.lead(0)
		pair := s.stored("mini-hpa-web").Ports[0].Port
		s.pass(w)
		s.keeper, s.writes = s.leader(), nil
		s.activator("a1")
		s.wantClosed(s.lead(0), 10, "not every node may know")
		s.wantWrites("update mini-hpa-web active a1")
		if again := s.stored("mini-hpa-web").Ports[0].Port; *again != *pair {
			t.Errorf("door %d became %d", *pair, *again)
		}
		s.pass(w)
		s.wantClosed(s.lead(0), 0, "")
		// What it sees of the slice is from before: the write shows that.
		s.workload.Replicas = 1
		s.late, s.isLate = s.OwnSlices(), true
		s.edit("mini-hpa-web", func(slice *discoveryv1.EndpointSlice) { slice.Endpoints = nil })
		s.keeper = s.leader()
		s.activator("a1")
		if _, err := s.keeper.Lead(t.Context(), s.workload, s.wake, wake.Wanted{}); err == nil {
			t.Error("it goes by a slice that is there no more")
		}
	})
}

// TestALeaderThatHasJustBegun does not take activators out of slices that it could not ask yet, but those whose pods are gone.
func TestALeaderThatHasJustBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := asleep(t)
		s.activator("a2")
		s.lead(0)
		s.writes = nil
		s.pods = []*corev1.Pod{pod("a1"), pod("a3")}
		s.keeper = s.leader()
		s.activator("a3")
		s.lead(0)
		s.wantWrites("update mini-hpa-web active a1 a3")
		s.pass(starting)
		s.lead(0)
		s.wantWrites("update mini-hpa-web active a3")
	})
}

// TestAWakeAfterAShortSleep: a pod that is seen ready may be an old one, which was told to end.
func TestAWakeAfterAShortSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := asleep(t)
		s.ready = []string{"p2"}
		s.lead(1)
		s.pass(20 * time.Second)
		s.lead(0)
		s.pass(w)
		s.lead(0)
		s.lead(0)
		s.writes = nil
		s.pass(time.Second)
		s.lead(1) // and p2 is still seen ready
		if led := s.lead(1); led.Next != 69*time.Second {
			t.Errorf("%+v", led)
		}
	})
}

// TestLateNodes make the next moves wait longer.
func TestLateNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := asleep(t)
		s.ready = []string{"p2"}
		s.lead(1)
		s.lead(1)
		s.pass(w)
		s.lead(1)
		s.wantWrites("update mini-hpa-web out")
		s.pass(8 * time.Second)
		s.tell("a1", func(p *serves.State) { p.Active.Connections, p.Active.Age = 1, 0 })
		s.wantClosed(s.lead(0), 16, "not every node may know")
	})
}

// TestTwoWorkloadsOfOneService: the one that came first has it.
func TestTwoWorkloadsOfOneService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.lead(1)
		s.activator("a1")
		other := *s.workload
		other.Key = annotations.DeploymentKey("shop", "other")
		led, err := s.keeper.Lead(t.Context(), &other, s.wake, wake.Wanted{})
		if err != nil {
			t.Fatal(err)
		}
		s.wantClosed(led, 0, `requests to Service "web" wake deployment shop/web, too`)
	})
}

// TestServicesThatCannotLeadToActivators keep the workload awake, and say why.
func TestServicesThatCannotLeadToActivators(t *testing.T) {
	for because, change := range map[string]func(*corev1.Service){
		"ExternalName":    func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeExternalName },
		"headless":        func(s *corev1.Service) { s.Spec.ClusterIP = corev1.ClusterIPNone },
		"has no TCP port": func(s *corev1.Service) { s.Spec.Ports[0].Protocol = corev1.ProtocolUDP },

		"publishNotReadyAddresses":                  func(s *corev1.Service) { s.Spec.PublishNotReadyAddresses = true },
		"there is no Service that selects its pods": func(s *corev1.Service) { s.Spec.Selector = map[string]string{"app": "other"} },
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newScene(t)
			change(s.services[0])
			s.wantClosed(s.lead(0), 0, because)
			s.wantWrites()
		})
	}
}

// TestServicesThatThereAreNot keep it awake, too: what is named may come later.
func TestServicesThatThereAreNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.wake.Services = []string{"api", "web"}
		s.lead(1)
		s.activator("a1")
		s.lead(0)
		s.pass(w)
		s.wantClosed(s.lead(0), 0, `there is no Service "api"`)
	})
}

// TestPairsAreNotGivenTwice: neither to two ports, nor to another one soon after the first has gone, nor if somebody has written a slice by hand.
func TestPairsAreNotGivenTwice(t *testing.T) {
	t.Parallel()
	p, now := newPairs(), time.Now()
	within := serves.Range{First: 20000, Last: 20003}
	at := func(service string) place {
		return place{types.NamespacedName{Namespace: "shop", Name: service}, "http"}
	}
	a, _ := p.get(within, at("a"), now)
	b, _ := p.get(within, at("b"), now)
	if _, ok := p.get(within, at("c"), now); ok || a == b {
		t.Errorf("%d and %d, and one more", a, b)
	}
	if again, _ := p.get(within, at("a"), now); again != a {
		t.Errorf("%d became %d", a, again)
	}
	p.dropAll(at("a").service, now)
	if _, ok := p.get(within, at("c"), now.Add(keptFree-time.Second)); ok {
		t.Error("a pair is given away that was returned just before")
	}
	if c, ok := p.get(within, at("c"), now.Add(keptFree)); !ok || c != a {
		t.Errorf("%d, %t", c, ok)
	}
	p.note(at("d"), b)
	if _, ok := p.get(within, at("d"), now.Add(keptFree)); ok {
		t.Error("two ports have one pair")
	}
}

// TestBothFamilies have a slice each, with the same doors.
func TestBothFamilies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.services[0].Spec.IPFamilies = []corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol}
		s.lead(1)
		s.wantWrites("create mini-hpa-web out", "create mini-hpa-web.ipv6 out")
		s.activator("a1")
		s.wantClosed(s.lead(0), 0, "no activator listens") // it has no address of IPv6
		s.keeper.reports["a1"].addresses = append(s.keeper.reports["a1"].addresses, "fd00::1")
		s.wantClosed(s.lead(0), 10, "not every node may know")
		s.wantWrites("update mini-hpa-web active a1", "update mini-hpa-web.ipv6 active a1")
		if v4, v6 := s.stored("mini-hpa-web").Ports[0].Port, s.stored("mini-hpa-web.ipv6").Ports[0].Port; *v4 != *v6 {
			t.Errorf("doors %d and %d", *v4, *v6)
		}
	})
}

// TestWhatCannotBeListed keeps everything awake.
func TestWhatCannotBeListed(t *testing.T) {
	s := newScene(t)
	s.err = errors.New("EndpointSlices could not be listed yet")
	led := s.lead(0)
	if led.Closed == nil || !strings.Contains(led.Closed.Because, "could not be listed") {
		t.Errorf("%+v", led.Closed)
	}
	s.wantWrites()
}

// TestNoPortIsLeft: what has no doors stays awake and says so, and what has them goes on.
func TestNoPortIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.keeper.Range = serves.Range{First: 20000, Last: 20001}
		s.lead(1)
		s.activator("a1")
		second := s.services[0].DeepCopy()
		second.Name, second.UID = "api", "api-uid"
		s.services = append(s.services, second)
		s.wantClosed(s.lead(0), 0, `no port of the activators is left for Service "api": all of 20000-20001 are taken`)
		s.wantWrites("create mini-hpa-web out", "update mini-hpa-web active a1")
	})
}

// TestAStrangersSliceWithOurLabel is left as it is, whatever it says, and nothing else suffers from it.
func TestAStrangersSliceWithOurLabel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := asleep(t)
		for name, notes := range map[string]map[string]string{"strange": nil, "mini-hpa-other": {serves.Annotation: `{"kind":"Deployment","group":"apps","name":"web"}`}} {
			stranger := &discoveryv1.EndpointSlice{AddressType: discoveryv1.AddressTypeIPv4, ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, ResourceVersion: "1", Labels: serves.Labels("other"), Annotations: notes}}
			if err := s.client.Tracker().Add(stranger); err != nil {
				t.Fatal(err)
			}
		}
		for range 3 {
			s.keeper.sweep()
			s.lead(0)
			s.pass(time.Minute)
		}
		s.wantWrites()
	})
}
