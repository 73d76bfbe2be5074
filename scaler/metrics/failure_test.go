package metrics

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var pods = schema.GroupResource{Group: "metrics.k8s.io", Resource: "pods"}

// refused is the error of a connection nobody accepts.
func refused(port int) error {
	dial := &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{Port: port}, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	return &url.Error{Op: "Get", URL: "https://127.0.0.1:6443/apis/metrics.k8s.io/v1beta1/pods", Err: dial}
}

// generic is what client-go makes of an answer that is no Status.
func generic(code int, body string) error {
	return apierrors.NewGenericServerResponse(code, "get", pods, "", body, 0, true)
}

func TestExplain(t *testing.T) {
	const notServed = "cannot list pod metrics: the resource metrics API (metrics.k8s.io) is not served: install metrics-server"
	stories := map[string]struct {
		// errs are errors of one reason, all of which must give the text.
		errs []error
		want string
	}{
		"no metrics-server": {
			[]error{generic(404, "404 page not found"), apierrors.NewNotFound(pods, "")}, notServed,
		},
		"no metrics-server that is ready": {
			[]error{generic(503, "id 1"), apierrors.NewServiceUnavailable("the server is currently unable, id 2")},
			notServed + ", or see why APIService v1beta1.metrics.k8s.io is not available",
		},
		"no permission": {
			[]error{apierrors.NewForbidden(pods, "", errors.New(`User "x" cannot list resource "pods" in API group "metrics.k8s.io" at the cluster scope`))},
			`cannot list pod metrics: grant verb "list" on resource "pods" of API group "metrics.k8s.io"; the API server says ` +
				`"pods.metrics.k8s.io is forbidden: User \"x\" cannot list resource \"pods\" in API group \"metrics.k8s.io\" at the cluster scope"`,
		},
		"credentials expired": {
			[]error{apierrors.NewUnauthorized("Unauthorized")},
			`cannot list pod metrics: the API server does not accept the credentials: "Unauthorized"`,
		},
		"throttled": {
			[]error{apierrors.NewTooManyRequests("slow down, request 17", 1), generic(429, "request 18")},
			"cannot list pod metrics: the API server has too many requests at the moment",
		},
		"no answer in time": {
			[]error{context.DeadlineExceeded, fmt.Errorf("client rate limiter: %w", context.DeadlineExceeded)},
			"cannot list pod metrics: the resource metrics API (metrics.k8s.io) did not answer within 5s",
		},
		"no answer of the aggregated server in time": {
			[]error{generic(504, "at 12:00:01"), apierrors.NewTimeoutError("at 12:00:02", 1)},
			"cannot list pod metrics: the API server got no answer from the resource metrics API (metrics.k8s.io) in time",
		},
		"connection timed out": {
			[]error{&url.Error{Op: "Get", URL: "x", Err: os.ErrDeadlineExceeded}},
			"cannot list pod metrics: the connection to the API server timed out",
		},
		"connection refused": {
			[]error{refused(6443), refused(6444)}, "cannot list pod metrics: no connection to the API server: connection refused",
		},
		"connection reset, from another port each time": {
			[]error{
				fmt.Errorf("read tcp 127.0.0.1:50001->127.0.0.1:6443: read: %w", syscall.ECONNRESET),
				fmt.Errorf("read tcp 127.0.0.1:50002->127.0.0.1:6443: read: %w", syscall.ECONNRESET),
			},
			"cannot list pod metrics: no connection to the API server: connection reset by peer",
		},
		"internal error": {
			[]error{apierrors.NewInternalError(errors.New("failed\nlisting pods"))},
			`cannot list pod metrics: the API server answered 500 InternalError: "Internal error occurred: failed\nlisting pods"`,
		},
		"something else": {
			[]error{errors.New("x509: certificate signed by unknown authority")},
			`cannot list pod metrics: "list: x509: certificate signed by unknown authority"`,
		},
	}
	for name, story := range stories {
		t.Run(name, func(t *testing.T) {
			for _, err := range story.errs {
				wrapped := fmt.Errorf("list: %w", err)
				got := explain(wrapped, 5*time.Second)
				if diff := gocmp.Diff(story.want, got.Error()); diff != "" {
					t.Errorf("text of %v (-want +got):\n%s", err, diff)
				}
				if !errors.Is(got, err) {
					t.Errorf("%v is lost", err)
				}
				if first := explain(story.errs[0], 5*time.Second); first.kind != got.kind {
					t.Errorf("kinds %q and %q of one reason", first.kind, got.kind)
				}
			}
		})
	}
}

func TestQuoteCuts(t *testing.T) {
	if got := len([]rune(quote(strings.Repeat("ä", 1000)))); got != maxQuoted+2 {
		t.Errorf("%d runes, want %d and the quotes", got, maxQuoted)
	}
}

// TestHealth plays outcomes of LISTs, one letter each: a good one, or the kind of a failure.
func TestHealth(t *testing.T) {
	stories := map[string]struct{ outcomes, changes, errs string }{
		"good from the start":      {"...", "---", "   "},
		"one failure is not told":  {"..a..", "-----", "     "},
		"two failures are":         {".aaaa..", "--f--o-", "  aaa  "},
		"failing from the start":   {"aaa.", "-f-o", "aaa "},
		"one failure at the start": {"a.", "--", "a "},
		"another reason":           {".aabba.", "--f---o", "  abba "},
		"again and again":          {".aa.aa.a.", "--fo-fo--", "  a  a   "},
	}
	for name, story := range stories {
		t.Run(name, func(t *testing.T) {
			var h health
			if !errors.Is(h.err(), ErrPending) {
				t.Errorf("before the first LIST: %v", h.err())
			}
			var changes, errs string
			for i, outcome := range story.outcomes {
				var f *failure
				if outcome != '.' {
					f = &failure{kind: string(outcome), text: fmt.Sprintf("%c%d", outcome, i)}
				}
				var changed bool
				h, changed = h.with(f)
				changes += letter(changed, h.err())
				errs += (errText(h.err()) + " ")[:1]
			}
			if diff := gocmp.Diff([]string{story.changes, story.errs}, []string{changes, errs}); diff != "" {
				t.Errorf("changes, errors (-want +got):\n%s", diff)
			}
		})
	}
}

func letter(changed bool, err error) string {
	switch {
	case changed && err != nil:
		return "f"
	case changed:
		return "o"
	}
	return "-"
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestHealthKeepsTheText is a failure whose cause differs each time.
func TestHealthKeepsTheText(t *testing.T) {
	var h health
	for i := range 5 {
		err := apierrors.NewInternalError(fmt.Errorf("request %d at %v", i, time.Unix(int64(i), 0).UTC()))
		h, _ = h.with(explain(err, time.Second))
		if !strings.HasSuffix(h.err().Error(), `InternalError: "Internal error occurred: request 0 at 1970-01-01 00:00:00 +0000 UTC"`) {
			t.Fatalf("failure %d: %v", i, h.err())
		}
	}
	if !apierrors.IsInternalError(h.err()) {
		t.Errorf("cause is lost: %v", h.err())
	}
	if status := apierrors.ReasonForError(h.err()); status != metav1.StatusReasonInternalError {
		t.Errorf("reason %v", status)
	}
}

// FuzzExplain feeds whatever a server may say.
func FuzzExplain(f *testing.F) {
	f.Add(404, "404 page not found")
	f.Add(500, "\x00\xff\n\"quoted\"")
	f.Fuzz(func(t *testing.T, code int, message string) {
		for _, err := range []error{generic(code, message), errors.New(message)} {
			text := explain(err, time.Second).Error()
			if strings.ContainsAny(text, "\n\r\x00") || len(text) > 4*10*maxQuoted {
				t.Errorf("not fit for one line: %q", text)
			}
		}
	})
}
