package sources

import (
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/annotations/podspec"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

func TestPodsOfASelectorAreCounted(t *testing.T) {
	ready := podspec.Condition{Status: corev1.ConditionTrue}
	pods := []*podspec.Pod{
		{Phase: corev1.PodRunning, Ready: ready},
		{Phase: corev1.PodRunning, Ready: ready},
		{Phase: corev1.PodRunning},
		{Phase: corev1.PodRunning, Ready: ready, Deleted: time.Unix(1, 0)},
		{Phase: corev1.PodPending},
		{Phase: corev1.PodSucceeded},
		{Phase: corev1.PodFailed},
	}
	pending := errors.New("nothing is known yet")
	var seen string
	watched := func(namespace string, selector labels.Selector) ([]*podspec.Pod, error) {
		seen = namespace + " " + selector.String()
		if namespace == "bank" {
			return nil, pending
		}
		return pods, nil
	}
	for name, c := range map[string]struct {
		namespace  string
		parameters map[string]string
		pods       func(string, labels.Selector) ([]*podspec.Pod, error)
		seen, want string
	}{
		"running":                  {"shop", map[string]string{"selector": "app=web", "phase": "running"}, watched, "shop app=web", "3"},
		"ready":                    {"shop", map[string]string{"selector": "app=web,tier!=cache", "phase": "ready"}, watched, "shop app=web,tier!=cache", "2"},
		"all":                      {"shop", map[string]string{"selector": "!canary", "phase": "all"}, watched, "shop !canary", "5"},
		"not known yet":            {"bank", map[string]string{"selector": "app=web", "phase": "all"}, watched, "bank app=web", "nothing is known yet"},
		"everything":               {"shop", map[string]string{"selector": ",", "phase": "all"}, watched, "", "was asked for a selector that is none"},
		"no selector":              {"shop", map[string]string{"selector": "app=web=shop", "phase": "all"}, watched, "", "was asked for a selector that is none"},
		"an empty selector":        {"shop", map[string]string{"phase": "all"}, watched, "", "was asked for a selector that chooses everything"},
		"where nobody watches any": {"shop", map[string]string{"selector": "app=web"}, nil, "", "has no pods to count here"},
	} {
		t.Run(name, func(t *testing.T) {
			seen = ""
			client, err := workloadKind.Open(&catalog.Entry{}, Env{Pods: c.pods})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			q := metrics.Question{Namespace: c.namespace, Parameters: catalog.ParametersOf(c.parameters)}
			got := ""
			client.Ask(t.Context(), []metrics.Question{q}, func(_ int, a metrics.Answer, err error) { got = toldOf(a, err) })
			if len(got) < len(c.want) || got[:len(c.want)] != c.want {
				t.Errorf("answer %q, want %q", got, c.want)
			}
			if seen != c.seen {
				t.Errorf("asked for %q, want %q", seen, c.seen)
			}
		})
	}
}

// toldOf is what a tenant would read of an answer.
func toldOf(a metrics.Answer, err error) string {
	var f *Fault
	switch {
	case errors.As(err, &f):
		return f.Told
	case err != nil:
		return err.Error()
	case len(a.External) != 1:
		return fmt.Sprintf("%d values", len(a.External))
	}
	return a.External[0].Value.String()
}
