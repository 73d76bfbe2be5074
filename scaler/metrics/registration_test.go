package metrics

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// TestALookUpThatFailsIsSharedAndRemembered: those who wait for it do not repeat it one after the other.
func TestALookUpThatFailsIsSharedAndRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start, looked := time.Now(), 0
		r := &registration{api: customAPI(), discover: func() (*metav1.APIGroup, error) {
			looked++
			time.Sleep(10 * s)
			return nil, errors.New("no route")
		}}
		const want = "cannot find out whether the custom metrics API is registered: no route"
		var all sync.WaitGroup
		ask := func(after time.Duration) {
			if _, err := r.preferred(t.Context()); err == nil || err.Error() != want || time.Since(start) != after {
				t.Errorf("error %v after %s, want %s after %s", err, time.Since(start), want, after)
			}
		}
		for range 20 {
			all.Go(func() { ask(10 * s) })
		}
		time.Sleep(s)
		hurried, cancel := context.WithTimeout(t.Context(), s)
		defer cancel()
		if _, err := r.preferred(hurried); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 2*s {
			t.Errorf("error %v after %s, want the deadline's after 2 s", err, time.Since(start))
		}
		all.Wait()
		time.Sleep(forgive - s)
		ask(12 * s)
		if looked != 1 {
			t.Errorf("looked up %d times, want once", looked)
		}
		time.Sleep(s)
		ask(23 * s)
		if looked != 2 {
			t.Errorf("looked up %d times, want a second time after %s", looked, forgive)
		}
	})
}

// TestRequestsEndWithTheQuestion, whatever deadline the clients have.
func TestRequestsEndWithTheQuestion(t *testing.T) {
	came, ended := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/apis/custom.metrics.k8s.io":
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, customGroup, "v1beta2")
		case "/apis/external.metrics.k8s.io":
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, externalGroup)
		default:
			came <- struct{}{}
			<-r.Context().Done()
			ended <- struct{}{}
		}
	}))
	defer server.Close()
	custom, external, err := NewSources(&rest.Config{Host: server.URL}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for q, source := range map[Question]Source{backlog: external, hits: custom} {
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-came
			cancel()
		}()
		if _, err := source.Ask(ctx, q); err == nil {
			t.Errorf("an answer to %v from a server that gives none", q)
		}
		<-ended
	}
}
