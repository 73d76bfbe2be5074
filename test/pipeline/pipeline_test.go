// Package pipeline plays action.yml and .pre-commit-hooks.yaml on a repository of somebody who uses them. What GitHub's runner and pre-commit would do is done here
// step by step, because neither can be had without a network: the actions that action.yml uses itself are left out, and Go is the one that is there.
package pipeline

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// flags are those of the tests' own builds, so that nothing is compiled twice.
const flags = "GOFLAGS=-tags=grpcnotrace -trimpath"

// manifests is a repository: a Deployment that can be autoscaled, one that cannot, and what is no manifest.
func manifests(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	deployment := func(name, requests string) string {
		return "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: " + name + "\n  annotations: {mini-hpa/target-cpu: \"50\", mini-hpa/max: \"10\"}\n" +
			"spec:\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec:\n      containers:\n      - name: app\n        image: app\n        resources: {" + requests + "}\n"
	}
	for name, text := range map[string]string{
		"deploy/good.yaml":  deployment("good", "requests: {cpu: 100m}"),
		"broken/web.yaml":   deployment("web", ""),
		"deploy/notes.json": `{"notes": "$(touch stolen)"}`,
	} {
		path := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o700))
		must(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return dir
}

// action is what of action.yml a runner goes by.
type action struct {
	Inputs map[string]struct{ Default string }
	Runs   struct {
		Using string
		Steps []struct {
			Name, Uses, Run, Shell string
			Env                    map[string]string
		}
	}
}

var expression = regexp.MustCompile(`\$\{\{ *(\S+) *\}\}`)

// play runs the steps as a runner does, each in a shell of its own, and returns what they print and the first error.
func (a action) play(t *testing.T, workspace, temp string, inputs map[string]string) (string, error) {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	must(t, err)
	values := map[string]string{"github.action_path": root}
	for name, input := range a.Inputs {
		values["inputs."+name] = input.Default
	}
	for name, value := range inputs {
		values["inputs."+name] = value
	}
	var printed strings.Builder
	for _, step := range a.Runs.Steps {
		if step.Uses != "" {
			continue
		}
		if expression.MatchString(step.Run) {
			t.Errorf("the step %q puts an expression into its script, where its text would be a command", step.Name)
		}
		shell := exec.CommandContext(t.Context(), "bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step.Run)
		shell.Dir, shell.Env = workspace, append(os.Environ(), flags, "RUNNER_TEMP="+temp)
		for name, value := range step.Env {
			shell.Env = append(shell.Env, name+"="+expression.ReplaceAllStringFunc(value, func(text string) string { return values[expression.FindStringSubmatch(text)[1]] }))
		}
		out, err := shell.CombinedOutput()
		printed.Write(out)
		if err != nil {
			return printed.String(), err
		}
	}
	return printed.String(), nil
}

func TestTheActionMarksWhatIsWrong(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "action.yml"))
	must(t, err)
	var a action
	must(t, yaml.Unmarshal(text, &a))
	if a.Runs.Using != "composite" || len(a.Runs.Steps) < 3 {
		t.Fatalf("action.yml is %+v", a)
	}
	workspace, temp := manifests(t), t.TempDir()
	for name, test := range map[string]struct {
		inputs map[string]string
		fails  bool
		want   string
	}{
		"everything, which is the default":  {nil, true, "::error file=broken/web.yaml,line="},
		"a folder without a mistake":        {map[string]string{"paths": "deploy"}, false, ""},
		"two folders":                       {map[string]string{"paths": "deploy broken"}, true, "::error file=broken/web.yaml,line="},
		"an argument":                       {map[string]string{"args": "--exclude broken/*"}, false, ""},
		"a path that would be a command":    {map[string]string{"paths": "$(touch stolen)"}, true, ""},
		"an argument that would be another": {map[string]string{"args": "; touch stolen"}, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			printed, err := a.play(t, workspace, temp, test.inputs)
			if (err != nil) != test.fails || !strings.Contains(printed, test.want) {
				t.Errorf("%v, want a failure: %t, with %q in\n%s", err, test.fails, test.want, printed)
			}
			if _, err := os.Stat(filepath.Join(workspace, "stolen")); err == nil {
				t.Error("a text of the workflow's has been run as a command")
			}
		})
	}
}

func TestTheHookFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", ".pre-commit-hooks.yaml"))
	must(t, err)
	var hooks []struct {
		ID, Language, Entry string
		Types               []string `json:"types_or"`
		Serial              bool     `json:"require_serial"`
	}
	must(t, yaml.Unmarshal(text, &hooks))
	if len(hooks) != 1 || hooks[0].ID != "mini-hpa-lint" || hooks[0].Language != "golang" || !hooks[0].Serial || strings.Join(hooks[0].Types, " ") != "yaml json" {
		t.Fatalf("the hooks are %+v", hooks)
	}
	// pre-commit installs a repository of Go by this command, in it, with an environment's folder for GOBIN.
	bin := t.TempDir()
	install := exec.CommandContext(t.Context(), "go", "install", "./...")
	install.Dir, install.Env = filepath.Join("..", ".."), append(os.Environ(), flags, "GOBIN="+bin)
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("go install: %v\n%s", err, out)
	}
	workspace := manifests(t)
	for files, want := range map[string]string{
		"deploy/good.yaml deploy/notes.json":                 "",
		"broken/web.yaml deploy/good.yaml deploy/notes.json": `container "app" has no CPU request`,
	} {
		words := append(strings.Fields(hooks[0].Entry), strings.Fields(files)...)
		hook := exec.CommandContext(t.Context(), filepath.Join(bin, words[0]), words[1:]...)
		hook.Dir = workspace
		out, err := hook.CombinedOutput()
		if (err != nil) != (want != "") || !bytes.Contains(out, []byte(want)) {
			t.Errorf("%s: %v, want %q in\n%s", files, err, want, out)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
