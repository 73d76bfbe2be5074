package lint

import (
	"cmp"
	stdjson "encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	yaml "sigs.k8s.io/yaml/goyaml.v3"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/kustomize"
	"github.com/mini-hpa/mini-hpa/cmd/internal/manifest"
)

// stray is a mapping with mini-hpa's keys that nothing reads.
type stray struct {
	object
	at      *field.Path    // of the mapping
	members map[string]any // those keys and their values
	keys    []string
	// pairs is what it says, to know it again.
	pairs string
}

// maxStrays is how many strays are reported for one object.
const maxStrays = 8

// strays are those of an object. Of other kinds than Kubernetes' own only the metadata is looked at: a HelmRelease, say, has the
// annotations of a Deployment among its values.
func (o object) strays() []stray {
	if o.GetAPIVersion() == builtin {
		return nil // a transformer of kustomize, which writes them to others
	}
	if isOwnKind(o.GroupVersionKind()) {
		return o.straysIn(o.Object, nil, nil)
	}
	var found []stray
	for _, way := range [][]string{{"metadata"}, {"annotations"}, {"labels"}, {"spec", "template", "metadata"}} {
		found = o.straysIn(o.part(way...), pathOf(way), found)
	}
	return found
}

// isOwnKind says whether a kind is one of Kubernetes, kustomize or KEDA, for which it is known which keys are read.
func isOwnKind(kind schema.GroupVersionKind) bool {
	return !strings.Contains(kind.Group, ".") || strings.HasSuffix(kind.Group, ".k8s.io") || kind.Group == annotations.GroupKEDA
}

// straysIn adds those below a value to what was found.
func (o object) straysIn(value any, at *field.Path, found []stray) []stray {
	if len(found) == maxStrays {
		return found // strayAt looks at all that is below, and would do so at each level
	}
	switch v := value.(type) {
	case map[string]any:
		if s, ok := o.strayAt(v, at); ok {
			found = append(found, s)
		}
		for _, name := range namesOfTrees(v) {
			found = o.straysIn(v[name], at.Child(name), found)
		}
	case []any:
		for i, item := range v {
			found = o.straysIn(item, at.Index(i), found)
		}
	}
	return found
}

// namesOfTrees are the names, sorted, of the members that may have others in them.
func namesOfTrees(members map[string]any) []string {
	var names []string
	for name, value := range members {
		switch value.(type) {
		case map[string]any, []any:
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// strayAt looks at one mapping.
func (o object) strayAt(members map[string]any, at *field.Path) (stray, bool) {
	found := own(members)
	if o.GroupVersionKind() == corev1.SchemeGroupVersion.WithKind(annotations.KindService) && at.String() == "metadata.annotations" {
		delete(found, annotations.ActivatorKey) // see annotations.FoundServiceConsent
	}
	if len(found) == 0 || o.isReadAt(at.String()) {
		return stray{}, false
	}
	return stray{object: o, at: at, members: found, keys: slices.Sorted(maps.Keys(found)), pairs: pairsOf(found)}, true
}

// isReadAt says whether the keys of a mapping are read, or another check reports them.
func (o object) isReadAt(at string) bool {
	switch {
	case o.isScaled():
		return strings.HasPrefix(at, "metadata.annotations") || at == annotations.TemplatePath
	case o.isControlled():
		return true // its annotations are copies
	case o.kinds.refused[o.GroupVersionKind().GroupKind()] != nil:
		return strings.HasPrefix(at, "metadata.annotations") // see unscalable
	case o.isKustomization():
		return at == kustomize.CommonAnnotations
	}
	return false
}

// pairsOf is what a mapping says, to know it again.
func pairsOf(members map[string]any) string {
	text, _ := stdjson.Marshal(members) // what was read from JSON can be written as such
	return string(text)
}

// tell says where the keys are and where they belong.
func (s stray) tell() finding {
	steps := strings.Split(s.at.String(), ".")
	message := noEffectHere
	switch last := steps[len(steps)-1]; {
	case s.at.String() == "metadata.annotations":
		message = noEffectOn(s.shownKind()) + s.otherwise()
	case strings.HasPrefix(last, "annotations[") && len(steps) > 1 && steps[len(steps)-2] == "metadata":
		message = fmt.Sprintf("annotations are a mapping and no list, so %s keys have no effect here; write them without \"- \"", annotations.Prefix)
	case last == "labels":
		message = fmt.Sprintf("%s keys have no effect among the labels; write them into the metadata.annotations of the %s", annotations.Prefix, s.wouldBe())
	case last != "annotations" && len(steps) > 1 && steps[len(steps)-2] == "metadata":
		message = fmt.Sprintf("%s is no field of metadata, so %s keys have no effect in it; write them into metadata.annotations", cli.Quote(last), annotations.Prefix)
	}
	if more := len(s.keys) - 1; more > 0 {
		message += fmt.Sprintf(" (this and %d more)", more)
	}
	return s.warning(annotations.FoundMisplaced, s.at.Key(s.keys[0]).String(), message)
}

// noEffectHere is what there is to say of keys that are where nothing reads them.
const noEffectHere = annotations.Prefix + " keys have no effect here; only those in the metadata.annotations of workloads have one: " + whatIsScaled

// noEffectOn is the same of keys that are on an object of another kind.
func noEffectOn(what string) string {
	return annotations.Prefix + " annotations have no effect on " + what + "; only " + whatIsScaled + ", are autoscaled"
}

// whatIsScaled are the kinds of workloads.
const whatIsScaled = "Deployments, StatefulSets and ReplicaSets of apps/v1, and custom kinds that have a scale subresource"

// shownKind is the kind with its version, as far as they are given.
func (o object) shownKind() string {
	switch kind, version := o.GetKind(), o.GetAPIVersion(); {
	case kind == "":
		return "an object of no kind"
	case version == "":
		return cli.Quote(kind)
	default:
		return cli.Quote(kind) + " of " + cli.Quote(version)
	}
}

// crowd are findings of objects that say the same.
type crowd []finding

// join adds a finding to those of objects that say the same in the same words.
func join(groups map[string]crowd, pairs string, f finding) {
	key := pairs + "\x00" + f.Field + "\x00" + f.Message
	if !strings.Contains(f.Field, "annotations[") && f.Field != annotations.TemplatePath {
		key += "\x00" + f.File + fmt.Sprint(f.Line) // which is seldom written by a tool
	}
	groups[key] = append(groups[key], f)
}

// tell reports each stray, or many of the same kind once.
func (c crowd) tell() []finding {
	const few = 2
	if len(c) <= few {
		return c
	}
	first := c[0]
	first.Message += fmt.Sprintf(" (so it is on %s more, as where a tool writes them to everything)", cli.Plural(len(c)-1, "object"))
	return []finding{first}
}

// hint is about annotations that were written to workloads and to pod templates alike.
type hint struct {
	first  *candidate
	keys   []string
	names  []string // of the workloads
	others int
	// common are the pairs of keys and values.
	common map[string]bool
}

// hear looks at the pod template of a workload. What it only repeats is a part of the hint, and anything else a finding.
func (h *hint) hear(d *candidate, groups map[string]crowd) {
	copied := d.pairs("spec", "template", "metadata")
	if len(copied) == 0 {
		return
	}
	own, repeats := d.pairs("metadata"), true
	for key, value := range copied {
		h.common[pairOf(key, value)] = true
		repeats = repeats && own[key] == value
	}
	if !repeats {
		join(groups, pairsOf(copied), d.warning(annotations.FoundMisplaced, annotations.TemplatePath, annotations.OnTheTemplate(d.kind.Kind)))
		return
	}
	if len(h.names) == 0 {
		h.first, h.keys = d, slices.Sorted(maps.Keys(copied))
	}
	h.names = append(h.names, d.title())
}

// knows says whether pod templates also have everything that a stray has.
func (h *hint) knows(s stray) bool {
	if !strings.HasSuffix(s.at.String(), "annotations") || len(h.names) == 0 {
		return false
	}
	return !slices.ContainsFunc(s.keys, func(key string) bool { return !h.common[pairOf(key, s.members[key])] })
}

func (h *hint) tell() finding {
	what := "the same " + annotations.Prefix + " annotations are"
	if len(h.keys) == 1 {
		what = h.keys[0] + " is"
	}
	where := ""
	if n := len(h.names) + h.others; n > 1 {
		where = fmt.Sprintf(" (here to %s%s)", cli.Plural(n, "object"), alsoNamed(h.names[1:]))
	}
	return h.first.warning(annotations.FoundMisplaced, annotations.TemplatePath, fmt.Sprintf(
		"%s on the %s and on its pod template, as kustomize's commonAnnotations writes them to everything%s: %s", what, h.first.kind.Kind, where, onlyOn(h.first.kind.Kind)))
}

// onlyOn is why that is no good for a kind.
func onlyOn(kind string) string {
	return fmt.Sprintf("they only count on the %s, and on the template each change of them restarts the pods; write them with a patch of the %[1]s", kind)
}

// alsoNamed are a few names of workloads.
func alsoNamed(names []string) string {
	const few = 3
	switch {
	case len(names) == 0:
		return ""
	case len(names) > few:
		return ", also on the templates of " + someOf(names, few)
	}
	return ", also on the template of " + someOf(names, few)
}

// pairs are what the annotations of a metadata field say to mini-hpa, as text.
func (o object) pairs(way ...string) map[string]any {
	texts := map[string]any{}
	for key, value := range own(o.mapping(append(way, "annotations")...)) {
		texts[key] = fmt.Sprint(value)
	}
	return texts
}

func pairOf(key string, value any) string { return key + "=" + fmt.Sprint(value) }

// noEffect is what there is to say of a key that was meant to be another one.
func noEffect(meant string) string {
	return fmt.Sprintf("it has no effect: mini-hpa reads keys that begin with %s in the metadata.annotations; did you mean %q?", annotations.Prefix, meant)
}

// lookalikes warns of keys that were meant for mini-hpa, which does not know them.
func (o object) lookalikes() []finding {
	var found []finding
	for _, way := range [][]string{{"metadata", "annotations"}, {"metadata", "labels"}, {"spec", "template", "metadata", "annotations"}} {
		members := o.mapping(way...)
		for _, key := range slices.Sorted(maps.Keys(members)) {
			if len(found) == maxStrays {
				return found
			}
			name := key
			if inside, ok := members[key].(map[string]any); ok && len(inside) > 0 { // mini-hpa: {max: 9}
				name += "/" + slices.Min(slices.Collect(maps.Keys(inside)))
			}
			if meant := annotations.Lookalike(name); meant != "" || name != key && strings.HasPrefix(name, annotations.Prefix) {
				meant = cmp.Or(meant, name)
				found = append(found, o.warning(annotations.FoundUnknownAnnotation, pathOf(way).Key(key).String(), noEffect(meant)))
			}
		}
	}
	return found
}

// anonymous reports annotations for mini-hpa in a document without a kind or a version, which cannot be applied as an object. A document
// without a kind was not decoded, but has nodes.
func (o object) anonymous() []finding {
	if o.Node == nil || !o.MayHaveKeys() {
		return nil
	}
	_, pairs := o.Walk("metadata", "annotations")
	if pairs = manifest.Followed(cmp.Or(pairs, o.Node)); pairs == o.Node || pairs.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(pairs.Content); i += 2 {
		key := pairs.Content[i].Value
		if !strings.HasPrefix(key, annotations.Prefix) {
			continue
		}
		message := annotations.Prefix + " annotations have no effect on an object without a kind; if this is a Deployment, write apiVersion: apps/v1 and kind: Deployment"
		if _, kind := o.Walk("kind"); kind != nil {
			message = noEffectOn("an object without apiVersion")
		}
		return []finding{o.warning(annotations.FoundMisplaced, annotations.Path(key).String(), message)}
	}
	return nil
}

// unscalable tells of annotations on an object whose kind cannot be scaled, although it is defined.
func (o object) unscalable() []finding {
	why, keys := o.kinds.refused[o.GroupVersionKind().GroupKind()], o.ownKeys()
	if why == nil || len(keys) == 0 {
		return nil
	}
	return []finding{o.finding(severityError, annotations.FoundUnscalable, annotations.Path(keys[0]).String(),
		fmt.Sprintf("objects of this kind cannot be scaled: %v", why))}
}

// otherwise is what to do if an object of another kind should be scaled; empty if it cannot be.
func (o object) otherwise() string {
	if isOwnKind(o.GroupVersionKind()) {
		return ""
	}
	return "; if this is one, add its CustomResourceDefinition to what is looked at, or name it with --kinds (and in controller.kinds of the chart)"
}

// assumed tells, once for a kind, what is not known of it without its CustomResourceDefinition.
func (o object) assumed() []finding {
	kind, keys := o.GroupVersionKind().GroupKind(), o.ownKeys()
	if !o.kinds.assumed[kind] || len(keys) == 0 {
		return nil
	}
	delete(o.kinds.assumed, kind)
	known := o.kinds.known[kind]
	return []finding{o.warning(annotations.FoundUnchecked, annotations.Path(keys[0]).String(), fmt.Sprintf("the CustomResourceDefinition of %s is not among "+
		"the files, so that it is not known whether it has a scale subresource, and its replicas are looked for in spec.replicas; add it to what is looked at", known.GroupResource()))}
}
