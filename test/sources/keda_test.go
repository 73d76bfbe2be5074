package sources

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
	"github.com/mini-hpa/mini-hpa/scaler/sources"
	"github.com/mini-hpa/mini-hpa/test/externalscaler"
)

// usual is a scaler that works.
func usual() map[string]externalscaler.Spoken {
	return map[string]externalscaler.Spoken{
		"GetMetricSpec": externalscaler.Says(`metricSpecs { metricName: "length" targetSize: 5 }`),
		"GetMetrics":    externalscaler.Says(`metricValues { metricName: "length" metricValue: 42 }`),
		"IsActive":      externalscaler.Says(`result: true`),
	}
}

// ofContainer is a line of the workload web.
func ofContainer() metrics.Question {
	return line(map[string]string{catalog.OfNamespace: "shop", catalog.OfWorkload: "web", catalog.OfKind: "Deployment", "container": "shop-orders"})
}

// serveScaler starts a scaler.
func serveScaler(t *testing.T, answers map[string]externalscaler.Spoken, options ...grpc.ServerOption) *externalscaler.Scaler {
	t.Helper()
	return externalscaler.Serve(t, net.Listen, answers, options...)
}

// kedaSource opens the client under test, with more settings such as `"tls": {}`.
func kedaSource(t *testing.T, address string, env sources.Env, more ...string) sources.Client {
	t.Helper()
	return openIn(t, "keda", strings.Join(append(more, fmt.Sprintf(`"address": %q`, address)), ", "), env)
}

func TestAnExternalScalerIsAsked(t *testing.T) {
	// No proxy sees anything of it.
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"} {
		t.Setenv(name, "http://127.0.0.1:1")
	}
	s := serveScaler(t, usual())
	client := kedaSource(t, s.Address, sources.Env{ReadFile: with(map[string]string{"/secret": "open sesame\n"}).read},
		`"metadata": {"connection": "COSMOS"}, "metadataFiles": {"secret": "/secret"}`)
	for range 3 {
		expect(t, ask(t, client, ofContainer()), "42 of 5 active true")
	}
	const ref = `{"name":"web","namespace":"shop","scalerMetadata":{"connection":"COSMOS","container":"shop-orders","secret":"open sesame"}}`
	for method, want := range map[string]string{"GetMetricSpec": ref, "IsActive": ref, "GetMetrics": `{"metricName":"length","scaledObjectRef":` + ref + `}`} {
		if got := s.Request(method); got != want {
			t.Errorf("%s was asked for\n%s, want\n%s", method, got, want)
		}
	}
	if n, m := s.Count("GetMetricSpec"), s.Count("GetMetrics"); n != 1 || m != 3 {
		t.Errorf("%d metric specs and %d metrics in three periods", n, m)
	}
	s.Turn("IsActive", externalscaler.Fails(codes.Unavailable, "not now"))
	expect(t, ask(t, client, ofContainer()), "!broke off the connection")
	s.Turn("IsActive", externalscaler.Says(""))
	expect(t, ask(t, client, ofContainer()), "42 of 5 active false")
	if n := s.Count("GetMetricSpec"); n != 2 {
		t.Errorf("%d metric specs after an error", n)
	}
}

func TestWhatAnExternalScalerMaySay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		method string
		answer externalscaler.Spoken
		want   result
	}{
		"fractions":               {"GetMetricSpec", externalscaler.Says(`metricSpecs { metricName: "length" targetSize: 9 targetSizeFloat: 2.5 }`), "42 of 2500m active true"},
		"no target":               {"GetMetricSpec", externalscaler.Says(`metricSpecs { metricName: "length" }`), "42 active true"},
		"a target below 0":        {"GetMetricSpec", externalscaler.Says(`metricSpecs { metricName: "length" targetSize: -5 }`), "42 active true"},
		"a target of nothing":     {"GetMetricSpec", externalscaler.Says(`metricSpecs { metricName: "a" targetSizeFloat: nan } metricSpecs { metricName: "b" targetSizeFloat: 0.5 }`), "42 of 500m active true"},
		"no metric":               {"GetMetricSpec", externalscaler.Says(``), "!names no metric for it that can be asked"},
		"too many metrics":        {"GetMetricSpec", externalscaler.Says(strings.Repeat(`metricSpecs { metricName: "length" }`, 17)), "!names no metric for it that can be asked"},
		"several metrics":         {"GetMetricSpec", externalscaler.Says(`metricSpecs { metricName: "a" targetSize: 50 } metricSpecs { metricName: "b" targetSize: 3 }`), "42 of 3 active true"},
		"a fraction":              {"GetMetrics", externalscaler.Says(`metricValues { metricValueFloat: 0.25 }`), "250m of 5 active true"},
		"several values":          {"GetMetrics", externalscaler.Says(`metricValues { metricValue: 2 } metricValues { metricValue: 3 }`), "5 of 5 active true"},
		"no value":                {"GetMetrics", externalscaler.Says(``), "!has no value for it"},
		"values without end":      {"GetMetrics", externalscaler.Says(strings.Repeat(`metricValues { }`, 1001)), "!answered with an error"},
		"not a number":            {"GetMetrics", externalscaler.Says(`metricValues { metricValueFloat: nan }`), "!has no number for it (NaN)"},
		"infinite":                {"GetMetrics", externalscaler.Says(`metricValues { metricValueFloat: inf }`), "!has no finite number for it"},
		"below 0":                 {"GetMetrics", externalscaler.Says(`metricValues { metricValue: -1 }`), "!has a negative number for it"},
		"too much":                {"GetMetrics", externalscaler.Says(`metricValues { metricName: "` + strings.Repeat("x", 2<<20) + `" }`), "!has too much to do, or answered more than is read"},
		"idle":                    {"IsActive", externalscaler.Says(``), "42 of 5 active false"},
		"its error":               {"GetMetrics", func(context.Context, string) (string, error) { return "", errors.New("no such table") }, "!answered with an error"},
		"refused":                 {"IsActive", externalscaler.Fails(codes.PermissionDenied, "who are you?"), "!refused the credentials"},
		"not there":               {"GetMetricSpec", externalscaler.Fails(codes.NotFound, "no such container"), "!has no answer to what was asked"},
		"another service":         {"GetMetricSpec", externalscaler.Fails(codes.Unimplemented, "unknown service"), "!is no external scaler of KEDA"},
		"busy":                    {"GetMetrics", externalscaler.Fails(codes.ResourceExhausted, "busy"), "!has too much to do, or answered more than is read"},
		"its own deadline passed": {"GetMetrics", externalscaler.Fails(codes.DeadlineExceeded, "the database"), "!did not answer in time"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answers := usual()
			answers[c.method] = c.answer
			s := serveScaler(t, answers)
			expect(t, ask(t, kedaSource(t, s.Address, sources.Env{}), ofContainer()), c.want)
		})
	}
}

// TestAnExternalScalerRepeatsSecrets, and the log has none of them.
func TestAnExternalScalerRepeatsSecrets(t *testing.T) {
	t.Parallel()
	answers := usual()
	answers["GetMetrics"] = externalscaler.Fails(codes.Internal, "cannot log in with hunter2 and open sesame")
	s := serveScaler(t, answers)
	client := kedaSource(t, s.Address, sources.Env{ReadFile: with(map[string]string{"/secret": "open sesame\n"}).read},
		`"metadata": {"password": "hunter2"}, "metadataFiles": {"secret": "/secret"}`)
	client.Ask(t.Context(), []metrics.Question{ofContainer()}, func(_ int, _ metrics.Answer, err error) {
		if text := fmt.Sprint(err); !strings.HasSuffix(text, "cannot log in with *** and ***") {
			t.Errorf("the log has %q", text)
		}
	})
}

// TestASlowScaler: the deadline ends the call, and the next one is answered.
func TestASlowScaler(t *testing.T) {
	t.Parallel()
	answers := usual()
	answers["GetMetrics"] = func(ctx context.Context, _ string) (string, error) {
		<-ctx.Done()
		return "", ctx.Err()
	}
	s := serveScaler(t, answers)
	client := kedaSource(t, s.Address, sources.Env{})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	client.Ask(ctx, []metrics.Question{ofContainer()}, func(_ int, _ metrics.Answer, err error) {
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("at the deadline: %v", err)
		}
	})
	s.Turn("GetMetrics", usual()["GetMetrics"])
	expect(t, ask(t, client, ofContainer()), "42 of 5 active true")
}

// TestAScalerThatHangs: one that takes questions and is silent ends none of the others' clients.
func TestAScalerThatHangs(t *testing.T) {
	t.Parallel()
	var gates gates
	s := externalscaler.Serve(t, gates.listen, usual())
	client := kedaSource(t, s.Address, sources.Env{})
	expect(t, ask(t, client, ofContainer()), "42 of 5 active true")
	gates.at(s.Address).hang()
	under := begin(client, []metrics.Question{ofContainer()})
	under.stop()
	if told := under.end(t); !strings.HasPrefix(string(told[0]), "not a Fault: context canceled") {
		t.Errorf("of one that hangs: %q", told)
	}
	gates.at(s.Address).goOn()
	expect(t, ask(t, client, ofContainer()), "42 of 5 active true")
}

// TestAScalerSaysThatThereIsSomethingToDo, and the question is asked again at once, but only when it was not known yet.
func TestAScalerSaysThatThereIsSomethingToDo(t *testing.T) {
	t.Parallel()
	answers := usual()
	answers["IsActive"] = externalscaler.Says(``)
	s := serveScaler(t, answers)
	pushes, again := s.Pushes(), make(chan metrics.Question, 10)
	client := kedaSource(t, s.Address, sources.Env{Again: func(q metrics.Question) { again <- q }})
	for range 2 {
		expect(t, ask(t, client, ofContainer()), "42 of 5 active false")
	}
	for _, text := range []string{"result: false", "result: true", "result: true", "result: false", "result: true", "result: false"} {
		pushes <- text // the last of them is not read before the one before it has been
	}
	for range 2 {
		if q := <-again; q != ofContainer() {
			t.Errorf("%v is asked again", q)
		}
	}
	if n := s.Count("StreamIsActive"); n != 1 {
		t.Errorf("%d streams for one question", n)
	}
	client.Close()
	<-s.Ended
	if len(again) > 0 {
		t.Errorf("asked again %d times more", len(again))
	}
}

// TestAScalerRestarts, and is asked and listened to as before.
func TestAScalerRestarts(t *testing.T) {
	t.Parallel()
	answers := usual()
	answers["IsActive"] = externalscaler.Says(``)
	s := serveScaler(t, answers)
	pushes, again := s.Pushes(), make(chan metrics.Question, 10)
	client := kedaSource(t, s.Address, sources.Env{Again: func(q metrics.Question) { again <- q }})
	expect(t, ask(t, client, ofContainer()), "42 of 5 active false")
	pushes <- "result: true"
	<-again
	s.Stop()
	if told := ask(t, client, ofContainer()); told[0] != "!refused the connection" && told[0] != "!broke off the connection" {
		t.Errorf("of one that is gone: %q", told)
	}
	s.Start()
	until(t, "the scaler is asked again", func() error {
		if told := ask(t, client, ofContainer()); told[0] != "42 of 5 active false" {
			return fmt.Errorf("%s", told)
		}
		return nil
	})
	pushes <- "result: true"
	<-again
}

// TestAScalerWithoutStreams is asked when a question is due, and for its streams once.
func TestAScalerWithoutStreams(t *testing.T) {
	t.Parallel()
	answers := usual()
	answers["IsActive"] = externalscaler.Says(``)
	s := serveScaler(t, answers)
	client := kedaSource(t, s.Address, sources.Env{Again: func(metrics.Question) { t.Error("asked again") }})
	expect(t, ask(t, client, ofContainer()), "42 of 5 active false")
	until(t, "a stream is asked for", func() error {
		if s.Count("StreamIsActive") == 0 {
			return errors.New("none was")
		}
		return nil
	})
	for range 3 {
		expect(t, ask(t, client, ofContainer()), "42 of 5 active false")
	}
	if n := s.Count("StreamIsActive"); n != 1 {
		t.Errorf("%d streams were asked for", n)
	}
}

// TestAScalerThatIsBusyHasNoStream: who has something to do need not be told so.
func TestAScalerThatIsBusyHasNoStream(t *testing.T) {
	t.Parallel()
	s := serveScaler(t, usual())
	s.Pushes()
	client := kedaSource(t, s.Address, sources.Env{Again: func(metrics.Question) {}})
	expect(t, ask(t, client, ofContainer()), "42 of 5 active true")
	client.Close()
	if n := s.Count("StreamIsActive"); n != 0 {
		t.Errorf("%d streams were asked for", n)
	}
}

func TestAScalerWithTLS(t *testing.T) {
	t.Parallel()
	certificate, authority, key := certified(t)
	s := serveScaler(t, usual(), grpc.Creds(credentials.NewTLS(&tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}, ClientAuth: tls.RequireAnyClientCert,
		VerifyPeerCertificate: func(shown [][]byte, _ [][]*x509.Certificate) error {
			if !bytes.Equal(shown[0], certificate.Certificate[0]) {
				return errors.New("nobody knows you")
			}
			return nil
		},
	})))
	have := with(map[string]string{"/ca": authority, "/cert": authority, "/key": key})
	const files = `"caFile": "/ca", "certFile": "/cert", "keyFile": "/key"`
	for name, c := range map[string]struct {
		settings string
		want     []result // one of them
	}{
		"both are known":            {`"tls": {` + files + `}`, []result{"42 of 5 active true"}},
		"the server is not trusted": {`"tls": {"certFile": "/cert", "keyFile": "/key"}`, []result{"!has a certificate that is not trusted"}},
		"the client is nobody":      {`"tls": {"caFile": "/ca"}`, []result{"!broke off the connection", "!refused the TLS connection"}},
		"another name":              {`"tls": {` + files + `, "serverName": "scaler.example.org"}`, []result{"!has a certificate that is not trusted"}},
		"a file is missing":         {`"tls": {"caFile": "/other"}`, []result{"!is not set up: a file of it cannot be read"}},
		"without TLS":               {`"metadata": {}`, []result{"!broke off the connection"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told := ask(t, kedaSource(t, s.Address, sources.Env{ReadFile: have.read}, c.settings), ofContainer())
			if !slices.Contains(c.want, told[0]) {
				t.Errorf("told %q, want one of %q", told, c.want)
			}
		})
	}
}
