// Command release writes everything that a version publishes into one folder: archives of the program for each platform with a list of what
// is in each (SBOM), the image, the chart, plain manifests, and the manifests of krew and Homebrew. It publishes nothing.
//
//	go run ./release -version v0.1.0 -commit $(git rev-parse HEAD) -o ../../dist
//
// The same sources, version and commit give the same bytes with the same release of Go, whatever machine they are made on.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
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
	product.Release

	out       string
	platforms []string
	// snapshot tries the release of a version that the repository does not speak of yet.
	snapshot bool
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
		fmt.Fprintln(stderr, "release:", err)
		return exitUsage
	}
	if err := release(ctx, o, stdout); err != nil {
		fmt.Fprintln(stderr, "release:", err)
		return exitFailed
	}
	return exitWritten
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.out, "o", "../../dist", "the folder, which must be empty or missing")
	flags.StringVar(&o.Root, "root", "../..", "the repository's root")
	flags.StringVar(&o.Version, "version", "", "the version, such as v0.1.0")
	flags.StringVar(&o.Commit, "commit", "unknown", "the commit that the program tells")
	flags.BoolVar(&o.snapshot, "snapshot", false, "do not mind that the chart and the changelog speak of another version")
	platforms := flags.String("platform", strings.Join(defaultPlatforms(), ","), "platforms, of "+strings.Join(image.Targets(), ","))
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.platforms = strings.Split(*platforms, ",")
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %.64q: it takes flags only", flags.Arg(0))
	}
	return o, nil
}

// defaultPlatforms are those of the machines that people sit at, and of most nodes.
func defaultPlatforms() []string {
	return []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64"}
}
