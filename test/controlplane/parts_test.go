//go:build unix

package controlplane

import (
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

func TestPortsDifferAndLieInTheRange(t *testing.T) {
	chosen, err := freePorts()
	if err != nil {
		t.Fatal(err)
	}
	var seen []int
	for _, port := range chosen.each() {
		if *port < firstPort || *port > lastPort || slices.Contains(seen, *port) {
			t.Errorf("port %d, after %v", *port, seen)
		}
		seen = append(seen, *port)
	}
}

// TestNoPortIsChosenTwice: neither for a cluster nor for anybody else.
func TestNoPortIsChosenTwice(t *testing.T) {
	seen := map[int]bool{}
	for range 200 {
		chosen, err := freePorts()
		if err != nil {
			t.Fatal(err)
		}
		address, err := FreeAddress()
		if err != nil {
			t.Fatal(err)
		}
		free := int(netip.MustParseAddrPort(address).Port())
		if seen[free] || free < firstOther || free > lastOther {
			t.Errorf("port %d, which is outside of the range or was chosen before", free)
		}
		seen[free] = true
		for _, port := range chosen.each() {
			if seen[*port] {
				t.Errorf("port %d was chosen before", *port)
			}
			seen[*port] = true
		}
	}
}

func TestCertificates(t *testing.T) {
	dir := t.TempDir()
	authority, err := writeIdentities(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	ours, proxies := poolOf(t, dir, "ca.crt"), poolOf(t, dir, "front-proxy-ca.crt")
	serving, proxy := certificateOf(t, dir, "serving"), certificateOf(t, dir, "front-proxy")

	for _, name := range []string{"localhost", loopback, "kubernetes.default.svc"} {
		if _, err := serving.Verify(x509.VerifyOptions{Roots: ours, DNSName: name}); err != nil {
			t.Errorf("serving %s: %v", name, err)
		}
	}
	client := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if _, err := proxy.Verify(x509.VerifyOptions{Roots: proxies, KeyUsages: client}); err != nil {
		t.Errorf("the front proxy: %v", err)
	}
	user, err := authority.client("jane")
	if err != nil {
		t.Fatal(err)
	}
	if err := writeFiles(dir, map[string][]byte{"jane.crt": user.certificate, "jane.key": user.key}); err != nil {
		t.Fatal(err)
	}
	if _, err := certificateOf(t, dir, "jane").Verify(x509.VerifyOptions{Roots: proxies, KeyUsages: client}); err == nil {
		t.Error("a user passes for a front proxy")
	}
}

func TestCertificateOfAnAddress(t *testing.T) {
	dir := t.TempDir()
	if _, err := writeIdentities(dir, "192.0.2.7"); err != nil {
		t.Fatal(err)
	}
	roots := poolOf(t, dir, "ca.crt")
	for _, name := range []string{loopback, "192.0.2.7", serviceAddress} {
		if _, err := certificateOf(t, dir, "serving").Verify(x509.VerifyOptions{Roots: roots, DNSName: name}); err != nil {
			t.Errorf("serving %s: %v", name, err)
		}
	}
}

func TestAddressIsAnIPAddress(t *testing.T) {
	if _, err := Run(t.Context(), Options{Address: "not \x1b[31m one"}); err == nil || !strings.Contains(err.Error(), `got "not \x1b[31m one"`) {
		t.Errorf("got %v", err)
	}
}

func poolOf(t *testing.T, dir, name string) *x509.CertPool {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(content) {
		t.Fatalf("%s holds no certificate", name)
	}
	return pool
}

func certificateOf(t *testing.T, dir, name string) *x509.Certificate {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key"))
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf
}

func TestKeysAreForTheirOwnerOnly(t *testing.T) {
	home, err := openTemporary(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer home.close()
	if _, err := writeIdentities(home.path, ""); err != nil {
		t.Fatal(err)
	}
	paths, _ := filepath.Glob(filepath.Join(home.path, "*.key"))
	for _, path := range append(paths, home.path) {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

func TestUsedDirectoryIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "precious"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openHome(dir); err == nil || !strings.Contains(err.Error(), "must be empty, but it has precious") {
		t.Errorf("got %v", err)
	}
}

func TestChosenDirectoryIsMadeAndKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	home, err := openHome(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openHome(dir); err == nil {
		t.Error("a second cluster got the same directory")
	}
	if err := home.close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Error(err)
	}
}

func TestRemainsOfKilledProcessesAreSwept(t *testing.T) {
	base := t.TempDir()
	live, abandoned, young := openAged(t, base, time.Hour), openAged(t, base, time.Hour), openAged(t, base, 0)
	for _, h := range []*home{abandoned, young} { // a killed process loses its locks
		if err := h.lock.Release(); err != nil {
			t.Fatal(err)
		}
	}
	sweep(base)
	for h, want := range map[*home]bool{live: true, abandoned: false, young: true} {
		if _, err := os.Stat(h.path); (err == nil) != want {
			t.Errorf("%s exists: %v, want %v (live %s)", h.path, err == nil, want, live.path)
		}
	}
	if err := live.close(); err != nil {
		t.Fatal(err)
	}
}

func openAged(t *testing.T, base string, age time.Duration) *home {
	t.Helper()
	h, err := openTemporary(base)
	if err != nil {
		t.Fatal(err)
	}
	then := time.Now().Add(-age)
	if err := os.Chtimes(filepath.Join(h.path, dirLock), then, then); err != nil {
		t.Fatal(err)
	}
	return h
}

func TestIsReady(t *testing.T) {
	condition := func(kind corev1.NodeConditionType, status corev1.ConditionStatus) corev1.NodeStatus {
		return corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: kind, Status: status}}}
	}
	tests := map[string]struct {
		node corev1.Node
		want bool
	}{
		"new":     {corev1.Node{}, false},
		"ready":   {corev1.Node{Status: condition(corev1.NodeReady, corev1.ConditionTrue)}, true},
		"unknown": {corev1.Node{Status: condition(corev1.NodeReady, corev1.ConditionUnknown)}, false},
		"other":   {corev1.Node{Status: condition(corev1.NodeDiskPressure, corev1.ConditionTrue)}, false},
		"ready but tainted": {corev1.Node{
			Spec:   corev1.NodeSpec{Taints: []corev1.Taint{{Key: corev1.TaintNodeNotReady}}},
			Status: condition(corev1.NodeReady, corev1.ConditionTrue),
		}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := isReady(test.node); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestFurtherArgumentsComeLast(t *testing.T) {
	extra := map[Component][]string{}
	for _, component := range components() {
		extra[component] = []string{"--extra-of=" + string(component)}
	}
	c := &Cluster{options: Options{Args: extra}}
	for _, component := range components() {
		args := c.args(component)
		if len(args) < 2 || args[len(args)-1] != extra[component][0] {
			t.Errorf("%s gets %q", component, args)
		}
	}
}

func TestAuditIsOffUnlessAskedFor(t *testing.T) {
	c := &Cluster{}
	if args := strings.Join(c.args(APIServer), " "); c.AuditLog() != "" || strings.Contains(args, "audit") {
		t.Errorf("audit log %q, arguments %s", c.AuditLog(), args)
	}
}
