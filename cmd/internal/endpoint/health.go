package endpoint

import (
	"fmt"
	"net/http"
	"strings"
)

// Check is one named condition behind a probe. It returns why the condition does not hold.
type Check struct {
	Name  string
	Probe func(r *http.Request) error
}

// Probes serves /healthz and /readyz.
func Probes(live, ready Checks) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/healthz", live)
	mux.Handle("/readyz", ready)
	return mux
}

// Ping holds as long as somebody answers.
func Ping() Check {
	return Check{Name: "ping", Probe: func(*http.Request) error { return nil }}
}

// Checks answers a probe as Kubernetes' components do: "ok" if all hold, each on a line of its own with ?verbose, and
// each on a line of its own with status 500 if one fails.
type Checks []Check

// ServeHTTP runs all checks.
func (cs Checks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var lines strings.Builder
	status, verdict := http.StatusOK, "passed"
	for _, c := range cs {
		if err := c.Probe(r); err != nil {
			status, verdict = http.StatusInternalServerError, "failed"
			fmt.Fprintf(&lines, "[-]%s failed: %v\n", c.Name, err)
			continue
		}
		fmt.Fprintf(&lines, "[+]%s ok\n", c.Name)
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
