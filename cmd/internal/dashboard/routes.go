package dashboard

import (
	"context"
	_ "embed" // the files of the page
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/doctor"
)

// The files of the page, compressed: page/ has them as they are written, and TestPageIsWhatItIsMadeOf makes these.
//
//go:embed page/index.html.gz
var indexHTML string

//go:embed page/style.css.gz
var styleCSS string

//go:embed page/chart.js.gz
var chartJS string

//go:embed page/app.js.gz
var appJS string

//go:embed page/icon.svg.gz
var iconSVG string

// server answers one browser.
type server struct {
	hub    *hub
	poller *poller
	// trying is full while somebody tries annotations, which takes a processor.
	trying chan struct{}
	// doctor looks for what is wrong with the installation and with the workloads. An error says why not all was looked at, beside what was.
	doctor func(ctx context.Context) ([]doctor.Line, error)
	// examining is full while it does, which asks the cluster for much.
	examining chan struct{}
	// ctx ends with the process, and with it the streams.
	ctx context.Context //nolint:containedctx // requests outlive no process
}

// routes are all that there is.
func (s *server) routes() map[string]http.HandlerFunc {
	page := file(indexHTML, "text/html; charset=utf-8")
	return map[string]http.HandlerFunc{
		"/{$}":                            page,
		pathWorkload + named:              page,
		pathSystem:                        page,
		"/app.js":                         file(appJS, "text/javascript; charset=utf-8"),
		"/chart.js":                       file(chartJS, "text/javascript; charset=utf-8"),
		"/style.css":                      file(styleCSS, "text/css; charset=utf-8"),
		"/icon.svg":                       file(iconSVG, "image/svg+xml"),
		pathStream:                        s.table,
		pathStream + pathSystem:           s.controller,
		pathStream + pathWorkload + named: s.workload,
		pathTry + named:                   s.try,
		pathDoctor:                        s.examine,
	}
}

func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	for pattern, handle := range s.routes() {
		mux.HandleFunc("GET "+pattern, handle)
	}
	return mux
}

// file answers with a file of the program itself.
func file(text, kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = io.WriteString(w, text) // who has gone away needs no answer
	}
}

// beat is how often a tab hears that nothing is new, so that it knows when nobody is there any more.
const beat = 5 * time.Second

// stream is a connection by which a tab is told what is new (server-sent events).
type stream struct {
	w    http.ResponseWriter
	wire *http.ResponseController
}

func newStream(w http.ResponseWriter) *stream {
	w.Header().Set("Content-Type", "text/event-stream")
	return &stream{w: w, wire: http.NewResponseController(w)}
}

// tell sends one event. The id is empty if the tab need not know it.
func (s *stream) tell(event, id string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := s.wire.SetWriteDeadline(time.Now().Add(2 * beat)); err != nil {
		return err
	}
	if id != "" {
		id = "id: " + id + "\n"
	}
	// JSON has no line breaks.
	_, err = fmt.Fprintf(s.w, "event: %s\n%sdata: %s\n\n", event, id, text)
	return err
}

// wait waits for news, and says whether to go on.
func (s *server) wait(r *http.Request, news <-chan struct{}) (goOn bool) {
	select {
	case <-r.Context().Done():
		return false
	case <-s.ctx.Done():
		return false
	case <-news:
	case <-time.After(beat):
	}
	return true
}

// table streams the table: all of it, then what is new.
func (s *server) table(w http.ResponseWriter, r *http.Request) {
	out := newStream(w)
	if r.Method == http.MethodHead {
		return
	}
	defer s.hub.look(tableID)()
	s.poller.begin()
	seen := s.hub.seen(r.Header.Get("Last-Event-ID"))
	for {
		parts, now, news := s.hub.since(seen)
		for i := range parts {
			name := ""
			if !parts[i].More { // whoever is cut off before has not seen it
				name = s.hub.eventID(now)
			}
			if out.tell("table", name, parts[i]) != nil || out.wire.Flush() != nil {
				return
			}
		}
		if seen = now; !s.wait(r, news) {
			return
		}
	}
}

// controller streams what there is to know of the controller.
func (s *server) controller(w http.ResponseWriter, r *http.Request) { s.follow(w, r, controllerID) }

// workload streams what there is to know of one workload.
func (s *server) workload(w http.ResponseWriter, r *http.Request) { s.follow(w, r, id(r)) }

func (s *server) follow(w http.ResponseWriter, r *http.Request, id string) {
	out := newStream(w)
	if r.Method == http.MethodHead {
		return
	}
	defer s.hub.look(id)()
	s.poller.begin()
	for seen := 0; ; {
		v, now, news := s.hub.seeing(id)
		if now == seen {
			v.View = nil // it has it
		}
		if seen = now; out.tell("view", "", v) != nil || out.wire.Flush() != nil || !s.wait(r, news) {
			return
		}
	}
}

// id is the workload that a path names. It need not be there.
func id(r *http.Request) string {
	return r.PathValue("namespace") + "/" + r.PathValue("kind") + "/" + r.PathValue("name")
}

// most is how long a setting may be: longer ones are refused by the parser in any case.
const most = 100

// patience is how long it may take to try annotations. It is less than the deadline of the answer.
const patience = 20 * time.Second

var errPatience = fmt.Errorf("it takes longer than %v to try this", patience)

// try answers what other annotations would have done, one request at a time.
func (s *server) try(w http.ResponseWriter, r *http.Request) {
	changed := map[string]string{}
	for name, values := range r.URL.Query() {
		if name == keyParam {
			continue
		}
		if !annotations.IsKnown(name) || len(values[0]) > most {
			http.Error(w, "this is no annotation that can be tried", http.StatusBadRequest)
			return
		}
		changed[name] = values[0]
	}
	t := s.poller.trial(id(r))
	if t == nil || len(changed) == 0 {
		http.NotFound(w, r)
		return
	}
	ctx, cancel := context.WithTimeoutCause(r.Context(), patience, errPatience)
	defer cancel()
	select {
	case s.trying <- struct{}{}:
		defer func() { <-s.trying }()
	case <-ctx.Done():
		http.Error(w, context.Cause(ctx).Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(t.try(ctx, changed)) // who has gone away needs no answer
}

// findings are what doctor has found.
type findings struct {
	Lines []doctor.Line `json:"lines"`
	// More is how many there are beside these.
	More int `json:"more,omitempty"`
	// Problem is why not all was looked at; empty if it was.
	Problem string `json:"problem,omitempty"`
}

// mostFindings is how many are told: of thousands nobody reads all, and the table has them.
const mostFindings = 100

var errExamining = fmt.Errorf("that takes longer than %v", patience)

// examine answers what doctor finds, when it is asked and not by itself, for one request at a time.
func (s *server) examine(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if r.Method == http.MethodHead {
		return
	}
	ctx, cancel := context.WithTimeoutCause(r.Context(), patience, errExamining)
	defer cancel()
	var out findings
	select {
	case s.examining <- struct{}{}:
		defer func() { <-s.examining }()
		lines, err := s.doctor(ctx)
		if out.Lines = lines[:min(len(lines), mostFindings)]; err != nil {
			out.Problem = err.Error()
		}
		out.More = len(lines) - len(out.Lines)
	case <-ctx.Done():
		out.Problem = "somebody else examines: " + context.Cause(ctx).Error()
	}
	_ = json.NewEncoder(w).Encode(out) // who has gone away needs no answer
}
