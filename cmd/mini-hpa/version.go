package main

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

func versionCommand() command {
	return command{
		name:    "version",
		summary: "show version, commit, Go version and platform",
		about:   "Shows which build this is.",
		task:    func() task { return &versionTask{output: "text"} },
	}
}

type versionTask struct{ output string }

func (v *versionTask) declare(f *pflag.FlagSet) {
	f.VarP(oneOf(&v.output, "text", "json"), "output", "o", "how to print it")
}

func (v *versionTask) run(_ context.Context, _ []string, s streams) error {
	b := s.build
	if v.output == "json" {
		return writeJSON(s.out, b)
	}
	_, err := fmt.Fprintf(s.out, "mini-hpa %s (commit %s, %s, %s)\n", b.Version, b.Commit, b.GoVersion, b.Platform)
	return err
}

// build is what a binary says about itself.
type build struct {
	Version   string `json:"version"`
	Commit    string `json:"commit"`
	GoVersion string `json:"goVersion"`
	Platform  string `json:"platform"`
}

// newBuild is what the linker was told, or what the Go command has left in the binary where that is empty.
func newBuild(version, commit string) build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return build{
		Version:   cmp.Or(version, info.Main.Version, "(devel)"),
		Commit:    cmp.Or(commit, revision(info), "unknown"),
		GoVersion: runtime.Version(),
		Platform:  runtime.GOOS + "/" + runtime.GOARCH,
	}
}

// userAgent is the name by which logs of API servers know this program.
func (b build) userAgent() string {
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

// writeJSON writes v indented, as kubectl does.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("cannot write JSON: %w", err)
	}
	return nil
}
