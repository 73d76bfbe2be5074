package election

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
	"github.com/mini-hpa/mini-hpa/scaler"
)

// testTenure is one of 10 s whose clocks a test sets, each by itself.
type testTenure struct {
	*Tenure
	wall, steady time.Duration
}

func newTestTenure() *testTenure {
	t := &testTenure{Tenure: NewTenure(DefaultFlags())}
	epoch := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	t.Clock = func() moment { return moment{wall: epoch.Add(t.wall), steady: epoch.Add(t.steady)} }
	return t
}

// pass lets time pass by both clocks.
func (t *testTenure) pass(d time.Duration) {
	t.mu.Lock() // which the tenure holds when it asks its clock
	defer t.mu.Unlock()
	t.wall += d
	t.steady += d
}

func TestTenure(t *testing.T) {
	const second = time.Second
	tests := map[string]struct {
		play func(t *testTenure)
		want time.Duration // what is left
	}{
		"nothing was won yet":  {func(*testTenure) {}, 0},
		"just won":             {func(t *testTenure) { t.Renew(t.Clock()) }, 10 * second},
		"not renewed since":    {func(t *testTenure) { t.Renew(t.Clock()); t.pass(4 * second) }, 6 * second},
		"to the last moment":   {func(t *testTenure) { t.Renew(t.Clock()); t.pass(10*second - 1) }, 1},
		"not renewed in time":  {func(t *testTenure) { t.Renew(t.Clock()); t.pass(10 * second) }, 0},
		"stopped for long":     {func(t *testTenure) { t.Renew(t.Clock()); t.pass(45 * second) }, -35 * second},
		"renewed":              {func(t *testTenure) { t.Renew(t.Clock()); t.pass(4 * second); t.Renew(t.Clock()); t.pass(second) }, 9 * second},
		"renewed after a stop": {func(t *testTenure) { t.Renew(t.Clock()); t.pass(45 * second); t.Renew(t.Clock()) }, 10 * second},
		"an answer that was long in coming": {func(t *testTenure) {
			sent := t.Clock()
			t.pass(3 * second)
			t.Renew(sent)
		}, 7 * second},
		"a virtual machine that was suspended": {func(t *testTenure) { t.Renew(t.Clock()); t.wall += 20 * second }, -10 * second},
		"a wall clock that was set back": {func(t *testTenure) {
			t.Renew(t.Clock())
			t.wall -= time.Hour
			t.pass(4 * second)
		}, 6 * second},
		"somebody else's":               {func(t *testTenure) { t.Renew(t.Clock()); t.end() }, 0},
		"won again":                     {func(t *testTenure) { t.Renew(t.Clock()); t.end(); t.Renew(t.Clock()) }, 10 * second},
		"without an election, always":   {func(t *testTenure) { t.always = true; t.pass(time.Hour) }, 10 * second},
		"without an election, for long": {func(t *testTenure) { t.always = true; t.end() }, 10 * second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			tenure := newTestTenure()
			test.play(tenure)
			if got := tenure.left(); got != test.want {
				t.Errorf("%s is left, want %s", got, test.want)
			}
			if err := tenure.Check(); (err == nil) != (test.want > 0) {
				t.Errorf("check: %v", err)
			}
		})
	}
}

// scaleFunc is a writer of scales.
type scaleFunc func(ctx context.Context) error

// Scale is scaler.Scales'.
func (f scaleFunc) Scale(ctx context.Context, _ *annotations.Workload, _ int32) (string, error) {
	return "", f(ctx)
}

// TestAWriteEndsWithTheTenure: whoever waits for an answer waits no longer than nobody else can lead.
func TestAWriteEndsWithTheTenure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenure := NewTenure(DefaultFlags())
		sent, refused := 0, errors.New("refused")
		writer := leased{scaleFunc(func(ctx context.Context) error {
			sent++
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(3 * time.Second):
				return refused
			}
		}), tenure}
		write := func(want error, takes time.Duration) {
			t.Helper()
			began := time.Now()
			if _, err := writer.Scale(t.Context(), nil, 5); !errors.Is(err, want) || errors.Is(err, scaler.ErrNotLeading) != errors.Is(want, scaler.ErrNotLeading) ||
				errors.Is(err, scaler.ErrNotSent) != errors.Is(want, scaler.ErrNotSent) {
				t.Errorf("error %v, want %v", err, want)
			}
			if took := time.Since(began); took != takes {
				t.Errorf("it took %s, want %s", took, takes)
			}
		}
		write(scaler.ErrNotSent, 0)
		tenure.Renew(tenure.Clock())
		write(refused, 3*time.Second)
		time.Sleep(6 * time.Second)
		write(scaler.ErrNotLeading, time.Second)
		write(scaler.ErrNotSent, 0)
		if sent != 2 {
			t.Errorf("%d writes were sent, want 2", sent)
		}
	})
}

// TestNothingIsSentAfterTheTenure: also not by those who try again, client-go and the transport.
func TestNothingIsSentAfterTheTenure(t *testing.T) {
	tenure := newTestTenure()
	var sent atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		sent.Add(1)
		tenure.pass(20 * time.Second) // the process is stopped while the API server answers
		w.Header().Set("Retry-After", "0")
		http.Error(w, "try again", http.StatusTooManyRequests)
	}))
	defer server.Close()
	acting := cluster.DefaultAPIFlags().Actor(&rest.Config{Host: server.URL}, tenure.Guard)
	scales, err := scaler.NewScales(acting)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(acting)
	if err != nil {
		t.Fatal(err)
	}
	w := &annotations.Workload{Key: annotations.DeploymentKey("default", "web"), APIVersion: "apps/v1", Resource: "deployments"}
	if _, err := scales.Scale(t.Context(), w, 5); !errors.Is(err, scaler.ErrNotLeading) || sent.Load() != 0 {
		t.Errorf("without a tenure: %v, %d requests", err, sent.Load())
	}
	tenure.Renew(tenure.Clock())
	if _, err := scales.Scale(t.Context(), w, 5); err == nil || sent.Load() != 1 {
		t.Errorf("the tenure ends before a second try: %v, %d requests", err, sent.Load())
	}
	if _, err := client.AppsV1().Deployments("default").Get(t.Context(), "web", metav1.GetOptions{}); err == nil || errors.Is(err, scaler.ErrNotLeading) {
		t.Errorf("reading: %v", err)
	}
}

// TestTheBodyIsTheLastMoment: between the first look at the clock and the sending of the body, a connection may have to be made.
func TestTheBodyIsTheLastMoment(t *testing.T) {
	tenure := newTestTenure()
	tenure.Renew(tenure.Clock())
	var got []string
	transport := tenure.Guard(roundTrip(func(r *http.Request) (*http.Response, error) {
		for _, read := range []func() (io.ReadCloser, error){func() (io.ReadCloser, error) { return r.Body, nil }, r.GetBody} {
			body, err := read()
			if err != nil {
				return nil, err
			}
			text, err := io.ReadAll(body)
			if got = append(got, string(text)); err != nil {
				return nil, err
			}
			tenure.pass(20 * time.Second)
		}
		return nil, errors.New("it was sent twice")
	}))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://localhost", strings.NewReader("5 replicas"))
	if err != nil {
		t.Fatal(err)
	}
	response, err := transport.RoundTrip(request)
	if err == nil {
		response.Body.Close()
	}
	if !errors.Is(err, scaler.ErrNotLeading) || len(got) != 2 || got[0] != "5 replicas" || got[1] != "" {
		t.Errorf("%v; sent %q, want the body once", err, got)
	}
}

// TestClientGoCancelsRequests: where it finds no way to, it writes a line into the log for each that takes too long.
func TestClientGoCancelsRequests(t *testing.T) {
	next := &http.Transport{}
	if wrapper, ok := newTestTenure().Guard(next).(utilnet.RoundTripperWrapper); !ok || wrapper.WrappedRoundTripper() != next {
		t.Errorf("client-go finds %v", wrapper)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

// RoundTrip is http.RoundTripper's.
func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
