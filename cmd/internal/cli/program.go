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
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/go-logr/zapr"
	"github.com/spf13/pflag"
	"go.uber.org/zap"
	"k8s.io/klog/v2"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
)

// Exit codes.
const (
	ExitOK      = 0 // done
	ExitFailure = 1 // could not be done
	ExitUsage   = 2 // was not asked for properly, or was given a file that cannot be used
)

// ErrReported is a failure that has been logged already, where only the exit code remains to be told.
var ErrReported = errors.New("already reported")

// Unreadable is an error about what the user has handed in. It has the exit code of a call that was not asked for properly.
func Unreadable(err error) error { return unreadableError{err} }

type unreadableError struct{ error }

// Unwrap returns what is wrong with it.
func (u unreadableError) Unwrap() error { return u.error }

// Streams are where a command reads and writes: data from in and to out, messages and logs to err.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	// Bridge makes what libraries log go to the command's logger. It changes the whole process.
	Bridge func(*zap.Logger)
	// Build is what the binary says about itself.
	Build Build
}

// Build is what a binary says about itself.
type Build struct {
	Version   string `json:"version"`
	Commit    string `json:"commit"`
	GoVersion string `json:"goVersion"`
	Platform  string `json:"platform"`
}

// NewBuild is what the linker was told, or what the Go command has left in the binary where that is empty.
func NewBuild(version, commit string) Build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return Build{
		Version:   cmp.Or(version, info.Main.Version, "(devel)"),
		Commit:    cmp.Or(commit, revision(info), "unknown"),
		GoVersion: runtime.Version(),
		Platform:  runtime.GOOS + "/" + runtime.GOARCH,
	}
}

// UserAgent is the name by which logs of API servers know this program.
func (b Build) UserAgent() string {
	return fmt.Sprintf("mini-hpa/%s (%s) %s", b.Version, b.Platform, b.Commit)
}

// revision is the commit that the Go command saw, marked where the tree had changes.
func revision(info *debug.BuildInfo) string {
	var hash, dirty string
	for _, setting := range info.Settings {
		switch {
		case setting.Key == "vcs.revision":
			hash = setting.Value
		case setting.Key == "vcs.modified" && setting.Value == "true":
			dirty = "-dirty"
		}
	}
	if hash == "" {
		return ""
	}
	return hash + dirty
}

// Command is one row of the table of subcommands; usage, docs/cli.md and dispatch are made from it.
type Command struct {
	Name    string
	Args    string // what it takes besides flags, as shown in its usage; empty if nothing
	Summary string // one line for the list of commands
	About   string // paragraphs for its own help
	Task    func() Task
	// Offline says that the command leaves nothing behind except files that it was asked for, so that it may end at once when it is told to.
	Offline bool
}

// Task is one call of a command: it declares its flags, then runs with what they were set to.
type Task interface {
	Declare(f *pflag.FlagSet)
	Run(ctx context.Context, args []string, s Streams) error
}

// Program is this program: its commands in the order in which usage lists them, and the build it is.
type Program struct {
	Commands []Command
	Build    Build
}

// Main does what the arguments of the process ask for and returns the exit code. The first SIGTERM or SIGINT asks for a graceful end.
func (p Program) Main() int {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	return p.Run(untilSignal(context.Background(), signals, os.Exit), os.Args[1:], Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Bridge: bridge})
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
	s.Build = p.Build
	return exitCode(p.dispatch(ctx, args, s), s.Err)
}

func (p Program) dispatch(ctx context.Context, args []string, s Streams) error {
	if len(args) == 0 {
		return p.printUsage(s.Out)
	}
	name, rest := args[0], args[1:]
	switch name {
	case "help", "--help", "-h":
		return p.help(rest, s.Out)
	case "--version":
		name = "version"
	}
	c, err := p.find(name)
	if err != nil {
		return err
	}
	return c.call(ctx, rest, s)
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
		return Command{}, Usagef("unknown flag %s before the command; want mini-hpa COMMAND [flags]", Quote(name))
	}
	return Command{}, Usagef("unknown command %s%s; want one of %s", Quote(name), DidYouMean(name, names), strings.Join(names, ", "))
}

func (c Command) call(ctx context.Context, args []string, s Streams) error {
	t := c.Task()
	flags := c.Flags(t)
	switch err := flags.Parse(args); {
	case errors.Is(err, pflag.ErrHelp):
		return c.printHelp(s.Out)
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
func exitCode(err error, stderr io.Writer) int {
	if err == nil {
		return ExitOK
	}
	if usage := (&usageError{}); errors.As(err, &usage) {
		fmt.Fprintf(stderr, "mini-hpa%s\nRun \"%s\" for what it takes.\n", usage.Error(), usage.helpCall())
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

// usageError is a call that cannot be understood. Its text says what was seen and what is allowed.
type usageError struct{ command, message string }

// Usagef is the error of a call that cannot be understood, with exit code 2. It says what was given and what is wanted; the caller adds the
// name of the command.
func Usagef(format string, args ...any) error {
	return &usageError{message: fmt.Sprintf(format, args...)}
}

// Error continues the program's name: " explain: ..." or ": ...".
func (e *usageError) Error() string {
	if e.command == "" {
		return ": " + e.message
	}
	return " " + e.command + ": " + e.message
}

func (e *usageError) helpCall() string {
	return strings.Join(strings.Fields("mini-hpa "+e.command+" --help"), " ")
}

// printUsage writes the list of commands.
func (p Program) printUsage(w io.Writer) error {
	fmt.Fprint(w, "mini-hpa autoscales the workloads that carry mini-hpa/ annotations: Deployments, StatefulSets,\nReplicaSets and custom resources with a scale subresource.\n\nUsage: mini-hpa COMMAND [flags]\n\nCommands:\n")
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, c := range p.Commands {
		fmt.Fprintf(table, "  %s\t%s\n", c.Name, c.Summary)
	}
	fmt.Fprint(table, "  help\tshow this text, or that of one command\n")
	if err := table.Flush(); err != nil {
		return fmt.Errorf("cannot write the usage: %w", err)
	}
	_, err := fmt.Fprint(w, "\n\"mini-hpa COMMAND --help\" shows a command's flags.\n"+
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
	return c.printHelp(w)
}

// UsageLine is how the command is called, in one line.
func (c Command) UsageLine() string {
	return strings.Join(strings.Fields("mini-hpa "+c.Name+" "+c.Args+" [flags]"), " ")
}

func (c Command) printHelp(w io.Writer) error {
	_, err := fmt.Fprintf(w, "Usage: %s\n\n%s\n\nFlags:\n%s", c.UsageLine(), c.About, c.Flags(c.Task()).FlagUsagesWrapped(120))
	return err
}

// Flags is the task's flags. What pflag would print by itself is left to the caller.
func (c Command) Flags(t Task) *pflag.FlagSet {
	f := pflag.NewFlagSet(c.Name, pflag.ContinueOnError)
	f.SortFlags = false // related flags are declared, and shown, side by side
	f.SetOutput(io.Discard)
	f.Usage = func() {}
	t.Declare(f)
	return f
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
