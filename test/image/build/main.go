// Command build compiles mini-hpa for several platforms and writes the image that the Dockerfile describes as an OCI archive,
// without a container engine:
//
//	go run ./image/build -o ../bin/mini-hpa-image.tar -version v0.1.0 -commit $(git rev-parse HEAD)
//
// `docker load -i`, `podman load -i`, `ctr -n k8s.io images import` and `skopeo copy oci-archive:` read it.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/mini-hpa/mini-hpa/test/image"
	"github.com/mini-hpa/mini-hpa/test/image/product"
)

// options are the flags.
type options struct {
	product.Release

	out, name string
	platforms []string
}

func main() { product.Main(command) }

func command(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return product.Run("image", stderr, func() (options, error) { return parse(args, stderr) }, func(o options) error {
		result, err := build(ctx, o)
		if err == nil {
			report(stdout, o.out, result)
		}
		return err
	})
}

func parse(args []string, stderr io.Writer) (o options, err error) {
	o.Root, o.Version = "..", "dev"
	flags := flag.NewFlagSet("build", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.out, "o", "../bin/mini-hpa-image.tar", "the archive")
	flags.StringVar(&o.name, "name", "ghcr.io/mini-hpa/mini-hpa", "the image's name without its tag, which is the version")
	o.platforms, err = o.Parse(flags, args, []string{"linux/amd64", "linux/arm64"}, image.Platforms())
	return o, err
}

// build compiles into a temporary folder, so that an archive never holds the binary of an earlier call.
func build(ctx context.Context, o options) (image.Result, error) {
	if err := o.Check(); err != nil {
		return image.Result{}, err
	}
	created, err := o.Time(ctx)
	if err != nil {
		return image.Result{}, err
	}
	folder, err := os.MkdirTemp("", "mini-hpa-image-")
	if err != nil {
		return image.Result{}, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	binaries := map[string]string{}
	for _, platform := range o.platforms {
		file := filepath.Join(folder, strings.ReplaceAll(platform, "/", "-"))
		if err := image.Compile(ctx, o.Source(), platform, file); err != nil {
			return image.Result{}, err
		}
		binaries[platform] = file
	}
	if err := os.MkdirAll(filepath.Dir(o.out), 0o755); err != nil {
		return image.Result{}, err
	}
	return image.Write(o.out, o.name+":"+o.Version, o.Image(binaries, created))
}

func report(stdout io.Writer, path string, result image.Result) {
	fmt.Fprintf(stdout, "%s\t%s\n", result.Name, result.Digest)
	for _, one := range result.Images {
		fmt.Fprintf(stdout, "  %-13s  %s  %s\n", one.Platform, one.Digest, mebibytes(one.Size))
	}
	fmt.Fprintf(stdout, "%s, %s\n", path, mebibytes(result.Size))
}

func mebibytes(size int64) string { return fmt.Sprintf("%.1f MiB", float64(size)/(1<<20)) }
