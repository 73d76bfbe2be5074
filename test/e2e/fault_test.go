package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/mini-hpa/mini-hpa/test/rig"
)

// proxied is a proxy before the API server, which the test may break, and the flags with which a controller goes through it. Towards
// the API server the controller is a user of its own with the rights of all controllers; the audit log tells it from others.
func (w *world) proxied(t *testing.T, user string) (*rig.Proxy, []string) {
	t.Helper()
	return proxiedWith(t, w.userKubeconfig(t, user))
}

// proxiedWith is the same for the user of a kubeconfig file.
func proxiedWith(t *testing.T, path string) (*rig.Proxy, []string) {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	proxy, err := rig.Start(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Close)
	if path, err = proxy.Kubeconfig(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	return proxy, []string{"--kubeconfig", path}
}

// userKubeconfig is a kubeconfig file of a user with the rights of all controllers.
func (w *world) userKubeconfig(t *testing.T, name string) string {
	t.Helper()
	path, err := w.cluster.KubeconfigFor(name, user)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// scaleWrites are all writes of the replicas of a namespace's Deployments, by whomever, stored or refused.
func (w *world) scaleWrites(t *testing.T, namespace string) []rig.Write {
	t.Helper()
	return rig.Writes(w.audit(t), namespace, "")
}

// TestFaultLostAnswer: a write whose answer is lost was carried out. It is not made again, and told once.
func TestFaultLostAnswer(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	d := shared.deploy(t, ns, "web", 1, loadFor(5), map[string]string{"target-cpu": "50", "max": "10"})
	proxy, through := shared.proxied(t, ns)
	lift := proxy.Break(rig.On("update", "deployments/scale"), rig.Fault{Lose: true})
	c := shared.controller(t, ns, through...)
	d.await(5)
	if event := d.awaitEvent("SuccessfulRescale"); !strings.HasPrefix(event, "1 Normal SuccessfulRescale New size: 5") {
		t.Errorf("event %q", event)
	}
	lift()
	d.wantHistory(1, 5)
	d.setLoad(loadBeyond(10))
	d.await(10)
	d.wantTurns(1, 10)
	var want []string // each once; there is one from 5 to 10, or more, where the first sample has shown a part of the load
	for seen := d.history(); len(seen) > 1; seen = seen[1:] {
		want = append(want, fmt.Sprintf("%s mini-hpa %d->%d", ns, seen[0].replicas, seen[1].replicas))
	}
	var stored []string
	d.eventually("the audit log has all writes", func(context.Context) (bool, string) {
		stored = nil
		for _, w := range shared.scaleWrites(t, ns) {
			if w.Scale && w.Stored() {
				stored = append(stored, fmt.Sprintf("%s %s %d->%d", w.User, w.Manager, w.From, w.To))
			}
		}
		return len(stored) >= len(want), fmt.Sprint(stored)
	})
	if diff := cmp.Diff(want, stored); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	c.running()
}
