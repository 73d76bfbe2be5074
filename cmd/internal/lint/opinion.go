package lint

import (
	"io"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// Opinion is what lint finds in one file, for callers that use the file for something else.
type Opinion struct {
	// Workloads are those of kinds that are scaled. Others are how many other objects there are, Templates how many documents that are to be filled in first.
	Workloads         []*Subject
	Others, Templates int
	// Unreadable are lines for people about what could not be read.
	Unreadable []string
	// Refused is the first line about something that the API server would refuse for its form alone, or "".
	Refused string
}

// Read reads a file, or in if the name is -.
func Read(name string, in io.Reader) Opinion {
	m := newManifests("")
	m.read(source{name: name}, in)
	m.settle()
	o := Opinion{Others: m.others, Templates: m.templates}
	for _, n := range m.notices() {
		o.Unreadable = append(o.Unreadable, n.text())
	}
	if i := slices.IndexFunc(m.findings, func(f finding) bool { return f.Severity == severityError }); i >= 0 {
		o.Refused = m.findings[i].text()
	}
	for _, d := range m.workloads {
		o.Workloads = append(o.Workloads, &Subject{Workload: d.workload, GivesReplicas: d.replicas != nil, Strategy: d.strategy, OrderedReady: d.orderedReady, Surroundings: m.surroundings(d), candidate: d, manifests: m})
	}
	return o
}

// Subject is a workload of a manifest.
type Subject struct {
	// Workload has the strings that were meant if annotations are not strings.
	Workload *annotations.Workload
	// GivesReplicas says whether the manifest gives its replicas.
	GivesReplicas bool
	// Strategy is how its pods are replaced, in the words of a Deployment; nil if they are not, or if that is not known.
	Strategy *appsv1.DeploymentStrategy
	// OrderedReady says that its pods come one after another.
	OrderedReady bool
	// Surroundings are what in the file bears on it.
	Surroundings annotations.Surroundings
	candidate    *candidate
	manifests    *manifests
}

// Besides are lines about what else is in the file: all but what the annotations ask for.
func (s *Subject) Besides() []string {
	var lines []string
	for _, f := range slices.Concat(s.manifests.findings, s.manifests.misplaced(), s.candidate.lookalikes()) {
		lines = append(lines, f.text())
	}
	return lines
}

// Verdict is that of the workload with other annotations than it has. What the manifest has wrong counts too, unless it is put right: set says whether
// a field, by its path, is one of those that are changed. Of annotations on the pod template nothing is said, as Besides does that.
func (s *Subject) Verdict(defaults annotations.Defaults, changed *annotations.Workload, set func(path string) bool) annotations.Verdict {
	d := *s.candidate
	d.workload, d.problems = changed, nil
	for _, problem := range s.candidate.problems {
		if !set(problem.Field) {
			d.problems = append(d.problems, problem)
		}
	}
	v := reviewed(defaults, changed, d.namespace, s.Surroundings)
	if !annotations.Selected(changed.Annotations) {
		_, _, v.Problems = defaults.Parse(changed.Annotations)
	}
	v = d.withUnquoted(v)
	v.Warnings = withoutTemplate(v.Warnings)
	return v
}

// Line is the message of a problem, with its place.
func (s *Subject) Line(problem *field.Error) string {
	return s.candidate.errors(field.ErrorList{problem})[0].text()
}
