package leader

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/state"
	"github.com/mini-hpa/mini-hpa/scaler"
)

const holder = "mini-hpa-7c9f-x2_1"

// nobody is a leader without workloads, so that an answer shows that it was reached.
type nobody struct{}

func (nobody) Standing(func(annotations.Key) bool) []annotations.Key { return nil }
func (nobody) Status(annotations.Key) (s scaler.Status, known bool)  { return s, false }
func (nobody) Chronicle(annotations.Key) []scaler.Entry              { return nil }
func (nobody) Show(annotations.Key) (shown scaler.Shown, known bool) { return shown, false }

// double is an API server with a Lease and one pod, of which it forwards a port, as the kubelet does behind a real one.
type double struct {
	t *testing.T
	// behind is what the pod serves on the port.
	behind *httptest.Server
	// websocket says that it knows WebSockets, as API servers of 1.31 and later do.
	websocket, forbidden bool
	used                 []string
}

func (d *double) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.Contains(r.URL.Path, "/leases/"):
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "spec": {"holderIdentity": %q, "leaseDurationSeconds": 15, "renewTime": %q}}`,
			holder, time.Now().UTC().Format(metav1.RFC3339Micro))
	case r.URL.Path != "/api/v1/namespaces/mini-hpa/pods/mini-hpa-7c9f-x2/portforward":
		http.NotFound(w, r)
	case d.forbidden:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": "Forbidden", "code": 403, "message": "pods \"mini-hpa-7c9f-x2\" is forbidden: User \"dev\" cannot create resource \"pods/portforward\""}`)
	case gorilla.IsWebSocketUpgrade(r) && !d.websocket:
		http.Error(w, "it knows no WebSocket", http.StatusBadRequest)
	case gorilla.IsWebSocketUpgrade(r):
		d.used = append(d.used, "websocket")
		upgrader := gorilla.Upgrader{Subprotocols: []string{"SPDY/3.1+" + portforward.PortForwardProtocolV1Name}}
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			d.t.Error(err)
			return
		}
		streams := make(chan httpstream.Stream)
		connection, err := spdy.NewServerConnection(portforward.NewTunnelingConnection("server", conn), accept(streams))
		if err != nil {
			d.t.Error(err)
			return
		}
		d.forward(connection, streams)
	default:
		d.used = append(d.used, "spdy")
		if _, err := httpstream.Handshake(r, w, []string{portforward.PortForwardProtocolV1Name}); err != nil {
			d.t.Error(err)
			return
		}
		streams := make(chan httpstream.Stream)
		d.forward(spdy.NewResponseUpgrader().UpgradeResponse(w, r, accept(streams)), streams)
	}
}

func accept(streams chan<- httpstream.Stream) httpstream.NewStreamHandler {
	return func(s httpstream.Stream, _ <-chan struct{}) error {
		streams <- s
		return nil
	}
}

// forward connects the data streams with the port, as a container runtime does within the pod.
func (d *double) forward(c httpstream.Connection, streams <-chan httpstream.Stream) {
	defer c.Close()
	var complaints httpstream.Stream
	for {
		select {
		case <-c.CloseChan():
			return
		case s := <-streams:
			if s.Headers().Get(corev1.StreamType) == corev1.StreamTypeError {
				complaints = s
				continue
			}
			address := d.behind.Listener.Addr().String()
			if want := s.Headers().Get(corev1.PortHeader); !strings.HasSuffix(address, ":"+want) {
				fmt.Fprintf(complaints, "cannot connect to port %s: connection refused", want)
				complaints.Close()
				s.Close()
				continue
			}
			port, err := net.Dial("tcp", address)
			if err != nil {
				d.t.Error(err)
				return
			}
			go func() { _, _ = io.Copy(port, s); port.Close() }()
			go func() { _, _ = io.Copy(s, port); s.Close() }()
		}
	}
}

// found is what Find finds by the double.
func (d *double) found(identity string, port int) *Leader {
	d.behind = httptest.NewServer(state.Handler(func() state.Head { return state.Head{Leading: true, Identity: identity, Time: time.Now()} }, func() state.Teller { return nobody{} }, nil))
	d.t.Cleanup(d.behind.Close)
	server := httptest.NewServer(d)
	d.t.Cleanup(server.CloseClientConnections)
	flags := DefaultFlags()
	if flags.Port = port; port == 0 {
		flags.Port = d.behind.Listener.Addr().(*net.TCPAddr).Port
	}
	l := flags.Find(d.t.Context(), &rest.Config{Host: server.URL})
	d.t.Cleanup(l.Close)
	return l
}

// TestThePodThatTheLeaseNamesIsAsked by a port-forward, in the form that the API server knows.
func TestThePodThatTheLeaseNamesIsAsked(t *testing.T) {
	for _, websocket := range []bool{true, false} {
		d := &double{t: t, websocket: websocket}
		l := d.found(holder, 0)
		if l.Head == nil {
			t.Fatalf("websocket %t: not reached: %s", websocket, l.Why)
		}
		for range 3 {
			if items, err := l.All(t.Context(), url.Values{}); err != nil || len(items) > 0 {
				t.Errorf("websocket %t: %v, %v", websocket, items, err)
			}
		}
		if err := l.Get(t.Context(), state.PathOne+"shop/deployments.apps/web", nil, nil); !errors.Is(err, ErrUnknown) {
			t.Errorf("websocket %t: %v, want %v", websocket, err, ErrUnknown)
		}
		if want := map[bool]string{true: "websocket", false: "spdy"}[websocket]; strings.Join(d.used, " ") != want {
			t.Errorf("forwarded by %q, want one port-forward by %s", d.used, want)
		}
		if got, want := l.Source(3*time.Second), "source: leader mini-hpa-7c9f-x2, 3s ago"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestALeaderThatCannotBeAsked: the reason is told, whatever it is.
func TestALeaderThatCannotBeAsked(t *testing.T) {
	for name, c := range map[string]struct {
		double   double
		identity string
		port     int
		want     string
	}{
		"no right":        {double{forbidden: true, websocket: true}, holder, 0, `User "dev" cannot create resource "pods/portforward"`},
		"no such port":    {double{websocket: true}, holder, 9, "cannot connect to port 9: connection refused"},
		"another process": {double{websocket: true}, "mini-hpa-7c9f-x2_2", 0, `"mini-hpa-7c9f-x2_2" answers in the place of "mini-hpa-7c9f-x2_1"`},
	} {
		t.Run(name, func(t *testing.T) {
			d := c.double
			d.t = t
			l := d.found(c.identity, c.port)
			want := "source: computed here; the leader mini-hpa-7c9f-x2 cannot be asked: "
			if got := l.Source(0); l.Head != nil || !strings.HasPrefix(got, want) || !strings.Contains(got, c.want) {
				t.Errorf("%q, want %q and %q", got, want, c.want)
			}
		})
	}
}

// TestWhatALeaseSays of who leads, and since when nobody does.
func TestWhatALeaseSays(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	lease := func(identity string, renewed time.Duration) *coordinationv1.Lease {
		return &coordinationv1.Lease{Spec: coordinationv1.LeaseSpec{HolderIdentity: &identity, LeaseDurationSeconds: new(int32(15)), RenewTime: new(metav1.NewMicroTime(now.Add(-renewed)))}}
	}
	for name, c := range map[string]struct {
		lease  *coordinationv1.Lease
		holder string
		vacant bool
	}{
		"held":         {lease(holder, 2*time.Second), holder, false},
		"given up":     {lease("", time.Hour), "", true},
		"run out":      {lease(holder, 16*time.Second), holder, true},
		"never held":   {&coordinationv1.Lease{}, "", true},
		"by our clock": {lease(holder, -time.Hour), holder, false},
	} {
		if got := Held(c.lease, now); got.Holder != c.holder || got.Vacant != c.vacant {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
