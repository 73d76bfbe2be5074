package endpoint

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/util/cert"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
)

// reviewer is an API server that knows tokens and who may read metrics.
type reviewer struct {
	known, may map[string]bool // by token, by user
	err        error
	asked      int
}

func (r *reviewer) client() *fake.Clientset {
	client := fake.NewSimpleClientset()
	client.PrependReactor("create", "tokenreviews", func(a clienttesting.Action) (bool, runtime.Object, error) {
		r.asked++
		review := a.(clienttesting.CreateAction).GetObject().(*authenticationv1.TokenReview).DeepCopy()
		review.Status.Authenticated = r.known[review.Spec.Token]
		review.Status.User = authenticationv1.UserInfo{Username: "of " + review.Spec.Token, UID: "1", Groups: []string{"g"}, Extra: map[string]authenticationv1.ExtraValue{"k": {"v"}}}
		return true, review, r.err
	})
	client.PrependReactor("create", "subjectaccessreviews", func(a clienttesting.Action) (bool, runtime.Object, error) {
		review := a.(clienttesting.CreateAction).GetObject().(*authorizationv1.SubjectAccessReview).DeepCopy()
		s := &review.Spec
		isWhole := s.UID == "1" && len(s.Groups) == 1 && s.Extra["k"][0] == "v" && s.ResourceAttributes == nil && *s.NonResourceAttributes == authorizationv1.NonResourceAttributes{Path: "/metrics", Verb: "get"}
		review.Status.Allowed = isWhole && r.may[s.User]
		return true, review, nil
	})
	return client
}

var secret = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "numbers") })

// ask asks a gate with the header.
func ask(g http.Handler, header string) (int, string) {
	r := httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody)
	if header != "" {
		r.Header.Set("Authorization", header)
	}
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func TestWhoMayReadMetrics(t *testing.T) {
	r := &reviewer{known: map[string]bool{"prometheus": true, "stranger": true}, may: map[string]bool{"of prometheus": true, "of made-up": true}}
	g := newGate(r.client(), secret, zap.NewNop())
	for header, want := range map[string]int{"": 401, "Basic cHJvbTpwcm9t": 401, "Bearer ": 401, "bearer prometheus": 401, "Bearer made-up": 401, "Bearer stranger": 403, "Bearer prometheus": 200,
		"Bearer " + strings.Repeat("x", longestToken+1): 401} {
		status, body := ask(g, header)
		if status != want || (body == "numbers") != (want == http.StatusOK) {
			t.Errorf("%.20q: %d %s, want %d", header, status, body, want)
		}
	}
	if r.asked != 3 {
		t.Errorf("the API server was asked about %d tokens, want the 3 that can be ones", r.asked)
	}
}

// TestAnswersAreRememberedForAWhile: a scrape costs no question, and who is no longer known gets nothing a minute later.
func TestAnswersAreRememberedForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &reviewer{known: map[string]bool{"prometheus": true}, may: map[string]bool{"of prometheus": true, "of late": true}}
		g := newGate(r.client(), secret, zap.NewNop())
		for range 10 {
			if status, _ := ask(g, "Bearer prometheus"); status != http.StatusOK {
				t.Fatal(status)
			}
			_, _ = ask(g, "Bearer late")
		}
		if r.asked != 2 {
			t.Errorf("asked %d times, want once for each token", r.asked)
		}
		r.known = map[string]bool{"late": true}
		time.Sleep(refusedFor + time.Second)
		if status, _ := ask(g, "Bearer late"); status != http.StatusOK {
			t.Errorf("who is known by now gets %d", status)
		}
		time.Sleep(allowedFor)
		if status, _ := ask(g, "Bearer prometheus"); status != http.StatusUnauthorized {
			t.Errorf("who is no longer known gets %d", status)
		}
	})
}

// TestStrangersDoNotLoadTheAPIServer: with tokens that are made up it is asked a few times, and who was known before goes on.
func TestStrangersDoNotLoadTheAPIServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &reviewer{known: map[string]bool{"prometheus": true}, may: map[string]bool{"of prometheus": true}}
		g := newGate(r.client(), secret, zap.NewNop())
		_, _ = ask(g, "Bearer prometheus")
		last := 0
		for i := range 100 {
			last, _ = ask(g, "Bearer "+strings.Repeat("x", i+1))
		}
		if last != http.StatusTooManyRequests || r.asked > asksAtOnce {
			t.Errorf("the last one gets %d, and the API server was asked %d times, want %d at most", last, r.asked, asksAtOnce)
		}
		if status, _ := ask(g, "Bearer prometheus"); status != http.StatusOK {
			t.Errorf("who was known before gets %d", status)
		}
	})
}

func TestNobodyReadsMetricsWhileTheAPIServerIsAway(t *testing.T) {
	r := &reviewer{err: errors.New("connection refused")}
	g := newGate(r.client(), secret, zap.NewNop())
	for range 2 {
		if status, body := ask(g, "Bearer prometheus"); status != http.StatusServiceUnavailable || body == "numbers" {
			t.Errorf("%d %s", status, body)
		}
	}
	if r.asked != 2 {
		t.Error("a failure is remembered")
	}
}

// TestMetricsByTLS: what is shown is the certificate of the files, also when it has changed, or one that is made.
func TestMetricsByTLS(t *testing.T) {
	r := &reviewer{known: map[string]bool{"prometheus": true}, may: map[string]bool{"of prometheus": true}}
	dir := t.TempDir()
	write := func(name string) {
		certificate, key, err := cert.GenerateSelfSignedCertKey(name, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		for file, text := range map[string][]byte{"tls.crt": certificate, "tls.key": key} {
			if err := os.WriteFile(filepath.Join(dir, file), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	write("first")
	for name, flags := range map[string]Flags{
		"of files": {Metrics: "127.0.0.1:0", Secure: true, CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key")},
		"made":     {Metrics: "127.0.0.1:0", Secure: true},
	} {
		e, err := flags.ListenMetrics(secret, r.client(), zap.NewNop())
		if err != nil {
			t.Fatal(err)
		}
		go e.Serve(t.Context())
		get := func(scheme string) (int, string) {
			shown := ""
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(s tls.ConnectionState) error { //nolint:gosec // the name is looked at
				shown = s.PeerCertificates[0].DNSNames[0]
				return nil
			}}}}
			request, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, scheme+"://"+e.Address().String()+"/metrics", http.NoBody)
			request.Header.Set("Authorization", "Bearer prometheus")
			answer, err := client.Do(request)
			if err != nil {
				return 0, err.Error()
			}
			defer answer.Body.Close()
			return answer.StatusCode, shown
		}
		want := map[string]string{"of files": "first", "made": "mini-hpa-metrics"}[name]
		if status, shown := get("https"); status != http.StatusOK || shown != want {
			t.Errorf("%s: %d %s, want %s", name, status, shown, want)
		}
		if status, _ := get("http"); status == http.StatusOK {
			t.Errorf("%s: they are served without TLS, too", name)
		}
		if name == "of files" {
			write("second")
			if _, shown := get("https"); shown != "second" {
				t.Errorf("another certificate is there, and %s is shown", shown)
			}
		}
	}
}

func TestACertificateOfItsOwnIsMadeAnew(t *testing.T) {
	var s selfSigned
	now := time.Now()
	first, err := s.at(now)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := s.at(now.Add(shownFor - time.Second)); again != first {
		t.Error("it is another one before its time")
	}
	if later, _ := s.at(now.Add(shownFor)); later == first {
		t.Error("it is shown for ever")
	}
}

func TestFlagsOfMetricsBelongTogether(t *testing.T) {
	for name, c := range map[string]struct {
		flags Flags
		ok    bool
	}{
		"open":          {Flags{}, true},
		"secure":        {Flags{Secure: true}, true},
		"with files":    {Flags{Secure: true, CertFile: "a", KeyFile: "b"}, true},
		"half of them":  {Flags{Secure: true, CertFile: "a"}, false},
		"the other":     {Flags{Secure: true, KeyFile: "a"}, false},
		"of no use":     {Flags{CertFile: "a", KeyFile: "b"}, false},
		"not listening": {Flags{Metrics: cli.NoAddress, Secure: true}, true},
	} {
		if err := c.flags.Check(); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
