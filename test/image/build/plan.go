package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/mini-hpa/mini-hpa/test/image"
)

// project is where the sources are.
const project = "https://github.com/mini-hpa/mini-hpa"

// nonRoot is the user of the image: a number, so that Kubernetes can verify runAsNonRoot, and that of distroless's nonroot.
const nonRoot = "65532:65532"

// specification is the image without its binaries, its texts named as in the repository's root, as the Dockerfile says it; a test holds the two together.
func specification(version, commit string) image.Spec {
	return image.Spec{
		Binaries:   map[string]string{},
		Path:       "/mini-hpa",
		Texts:      []string{"LICENSE", "NOTICE"},
		User:       nonRoot,
		Entrypoint: []string{"/mini-hpa"},
		Cmd:        []string{"controller"},
		Labels:     labels(version, commit),
	}
}

// labels are those of https://github.com/opencontainers/image-spec/blob/main/annotations.md.
func labels(version, commit string) map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":       "mini-hpa",
		"org.opencontainers.image.description": "Scales annotated Kubernetes Deployments by their pods' CPU utilization",
		"org.opencontainers.image.source":      project,
		"org.opencontainers.image.url":         project,
		"org.opencontainers.image.licenses":    "Apache-2.0 AND MPL-2.0",
		"org.opencontainers.image.version":     version,
		"org.opencontainers.image.revision":    commit,
	}
}

func source(o options) image.Source {
	return image.Source{
		Dir: o.root, Package: "./cmd/mini-hpa",
		LDFlags: fmt.Sprintf("-X main.version=%s -X main.commit=%s", o.version, o.commit),
	}
}

// epochVariable is a time in seconds since 1970 that all tools take instead of their own:
// https://reproducible-builds.org/specs/source-date-epoch/
const epochVariable = "SOURCE_DATE_EPOCH"

// timeOf is the time of the image: what the variable says, else the commit's time, else 1970 if the commit is not known here.
func timeOf(ctx context.Context, root, commit string) (time.Time, error) {
	seconds := os.Getenv(epochVariable)
	if seconds == "" {
		seconds = commitTime(ctx, root, commit)
	}
	at, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || at < 0 {
		return time.Time{}, fmt.Errorf("%s is %.64q, not a number of seconds since 1970", epochVariable, seconds)
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
