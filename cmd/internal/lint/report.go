package lint

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/kustomize"
)

// summary counts.
type summary struct {
	Autoscaled     int `json:"autoscaled"` // workloads with annotations, sound or not
	Errors         int `json:"errors"`
	Warnings       int `json:"warnings"`
	Files          int `json:"files"`
	OtherObjects   int `json:"otherObjects"`
	OtherDocuments int `json:"otherDocuments"` // empty, or no object of Kubernetes
	Templates      int `json:"templates"`      // documents that are to be filled in first
	Patches        int `json:"patches"`        // documents that a kustomization calls patches
	Unreadable     int `json:"unreadable"`     // files, documents and objects, and what was not looked at for want of room
}

// report is all that lint finds; as JSON it is for programs.
type report struct {
	Findings   []finding `json:"findings"`
	Unreadable []notice  `json:"unreadable"`
	Summary    summary   `json:"summary"`
	// omitted are those of Unreadable that are told when all was judged.
	omitted []notice
}

// report reviews the workloads. Its findings are in the order of their files and lines.
func (m *manifests) report(defaults annotations.Defaults) report {
	defaults = defaults.Remembering()
	r := report{Findings: append([]finding{}, m.findings...), Unreadable: append([]notice{}, m.notices()...), Summary: summary{
		Files: m.files, OtherObjects: m.others, OtherDocuments: m.strangers, Templates: m.templates, Patches: m.patches}}
	for _, d := range m.workloads {
		if annotations.Selected(d.workload.Annotations) {
			r.Summary.Autoscaled++
		}
		r.Findings = append(r.Findings, m.review(d, defaults)...)
	}
	r.Findings = append(r.Findings, m.misplaced()...)
	for _, p := range m.patched {
		r.Findings = append(r.Findings, m.judge(p, defaults)...)
	}
	for _, o := range m.kustomizations {
		r.Findings = append(r.Findings, m.written(o, defaults)...)
	}
	r.omitted = m.omissions()
	r.Unreadable = append(r.Unreadable, r.omitted...)
	r.Summary.Unreadable = len(r.omitted)
	for _, n := range m.failed {
		r.Summary.Unreadable += n
	}
	slices.SortStableFunc(r.Findings, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	for _, f := range r.Findings {
		if f.Severity == severityError {
			r.Summary.Errors++
		} else {
			r.Summary.Warnings++
		}
	}
	return r
}

// misplaced reports all strays, and keys on the pod templates of workloads. Keys that kustomize's commonAnnotations writes to everything
// give one hint, however many objects have them.
func (m *manifests) misplaced() []finding {
	h := hint{common: map[string]bool{}}
	groups := map[string]crowd{}
	for _, d := range m.workloads {
		h.hear(d, groups)
	}
	for _, s := range m.strays {
		if h.knows(s) {
			h.others++
			continue
		}
		join(groups, s.pairs, s.tell())
	}
	var found []finding
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		found = append(found, groups[key].tell()...)
	}
	if len(h.names) > 0 {
		found = append(found, h.tell())
	}
	return found
}

// review reports the problems of a workload, by itself and in its kustomizations.
func (m *manifests) review(d *candidate, defaults annotations.Defaults) []finding {
	alone, forms := d.verdict(defaults, m.surroundings(d)), m.forms(d, defaults)
	found := d.tell(m.asApplied(alone, forms))
	told := map[finding]bool{}
	for _, f := range forms {
		for _, one := range m.tell(f, alone, defaults) {
			if !told[one] {
				told[one], found = true, append(found, one)
			}
		}
	}
	return found
}

// omissions tell what was not looked at for want of room, each once and with a count.
func (m *manifests) omissions() []notice {
	if m.overlays == nil {
		return nil
	}
	const advice = `give lint what one of them makes: kustomize build DIR | mini-hpa lint -`
	var all []notice
	if n := len(m.overlays.omitted); n > 0 {
		first := m.workloads[slices.IndexFunc(m.workloads, func(d *candidate) bool { return m.overlays.omitted[d] })]
		all = append(all, notice{File: first.file, Line: first.Node.Line, Message: fmt.Sprintf(
			"what kustomizations make of %s %s%s was not looked at, only what the files have: what they make of all workloads may have %d values (%d, and one more for every %d bytes of what is read), where each workload, and each patch of one, counts as %d more; %s",
			first.kind.Kind, cli.Quote(first.GetName()), andMore(n-1, "workload"), m.overlays.most, spareValues, sizeValue, formValues, advice)})
	}
	if cut := m.layout.Cut; len(cut) > 0 {
		file := m.shownDir(cut[0])
		all = append(all, notice{File: file, Message: fmt.Sprintf("not all that this kustomization%s is made of counts: %s; %s",
			andMore(len(cut)-1, "kustomization"), kustomize.Bounds(), advice)})
	}
	for i := range all {
		all[i].Message = cli.Clean(all[i].Message)
	}
	return all
}

// andMore says how many more things there are, if there are any.
func andMore(n int, noun string) string {
	if n == 0 {
		return ""
	}
	return " and " + cli.Plural(n, "more "+noun)
}

// verdict is that of the manifest by itself.
func (d *candidate) verdict(defaults annotations.Defaults, s annotations.Surroundings) annotations.Verdict {
	verdict := reviewed(defaults, d.workload, d.namespace, s)
	if annotations.Selected(d.workload.Annotations) { // mini-hpa does not check other workloads
		verdict = d.withUnquoted(verdict)
	} else if d.asksInVain() {
		verdict.Problems = d.problems
	}
	return verdict
}

// tell reports a verdict.
func (d *candidate) tell(verdict annotations.Verdict) []finding {
	found := d.errors(verdict.Problems)
	if verdict.Mode == annotations.ModeAuto {
		found = append(found, d.fixedReplicas()...)
	}
	// Of the templates of all workloads together there is less to say; see hint.
	return slices.Concat(found, d.warnings(withoutTemplate(verdict.Warnings)), d.lookalikes())
}

// withoutTemplate are the warnings that are not about annotations on a pod template.
func withoutTemplate(all []annotations.Warning) []annotations.Warning {
	return slices.DeleteFunc(slices.Clone(all), func(w annotations.Warning) bool { return w.Field == annotations.TemplatePath })
}

// fixedReplicas warns of replicas in the manifest of an autoscaled workload. Objects that a cluster has written always have them.
func (d *candidate) fixedReplicas() []finding {
	if !annotations.Selected(d.workload.Annotations) || d.replicas == nil || d.isFromCluster() {
		return nil
	}
	message := overwritten(d.kind, int64(*d.replicas))
	if *d.replicas == 0 {
		message = fmt.Sprintf("0 replicas pause autoscaling, and each apply does so again; if that is meant, set %s to %q; %s",
			annotations.ModeKey, annotations.ModePaused, annotations.LeaveReplicasOut(d.kind.GroupKind()))
	}
	return []finding{d.warning(annotations.FoundReplicasOverwritten, d.replicasPath(), message)}
}

// written judges what an object writes to others.
func (m *manifests) written(o object, defaults annotations.Defaults) []finding {
	var found []finding
	for _, w := range o.writers() {
		found = append(found, o.common(w, defaults)...)
	}
	if o.isKustomization() {
		found = append(found, m.counted(o)...)
	}
	return found
}

// String is the last line that people see.
func (s summary) String() string {
	text := fmt.Sprintf("%s autoscaled, %s, %s in %s (%s", cli.Plural(s.Autoscaled, "workload"), cli.Plural(s.Errors, "error"),
		cli.Plural(s.Warnings, "warning"), cli.Plural(s.Files, "file"), cli.Plural(s.OtherObjects, "other object"))
	if s.OtherDocuments > 0 {
		text += ", " + cli.Plural(s.OtherDocuments, "other document")
	}
	if s.Templates > 0 {
		text += ", " + cli.Plural(s.Templates, "template")
	}
	if s.Patches > 0 {
		text += fmt.Sprintf(", %d of patches", s.Patches)
	}
	if s.Unreadable > 0 {
		text += fmt.Sprintf(", %d unreadable", s.Unreadable)
	}
	return text + ")"
}
