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

// Set by the linker: -ldflags "-X main.version=v1.2.3 -X main.commit=0123abcd". Where they are empty, the build
// information that the Go command leaves in the binary is told instead.
var version, commit string

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
	if v.output == "json" {
		return writeJSON(s.out, thisBuild())
	}
	b := thisBuild()
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

func thisBuild() build {
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
