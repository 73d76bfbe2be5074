package authority

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

// publishing keeps the certificates of both ends of a connection.
func publishing(t *testing.T, client *fake.Clientset) *Authority {
	t.Helper()
	a, err := New(Config{Client: client, Namespace: "n", Secret: "ca", Hosts: []string{"mini-hpa-leader"}, ForClient: true, Publish: Published{Secret: "server", Hosts: []string{"mini-hpa-activator"}}})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func secretOf(t *testing.T, client *fake.Clientset) *corev1.Secret {
	t.Helper()
	s, err := client.CoreV1().Secrets("n").Get(t.Context(), "server", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// shake connects the two ends, and returns the name of the client that the server has seen.
func shake(t *testing.T, a *Authority, published map[string][]byte, server string) (string, error) {
	t.Helper()
	pair, err := tls.X509KeyPair(published[corev1.TLSCertKey], published[corev1.TLSPrivateKeyKey])
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(published[caFile])
	ours, err := a.Client(server)
	if err != nil {
		t.Fatal(err)
	}
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	said := make(chan error, 1)
	to := tls.Server(far, &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: trusted, ClientAuth: tls.RequireAndVerifyClientCert})
	go func() { said <- to.Handshake() }()
	if err := tls.Client(near, ours).HandshakeContext(t.Context()); err != nil {
		return "", err
	}
	if err := <-said; err != nil {
		return "", err
	}
	return to.ConnectionState().PeerCertificates[0].Subject.CommonName, nil
}

// TestBothEndsOfAConnection: who mounts the Secret and who keeps it know each other, and nobody else.
func TestBothEndsOfAConnection(t *testing.T) {
	t.Parallel()
	client := fake.NewClientset()
	a := publishing(t, client)
	if _, err := a.reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	first := secretOf(t, client)
	if name, err := shake(t, a, first.Data, "mini-hpa-activator"); err != nil || name != "mini-hpa-leader" {
		t.Errorf("the server has seen %q: %v", name, err)
	}
	if _, err := shake(t, a, first.Data, "somebody-else"); err == nil {
		t.Error("another name is accepted")
	}
	if _, err := a.reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	if again := secretOf(t, client); string(again.Data[corev1.TLSCertKey]) != string(first.Data[corev1.TLSCertKey]) {
		t.Error("what will do is written again")
	}
	// Another process that leads has the same CA.
	other := publishing(t, client)
	if _, err := other.reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	if name, err := shake(t, other, secretOf(t, client).Data, "mini-hpa-activator"); err != nil || name != "mini-hpa-leader" {
		t.Errorf("after a change of the leader the server has seen %q: %v", name, err)
	}
}

// TestWhatIsPublishedIsRepaired: what somebody breaks, and what is about to expire.
func TestWhatIsPublishedIsRepaired(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(data map[string][]byte){
		"no key":       func(data map[string][]byte) { delete(data, corev1.TLSPrivateKeyKey) },
		"garbage":      func(data map[string][]byte) { data[corev1.TLSCertKey] = []byte("x") },
		"another CA":   func(data map[string][]byte) { data[caFile] = []byte("x") },
		"all is empty": func(data map[string][]byte) { clear(data) },
	} {
		client := fake.NewClientset()
		a := publishing(t, client)
		if _, err := a.reconcile(t.Context()); err != nil {
			t.Fatal(err)
		}
		s := secretOf(t, client)
		change(s.Data)
		if _, err := client.CoreV1().Secrets("n").Update(context.Background(), s, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := a.reconcile(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, err := shake(t, a, secretOf(t, client).Data, "mini-hpa-activator"); err != nil || got != "mini-hpa-leader" {
			t.Errorf("%s: the server has seen %q: %v", name, got, err)
		}
	}
	made := fresh(t, time.Now(), time.Hour)
	to := Published{Secret: "server", Hosts: []string{"h"}}
	data, err := to.content(rotation{current: made}, time.Now(), 30*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for after, want := range map[time.Duration]bool{0: true, 19 * time.Minute: true, 21 * time.Minute: false} {
		if got := to.holds(data, rotation{current: made}, time.Now().Add(after)); got != want {
			t.Errorf("after %s it will do: %t", after, got)
		}
	}
}
