package image

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Source is a Go program.
type Source struct {
	// Dir is a folder in the program's module; Package is the program's package, as the go command is told from there.
	Dir, Package string
	// LDFlags are flags for the linker, after linkerFlags: "-X main.version=v0.1.0".
	LDFlags string
	// Overlay is a file that says by what files of the source are replaced, as the go command's flag of that name reads it; "" for none.
	Overlay string
}

// linkerFlags leave out the symbols, which only a debugger reads, and the build ID, which would depend on where it is built. Functions begin at multiples of 16
// bytes, as on arm64, and not of 32: the gaps between them were 0.8 MB (docs/adr/0014).
const linkerFlags = "-s -w -funcalign=8 -buildid="

// tags leave out what makes the program half as large again (docs/adr/0003): gRPC's pages for tracing.
const tags = "grpcnotrace"

// maxComplaint is how many bytes of the compiler's last words an error carries.
const maxComplaint = 4 << 10

// whereabouts are the go command's settings that say where things are and come from, and which release it is: those of the user hold.
func whereabouts() []string {
	return []string{"GOTOOLCHAIN", "GOCACHE", "GOMODCACHE", "GOPROXY", "GONOPROXY", "GOPRIVATE", "GOSUMDB", "GONOSUMDB", "GOINSECURE", "GOAUTH", "GOVCS"}
}

// environment is that of the compiler: what of the user's would change the binary has its default. An empty variable has not, if the
// user wrote another value down with `go env -w`; so that file is not read.
func environment(ctx context.Context, dir string, target []string) ([]string, error) {
	settings := exec.CommandContext(ctx, "go", append([]string{"env"}, whereabouts()...)...)
	settings.Dir = dir
	output, err := settings.Output()
	if err != nil {
		return nil, fmt.Errorf("ask for the go command's settings: %w", err)
	}
	env := os.Environ()
	values := strings.Split(string(output), "\n")
	for i, name := range whereabouts() {
		if i < len(values) && values[i] != "" {
			env = append(env, name+"="+values[i])
		}
	}
	env = append(env, "GOENV=off", "GOFLAGS=", "GOEXPERIMENT=", "GOFIPS140=off", "GOWORK=off", "CGO_ENABLED=0")
	return append(env, target...), nil
}

// Compile builds the program for a platform of Targets, static and with the paths of the machine left out, into the file
// out. With the same release of Go the same sources give the same bytes, whatever the user has set. An error carries the end of the
// compiler's output.
func Compile(ctx context.Context, source Source, platform, out string) error {
	target, err := targetEnvironment(platform)
	if err != nil {
		return fmt.Errorf("compile %s: %w", source.Package, err)
	}
	out, err = filepath.Abs(out)
	if err != nil {
		return fmt.Errorf("compile %s: %w", source.Package, err)
	}
	flags := strings.TrimSpace(linkerFlags + " " + source.LDFlags)
	args := []string{"build", "-trimpath", "-buildvcs=false", "-tags", tags, "-ldflags", flags, "-o", out}
	if source.Overlay != "" {
		args = append(args, "-overlay", source.Overlay)
	}
	build := exec.CommandContext(ctx, "go", append(args, source.Package)...)
	build.Dir = source.Dir
	if build.Env, err = environment(ctx, source.Dir, target); err != nil {
		return fmt.Errorf("compile %s: %w", source.Package, err)
	}
	if output, err := build.CombinedOutput(); err != nil {
		output = bytes.TrimSpace(output)
		return fmt.Errorf("compile %s for %s: %w\n%s", source.Package, platform, err, output[max(0, len(output)-maxComplaint):])
	}
	return nil
}
