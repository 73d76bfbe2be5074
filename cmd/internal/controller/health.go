package controller

import (
	"errors"
	"net/http"

	"github.com/mini-hpa/mini-hpa/cmd/internal/election"
	"github.com/mini-hpa/mini-hpa/cmd/internal/endpoint"
)

// alive are the conditions under which a controller can go on. Whether it leads is none of them, nor of being ready: a standby
// could lead at once.
func alive(l *election.Leadership) endpoint.Checks {
	return endpoint.Checks{endpoint.Ping(), {Name: "leaderElection", Probe: l.Renews}, {Name: "term-end", Probe: func(*http.Request) error { return l.EndsTerms() }}}
}

func informed(filled func() bool) endpoint.Check {
	return endpoint.Check{Name: "informer-sync", Probe: func(*http.Request) error {
		if !filled() {
			return errors.New("the caches of what is in the cluster are not filled yet")
		}
		return nil
	}}
}
