package doors

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/serves"
)

// crowd is a scene whose activators come and go while a Keeper runs.
type crowd struct {
	*scene
	mu   sync.Mutex
	pods []*corev1.Pod
}

func (c *crowd) Activators() []*corev1.Pod {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pods
}

// are says which there are.
func (c *crowd) are(pods ...*corev1.Pod) {
	c.mu.Lock()
	c.pods = pods
	c.mu.Unlock()
	c.keeper.ActivatorsChanged()
}

// known is what is known of an activator; nil if nothing is.
func (c *crowd) known(name string) *report {
	c.keeper.mu.Lock()
	defer c.keeper.mu.Unlock()
	if r := c.keeper.reports[types.UID(name)]; r != nil {
		return new(*r)
	}
	return nil
}

func (c *crowd) eventually(what string, is func() bool) {
	c.t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			c.t.Fatalf("never %s: %+v", what, c.known("a1"))
		}
	}
}

// running is a Keeper that follows a server as the pod a1.
func running(t *testing.T) (*crowd, *httptest.Server, *corev1.Pod) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(out, "%s\n%s\n%s\n", `{"process":{"start":"1"}}`, `{"port":{"slice":"shop/mini-hpa-web","name":"http","pair":20016,"held":2}}`, `{"synced":true}`)
		out.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	host, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	c := &crowd{scene: newScene(t)}
	c.keeper = NewKeeper(Config{Cluster: c, Workloads: c.scene, Slices: c.client.DiscoveryV1(), Enqueue: func(...annotations.Key) {}, Port: int32(number),
		Propagation: w, Range: serves.DefaultRange(), Now: time.Now, Log: zap.NewNop()})
	c.keeper.Begin()
	pod := pod("a1")
	pod.Status.PodIP = host
	c.are(pod)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.keeper.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	c.eventually("told", func() bool { r := c.known("a1"); return r != nil && r.synced })
	return c, server, pod
}

// TestAnActivatorIsFollowedToItsEnd: what it holds is known for as long as it tells it, be its pod told to end, or gone already.
func TestAnActivatorIsFollowedToItsEnd(t *testing.T) {
	t.Parallel()
	c, server, pod := running(t)
	ending := pod.DeepCopy()
	ending.DeletionTimestamp = new(metav1.Now())
	c.are(ending)
	c.eventually("leaving", func() bool { return c.known("a1").leaving })
	c.are()
	time.Sleep(sweeping + 100*time.Millisecond) // another look
	if r := c.known("a1"); r == nil || !r.synced || len(r.ports) != 1 {
		t.Fatalf("forgotten: %+v", r)
	}
	server.CloseClientConnections()
	c.eventually("forgotten", func() bool { return c.known("a1") == nil })
}

// TestAnActivatorThatCrashes is known to be gone at once, and followed again when it is back.
func TestAnActivatorThatCrashes(t *testing.T) {
	t.Parallel()
	c, server, _ := running(t)
	address := server.Listener.Addr().String()
	server.Listener.Close()
	server.CloseClientConnections()
	c.eventually("lost", func() bool { return !c.known("a1").synced })
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Skip("somebody else has taken the port")
	}
	again := &http.Server{Handler: server.Config.Handler, ReadHeaderTimeout: time.Minute}
	go func() { _ = again.Serve(listener) }()
	t.Cleanup(func() { _ = again.Close() })
	c.eventually("back", func() bool { return c.known("a1").synced })
}

// TestAnActivatorThatDoesNotAnswerAndIsNotReady is gone, though nobody refuses anything.
func TestAnActivatorThatDoesNotAnswerAndIsNotReady(t *testing.T) {
	t.Parallel()
	c, _, pod := running(t)
	unready := pod.DeepCopy()
	unready.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}}
	c.are(unready)
	time.Sleep(sweeping + 100*time.Millisecond)
	if !c.known("a1").synced {
		t.Error("it tells its state, and that it is ready comes late")
	}
	c.keeper.mu.Lock()
	c.keeper.reports["a1"].broken = true
	c.keeper.mu.Unlock()
	c.eventually("lost", func() bool { return !c.known("a1").synced })
}
