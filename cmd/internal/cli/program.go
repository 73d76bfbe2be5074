// Package cli is what all commands of mini-hpa have in common: how a command is found and called, what flags may be set to, what its exit code says,
// and how text is written that a terminal must not obey.
package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/go-logr/zapr"
	"github.com/spf13/pflag"
	"go.uber.org/zap"
	"k8s.io/klog/v2"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
)

// Program is this program: its commands in the order in which usage lists them, and the build it is.
type Program struct {
	Commands []Command
	Build    Build
	// name is how it is called; empty for mini-hpa.
	name string
}

// Names of the executable by which kubectl finds it as a plugin, and finds out what its words may be. With them "kubectl mini-hpa get" is "mini-hpa get".
const (
	pluginName    = "kubectl-mini_hpa"
	completerName = "kubectl_complete-mini_hpa"
)

// called is the program as it is called, and what it is to do.
func (p Program) called(argv []string) (Program, []string) {
	switch strings.TrimSuffix(filepath.Base(argv[0]), ".exe") {
	case pluginName:
		p.name = "kubectl mini-hpa"
	case completerName:
		return p, append([]string{completeCommand}, argv[1:]...)
	}
	return p, argv[1:]
}

// Main does what the arguments of the process ask for and returns the exit code. The first SIGTERM or SIGINT asks for a graceful end.
func (p Program) Main() int {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	p, args := p.called(os.Args)
	return p.Run(untilSignal(context.Background(), signals, os.Exit), args, Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Bridge: bridge})
}

// bridge sends what libraries log to the command's logger, for as long as the process lives: klog, hence client-go, controller-runtime, and Go's
// own log.
func bridge(log *zap.Logger) {
	ctrllog.SetLogger(zapr.NewLogger(log.Named("controller-runtime")))
	klog.SetLoggerWithOptions(zapr.NewLogger(log.Named("client-go")), klog.ContextualLogger(true))
	zap.RedirectStdLog(log.Named("log"))
}

// untilSignal returns a context that ends at the first signal, which asks for a graceful end. The second one exits at
// once, because a user who asks twice does not want to wait.
func untilSignal(parent context.Context, signals <-chan os.Signal, exit func(int)) context.Context {
	ctx, cancel := context.WithCancel(parent)
	go func() {
		<-signals
		cancel()
		<-signals
		exit(ExitFailure)
	}()
	return ctx
}

// Run does what the arguments ask for and returns the exit code. It writes errors to s.err.
func (p Program) Run(ctx context.Context, args []string, s Streams) int {
	s.Build, p.name = p.Build, cmp.Or(p.name, "mini-hpa")
	return p.exitCode(p.dispatch(ctx, args, s), s.Err)
}

func (p Program) dispatch(ctx context.Context, args []string, s Streams) error {
	if len(args) == 0 {
		return p.printUsage(s.Out)
	}
	name, rest := args[0], args[1:]
	switch name {
	case "help", "--help", "-h":
		return p.help(rest, s.Out)
	case completeCommand:
		s.LogErrors()
		return complete(ctx, p.Commands, rest, s.Out)
	case "--version":
		name = "version"
	}
	c, err := p.find(name)
	if err != nil {
		return err
	}
	return c.call(ctx, rest, s, p.name)
}

func (p Program) find(name string) (Command, error) {
	names := make([]string, 0, len(p.Commands))
	for _, c := range p.Commands {
		if c.Name == name {
			return c, nil
		}
		names = append(names, c.Name)
	}
	if strings.HasPrefix(name, "-") {
		return Command{}, Usagef("unknown flag %s before the command; want %s COMMAND [flags]", Quote(name), p.name)
	}
	return Command{}, Usagef("unknown command %s%s; want one of %s", Quote(name), DidYouMean(name, names), strings.Join(names, ", "))
}

func (c Command) call(ctx context.Context, args []string, s Streams, program string) error {
	t := c.Task()
	flags := c.Flags(t)
	switch err := flags.Parse(args); {
	case errors.Is(err, pflag.ErrHelp):
		return c.printHelp(s.Out, program)
	case err != nil:
		return c.named(Usagef("%s", flagProblem(flags, err)))
	case c.Args == "" && flags.NArg() > 0:
		return c.named(Usagef("unexpected argument %s; it takes flags only", Quote(flags.Arg(0))))
	}
	if c.Offline {
		// Nobody has touched this memory, so it is none but in the books of the collector, which for most inputs has nothing to do then.
		ballast := make([]byte, 64<<20)
		defer runtime.KeepAlive(ballast)
		return c.named(abandonable(ctx, func() error { return t.Run(ctx, flags.Args(), s) }))
	}
	return c.named(t.Run(ctx, flags.Args(), s))
}

// abandonable returns when ctx ends, even in the middle of a computation, because the process is about to end.
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
func (c Command) named(err error) error {
	if usage := (&usageError{}); errors.As(err, &usage) {
		usage.command = c.Name
		return usage
	}
	if err == nil || errors.Is(err, ErrReported) {
		return err
	}
	return fmt.Errorf("%s: %w", c.Name, err)
}

// exitCode prints the error, unless it was printed before, and returns its exit code.
func (p Program) exitCode(err error, stderr io.Writer) int {
	if err == nil {
		return ExitOK
	}
	if usage := (&usageError{}); errors.As(err, &usage) {
		fmt.Fprintf(stderr, "mini-hpa%s\nRun \"%s\" for what it takes.\n", usage.Error(), usage.helpCall(p.name))
		return ExitUsage
	}
	if !errors.Is(err, ErrReported) {
		for i, line := range strings.Split("mini-hpa "+err.Error(), "\n") {
			fmt.Fprintln(stderr, strings.Repeat("  ", min(i, 1))+Clean(line))
		}
	}
	if given := (unreadableError{}); errors.As(err, &given) {
		return ExitUsage
	}
	return ExitFailure
}

// printUsage writes the list of commands.
func (p Program) printUsage(w io.Writer) error {
	fmt.Fprint(w, "mini-hpa autoscales the workloads that carry mini-hpa/ annotations: Deployments, StatefulSets,\nReplicaSets and custom resources with a scale subresource.\n\nUsage: "+p.name+" COMMAND [flags]\n\nCommands:\n")
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, c := range p.Commands {
		fmt.Fprintf(table, "  %s\t%s\n", c.Name, c.Summary)
	}
	fmt.Fprint(table, "  help\tshow this text, or that of one command\n")
	if err := table.Flush(); err != nil {
		return fmt.Errorf("cannot write the usage: %w", err)
	}
	_, err := fmt.Fprint(w, "\n\""+p.name+" COMMAND --help\" shows a command's flags.\n"+
		"Exit codes: 0 done, 1 could not be done, 2 not asked for properly, or a file that cannot be used.\n")
	return err
}

// help is "mini-hpa help [COMMAND]".
func (p Program) help(args []string, w io.Writer) error {
	if len(args) == 0 {
		return p.printUsage(w)
	}
	c, err := p.find(args[0])
	if err != nil {
		return err
	}
	return c.printHelp(w, p.name)
}

func (c Command) printHelp(w io.Writer, program string) error {
	_, err := fmt.Fprintf(w, "Usage: %s\n\n%s\n\nFlags:\n%s", c.UsageLine(program), c.About, c.Flags(c.Task()).FlagUsagesWrapped(120))
	return err
}

// flagProblem says what is wrong with the flags: the flag, the value as seen, what is allowed.
func flagProblem(f *pflag.FlagSet, err error) string {
	var value *pflag.InvalidValueError
	var missing *pflag.ValueRequiredError
	var unknown *pflag.NotExistError
	switch {
	case errors.As(err, &value):
		return fmt.Sprintf("invalid value %s for --%s: want %s", Quote(value.GetValue()), value.GetFlag().Name, Allowed(value.GetFlag()))
	case errors.As(err, &missing):
		return fmt.Sprintf("--%s needs a value: want %s", missing.GetFlag().Name, Allowed(missing.GetFlag()))
	case errors.As(err, &unknown):
		return unknownFlag(f, unknown)
	default:
		return "cannot read the flags: " + Quote(err.Error())
	}
}

func unknownFlag(f *pflag.FlagSet, unknown *pflag.NotExistError) string {
	if shorts := unknown.GetSpecifiedShortnames(); shorts != "" {
		return "unknown flag " + Quote("-"+unknown.GetSpecifiedName())
	}
	var names []string
	f.VisitAll(func(flag *pflag.Flag) { names = append(names, "--"+flag.Name) })
	name := unknown.GetSpecifiedName()
	ours := "--" + strings.TrimPrefix(name, "horizontal-pod-autoscaler-") // what kube-controller-manager puts before some of them
	return fmt.Sprintf("unknown flag %s%s", Quote("--"+name), DidYouMean(ours, names))
}
