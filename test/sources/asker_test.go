package sources

import (
	"context"
	"testing"

	"go.uber.org/zap"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
	"github.com/mini-hpa/mini-hpa/scaler/sources"
)

// asker asks the one source of a file.
type asker struct {
	t       *testing.T
	source  metrics.Source
	catalog *catalog.Catalog
	name    string
}

func newAsker(t *testing.T, file string) *asker {
	t.Helper()
	c, err := catalog.Parse([]byte(file), sources.Types())
	if err != nil {
		t.Fatal(err)
	}
	e := c.Entries()[0]
	source, err := sources.Open(e, sources.Env{Log: zap.NewNop(), ReadFile: sources.ReadFile}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(source.Close)
	return &asker{t, source, c, e.Name}
}

// ask is what a workload gets: the number, or an error.
func (a *asker) ask(ctx context.Context, query string, given map[string]string) (string, error) {
	a.t.Helper()
	parameters, problems := a.catalog.Resolve(catalog.Workload{Namespace: "shop", Kind: "Deployment", Name: "web"}, catalog.Asked{Source: a.name, Query: query, Given: given})
	if len(problems) > 0 {
		a.t.Fatal(problems)
	}
	answer, err := a.source.Ask(ctx, metrics.Question{Source: a.name, Namespace: "shop", Metric: query, Parameters: parameters})
	if err != nil {
		return "", err
	}
	return answer.External[0].Value.String(), nil
}
