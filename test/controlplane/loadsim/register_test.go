package loadsim

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	aggregatorfake "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset/fake"
)

// apiServer is a fake that does with registrations what an API server does: objects get a UID, deletions heed it, and an
// APIService is first not available, then it is, then it shows up in discovery.
type apiServer struct {
	core       *fake.Clientset
	aggregator *aggregatorfake.Clientset
	checked    time.Time // when APIServices are first looked at
	available  time.Time // when they become so
	discovered time.Time
	system     time.Time // when kube-system is made
	created    int
}

func newAPIServer(objects ...runtime.Object) *apiServer {
	a := &apiServer{core: fake.NewClientset(), aggregator: aggregatorfake.NewClientset(objects...)}
	for _, f := range []*clienttesting.Fake{&a.core.Fake, &a.aggregator.Fake} {
		f.PrependReactor("create", "*", a.create)
	}
	a.core.PrependReactor("delete", "*", heedUID(a.core.Tracker()))
	a.aggregator.PrependReactor("delete", "*", heedUID(a.aggregator.Tracker()))
	a.aggregator.PrependReactor("get", "apiservices", a.status)
	a.core.PrependReactor("get", "resource", a.resources)
	a.core.PrependReactor("get", "group", a.resources)
	return a
}

func (a *apiServer) create(action clienttesting.Action) (bool, runtime.Object, error) {
	m := action.(clienttesting.CreateAction).GetObject().(metav1.Object)
	if action.GetNamespace() != "" && time.Now().Before(a.system) {
		return true, nil, apierrors.NewNotFound(corev1.Resource("namespaces"), action.GetNamespace())
	}
	a.created++
	m.SetUID(types.UID(fmt.Sprint("uid-", a.created)))
	return false, nil, nil
}

func heedUID(tracker clienttesting.ObjectTracker) clienttesting.ReactionFunc {
	return func(action clienttesting.Action) (bool, runtime.Object, error) {
		d := action.(clienttesting.DeleteActionImpl)
		found, err := tracker.Get(action.GetResource(), action.GetNamespace(), d.Name)
		if err != nil {
			return true, nil, err
		}
		if p := d.DeleteOptions.Preconditions; p != nil && *p.UID != found.(metav1.Object).GetUID() {
			return true, nil, apierrors.NewConflict(action.GetResource().GroupResource(), d.Name, errors.New("another UID"))
		}
		return false, nil, nil
	}
}

func (a *apiServer) status(action clienttesting.Action) (bool, runtime.Object, error) {
	name := action.(clienttesting.GetAction).GetName()
	found, err := a.aggregator.Tracker().Get(action.GetResource(), "", name)
	if err != nil {
		return true, nil, err
	}
	s := found.(*apiregistrationv1.APIService).DeepCopy()
	condition := apiregistrationv1.APIServiceCondition{
		Type: apiregistrationv1.Available, Status: apiregistrationv1.ConditionTrue, Reason: "Passed",
	}
	if time.Now().Before(a.available) {
		condition.Status, condition.Reason, condition.Message = apiregistrationv1.ConditionFalse, "FailedDiscoveryCheck", "not yet"
	}
	if !time.Now().Before(a.checked) {
		s.Status.Conditions = []apiregistrationv1.APIServiceCondition{condition}
	}
	return true, s, nil
}

// resources keeps what the discovery of the fake tells up to date; the fake itself answers.
func (a *apiServer) resources(clienttesting.Action) (bool, runtime.Object, error) {
	a.core.Resources = nil
	if !time.Now().Before(a.discovered) {
		a.core.Resources = []*metav1.APIResourceList{apiResources()}
	}
	return false, nil, nil
}

func (a *apiServer) registration() *registration {
	return &registration{core: a.core, aggregator: a.aggregator, versions: versions()[:1], port: 4443, ca: []byte("ca")}
}

// registered are the registrations there are: the APIService's port and the Service's name.
func (a *apiServer) registered(t *testing.T) []string {
	t.Helper()
	var got []string
	apis, err := a.aggregator.ApiregistrationV1().APIServices().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range apis.Items {
		got = append(got, fmt.Sprintf("%s: %s/%s:%d ca=%s", s.Name, s.Spec.Service.Namespace, s.Spec.Service.Name, *s.Spec.Service.Port, s.Spec.CABundle))
	}
	services, err := a.core.CoreV1().Services("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range services.Items {
		got = append(got, fmt.Sprintf("%s/%s: %s", s.Namespace, s.Name, s.Spec.ExternalName))
	}
	return got
}

// remains is a registration as another server has left it.
func remains(managed bool) *apiregistrationv1.APIService {
	s := (&registration{port: 1}).newAPIService(versions()[0])
	if !managed {
		s.Labels = nil
	}
	s.Spec.Service.Port = new(int32(1))
	return s
}

func TestRegister(t *testing.T) {
	t.Parallel()
	want := []string{"v1beta1.metrics.k8s.io: kube-system/loadsim:4443 ca=ca", "kube-system/loadsim: localhost"}
	for name, story := range map[string]struct {
		there                                  []runtime.Object
		checked, available, discovered, system time.Duration // after the start
		want                                   []string
		err                                    string
		took                                   time.Duration
	}{
		"at once":                  {want: want},
		"when its state is known":  {checked: time.Second, want: want, took: time.Second},
		"when it is available":     {available: time.Second, want: want, took: time.Second},
		"when it is discovered":    {available: time.Second, discovered: 2 * time.Second, want: want, took: 2 * time.Second},
		"when kube-system is made": {system: time.Second, want: want, took: time.Second},
		"in place of remains":      {there: []runtime.Object{remains(true)}, want: want},
		"never in place of another's": {
			there: []runtime.Object{remains(false)},
			want:  []string{"v1beta1.metrics.k8s.io: kube-system/loadsim:1 ca="},
			err:   "APIService v1beta1.metrics.k8s.io exists and is not loadsim's: the cluster has metrics already",
		},
		"not if it stays unavailable": {
			available: time.Hour, want: want, took: time.Minute,
			err: "it is not available: FailedDiscoveryCheck: not yet",
		},
		"not if it stays undiscovered": {
			discovered: time.Hour, want: want, took: time.Minute, err: "it does not answer through the API server",
		},
		"not without kube-system": {system: time.Hour, took: time.Minute, err: `namespaces "kube-system" not found`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a, start := newAPIServer(story.there...), time.Now()
				a.checked, a.system = start.Add(story.checked), start.Add(story.system)
				a.available, a.discovered = start.Add(story.available), start.Add(story.discovered)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				r := a.registration()
				err := r.register(ctx)
				if story.err == "" && err != nil || story.err != "" && (err == nil || !strings.Contains(err.Error(), story.err)) {
					t.Errorf("error = %v, want %q", err, story.err)
				}
				if took := time.Since(start); took < story.took || took > story.took+pollPeriod {
					t.Errorf("it took %s, want %s", took, story.took)
				}
				if diff := cmp.Diff(story.want, a.registered(t)); diff != "" {
					t.Errorf("registered (-want +got):\n%s", diff)
				}
				if err := r.remove(t.Context()); err != nil {
					t.Errorf("remove: %v", err)
				}
				if got := a.registered(t); (len(got) != 0) != (name == "never in place of another's") {
					t.Errorf("after the removal there is %q", got)
				}
			})
		})
	}
}

func TestRemoveLeavesTheRegistrationOfASuccessor(t *testing.T) {
	t.Parallel()
	a := newAPIServer()
	first, second := a.registration(), a.registration()
	second.port = 5555
	for _, r := range []*registration{first, second} {
		if err := r.register(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := first.remove(t.Context()); err != nil {
		t.Errorf("remove: %v", err)
	}
	want := []string{"v1beta1.metrics.k8s.io: kube-system/loadsim:5555 ca=ca", "kube-system/loadsim: localhost"}
	if diff := cmp.Diff(want, a.registered(t)); diff != "" {
		t.Errorf("registered (-want +got):\n%s", diff)
	}
}

func TestRegisterSaysWhatFailed(t *testing.T) {
	t.Parallel()
	for name, story := range map[string]struct{ verb, resource, want string }{
		"look":            {"get", "apiservices", "cannot look for APIService v1beta1.metrics.k8s.io: broken"},
		"remove":          {"delete", "apiservices", "broken"},
		"create":          {"create", "apiservices", "cannot register APIService v1beta1.metrics.k8s.io: broken"},
		"create services": {"create", "services", "cannot create Service kube-system/loadsim: broken"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAPIServer()
			broken := func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, errors.New("broken") }
			a.core.PrependReactor(story.verb, story.resource, broken)
			a.aggregator.PrependReactor(story.verb, story.resource, broken)
			if err := a.registration().register(t.Context()); err == nil || !strings.Contains(err.Error(), story.want) {
				t.Errorf("error = %v, want %q", err, story.want)
			}
		})
	}
}

func TestRemoveSaysWhatFailed(t *testing.T) {
	t.Parallel()
	a := newAPIServer()
	r := a.registration()
	if err := r.register(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.core.PrependReactor("delete", "services", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, errors.New("broken")
	})
	if err := r.remove(t.Context()); err == nil || !strings.Contains(err.Error(), "cannot remove the registration of the metrics API: broken") {
		t.Errorf("error = %v, want that the Service is left", err)
	}
}
