package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/pflag"
)

// usageError is a call that cannot be understood. Its text says what was seen and what is allowed.
type usageError struct{ command, message string }

// usagef is the error of a call that cannot be understood, whose exit code is 2. It says what was seen and what is wanted; which command was
// called is added by whoever called it.
func usagef(format string, args ...any) error {
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
func (p program) printUsage(w io.Writer) error {
	fmt.Fprint(w, "mini-hpa autoscales Deployments that carry mini-hpa/ annotations.\n\nUsage: mini-hpa COMMAND [flags]\n\nCommands:\n")
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, c := range p.commands {
		fmt.Fprintf(table, "  %s\t%s\n", c.name, c.summary)
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
func (p program) help(args []string, w io.Writer) error {
	if len(args) == 0 {
		return p.printUsage(w)
	}
	c, err := p.find(args[0])
	if err != nil {
		return err
	}
	return c.printHelp(w)
}

func (c command) usageLine() string {
	return strings.Join(strings.Fields("mini-hpa "+c.name+" "+c.args+" [flags]"), " ")
}

func (c command) printHelp(w io.Writer) error {
	_, err := fmt.Fprintf(w, "Usage: %s\n\n%s\n\nFlags:\n%s", c.usageLine(), c.about, c.flagSet(c.task()).FlagUsagesWrapped(120))
	return err
}

// flagSet is the task's flags. What pflag would print by itself is left to the caller.
func (c command) flagSet(t task) *pflag.FlagSet {
	f := pflag.NewFlagSet(c.name, pflag.ContinueOnError)
	f.SortFlags = false // related flags are declared, and shown, side by side
	f.SetOutput(io.Discard)
	f.Usage = func() {}
	t.declare(f)
	return f
}

// flagProblem says what is wrong with the flags: the flag, the value as seen, what is allowed.
func flagProblem(f *pflag.FlagSet, err error) string {
	var value *pflag.InvalidValueError
	var missing *pflag.ValueRequiredError
	var unknown *pflag.NotExistError
	switch {
	case errors.As(err, &value):
		return fmt.Sprintf("invalid value %s for --%s: want %s", quote(value.GetValue()), value.GetFlag().Name, allowed(value.GetFlag()))
	case errors.As(err, &missing):
		return fmt.Sprintf("--%s needs a value: want %s", missing.GetFlag().Name, allowed(missing.GetFlag()))
	case errors.As(err, &unknown):
		return unknownFlag(f, unknown)
	default:
		return "cannot read the flags: " + quote(err.Error())
	}
}

func unknownFlag(f *pflag.FlagSet, unknown *pflag.NotExistError) string {
	if shorts := unknown.GetSpecifiedShortnames(); shorts != "" {
		return "unknown flag " + quote("-"+unknown.GetSpecifiedName())
	}
	var names []string
	f.VisitAll(func(flag *pflag.Flag) { names = append(names, "--"+flag.Name) })
	name := unknown.GetSpecifiedName()
	ours := "--" + strings.TrimPrefix(name, "horizontal-pod-autoscaler-") // what kube-controller-manager puts before some of them
	return fmt.Sprintf("unknown flag %s%s", quote("--"+name), didYouMean(ours, names))
}

// quote makes text that somebody typed, or that a cluster holds, safe to show: quoted, at most 64 runes.
func quote(s string) string {
	const most = 64
	if runes := []rune(s); len(runes) > most {
		return strconv.Quote(string(runes[:most])) + "..."
	}
	return strconv.Quote(s)
}
