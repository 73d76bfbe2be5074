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
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/pflag"
)

// Exit codes.
const (
	exitFailure = 1 // what was asked for could not be done
	exitUsage   = 2 // what was asked for was not understood
)

// app is one invocation. Standard output is for what a shell may evaluate, standard error for people.
type app struct {
	stdout, stderr io.Writer
	dir            string // where the background control plane lives
	nodes          int    // KWOK nodes
	audit          bool   // write an audit log
	node           bool   // build the programs of a real node too
}

// command is one word of the command line.
type command struct {
	name, summary string
	flags         func(*app, *pflag.FlagSet)
	run           func(*app, context.Context) error
}

func commands() []command {
	return []command{
		{"build", "build the programs that are missing and print where all are", (*app).buildFlags, (*app).build},
		{"up", "start a control plane with a metrics API in the background and print what to export", (*app).startFlags, (*app).up},
		{"env", "print the environment for the running control plane, its kubectl in PATH", (*app).dirFlag, (*app).env},
		{"down", "stop it", (*app).dirFlag, (*app).down},
		{"serve", "run it in the foreground until interrupted", (*app).startFlags, (*app).serve},
	}
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
	chosen, err := a.parse(args)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		_, _ = fmt.Fprint(stdout, usage())
		return 0
	case err != nil:
		a.say("%v\n\n%s", err, usage())
		return exitUsage
	}
	if err := chosen.run(a, ctx); err != nil {
		a.say("%s: %v", chosen.name, err)
		return exitFailure
	}
	return 0
}

func (a *app) parse(args []string) (command, error) {
	if len(args) == 0 {
		return command{}, errors.New("which command? None was given")
	}
	if args[0] == "-h" || args[0] == "--help" || args[0] == "help" {
		return command{}, pflag.ErrHelp
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return c, a.parseFlags(c, args[1:])
		}
	}
	return command{}, fmt.Errorf("there is no command %s", quote(args[0]))
}

func (a *app) parseFlags(c command, args []string) error {
	set := pflag.NewFlagSet(c.name, pflag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.Usage = func() {}
	c.flags(a, set)
	if err := set.Parse(args); err != nil {
		return fmt.Errorf("%s: %w", c.name, flagError(err))
	}
	if set.NArg() > 0 {
		return fmt.Errorf("%s takes no arguments, got %s", c.name, quote(set.Arg(0)))
	}
	if set.Lookup("nodes") != nil && a.nodes < 1 {
		return fmt.Errorf("%s: --nodes must be at least 1, got %d", c.name, a.nodes)
	}
	return nil
}

// flagError repeats what was typed only in quotes.
func flagError(err error) error {
	var unknown *pflag.NotExistError
	var bare *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown):
		return fmt.Errorf("there is no flag %s", quote(unknown.GetSpecifiedName()))
	case errors.As(err, &bare):
		return fmt.Errorf("the flag --%s needs a value", bare.GetFlag().Name)
	case errors.As(err, &invalid):
		return fmt.Errorf("the flag --%s wants %s, got %s", invalid.GetFlag().Name, invalid.GetFlag().Value.Type(), quote(invalid.GetValue()))
	case errors.Is(err, pflag.ErrHelp):
		return err
	}
	return fmt.Errorf("not understood: %s", quote(err.Error()))
}

func (a *app) dirFlag(set *pflag.FlagSet) {
	set.StringVar(&a.dir, "dir", defaultDir(), "directory of this control plane; another one makes another control plane")
}

func (a *app) buildFlags(set *pflag.FlagSet) {
	set.BoolVar(&a.node, "node", false, "also build what a real node needs: kubelet, kube-proxy, metrics-server, helm")
}

func (a *app) startFlags(set *pflag.FlagSet) {
	a.dirFlag(set)
	set.IntVar(&a.nodes, "nodes", 1, "how many nodes KWOK plays")
	set.BoolVar(&a.audit, "audit", false, "write every request to DIR/cluster/audit.log")
}

// defaultDir is one place per user, so that a control plane is found again from any working directory.
func defaultDir() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	return filepath.Join(cache, "mini-hpa", "cluster")
}

func usage() string {
	var text strings.Builder
	text.WriteString("usage: controlplane COMMAND [flags]\n\ncommands:\n")
	for _, c := range commands() {
		fmt.Fprintf(&text, "  %-6s %s\n", c.name, c.summary)
	}
	building, starting := pflag.NewFlagSet("build", pflag.ContinueOnError), pflag.NewFlagSet("up", pflag.ContinueOnError)
	(&app{}).buildFlags(building)
	(&app{}).startFlags(starting)
	text.WriteString("\nflags (build):\n" + building.FlagUsages())
	text.WriteString("\nflags (up, serve; --dir also env, down):\n" + starting.FlagUsages())
	return text.String()
}

func (a *app) say(format string, args ...any) {
	_, _ = fmt.Fprintf(a.stderr, "controlplane: "+format+"\n", args...) // there is nowhere else to say it
}

// maxQuoted is how many runes of a user's text are repeated.
const maxQuoted = 64

func quote(text string) string {
	if runes := []rune(text); len(runes) > maxQuoted {
		text = string(runes[:maxQuoted]) + "..."
	}
	return fmt.Sprintf("%q", text)
}
