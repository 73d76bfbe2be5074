package lint

import (
	"cmp"
	"fmt"
	"path/filepath"
	"regexp"
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

// lineInside is the line of a document in an annotation, which is not a line of the file.
var lineInside = regexp.MustCompile(`(cannot be read as one YAML or JSON document: )line \d+: `)

func withoutLine(message string) string {
	if !strings.Contains(message, "cannot be read as one") {
		return message
	}
	return lineInside.ReplaceAllString(message, "$1")
}

// maxErrors is how many errors are printed for one object, and for the unreadable parts of one file.
const maxErrors = 100

// errors are the findings that problems come to.
func (o object) errors(problems field.ErrorList) []finding {
	var found []finding
	more := len(problems) - maxErrors
	for i, problem := range problems[:min(len(problems), maxErrors)] {
		at := o.Locate(problem.Field, problem.BadValue)
		message := withoutLine(problem.ErrorBody())
		if i+1 == maxErrors && more > 0 {
			message += fmt.Sprintf(" (and %d more of the same object)", more)
		}
		found = append(found, o.findingAt(at, severityError, problem.Origin, problem.Field, message))
	}
	return found
}

// notes are problems of an object that asks nothing of mini-hpa. They fail no check, but the object does not count while the API server
// would refuse it.
func (o object) notes(problems field.ErrorList) []finding {
	found := o.errors(problems)
	for i := range found {
		found[i].Severity = severityWarning
		found[i].Message += "; the API server refuses the whole object"
	}
	return found
}

// finding is one about a field of the object, in the place where it is, or where it is missing.
func (o object) finding(severity, rule, path, message string) finding {
	return o.findingAt(o.Locate(path, nil), severity, rule, path, message)
}

// warning is a finding that fails no check.
func (o object) warning(rule, path, message string) finding {
	return o.finding(severityWarning, rule, path, message)
}

// warnings are the findings that warnings come to. Where they are goes by the annotation's key, because the path has only its printable part.
func (o object) warnings(all []annotations.Warning) []finding {
	var found []finding
	for _, w := range all {
		at := o.Locate(w.Path(), nil)
		if w.Key != "" {
			key, _ := o.Walk("metadata", "annotations", w.Key)
			at = o.PlaceOf(key)
		}
		found = append(found, o.findingAt(at, severityWarning, w.Rule, w.Path(), w.Message))
	}
	return found
}

func (o object) findingAt(at manifest.Place, severity, rule, path, message string) finding {
	return finding{File: o.file, Line: at.Line, Column: at.Column, Severity: severity, Rule: rule, Kind: cli.Clean(o.GetKind()),
		Namespace: cli.Clean(o.namespace), Name: cli.Clean(o.GetName()), Field: cli.Clean(path), Message: cli.Clean(message)}
}

// someOf names a few of many.
func someOf(names []string, few int) string {
	if more := len(names) - few; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), more)
	}
	return strings.Join(names, ", ")
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
	if !strings.Contains(line, "##") {
		return line
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

func slashed(file string) string { return filepath.ToSlash(filepath.Clean(file)) }
