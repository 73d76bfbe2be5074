package selftest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/leader"
	"github.com/mini-hpa/mini-hpa/cmd/internal/state"
	"github.com/mini-hpa/mini-hpa/scaler/sources"
)

// askThere is how all sources are asked from where the controller asks them.
const askThere = `"mini-hpa sources check", run by "kubectl exec" in the controller's pod, asks each, and tells all that is known of a failure`

// checkSources asks the controller that leads how its sources stand, and holds them to the file, if one is given.
func (t *tester) checkSources(ctx context.Context) {
	const claim = "the sources"
	listed, isRight := t.listed()
	if t.port == 0 {
		return
	}
	if t.lease == "" || t.account == (account{}) {
		t.skip(claim, "--leader-elect-resource-name or --service-account is not given, so that no controller is asked; "+askThere)
		return
	}
	flags := leader.Flags{Lease: types.NamespacedName{Namespace: t.account.namespace, Name: t.lease}, Port: t.port}
	found := flags.Find(ctx, t.config)
	defer found.Close()
	var page state.SourcesPage
	err := errors.New(cmp.Or(found.Why, found.Vacancy()))
	if found.Head != nil {
		err = found.Get(ctx, state.PathSources, url.Values{}, &page)
	}
	if err != nil {
		t.skip(claim, fmt.Sprintf("the controller that leads cannot be asked: %v; %s", err, askThere))
		return
	}
	if page.FileError != "" {
		t.fail("the controller's file of sources", page.FileError, "what it said before counts; put it right, and try it out before with mini-hpa sources check --sources FILE")
	} else if len(page.Items) == 0 {
		t.skip(claim, "the controller has none (--sources)")
	}
	for i := range page.Items {
		t.tellSource(&page.Items[i], page.Time)
	}
	if isRight {
		t.compareSources(listed, page.Items)
	}
}

// listed is what the file says that is given; false if none is, or it is not right.
func (t *tester) listed() (*catalog.Catalog, bool) {
	if t.sources == "" {
		return nil, false
	}
	claim := "the file of sources " + cli.Quote(t.sources)
	text, err := sources.ReadFile(t.sources)
	if err != nil {
		t.fail(claim, cli.Bare(err).Error(), "name another one with --sources")
		return nil, false
	}
	all, err := catalog.Parse(text, sources.Types())
	if err != nil {
		t.fail(claim, err.Error(), "the controller would go on with what it had before")
		return nil, false
	}
	t.ok(claim, "it is right")
	return all, true
}

// tellSource tells how one stands.
func (t *tester) tellSource(s *sources.Status, now time.Time) {
	claim := "source " + cli.Quote(s.Name)
	ago := func(at time.Time) string { return max(now.Sub(at), 0).Truncate(time.Second).String() + " ago" }
	switch {
	case s.Failure == "" && s.Last.Asked.IsZero():
		t.skip(claim, "no workload has asked it yet; "+askThere)
		return
	case s.Failure == "":
		t.ok(claim, fmt.Sprintf("asked %s, with %s, and answered in %s", ago(s.Last.Asked), cli.Plural(s.Last.Questions, "question"), s.Last.Took.Round(time.Millisecond)))
		return
	}
	seen := []string{s.Failure}
	if !s.Last.Asked.IsZero() {
		seen = append(seen, "asked "+ago(s.Last.Asked))
	}
	if s.Answered.IsZero() {
		seen = append(seen, "it has never answered")
	} else {
		seen = append(seen, "it last answered "+ago(s.Answered))
	}
	if s.Resting > 0 {
		seen = append(seen, "it is left alone for "+cli.Plural(s.Resting, "namespace"))
	}
	t.fail(claim, strings.Join(seen, ", "), askThere)
}

// compareSources wants the controller to have what a file lists.
func (t *tester) compareSources(listed *catalog.Catalog, has []sources.Status) {
	known := map[string]bool{}
	for i := range has {
		known[has[i].Name] = true
	}
	for _, e := range listed.Entries() {
		if !e.Type.Entryless && !known[e.Name] {
			t.fail("source "+cli.Quote(e.Name), "the controller does not have it",
				"it has another file, or one of before: a ConfigMap's change takes up to a minute, and without the chart --sources names the file")
		}
	}
}
