package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"
)

// Version is the command that says which build this is.
func Version() Command {
	return Command{
		Name:    "version",
		Summary: "show version, commit, Go version and platform",
		About:   "Shows which build this is.",
		Task:    func() Task { return &versionTask{output: "text"} },
	}
}

type versionTask struct{ output string }

// Declare implements Task.
func (v *versionTask) Declare(f *pflag.FlagSet) {
	f.VarP(OneOf(&v.output, "text", "json"), "output", "o", "how to print it")
}

// Run implements Task.
func (v *versionTask) Run(_ context.Context, _ []string, s Streams) error {
	b := s.Build
	if v.output == "json" {
		return WriteJSON(s.Out, b)
	}
	_, err := fmt.Fprintf(s.Out, "mini-hpa %s (commit %s, %s, %s)\n", b.Version, b.Commit, b.GoVersion, b.Platform)
	return err
}

// WriteJSON writes v indented, as kubectl does.
func WriteJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("cannot write JSON: %w", err)
	}
	return nil
}

// WriteYAML writes v with the names that it has in JSON.
func WriteYAML(w io.Writer, v any) error {
	text, err := yaml.Marshal(v)
	if err == nil {
		_, err = w.Write(text)
	}
	if err != nil {
		return fmt.Errorf("cannot write YAML: %w", err)
	}
	return nil
}
