//go:build unix

package sources

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"
	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
	"github.com/mini-hpa/mini-hpa/scaler/sources"
	"github.com/mini-hpa/mini-hpa/test/externalscaler"
)

// faulty is a server that everybody asks once in a second, and that answers 42 while it is well.
type faulty struct {
	// hang has it take what it is asked, and answer nothing until it goes on.
	hang, goOn func()
	// stop ends it, start starts it once more.
	stop, start func()
	question    metrics.Question
}

// deadline is how long each may take. Nobody waits so long for an answer of another one.
const deadline = 15 * time.Second

// TestServersThatAreSlowOrStartAnewCostNothingElse: of a PostgreSQL, a MariaDB and an external scaler one is slower than its deadline, and later starts anew. What
// it does not say is never 0, a web server and the others are asked and answer as before meanwhile, and when it is well its number counts again.
func TestServersThatAreSlowOrStartAnewCostNothingElse(t *testing.T) {
	t.Parallel()
	p, m, s := newPostgres(t), newMariaDB(t), externalscaler.Serve(t, (&gates{}).listen, usual())
	m.do("GRANT SELECT ON work.* TO native@'%'")
	postgres, postgresAt := proxy(t, p.address())
	maria, mariaAt := proxy(t, m.address())
	scaler, scalerAt := proxy(t, s.Address)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, 42) }))
	defer web.Close()

	const query = `"database": "work", "queries": [{"name": "count", "query": "SELECT 42"}]`
	opened := map[string]metrics.Source{}
	for kind, settings := range map[string]string{
		"postgresql": fmt.Sprintf(`"address": %q, %s, %s`, postgresAt, query, sqlPassword),
		"mysql":      fmt.Sprintf(`"address": %q, %s, %s`, mariaAt, query, sqlPassword),
		"keda":       fmt.Sprintf(`"address": %q`, scalerAt),
		"http":       fmt.Sprintf(`"url": %q, "queries": [{"name": "count", "path": "/"}]`, web.URL),
	} {
		have := map[string]*files{"postgresql": p.as("scram"), "mysql": m.as("native")}[kind]
		if have == nil {
			have = with(nil)
		}
		listed, err := catalog.Parse(fmt.Appendf(nil, `{"version": "v1", "sources": [{"name": %q, "type": %[1]q, "namespaces": ["*"], "timeout": %q, "maxAge": "1s", %s}]}`, kind, deadline.String(), settings), sources.Types())
		if err != nil {
			t.Fatal(err)
		}
		if opened[kind], err = sources.Open(listed.Entry(kind), sources.Env{Log: zaptest.NewLogger(t), ReadFile: have.read}, nil); err != nil {
			t.Fatal(err)
		}
	}
	all := map[string]*faulty{
		"postgresql": {hang: postgres.hang, goOn: postgres.goOn, stop: func() { p.end(syscall.SIGINT) }, start: p.start, question: count()},
		"mysql":      {hang: maria.hang, goOn: maria.goOn, stop: func() { m.end(syscall.SIGTERM) }, start: m.start, question: count()},
		"keda":       {hang: scaler.hang, goOn: scaler.goOn, stop: s.Stop, start: s.Start, question: line(map[string]string{catalog.OfNamespace: "shop", catalog.OfWorkload: "web", catalog.OfKind: "Deployment"})},
		"http":       {question: count()},
	}
	readers := metrics.NewReaders(metrics.ReadersConfig{Sources: opened})
	defer readers.Close()
	look := func(kind string) (metrics.Answer, error) {
		q := all[kind].question
		q.Source, q.Type = kind, autoscalingv2.ExternalMetricSourceType
		a, err := readers.Ask(annotations.DeploymentKey("shop", kind), q, time.Second)
		if err == nil && a.External[0].Value.Value() != 42 {
			t.Errorf("%s says %v", kind, a.External[0].Value.String())
		}
		return a, err
	}
	well := func(kind string) {
		until(t, kind+" answers", func() error { _, err := look(kind); return err })
	}
	for kind := range all {
		well(kind)
	}

	for kind, one := range all {
		if one.stop == nil {
			continue
		}
		for what, fault := range map[string][2]func(){"is slow": {one.hang, one.goOn}, "starts anew": {one.stop, one.start}} {
			fault[0]()
			until(t, kind+" "+what+", and says nothing", func() error {
				if _, err := look(kind); err == nil || errors.Is(err, metrics.ErrPending) {
					return errors.New("it has an answer, or is waited for")
				}
				return nil
			})
			for other := range all {
				if other == kind {
					continue
				}
				var before metrics.Answer
				until(t, fmt.Sprintf("%s answers while %s %s", other, kind, what), func() (err error) { // nobody may have looked for so long that it was forgotten
					before, err = look(other)
					return err
				})
				for i := range 3 {
					now := before
					until(t, fmt.Sprintf("%s answers once more while %s %s", other, kind, what), func() (err error) {
						if now, err = look(other); err != nil {
							t.Fatalf("%s while %s %s: %v", other, kind, what, err)
						}
						if !now.Asked.After(before.Asked) {
							return context.DeadlineExceeded
						}
						return nil
					})
					if took := now.Asked.Sub(before.Asked); i > 0 && took >= deadline { // nobody has looked for some time before the first
						t.Errorf("while %s %s, %s was asked again after %s, as late as if it had waited for that", kind, what, other, took)
					}
					before = now
				}
			}
			if _, err := look(kind); err == nil {
				t.Errorf("%s has an answer while it %s", kind, what)
			}
			fault[1]()
			well(kind)
		}
	}
}
