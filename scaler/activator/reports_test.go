package activator

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations/serves"
)

func TestReports(t *testing.T) {
	b := newBench(t, nil)
	reports := httptest.NewUnstartedServer(b.server.Reports())
	reports.Config.ReadTimeout = serves.Heartbeat - time.Second // which is over before the first sign of life
	reports.Start()
	t.Cleanup(reports.Close)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	request, _ := http.NewRequestWithContext(ctx, http.MethodGet, reports.URL+serves.StatePath+"?watch=1", nil)
	r, err := reports.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Body.Close() })
	from := bufio.NewScanner(r.Body)
	next := func() serves.Line {
		t.Helper()
		if !from.Scan() {
			t.Fatal(from.Err())
		}
		line, err := serves.ParseLine(from.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		return line
	}
	if line := next(); line.Process == nil || line.Process.Start != "1" || line.Process.Draining {
		t.Errorf("first comes %+v", line)
	}
	seen := map[string]bool{}
	line := next()
	for ; line.Port != nil; line = next() {
		seen[line.Port.Name] = line.Port.Listening && line.Port.Slice == "shop/mini-hpa-web"
	}
	if !line.Synced || !seen["http"] || !seen["tcp"] {
		t.Errorf("%+v came after %v", line, seen)
	}
	until := func(what string, is func(serves.Line) bool) {
		t.Helper()
		for range 1000 {
			if is(next()) {
				return
			}
		}
		t.Fatalf("nothing says %s", what)
	}
	c := b.dial("tcp")
	until("that one is held", func(l serves.Line) bool {
		return l.Port != nil && l.Port.Held == 1 && l.Port.Wakes == 1 && l.Port.Active.Connections == 1
	})
	c.Close()
	until("that it has gone", func(l serves.Line) bool { return l.Port != nil && l.Port.Held == 0 })
	until("that the process is there", func(l serves.Line) bool { return l.Process != nil })
	b.server.Drop(b.key())
	until("that the port is not served", func(l serves.Line) bool { return l.Port != nil && l.Port.Gone })
	go b.end()
	until("that it ends", func(l serves.Line) bool { return l.Process != nil && l.Process.Draining })
}

func TestAReportThatEnds(t *testing.T) {
	b := newBench(t, nil)
	answer := httptest.NewRecorder()
	b.server.Reports().ServeHTTP(recorder{answer}, httptest.NewRequest(http.MethodGet, serves.StatePath, nil))
	lines := strings.Split(strings.TrimSpace(answer.Body.String()), "\n")
	if len(lines) != 4 || lines[3] != `{"synced":true}` || answer.Header().Get("Content-Type") != serves.StateType {
		t.Errorf("%v: %q", answer.Header(), lines)
	}
	for request, status := range map[*http.Request]int{httptest.NewRequest(http.MethodPost, serves.StatePath, nil): http.StatusMethodNotAllowed, httptest.NewRequest(http.MethodGet, "/", nil): http.StatusNotFound} {
		answer := httptest.NewRecorder()
		if b.server.Reports().ServeHTTP(answer, request); answer.Code != status {
			t.Errorf("%s %s: %d", request.Method, request.URL, answer.Code)
		}
	}
}

// recorder takes deadlines, as a connection does.
type recorder struct{ *httptest.ResponseRecorder }

func (recorder) SetWriteDeadline(time.Time) error { return nil }
