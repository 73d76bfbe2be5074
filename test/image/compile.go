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
}

// linkerFlags leave out the symbols, which only a debugger reads, and the build ID, which would depend on where it is built.
const linkerFlags = "-s -w -buildid="

// maxComplaint is how many bytes of the compiler's last words an error carries.
const maxComplaint = 4 << 10

// Compile builds the program for a platform of Platforms, static and with the paths of the machine left out, into the file
// out. An error carries the end of the compiler's output.
func Compile(ctx context.Context, source Source, platform, out string) error {
	target, err := findPlatform(platform)
	if err != nil {
		return fmt.Errorf("compile %s: %w", source.Package, err)
	}
	out, err = filepath.Abs(out)
	if err != nil {
		return fmt.Errorf("compile %s: %w", source.Package, err)
	}
	flags := strings.TrimSpace(linkerFlags + " " + source.LDFlags)
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", out, source.Package)
	build.Dir = source.Dir
	build.Env = append(os.Environ(), append([]string{"CGO_ENABLED=0", "GOOS=linux"}, target.environment...)...)
	if output, err := build.CombinedOutput(); err != nil {
		output = bytes.TrimSpace(output)
		return fmt.Errorf("compile %s for %s: %w\n%s", source.Package, platform, err, output[max(0, len(output)-maxComplaint):])
	}
	return nil
}
