package chart

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/mini-hpa/mini-hpa/test/controlplane/loadsim"
)

// afterUninstall is how long the program goes on after its release is gone, as pods do that are told to end.
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

	s.undisturbed(t, web, trust, "upgrade", func() error {
		return h.upgrade(map[string]any{"replicas": 3, "controller": map[string]any{"logLevel": "debug"}, "webhook": map[string]any{"timeoutSeconds": 7}})
	})
	s.timeout(t, 7)
	current := s.start(t)
	old.stop()
	s.led(t)
	s.undisturbed(t, web, trust, "upgrade without a change", func() error { return h.upgrade(nil) })
	s.undisturbed(t, web, trust, "rollback", func() error { return h.rollback(2) })
	s.timeout(t, 7)
	s.undisturbed(t, web, trust, "rollback", func() error { return h.rollback(1) })
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
	s.asNoted(t, web)
	trust := s.trust(t)
	h := newHelm4(t, s.cluster.Kubeconfig(), product()).(*helm4)
	s.undisturbed(t, web, trust, "upgrade with Helm 4", func() error {
		return h.upgrade(map[string]any{"webhook": map[string]any{"timeoutSeconds": 6}})
	})
	h.serverSide = "true"
	s.undisturbed(t, web, trust, "upgrade on the server's side", func() error {
		return h.upgrade(map[string]any{"webhook": map[string]any{"timeoutSeconds": 7}})
	})
	s.timeout(t, 7)
	must(t, "uninstall with Helm 4", h.uninstall())
	p.stop()
	s.kubectl(t, "-n", "shop", "delete", "deployment", web)
	s.nothingLeft(t, before)
}

// asNoted types what the notes say to type into a pod of the release. Nothing is on the way there but the rights of the release's ServiceAccount, and this is not the
// pod that leads, which may not be asked from here.
func (s *site) asNoted(t *testing.T, web string) {
	t.Helper()
	lines := regexp.MustCompile(`exec deploy/mini-hpa -- /mini-hpa (.*)`).FindAllStringSubmatch(rendering(t, nil).run(t).notes, -1)
	if len(lines) != 2 {
		t.Errorf("the notes say to type %q", lines)
	}
	for _, line := range lines {
		args := strings.Fields(strings.NewReplacer("-n default", "-n shop", "deployment/web", "deployment/"+web).Replace(line[1]))
		cmd := exec.CommandContext(t.Context(), s.program, append(args, "--kubeconfig="+s.tokenKubeconfig(t, release))...)
		cmd.Env = append(os.Environ(), "POD_NAME=mini-hpa-stands-by")
		said, err := cmd.CombinedOutput()
		if err != nil || !strings.HasPrefix(string(said), "source: computed here; the leader ") || !strings.Contains(string(said), web) {
			t.Errorf("%q: %v\n%s", args, err, said)
		}
	}
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

// undisturbed does something with Helm and fails the test if it takes away what the program wrote, be it for a moment: the program
// would put it back, and meanwhile nobody would be asked.
func (s *site) undisturbed(t *testing.T, web string, trust []byte, what string, do func() error) {
	t.Helper()
	named := func(name string) metav1.ListOptions {
		return metav1.ListOptions{FieldSelector: "metadata.name=" + name}
	}
	var watches []*witness
	observe := func(kind string, w watch.Interface, err error, intact func(runtime.Object) bool) {
		must(t, "watch the "+kind, err)
		watches = append(watches, newWitness(kind, w, intact))
	}
	configurations, err := s.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Watch(t.Context(), named(release))
	observe("caBundle", configurations, err, func(o runtime.Object) bool {
		c, ok := o.(*admissionregistrationv1.ValidatingWebhookConfiguration)
		return ok && bytes.Equal(c.Webhooks[0].ClientConfig.CABundle, trust)
	})
	secrets, err := s.client.CoreV1().Secrets(home).Watch(t.Context(), named(release+"-webhook-ca"))
	observe("CA", secrets, err, func(o runtime.Object) bool {
		secret, ok := o.(*corev1.Secret)
		return ok && len(secret.Data) > 0
	})
	leases, err := s.client.CoordinationV1().Leases(home).Watch(t.Context(), named(release))
	observe("holder of the Lease", leases, err, func(o runtime.Object) bool {
		lease, ok := o.(*coordinationv1.Lease)
		return ok && lease.Spec.HolderIdentity != nil && *lease.Spec.HolderIdentity != ""
	})
	must(t, what, do())
	for _, w := range watches {
		if seen, lost := w.end(); lost > 0 || seen == 0 {
			t.Errorf("%s: of %d versions %d had lost the %s", what, seen, lost, w.kind)
		}
	}
	d, err := s.client.AppsV1().Deployments("shop").Get(t.Context(), web, metav1.GetOptions{})
	must(t, "read the Deployment", err)
	if *d.Spec.Replicas != 5 {
		t.Errorf("%s: the replicas have changed: %d", what, *d.Spec.Replicas)
	}
}

// witness looks at every version of an object.
type witness struct {
	kind       string
	watch      watch.Interface
	done       chan struct{}
	ending     atomic.Bool
	seen, lost int
}

func newWitness(kind string, w watch.Interface, intact func(runtime.Object) bool) *witness {
	v := &witness{kind: kind, watch: w, done: make(chan struct{})}
	go func() {
		defer close(v.done)
		for event := range w.ResultChan() {
			if event.Type == watch.Error && v.ending.Load() {
				continue // the end of the stream
			}
			v.seen++
			if event.Type == watch.Deleted || !intact(event.Object) {
				v.lost++
			}
		}
	}()
	return v
}

func (v *witness) end() (seen, lost int) {
	v.ending.Store(true)
	v.watch.Stop()
	<-v.done
	return v.seen, v.lost
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
