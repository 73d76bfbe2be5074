package cluster

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
)

// TestComeAgainInAnHour: nobody waits within a request because an answer asks to; whoever asked learns for how long.
func TestComeAgainInAnHour(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
		status := apierrors.NewTooManyRequests("come again", 3600).Status()
		status.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
		if err := json.NewEncoder(w).Encode(status); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	flags := DefaultAPIFlags()
	flags.Timeout = time.Minute
	api, err := flags.Connect(&rest.Config{Host: server.URL}, "", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for name, ask := range map[string]func() error{
		"a write of replicas": func() error {
			_, err := api.Act.AppsV1().Deployments("shop").UpdateScale(t.Context(), "web", &autoscalingv1.Scale{}, metav1.UpdateOptions{})
			return err
		},
		"a live read": func() error {
			_, err := api.Act.AppsV1().Deployments("shop").List(t.Context(), metav1.ListOptions{})
			return err
		},
		"an Event": func() error {
			_, err := api.Tell.CoreV1().Events("shop").Create(t.Context(), &corev1.Event{}, metav1.CreateOptions{})
			return err
		},
		"the lease": func() error {
			_, err := api.Lead.CoordinationV1().Leases("shop").Get(t.Context(), "mini-hpa", metav1.GetOptions{})
			return err
		},
		"a watch": func() error {
			_, err := api.Watch.CoreV1().Pods("shop").Watch(t.Context(), metav1.ListOptions{})
			return err
		},
		"a watch of custom resources": func() error {
			_, err := api.Dynamic.Resource(schema.GroupVersionResource{Group: "example.com", Version: "v1", Resource: "trains"}).Watch(t.Context(), metav1.ListOptions{})
			return err
		},
	} {
		asked.Store(0)
		err := ask()
		if seconds, suggested := apierrors.SuggestsClientDelay(err); !suggested || seconds != 3600 || asked.Load() != 1 {
			t.Errorf("%s: asked %d times, error %v; want once, and to learn of the hour", name, asked.Load(), err)
		}
	}
}
