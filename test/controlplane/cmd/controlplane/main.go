//go:build unix

// Command controlplane builds, starts and stops a real Kubernetes control plane with a metrics API, on loopback, for people: the
// tests use the package. `eval "$(controlplane up)"` points kubectl at it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/pflag"

	"github.com/mini-hpa/mini-hpa/test/background"
)

// Exit codes.
const (
	exitFailure = 1 // what was asked for could not be done
	exitUsage   = 2 // what was asked for was not understood
)

const usage = `usage: controlplane COMMAND [flags]

commands:
  build  make the programs that are missing and print where all are
  up     start a control plane with a metrics API in the background and print what to export
  env    print the environment for the running control plane, its kubectl in PATH
  down   stop it
  serve  run it in the foreground until interrupted

flags:
`

// app is one invocation. Standard output is for what a shell may evaluate, standard error for people.
type app struct {
	stdout, stderr io.Writer
	dir            string // where the background control plane lives
	nodes          int    // KWOK nodes
	audit          bool   // write an audit log
	node           bool   // build the programs of a real node too
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main with its surroundings as arguments; it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	a := &app{stdout: stdout, stderr: stderr}
	flags := a.flags()
	command, err := a.parse(flags, args)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		_, _ = fmt.Fprint(stdout, usage+flags.FlagUsages())
		return 0
	case err != nil:
		a.say("%v\n\n%s", err, usage+flags.FlagUsages())
		return exitUsage
	}
	if err := command(ctx); err != nil {
		a.say("%s: %v", flags.Arg(0), err)
		return exitFailure
	}
	return 0
}

func (a *app) flags() *pflag.FlagSet {
	flags := pflag.NewFlagSet("controlplane", pflag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
	flags.BoolVar(&a.node, "node", false, "build: also build what a real node needs: kubelet, kube-proxy, metrics-server, helm")
	flags.StringVar(&a.dir, "dir", background.DefaultDir("cluster"), "up, env, down, serve: directory of this control plane; another one makes another control plane")
	flags.IntVar(&a.nodes, "nodes", 1, "up, serve: how many nodes KWOK plays")
	flags.BoolVar(&a.audit, "audit", false, "up, serve: write every request to DIR/cluster/audit.log")
	return flags
}

func (a *app) parse(flags *pflag.FlagSet, args []string) (func(context.Context) error, error) {
	if err := flags.Parse(args); errors.Is(err, pflag.ErrHelp) || flags.Arg(0) == "help" {
		return nil, pflag.ErrHelp
	} else if err != nil {
		return nil, fmt.Errorf("the flags are not understood: %.100q", err.Error())
	}
	command := map[string]func(context.Context) error{"build": a.build, "up": a.up, "env": a.env, "down": a.down, "serve": a.serve}[flags.Arg(0)]
	if flags.NArg() != 1 || command == nil {
		return nil, fmt.Errorf("one of build, up, env, down and serve is wanted, got %.64q", flags.Args())
	}
	if a.nodes < 1 {
		return nil, fmt.Errorf("--nodes must be at least 1, got %d", a.nodes)
	}
	return command, nil
}

func (a *app) say(format string, args ...any) {
	_, _ = fmt.Fprintf(a.stderr, "controlplane: "+format+"\n", args...) // there is nowhere else to say it
}
