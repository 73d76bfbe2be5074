package main

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// area is where objects are neighbors: a namespace or, for objects that name none, a directory, because those of another directory
// may be another environment's. A file is an area of its own where a kustomization names it.
type area struct {
	namespace, dir, file string
	// isPut says that kustomizations put the objects into the namespace, which do not name it themselves. They count for those that name it, and
	// not for each other: they may be of other clusters.
	isPut bool
}

// areaOf is an object's own.
func areaOf(o object) area {
	if o.namespace != "" || o.file == standardInput {
		return area{namespace: o.namespace}
	}
	dir, err := filepath.Abs(filepath.Dir(o.file))
	if err != nil { // the working directory is gone
		dir = filepath.Dir(o.file)
	}
	return area{dir: dir}
}

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

// neighborhood is what in one area bears on whether its Deployments can be scaled.
type neighborhood struct {
	limitRanges map[string]*corev1.LimitRange
	scalers     map[neighbor]*rival
	resizers    map[string]resizer
	// unknown says why the LimitRanges could not be read, hidden what else could not, for whoever asked.
	unknown string
	hidden  []error
	// injection is annotations.Surroundings'.
	injection string
	// places are where in the manifests the objects are. Those of a cluster have none.
	places map[neighbor]string
	// ranges are, by resource, the LimitRanges that supply requests and limits, in the order of their names; targets is what scales each
	// Deployment, and resized what changes its requests. They are nil until they are asked for.
	ranges  map[corev1.ResourceName][]*corev1.LimitRange
	targets map[string][]annotations.Autoscaler
	resized map[string][]*annotations.Resizer
}

// neighbor names an object.
type neighbor struct{ kind, name string }

// rival is an autoscaler and the names of the Deployments that it scales.
type rival struct {
	is          annotations.Autoscaler
	deployments []string
	// itself says that it was met, and not only what was made for it.
	itself bool
}

func newNeighborhood() *neighborhood {
	return &neighborhood{limitRanges: map[string]*corev1.LimitRange{}, scalers: map[neighbor]*rival{}, resizers: map[string]resizer{}, places: map[neighbor]string{}}
}

// scalerObject is what an HPA of any version and a ScaledObject have in common.
type scalerObject struct {
	Metadata metav1.ObjectMeta `json:"metadata"`
	Spec     struct {
		ScaleTargetRef autoscalingv2.CrossVersionObjectReference `json:"scaleTargetRef"`
	} `json:"spec"`
}

// addLimitRange adds one that is in a place of the manifests, or in the cluster if that is empty.
func (n *neighborhood) addLimitRange(limits *corev1.LimitRange, place string) {
	n.limitRanges[limits.Name] = limits
	n.places[neighbor{kindLimitRange, limits.Name}] = place
}

const kindLimitRange = "LimitRange"

// resizer is a VerticalPodAutoscaler and the Deployment whose requests it changes; empty if none.
type resizer struct {
	is         *annotations.Resizer
	deployment string
}

// addResizer adds a VerticalPodAutoscaler by its fields.
func (n *neighborhood) addResizer(name string, fields map[string]any, place string) {
	is, deployment := annotations.ReadResizer(name, fields)
	n.resizers[name], n.places[neighbor{annotations.KindResizer, name}] = resizer{is, deployment}, place
}

// addScaler adds an object that scales something. One that scales something else takes the place of one in the cluster, too. A ScaledObject and
// the HorizontalPodAutoscaler that KEDA has made for it are one, whichever comes first, and not paused for as long as both are there.
func (n *neighborhood) addScaler(kind string, s scalerObject, place string) {
	is, deployment := annotations.Scales(kind, &s.Metadata, s.Spec.ScaleTargetRef)
	name := neighbor{is.Kind, is.Name}
	known, ok := n.scalers[name]
	if !ok {
		known = &rival{is: is}
		n.scalers[name], n.places[name] = known, place
	}
	if kind == is.Kind && !known.itself {
		known.itself, n.places[name] = true, place
	}
	known.is.Paused = known.is.Paused && is.Paused
	if deployment != "" {
		known.deployments = append(known.deployments, deployment)
	}
}

// take adds what another neighborhood has and this one has not.
func (n *neighborhood) take(other *neighborhood) {
	if other == nil {
		return
	}
	addMissing(n.limitRanges, other.limitRanges)
	addMissing(n.scalers, other.scalers)
	addMissing(n.resizers, other.resizers)
	addMissing(n.places, other.places)
	n.injection = cmp.Or(n.injection, other.injection)
}

func addMissing[K comparable, V any](to, from map[K]V) {
	for key, value := range from {
		if _, ok := to[key]; !ok {
			to[key] = value
		}
	}
}

// over is the neighborhood with what another one has besides.
func (n *neighborhood) over(other *neighborhood) *neighborhood {
	if n != nil {
		maps.Copy(other.limitRanges, n.limitRanges)
		maps.Copy(other.scalers, n.scalers)
		maps.Copy(other.resizers, n.resizers)
		maps.Copy(other.places, n.places)
		other.injection = cmp.Or(n.injection, other.injection)
	}
	return other
}

// of is what the neighborhood is for one Deployment.
func (n *neighborhood) of(d *appsv1.Deployment) annotations.Surroundings {
	if n.targets == nil {
		n.sort()
	}
	return annotations.Surroundings{Unknown: n.unknown, Injection: n.injection, LimitRanges: n.rangesFor(d), Autoscalers: n.targets[d.Name], Resizers: n.resized[d.Name],
		Where: func(kind, name string) string { return n.places[neighbor{kind, name}] }}
}

// rangesFor are the LimitRanges that could matter to a Deployment: those that supply a resource which is measured, so that
// thousands of others take no time. What its list of metrics names is one of its words.
func (n *neighborhood) rangesFor(d *appsv1.Deployment) []*corev1.LimitRange {
	names := strings.FieldsFunc(d.Annotations[annotations.Metrics], func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-._/", r)
	})
	var found []*corev1.LimitRange
	for _, name := range append(names, string(corev1.ResourceCPU), string(corev1.ResourceMemory)) {
		for _, r := range n.ranges[corev1.ResourceName(name)] {
			if !slices.Contains(found, r) {
				found = append(found, r)
			}
		}
	}
	slices.SortFunc(found, func(a, b *corev1.LimitRange) int { return cmp.Compare(a.Name, b.Name) })
	return found
}

// sort makes what is asked for once for each Deployment. Of the LimitRanges that supply the same, the first one counts.
func (n *neighborhood) sort() {
	n.ranges = map[corev1.ResourceName][]*corev1.LimitRange{}
	requests, limits := map[corev1.ResourceName]bool{}, map[corev1.ResourceName]bool{}
	for _, key := range slices.Sorted(maps.Keys(n.limitRanges)) {
		for name, part := range partsOf(n.limitRanges[key]) {
			_, hasRequest := annotations.DefaultRequest(part, name)
			_, hasLimit := annotations.DefaultLimit(part, name)
			if hasRequest && !requests[name] || hasLimit && !limits[name] {
				n.ranges[name] = append(n.ranges[name], part)
			}
			requests[name], limits[name] = requests[name] || hasRequest, limits[name] || hasLimit
		}
	}
	n.resized = map[string][]*annotations.Resizer{}
	for _, name := range slices.Sorted(maps.Keys(n.resizers)) {
		r := n.resizers[name]
		n.resized[r.deployment] = append(n.resized[r.deployment], r.is)
	}
	n.targets = map[string][]annotations.Autoscaler{}
	for _, s := range n.scalers {
		slices.Sort(s.deployments)
		for _, deployment := range slices.Compact(s.deployments) {
			n.targets[deployment] = append(n.targets[deployment], s.is)
		}
	}
	for _, all := range n.targets {
		slices.SortFunc(all, func(a, b annotations.Autoscaler) int {
			return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
		})
	}
}

// partsOf are, by resource, what a LimitRange supplies: of all its items, of which there may be thousands, the first that counts.
func partsOf(r *corev1.LimitRange) map[corev1.ResourceName]*corev1.LimitRange {
	parts := map[corev1.ResourceName]*corev1.LimitRange{}
	for i := range r.Spec.Limits {
		one := &corev1.LimitRange{Spec: corev1.LimitRangeSpec{Limits: r.Spec.Limits[i : i+1]}}
		for name := range resourcesOf(&r.Spec.Limits[i]) {
			request, hasRequest := annotations.DefaultRequest(one, name)
			limit, hasLimit := annotations.DefaultLimit(one, name)
			if parts[name] == nil {
				nothing := corev1.ResourceList{name: {}} // and not what stands in for one that is not set
				parts[name] = &corev1.LimitRange{ObjectMeta: r.ObjectMeta, Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{
					{Type: corev1.LimitTypeContainer, DefaultRequest: nothing, Default: corev1.ResourceList{}}}}}
			}
			part := &parts[name].Spec.Limits[0]
			if known := part.DefaultRequest[name]; hasRequest && known.IsZero() {
				part.DefaultRequest[name] = request
			}
			if _, known := part.Default[name]; hasLimit && !known {
				part.Default[name] = limit
			}
		}
	}
	return parts
}

// resourcesOf are the resources about which an item of a LimitRange says something.
func resourcesOf(item *corev1.LimitRangeItem) map[corev1.ResourceName]bool {
	names := map[corev1.ResourceName]bool{}
	for _, list := range []corev1.ResourceList{item.DefaultRequest, item.Default, item.Max, item.Min} {
		for name := range list {
			names[name] = true
		}
	}
	return names
}

// surroundings are those of a Deployment of the manifests, from the nearest level on. Of autoscalers the nearest level that has any counts. Of
// LimitRanges it is the nearest that supplies a resource: one may have a default for CPU, and one farther away a default for memory.
func (m *manifests) surroundings(d *candidate) annotations.Surroundings {
	return m.surroundingsOf(d.workload, m.levels(d.object))
}

// surroundingsOf are those of a Deployment in neighborhoods, of which the nearest come first.
func (m *manifests) surroundingsOf(d *appsv1.Deployment, levels []*neighborhood) annotations.Surroundings {
	var all annotations.Surroundings
	nowhere := func(string, string) string { return "" }
	ofScaler, ofResizer, ofRange := nowhere, nowhere, map[*corev1.LimitRange]string{}
	for _, n := range levels {
		near := n.of(d)
		all.Unknown, all.Injection = cmp.Or(all.Unknown, near.Unknown), cmp.Or(all.Injection, near.Injection)
		for _, r := range near.LimitRanges {
			if _, known := ofRange[r]; !known {
				all.LimitRanges, ofRange[r] = append(all.LimitRanges, r), near.Where(kindLimitRange, r.Name)
			}
		}
		if len(all.Autoscalers) == 0 {
			all.Autoscalers, ofScaler = near.Autoscalers, near.Where
		}
		if len(all.Resizers) == 0 {
			all.Resizers, ofResizer = near.Resizers, near.Where
		}
	}
	all.WhereRange = func(r *corev1.LimitRange) string { return ofRange[r] }
	all.Where = func(kind, name string) string {
		if kind == annotations.KindResizer {
			return ofResizer(kind, name)
		}
		return ofScaler(kind, name)
	}
	return all
}

// areas are those that an object is in, the nearest first. One that names the namespace into which a kustomization puts all of its directory
// is also where those are that name none. One that names none and is put into a namespace is where those are that name it.
func (m *manifests) areas(o object) []area {
	all := areaOf(o).around()
	if o.file == standardInput || len(m.layout.namespaces) == 0 {
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
		if m.layout.namespaces[a.dir] == o.GetNamespace() {
			all = append(all, a)
		}
	}
	return append(all, named)
}

// putInto is the namespace into which the nearest kustomization puts an object; empty if it names one itself, or is in none.
func (m *manifests) putInto(o object) string {
	where := areaOf(o)
	if where.dir == "" || len(m.layout.namespaces) == 0 {
		return ""
	}
	return m.layout.home(where.dir)
}

// levels are the neighborhoods of an object, the nearest first. All must have been read.
func (m *manifests) levels(o object) []*neighborhood {
	key := areaOf(o)
	if len(m.layout.parts)+len(m.layout.namespaces) > 0 {
		key.file = o.file // of two files in a directory, a kustomization above it may be made of one
	}
	if found, ok := m.known[key]; ok {
		return found
	}
	var found []*neighborhood
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

// place is where an object is, as messages about others name it.
func (o object) place() string { return fmt.Sprintf("%s:%d", o.file, o.Node.Line) }
