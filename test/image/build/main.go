// Command build compiles mini-hpa for several platforms and writes the image that the Dockerfile describes as an OCI archive,
// without a container engine:
//
//	go run ./image/build -o ../bin/mini-hpa-image.tar -version v0.1.0 -commit $(git rev-parse HEAD)
//
// `docker load -i`, `podman load -i`, `ctr -n k8s.io images import` and `skopeo copy oci-archive:` read it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/mini-hpa/mini-hpa/test/image"
	"github.com/mini-hpa/mini-hpa/test/image/product"
)

// What the process tells its caller.
const (
	exitWritten = 0
	exitFailed  = 1
	exitUsage   = 2
)

// options are the flags.
type options struct {
	root, out             string
	name, version, commit string
	platforms             []string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := command(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func command(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitWritten
	}
	if err != nil {
		fmt.Fprintln(stderr, "image:", err)
		return exitUsage
	}
	result, err := build(ctx, o)
	if err != nil {
		fmt.Fprintln(stderr, "image:", err)
		return exitFailed
	}
	report(stdout, o.out, result)
	return exitWritten
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("build", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.out, "o", "../bin/mini-hpa-image.tar", "the archive")
	flags.StringVar(&o.root, "root", "..", "the repository's root")
	flags.StringVar(&o.name, "name", "ghcr.io/mini-hpa/mini-hpa", "the image's name without its tag, which is the version")
	flags.StringVar(&o.version, "version", "dev", "the version that the binary and the labels tell")
	flags.StringVar(&o.commit, "commit", "unknown", "the commit that they tell")
	platforms := flags.String("platform", "linux/amd64,linux/arm64", "platforms, of "+strings.Join(image.Platforms(), ","))
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.platforms = strings.Split(*platforms, ",")
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %.64q: it takes flags only", flags.Arg(0))
	}
	return o, nil
}

// build compiles into a temporary folder, so that an archive never holds the binary of an earlier call.
func build(ctx context.Context, o options) (image.Result, error) {
	release := product.Release{Root: o.root, Version: o.version, Commit: o.commit}
	if err := release.Check(); err != nil {
		return image.Result{}, err
	}
	created, err := release.Time(ctx)
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
		if err := image.Compile(ctx, release.Source(), platform, file); err != nil {
			return image.Result{}, err
		}
		binaries[platform] = file
	}
	if err := os.MkdirAll(filepath.Dir(o.out), 0o755); err != nil {
		return image.Result{}, err
	}
	return image.Write(o.out, o.name+":"+o.version, release.Image(binaries, created))
}

func report(stdout io.Writer, path string, result image.Result) {
	fmt.Fprintf(stdout, "%s\t%s\n", result.Name, result.Digest)
	for _, one := range result.Images {
		fmt.Fprintf(stdout, "  %-13s  %s  %s\n", one.Platform, one.Digest, mebibytes(one.Size))
	}
	fmt.Fprintf(stdout, "%s, %s\n", path, mebibytes(result.Size))
}

func mebibytes(size int64) string { return fmt.Sprintf("%.1f MiB", float64(size)/(1<<20)) }
