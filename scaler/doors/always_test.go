package doors

import (
	"context"
	"errors"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	clienttesting "k8s.io/client-go/testing"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/podspec"
	"github.com/mini-hpa/mini-hpa/annotations/serves"
	"github.com/mini-hpa/mini-hpa/scaler/wake"
)

// always is a scene in which all requests go through the activators, and the replicas are held at a number of them.
func always(t *testing.T) *scene {
	s := newScene(t)
	s.wake.Always, s.wake.Targeted, s.wake.Services = true, true, []string{"web"}
	s.workload.Template.Spec.Containers = []corev1.Container{{Name: "app", Ports: make([]corev1.ContainerPort, 1)}}
	s.template("web", 8080)
	service := s.services[0]
	service.Spec.Selector, service.Annotations = nil, map[string]string{annotations.ActivatorKey: "web"}
	service.Spec.Ports[0].TargetPort = intstr.FromString("web")
	s.owned = []*podspec.Pod{ready("p1", "10.1.0.1")}
	return s
}

// led is a scene of always in which its requests are led to activators, which are told of a pod.
func led(t *testing.T, activators ...string) *scene {
	s := always(t)
	s.lead(1)
	for _, name := range activators {
		s.activator(name)
	}
	s.lead(1)
	return s
}

func ready(name string, addresses ...string) *podspec.Pod {
	return &podspec.Pod{Namespace: "shop", Name: name, IPs: addresses, Ports: "web=8080", Ready: podspec.Condition{Status: corev1.ConditionTrue}}
}

// has is a pod that is ready and has these ports.
func has(name, address string, ports podspec.Ports) *podspec.Pod {
	pod := ready(name, address)
	pod.Ports = ports
	return pod
}

// template has new pods have a port of another name or number.
func (s *scene) template(name string, number int32) {
	s.workload.Template.Spec.Containers[0].Ports[0] = corev1.ContainerPort{Name: name, ContainerPort: number}
}

// at are pods whose port http has a number.
func at(port int32, addresses ...string) serves.Backends {
	return serves.Backends{Addresses: addresses, Ports: map[string]int32{"http": port}}
}

// backends are the pods of which activators are told.
func (s *scene) backends() []serves.Backends {
	s.t.Helper()
	says, err := serves.Read(s.stored("mini-hpa-web"))
	if err != nil {
		s.t.Fatal(err)
	}
	return says.Backends
}

// wantBackends are the addresses of the pods of which activators are told.
func (s *scene) wantBackends(slice string, want ...string) {
	s.t.Helper()
	says, err := serves.Read(s.stored(slice))
	if err != nil || says.Backends == nil || says.Serves.Path != serves.PathAlways {
		s.t.Fatalf("%s says %+v: %v", slice, says, err)
	}
	var got []string
	for _, b := range says.Backends {
		got = append(got, b.Addresses...)
		if diff := cmp.Diff(map[string]int32{"http": 8080}, b.Ports); diff != "" {
			s.t.Errorf("ports (-want +got):\n%s", diff)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		s.t.Errorf("pods (-want +got):\n%s", diff)
	}
}

// TestAllRequestsGoThroughActivators, which are told of the pods, and of none from before these are told to end.
func TestAllRequestsGoThroughActivators(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := always(t)
		s.lead(1)
		s.wantWrites("create mini-hpa-web out")
		s.activator("a1")
		if led := s.lead(1); led.State != wake.Direct || led.Closed != nil {
			t.Errorf("%+v", led)
		}
		s.wantWrites("update mini-hpa-web active a1")
		s.wantBackends("mini-hpa-web", "10.1.0.1")
		unready, ending := ready("p3", "10.1.0.3"), ready("p4", "10.1.0.4")
		unready.Ready.Status, ending.Deleted = corev1.ConditionFalse, time.Now()
		s.owned = append(s.owned, ready("p2", "10.1.0.2", "fd00::2"), unready, ending)
		s.lead(4)
		s.lead(4)
		s.wantWrites("update mini-hpa-web active a1")
		s.wantBackends("mini-hpa-web", "10.1.0.1", "10.1.0.2")

		led := s.lead(0)
		s.wantClosed(led, 1, "activators may not know yet")
		if led.State != wake.Closing || led.Next != wake.Told {
			t.Errorf("%+v", led)
		}
		s.wantBackends("mini-hpa-web")
		s.lead(4) // somebody has come
		s.wantBackends("mini-hpa-web", "10.1.0.1", "10.1.0.2")
		s.lead(0)
		s.pass(wake.Told)
		s.wantClosed(s.lead(0), 0, "")
		s.writes = nil
		if led := s.lead(0); led.State != wake.Asleep {
			t.Errorf("%+v", led)
		}
		s.owned = nil
		if s.lead(1); s.lead(1).State != wake.Waking {
			t.Error("it is not waking")
		}
		s.wantWrites()
		s.owned = []*podspec.Pod{ready("p5", "10.1.0.5")}
		if led := s.lead(1); led.State != wake.Direct {
			t.Errorf("%+v", led)
		}
		s.wantBackends("mini-hpa-web", "10.1.0.5")
	})
}

// TestWhereRequestsAreLed is told by what is written, before a watch brings it, and of slices that go by what the watch has brought.
func TestWhereRequestsAreLed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := always(t)
		want := func(want ...wake.Lead) {
			t.Helper()
			if diff := cmp.Diff(want, s.keeper.Leads(s.workload.Key)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
		want()
		s.lead(1)
		pair := s.keeper.pairs.of[place{types.NamespacedName{Namespace: "shop", Name: "web"}, "http"}]
		lead := wake.Lead{Service: "web", Slice: "mini-hpa-web", Face: "out", Always: true, Pods: 1, Ports: []wake.LeadPort{{Name: "http", Port: pair}}}
		want(lead)
		s.activator("a1")
		s.isLate = true
		s.lead(1)
		lead.Face, lead.Since, lead.Ports[0].Port, lead.Activators = "active", time.Now().UTC(), pair+1, []string{"a1"}
		want(lead)
		s.isLate = false
		s.keeper.sweep()
		s.wake = annotations.Wake{} // its requests are to wake nobody any more
		s.lead(1)
		want(lead)
		s.keeper = s.leader() // which has not looked at it yet
		want(lead)
	})
}

// TestItWakesBeforeItsPodsAreToldToEnd: requests are not led to a pod that is there only because Kubernetes has not ended it yet.
func TestItWakesBeforeItsPodsAreToldToEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := led(t, "a1")
		s.lead(0)
		s.pass(wake.Told)
		s.wantClosed(s.lead(0), 0, "")
		s.tell("a1", func(p *serves.State) { p.Held, p.Total = 1, 1 })
		s.lead(1)
		s.wantBackends("mini-hpa-web")
		s.lead(1) // that 1 is asked for is known, and the pod stays
		s.wantBackends("mini-hpa-web", "10.1.0.1")
	})
}

// TestThePodsOfWhatIsNotKnown stay those that are written: its kind cannot be listed at present.
func TestThePodsOfWhatIsNotKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := always(t)
		s.services[0].Spec.Ports[0].TargetPort = intstr.FromInt32(8080)
		s.lead(1)
		s.activator("a1")
		s.lead(1)
		s.keeper = s.leader()
		s.activator("a1")
		s.keeper.sweep()
		s.workload, s.unknown = nil, true
		s.writes = nil
		for range 3 {
			s.leave()
			s.pass(time.Minute)
		}
		s.wantBackends("mini-hpa-web", "10.1.0.1")
	})
}

// TestAlwaysInBothFamilies: each slice has the addresses of its own.
func TestAlwaysInBothFamilies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := always(t)
		s.services[0].Spec.IPFamilies = []corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol}
		s.owned = append(s.owned, ready("p2", "fd00::2", "10.1.0.2"))
		s.lead(1)
		s.wantBackends("mini-hpa-web", "10.1.0.1", "10.1.0.2")
		s.wantBackends(serves.SliceName("web", discoveryv1.AddressTypeIPv6), "fd00::2")
	})
}

// TestANamedPortWhoseNumberChanges: each pod is met at the number that it has itself, whatever the template says by now.
func TestANamedPortWhoseNumberChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := always(t)
		told := func(want ...serves.Backends) {
			t.Helper()
			s.lead(2)
			if diff := cmp.Diff(want, s.backends()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
		s.owned = []*podspec.Pod{has("p1", "10.1.0.1", "web=8080"), has("p2", "10.1.0.2", "web=8080,admin=8081")}
		s.lead(2)
		s.activator("a1")
		told(at(8080, "10.1.0.1", "10.1.0.2"))
		s.template("web", 9090)
		told(at(8080, "10.1.0.1", "10.1.0.2"))                                                          // before there is a pod of the new template
		s.owned = append(s.owned, has("p3", "10.1.0.3", "web=9090"), has("p4", "10.1.0.4", "web=8080")) // of which the last one has become ready late
		told(at(8080, "10.1.0.1", "10.1.0.2", "10.1.0.4"), at(9090, "10.1.0.3"))
		s.owned = append(s.owned[:2:2], has("p5", "10.1.0.5", "")) // which has no port of the name
		told(at(8080, "10.1.0.1", "10.1.0.2"), at(9090, "10.1.0.5"))
		s.services[0].Spec.Ports[0].TargetPort = intstr.FromInt32(7070) // which is the same number for all
		told(at(7070, "10.1.0.1", "10.1.0.2", "10.1.0.5"))
	})
}

// TestASliceThatGoesWhilePortsChange: a Service ceases to lead to the activators while a rollout changes the number of its port, or has it have another name. Until its
// slice goes, each pod is met at its own number, or at that with which it was told of; of one that is new and has no port of the name, another's number is the best guess.
func TestASliceThatGoesWhilePortsChange(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*scene)
		ports  podspec.Ports
		want   []serves.Backends
	}{
		"the number":                {func(s *scene) { s.template("web", 9191) }, "web=9191", []serves.Backends{at(8080, "10.1.0.1"), at(9090, "10.1.0.2"), at(9191, "10.1.0.3")}},
		"the name, in the template": {func(s *scene) { s.template("app", 9090) }, "app=9090", []serves.Backends{at(8080, "10.1.0.1", "10.1.0.3"), at(9090, "10.1.0.2")}},
		"the name, in the Service":  {func(s *scene) { s.services[0].Spec.Ports[0].Name = "api" }, "web=9090", []serves.Backends{at(8080, "10.1.0.1", "10.1.0.3"), at(9090, "10.1.0.2")}},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := always(t)
			s.lead(2)
			s.activator("a1")
			s.template("web", 9090)
			s.owned = append(s.owned, has("p2", "10.1.0.2", "web=9090"))
			s.lead(2)
			s.keeper.sweep()
			test.change(s)
			s.owned = append(s.owned, has("p3", "10.1.0.3", test.ports))
			delete(s.services[0].Annotations, annotations.ActivatorKey)
			for range 2 {
				s.lead(2)
				if diff := cmp.Diff(test.want, s.backends()); diff != "" {
					t.Errorf("%s (-want +got):\n%s", name, diff)
				}
			}
		})
	}
}

// TestServicesThatCannotLeadAllToActivators keep the workload awake, and say why.
func TestServicesThatCannotLeadAllToActivators(t *testing.T) {
	for because, change := range map[string]func(*corev1.Service){
		"has a selector":                            func(s *corev1.Service) { s.Spec.Selector = map[string]string{"app": "web"} },
		"does not say mini-hpa/activator: web":      func(s *corev1.Service) { s.Annotations[annotations.ActivatorKey] = "api" },
		`leads to port "admin" of the pods, and no`: func(s *corev1.Service) { s.Spec.Ports[0].TargetPort = intstr.FromString("admin") },
	} {
		synctest.Test(t, func(t *testing.T) {
			s := always(t)
			change(s.services[0])
			s.wantClosed(s.lead(0), 0, because)
			s.wantWrites()
		})
	}
}

// TestThePodsPort is the target port's number, or that of a port of its name, or the Service's own.
func TestThePodsPort(t *testing.T) {
	for want, target := range map[int32]intstr.IntOrString{8080: intstr.FromString("web"), 9000: intstr.FromInt32(9000), 80: {}, 0: intstr.FromString("other")} {
		if got := podPort("web=8080", &corev1.ServicePort{Port: 80, TargetPort: target}); got != want {
			t.Errorf("target %q: %d, want %d", target.String(), got, want)
		}
	}
}

// fly has an activator tell that so many requests are under way.
func (s *scene) fly(name string, inFlight int) {
	s.tell(name, func(p *serves.State) {
		p.RequestSeconds = p.SecondsAt(time.Now())
		p.Total += uint64(max(inFlight-p.InFlight, 0))
		p.InFlight = inFlight
	})
}

// atATime is how many requests there are at a time, and why that is not known, as of a look.
func (s *scene) atATime() (float64, error) {
	s.t.Helper()
	got, err := s.keeper.Look(s.workload.Key)
	return got.AtATime(), err
}

func (s *scene) wantAtATime(want float64) {
	s.t.Helper()
	if got, err := s.atATime(); err != nil || math.Abs(got-want) > 1e-6 {
		s.t.Errorf("%v at a time, %v; want %v", got, err, want)
	}
}

// TestMoreRequestsAreLookedAtSoon: at once when they come, and again until they are what they are on average.
func TestMoreRequestsAreLookedAtSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := led(t, "a1", "a2")
		s.wantAtATime(0)
		s.pass(10 * time.Second)
		s.wantAtATime(0)
		if led := s.lead(1); led.Next != 0 || s.keeper.sleepers[s.workload.Key].unsettled {
			t.Errorf("nothing has happened: %+v", led)
		}
		s.enqueued = 0
		s.fly("a1", 20)
		s.fly("a2", 40)
		if s.enqueued > 1+1 { // one of which is that of a request
			t.Errorf("enqueued %d times before it was looked at", s.enqueued)
		}
		s.atATime()
		if led := s.lead(1); led.Next != settling {
			t.Errorf("again in %s", led.Next)
		}
		s.pass(settling)
		s.atATime()
		s.pass(settling)
		s.wantAtATime(60)
		if led := s.lead(1); led.Next != 0 {
			t.Errorf("settled, and again in %s", led.Next)
		}
		s.fly("a1", 0)
		s.fly("a2", 0)
		s.pass(wake.Lately)
		if got, err := s.atATime(); err != nil || math.Abs(got-5) > 1e-6 { // 60 for 1 of the 12 seconds since the look that is not less than 10 seconds ago
			t.Errorf("%v at a time, %v", got, err)
		}
		s.pass(wake.Averaged)
		s.atATime()
		s.pass(wake.Averaged)
		s.wantAtATime(0)
	})
}

// TestWhoOnlyAsksChangesNothing: a scrape between two looks neither says that one is on its way nor makes the next one know less.
func TestWhoOnlyAsksChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := led(t, "a1")
		s.wantAtATime(0)
		s.pass(time.Minute)
		s.wantAtATime(0)
		s.tell("a1", func(p *serves.State) { p.RequestSeconds += 5 }) // which have come and gone
		s.pass(wake.Lately)
		before, load := s.enqueued, s.keeper.sleepers[s.workload.Key].load
		for range 3 {
			if got, err := s.keeper.Requests(s.workload.Key); err != nil || got.Average == nil || *got.Average != 5 {
				t.Errorf("%+v: %v", got, err)
			}
		}
		if diff := cmp.Diff(load, s.keeper.sleepers[s.workload.Key].load, cmp.Exporter(func(reflect.Type) bool { return true })); diff != "" {
			t.Errorf("who asks changes (-before +after):\n%s", diff)
		}
		s.fly("a1", 20)
		if s.enqueued == before {
			t.Error("more requests are not looked at")
		}
		s.wantAtATime(5)
	})
}

// TestNothingSettlesWhereNobodyLooks at how many requests there are: nothing is decided, they do not count, or no activator tells them.
func TestNothingSettlesWhereNobodyLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := led(t, "a1")
		s.wantAtATime(0)
		s.pass(time.Minute)
		s.fly("a1", 20)
		s.atATime()
		if led := s.lead(1); led.Next != settling {
			t.Errorf("again in %s", led.Next)
		}
		if next := s.stay(); next != 0 {
			t.Errorf("nothing is decided, and it is looked at again in %s", next)
		}
		s.keeper.lose("a1", errors.New("it does not answer"))
		if _, err := s.atATime(); !errors.Is(err, wake.ErrNobody) {
			t.Error(err)
		}
		if led := s.lead(1); led.Next != 0 {
			t.Errorf("nobody tells how many there are, and it is looked at again in %s", led.Next)
		}
		s.activator("a1")
		s.fly("a1", 20)
		s.workload.Replicas = 0
		if led := s.lead(0); led.Next != 0 {
			t.Errorf("it has no pods, and it is looked at again in %s", led.Next)
		}
	})
}

// TestWhileItSleepsAllWhoWaitCount, at once.
func TestWhileItSleepsAllWhoWaitCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := always(t)
		s.lead(1)
		s.activator("a1")
		s.lead(0)
		s.pass(wake.Told)
		s.lead(0)
		s.lead(0)
		s.wantAtATime(0)
		s.pass(time.Minute)
		s.tell("a1", func(p *serves.State) { p.Held, p.Total = 50, 50 })
		s.wantAtATime(50)
		s.lead(3)
		s.wantAtATime(50)
		s.lead(3)
		s.pass(10 * time.Millisecond) // it is looked at again because of its pods
		s.wantAtATime(50)
	})
}

// TestAnActivatorThatIsMissing: what the others say is not all, until Services have ceased to lead to it. Nothing is scaled in or put to sleep by that, but more
// requests than there were count.
func TestAnActivatorThatIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := led(t, "a1", "a2")
		s.fly("a1", 10)
		s.fly("a2", 10)
		s.atATime()
		s.pass(time.Minute)
		s.wantAtATime(20)
		s.keeper.lose("a2", errors.New("it does not answer"))
		s.pass(time.Second)
		if got, err := s.atATime(); !errors.Is(err, wake.ErrMissing) || !strings.Contains(err.Error(), "not known") {
			t.Errorf("%v at a time, %v", got, err)
		}
		s.fly("a1", 50)
		s.pass(time.Second)
		s.wantAtATime(50)
		s.fly("a1", 5)
		s.pass(20 * time.Second)
		if got, err := s.atATime(); !errors.Is(err, wake.ErrMissing) {
			t.Errorf("%v at a time, %v", got, err)
		}
		s.pass(wake.Settled)
		s.wantAtATime(5)
	})
}

// TestAnActivatorThatIsMissingKeepsAwake what only sleeps and wakes by requests.
func TestAnActivatorThatIsMissingKeepsAwake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.lead(1)
		s.activator("a1")
		s.activator("a2")
		s.lead(1)
		s.wantAtATime(0)
		s.keeper.lose("a2", errors.New("it does not answer"))
		if got, err := s.atATime(); !errors.Is(err, wake.ErrMissing) {
			t.Errorf("%v at a time, %v", got, err)
		}
		s.fly("a1", 1)
		s.wantAtATime(1)
		s.fly("a1", 0)
		s.pass(wake.Settled)
		s.wantAtATime(0)
	})
}

// sleeps is a scene of always in which the workload sleeps.
func sleeps(t *testing.T) *scene {
	s := led(t, "a1")
	s.lead(0)
	s.pass(wake.Told)
	s.lead(0)
	s.owned = nil
	if led := s.lead(0); led.State != wake.Asleep {
		t.Fatalf("%+v", led)
	}
	s.keeper.sweep()
	s.pass(2 * time.Minute)
	s.writes = nil
	return s
}

// TestActivatorsAreToldOfWhatMayBeScaledInAnotherPlace: nothing else tells them of its pods while it cannot be known whether what controls it is.
func TestActivatorsAreToldOfWhatMayBeScaledInAnotherPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := led(t, "a1")
		s.obscured = true
		s.keeper.Forget(s.workload.Key)
		s.leave()
		s.wantBackends("mini-hpa-web", "10.1.0.1")
		s.owned = []*podspec.Pod{ready("p2", "10.1.0.2")}
		s.pass(time.Minute)
		s.leave()
		s.wantBackends("mini-hpa-web", "10.1.0.2")
	})
}

// TestASleeperWhoseRequestsAreNotToGoThroughActivatorsAnyMore is woken first, and activators are told of its pods, which nothing else tells them: who waits is served.
func TestASleeperWhoseRequestsAreNotToGoThroughActivatorsAnyMore(t *testing.T) {
	for because, change := range map[string]func(*scene){
		"are not to wake it any more": func(s *scene) { s.wake = annotations.Wake{} },
		"has no selector":             func(s *scene) { s.wake.Always, s.wake.Targeted = false, false },
		"does not say":                func(s *scene) { delete(s.services[0].Annotations, annotations.ActivatorKey) },
		"has a selector":              func(s *scene) { s.services[0].Spec.Selector = map[string]string{"app": "web"} },
	} {
		synctest.Test(t, func(t *testing.T) {
			s := sleeps(t)
			change(s)
			s.lead(0)
			s.wantStranded(because)
			s.workload.Replicas = 1
			for range 3 {
				if led := s.lead(1); led.State != wake.Waking {
					t.Errorf("%s: %+v", because, led)
				}
				s.pass(time.Second)
			}
			s.wantWrites()
			s.owned = []*podspec.Pod{ready("p5", "10.1.0.5")}
			s.lead(1)
			s.wantWrites("update mini-hpa-web active a1")
			s.wantBackends("mini-hpa-web", "10.1.0.5")
			s.pass(w - time.Second)
			if led := s.lead(1); led.Next != time.Second || led.State != wake.Direct {
				t.Errorf("%s: %+v", because, led)
			}
			s.wantWrites()
			s.pass(time.Second)
			s.lead(1)
			s.wantWrites("update mini-hpa-web out")
		})
	}
}

// TestWhatHindersForAMoment takes nobody's requests away: a port of the pods is renamed, and a moment later in the Service, too.
func TestWhatHindersForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := led(t, "a1")
		s.pass(time.Hour)
		s.lead(1)
		s.keeper.sweep()
		s.writes = nil
		s.template("app", 8080)
		if led := s.lead(1); led.Next != w {
			t.Errorf("%+v", led)
		}
		s.owned = append(s.owned, ready("p2", "10.1.0.2"))
		s.pass(w - time.Second)
		s.lead(1)
		s.wantWrites("update mini-hpa-web active a1")
		s.wantBackends("mini-hpa-web", "10.1.0.1", "10.1.0.2")
		s.services[0].Spec.Ports[0].TargetPort = intstr.FromString("app")
		s.lead(1)
		s.pass(time.Minute)
		s.lead(1)
		s.wantWrites()
		s.services[0].Spec.Ports[0].TargetPort = intstr.FromString("other")
		s.lead(1)
		s.pass(w)
		s.lead(1)
		s.wantWrites("update mini-hpa-web out")
	})
}

// TestAnActivatorThatWasNeverHeardIsMissing if slices led to it before this process did: it may have requests.
func TestAnActivatorThatWasNeverHeardIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := led(t, "a1", "a2")
		s.pods = []*corev1.Pod{pod("a1"), pod("a2"), pod("a3")} // a3 is new
		s.keeper = s.leader()
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		var running sync.WaitGroup
		s.keeper.follow(ended, map[types.UID]context.CancelFunc{}, &running)
		running.Wait()
		s.lead(1)
		s.activator("a1")
		if got, err := s.atATime(); !errors.Is(err, wake.ErrUnknown) {
			t.Errorf("%v at a time, %v", got, err)
		}
		s.pass(wake.Settled - time.Second)
		if got, err := s.atATime(); !errors.Is(err, wake.ErrMissing) {
			t.Errorf("%v at a time, %v", got, err)
		}
		s.activator("a2")
		s.wantAtATime(0)
		s.keeper.reports["a2"].synced = false // as if it had never been
		s.pass(time.Second)
		s.wantAtATime(0)
	})
}

// TestAWriteThatTakesLong: activators know that requests must wait only from when it was made.
func TestAWriteThatTakesLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := led(t, "a1")
		const long = 700 * time.Millisecond
		s.client.PrependReactor("update", "endpointslices", func(clienttesting.Action) (bool, runtime.Object, error) {
			s.pass(long)
			return false, nil, nil
		})
		s.lead(0)
		s.pass(wake.Told - time.Millisecond)
		if led := s.lead(0); led.Closed == nil || led.Closed.For != time.Millisecond {
			t.Errorf("%+v", led.Closed)
		}
		s.activator("a2")
		s.lead(0) // that one is told of no pods from its beginning
		s.wantClosed(s.lead(0), 0, "")
	})
}

// TestNothingSettlesWhereNobodyAsks how many requests there are: what is paused, sleeps or has no activator is not looked at again and again.
func TestNothingSettlesWhereNobodyAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := led(t, "a1")
		s.fly("a1", 20)
		if led := s.lead(1); led.Next != settling {
			t.Errorf("%+v", led)
		}
		if next := s.stay(); next != 0 {
			t.Errorf("paused, and again in %s", next)
		}
		s.workload.Replicas = 0
		if led := s.lead(0); led.Next != 0 {
			t.Errorf("asleep: %+v", led)
		}
		s.workload.Replicas = 1
		s.keeper.lose("a1", errors.New("it does not answer"))
		if led := s.lead(1); led.Next != 0 {
			t.Errorf("nobody tells: %+v", led)
		}
	})
}

// TestSinceWhenThePodsAreReady is remembered from look to look.
func TestSinceWhenThePodsAreReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := always(t)
		s.pass(wake.Settled)
		since := func() time.Time {
			return s.keeper.services[types.NamespacedName{Namespace: "shop", Name: "web"}].ready.Since()
		}
		s.lead(1)
		first := since()
		s.pass(time.Minute)
		s.lead(1)
		if again := since(); first.IsZero() || !again.Equal(first) {
			t.Errorf("since %s, and then since %s", first, again)
		}
	})
}
