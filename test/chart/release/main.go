// Command release writes everything that a version publishes into one folder: archives of the program for each platform with a list of what
// is in each (SBOM), the image, the chart, plain manifests, and the manifests of krew and Homebrew. It publishes nothing.
//
//	go run ./release -version v0.1.0 -commit $(git rev-parse HEAD) -o ../../dist
//
// The same sources, version and commit give the same bytes with the same release of Go, whatever machine they are made on.
package main

import (
	"context"
	"flag"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/mini-hpa/mini-hpa/test/image"
	"github.com/mini-hpa/mini-hpa/test/image/product"
)

// options are the flags.
type options struct {
	product.Release

	out       string
	platforms []string
	// snapshot tries the release of a version that the repository does not speak of yet.
	snapshot bool
	// digest is that of an image which is there already. With it only what is made of the chart is written.
	digest string
}

func main() { product.Main(command) }

func command(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return product.Run("release", stderr, func() (options, error) { return parse(args, stderr) }, func(o options) error { return release(ctx, o, stdout) })
}

func parse(args []string, stderr io.Writer) (o options, err error) {
	o.Root = "../.."
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.out, "o", "../../dist", "the folder, which must be empty or missing")
	flags.BoolVar(&o.snapshot, "snapshot", false, "do not mind that the chart and the changelog speak of another version")
	flags.StringVar(&o.digest, "image", "", "the digest (\"sha256:...\") of an image that is there already: write the chart and the manifests for it, and nothing else")
	if o.platforms, err = o.Parse(flags, args, defaultPlatforms(), image.Targets()); err != nil || o.digest == "" {
		return o, err
	}
	_, err = v1.NewHash(o.digest)
	return o, err
}

// defaultPlatforms are those of the machines that people sit at, and of most nodes.
func defaultPlatforms() []string {
	return []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64"}
}
