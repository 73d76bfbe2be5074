// Package product says how mini-hpa is compiled, and what its image is. The Dockerfile says the same; a test holds the two together.
package product

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/mini-hpa/mini-hpa/test/image"
)

// project is where the sources are.
const project = "https://github.com/mini-hpa/mini-hpa"

// ImageName is where the image of a release is published, without its tag. The chart of a release asks for it.
const ImageName = "ghcr.io/mini-hpa/mini-hpa"

// nonRoot is the user of the image: a number, so that Kubernetes can verify runAsNonRoot, and that of distroless's nonroot.
const nonRoot = "65532:65532"

// Release is what is made of the sources.
type Release struct {
	// Root is the repository's root.
	Root string
	// Version and Commit are what the program tells of itself: 1 to 128 letters, digits, dots, dashes and underscores.
	Version, Commit string
}

// Check refuses what the linker would take apart, or what cannot be the tag of an image.
func (r Release) Check() error {
	word := regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)
	for _, each := range [][2]string{{"version", r.Version}, {"commit", r.Commit}} {
		if !word.MatchString(each[1]) {
			return fmt.Errorf("the %s %.64q is not 1 to 128 letters, digits, dots, dashes and underscores", each[0], each[1])
		}
	}
	return nil
}

// Texts are the files that go with each copy of the program.
func (r Release) Texts() []string {
	return []string{filepath.Join(r.Root, "LICENSE"), filepath.Join(r.Root, "NOTICE")}
}

// Image is the image with the binaries of its platforms ("linux/amd64"), made at a time.
func (r Release) Image(binaries map[string]string, created time.Time) image.Spec {
	return image.Spec{
		Binaries:   binaries,
		Created:    created,
		Path:       "/mini-hpa",
		Texts:      r.Texts(),
		User:       nonRoot,
		Entrypoint: []string{"/mini-hpa"},
		Cmd:        []string{"controller"},
		Labels:     labels(r.Version, r.Commit),
	}
}

// labels are those of https://github.com/opencontainers/image-spec/blob/main/annotations.md.
func labels(version, commit string) map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":       "mini-hpa",
		"org.opencontainers.image.description": "Autoscales the workloads that say so in three annotations, and refuses those that cannot work",
		"org.opencontainers.image.source":      project,
		"org.opencontainers.image.url":         project,
		"org.opencontainers.image.licenses":    "Apache-2.0 AND MPL-2.0",
		"org.opencontainers.image.version":     version,
		"org.opencontainers.image.revision":    commit,
	}
}

// Source is the program.
func (r Release) Source() image.Source {
	return image.Source{
		Dir: r.Root, Package: "./cmd/mini-hpa",
		LDFlags: fmt.Sprintf("-X main.version=%s -X main.commit=%s", r.Version, r.Commit),
	}
}

// EpochVariable is a time in seconds since 1970 that all tools take instead of their own:
// https://reproducible-builds.org/specs/source-date-epoch/
const EpochVariable = "SOURCE_DATE_EPOCH"

// Time is the time of all that is made: what the variable says, else the commit's time, else 1970 if the commit is not known here. It
// returns an error if the variable is no time.
func (r Release) Time(ctx context.Context) (time.Time, error) {
	seconds := os.Getenv(EpochVariable)
	if seconds == "" {
		seconds = commitTime(ctx, r.Root, r.Commit)
	}
	at, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || at < 0 {
		return time.Time{}, fmt.Errorf("%s is %.64q, not a number of seconds since 1970", EpochVariable, seconds)
	}
	return time.Unix(at, 0).UTC(), nil
}

func commitTime(ctx context.Context, root, commit string) string {
	show := exec.CommandContext(ctx, "git", "-C", root, "show", "--no-patch", "--format=%ct", "--end-of-options", commit+"^{commit}")
	output, err := show.Output()
	if err != nil {
		return "0"
	}
	return string(bytes.TrimSpace(output))
}
