package migrate

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/hpa"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/keda"
)

// migration is what becomes of all objects.
type migration struct {
	*objects
	results []*result
	file    keda.File
	// scales is which result has each workload; see judge.
	scales map[reference]*result
	// known are the objects by what they are, files those of each file; nil until they are asked for.
	known map[identity]*object
	files map[string][]*object
}

// in are the objects of a file.
func (m *migration) in(file string) []*object {
	if m.files == nil {
		m.files = map[string][]*object{}
		for _, o := range m.objects.objects {
			m.files[o.File] = append(m.files[o.File], o)
		}
	}
	return m.files[file]
}

// tell writes what was found, and what to do next.
func (m *migration) tell(s cli.Streams) {
	for _, r := range m.results {
		r.tell("migrate", s)
	}
	waiting := 0
	for _, entry := range m.file.Sources {
		if entry.Awaits() {
			waiting++
		}
	}
	if n := len(m.file.Sources); n > 0 {
		fmt.Fprintf(s.Err, "mini-hpa migrate: note: %s needed in the administrator's file, which -o sources writes; in %d of them something is to be filled in\n", is(n, "source"), waiting)
	}
}

// is says a number of things and a verb.
func is(n int, noun string) string {
	if n == 1 {
		return "1 " + noun + " is"
	}
	return cli.Plural(n, noun) + " are"
}

// convert takes an autoscaler.
func (m *migration) convert(o *object) {
	r := &result{From: o.reference, object: o}
	m.results = append(m.results, r)
	var err error
	switch {
	case o.section != nil:
		err = m.values(r)
	case o.Kind == annotations.KindScaledObject:
		err = m.scaledObject(r)
	default:
		err = m.autoscaler(r)
	}
	if err != nil {
		found := o.misfits()
		if len(found) == 0 {
			found = []hpa.Remark{unread(err)}
		}
		r.Remarks = append(r.Remarks, found...)
	}
	if r.Annotations != nil {
		m.judge(r)
	}
}

// unread remarks on an object that cannot be read, at the field that is wrong, if one of them alone is.
func unread(err error) hpa.Remark {
	remark := hpa.Remark{Why: "cannot be read, so that nothing is made of it: " + err.Error(), Lost: true}
	if of := (*field.Error)(nil); errors.As(err, &of) {
		remark.Path, remark.Value = of.Field, fmt.Sprint(of.BadValue)
		remark.Why = "cannot be read, so that nothing is made of it: it " + of.Detail
	}
	return remark
}

// unknown is why nothing is made of an object that scales, and is none that is converted; nil if it does not.
func unknown(o *object) *hpa.Remark {
	version, err := schema.ParseGroupVersion(o.APIVersion)
	isFirst := version.Group == "keda.k8s.io"
	switch {
	case err != nil || !isFirst && version.Group != annotations.GroupKEDA:
	case o.Kind == "ScaledJob":
		return &hpa.Remark{Path: "kind", Value: o.Kind, Why: "makes Jobs, which mini-hpa does not: nothing is made of it", Do: "leave it to KEDA, or let a Deployment do its work, which sleeps while there is none (docs/zero.md)", Lost: true}
	case isFirst && o.Kind == annotations.KindScaledObject:
		return &hpa.Remark{Path: "apiVersion", Value: o.APIVersion, Why: "is that of KEDA 1, which has other fields: nothing is made of it", Do: "write it as keda.sh/v1alpha1 first, as KEDA's guide to its version 2 says", Lost: true}
	}
	return nil
}

func (m *migration) autoscaler(r *result) error {
	o, remarks, err := hpa.Read(r.object.json())
	if err != nil {
		return err
	}
	r.Remarks = remarks
	owner := metav1.GetControllerOfNoCopy(o)
	if owner != nil {
		why := "has made it, and would make it again: nothing is made of it here"
		if is, _ := annotations.Scales(annotations.KindHPA, o, o.Spec.ScaleTargetRef); is.Kind == annotations.KindScaledObject {
			r.Remarks = append(r.Remarks, hpa.Remark{Path: "metadata.ownerReferences", Value: owner.Kind + " " + owner.Name, Why: why + ", but of the ScaledObject"})
			return nil
		}
		r.Remarks = append(r.Remarks, hpa.Remark{Path: "metadata.ownerReferences", Value: owner.Kind + " " + owner.Name, Why: why, Do: "see what that has instead of an HPA", Lost: true})
		return nil
	}
	if r.target(o.Spec.ScaleTargetRef) {
		r.Annotations = hpa.Annotations(&o.Spec)
		r.Remarks = append(r.Remarks, wakeless(r.Annotations, &o.Spec)...)
		r.Remarks = append(r.Remarks, limitless("spec.behavior", o.Spec.Behavior, o.Spec.MaxReplicas)...)
	}
	return nil
}

// limitless remarks on an HPA without a behavior, which has other limits of scale-out, unless they are above its most replicas.
func limitless(path string, behavior *autoscalingv2.HorizontalPodAutoscalerBehavior, most int32) []hpa.Remark {
	if behavior != nil || most <= 4 {
		return nil
	}
	return []hpa.Remark{{Path: path, Why: "is not set: an HPA then at most doubles its replicas, or goes to 4; mini-hpa adds 4 pods or 100% in 15s"}}
}

func (m *migration) scaledObject(r *result) error {
	o, remarks, err := keda.Read(r.object.json())
	if err != nil {
		return err
	}
	r.Remarks = remarks
	o.Namespace = r.From.Namespace
	ref := autoscalingv2.CrossVersionObjectReference{APIVersion: o.Spec.ScaleTargetRef.APIVersion, Kind: o.Spec.ScaleTargetRef.Kind, Name: o.Spec.ScaleTargetRef.Name}
	if _, key := annotations.Scales(annotations.KindScaledObject, o, ref); ref.Kind == "" {
		ref.Kind = key.Kind.Kind
	}
	if ref.APIVersion == "" {
		ref.APIVersion = appsv1.SchemeGroupVersion.String()
	}
	if !r.target(ref) {
		return nil
	}
	all, more := keda.Convert(o, &m.file)
	r.Annotations, r.Remarks = all, append(r.Remarks, more...)
	if all == nil {
		return nil
	}
	var behavior *autoscalingv2.HorizontalPodAutoscalerBehavior
	if a := o.Spec.Advanced; a != nil && a.HorizontalPodAutoscalerConfig != nil {
		behavior = a.HorizontalPodAutoscalerConfig.Behavior
	}
	if all[annotations.ScheduleKey] != "" && all[annotations.TargetCPU]+all[annotations.TargetMemory]+all[annotations.Metrics]+all[annotations.SourcesKey] == "" {
		r.Remarks = append(r.Remarks, hpa.Remark{Path: "spec.triggers", Why: "are hours alone: replicas go as soon as these are over, where KEDA waits for cooldownPeriod, or its HPA for the stabilization of scale-down",
			Do: "let the lines of " + annotations.ScheduleKey + " end later, if work is still under way then"})
	}
	most, _ := strconv.ParseInt(all[annotations.Max], 10, 32) // what KEDA takes as such
	r.Remarks = append(r.Remarks, limitless("spec.advanced.horizontalPodAutoscalerConfig.behavior", behavior, int32(most))...)
	return nil
}

// values converts a section of the values of a chart.
func (m *migration) values(r *result) error {
	s, path := r.object.section, r.From.Name
	add := func(remarks ...hpa.Remark) {
		for _, remark := range remarks {
			remark.Path = strings.TrimSuffix(path+"."+strings.TrimPrefix(strings.TrimPrefix(remark.Path, "spec"), "."), ".")
			r.Remarks = append(r.Remarks, remark)
		}
	}
	if s.parameter != "" {
		add(hpa.Remark{Value: s.parameter, Why: "is not read, and takes the place of that value", Do: "convert what the chart renders: argocd app manifests APP | mini-hpa migrate -f -", Lost: true})
		return nil
	}
	if s.fields[valueEnabled] == false {
		add(hpa.Remark{Path: valueEnabled, Value: "false", Why: "switches it off, so that nothing is made of it"})
		return nil
	}
	data, isTargeted, lost, err := s.autoscaler()
	if err != nil {
		return err
	}
	add(lost...)
	o, remarks, err := hpa.Read(data)
	if err != nil {
		found := misfitsOf(data)
		if len(found) == 0 {
			found = []hpa.Remark{unread(err)}
		}
		add(found...)
		return nil
	}
	add(remarks...)
	if o.Spec.MaxReplicas == 0 {
		add(hpa.Remark{Path: valueMax, Why: "is not here, so that nothing is made of it", Do: "add it, or convert what the chart renders: helm template . | mini-hpa migrate -f -", Lost: true})
		return nil
	}
	add(limitless("spec.behavior", o.Spec.Behavior, o.Spec.MaxReplicas)...)
	r.Annotations = hpa.Annotations(&o.Spec)
	if !isTargeted {
		add(assumed(len(lost) > 0))
	}
	add(wakeless(r.Annotations, &o.Spec)...)
	place := "put them into metadata.annotations of its template"
	if own := s.annotationsValue(); own != "" {
		place = "the value " + own + " may be what its template has there"
	}
	add(hpa.Remark{Why: "does not say of which workload", Do: place + "; podAnnotations are those of its pods, where nothing reads them"},
		hpa.Remark{Path: valueEnabled, Why: "makes the HPA", Do: "take the HPA out of the templates rather than set this to false: then most charts write spec.replicas, which each upgrade would set again (docs/migrate.md)"})
	return nil
}

// target notes which workload is scaled. It is false if mini-hpa cannot scale it.
func (r *result) target(ref autoscalingv2.CrossVersionObjectReference) bool {
	const path = "spec.scaleTargetRef"
	version, err := schema.ParseGroupVersion(ref.APIVersion)
	kind := schema.GroupKind{Group: version.Group, Kind: ref.Kind}
	usual, isBuiltin := annotations.BuiltinOf(schema.GroupKind{Group: appsv1.GroupName, Kind: ref.Kind})
	switch {
	case err != nil || ref.Name == "" || ref.Kind == "":
		r.Remarks = append(r.Remarks, hpa.Remark{Path: path, Value: ref.APIVersion + " " + ref.Kind + " " + ref.Name, Why: "names no object, so that there is nothing to annotate", Do: "correct it", Lost: true})
		return false
	case isBuiltin && kind.Group != appsv1.GroupName && (kind.Group == "" || kind.Group == "extensions"):
		r.Remarks = append(r.Remarks, hpa.Remark{Path: path + ".apiVersion", Value: ref.APIVersion, Why: "has no " + ref.Kind + " any more, so that the HPA controller finds none; taken for " + appsv1.SchemeGroupVersion.String()})
		ref.APIVersion = usual.GroupVersion().String()
	case isBuiltin && kind.Group == appsv1.GroupName:
		ref.APIVersion = usual.GroupVersion().String()
	case !strings.Contains(kind.Group, "."): // as in the groups of all CustomResourceDefinitions
		r.Remarks = append(r.Remarks, hpa.Remark{Path: path, Value: ref.Kind, Why: "is of a kind that mini-hpa does not scale: Deployments, StatefulSets, ReplicaSets and custom resources are", Do: meant(kind), Lost: true})
		return false
	default:
		r.Remarks = append(r.Remarks, hpa.Remark{Path: path, Value: ref.Kind, Why: "is a custom resource, of which mini-hpa scales those that its administrator has named", Do: "see --kinds of the controller (docs/kinds.md)"})
	}
	r.Workload = &reference{APIVersion: ref.APIVersion, Kind: ref.Kind, Namespace: r.From.Namespace, Name: ref.Name}
	return true
}

// meant advises on a kind that would be scaled if its letters were other ones: they count in Kubernetes.
func meant(kind schema.GroupKind) string {
	for _, k := range annotations.Builtin() {
		if k.Group == kind.Group && strings.EqualFold(k.Kind, kind.Kind) {
			return "write " + k.Kind + ", as nothing scales what is written so"
		}
	}
	return ""
}

// judge holds what was made to what mini-hpa takes, and to the other results.
func (m *migration) judge(r *result) {
	refuse := func(path, value, why, do string) {
		r.Remarks = append(r.Remarks, hpa.Remark{Path: path, Value: value, Why: why, Do: do, Lost: true})
		r.Annotations = nil
	}
	var workload *object
	if r.Workload != nil {
		workload = m.workload(r)
	}
	at := "" // the object
	if r.object.section != nil {
		at = r.From.Name
	}
	v := review(r.Annotations, workload)
	for _, p := range v.Problems {
		refuse(at, "", fmt.Sprintf("is not converted, because mini-hpa would refuse %s: %s", p.Field, p.ErrorBody()), "")
	}
	for _, w := range v.Warnings {
		r.Remarks = append(r.Remarks, hpa.Remark{Path: at, Why: "is converted, with a warning: " + w.String()})
	}
	if r.Workload == nil {
		return
	}
	if other := m.scales[*r.Workload]; other != nil {
		refuse("spec.scaleTargetRef", r.Workload.Name, "is what "+other.From.title()+" scales, too: of these two only that is converted", "decide for one of them")
		return
	}
	if workload != nil && annotations.Selected(workload.annotations()) {
		keys := slices.DeleteFunc(slices.Sorted(maps.Keys(workload.annotations())), func(key string) bool { return !strings.HasPrefix(key, annotations.Prefix) })
		refuse("spec.scaleTargetRef", r.Workload.Name, "has annotations of mini-hpa already ("+strings.Join(keys, ", ")+"), which stay as they are", "remove them, or this")
	}
	if r.Annotations == nil {
		return
	}
	if m.scales == nil {
		m.scales = map[reference]*result{}
	}
	m.scales[*r.Workload] = r
}

// workload is that of a result, if it is among what was read.
func (m *migration) workload(r *result) *object {
	if m.known == nil {
		m.known = m.objects.byIdentity()
	}
	wanted, _ := r.Workload.identity()
	return m.known[wanted]
}
