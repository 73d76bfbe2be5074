package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/informers"

	"github.com/mini-hpa/mini-hpa/annotations/serves"
)

// doorkeeper is an activator as far as the leader sees it: a pod of KWOK's, and a server that tells that it listens on whatever slices of mini-hpa there are in its
// namespace, and what the test says of them.
type doorkeeper struct {
	t    *testing.T
	w    *world
	ns   string
	pod  *corev1.Pod
	stop chan struct{}

	mu       sync.Mutex
	changed  chan struct{} // closed at each change
	turn     int           // how many there were
	told     map[string]*serves.State
	turns    map[string]int // at which one each state was changed last
	draining bool
	deaf     bool // listens nowhere
	asked    int
	peers    []string
}

// outside is an address of this machine that an EndpointSlice may name: none of loopback's.
func outside(t *testing.T) string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range all {
		if ip, ok := address.(*net.IPNet); ok && ip.IP.To4() != nil && ip.IP.IsGlobalUnicast() {
			return ip.IP.String()
		}
	}
	t.Skip("this machine has no address beside loopback's, which no EndpointSlice may name")
	return ""
}

// doorkeeper makes one, whose certificate is that of the Secret that the controller keeps.
func (w *world) doorkeeper(t *testing.T, ns, name string) *doorkeeper {
	t.Helper()
	k := &doorkeeper{t: t, w: w, ns: ns, stop: make(chan struct{}), changed: make(chan struct{}), told: map[string]*serves.State{}, turns: map[string]int{}}
	address := outside(t)
	listener, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	number, _ := strconv.Atoi(port)
	server := &http.Server{Handler: http.HandlerFunc(k.state), TLSConfig: &tls.Config{GetConfigForClient: k.certificates}}
	go func() { _ = server.ServeTLS(listener, "", "") }()
	t.Cleanup(func() {
		close(k.stop)
		_ = server.Close()
	})
	k.pod = w.activatorPod(t, ns, name, address, int32(number))
	go k.watch()
	return k
}

// activatorPod is the pod of an activator, which is at an address of this machine. No kubelet and no KWOK sees it: its status is the test's.
func (w *world) activatorPod(t *testing.T, ns, name, address string, state int32) *corev1.Pod {
	t.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name, Labels: map[string]string{"app.kubernetes.io/name": "mini-hpa", "app.kubernetes.io/component": "activator"}},
		Spec: corev1.PodSpec{SchedulerName: "nobody", Containers: []corev1.Container{{Name: "activator", Image: "x", Ports: []corev1.ContainerPort{{Name: "state", ContainerPort: state}}}}}}
	pod, err := w.client.CoreV1().Pods(ns).Create(t.Context(), pod, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pod.Status = corev1.PodStatus{Phase: corev1.PodRunning, PodIP: address, PodIPs: []corev1.PodIP{{IP: address}}}
	if pod, err = w.client.CoreV1().Pods(ns).UpdateStatus(t.Context(), pod, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	return pod
}

// activator starts `mini-hpa activator` for the Services of a namespace, with the rights that it has in a cluster and the certificates that the controller keeps, and
// returns the address at which it is.
func (w *world) activator(t *testing.T, ns, name string) string {
	t.Helper()
	address, as := outside(t), "activator-of-"+ns
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: as}, Rules: []rbacv1.PolicyRule{{APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: []string{"list", "watch"}}}}
	if err := bind(t.Context(), w.client, role, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: as}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	eventually(t, "the certificates of activators", func(ctx context.Context) (bool, string) {
		s, err := w.client.CoreV1().Secrets(metav1.NamespaceDefault).Get(ctx, "mini-hpa-activator-tls", metav1.GetOptions{})
		if err != nil {
			return false, err.Error()
		}
		for file, text := range s.Data {
			if err := os.WriteFile(filepath.Join(dir, file), text, 0o600); err != nil {
				return false, err.Error()
			}
		}
		return len(s.Data) > 0, "empty"
	})
	kubeconfig, err := w.cluster.KubeconfigFor(as)
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(freeAddress(t))
	number, _ := strconv.Atoi(port)
	c := newController(t)
	c.start("activator", "--kubeconfig", kubeconfig, "--namespace", ns, "--tls-dir", dir, "--state-bind-address", net.JoinHostPort(address, port), "--activator-propagation", activatorW.String(),
		"--activator-drain", "1s", "--metrics-bind-address", c.address, "--health-probe-bind-address", c.health)
	w.activatorPod(t, ns, name, address, int32(number))
	return address
}

// certificates are those that the controller keeps, as a mounted Secret has them.
func (k *doorkeeper) certificates(*tls.ClientHelloInfo) (*tls.Config, error) {
	s, err := k.w.client.CoreV1().Secrets(metav1.NamespaceDefault).Get(k.t.Context(), "mini-hpa-activator-tls", metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(s.Data["tls.crt"], s.Data["tls.key"])
	if err != nil {
		return nil, err
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(s.Data["ca.crt"])
	return &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: trusted, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS13}, nil
}

// watch listens on what there is.
func (k *doorkeeper) watch() {
	listed := informers.NewSharedInformerFactoryWithOptions(k.w.client, 0, informers.WithNamespace(k.ns),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.LabelSelector = serves.Ours().String() }))
	endpoints := listed.Discovery().V1().EndpointSlices()
	found := endpoints.Lister()
	listed.Start(k.stop)
	read, wasDeaf := map[string]string{}, false
	for {
		select {
		case <-k.stop:
			return
		case <-time.After(50 * time.Millisecond):
		}
		all, err := found.List(labels.Everything())
		if err != nil {
			continue
		}
		k.change(func() {
			anew := k.deaf != wasDeaf
			wasDeaf = k.deaf
			for _, slice := range all {
				if read[slice.Name] == slice.ResourceVersion && !anew {
					continue
				}
				read[slice.Name] = slice.ResourceVersion
				says, err := serves.Read(slice)
				if err != nil {
					continue
				}
				for _, port := range says.Ports {
					key := slice.Name + " " + port.Name
					if k.told[key] == nil || k.told[key].Pair != port.Pair {
						k.told[key] = &serves.State{Slice: k.ns + "/" + slice.Name, Name: port.Name, Pair: port.Pair}
					}
					k.told[key].Listening = !k.deaf
				}
			}
		})
	}
}

// change changes what is told.
func (k *doorkeeper) change(what func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	before, moved := map[string]serves.State{}, false
	for key, state := range k.told {
		before[key] = *state
	}
	drained := k.draining
	what()
	k.turn++
	for key, state := range k.told {
		if was, had := before[key]; !had || !reflect.DeepEqual(was, *state) {
			k.turns[key], moved = k.turn, true
		}
	}
	if moved || k.draining != drained {
		close(k.changed)
		k.changed = make(chan struct{})
	}
}

func (k *doorkeeper) keys() []string {
	var keys []string
	for key := range k.told {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// hold has so many requests wait at a Service's port http.
func (k *doorkeeper) hold(service string, held int) {
	k.change(func() {
		state := k.counted(service)
		state.Held = held
		state.Total += uint64(held)
	})
}

// fly has so many requests be under way at a Service's port http.
func (k *doorkeeper) fly(service string, inFlight int) {
	k.change(func() {
		state := k.counted(service)
		state.Total += uint64(max(inFlight-state.InFlight, 0))
		state.InFlight = inFlight
	})
}

// counted is the state of a Service's port http, whose requests have been counted until now.
func (k *doorkeeper) counted(service string) *serves.State {
	state := k.told["mini-hpa-"+service+" http"]
	state.RequestSeconds, state.Told = state.SecondsAt(time.Now()), time.Now()
	return state
}

// state tells everything, and then what changes, as an activator does.
func (k *doorkeeper) state(out http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	k.asked++
	k.peers = append(k.peers, r.TLS.PeerCertificates[0].Subject.CommonName)
	k.mu.Unlock()
	out.Header().Set("Content-Type", serves.StateType)
	told := -1
	for first := true; ; first = false {
		k.mu.Lock()
		changed := k.changed
		text := serves.AppendLine(nil, serves.Line{Process: &serves.Process{Start: k.pod.Name, Draining: k.draining}})
		for _, key := range k.keys() {
			if k.turns[key] <= told {
				continue
			}
			state := *k.told[key]
			state.RequestSeconds = state.SecondsAt(time.Now())
			text = serves.AppendLine(text, serves.Line{Port: &state})
		}
		told = k.turn
		k.mu.Unlock()
		if first {
			text = serves.AppendLine(text, serves.Line{Synced: true})
		}
		if _, err := out.Write(text); err != nil {
			return
		}
		out.(http.Flusher).Flush()
		select {
		case <-changed:
		case <-time.After(serves.Heartbeat):
		case <-r.Context().Done():
			return
		case <-k.stop:
			return
		}
	}
}

// grantActivator lets the controller do what it needs for activators, beside what docs/rbac.yaml says.
func (w *world) grantActivator(t *testing.T, ns string) {
	t.Helper()
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "mini-hpa-activator-" + ns}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"services"}, Verbs: []string{"list", "watch"}},
		{APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: []string{"list", "watch", "create", "update", "delete"}},
		{APIGroups: []string{"networking.k8s.io"}, Resources: []string{"networkpolicies"}, Verbs: []string{"list", "watch"}},
		{APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{"mini-hpa-activator-ca", "mini-hpa-activator-tls"}, Verbs: []string{"get", "list", "watch", "create", "update", "patch"}},
	}}
	if err := bind(t.Context(), w.client, role, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}); err != nil {
		t.Fatal(err)
	}
}

// service makes a Service of the pods of a workload, with a port of the name http.
func (d *workload) service(name string) {
	d.t.Helper()
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: d.namespace, Name: name}, Spec: corev1.ServiceSpec{Selector: d.labels(),
		Ports: []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromInt32(8080)}}}}
	if _, err := d.w.client.CoreV1().Services(d.namespace).Create(d.t.Context(), service, metav1.CreateOptions{}); err != nil {
		d.t.Fatal(err)
	}
}

// slice is mini-hpa's slice of a Service, in words: its face and whom it leads to; "none" if there is none.
func (d *workload) slice(service string) string {
	s, err := d.w.client.DiscoveryV1().EndpointSlices(d.namespace).Get(d.t.Context(), serves.SliceName(service, discoveryv1.AddressTypeIPv4), metav1.GetOptions{})
	if err != nil {
		return "none"
	}
	says, err := serves.Read(s)
	if err != nil {
		return err.Error()
	}
	text := says.Face.String()
	for _, a := range says.Activators {
		text += " " + a.Pod
	}
	return strings.TrimSpace(text)
}
