package e2e

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// linted is what lint says of a manifest: as an answer of the API server, and the rules by name.
type linted struct {
	answer
	rules []string
	// rivals are those of the problems of which admission only warns.
	rivals []string
}

// admitted is what admission says where lint says this.
func (l linted) admitted() answer {
	a := answer{warnings: slices.Clone(l.warnings)}
	for _, problem := range l.problems {
		if slices.Contains(l.rivals, problem) {
			a.warnings = append(a.warnings, strings.Replace(problem, "Forbidden: ", "", 1))
		} else {
			a.problems = append(a.problems, problem)
		}
	}
	slices.Sort(a.warnings)
	return a
}

// inFile is how lint says where an object is that a finding rests on.
var inFile = regexp.MustCompile(` \([^()]*\.yaml:\d+\)`)

// inValue is how it is said where in a value something is. Of a value that is a document, lint has the line of the file instead.
var inValue = regexp.MustCompile(`\bline \d+: `)

// lint runs the program on the file, once, without a cluster.
func (m *manifest) lint(t *testing.T) linted {
	t.Helper()
	m.once.Do(func() { m.linted = runLint(t, m) })
	return m.linted
}

func runLint(t *testing.T, m *manifest) linted {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, "lint", "-o", "json", filepath.Join("testdata", "admission", "corpus", m.name+".yaml"))
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0") // with an exit code above 0 the race detector waits for a second
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 1) {
		t.Fatal(err)
	}
	var report struct {
		Findings []struct{ Severity, Rule, Field, Message string }
	}
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("%v in:\n%s", err, out)
	}
	var found linted
	for _, f := range report.Findings {
		if f.Rule == "ReplicasOverwritten" {
			continue // of what an apply will do; nothing is overwritten where a Deployment is created
		}
		f.Message = inValue.ReplaceAllString(inFile.ReplaceAllString(f.Message, ""), "")
		if f.Rule == "ConflictingAutoscaler" {
			found.rivals = append(found.rivals, f.Field+": "+f.Message)
		}
		found.rules = append(found.rules, f.Rule)
		if f.Severity == "error" {
			found.problems = append(found.problems, f.Field+": "+f.Message)
		} else {
			found.warnings = append(found.warnings, f.Field+": "+f.Message)
		}
	}
	slices.Sort(found.problems)
	slices.Sort(found.warnings)
	slices.Sort(found.rules)
	found.rules = slices.Compact(found.rules)
	if isDenied := err != nil; isDenied != (len(found.problems) > 0) {
		t.Errorf("lint ends with %v and %d errors", err, len(found.problems))
	}
	return found
}
