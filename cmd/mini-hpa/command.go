package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"github.com/spf13/pflag"
	"go.uber.org/zap"
)

// What the process tells its caller.
const (
	exitOK      = 0 // done
	exitFailure = 1 // could not be done
	exitUsage   = 2 // was not asked for properly, or was given a file that cannot be used
)

// errReported is a failure that has been logged already, where only the exit code remains to be told.
var errReported = errors.New("already reported")

// unreadable is an error about what the user has handed in. It has the exit code of a call that was not asked for properly.
func unreadable(err error) error { return unreadableError{err} }

type unreadableError struct{ error }

// Unwrap returns what is wrong with it.
func (u unreadableError) Unwrap() error { return u.error }

// streams are where a command reads and writes: data from in and to out, messages and logs to err.
type streams struct {
	in       io.Reader
	out, err io.Writer
	// bridge makes what libraries log go to the command's logger. It changes the whole process.
	bridge func(*zap.Logger)
	// build is what the binary says about itself.
	build build
}

// command is one row of the table of subcommands; usage, docs/cli.md and dispatch are made from it.
type command struct {
	name    string
	args    string // what it takes besides flags, as shown in its usage; empty if nothing
	summary string // one line for the list of commands
	about   string // paragraphs for its own help
	task    func() task
	// offline says that it leaves nothing behind but a file it was asked for, so that it ends at once when it is told to.
	offline bool
}

// task is one call of a command: it declares its flags, then runs with what they were set to.
type task interface {
	declare(f *pflag.FlagSet)
	run(ctx context.Context, args []string, s streams) error
}

// program is this program: its commands in the order in which usage lists them, and the build it is.
type program struct {
	commands []command
	build    build
}

// runMain does what the arguments of the process ask for and returns the exit code. The first SIGTERM or SIGINT asks for a graceful end.
func (p program) runMain() int {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	return p.run(untilSignal(context.Background(), signals, os.Exit), os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr, bridge: bridge})
}

// untilSignal returns a context that ends at the first signal, which asks for a graceful end. The second one exits at
// once: whoever asks twice does not want to wait.
func untilSignal(parent context.Context, signals <-chan os.Signal, exit func(int)) context.Context {
	ctx, cancel := context.WithCancel(parent)
	go func() {
		<-signals
		cancel()
		<-signals
		exit(exitFailure)
	}()
	return ctx
}

// run does what the arguments ask for and returns the exit code. An error is told on s.err.
func (p program) run(ctx context.Context, args []string, s streams) int {
	s.build = p.build
	return exitCode(p.dispatch(ctx, args, s), s.err)
}

func (p program) dispatch(ctx context.Context, args []string, s streams) error {
	if len(args) == 0 {
		return p.printUsage(s.out)
	}
	name, rest := args[0], args[1:]
	switch name {
	case "help", "--help", "-h":
		return p.help(rest, s.out)
	case "--version":
		name = "version"
	}
	c, err := p.find(name)
	if err != nil {
		return err
	}
	return c.call(ctx, rest, s)
}

func (p program) find(name string) (command, error) {
	names := make([]string, 0, len(p.commands))
	for _, c := range p.commands {
		if c.name == name {
			return c, nil
		}
		names = append(names, c.name)
	}
	if strings.HasPrefix(name, "-") {
		return command{}, usagef("unknown flag %s before the command; want mini-hpa COMMAND [flags]", quote(name))
	}
	return command{}, usagef("unknown command %s%s; want one of %s", quote(name), didYouMean(name, names), strings.Join(names, ", "))
}

func (c command) call(ctx context.Context, args []string, s streams) error {
	t := c.task()
	flags := c.flagSet(t)
	switch err := flags.Parse(args); {
	case errors.Is(err, pflag.ErrHelp):
		return c.printHelp(s.out)
	case err != nil:
		return c.named(usagef("%s", flagProblem(flags, err)))
	case c.args == "" && flags.NArg() > 0:
		return c.named(usagef("unexpected argument %s; it takes flags only", quote(flags.Arg(0))))
	}
	if c.offline {
		// Nobody has touched this memory, so it is none but in the books of the collector, which for most inputs has nothing to do then.
		ballast := make([]byte, 64<<20)
		defer runtime.KeepAlive(ballast)
		return c.named(abandonable(ctx, func() error { return t.run(ctx, flags.Args(), s) }))
	}
	return c.named(t.run(ctx, flags.Args(), s))
}

// abandonable returns when ctx ends, whatever is still being computed: the process is about to end, too.
func abandonable(ctx context.Context, work func() error) error {
	done := make(chan error, 1)
	go func() { done <- work() }()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			return err
		}
	case <-ctx.Done():
	}
	return errors.New("was told to end before it was done")
}

// named says which command an error comes from.
func (c command) named(err error) error {
	if usage := (&usageError{}); errors.As(err, &usage) {
		usage.command = c.name
		return usage
	}
	if err == nil || errors.Is(err, errReported) {
		return err
	}
	return fmt.Errorf("%s: %w", c.name, err)
}

// exitCode tells the user about the error, if nobody has yet.
func exitCode(err error, stderr io.Writer) int {
	if err == nil {
		return exitOK
	}
	if usage := (&usageError{}); errors.As(err, &usage) {
		fmt.Fprintf(stderr, "mini-hpa%s\nRun \"%s\" for what it takes.\n", usage.Error(), usage.helpCall())
		return exitUsage
	}
	if !errors.Is(err, errReported) {
		for i, line := range strings.Split("mini-hpa "+err.Error(), "\n") {
			fmt.Fprintln(stderr, strings.Repeat("  ", min(i, 1))+clean(line))
		}
	}
	if given := (unreadableError{}); errors.As(err, &given) {
		return exitUsage
	}
	return exitFailure
}
