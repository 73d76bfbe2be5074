package guard

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// review is an AdmissionReview of about so many bytes, as an API server writes it.
func review(t *testing.T, size int) []byte {
	t.Helper()
	request := &admissionv1.AdmissionRequest{UID: "1", Operation: admissionv1.Create}
	request.Object.Raw = fmt.Appendf(nil, `{"metadata":{"annotations":{"a":%q}}}`, strings.Repeat("x", size-300))
	body, err := json.Marshal(admissionv1.AdmissionReview{Request: request,
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"}})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// allowing is controller-runtime's webhook around a handler that decodes the object and has no objection.
func allowing(t *testing.T) http.Handler {
	t.Helper()
	hook := &admission.Webhook{Handler: admission.HandlerFunc(func(_ context.Context, req admission.Request) admission.Response {
		var object map[string]any
		if err := json.Unmarshal(req.Object.Raw, &object); err != nil {
			t.Error(err)
		}
		return admission.Allowed("")
	})}
	handler, err := admission.StandaloneWebhook(hook, admission.StandaloneOptions{Logger: logr.Discard()})
	if err != nil {
		t.Fatal(err)
	}
	return handler
}

// crew is a crowd of attackers of one kind.
type crew struct {
	members, rounds int
	attack          func(ctx context.Context, connected func())
	begun           atomic.Int32 // members who got through for the first time
	done            atomic.Int32 // rounds
}

// run lets all of them attack, each for so many rounds or until ctx ends.
func (c *crew) run(ctx context.Context, all *sync.WaitGroup) {
	for range c.members {
		all.Go(func() {
			begun := sync.OnceFunc(func() { c.begun.Add(1) })
			for round := 0; round < c.rounds && ctx.Err() == nil; round++ {
				c.attack(ctx, begun)
				c.done.Add(1)
				breathe(ctx)
			}
		})
	}
}

// breathe is a pause, so that the attackers, who share the processors with the attacked, do not win by that alone.
func breathe(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(300 * time.Millisecond):
	}
}

// raw opens a TCP connection that is gone at once when it is closed, so that a flood does not use up the ports. Its write buffer is
// small: filling it takes processor time from the server.
func raw(ctx context.Context, address string) (*net.TCPConn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	tcp, isTCP := conn.(*net.TCPConn)
	if !isTCP {
		return nil, errors.New("this is no TCP connection")
	}
	return tcp, errors.Join(tcp.SetLinger(0), tcp.SetWriteBuffer(socketBuffer))
}

// attacker opens a TLS connection and does something on it; it ignores errors, which are what it provokes.
func (i *instance) attacker(do func(ctx context.Context, conn net.Conn)) func(context.Context, func()) {
	return func(ctx context.Context, connected func()) {
		tcp, err := raw(ctx, i.Addr().String())
		if err != nil {
			return
		}
		defer func() { _ = tcp.Close() }()
		conn := tls.Client(tcp, i.trust)
		if conn.HandshakeContext(ctx) == nil {
			connected()
			defer context.AfterFunc(ctx, func() { _ = tcp.Close() })()
			do(ctx, conn)
		}
	}
}

// large sends a whole large body as fast as it can, whatever the server says.
func large(body []byte) func(context.Context, net.Conn) {
	header := []byte(head(len(body), ""))
	return func(_ context.Context, conn net.Conn) {
		if _, err := conn.Write(header); err != nil {
			return
		}
		if _, err := conn.Write(body); err != nil {
			return
		}
		_, _ = conn.Read(make([]byte, 512))
	}
}

// slow sends a small body one byte at a time.
func slow(ctx context.Context, conn net.Conn) {
	if _, err := io.WriteString(conn, head(smallBody, "")); err != nil {
		return
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for one := []byte(" "); ; {
		if _, err := conn.Write(one); err != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// garbage returns an attack that does not speak TLS, or begins a handshake and does not finish it.
func (i *instance) garbage(text string) func(context.Context, func()) {
	return func(ctx context.Context, connected func()) {
		tcp, err := raw(ctx, i.Addr().String())
		if err != nil {
			return
		}
		defer func() { _ = tcp.Close() }()
		connected()
		defer context.AfterFunc(ctx, func() { _ = tcp.Close() })()
		_, _ = io.WriteString(tcp, text)
		_, _ = tcp.Read(make([]byte, 512))
	}
}

// watchMemory samples what the heap and the whole process take until ctx ends, and returns their peaks in bytes.
func watchMemory(ctx context.Context) (heap, total uint64) {
	samples := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"}}
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		metrics.Read(samples)
		heap = max(heap, samples[0].Value.Uint64())
		total = max(total, samples[1].Value.Uint64()-samples[2].Value.Uint64())
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	return heap, total
}

// honest asks 50 times a second, as an API server does, and returns how long each answer took. No answer may be wrong. One that does
// not come in time is only logged: the attackers share the processors with the server, and so may other programs.
func (i *instance) honest(t *testing.T, requests int) []time.Duration {
	t.Helper()
	client, body := i.client(t), review(t, 4<<10)
	var mu sync.Mutex
	var took []time.Duration
	var all sync.WaitGroup
	for tick := time.NewTicker(20 * time.Millisecond); requests > 0; requests-- {
		<-tick.C
		all.Go(func() {
			begun := time.Now()
			resp, err := try(t.Context(), client, i.url()+"?timeout=10s", body)
			if err != nil || resp.status != http.StatusOK {
				t.Logf("an honest request got no answer after %s: %v %+v", time.Since(begun).Round(time.Millisecond), err, resp)
				return
			}
			if !strings.Contains(resp.text, `"allowed":true`) {
				t.Errorf("an honest request was answered wrongly: %+v", resp)
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, time.Since(begun))
		})
	}
	all.Wait()
	slices.Sort(took)
	return took
}

// Strangers send as much as they can, as slowly as they can, and some do not even speak TLS. Honest clients are answered all the
// same, and memory stays within bounds. The attackers run in this process, so their memory counts as well: mostly 40 KiB each.
func TestFlood(t *testing.T) {
	const mebibyte = 1 << 20
	scale, requests, bound := 1, 200, uint64(200*mebibyte)
	if testing.Short() {
		scale, requests = 10, 50
	}
	s := started(t, Config{Handler: allowing(t), longest: maxTime})
	body := review(t, maxBody-mebibyte/8)
	crews := map[string]*crew{
		"large":   {members: 500 / scale, rounds: 12, attack: s.attacker(large(body))},
		"slow":    {members: 200 / scale, rounds: 12, attack: s.attacker(slow)},
		"garbage": {members: 50 / scale, rounds: 100, attack: s.garbage("this is not what a handshake looks like")},
		"silent":  {members: 50 / scale, rounds: 100, attack: s.garbage("\x16\x03\x01\x01\x00\x01")},
	}
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var attackers, watcher sync.WaitGroup
	var heap, total uint64
	watcher.Go(func() { heap, total = watchMemory(ctx) })
	for _, c := range crews {
		c.run(ctx, &attackers)
	}
	for _, c := range crews {
		eventually(t, func() bool { return int(c.begun.Load()) == c.members })
	}
	took := s.honest(t, requests)
	stop()
	attackers.Wait()
	watcher.Wait()

	if heap -= before.HeapAlloc; heap > bound {
		t.Errorf("the heap grew by %d MiB", heap/mebibyte)
	}
	t.Logf("heap +%d MiB, process +%d MiB; rounds of large %d, slow %d, garbage %d; refused %v", heap/mebibyte,
		(total-min(total, before.Sys-before.HeapReleased))/mebibyte, crews["large"].done.Load(), crews["slow"].done.Load(), crews["garbage"].done.Load(), &s.refused)
	n := len(took)
	if n < requests*9/10 {
		t.Fatalf("%d of %d honest requests were answered", n, requests)
	}
	t.Logf("%d of %d honest requests answered, median %v, 99%% %v, slowest %v", n, requests, took[n/2], took[n*99/100], took[n-1])
}
