package activator

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations/serves"
)

const (
	// reportPause is the least time between two reports of changes: the first is told at once, and no change later than this.
	reportPause = 40 * time.Millisecond
	// reportTimeout is how long a watcher may take to read what it is told.
	reportTimeout = 10 * time.Second
	// maxReports is how many may watch: the replicas of the controller of which one leads, and those that are taking over.
	maxReports = 16
)

// Reports serves the state, as serves.StatePath says.
func (s *Server) Reports() http.Handler {
	var watching atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+serves.StatePath, func(w http.ResponseWriter, r *http.Request) {
		defer watching.Add(-1)
		if watching.Add(1) > maxReports {
			http.Error(w, "there are too many watchers", http.StatusTooManyRequests)
			return
		}
		report := &report{server: s, to: w, control: http.NewResponseController(w)}
		w.Header().Set("Content-Type", serves.StateType)
		_ = report.run(r.Context(), r.URL.Query().Get("watch") == "1") // whoever does not listen any more need not be told why
	})
	return mux
}

// report tells one watcher the state.
type report struct {
	server  *Server
	to      http.ResponseWriter
	control *http.ResponseController
}

func (r *report) run(ctx context.Context, on bool) error {
	w := r.server.board.watch()
	defer r.server.board.unwatch(w)
	ports := map[*port]struct{}{}
	for _, p := range r.server.all() {
		ports[p] = struct{}{}
	}
	process, _ := r.server.board.take(w)
	lines := serves.AppendLine(r.lines(process, ports), serves.Line{Synced: true})
	if err := r.write(lines); err != nil || !on {
		return err
	}
	heartbeat := time.NewTicker(serves.Heartbeat)
	defer heartbeat.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-heartbeat.C:
			about := r.server.board.about()
			lines = serves.AppendLine(nil, serves.Line{Process: &about})
		case <-w.news:
			lines = r.lines(r.server.board.take(w))
		}
		if err := r.write(lines); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(reportPause):
		}
	}
}

// lines are what is told of the process, unless it is nil, and of ports.
func (r *report) lines(process *serves.Process, ports map[*port]struct{}) []byte {
	var text []byte
	if process != nil {
		text = serves.AppendLine(text, serves.Line{Process: process})
	}
	now := time.Now()
	for p := range ports {
		state := p.state(now)
		text = serves.AppendLine(text, serves.Line{Port: &state})
	}
	return text
}

func (r *report) write(lines []byte) error {
	if err := r.control.SetWriteDeadline(time.Now().Add(reportTimeout)); err != nil {
		return err
	}
	_, err := r.to.Write(lines)
	return errors.Join(err, r.control.Flush())
}
