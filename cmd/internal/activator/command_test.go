package activator

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mini-hpa/mini-hpa/annotations/serves"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
)

// issuer signs certificates, as the controller's CA does.
type issuer struct {
	t           *testing.T
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newIssuer(t *testing.T) *issuer {
	i := &issuer{t: t}
	var der []byte
	i.key, der = i.sign(&x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, nil)
	var err error
	if i.certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return i
}

func (i *issuer) sign(template, parent *x509.Certificate) (*ecdsa.PrivateKey, []byte) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		i.t.Fatal(err)
	}
	by := i.key
	if parent == nil {
		parent, by = template, key
	}
	template.SerialNumber, template.NotBefore, template.NotAfter = big.NewInt(time.Now().UnixNano()), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	if err != nil {
		i.t.Fatal(err)
	}
	return key, der
}

// leaf is a certificate for a name.
func (i *issuer) leaf(name string) tls.Certificate {
	key, der := i.sign(&x509.Certificate{DNSNames: []string{name}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}, i.certificate)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// files writes what the controller keeps in the Secret.
func (i *issuer) files(dir string) {
	own := i.leaf(serves.ServerName)
	key, err := x509.MarshalPKCS8PrivateKey(own.PrivateKey)
	if err != nil {
		i.t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"tls.crt": {Type: "CERTIFICATE", Bytes: own.Certificate[0]}, "tls.key": {Type: "PRIVATE KEY", Bytes: key}, "ca.crt": {Type: "CERTIFICATE", Bytes: i.certificate.Raw}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			i.t.Fatal(err)
		}
	}
}

// client asks as somebody to whom another has given a certificate for a name; without one if the name is empty.
func (i *issuer) client(by *issuer, name string) *http.Client {
	roots := x509.NewCertPool()
	roots.AddCert(i.certificate)
	config := &tls.Config{RootCAs: roots, ServerName: serves.ServerName}
	if name != "" {
		config.Certificates = []tls.Certificate{by.leaf(name)}
	}
	return &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
}

// TestActivator starts the command before an API server that has slices of one Service, and asks for its state as the controller does.
func TestActivator(t *testing.T) {
	server := clitest.NewAPIServer(t, nil)
	slices := discoveryv1.EndpointSliceList{TypeMeta: metav1.TypeMeta{APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSliceList"}, ListMeta: metav1.ListMeta{ResourceVersion: "7"},
		Items: []discoveryv1.EndpointSlice{*ourSlice("web", discoveryv1.AddressTypeIPv4, 20016), *podSlice("web-1", "web", discoveryv1.AddressTypeIPv4)}}
	server.Others = map[string]any{"/apis/discovery.k8s.io/v1/endpointslices": slices}
	by, dir := newIssuer(t), t.TempDir()
	r := clitest.Start(t, cli.Program{Commands: []cli.Command{Command()}, Build: cli.NewBuild("", "")}, "activator", "--kubeconfig", server.Kubeconfig(), "--tls-dir", dir,
		"--state-bind-address=127.0.0.1:0", "--metrics-bind-address=127.0.0.1:0", "--health-probe-bind-address=127.0.0.1:0", "--activator-propagation=0s")
	at := func(flag string) string { return r.Logged("listening", "flag", flag)["address"].(string) }
	probes := "http://" + at("health-probe-bind-address")
	if status, body := clitest.Get(t, probes+"/readyz"); status != http.StatusInternalServerError || !strings.Contains(body, "[-]certificate failed: cannot use the certificate in --tls-dir="+dir) {
		t.Errorf("/readyz: %d %s", status, body)
	}
	by.files(dir)
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		status, body := clitest.Get(t, probes+"/readyz")
		if status == http.StatusOK {
			break
		}
		if time.Now().After(end) {
			t.Fatal(body)
		}
	}
	state := "https://" + at("state-bind-address") + serves.StatePath
	for _, name := range []string{"", serves.ServerName, "mini-hpa"} {
		if answer, err := by.client(by, name).Get(state); err == nil {
			answer.Body.Close()
			t.Errorf("%q may ask for the state", name)
		}
	}
	if answer, err := by.client(newIssuer(t), serves.LeaderName).Get(state); err == nil {
		answer.Body.Close()
		t.Error("a certificate of somebody else is taken for the leader's")
	}
	answer, err := by.client(by, serves.LeaderName).Get(state)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var ports []serves.State
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		line, err := serves.ParseLine(lines.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if line.Port != nil {
			ports = append(ports, *line.Port)
		}
	}
	if len(ports) != 1 || ports[0].Slice != "shop/mini-hpa-web" || ports[0].Pair != 20016 || !ports[0].Listening && ports[0].Problem == "" {
		text, _ := json.Marshal(ports)
		t.Errorf("%s", text)
	}
	_, exposed := clitest.Get(t, "http://"+at("metrics-bind-address")+"/metrics")
	for _, want := range []string{`mini_hpa_activator_held{namespace="shop",port="http",slice="mini-hpa-web"} 0`, `mini_hpa_activator_wait_seconds_count{namespace="shop",port="http",slice="mini-hpa-web"} 0`, "mini_hpa_build_info{"} {
		if !strings.Contains(exposed, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
	if code := r.End(); code != cli.ExitOK {
		t.Errorf("exit code %d", code)
	}
	r.Logged("draining", "", "")
}

func TestFlagsThatAreRefused(t *testing.T) {
	for flag, want := range map[string]string{"--state-bind-address=0": "want an address, since nobody would be woken without it", "--activator-drain=25h": "--activator-drain"} {
		if code, _, stderr := clitest.Call(t, Command(), flag); code != cli.ExitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d, %s", flag, code, stderr)
		}
	}
}
