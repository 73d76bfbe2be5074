package guard

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestRefusals(t *testing.T) {
	t.Parallel()
	s := started(t, Config{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler was called") })})
	client := s.client(t)
	for name, tc := range map[string]struct {
		method, path, contentType string
		body                      io.Reader
		status                    int
	}{
		"path":         {path: "/secret-path", status: http.StatusNotFound},
		"method":       {method: http.MethodPut, status: http.StatusMethodNotAllowed},
		"content-type": {contentType: "application/secret", status: http.StatusUnsupportedMediaType},
		"length":       {body: io.MultiReader(strings.NewReader("secret")), status: http.StatusLengthRequired},
		"empty":        {body: http.NoBody, status: http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.body == nil {
				tc.body = strings.NewReader("secret")
			}
			path := testPath
			if tc.path != "" {
				path = tc.path
			}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+s.Addr().String()+path+"?secret", tc.body)
			if err != nil {
				t.Fatal(err)
			}
			if tc.method != "" {
				req.Method = tc.method
			}
			req.Header.Set("Content-Type", "application/json")
			if tc.contentType != "" {
				req.Header.Set("Content-Type", tc.contentType)
			}
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			got, err := readAnswer(resp)
			if err != nil || got.status != tc.status || !got.close || strings.Contains(got.text, "secret") {
				t.Errorf("answered %+v, %v", got, err)
			}
			if s.refused.of(name) != 1 {
				t.Errorf("counted %v", &s.refused)
			}
		})
	}
}

// A body that is too large is refused before it is sent.
func TestTooLargeBody(t *testing.T) {
	t.Parallel()
	s := started(t, Config{Handler: http.HandlerFunc(ok)})
	conn := s.dial(t)
	if _, err := io.WriteString(conn, head(maxBody, "")); err != nil {
		t.Fatal(err)
	}
	if resp := answered(t, conn); resp.status != http.StatusRequestEntityTooLarge || !resp.close || s.refused.of("too-large") != 1 {
		t.Errorf("answered %d, closing %v, counted %v", resp.status, resp.close, &s.refused)
	}
}

// The handler gets the whole body and a deadline.
func TestBodiesArriveComplete(t *testing.T) {
	t.Parallel()
	s := started(t, Config{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		deadline, has := r.Context().Deadline()
		if !has || time.Until(deadline) > enough {
			t.Errorf("the handler has time until %v, %v", deadline, has)
		}
		hash := sha256.New()
		if n, err := io.Copy(hash, r.Body); err != nil || n != r.ContentLength {
			t.Errorf("read %d bytes of %d: %v", n, r.ContentLength, err)
		}
		_, _ = io.WriteString(w, hex.EncodeToString(hash.Sum(nil)))
	})})
	client := s.client(t)
	whole := make([]byte, maxBody)
	for i := range whole {
		whole[i] = byte(i * i >> 7)
	}
	for _, size := range []int{1, 4 << 10, chunkSize - 1, chunkSize, chunkSize + 1, smallBody, smallBody + 1, maxBody - 1} {
		sum := sha256.Sum256(whole[:size])
		resp := post(t, client, s.url()+"?timeout=1m", whole[:size])
		if resp.status != http.StatusOK || resp.close || resp.text != hex.EncodeToString(sum[:]) {
			t.Errorf("%d bytes: answered %d %s, closing %v", size, resp.status, resp.text, resp.close)
		}
	}
}

func TestTimeLimit(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]time.Duration{
		"": maxTime, "?timeout=1s": time.Second, "?timeout=10s": maxTime, "?timeout=-1s": maxTime, "?timeout=0s": maxTime,
		"?timeout=soon": maxTime, "?timeout=%zz": maxTime,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://webhook"+testPath+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := newGuard(&Config{}).timeLimit(req); got != want {
			t.Errorf("%q: %v, not %v", query, got, want)
		}
	}
}

func TestSlowWriter(t *testing.T) {
	t.Parallel()
	s := started(t, Config{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler was called") })})
	conn := s.dial(t)
	if _, err := io.WriteString(conn, head(4096, "?timeout=50ms")+"{"); err != nil {
		t.Fatal(err)
	}
	if resp := answered(t, conn); resp.status != http.StatusRequestTimeout || !resp.close || s.refused.of("slow") != 1 {
		t.Errorf("answered %d, closing %v, counted %v", resp.status, resp.close, &s.refused)
	}
}

func TestBrokenOffBody(t *testing.T) {
	t.Parallel()
	s := prepared(t, Config{Handler: http.HandlerFunc(ok)})
	refused := make(chan string, 1)
	g := newGuard(&Config{Paths: []string{testPath}, longest: enough, Handler: http.HandlerFunc(ok), OnRefused: func(reason string) { refused <- reason }})
	s.http.Handler = g
	s.serve(t)
	conn := s.dial(t)
	if _, err := io.WriteString(conn, head(4096, "")+"{"); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	if reason := wait(t, refused, "a refusal"); reason != "broken-off" {
		t.Errorf("refused as %q", reason)
	}
}

// Three bodies in a pool for two: the one that began first is dropped, and the third is answered.
func TestSlowWriterMakesRoom(t *testing.T) {
	t.Parallel()
	s := prepared(t, Config{Handler: http.HandlerFunc(ok)})
	g := newGuard(&Config{Paths: []string{testPath}, longest: enough, Handler: http.HandlerFunc(ok), OnRefused: s.refused.add})
	g.small = newLane(2*chunkSize, smallAnswers, oldest)
	s.http.Handler = g
	s.serve(t)

	first, second := s.dial(t), s.dial(t)
	for i, conn := range []io.Writer{first, second} {
		if _, err := io.WriteString(conn, head(4096, "")+"{"); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() bool {
			g.small.memory.mu.Lock()
			defer g.small.memory.mu.Unlock()
			return g.small.memory.free == 1-i
		})
	}
	if resp := post(t, s.client(t), s.url(), []byte("{}")); resp.status != http.StatusOK {
		t.Errorf("the third was answered %d", resp.status)
	}
	resp := answered(t, first)
	if resp.status != http.StatusTooManyRequests || resp.header.Get("Retry-After") == "" || s.refused.of("memory") != 1 {
		t.Errorf("the first was answered %d %v, counted %v", resp.status, resp.header, &s.refused)
	}
	if _, err := second.Write(bytes.Repeat([]byte(" "), 4095)); err != nil {
		t.Fatal(err)
	}
	if resp := answered(t, second); resp.status != http.StatusOK {
		t.Errorf("the second was answered %d", resp.status)
	}
}

// eventually waits for a state that nothing announces.
func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), enough)
	defer cancel()
	for tick := time.NewTicker(time.Millisecond); !holds(); {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("waited in vain")
		}
	}
}

// Only so many requests are answered at a time; the next one waits for its turn, and is refused when its time is over.
func TestAnswersAtATime(t *testing.T) {
	t.Parallel()
	s := prepared(t, Config{Handler: http.HandlerFunc(ok)})
	begun, release := make(chan struct{}), make(chan struct{})
	var now atomic.Int32
	g := newGuard(&Config{Paths: []string{testPath}, longest: enough, OnRefused: s.refused.add, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n := now.Add(1); n > 1 {
			t.Errorf("%d are answered at a time", n)
		}
		defer now.Add(-1)
		begun <- struct{}{}
		<-release
		ok(w, r)
	})})
	g.small = newLane(smallMemory, 1, oldest)
	s.http.Handler = g
	s.serve(t)
	client := s.client(t)
	body := []byte("{}")
	statuses := make(chan int, 2)
	ask := func() {
		resp, err := try(t.Context(), client, s.url(), body)
		if err != nil {
			t.Error(err)
			statuses <- 0
			return
		}
		statuses <- resp.status
	}
	go ask()
	wait(t, begun, "the first request")
	if resp := post(t, client, s.url()+"?timeout=50ms", body); resp.status != http.StatusTooManyRequests || s.refused.of("busy") != 1 {
		t.Errorf("one too many was answered %d, counted %v", resp.status, &s.refused)
	}
	go ask()
	release <- struct{}{}
	wait(t, begun, "the second request")
	release <- struct{}{}
	if a, b := wait(t, statuses, "an answer"), wait(t, statuses, "an answer"); a != http.StatusOK || b != http.StatusOK {
		t.Errorf("answered %d and %d", a, b)
	}
}

// While one large body is being answered, the next finds no memory. Small ones have their own.
func TestSmallBodiesDoNotWaitForLargeOnes(t *testing.T) {
	t.Parallel()
	s := prepared(t, Config{Handler: http.HandlerFunc(ok)})
	begun, release := make(chan struct{}), make(chan struct{})
	g := newGuard(&Config{Paths: []string{testPath}, longest: enough, OnRefused: s.refused.add, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > smallBody {
			close(begun)
			<-release
		}
		ok(w, r)
	})})
	g.large = newLane(smallBody+chunkSize, largeAnswers, youngest)
	s.http.Handler = g
	s.serve(t)
	client := s.client(t)
	statuses := make(chan int, 1)
	go func() {
		resp, err := try(t.Context(), client, s.url(), make([]byte, smallBody+1))
		if err != nil {
			t.Error(err)
		}
		statuses <- resp.status
	}()
	wait(t, begun, "the large request")
	conn := s.dial(t)
	if _, err := io.WriteString(conn, head(smallBody+1, "")); err != nil {
		t.Fatal(err)
	}
	if resp := answered(t, conn); resp.status != http.StatusTooManyRequests || s.refused.of("memory") != 1 {
		t.Errorf("a second large one was answered %d, counted %v", resp.status, &s.refused)
	}
	if resp := post(t, client, s.url(), []byte("{}")); resp.status != http.StatusOK {
		t.Errorf("a small one was answered %d", resp.status)
	}
	close(release)
	if status := wait(t, statuses, "the large answer"); status != http.StatusOK {
		t.Errorf("the large one was answered %d", status)
	}
}

func TestPanics(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zap.WarnLevel)
	s := started(t, Config{Log: zap.New(core), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.RawQuery {
		case "bug":
			panic("secret")
		case "abort":
			panic(http.ErrAbortHandler)
		}
		ok(w, r)
	})})
	client := s.client(t)
	resp := post(t, client, s.url()+"?bug", []byte("{}"))
	if resp.status != http.StatusInternalServerError || strings.Contains(resp.text, "secret") || s.refused.of("panic") != 1 {
		t.Errorf("answered %d %q, counted %v", resp.status, resp.text, &s.refused)
	}
	if _, err := try(t.Context(), client, s.url()+"?abort", []byte("{}")); err == nil {
		t.Error("an aborted request was answered")
	}
	if resp := post(t, client, s.url(), []byte("{}")); resp.status != http.StatusOK {
		t.Errorf("the next one was answered %d", resp.status)
	}
	if logs.Len() != 1 {
		t.Fatalf("logged %d lines, not 1: %v", logs.Len(), logs.All())
	}
	if fields := logs.All()[0].ContextMap(); fields["panic"] != "secret" || !strings.Contains(fields["stack"].(string), "TestPanics") {
		t.Errorf("logged %v", fields)
	}
}
