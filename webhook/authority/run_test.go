package authority

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clienttesting "k8s.io/client-go/testing"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// soon is more than enough for replicas to agree, and less than anything waits for.
const soon = 2 * time.Second

// settle lets time go by until all replicas only wait.
func settle() {
	time.Sleep(soon)
	synctest.Wait()
}

// serving verifies what a replica serves, the way the API server does, for a host and with the bundle of each webhook.
func (c *cluster) serving(t *testing.T, r *replica) *x509.Certificate {
	t.Helper()
	served, err := r.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range c.live(t).Webhooks {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(w.ClientConfig.CABundle)
		if _, err := served.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: host, CurrentTime: time.Now()}); err != nil {
			t.Fatalf("at %s: %v", time.Now(), err)
		}
	}
	return served.Leaf
}

func count(text []byte) int { return bytes.Count(text, []byte("BEGIN CERTIFICATE")) }

func TestThreeReplicasStartAtOnce(t *testing.T) {
	for name, prepare := range map[string]func(*testing.T, *cluster){
		"without a Secret": func(*testing.T, *cluster) {},
		"with an empty Secret that has other keys": func(t *testing.T, c *cluster) {
			s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: secretName}, Data: map[string][]byte{"mine": []byte("kept")}}
			if _, err := c.CoreV1().Secrets(namespace).Create(t.Context(), s, metav1.CreateOptions{FieldManager: "helm"}); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster()
				prepare(t, c)
				before := c.secret(t)
				c.install(t, nil)
				replicas := []*replica{c.start(t), c.start(t), c.start(t)}
				settle()
				secret := c.secret(t)
				ca, _ := pem.Decode(secret.Data["ca.crt"])
				for _, r := range replicas {
					leaf := c.serving(t, r)
					if err := r.Ready(); err != nil {
						t.Error(err)
					}
					signer, err := x509.ParseCertificate(ca.Bytes)
					if err != nil || leaf.CheckSignatureFrom(signer) != nil {
						t.Errorf("a leaf is not of the CA in the Secret: %v", err)
					}
					if got := r.Status(); !got.CA.Equal(signer.NotAfter) || !got.Leaf.Equal(leaf.NotAfter) {
						t.Errorf("status: %+v", got)
					}
					if n := r.logs.FilterMessageSnippet("serving a new certificate").Len(); n != 1 {
						t.Errorf("it issued %d leaves, want 1", n)
					}
					if n := r.logs.FilterMessageSnippet("fails").Len(); n > 0 {
						t.Errorf("a race that somebody has to lose was logged as a failure: %v", r.logs.All())
					}
				}
				if before != nil && string(secret.Data["mine"]) != "kept" {
					t.Error("a key of somebody else is gone")
				}
				if n := len(secret.Data["next.crt"]) + len(secret.Data["previous.crt"]); n > 0 {
					t.Errorf("the Secret of one CA has %d bytes more", n)
				}
				if live := c.live(t); *live.Webhooks[0].ClientConfig.URL == "" || live.Webhooks[0].SideEffects == nil {
					t.Error("more than the caBundle was written")
				}
			})
		})
	}
}

// TestRotation watches ten lives of a CA, every 500 ms. Leaves must also verify with the caBundle of a tenth of a life ago.
func TestRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		c.install(t, nil)
		replicas := []*replica{c.start(t), c.start(t), c.start(t)}
		settle()
		const step = 500 * time.Millisecond
		var bundles [][]byte
		most := 0
		for end := time.Now().Add(10 * lived); time.Now().Before(end); time.Sleep(step) {
			synctest.Wait()
			bundles = append(bundles, c.live(t).Webhooks[0].ClientConfig.CABundle)
			bundles = bundles[max(0, len(bundles)-int(lived/10/step)):]
			most = max(most, count(bundles[len(bundles)-1]))
			for _, r := range replicas {
				leaf := c.serving(t, r)
				roots := x509.NewCertPool()
				roots.AppendCertsFromPEM(bundles[0])
				if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots}); err != nil {
					t.Fatalf("at %s with an old bundle: %v", time.Now(), err)
				}
				if err := r.Ready(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if n := c.generations(); n < 19 || n > 21 {
			t.Errorf("%d generations in ten lives, one for each half", n)
		}
		for _, r := range replicas {
			if n := r.logs.FilterMessageSnippet("fails").Len(); n > 0 {
				t.Errorf("logged: %v", r.logs.All())
			}
			for _, entry := range r.logs.All() {
				if text := fmt.Sprint(entry.Message, entry.ContextMap()); strings.Contains(text, "BEGIN") {
					t.Errorf("logged: %s", text)
				}
			}
		}
		if most > 3 {
			t.Errorf("a bundle had %d CAs", most)
		}
	})
}

// TestQuiet counts the requests of an hour in which there is nothing to do.
func TestQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		c.install(t, nil)
		c.start(t, func(c *Config) { c.CALife = 0 })
		settle()
		written, before := c.written(), len(c.Actions())
		time.Sleep(24 * time.Hour)
		if c.written() != written {
			t.Error("something was written")
		}
		if n := len(c.Actions()) - before; n > 2*25 {
			t.Errorf("%d requests in a day", n)
		}
	})
}

// TestSomebodyUndoesWhatIsWritten: a Secret that is deleted whenever it exists does not cost the API server many requests.
func TestSomebodyUndoesWhatIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		c.install(t, nil)
		c.start(t)
		settle()
		const lasts = time.Minute
		before := c.written()
		for end := time.Now().Add(lasts); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			if c.secret(t) != nil {
				c.deleteSecret(t)
			}
		}
		synctest.Wait()
		// A reconciliation writes the Secret and the caBundle.
		most := 2 * (reconcilesAtOnce + reconcilesPerSecond*int(lasts/time.Second))
		if n := c.written() - before; n < 10 || n > most {
			t.Errorf("%d writes in a minute, want at most %d, and at least 10 to restore it", n, most)
		}
	})
}

func TestDeletedSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		c.install(t, nil)
		replicas := []*replica{c.start(t), c.start(t), c.start(t)}
		settle()
		old := c.secret(t).Data["ca.crt"]
		c.deleteSecret(t)
		settle()
		again := c.secret(t)
		if again == nil || !bytes.Equal(again.Data["ca.crt"], old) {
			t.Fatal("the known CA was not restored")
		}
		next := again.Data["next.crt"]
		if len(next) == 0 || count(c.live(t).Webhooks[0].ClientConfig.CABundle) != 2 {
			t.Fatal("no next CA is made known")
		}
		time.Sleep(lived/10 + soon)
		synctest.Wait()
		if after := c.secret(t); !bytes.Equal(after.Data["ca.crt"], next) || !bytes.Equal(after.Data["previous.crt"], old) {
			t.Error("the next CA does not sign although it is known")
		}
		for _, r := range replicas {
			c.serving(t, r)
		}
	})
}

// TestRevocation ends the trust in a former CA.
func TestRevocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		c.install(t, nil)
		replicas := []*replica{c.start(t), c.start(t)}
		time.Sleep(lived*2/3 + soon)
		synctest.Wait()
		if n := count(c.live(t).Webhooks[0].ClientConfig.CABundle); n != 2 {
			t.Fatalf("%d CAs in the bundle", n)
		}
		c.changeSecret(t, func(s *corev1.Secret) { delete(s.Data, "previous.crt") })
		settle()
		if n := count(c.live(t).Webhooks[0].ClientConfig.CABundle); n != 1 {
			t.Errorf("%d CAs in the bundle after one was given up", n)
		}
		for _, r := range replicas {
			c.serving(t, r)
		}
	})
}

func TestFreshProcessAndLostSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		c.install(t, nil)
		old := c.start(t)
		settle()
		before := c.serving(t, old)
		c.fails(func(clienttesting.Action) error { return errors.New("away") }) // the old one does not see what follows
		_ = c.Tracker().Delete(corev1.SchemeGroupVersion.WithResource("secrets"), namespace, secretName)
		_ = c.applied.Delete(corev1.SchemeGroupVersion.WithResource("secrets"), namespace, secretName)
		old.stop()
		c.fails(nil)
		fresh := c.start(t)
		settle()
		c.serving(t, fresh)
		if after := c.serving(t, old); !after.Equal(before) {
			t.Error("a process that has ended serves another leaf")
		}
		if n := count(c.secret(t).Data["previous.crt"]); n != 1 {
			t.Errorf("%d former CAs", n)
		}
	})
}

func TestConfigurationAppearsLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		r := c.start(t)
		settle()
		if err := r.Ready(); err != nil {
			t.Errorf("nobody calls: %v", err)
		}
		_, err := c.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(t.Context(), configurationName, metav1.GetOptions{})
		if !apierrors.IsNotFound(err) {
			t.Errorf("the configuration was made: %v", err)
		}
		time.Sleep(2 * lived) // rotation goes on
		if c.generations() < 3 {
			t.Error("no rotation without a configuration")
		}
		c.install(t, nil)
		settle()
		c.serving(t, r)
		if err := r.Ready(); err != nil {
			t.Error(err)
		}
	})
}

func TestResetBundleIsRestored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		c.install(t, nil)
		r := c.start(t)
		settle()
		for _, vandalized := range [][]byte{nil, []byte("garbage"), encodePEM(fresh(t, time.Now(), lived).cert)} {
			live := c.live(t)
			live.Webhooks[1].ClientConfig.CABundle = vandalized
			if _, err := c.AdmissionregistrationV1().ValidatingWebhookConfigurations().Update(t.Context(), live, metav1.UpdateOptions{FieldManager: "vandal"}); err != nil {
				t.Fatal(err)
			}
			settle()
			c.serving(t, r)
			if n := count(c.live(t).Webhooks[1].ClientConfig.CABundle); n != 1 {
				t.Errorf("%d CAs in a bundle that was reset", n)
			}
		}
	})
}

func TestCertManagerIsRespected(t *testing.T) {
	for _, annotation := range injectors() {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster()
			c.install(t, map[string]string{annotation: "x/y"})
			r := c.start(t)
			time.Sleep(lived)
			synctest.Wait()
			if n := len(c.live(t).Webhooks[0].ClientConfig.CABundle); n > 0 {
				t.Error("the bundle was written")
			}
			if err := r.Ready(); err == nil || !strings.Contains(err.Error(), "deployments.mini-hpa.io does not verify") {
				t.Errorf("ready: %v", err)
			}
		})
	}
}

// TestServerAway takes the API server away, for good after a while.
func TestServerAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		c.install(t, nil)
		c.fails(func(clienttesting.Action) error { return errors.New("away") })
		r := c.start(t, func(c *Config) { c.LeafLife = 15 * time.Second })
		settle()
		if _, err := r.GetCertificate(nil); err == nil || !strings.Contains(err.Error(), "away") {
			t.Errorf("nothing was read, nothing can be served: %v", err)
		}
		if err := r.Ready(); err == nil {
			t.Error("ready without a leaf")
		}
		c.fails(nil)
		time.Sleep(5 * time.Second)
		first := c.serving(t, r)
		if err := r.Ready(); err != nil {
			t.Error(err)
		}
		c.fails(func(clienttesting.Action) error { return errors.New("away") })
		before := len(c.Actions())
		for range 40 {
			time.Sleep(time.Second)
			synctest.Wait() // no request of the replica falls into the moment in which the test reads
			c.fails(nil)
			c.serving(t, r)
			c.fails(func(clienttesting.Action) error { return errors.New("away") })
		}
		if served(r).Equal(first) {
			t.Error("leaves are not renewed from memory")
		}
		if n := len(c.Actions()) - before; n > 200 {
			t.Errorf("%d requests to a server that is away", n)
		}
		if n := r.logs.FilterMessageSnippet("keeping the webhook's certificates: fails").Len(); n > 3 {
			t.Errorf("logged %d times in a minute", n)
		}
		c.fails(nil)
		time.Sleep(30 * time.Second)
		c.serving(t, r)
		if n := r.logs.FilterMessageSnippet("keeping the webhook's certificates: works again").Len(); n != 2 {
			t.Errorf("logged %d ends of two outages", n)
		}
	})
}

// served returns the leaf of a replica without verifying it.
func served(r *replica) *x509.Certificate {
	served, _ := r.GetCertificate(nil)
	return served.Leaf
}

// TestConflictAdopts has another replica be faster at each write.
func TestConflictAdopts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		c.install(t, nil)
		lost := 0
		c.fails(func(a clienttesting.Action) error {
			if (a.GetVerb() == "patch" || a.GetVerb() == "update") && lost < 3 {
				lost++
				return apierrors.NewConflict(schema.GroupResource{Resource: a.GetResource().Resource}, "x", errors.New("faster"))
			}
			return nil
		})
		r := c.start(t)
		settle()
		c.serving(t, r)
		if lost != 3 || r.logs.FilterMessageSnippet("fails").Len() > 0 {
			t.Errorf("lost %d: %v", lost, r.logs.All())
		}
	})
}

// TestBundleCannotBeWritten: the CA comes to its end, which is logged, and leaves that work go on being served.
func TestBundleCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		c.install(t, nil)
		r := c.start(t)
		settle()
		c.fails(func(a clienttesting.Action) error {
			if a.GetVerb() == "patch" && a.GetResource().Resource != "secrets" {
				return apierrors.NewForbidden(schema.GroupResource{Resource: a.GetResource().Resource}, configurationName, errors.New("no"))
			}
			return nil
		})
		time.Sleep(lived - 2*soon)
		c.serving(t, r)
		if n := r.logs.FilterMessageSnippet("replacing the webhook's CA: fails").Len(); n != 1 {
			t.Errorf("the danger was logged %d times", n)
		}
		c.fails(nil)
		time.Sleep(2 * time.Second) // the end is near: there is no time to wait for every client
		synctest.Wait()
		time.Sleep(soon)
		c.serving(t, r)
		if n := c.generations(); n != 2 {
			t.Errorf("%d generations", n)
		}
	})
}

func TestRunAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		c.install(t, nil)
		r := c.start(t)
		settle()
		r.stop()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			r.Run(ctx)
		}()
		time.Sleep(2 * lived)
		c.serving(t, r)
		cancel()
		<-done
	})
}

func TestHosts(t *testing.T) {
	now := time.Now()
	leaf, err := fresh(t, now, time.Hour).issue(subject{hosts: []string{"a.b.svc", "10.1.2.3", "::1"}}, now, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	c := leaf.served.Leaf
	got := []string{c.Subject.CommonName, fmt.Sprint(c.DNSNames), fmt.Sprint(c.IPAddresses), fmt.Sprint(c.ExtKeyUsage)}
	want := []string{"a.b.svc", "[a.b.svc]", "[10.1.2.3 ::1]", fmt.Sprint([]x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth})}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	long, err := fresh(t, now, time.Hour).issue(subject{hosts: []string{strings.Repeat("a", 60) + ".namespace.svc"}}, now, 2*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if name := long.served.Leaf.Subject.CommonName; name != "" {
		t.Errorf("a name of %d letters", len(name))
	}
	if long.served.Leaf.NotAfter.After(long.by.cert.NotAfter) {
		t.Error("a leaf outlives its CA")
	}
}

// TestGarbage spoils the Secret under running replicas, in every way.
func TestGarbage(t *testing.T) {
	for name, tc := range spoilt(t, time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)) { // when bubbles begin
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster()
				c.install(t, nil)
				replicas := []*replica{c.start(t), c.start(t), c.start(t)}
				settle()
				before := c.secret(t).Data["ca.crt"]
				c.changeSecret(t, func(s *corev1.Secret) {
					s.Data["mine"] = []byte("kept")
					for key, text := range tc.data {
						s.Data[key] = text
					}
				})
				for range 40 {
					for _, r := range replicas {
						c.serving(t, r)
						if err := r.Ready(); err != nil {
							t.Fatal(err)
						}
					}
					time.Sleep(500 * time.Millisecond)
					synctest.Wait()
				}
				after := c.secret(t)
				if string(after.Data["mine"]) != "kept" {
					t.Error("a key of somebody else is gone")
				}
				if !bytes.Equal(after.Data["previous.crt"], before) {
					t.Error("the CA that was known is not followed by another one")
				}
			})
		})
	}
}

// TestRollback puts the Secret back to what it was three generations ago, as a restored backup does.
func TestRollback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		c.install(t, nil)
		long := func(c *Config) { c.CALife, c.LeafLife = time.Hour, time.Minute }
		replicas := []*replica{c.start(t, long), c.start(t, long)}
		time.Sleep(50 * time.Minute)
		synctest.Wait()
		backup := c.secret(t).Data
		c.deleteSecret(t)
		time.Sleep(20 * time.Minute)
		synctest.Wait()
		if bytes.Equal(c.secret(t).Data["ca.crt"], backup["ca.crt"]) {
			t.Fatal("no rotation")
		}
		c.changeSecret(t, func(s *corev1.Secret) { s.Data = backup })
		for range 200 {
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
			for _, r := range replicas {
				c.serving(t, r)
			}
		}
	})
}

// TestOrderOfReads: if the Secret were read before the configuration, it might lack a CA that is in the caBundle, and that CA
// would be taken for one that was given up.
func TestOrderOfReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		c.install(t, nil)
		c.start(t)
		time.Sleep(lived)
		synctest.Wait()
		var read []string
		for _, a := range c.Actions() {
			if a.GetVerb() == "get" {
				read = append(read, a.GetResource().Resource)
			}
			if p, ok := a.(clienttesting.PatchAction); ok && a.GetResource().Resource == read[0] && !bytes.Contains(p.GetPatch(), []byte(`"resourceVersion"`)) {
				t.Error("a bundle is written without regard to what others wrote")
			}
		}
		for i, resource := range read {
			if want := []string{"validatingwebhookconfigurations", "secrets"}[i%2]; resource != want {
				t.Fatalf("request %d reads %s", i, resource)
			}
		}
		if len(read) < 6 {
			t.Errorf("%d reads", len(read))
		}
	})
}
