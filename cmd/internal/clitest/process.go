package clitest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
)

// Process is a command in this process.
type Process struct {
	t    *testing.T
	Code chan int
	Quit context.CancelFunc

	mu   sync.Mutex
	logs bytes.Buffer
	// grew is told of each write to the log.
	grew chan struct{}
}

// Write takes a part of the log.
func (r *Process) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case r.grew <- struct{}{}:
	default:
	}
	return r.logs.Write(p)
}

// Lines are the log's, each of which must be one JSON object.
func (r *Process) Lines() []map[string]any {
	r.mu.Lock()
	defer r.mu.Unlock()
	return JSONLines(r.t, r.logs.String())
}

// Logged waits for a line with this message, or any if it is empty, whose field has this value, or any if it has no name. It returns the line.
func (r *Process) Logged(message string, field, value string) map[string]any {
	r.t.Helper()
	for {
		for _, line := range r.Lines() {
			if (message == "" || line["msg"] == message) && (field == "" || line[field] == value) {
				return line
			}
		}
		select {
		case <-r.grew:
		case <-time.After(30 * time.Second):
			r.t.Fatalf("never logged %q:\n%s", message, r.logs.String())
		}
	}
}

// End tells the controller to end and returns its exit code.
func (r *Process) End() int {
	r.Quit()
	return <-r.Code
}

// Get asks a process for a page, on a connection of its own, and returns the status code and the body.
func Get(t *testing.T, url string) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

// Start starts a program with a command that runs until it is told to end.
func Start(t *testing.T, p cli.Program, args ...string) *Process {
	ctx, cancel := context.WithCancel(t.Context())
	r := &Process{t: t, Code: make(chan int, 1), Quit: cancel, grew: make(chan struct{}, 1)}
	go func() {
		r.Code <- p.Run(ctx, args, cli.Streams{Out: io.Discard, Err: r, Bridge: func(*zap.Logger) {}})
	}()
	t.Cleanup(cancel)
	return r
}
