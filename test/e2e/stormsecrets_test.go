package e2e

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
)

// stormDeed is what somebody does to the objects that the replicas keep.
type stormDeed struct {
	name string
	do   func(c *stormCase)
	// costly deeds take the API server's trust away: until it is given back, admissions fail.
	costly bool
}

// stormCase is a running pair of replicas.
type stormCase struct {
	*storm
	replicas []*stormReplica
	stream   *stormStream
	excused  int // admissions that went wrong because of costly deeds
}

func stormDeeds() []stormDeed {
	deeds := []stormDeed{{name: "nothing", do: func(*stormCase) {}}, {name: "Secret deleted", do: (*stormCase).deleteSecret}}
	for _, g := range stormGarbageKinds() {
		deeds = append(deeds, stormDeed{name: "Secret: " + g.name, do: func(c *stormCase) { c.overwriteSecret(g.data(c)) }})
	}
	return append(deeds,
		stormDeed{name: "Secret deleted while a replica is stopped", do: (*stormCase).deleteSecretBehindABack},
		stormDeed{name: "caBundle removed", costly: true, do: func(c *stormCase) { c.setBundle(nil) }},
		stormDeed{name: "caBundle of somebody else", costly: true, do: func(c *stormCase) { c.setBundle(stormCA(c.t, "somebody else", time.Hour).cert) }},
		stormDeed{name: "configuration deleted and created", costly: true, do: (*stormCase).recreateConfiguration},
		stormDeed{name: "Secret deleted and caBundle removed", costly: true, do: func(c *stormCase) { c.deleteSecret(); c.setBundle(nil) }},
	)
}

// TestStormOfSecrets: whatever becomes of the Secret costs no admission, and whatever becomes of the caBundle is made good.
func TestStormOfSecrets(t *testing.T) {
	t.Parallel()
	s := newStorm(t, stormPatience)
	args := []string{"--webhook-ca-duration", "60s", "--webhook-certificate-duration", "60s", "--shutdown-delay-duration", "1s"}
	for _, name := range []string{"empty", "missing"} {
		if name == "missing" {
			(&stormCase{storm: s}).deleteSecret()
		}
		began := time.Now()
		replicas := s.pair(args...)
		t.Logf("%s Secret: both are ready after %s", name, time.Since(began).Round(time.Millisecond))
		s.wantOneCA(replicas)
		if name == "empty" {
			s.forget(replicas)
			continue
		}
		c := &stormCase{storm: s, replicas: replicas, stream: s.stream(stormPlain(), math.MaxInt, 20)}
		c.stream.await(t, 20)
		for _, deed := range stormDeeds() {
			c.suffer(deed)
		}
		c.stream.stop()
		all := c.stream.since(time.Time{})
		t.Logf("in all: %s", all)
		if n := len(all.wrong()); n > c.excused {
			t.Errorf("%d admissions went wrong, %d of them while the API server trusted nobody, or asked nobody", n, c.excused)
		}
	}
}

// forget ends replicas and empties what they have written.
func (s *storm) forget(replicas []*stormReplica) {
	s.t.Helper()
	for _, r := range replicas {
		r.terminate()
	}
	c := &stormCase{storm: s}
	c.overwriteSecret(nil)
	c.setBundle(nil)
}

// suffer does a deed, waits until it is made good, and judges what users noticed.
func (c *stormCase) suffer(deed stormDeed) {
	c.t.Helper()
	began := time.Now()
	watch := c.watchHandshakes()
	deed.do(c)
	c.awaitHealed(deed.name)
	healed := time.Since(began)
	c.stream.further(c.t, 30) // those that were under way, and some that were asked after
	handshakes, untrusted := watch()
	answers := c.stream.since(began)
	wrong := answers.wrong()
	c.t.Logf("%s: good again after %s; %d of %d new connections untrusted; %s", deed.name, healed.Round(time.Millisecond), untrusted, handshakes, answers)
	if !deed.costly && len(wrong) > 0 {
		c.t.Errorf("%s: %d admissions went wrong, want none", deed.name, len(wrong))
	}
	if !deed.costly && untrusted > 0 {
		c.t.Errorf("%s: %d new connections of the API server would have failed, want none", deed.name, untrusted)
	}
	if deed.costly && len(wrong) > 0 {
		c.excused += len(wrong)
		last := wrong[len(wrong)-1]
		c.t.Logf("%s: the last admission to go wrong was answered after %s", deed.name, last.began.Add(last.took).Sub(began).Round(time.Millisecond))
	}
}

func (c *stormCase) deleteSecret() {
	c.t.Helper()
	err := c.client.CoreV1().Secrets(stormHome).Delete(c.t.Context(), stormSecret, metav1.DeleteOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
}

// overwriteSecret replaces all data, as somebody would who applies a manifest with other content.
func (c *stormCase) overwriteSecret(data map[string][]byte) {
	c.t.Helper()
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		return c.editSecret(func(s *corev1.Secret) { s.Data = data })
	})
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *stormCase) editSecret(edit func(*corev1.Secret)) error {
	secrets := c.client.CoreV1().Secrets(stormHome)
	secret, err := secrets.Get(c.t.Context(), stormSecret, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		secret = &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: stormSecret}}
		edit(secret)
		_, err = secrets.Create(c.t.Context(), secret, metav1.CreateOptions{})
		return err
	}
	if err != nil {
		return err
	}
	edit(secret)
	_, err = secrets.Update(c.t.Context(), secret, metav1.UpdateOptions{})
	return err
}

// secret is its data now.
func (s *storm) secret(ctx context.Context) (map[string][]byte, error) {
	secret, err := s.client.CoreV1().Secrets(stormHome).Get(ctx, stormSecret, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return secret.Data, nil
}

func (c *stormCase) setBundle(bundle []byte) {
	c.t.Helper()
	configurations := c.client.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		now, err := configurations.Get(c.t.Context(), stormConfiguration, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for i := range now.Webhooks {
			now.Webhooks[i].ClientConfig.CABundle = bundle
		}
		_, err = configurations.Update(c.t.Context(), now, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
}

// recreateConfiguration does what an uninstallation and an installation do.
func (c *stormCase) recreateConfiguration() {
	c.t.Helper()
	configurations := c.client.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	if err := configurations.Delete(c.t.Context(), stormConfiguration, metav1.DeleteOptions{}); err != nil {
		c.t.Fatal(err)
	}
	c.stream.further(c.t, 10)
	if _, err := configurations.Create(c.t.Context(), c.configuration.DeepCopy(), metav1.CreateOptions{}); err != nil {
		c.t.Fatal(err)
	}
}

// bundle is the caBundle now.
func (s *storm) bundle(ctx context.Context) ([]byte, error) {
	now, err := s.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(ctx, stormConfiguration, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return bundleOf(now), nil
}

func bundleOf(c *admissionv1.ValidatingWebhookConfiguration) []byte {
	if len(c.Webhooks) != 1 {
		panic(fmt.Sprintf("%d webhooks in docs/webhook.yaml, want 1", len(c.Webhooks)))
	}
	return c.Webhooks[0].ClientConfig.CABundle
}
