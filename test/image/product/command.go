package product

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
)

// What a command that makes something of the sources tells its caller.
const (
	ExitWritten = 0
	ExitFailed  = 1
	ExitUsage   = 2
)

// Main is the main function of such a command, which ends when it is interrupted.
func Main(command func(ctx context.Context, args []string, stdout, stderr io.Writer) int) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := command(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Run makes what the flags ask for, or says on stderr, under a name, why not. It returns what the caller is told.
func Run[options any](name string, stderr io.Writer, parse func() (options, error), write func(options) error) int {
	o, err := parse()
	if errors.Is(err, flag.ErrHelp) {
		return ExitWritten
	}
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return ExitUsage
	}
	if err := write(o); err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return ExitFailed
	}
	return ExitWritten
}

// Parse reads the flags of such a command: those of its own, and what is made, whose defaults are what the release says, for which of the known
// platforms. It returns these.
func (r *Release) Parse(flags *flag.FlagSet, args []string, usual, known []string) ([]string, error) {
	flags.StringVar(&r.Root, "root", r.Root, "the repository's root")
	flags.StringVar(&r.Version, "version", r.Version, "the version that is told, such as v0.1.0")
	flags.StringVar(&r.Commit, "commit", "unknown", "the commit that is told")
	platforms := flags.String("platform", strings.Join(usual, ","), "platforms, of "+strings.Join(known, ","))
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %.64q: it takes flags only", flags.Arg(0))
	}
	return strings.Split(*platforms, ","), nil
}
