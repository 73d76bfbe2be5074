package sources

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
	"github.com/mini-hpa/mini-hpa/scaler/sources"
)

// result is what came of a question.
type result struct {
	// skipped is why it was not asked; empty if it was.
	skipped string
	answer  metrics.Answer
	// empty says that there is no value, which is 0 as the query has it.
	empty bool
	unit  string
	took  time.Duration
	err   error
}

// text is the value, and what else the source has said.
func (r *result) text() string {
	value := "0"
	if !r.empty {
		value = r.answer.External[0].Value.String()
	}
	said := []string{strings.TrimSpace(value + " " + r.unit)}
	if h := r.answer.Hint; h.Limit > 0 {
		said = append(said, fmt.Sprintf("for at most %d replicas: %s", h.Limit, h.Because))
	}
	if h := r.answer.Hint; h.Active != nil {
		said = append(said, map[bool]string{true: "active", false: "not active"}[*h.Active])
	}
	if h := r.answer.Hint; h.Target != nil {
		said = append(said, fmt.Sprintf("target %s", h.Target))
	}
	if h := r.answer.Hint; h.Settling.Duration > 0 {
		said = append(said, fmt.Sprintf("not active counts after %s", h.Settling.Duration))
	}
	if r.empty {
		said = append(said, "no value, which counts as 0")
	}
	return strings.Join(said, ", ")
}

// ask asks all questions, which are in the order of their sources: one at a time of each source, several sources at a time.
func (t *task) ask(ctx context.Context, c *catalog.Catalog, asked []question, env sources.Env) []result {
	const atOnce = 16
	results := make([]result, len(asked))
	turns := make(chan struct{}, atOnce)
	var group sync.WaitGroup
	for from := 0; from < len(asked); {
		to := from + 1
		for to < len(asked) && asked[to].Source == asked[from].Source {
			to++
		}
		some, into := asked[from:to], results[from:to]
		group.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			t.askOne(ctx, c, some, into, env)
		})
		from = to
	}
	group.Wait()
	return results
}

// askOne asks one source.
func (t *task) askOne(ctx context.Context, c *catalog.Catalog, asked []question, into []result, env sources.Env) {
	e := c.Entry(asked[0].Source)
	var client sources.Client
	var err error
	for i, q := range asked {
		parameters, r := t.resolve(c, q)
		if into[i] = r; r.skipped != "" || r.err != nil {
			continue
		}
		if client == nil && err == nil {
			if client, err = t.open(e, env); err == nil {
				defer client.Close()
			}
		}
		if err != nil {
			into[i].err = err
			continue
		}
		into[i] = t.question(ctx, e, q, client, metrics.Question{
			Source: e.Name, Type: autoscalingv2.ExternalMetricSourceType, Namespace: t.namespace, Metric: q.Query, Parameters: parameters,
		})
	}
}

// resolve says what is asked, or why nothing is. A question of the file that cannot be asked is no failure: a line has to say more.
func (t *task) resolve(c *catalog.Catalog, q question) (catalog.Parameters, result) {
	parameters, problems := c.Resolve(t.named(cmp.Or(t.workload, "a")), q.Asked)
	other, _ := c.Resolve(t.named(cmp.Or(t.workload, "b")), q.Asked)
	switch {
	case len(problems) > 0 && q.line != "":
		return "", result{err: errors.New(problems[0].Message)}
	case len(problems) > 0 && problems[0].Rule == catalog.UnknownSource:
		return "", result{skipped: fmt.Sprintf("namespace %q may not ask it; --namespace names another", t.namespace)}
	case len(problems) > 0:
		return "", result{skipped: problems[0].Message}
	case parameters != other:
		return "", result{skipped: "it is about a workload; --workload names one"}
	}
	return parameters, result{}
}

func (t *task) named(workload string) catalog.Workload {
	return catalog.Workload{Namespace: t.namespace, Kind: "Deployment", Name: workload}
}

func (t *task) open(e *catalog.Entry, env sources.Env) (sources.Client, error) {
	for _, k := range t.kinds {
		if k.Name == e.Type.Name {
			return k.Open(e, env)
		}
	}
	return nil, fmt.Errorf("there is no type %q", e.Type.Name)
}

// question asks one question of a client, and not of the source that the controller has of it: that would tell only what a tenant may read.
func (t *task) question(ctx context.Context, e *catalog.Entry, q question, client sources.Client, asked metrics.Question) result {
	var r result
	ctx, cancel := context.WithTimeout(ctx, e.Timeout)
	defer cancel()
	began := t.now()
	r.err = fmt.Errorf("did not answer in %v", e.Timeout)
	client.Ask(ctx, []metrics.Question{asked}, func(_ int, a metrics.Answer, err error) { r.answer, r.err = a, err })
	r.took = t.now().Sub(began)
	empty := ""
	for i := range e.Queries {
		if e.Queries[i].Name == q.Query {
			r.unit, empty = e.Queries[i].Unit, e.Queries[i].Empty
		}
	}
	switch n := len(r.answer.External); {
	case r.err != nil:
	case n == 0 && empty == catalog.EmptyZero:
		r.empty = true
	case n != 1:
		r.err = fmt.Errorf("answered with %d values; there must be one", n)
	case r.answer.External[0].Value.Sign() < 0:
		r.err = fmt.Errorf("answered with %s, which is below 0", &r.answer.External[0].Value)
	}
	return r
}
