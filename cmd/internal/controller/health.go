package controller

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/mini-hpa/mini-hpa/cmd/internal/election"
)

// check is one named condition behind a probe. It returns why the condition does not hold.
type check struct {
	name  string
	probe func(r *http.Request) error
}

// probes serves /healthz and /readyz.
func probes(live, ready checks) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/healthz", live)
	mux.Handle("/readyz", ready)
	return mux
}

// alive are the conditions under which a controller can go on. Whether it leads is none of them, nor of being ready: a standby
// could lead at once.
func alive(l *election.Leadership) checks {
	return checks{ping(), {name: "leaderElection", probe: l.Renews}, {name: "term-end", probe: func(*http.Request) error { return l.EndsTerms() }}}
}

func ping() check { return check{name: "ping", probe: func(*http.Request) error { return nil }} }

func informed(filled func() bool) check {
	return check{name: "informer-sync", probe: func(*http.Request) error {
		if !filled() {
			return errors.New("the caches of what is in the cluster are not filled yet")
		}
		return nil
	}}
}

// checks answers a probe as Kubernetes' components do: "ok" if all hold, each on a line of its own with ?verbose, and
// each on a line of its own with status 500 if one fails.
type checks []check

// ServeHTTP runs all checks.
func (cs checks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var lines strings.Builder
	status, verdict := http.StatusOK, "passed"
	for _, c := range cs {
		if err := c.probe(r); err != nil {
			status, verdict = http.StatusInternalServerError, "failed"
			fmt.Fprintf(&lines, "[-]%s failed: %v\n", c.name, err)
			continue
		}
		fmt.Fprintf(&lines, "[+]%s ok\n", c.name)
	}
	fmt.Fprintf(&lines, "%s check %s\n", strings.TrimPrefix(r.URL.Path, "/"), verdict)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	if _, verbose := r.URL.Query()["verbose"]; status == http.StatusOK && !verbose {
		fmt.Fprint(w, "ok")
		return
	}
	fmt.Fprint(w, lines.String())
}
