package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/pflag"
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

// Build is what a binary says about itself.
type Build struct {
	Version   string `json:"version"`
	Commit    string `json:"commit"`
	GoVersion string `json:"goVersion"`
	Platform  string `json:"platform"`
}

// NewBuild is what the linker was told, or what the Go command has left in the binary where that is empty.
func NewBuild(version, commit string) Build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return Build{
		Version:   cmp.Or(version, info.Main.Version, "(devel)"),
		Commit:    cmp.Or(commit, revision(info), "unknown"),
		GoVersion: runtime.Version(),
		Platform:  runtime.GOOS + "/" + runtime.GOARCH,
	}
}

// UserAgent is the name by which logs of API servers know this program.
func (b Build) UserAgent() string {
	return fmt.Sprintf("mini-hpa/%s (%s) %s", b.Version, b.Platform, b.Commit)
}

// revision is the commit that the Go command saw, marked where the tree had changes.
func revision(info *debug.BuildInfo) string {
	var hash, dirty string
	for _, setting := range info.Settings {
		switch {
		case setting.Key == "vcs.revision":
			hash = setting.Value
		case setting.Key == "vcs.modified" && setting.Value == "true":
			dirty = "-dirty"
		}
	}
	if hash == "" {
		return ""
	}
	return hash + dirty
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
