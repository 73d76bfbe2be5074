package lint

import (
	"cmp"
	"path/filepath"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/neighbors"
)

// maxAreas is how far up it is looked: there are files for each directory of a path, and directories for each file.
const maxAreas = 64

// around are the area and those it is a part of, the nearest first: what is in a directory also counts below it.
func (a area) around() []area {
	all := []area{a}
	for dir := a.dir; dir != "" && len(all) < maxAreas; {
		up := filepath.Dir(dir)
		if up == dir {
			break
		}
		dir, all = up, append(all, area{dir: up})
	}
	return all
}

// surroundings are those of a workload of the manifests, from the nearest level on. Of autoscalers the nearest level that has any counts. Of
// LimitRanges it is the nearest that supplies a resource: one may have a default for CPU, and one farther away a default for memory.
func (m *manifests) surroundings(d *candidate) annotations.Surroundings {
	return m.surroundingsOf(d.workload, m.levels(d.object))
}

// surroundingsOf returns the surroundings of a workload from its neighborhoods, the nearest of which come first.
func (m *manifests) surroundingsOf(w *annotations.Workload, levels []*neighbors.Neighborhood) annotations.Surroundings {
	all := annotations.Surroundings{Sources: m.sources, Activator: m.activator}
	nowhere := func(string, string) string { return "" }
	ofScaler, ofResizer, ofRange := nowhere, nowhere, map[*corev1.LimitRange]string{}
	places := map[string]string{}
	for i, n := range levels {
		near := n.Of(w)
		all.Services = nearest(all.Services, near.Services, annotations.KindService, levels[:i+1], places)
		if m.activator != nil { // otherwise nobody looks at them
			all.NetworkPolicies = nearest(all.NetworkPolicies, near.NetworkPolicies, annotations.KindNetworkPolicy, levels[:i+1], places)
		}
		all.Unknown, all.Injection = cmp.Or(all.Unknown, near.Unknown), cmp.Or(all.Injection, near.Injection)
		for _, r := range near.LimitRanges {
			if _, known := ofRange[r]; !known {
				all.LimitRanges, ofRange[r] = append(all.LimitRanges, r), near.Where(neighbors.KindLimitRange, r.Name)
			}
		}
		if len(all.Autoscalers) == 0 {
			all.Autoscalers, ofScaler = near.Autoscalers, near.Where
		}
		if len(all.Resizers) == 0 {
			all.Resizers, ofResizer = near.Resizers, near.Where
		}
	}
	for _, n := range levels {
		for _, other := range n.Beside(all.Services) {
			all.Beside, places[other.Kind.Kind+" "+other.Name] = append(all.Beside, other), n.Place(other.Kind.Kind, other.Name)
		}
	}
	all.WhereRange = func(r *corev1.LimitRange) string { return ofRange[r] }
	all.Where = func(kind, name string) string {
		switch place, known := places[kind+" "+name]; {
		case known:
			return place
		case kind == annotations.KindResizer:
			return ofResizer(kind, name)
		}
		return ofScaler(kind, name)
	}
	return all
}

// nearest adds the objects of the last level, but not those of a name that a nearer one has, and says where they are. They stay sorted by name. They are
// known from the first level on that has any.
func nearest[T metav1.Object](known, near []T, kind string, levels []*neighbors.Neighborhood, places map[string]string) []T {
	last := len(levels) - 1
	if known == nil && near != nil {
		known = []T{}
	}
	for _, object := range near {
		name := object.GetName()
		if !slices.ContainsFunc(levels[:last], func(n *neighbors.Neighborhood) bool { return n.Has(kind, name) }) {
			known, places[kind+" "+name] = append(known, object), levels[last].Place(kind, name)
		}
	}
	slices.SortFunc(known, func(a, b T) int { return cmp.Compare(a.GetName(), b.GetName()) })
	return known
}

// reviewed is the verdict on a workload that is applied to a namespace, or to none that is known: then it is not known either what it may ask
// of sources. Another autoscaler is a problem if it is in the manifests, and one that only the cluster has a
// warning.
func reviewed(defaults annotations.Defaults, w *annotations.Workload, namespace string, s annotations.Surroundings) annotations.Verdict {
	s.Now = time.Now()
	if namespace == "" {
		s.Sources = nil
	}
	if s.Sources != nil {
		there := *w
		there.Namespace = namespace
		w = &there
	}
	return defaults.Review(w, s).Replacing(func(other annotations.Autoscaler) bool { return s.Where(other.Kind, other.Name) != "" })
}

// areas are those that an object is in, the nearest first. One that names the namespace into which a kustomization puts all of its directory
// is also where those are that name none. One that names none and is put into a namespace is where those are that name it.
func (m *manifests) areas(o object) []area {
	all := areaOf(o).around()
	if o.file == standardInput || len(m.layout.Namespaces) == 0 {
		return all
	}
	if namespace := m.putInto(o); namespace != "" {
		return append(all, area{namespace: namespace})
	}
	if o.GetNamespace() == "" {
		return all
	}
	named := area{namespace: o.GetNamespace(), isPut: true}
	o.namespace = ""
	for _, a := range areaOf(o).around() {
		if m.layout.Namespaces[a.dir] == o.GetNamespace() {
			all = append(all, a)
		}
	}
	return append(all, named)
}

// levels are the neighborhoods of an object, the nearest first. All must have been read.
func (m *manifests) levels(o object) []*neighbors.Neighborhood {
	key := areaOf(o)
	if len(m.layout.Parts)+len(m.layout.Namespaces) > 0 {
		key.file = o.file // of two files in a directory, a kustomization above it may be made of one
	}
	if found, ok := m.known[key]; ok {
		return found
	}
	var found []*neighbors.Neighborhood
	for _, a := range m.areas(o) {
		if n, ok := m.around[a]; ok {
			found = append(found, n)
		}
		if n := m.composed(o, a); n != nil {
			found = append(found, n)
		}
	}
	m.known[key] = found
	return found
}

// composed is what bears on an object because a kustomization in its directory, or one above that, is made of it and of other things; nil if
// that is nothing.
func (m *manifests) composed(o object, a area) *neighbors.Neighborhood {
	if len(m.layout.Parts[a.dir]) == 0 || o.file == standardInput {
		return nil
	}
	c := m.layout.Compose(a.dir, m.layout.Home(o.dir()))
	if !c.Holds(o.path(), a.dir) {
		return nil
	}
	around := m.composites[c]
	if around == nil {
		around = neighbors.New()
		m.composites[c] = around
		for _, part := range c.Order {
			around.Take(m.around[area{file: part}])
			if _, isKustomization := m.layout.Parts[part]; !isKustomization {
				around.Take(m.around[area{dir: part}])
			}
		}
	}
	return around
}
