//go:build linux

// Command node runs a Kubernetes cluster of one real node on this machine, in namespaces of its own: kubelet, containerd, runc,
// kube-proxy and metrics-server, with images from local archives. It needs root and the packages containerd, runc,
// containernetworking-plugins, iptables and iproute2, and leaves nothing behind.
//
//	go run ./node demo      install the Helm chart on it, play a story with real CPU usage, and check what happens
//	go run ./node queue     install it, and watch a worker sleep and wake by a RabbitMQ (package rabbitmq-server)
//	go run ./node wake      install it with activators, and watch a workload sleep and wake on requests; --with= tells it otherwise
//	go run ./node up        start it in the background and print what to export
//	go run ./node down      stop it
//	go run ./node missing   say whether this machine can do it, and if not, what it lacks
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/pflag"

	"github.com/mini-hpa/mini-hpa/test/background"
	"github.com/mini-hpa/mini-hpa/test/controlplane/binaries"
	"github.com/mini-hpa/mini-hpa/test/node/machine"
	"github.com/mini-hpa/mini-hpa/test/node/sandbox"
	"github.com/mini-hpa/mini-hpa/test/node/story"
	"github.com/mini-hpa/mini-hpa/test/rabbitmq"
)

// What the process tells its caller.
const (
	exitHeld        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitImpossible  = 3 // the machine lacks something
	exitInterrupted = 130
)

const usage = `usage: node COMMAND [--dir DIRECTORY]

  demo       install mini-hpa on a real node, play a story with real CPU usage, and check what happens
  queue      the same with a worker that sleeps while a RabbitMQ has no messages
  wake       the same with a workload that sleeps until somebody makes a request
  up         start a real node in the background and print what to export
  down       stop it
  serve      run it in the foreground until interrupted
  missing    say whether this machine can do it; if not (exit code 3), what it lacks, one to a line

  --dir      where up, down and serve keep what they know of each other (default mini-hpa/node in the user's cache directory)
  --picture  the file into which wake draws what happens to a request, as SVG
  --with     how wake is told, with commas between the parts:

`

// product is the module that is under test.
const product = "github.com/mini-hpa/mini-hpa"

// app is one invocation. Standard output is for what was asked for, standard error for how it goes.
type app struct {
	stdout, stderr io.Writer
	service        *background.Service
	with           []string // the parts of the variant of wake
	picture        string   // the file that it draws
}

// impossible says that this machine cannot run a node, and why.
type impossible []string

// Error lists what is missing.
func (i impossible) Error() string {
	return "this machine cannot run a node; it lacks\n  " + strings.Join(i, "\n  ")
}

func main() {
	sandbox.Play(work)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main with its surroundings as arguments; it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	a := &app{stdout: stdout, stderr: stderr}
	command, err := a.parse(args)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		fmt.Fprint(stdout, usage+story.Parts())
		return exitHeld
	case err != nil:
		a.say("%v\n\n%s%s", err, usage, story.Parts())
		return exitUsage
	}
	err = command(ctx)
	switch {
	case err == nil:
		return exitHeld
	case errors.Is(err, errTold):
		return exitImpossible
	}
	a.say("%v", err)
	switch {
	case ctx.Err() != nil:
		return exitInterrupted
	case errors.As(err, new(impossible)):
		return exitImpossible
	}
	return exitFailed
}

func (a *app) parse(args []string) (func(context.Context) error, error) {
	flags := pflag.NewFlagSet("node", pflag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
	dir := flags.String("dir", background.DefaultDir("node"), "")
	flags.StringVar(&a.picture, "picture", "", "")
	flags.StringSliceVar(&a.with, "with", nil, "")
	if err := flags.Parse(args); errors.Is(err, pflag.ErrHelp) {
		return nil, err
	} else if err != nil {
		return nil, fmt.Errorf("the flags are not understood: %.100q", err.Error())
	}
	commands := map[string]func(context.Context) error{
		"demo": a.demo, "queue": a.queue, "wake": a.wake, "up": a.up, "down": a.down, "serve": a.serve, "missing": a.missing,
	}
	command := commands[flags.Arg(0)]
	if flags.NArg() != 1 || command == nil {
		return nil, fmt.Errorf("one of demo, queue, wake, up, down, serve and missing is wanted, got %.64q", flags.Args())
	}
	if (len(a.with) > 0 || a.picture != "") && flags.Arg(0) != workWake {
		return nil, fmt.Errorf("--with and --picture are for wake, got %.64q", flags.Arg(0))
	}
	if _, err := story.ReadVariant(a.with); err != nil {
		return nil, err
	}
	a.service = a.newService(*dir)
	return command, nil
}

func (a *app) say(format string, args ...any) { fmt.Fprintf(a.stderr, "node: "+format+"\n", args...) }

// errTold is what missing ends with where something is, which it has said.
var errTold = errors.New("something is missing")

// missing says on standard output what becomes of the test on this machine.
func (a *app) missing(context.Context) error {
	missing := sandbox.Missing()
	tellMissing(a.stdout, missing, os.Getenv(requiredVariable) == required)
	if len(missing) > 0 {
		return errTold
	}
	return nil
}

func (a *app) demo(ctx context.Context) error { return a.play(ctx, workStory, nil) }

func (a *app) queue(ctx context.Context) error {
	if err := rabbitmq.Installed(); err != nil {
		return impossible{err.Error()}
	}
	return a.play(ctx, workQueue, nil)
}

func (a *app) wake(ctx context.Context) error {
	variant, err := story.ReadVariant(a.with)
	if err != nil {
		return err
	}
	if variant.Node.Mode == machine.Nftables {
		if _, err := exec.LookPath("nft"); err != nil {
			return impossible{"nft: not in PATH (package nftables)"}
		}
	}
	picture := a.picture
	if picture != "" {
		if picture, err = filepath.Abs(picture); err != nil {
			return fmt.Errorf("find the place of the picture: %w", err)
		}
	}
	return a.play(ctx, workWake, variant.Patches, append([]string{picture}, a.with...)...)
}

// play plays a story on a node of its own, with a program of which a copy is patched.
func (a *app) play(ctx context.Context, work string, patches []machine.Patch, args ...string) error {
	dir, err := prepare(ctx, patches, a.stderr)
	if err != nil {
		return err
	}
	return sandbox.Run(ctx, sandbox.Config{Dir: dir, Args: append([]string{work}, args...), Out: a.stdout, Err: a.stderr})
}

// prepare builds whatever the sandbox needs, since there is no network in it, and returns its directory.
func prepare(ctx context.Context, patches []machine.Patch, out io.Writer) (string, error) {
	if missing := sandbox.Missing(); len(missing) > 0 {
		return "", impossible(missing)
	}
	files, err := binaries.EnsureNode(ctx, out)
	if err != nil {
		return "", err
	}
	root, err := productDir(ctx)
	if err != nil {
		return "", err
	}
	dir, err := sandbox.MakeDir()
	if err != nil {
		return "", err
	}
	if err := (&machine.Images{Root: root, Dir: dir, Files: files, Patches: patches}).Build(ctx, out); err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	return dir, nil
}

// productDir is the directory of the product's module, where its chart and its command are.
func productDir(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", product).Output()
	if err != nil {
		return "", fmt.Errorf("find the module %s: %w", product, err)
	}
	return filepath.Clean(strings.TrimSpace(string(out))), nil
}
