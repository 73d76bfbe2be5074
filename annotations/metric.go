package annotations

import (
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
)

// Metric is one target of a policy.
type Metric struct {
	// ID is the metric's among those of its policy, made once, by the parser, and the same as long as the annotations are. Metrics
	// that measure the same have the same ID, others have others. It is empty for what is sampled (see Source).
	//
	//	backlog                                         the only metric of that name
	//	backlog{queue=mail}                             an External one of several, with a selector
	//	hits of Ingress.networking.k8s.io/front         an Object one of several
	//	hits of pods                                    a Pods one of several
	//	prom@requests-per-second                        a line of mini-hpa/sources: its source, and the query or what is counted
	//	orders-kafka@lag{group=shop.mail,topic=mail}    one of several of that name
	//	activator@requests                              the requests of mini-hpa/wake
	//
	// A Snapshot holds what was measured under it, and so do traces: IDs do not change from one version to the next.
	ID string
	// Spec says what is measured and what it is to be held at, in the vocabulary of autoscaling/v2.
	Spec autoscalingv2.MetricSpec
	// Source is who is asked for it: SourceCustom, SourceExternal, SourceActivator, one of the administrator's, or "" for CPU and memory, which are sampled for
	// all pods together.
	Source string
	// Line is the line of mini-hpa/sources or mini-hpa/wake that it comes from (see Key); nil for others. Its Spec is that of an External metric, without a selector.
	Line *SourceLine
}

// Key is the annotation that the line of a metric stands in; the metric has a Line.
func (m *Metric) Key() string {
	if m.Source == SourceActivator {
		return WakeKey
	}
	return SourcesKey
}

// Asked is what the line of a metric asks for; the metric has a Line.
func (m *Metric) Asked() catalog.Asked {
	return catalog.Asked{Source: m.Source, Query: m.Line.Query, Given: m.Line.Given}
}

// The names of the sources of metrics, as in Metric.Source.
const (
	SourceCustom   = "custom"   // custom.metrics.k8s.io, asked for Pods and Object metrics
	SourceExternal = "external" // external.metrics.k8s.io, asked for External metrics
	// SourceActivator is what has told of the requests of mini-hpa/wake: those that wait at the activators, or are passed on by them.
	SourceActivator = "activator"
)

// MetricsOf makes metrics of all specs of a policy, as those of an HPA that test/conformance compares with, or of a test.
func MetricsOf(specs []autoscalingv2.MetricSpec) []Metric {
	all := make([]Metric, len(specs))
	for i := range specs {
		all[i].Spec = specs[i]
	}
	identify(all)
	return all
}

// identify gives each metric its source and its ID.
func identify(all []Metric) {
	named, known := map[string]int{}, map[string]series{}
	for i := range all {
		if s := seriesOf(&all[i]); s.source != "" {
			all[i].Source = s.source
			named[s.name]++
		}
	}
	for i := range all {
		if all[i].Source == "" {
			continue
		}
		s := seriesOf(&all[i])
		id := s.name
		if named[id] > 1 {
			id = s.qualified()
		}
		for other, taken := known[id]; taken && other != s; other, taken = known[id] {
			id += "'" // the name looks like that of another metric with its qualifier
		}
		known[id], all[i].ID = s, id
	}
}

// series is what a source is asked for. That of a metric which is sampled is empty.
type series struct {
	source string
	name   string // the metric's
	labels string // its selector or what its line gives, in braces; none is not the same as an empty one
	of     string // what it describes
}

func seriesOf(m *Metric) series {
	spec := &m.Spec
	switch {
	case m.Line != nil:
		return series{source: m.Source, name: spec.External.Metric.Name, labels: m.Line.labels()}
	case spec.Type == autoscalingv2.PodsMetricSourceType && spec.Pods != nil:
		return askedFor(SourceCustom, &spec.Pods.Metric, " of pods")
	case spec.Type == autoscalingv2.ObjectMetricSourceType && spec.Object != nil:
		object := &spec.Object.DescribedObject
		kind := schema.FromAPIVersionAndKind(object.APIVersion, object.Kind).GroupKind()
		return askedFor(SourceCustom, &spec.Object.Metric, " of "+kind.String()+"/"+object.Name)
	case spec.Type == autoscalingv2.ExternalMetricSourceType && spec.External != nil:
		return askedFor(SourceExternal, &spec.External.Metric, "")
	}
	return series{}
}

func askedFor(source string, id *autoscalingv2.MetricIdentifier, of string) series {
	s := series{source: source, name: id.Name, of: of}
	if id.Selector != nil {
		s.labels = "{" + metav1.FormatLabelSelector(id.Selector) + "}"
	}
	return s
}

// qualified is the name with a qualifier that distinguishes the series from others of that name.
func (s series) qualified() string { return s.name + s.labels + s.of }
