package lint

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/manifest"
)

// Severities, in the words of text, SARIF and GitHub.
const (
	severityError   = "error"
	severityWarning = "warning"
)

// finding is one finding about an object. Only the file's name still needs cleaning.
type finding struct {
	File string `json:"file"`
	// Line and Column begin at 1.
	Line      int    `json:"line"`
	Column    int    `json:"column"`
	Severity  string `json:"severity"`
	Rule      string `json:"rule"` // the name of an annotations.Finding
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Field     string `json:"field"`
	Message   string `json:"message"`
}

// notice is what could not be read, and why.
type notice struct {
	File string `json:"file"`
	// Line begins at 1; 0 where the file as a whole is meant.
	Line    int    `json:"line,omitempty"`
	Message string `json:"message"`
}

// text is a notice for people.
func (n notice) text() string {
	if n.Line == 0 {
		return cli.Clean(fmt.Sprintf("%s: %s", n.File, n.Message))
	}
	return cli.Clean(fmt.Sprintf("%s:%d: %s", n.File, n.Line, n.Message))
}

// summary counts.
type summary struct {
	Autoscaled     int `json:"autoscaled"` // Deployments with annotations, sound or not
	Errors         int `json:"errors"`
	Warnings       int `json:"warnings"`
	Files          int `json:"files"`
	OtherObjects   int `json:"otherObjects"`
	OtherDocuments int `json:"otherDocuments"` // empty, or no object of Kubernetes
	Templates      int `json:"templates"`      // documents that are to be filled in first
	Patches        int `json:"patches"`        // documents that a kustomization calls patches
	Unreadable     int `json:"unreadable"`     // files, documents and objects
}

// report is all that lint finds; as JSON it is for programs.
type report struct {
	Findings   []finding `json:"findings"`
	Unreadable []notice  `json:"unreadable"`
	Summary    summary   `json:"summary"`
}

// report reviews the Deployments. Its findings are in the order of their files and lines.
func (m *manifests) report(defaults annotations.Defaults) report {
	defaults = defaults.Remembering()
	r := report{Findings: append([]finding{}, m.findings...), Unreadable: append([]notice{}, m.notices()...), Summary: summary{
		Files: m.files, OtherObjects: m.others, OtherDocuments: m.strangers, Templates: m.templates, Patches: m.patches}}
	for _, n := range m.failed {
		r.Summary.Unreadable += n
	}
	for _, d := range m.deployments {
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

// review reports the problems of a Deployment, by itself and in its kustomizations.
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

// verdict is that of the manifest by itself.
func (d *candidate) verdict(defaults annotations.Defaults, s annotations.Surroundings) annotations.Verdict {
	inManifests := func(other annotations.Autoscaler) bool { return s.Where(other.Kind, other.Name) != "" }
	verdict := defaults.Review(annotations.OfDeployment(d.workload), s).Replacing(inManifests)
	if annotations.Selected(d.workload.Annotations) { // mini-hpa does not check other Deployments
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
	for _, warning := range verdict.Warnings {
		if warning.Field != onTemplate { // of all templates together there is less to say
			found = append(found, d.findingAt(d.placeOfWarning(warning), severityWarning, warning.Rule, warning.Path(), warning.Message))
		}
	}
	return append(found, d.lookalikes()...)
}

// placeOfWarning goes by the annotation's key, because the path has only its printable part.
func (d *candidate) placeOfWarning(w annotations.Warning) manifest.Place {
	if w.Key == "" {
		return d.Locate(w.Path(), nil)
	}
	key, _ := d.Walk("metadata", "annotations", w.Key)
	return d.PlaceOf(key)
}

// fixedReplicas warns of replicas in the manifest of an autoscaled workload. Objects that a cluster has written always have them.
func (d *candidate) fixedReplicas() []finding {
	if !annotations.Selected(d.workload.Annotations) || d.workload.Spec.Replicas == nil || d.isFromCluster() {
		return nil
	}
	message := overwritten(int64(*d.workload.Spec.Replicas))
	if *d.workload.Spec.Replicas == 0 {
		message = fmt.Sprintf("0 replicas pause autoscaling, and each apply does so again; if that is meant, set %s to %q; %s",
			annotations.ModeKey, annotations.ModePaused, annotations.LeaveReplicasOut)
	}
	return []finding{d.finding(severityWarning, annotations.FoundReplicasOverwritten, "spec.replicas", message)}
}

// isFromCluster says whether a cluster has written the manifest. An empty status does not show that, because clients write one as well.
func (d *candidate) isFromCluster() bool {
	status, _ := d.Object["status"].(map[string]any)
	return len(status) > 0 || d.workload.UID != "" || d.workload.ResourceVersion != ""
}

// lineInside is the line of a document in an annotation, which is not a line of the file.
var lineInside = regexp.MustCompile(`(cannot be read as one YAML or JSON document: )line \d+: `)

// maxErrors is how many errors are printed for one object, and for the unreadable parts of one file.
const maxErrors = 100

// errors are the findings that problems come to.
func (o object) errors(problems field.ErrorList) []finding {
	var found []finding
	more := len(problems) - maxErrors
	for i, problem := range problems[:min(len(problems), maxErrors)] {
		at := o.Locate(problem.Field, problem.BadValue)
		message := lineInside.ReplaceAllString(problem.ErrorBody(), "$1")
		if i+1 == maxErrors && more > 0 {
			message += fmt.Sprintf(" (and %d more of the same object)", more)
		}
		found = append(found, o.findingAt(at, severityError, problem.Origin, problem.Field, message))
	}
	return found
}

// finding is one about a field of the object, in the place where it is, or where it is missing.
func (o object) finding(severity, rule, path, message string) finding {
	return o.findingAt(o.Locate(path, nil), severity, rule, path, message)
}

func (o object) findingAt(at manifest.Place, severity, rule, path, message string) finding {
	return finding{File: o.file, Line: at.Line, Column: at.Column, Severity: severity, Rule: rule, Kind: cli.Clean(o.GetKind()),
		Namespace: cli.Clean(o.namespace), Name: cli.Clean(o.GetName()), Field: cli.Clean(path), Message: cli.Clean(message)}
}

// text is a finding for people, as compilers write it.
func (f finding) text() string {
	return plain(cli.Clean(fmt.Sprintf("%s:%d: %s: %s [%s]", f.File, f.Line, f.Severity, f.sentence(), f.Rule)))
}

// sentence says what is found in what.
func (f finding) sentence() string {
	name := cmp.Or(f.Name, "(unnamed)")
	if f.Namespace != "" {
		name = f.Namespace + "/" + name
	}
	return fmt.Sprintf("%s %s: %s: %s", cmp.Or(f.Kind, "object"), name, f.Field, f.Message)
}

// plain is a line that the log of a workflow shows and does not obey: its commands are ::name:: at the beginning of a line, and ##[name] or
// ##vso[name] anywhere. The names of files are anybody's who may open a pull request.
func plain(line string) string {
	if strings.HasPrefix(strings.TrimSpace(line), "::") {
		line = "./" + line
	}
	return orders.Replace(line)
}

var orders = strings.NewReplacer("##[", `#\x23[`, "##vso[", `#\x23vso[`)

// workflowCommand is a finding as the log of a GitHub workflow has it.
func (f finding) workflowCommand() string {
	return workflowCommand(f.Severity, f.Rule, notice{File: f.File, Line: f.Line, Message: f.sentence()})
}

// workflowCommand is a notice as an error of a workflow.
func (n notice) workflowCommand() string { return workflowCommand(severityError, "Unreadable", n) }

// The characters that are escaped in the two parts of a workflow's command.
var (
	workflowData     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	workflowProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

// workflowCommand makes the command that reports a place in a file. Standard input is not a file of the repository.
func workflowCommand(severity, title string, n notice) string {
	at := ""
	if n.File != standardInput {
		at = fmt.Sprintf("file=%s,line=%d,", workflowProperty.Replace(cli.Clean(slashed(n.File))), max(n.Line, 1))
	}
	return fmt.Sprintf("::%s %stitle=%s::%s", severity, at, workflowProperty.Replace(title), workflowData.Replace(n.Message))
}

// String is the last line that people see.
func (s summary) String() string {
	text := fmt.Sprintf("%s autoscaled, %s, %s in %s (%s", cli.Plural(s.Autoscaled, "Deployment"), cli.Plural(s.Errors, "error"),
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
