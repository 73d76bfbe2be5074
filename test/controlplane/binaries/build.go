//go:build unix

// Package binaries has the programs of a control plane: those that their releases publish where they can be had, and built from their Go modules
// otherwise. Each is made once for a set of versions, flags and a Go release, and kept in the user's cache directory; parallel processes wait for
// each other instead of making it twice.
package binaries

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/mini-hpa/mini-hpa/test/filelock"
)

// AssetsVariable names a directory of ready-made programs, as setup-envtest unpacks them. Those found there are not built.
const AssetsVariable = "KUBEBUILDER_ASSETS"

// Files maps a name ("etcd", "kube-apiserver", "kubectl", Stages ...) to the absolute path of the file.
type Files map[string]string

// Builder makes what pins describe.
type Builder struct {
	Cache  string    // holds what was built; "" = mini-hpa/controlplane in the user's cache directory
	Assets string    // holds ready-made programs that are preferred; "" = none
	Out    io.Writer // progress, written to only while something is built; nil = os.Stderr
}

// Ensure makes whatever is missing of the control plane and says where everything is. It honours KUBEBUILDER_ASSETS.
func Ensure(ctx context.Context, out io.Writer) (Files, error) { return ensure(ctx, out, Pins) }

// EnsureNode is Ensure with the programs of a node that runs containers.
func EnsureNode(ctx context.Context, out io.Writer) (Files, error) {
	return ensure(ctx, out, Pins, NodePins)
}

func ensure(ctx context.Context, out io.Writer, parts ...func(context.Context) ([]Pin, error)) (Files, error) {
	var all []Pin
	for _, part := range parts {
		pins, err := part(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, pins...)
	}
	return Builder{Assets: os.Getenv(AssetsVariable), Out: out}.Build(ctx, all...)
}

// Build makes the missing files of the pins and returns all of them. An error names what could not be built and carries the end
// of the compiler's output.
func (b Builder) Build(ctx context.Context, pins ...Pin) (Files, error) {
	cache, err := b.cache()
	if err != nil {
		return nil, err
	}
	var tasks []task
	for _, pin := range pins {
		more, err := pin.tasks(ctx, cache)
		if err != nil {
			return nil, fmt.Errorf("read the versions in %s: %w", pin.Dir, err)
		}
		tasks = append(tasks, more...)
	}
	tasks = withAssets(tasks, b.Assets)
	if len(missing(tasks)) > 0 {
		if err := b.makeMissing(ctx, cache, tasks); err != nil {
			return nil, err
		}
	}
	return files(tasks), nil
}

func (b Builder) cache() (string, error) {
	if b.Cache != "" {
		return filepath.Abs(b.Cache)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the user's cache directory: %w", err)
	}
	return filepath.Join(dir, "mini-hpa", "controlplane"), nil
}

// makeMissing works under a lock: one build at a time is what the memory of a small machine can bear.
func (b Builder) makeMissing(ctx context.Context, cache string, tasks []task) error {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return fmt.Errorf("make the cache directory: %w", err)
	}
	report := &progress{out: cmp.Or[io.Writer](b.Out, os.Stderr), began: time.Now()}
	lock, err := filelock.Acquire(ctx, filepath.Join(cache, "lock"), func() {
		report.say("waiting for another process that builds the control plane")
	})
	if err != nil {
		return fmt.Errorf("wait for a parallel build: %w", err)
	}
	err = takePublished(ctx, report, missing(tasks)) // looked up again: the other process may have made them
	if err == nil {
		err = makeAll(ctx, report, missing(tasks))
	}
	if releaseErr := lock.Release(); err == nil {
		err = releaseErr
	}
	return err
}

func makeAll(ctx context.Context, report *progress, tasks []task) error {
	if len(tasks) == 0 {
		return nil
	}
	report.total = len(tasks)
	for _, t := range tasks {
		if err := report.track(t.name, func() error { return t.run(ctx) }); err != nil {
			return fmt.Errorf("build %s: %w", t.name, err)
		}
	}
	report.say("all built in %s, kept in %s", since(report.began), filepath.Dir(filepath.Dir(tasks[0].path)))
	return nil
}

func files(tasks []task) Files {
	made := Files{}
	for _, t := range tasks {
		made[t.name] = t.path
	}
	return made
}
