// Command demo plays mini-hpa's workshop on a real Kubernetes control plane: annotated Deployments scale out under load, settle, scale in,
// flap without their guards, and stop flapping with them. It checks what it shows: an expectation that fails makes it exit with 1.
//
//	go run ./demo           on a control plane of its own, on loopback
//	go run ./demo --here    on the current cluster
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/pflag"
)

// What the process tells its caller.
const (
	exitHeld        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

// options are the flags.
type options struct {
	here       bool
	image, out string
}

func main() { os.Exit(command(os.Args[1:])) }

func command(args []string) int {
	o, err := parse(args)
	if errors.Is(err, pflag.ErrHelp) {
		return exitHeld
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	// A reader that goes away, as head does, ends the play with an error instead of the process without cleaning up.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	// The first interrupt asks to clean up; the second one ends the process, and with it its children, at once.
	context.AfterFunc(ctx, stop)
	err = perform(ctx, o)
	switch {
	case err == nil:
		return exitHeld
	case ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "demo: interrupted; everything it started has been taken down")
		return exitInterrupted
	}
	fmt.Fprintln(os.Stderr, "demo:", err)
	return exitFailed
}

func parse(args []string) (options, error) {
	var o options
	flags := pflag.NewFlagSet("demo", pflag.ContinueOnError)
	flags.BoolVar(&o.here, "here", false,
		"play on the current cluster of KUBECONFIG or ~/.kube/config, in a namespace of its own, instead of a new control plane")
	flags.StringVar(&o.image, "image", "busybox:1.37", "with --here: the image of the pods that use CPU; it needs a POSIX shell and sleep")
	flags.StringVar(&o.out, "out", "", "the folder for picture, Events and logs (default demo-output at the root of the repository)")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %.64q: it takes flags only", flags.Arg(0))
	}
	return o, nil
}
