//go:build linux

package machine

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"github.com/mini-hpa/mini-hpa/test/image"
	"github.com/mini-hpa/mini-hpa/test/image/product"
)

const (
	// Version is what is released on the node: the chart's, and with a v before it that of the program and its image.
	Version     = "0.0.0-node"
	program     = "mini-hpa" // the product's
	imageFile   = "mini-hpa_image.tar"
	chartDir    = "chart"
	registryDir = "registry"
	platform    = "linux/" + runtime.GOARCH
)

// Chart is the file of the chart, as a release publishes it.
func (m *Machine) Chart() string {
	return filepath.Join(m.dir, chartDir, "mini-hpa-"+Version+".tgz")
}

// release writes the image of a release, for this machine alone and with the patches, and the chart that asks for it.
func (i *Images) release(ctx context.Context, out io.Writer) error {
	patched, err := overlay(i.Root, i.Dir, i.Patches)
	if err != nil {
		return err
	}
	released := product.Release{Root: i.Root, Version: "v" + Version, Commit: "unknown"}
	source := released.Source()
	source.Overlay = patched
	file := filepath.Join(i.Dir, imagesDir, program)
	if err := image.Compile(ctx, source, platform, file); err != nil {
		return err
	}
	spec := released.Image(map[string]string{platform: file}, time.Time{})
	digest, err := pack(filepath.Join(i.Dir, imageFile), product.ImageName+":"+released.Version, spec, out)
	if err != nil {
		return err
	}
	return i.packChart(ctx, digest, out)
}

// packChart has the release's own program package the chart. It is in another module, since it links Helm.
func (i *Images) packChart(ctx context.Context, digest string, out io.Writer) error {
	release := exec.CommandContext(ctx, "go", "run", "./release", "-snapshot", "-version", "v"+Version, "-image", digest, "-o", filepath.Join(i.Dir, chartDir))
	release.Dir = filepath.Join(i.Root, "test", "chart")
	if said, err := release.CombinedOutput(); err != nil {
		return fmt.Errorf("package the chart as a release does: %w: %s", err, said)
	}
	fmt.Fprintf(out, "chart mini-hpa %s\n", Version)
	return nil
}
