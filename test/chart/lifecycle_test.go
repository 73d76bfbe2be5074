package chart

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mini-hpa/mini-hpa/test/controlplane/loadsim"
)

// afterUninstall is how long the program goes on after its release is gone: longer than pods take to end.
const afterUninstall = 12 * time.Second

// TestLifecycle: what the program writes (its CA, the caBundle, the Lease, the replicas of others) and what Helm writes
// do not get in each other's way.
func TestLifecycle(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for name, connect := range helms() {
		t.Run(name, func(t *testing.T) { s.lifecycle(t, connect(t, s.cluster.Kubeconfig(), product())) })
	}
	t.Run("Helm 4 takes over from Helm 3", s.takeOver)
}

func (s *site) lifecycle(t *testing.T, h helm) {
	before := s.list(t)
	web := s.scalable(t)
	must(t, "install", h.install(nil))
	old := s.start(t)
	s.replicas(t, web, 5)
	trust := s.trust(t)

	must(t, "upgrade", h.upgrade(map[string]any{"replicas": 3, "controller": map[string]any{"logLevel": "debug"}, "webhook": map[string]any{"timeoutSeconds": 7}}))
	s.undisturbed(t, web, trust)
	s.timeout(t, 7)
	current := s.start(t)
	old.stop()
	s.led(t)
	must(t, "upgrade without a change", h.upgrade(nil))
	s.undisturbed(t, web, trust)

	must(t, "rollback", h.rollback(2))
	s.undisturbed(t, web, trust)
	s.timeout(t, 7)
	must(t, "rollback", h.rollback(1))
	s.undisturbed(t, web, trust)
	s.timeout(t, 5)

	must(t, "uninstall", h.uninstall())
	time.Sleep(afterUninstall) // pods that are ending must not bring anything back
	current.stop()
	s.replicas(t, web, 5)
	s.kubectl(t, "-n", "shop", "delete", "deployment", web)
	s.nothingLeft(t, before)
}

// takeOver is the upgrade of somebody who has changed to Helm 4.
func (s *site) takeOver(t *testing.T) {
	before := s.list(t)
	web := s.scalable(t)
	must(t, "install with Helm 3", newHelm3(t, s.cluster.Kubeconfig(), product()).install(nil))
	p := s.start(t)
	s.replicas(t, web, 5)
	trust := s.trust(t)
	h := newHelm4(t, s.cluster.Kubeconfig(), product()).(*helm4)
	must(t, "upgrade with Helm 4", h.upgrade(map[string]any{"webhook": map[string]any{"timeoutSeconds": 6}}))
	s.undisturbed(t, web, trust)
	h.serverSide = "true"
	must(t, "upgrade on the server's side", h.upgrade(map[string]any{"webhook": map[string]any{"timeoutSeconds": 7}}))
	s.undisturbed(t, web, trust)
	s.timeout(t, 7)
	must(t, "uninstall with Helm 4", h.uninstall())
	p.stop()
	s.kubectl(t, "-n", "shop", "delete", "deployment", web)
	s.nothingLeft(t, before)
}

// scalable makes a Deployment that wants five replicas.
func (s *site) scalable(t *testing.T) string {
	t.Helper()
	name := strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()))
	s.load.SetLoad("shop", name, loadsim.Constant(2200))
	s.deploy(t, name, map[string]string{"mini-hpa/target-cpu": "50", "mini-hpa/max": "10"})
	return name
}

func must(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func (s *site) list(t *testing.T) []string {
	t.Helper()
	names, err := s.inventory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// trust waits for the caBundle that the program writes.
func (s *site) trust(t *testing.T) []byte {
	t.Helper()
	var bundle []byte
	eventually(t, "the caBundle is there", func(ctx context.Context) (bool, string) {
		var err error
		bundle, err = s.bundle(ctx)
		return len(bundle) > 0, fmt.Sprint(err)
	})
	return bundle
}

func (s *site) bundle(ctx context.Context) ([]byte, error) {
	configuration, err := s.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(ctx, release, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return configuration.Webhooks[0].ClientConfig.CABundle, nil
}

// undisturbed fails the test if Helm took something away that the program wrote, even for a moment that is over.
func (s *site) undisturbed(t *testing.T, web string, trust []byte) {
	t.Helper()
	if got, err := s.bundle(t.Context()); err != nil || !bytes.Equal(got, trust) {
		t.Errorf("the caBundle has changed (%v)", err)
	}
	secret, err := s.client.CoreV1().Secrets(home).Get(t.Context(), release+"-webhook-ca", metav1.GetOptions{})
	if err != nil || len(secret.Data) == 0 {
		t.Errorf("the CA is gone (%v)", err)
	}
	if holder, err := s.holder(t.Context()); holder == "" {
		t.Errorf("the Lease has no holder (%v)", err)
	}
	d, err := s.client.AppsV1().Deployments("shop").Get(t.Context(), web, metav1.GetOptions{})
	if err != nil || *d.Spec.Replicas != 5 {
		t.Errorf("the replicas have changed (%v): %d", err, *d.Spec.Replicas)
	}
}

// led waits for a successor after an end.
func (s *site) led(t *testing.T) {
	t.Helper()
	eventually(t, "somebody leads", func(ctx context.Context) (bool, string) {
		holder, err := s.holder(ctx)
		return holder != "", fmt.Sprint(err)
	})
}

func (s *site) holder(ctx context.Context) (string, error) {
	lease, err := s.client.CoordinationV1().Leases(home).Get(ctx, release, metav1.GetOptions{})
	if err != nil || lease.Spec.HolderIdentity == nil {
		return "", err
	}
	return *lease.Spec.HolderIdentity, nil
}

func (s *site) timeout(t *testing.T, want int32) {
	t.Helper()
	configuration, err := s.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(t.Context(), release, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := *configuration.Webhooks[0].TimeoutSeconds; got != want {
		t.Errorf("the webhook's timeout is %d s, want %d s", got, want)
	}
}

// nothingLeft waits for the garbage collection of pods and the like.
func (s *site) nothingLeft(t *testing.T, before []string) {
	t.Helper()
	eventually(t, "the cluster is as it was before the installation", func(ctx context.Context) (bool, string) {
		after, err := s.inventory(ctx)
		if err != nil {
			return false, err.Error()
		}
		difference := difference(before, after)
		return len(difference) == 0, strings.Join(difference, ", ")
	})
}
