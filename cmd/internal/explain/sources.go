package explain

import (
	"fmt"
	"maps"

	"go.uber.org/zap"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/annotations/podspec"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/informer"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
	"github.com/mini-hpa/mini-hpa/scaler/sources"
)

// listed is what the administrator's file says; nil without a path.
func listed(path string) (*catalog.Catalog, error) {
	if path == "" {
		return nil, nil
	}
	text, err := sources.ReadFile(path)
	if err != nil {
		return nil, cli.Unreadable(fmt.Errorf("cannot read the file of sources %s: %w", cli.Quote(path), cli.Bare(err)))
	}
	list, err := catalog.Parse(text, sources.Types())
	if err != nil {
		return nil, cli.Unreadable(fmt.Errorf("cannot read the file of sources %s:\n%w", cli.Quote(path), err))
	}
	return list, nil
}

// asks are the metrics APIs and those sources of the list that the lines of a workload name, with the credentials that the file leads to.
func asks(apis map[string]metrics.Source, list *catalog.Catalog, p annotations.Policy, set *informer.Set) (map[string]metrics.Source, error) {
	all := maps.Clone(apis)
	env := sources.Env{Log: zap.NewNop(), ReadFile: sources.ReadFile, Pods: func(namespace string, selector labels.Selector) ([]*podspec.Pod, error) {
		pods, known := set.Counted(namespace, selector)
		if !known {
			return nil, fmt.Errorf("its pods are being listed: %w", metrics.ErrPending)
		}
		return pods, nil
	}}
	for _, m := range p.Metrics {
		entry := list.Entry(m.Source)
		if m.Line == nil || entry == nil || all[m.Source] != nil {
			continue
		}
		source, err := sources.Open(entry, env, nil)
		if err != nil {
			return nil, fmt.Errorf("cannot ask source %s: %w", cli.Quote(m.Source), err)
		}
		all[m.Source] = source
	}
	return all, nil
}

// unlisted tells that lines are not asked for want of the file.
func unlisted(list *catalog.Catalog, p annotations.Policy) []annotations.Warning {
	for _, m := range p.Metrics {
		if m.Line != nil && m.Source != annotations.SourceActivator && list == nil {
			return []annotations.Warning{{Field: "--sources", Rule: annotations.FoundUnchecked,
				Message: fmt.Sprintf("is not given, so that nothing is known of the sources that %s names, and none is asked", annotations.SourcesKey)}}
		}
	}
	return nil
}
