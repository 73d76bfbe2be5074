package metrics

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// ErrPending is what Err wraps before the first LIST was answered: nothing is wrong yet, nothing is known yet.
var ErrPending = errors.New("no metrics yet: the resource metrics API (metrics.k8s.io) has not answered a first LIST")

// maxQuoted is how much of a server's own message an error repeats, in runes.
const maxQuoted = 200

// failure says in one line why pod metrics could not be listed and what to do about it. Its text holds nothing that differs
// between two requests failing for one reason; the full story is its cause.
type failure struct {
	// kind names the reason; two failures of one kind are the same failure happening again.
	kind  string
	text  string
	cause error
}

func (f *failure) Error() string { return f.text }

// Unwrap gives the error of the client, for errors.Is, errors.As and apierrors.IsForbidden and the like.
func (f *failure) Unwrap() error { return f.cause }

// explain makes a failure of a LIST's error. timeout is the deadline the LIST was given.
func explain(err error, timeout time.Duration) *failure {
	kind, advice := diagnose(err, timeout)
	return &failure{kind: kind, text: "cannot list pod metrics: " + advice, cause: err}
}

func diagnose(err error, timeout time.Duration) (kind, advice string) {
	var status apierrors.APIStatus
	var netErr net.Error
	var tooMuch *excess
	switch {
	case errors.As(err, &tooMuch):
		return "too much", "the answer of the resource metrics API (metrics.k8s.io) is not read: " + tooMuch.text +
			"; if so many pods are right, let each controller see a part of the namespaces (--namespace)"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout", fmt.Sprintf("the resource metrics API (metrics.k8s.io) did not answer within %v", timeout)
	case errors.As(err, &status):
		return diagnoseStatus(err, status)
	case errors.As(err, &netErr) && netErr.Timeout():
		return "timeout", "the connection to the API server timed out"
	}
	return diagnoseConnection(err)
}

// diagnoseStatus explains what an API server answered.
func diagnoseStatus(err error, status apierrors.APIStatus) (kind, advice string) {
	code, said := status.Status().Code, quote(status.Status().Message)
	kind = fmt.Sprintf("%d %s", code, status.Status().Reason)
	switch {
	case apierrors.IsNotFound(err):
		return kind, "the resource metrics API (metrics.k8s.io) is not served: install metrics-server"
	case apierrors.IsServiceUnavailable(err):
		return kind, "the resource metrics API (metrics.k8s.io) is not served: install metrics-server, " +
			"or see why APIService v1beta1.metrics.k8s.io is not available"
	case apierrors.IsForbidden(err):
		return kind, `grant verb "list" on resource "pods" of API group "metrics.k8s.io"; the API server says ` + said
	case apierrors.IsUnauthorized(err):
		return kind, "the API server does not accept the credentials: " + said
	case apierrors.IsTooManyRequests(err):
		return kind, "the API server has too many requests at the moment"
	case code == http.StatusGatewayTimeout:
		return kind, "the API server got no answer from the resource metrics API (metrics.k8s.io) in time"
	}
	return kind, fmt.Sprintf("the API server answered %s: %s", kind, said)
}

// diagnoseConnection explains errors without an answer. Addresses are left out: a reset connection names a port that is
// another one each time.
func diagnoseConnection(err error) (kind, advice string) {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return "connection: " + errno.Error(), "no connection to the API server: " + errno.Error()
	}
	return "other", quote(err.Error())
}

// quote makes foreign text fit for one line of a log or an Event.
func quote(s string) string {
	if runes := []rune(s); len(runes) > maxQuoted {
		s = string(runes[:maxQuoted-1]) + "…"
	}
	return fmt.Sprintf("%q", s)
}

// guarded calls a source. A panic of it is an error: what a source returns must not end the controller.
func guarded(source Source, ask func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the answer of the %s caused a panic: %s", source, quote(fmt.Sprint(p)))
		}
	}()
	return ask()
}
