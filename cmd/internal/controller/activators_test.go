package controller

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/informer"
	"github.com/mini-hpa/mini-hpa/scaler"
)

// TestWhatIsAroundRequests is added for workloads that they wake, in one of the forms that are looked at: of the Services those that lead to it, and of the other
// workloads those that these Services select.
func TestWhatIsAroundRequests(t *testing.T) {
	t.Parallel()
	services, err := informer.NewServices(informer.ServicesConfig{Client: fake.NewClientset(serving("web", labels.Set{"app": "web"}), serving("api", labels.Set{"app": "api"}), serving("all", labels.Set{"tier": "front"})),
		ActivatorNamespace: "mini-hpa", Activators: labels.SelectorFromSet(labels.Set{"app": "activator"})})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer services.Wait()
	defer cancel()
	services.Start(ctx)
	if err := services.Fill(ctx); err != nil {
		t.Fatal(err)
	}
	form := func(app, wake string) *annotations.Workload {
		w := &annotations.Workload{Key: annotations.DeploymentKey("shop", app), Selector: &metav1.LabelSelector{MatchLabels: labels.Set{"app": app}}}
		if wake != "" {
			w.Annotations = map[string]string{annotations.WakeKey: wake}
		}
		return w
	}
	front := form("front", "")
	front.Selector.MatchLabels["tier"] = "front"
	r := &requestsAround{activator: &annotations.Activator{}, services: services, beside: func(_ string, is func(*annotations.Workload) bool) []*annotations.Workload {
		return slices.DeleteFunc([]*annotations.Workload{form("web", ""), form("api", ""), front}, func(w *annotations.Workload) bool { return !is(w) })
	}}
	for name, tc := range map[string]struct {
		forms            []*annotations.Workload
		services, beside string
		nothing          bool
	}{
		"woken":                 {forms: []*annotations.Workload{form("web", "requests")}, services: "web", beside: "web"},
		"woken by two":          {forms: []*annotations.Workload{form("web", "requests service=all,api")}, services: "all api", beside: "api front"},
		"by none that there is": {forms: []*annotations.Workload{form("new", "requests")}},
		"what cannot be read":   {forms: []*annotations.Workload{form("web", "request")}, services: "web", beside: "web"},
		"awake":                 {forms: []*annotations.Workload{form("web", "")}, nothing: true},
		"to be woken from now":  {forms: []*annotations.Workload{form("web", "requests"), form("web", "")}, services: "web", beside: "web"},
		"woken until now":       {forms: []*annotations.Workload{form("web", ""), form("web", "requests")}, services: "web", beside: "web"},
		"woken by another one":  {forms: []*annotations.Workload{form("web", "requests"), form("web", "requests service=api,web")}, services: "api web", beside: "web api"},
		"no form":               {nothing: true},
	} {
		var s annotations.Surroundings
		r.add(tc.forms, &s)
		var found, beside []string
		for _, service := range s.Services {
			found = append(found, service.Name)
		}
		for _, w := range s.Beside {
			beside = append(beside, w.Name)
		}
		if (s.Activator == nil) != tc.nothing || (s.Services == nil) != tc.nothing || strings.Join(found, " ") != tc.services || strings.Join(beside, " ") != tc.beside {
			t.Errorf("%s: Services %q, beside %q; want %q, %q; %+v", name, found, beside, tc.services, tc.beside, s)
		}
	}
	var s annotations.Surroundings
	(*requestsAround)(nil).add([]*annotations.Workload{form("web", "requests")}, &s)
	if s.Activator != nil {
		t.Error("who knows nothing says something")
	}
}

// shopping is a Service that can lead to the activators.
func shopping(breaks func(*corev1.Service)) *corev1.Service {
	s := serving("web", labels.Set{"app": "web"})
	s.Namespace, s.UID, s.Spec.ClusterIP = "default", "uid-service", "10.0.0.1"
	s.Spec.Ports = []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080), Protocol: corev1.ProtocolTCP}}
	breaks(s)
	return s
}

// nowhere is the way to an API server that takes no EndpointSlices.
type nowhere struct{}

func (nowhere) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("there is no network")
}

func headless(s *corev1.Service) { s.Spec.ClusterIP = corev1.ClusterIPNone }

func whole(*corev1.Service) {}

// TestWhatKeepsRequestsFromWakingIsRepaired: the workload is looked at then, also one that was invalid from its first look on, so that nothing has ever led its requests.
// It is at once where a Service changes, and within a sync period where nothing tells of the change.
func TestWhatKeepsRequestsFromWakingIsRepaired(t *testing.T) {
	update := func(ctx context.Context, c *fake.Clientset) error {
		_, err := c.CoreV1().Services("default").Update(ctx, shopping(whole), metav1.UpdateOptions{})
		return err
	}
	other := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "other", UID: "uid-other", Annotations: map[string]string{"mini-hpa/wake": "requests service=web"}}}
	other.Spec.Template.Labels = labels.Set{"app": "web"}
	for name, story := range map[string]struct {
		mode     string
		replicas int32
		service  *corev1.Service
		more     []runtime.Object
		repair   func(context.Context, *fake.Clientset) error
		within   time.Duration
	}{
		"observed, headless": {"observe", 0, shopping(headless), nil, update, time.Second},
		"observed, external": {"observe", 0, shopping(func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeExternalName }), nil, update, time.Second},
		"awake, headless":    {"auto", 1, shopping(headless), nil, update, time.Second},
		"paused, headless":   {"paused", 0, shopping(headless), nil, update, time.Second},
		"a NetworkPolicy": {"observe", 0, shopping(whole), []runtime.Object{&networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "none"}}},
			func(ctx context.Context, c *fake.Clientset) error {
				return c.NetworkingV1().NetworkPolicies("default").Delete(ctx, "none", metav1.DeleteOptions{})
			}, 17 * time.Second},
		"another workload": {"observe", 0, shopping(whole), []runtime.Object{other}, func(ctx context.Context, c *fake.Clientset) error {
			return c.AppsV1().Deployments("default").Delete(ctx, "other", metav1.DeleteOptions{})
		}, 17 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newClusterOf(t, func(task *task, d *appsv1.Deployment) {
					task.activator.enabled, task.place, task.actor = true, "mini-hpa", &rest.Config{Transport: nowhere{}}
					if story.within < 15*time.Second {
						task.decision.Defaults.SyncPeriod = time.Hour // nothing else looks at it meanwhile
					}
					d.Annotations = map[string]string{"mini-hpa/min": "0", "mini-hpa/max": "3", "mini-hpa/mode": story.mode, "mini-hpa/wake": "requests service=web",
						"mini-hpa/metrics": `[{"type":"External","external":{"metric":{"name":"backlog"},"target":{"type":"AverageValue","averageValue":"10"}}}]`}
					d.Spec.Replicas = &story.replicas
					d.Spec.Template.Labels = labels.Set{"app": "web"}
					d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "app", Lifecycle: &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 30}}}}}
				}, append(story.more, story.service)...)
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error)
				go func() { ended <- c.process.run(ctx) }()
				time.Sleep(time.Minute)
				key := annotations.DeploymentKey("default", "web")
				if now, known := c.process.scaler.Status(key); !known || now.State != scaler.StateInvalid {
					t.Errorf("before: %+v", now)
				}
				if err := story.repair(ctx, c.client); err != nil {
					t.Fatal(err)
				}
				time.Sleep(story.within)
				if now, _ := c.process.scaler.Status(key); now.State == scaler.StateInvalid {
					t.Errorf("after: %+v", now)
				}
				cancel()
				if err := <-ended; err != nil {
					t.Error(err)
				}
				synctest.Wait()
			})
		})
	}
}

func serving(name string, selector labels.Set) *corev1.Service {
	return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Spec: corev1.ServiceSpec{Selector: selector}}
}
