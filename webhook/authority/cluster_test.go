package authority

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"
	clienttesting "k8s.io/client-go/testing"
)

const (
	namespace         = "hpa-system"
	secretName        = "mini-hpa-webhook-ca"
	configurationName = "mini-hpa"
)

// cluster is client-go's fake API server, but it checks resource versions and can have outages. Its server-side apply is the
// fake's, which is the code of the real one.
type cluster struct {
	*fake.Clientset
	applied clienttesting.ObjectTracker // the same objects with their field managers, without versions

	mu      sync.Mutex
	version int
	down    func(clienttesting.Action) error // nil: all is well
	writes  int
	signers map[string]bool // each ca.crt that the Secret ever had
}

func newCluster() *cluster {
	c := &cluster{Clientset: fake.NewSimpleClientset(), signers: map[string]bool{}}
	c.applied = clienttesting.NewFieldManagedObjectTracker(scheme.Scheme, scheme.Codecs.UniversalDecoder(),
		applyconfigurations.NewTypeConverter(scheme.Scheme))
	c.PrependReactor("*", "*", c.react)
	return c
}

// fails makes the requests fail for which the function returns an error; nil ends that.
func (c *cluster) fails(down func(clienttesting.Action) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = down
}

func (c *cluster) written() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.writes
}

// generations counts the CAs that have signed.
func (c *cluster) generations() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.signers)
}

func (c *cluster) react(action clienttesting.Action) (bool, runtime.Object, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down != nil {
		if err := c.down(action); err != nil {
			return true, nil, err
		}
	}
	switch action := action.(type) {
	case clienttesting.PatchActionImpl:
		return c.write(action, func() error { return c.apply(action) })
	case clienttesting.UpdateActionImpl:
		return c.write(action, func() error {
			object := action.GetObject().DeepCopyObject()
			if err := c.check(action, object); err != nil {
				return err
			}
			return c.applied.Update(action.Resource, bare(object), action.Namespace, action.UpdateOptions)
		})
	case clienttesting.CreateActionImpl:
		return c.write(action, func() error {
			return c.applied.Create(action.Resource, bare(action.GetObject().DeepCopyObject()), action.Namespace, action.CreateOptions)
		})
	case clienttesting.DeleteActionImpl:
		_ = c.applied.Delete(action.Resource, action.Namespace, action.Name)
	}
	return false, nil, nil
}

// write does one write and gives the result a new resource version.
func (c *cluster) write(action clienttesting.Action, do func() error) (bool, runtime.Object, error) {
	if err := do(); err != nil {
		return true, nil, err
	}
	c.writes++
	c.version++
	name := nameOf(action)
	object, err := c.applied.Get(action.GetResource(), action.GetNamespace(), name)
	if err != nil {
		return true, nil, err
	}
	if s, ok := object.(*corev1.Secret); ok && len(s.Data["ca.crt"]) > 0 {
		c.signers[string(s.Data["ca.crt"])] = true
	}
	accessor, _ := meta.Accessor(object)
	accessor.SetResourceVersion(strconv.Itoa(c.version))
	accessor.SetUID(types.UID(name))
	if _, err := c.Tracker().Get(action.GetResource(), action.GetNamespace(), name); err != nil {
		return true, object, c.Tracker().Create(action.GetResource(), object.DeepCopyObject(), action.GetNamespace())
	}
	return true, object, c.Tracker().Update(action.GetResource(), object.DeepCopyObject(), action.GetNamespace())
}

func (c *cluster) apply(action clienttesting.PatchActionImpl) error {
	if action.PatchType == types.StrategicMergePatchType {
		return c.merge(action)
	}
	object := &unstructured.Unstructured{}
	if err := json.Unmarshal(action.Patch, &object.Object); err != nil {
		return err
	}
	if err := c.check(action, object); err != nil {
		return err
	}
	return c.applied.Apply(action.Resource, bare(object), action.Namespace, action.PatchOptions)
}

// merge applies a strategic merge patch to the configuration. Like a real API server, it never creates.
func (c *cluster) merge(action clienttesting.PatchActionImpl) error {
	object, err := c.Tracker().Get(action.Resource, action.Namespace, action.Name)
	if err != nil {
		return err
	}
	old, err := json.Marshal(object)
	if err != nil {
		return err
	}
	merged, err := strategicpatch.StrategicMergePatch(old, action.Patch, &admissionv1.ValidatingWebhookConfiguration{})
	if err != nil {
		return err
	}
	changed := &admissionv1.ValidatingWebhookConfiguration{}
	if err := json.Unmarshal(merged, changed); err != nil {
		return err
	}
	if err := c.check(action, changed); err != nil {
		return err
	}
	return c.applied.Patch(action.Resource, bare(changed), action.Namespace, action.PatchOptions)
}

// check checks the identity of a written object as a real API server does.
func (c *cluster) check(action clienttesting.Action, object runtime.Object) error {
	written, _ := meta.Accessor(object)
	resource := action.GetResource().GroupResource()
	current, err := c.Tracker().Get(action.GetResource(), action.GetNamespace(), written.GetName())
	if err != nil {
		if written.GetUID() != "" || written.GetResourceVersion() != "" {
			return apierrors.NewConflict(resource, written.GetName(), err)
		}
		return nil
	}
	live, _ := meta.Accessor(current)
	if v := written.GetResourceVersion(); v != "" && v != live.GetResourceVersion() {
		return apierrors.NewConflict(resource, written.GetName(), fmt.Errorf("%s is not %s", v, live.GetResourceVersion()))
	}
	return nil
}

func nameOf(action clienttesting.Action) string {
	switch action := action.(type) {
	case clienttesting.PatchActionImpl:
		return action.Name
	case clienttesting.UpdateActionImpl:
		accessor, _ := meta.Accessor(action.GetObject())
		return accessor.GetName()
	case clienttesting.CreateActionImpl:
		accessor, _ := meta.Accessor(action.GetObject())
		return accessor.GetName()
	}
	return ""
}

// bare is an object without the fields that only the API server writes.
func bare(object runtime.Object) runtime.Object {
	accessor, _ := meta.Accessor(object)
	accessor.SetResourceVersion("")
	accessor.SetUID("")
	return object
}

// replica is a running Authority.
type replica struct {
	*Authority
	logs *observer.ObservedLogs
	stop func()
}

// lived is how long a CA lives in the tests that run: everything scales with it.
const lived = time.Minute

// start runs a replica until the test ends or stops it.
func (c *cluster) start(t *testing.T, change ...func(*Config)) *replica {
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	config := Config{Client: c, Namespace: namespace, Secret: secretName, Configuration: configurationName,
		Hosts: []string{host, "10.0.0.7"}, CALife: lived, Log: zap.New(core)}
	for _, f := range change {
		f(&config)
	}
	a, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { a.Run(ctx) })
	stop := func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(stop)
	return &replica{Authority: a, logs: logs, stop: stop}
}

// host is the name in the leaves of the tests.
const host = "mini-hpa-webhook.hpa-system.svc"

// install makes the configuration as a chart does, without caBundles.
func (c *cluster) install(t *testing.T, annotations map[string]string) {
	t.Helper()
	none := admissionv1.SideEffectClassNone
	url := "https://" + host + "/validate"
	object := &admissionv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: configurationName, Annotations: annotations}}
	for _, name := range []string{"deployments.mini-hpa.io", "scale.mini-hpa.io"} {
		object.Webhooks = append(object.Webhooks, admissionv1.ValidatingWebhook{Name: name, SideEffects: &none,
			AdmissionReviewVersions: []string{"v1"}, ClientConfig: admissionv1.WebhookClientConfig{URL: &url}})
	}
	_, err := c.AdmissionregistrationV1().ValidatingWebhookConfigurations().Create(t.Context(), object, metav1.CreateOptions{FieldManager: "helm"})
	if err != nil {
		t.Fatal(err)
	}
}

// live returns the configuration, and secret the Secret; nil if there is none.
func (c *cluster) live(t *testing.T) *admissionv1.ValidatingWebhookConfiguration {
	t.Helper()
	object, err := c.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(context.Background(), configurationName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return object
}

func (c *cluster) secret(t *testing.T) *corev1.Secret {
	t.Helper()
	object, err := c.CoreV1().Secrets(namespace).Get(context.Background(), secretName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return object
}

// changeSecret lets f change the Secret and writes it, as an administrator would.
func (c *cluster) changeSecret(t *testing.T, f func(*corev1.Secret)) {
	t.Helper()
	object := c.secret(t)
	f(object)
	if _, err := c.CoreV1().Secrets(namespace).Update(t.Context(), object, metav1.UpdateOptions{FieldManager: "vandal"}); err != nil {
		t.Fatal(err)
	}
}

func (c *cluster) deleteSecret(t *testing.T) {
	t.Helper()
	if err := c.CoreV1().Secrets(namespace).Delete(t.Context(), secretName, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}
