package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/pflag"
	"go.uber.org/zap"
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
	// Complete is what an argument may be, or a flag if it is named, for the completion of a shell; nil if it may be a file. The flags are as far as they have
	// been typed.
	Complete func(ctx context.Context, f *pflag.FlagSet, flag, word string) []string
	// Offline says that the command leaves nothing behind except files that it was asked for, so that it may end at once when it is told to.
	Offline bool
}

// Task is one call of a command: it declares its flags, then runs with what they were set to.
type Task interface {
	Declare(f *pflag.FlagSet)
	Run(ctx context.Context, args []string, s Streams) error
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

func (e *usageError) helpCall(program string) string {
	return strings.Join(strings.Fields(program+" "+e.command+" --help"), " ")
}

// UsageLine is how the command of a program is called, in one line.
func (c Command) UsageLine(program string) string {
	return strings.Join(strings.Fields(program+" "+c.Name+" "+c.Args+" [flags]"), " ")
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
