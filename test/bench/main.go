//go:build linux

package main

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"github.com/mini-hpa/mini-hpa/test/image"
)

// What can be measured.
const (
	compare      = "compare"
	withCrowd    = "fairness"
	comingGoing  = "churn"
	withBrokers  = "sources"
	ofAFleet     = "fleet"
	rewritesPage = "page"
)

const about = `bench [compare|fairness|churn|sources|fleet|page] measures, on a control plane of its own:

  compare   what mini-hpa and the HPA controller cost and how fast they are, for each --n (the default)
  fairness  what a load step on --crowd workloads of one namespace does to the ten of another
  churn     what is left in memory while workloads come and go for --churn
  sources   what it costs to ask brokers how much work waits, and what their faults do
  fleet     what mini-hpa get -A takes of --fleet workloads, told by the controller and computed by the client
  page      nothing: it writes --page from what was measured before

`

// settings are what one run measures and how.
type settings struct {
	what         string
	sizes        []int
	crowd        int
	view         int
	churn        time.Duration
	perSecond    int
	kafka        int
	rabbitmq     int
	redis        int
	pods         int
	perNamespace int
	contenders   []string
	rounds       int
	steps        int
	rest         time.Duration
	out          string
	page         string
	extra        []string
	before       string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s, err := parse(os.Args[1:])
	if errors.Is(err, pflag.ErrHelp) {
		return
	}
	if err == nil {
		err = run(ctx, s)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop has been called
	}
}

func parse(args []string) (settings, error) {
	var s settings
	f := pflag.NewFlagSet("bench", pflag.ContinueOnError)
	f.Usage = func() { fmt.Fprint(os.Stderr, about+f.FlagUsages()) }
	f.IntSliceVar(&s.sizes, "n", []int{100, 1000}, "how many workloads, one run after the other")
	f.IntVar(&s.crowd, "crowd", 4000, "workloads of the crowd")
	f.IntVar(&s.view, "fleet", 5000, "workloads that are looked at")
	f.DurationVar(&s.churn, "churn", 10*time.Minute, "how long workloads come and go")
	f.IntVar(&s.perSecond, "per-second", 50, "how many come, and how many go, each second of the churn")
	f.IntVar(&s.kafka, "kafka", 3000, "workloads that wait for Kafka, each with a group of its own")
	f.IntVar(&s.rabbitmq, "rabbitmq", 1000, "workloads that wait for RabbitMQ, each with a queue of its own")
	f.IntVar(&s.redis, "redis", 1000, "workloads that wait for Redis, each with a list of its own")
	f.IntVar(&s.pods, "pods", 2, "pods of a workload at rest")
	f.IntVar(&s.perNamespace, "per-namespace", 50, "workloads in a namespace")
	f.StringSliceVar(&s.contenders, "contenders", []string{miniHPA, tunedHPA, defaultHPA}, "who is measured, in that order; one that is named again is started again")
	f.IntVar(&s.rounds, "rounds", 3, "starts, each with a rest and load steps; figures are medians")
	f.IntVar(&s.steps, "steps", 1, "load steps of a start")
	f.DurationVar(&s.rest, "rest", 30*time.Second, "how long a state is measured")
	f.StringVar(&s.out, "out", "bench-output", "directory of the program and the logs, and without a --page of what was measured")
	f.StringArrayVar(&s.extra, "flag", nil, "a flag for mini-hpa, such as --workers=50; none is what is compared")
	f.StringVar(&s.before, "before", "", "a mini-hpa that was built of another commit; the contender "+miniHPABefore+" is that one")
	f.StringVar(&s.page, "page", "", "file of the page that is made of what was measured, which is kept beside it as .json; no page without it")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	s.what = compare
	if f.NArg() > 0 {
		s.what = f.Arg(0)
	}
	if (s.what == withCrowd || s.what == withBrokers) && !f.Changed("rounds") {
		s.rounds = 10 // a p99 of fewer than a hundred values, ten or twenty each, would be their last
	}
	if f.NArg() > 1 || !slices.Contains([]string{compare, withCrowd, comingGoing, withBrokers, ofAFleet, rewritesPage}, s.what) {
		return s, fmt.Errorf("what to measure is one of compare, fairness, churn, sources, fleet and page, got %q", f.Args())
	}
	return s, s.check()
}

func (s settings) check() error {
	for _, n := range s.sizes {
		if n < 1 || n > 20_000 {
			return fmt.Errorf("--n must be from 1 to 20000, got %d", n)
		}
	}
	for _, name := range s.contenders {
		if _, known := makers()[name]; !known {
			return fmt.Errorf("--contenders knows %s, %s, %s and %s, got %q", miniHPA, miniHPABefore, tunedHPA, defaultHPA, name)
		}
	}
	if slices.Contains(s.contenders, miniHPABefore) != (s.before != "") {
		return fmt.Errorf("--before names the program of the contender %s: one is not without the other, got %q with the contenders %q", miniHPABefore, s.before, s.contenders)
	}
	return s.within()
}

// within bounds what one run asks of the machine.
func (s settings) within() error {
	for _, flag := range []struct {
		name             string
		value, low, high int
	}{
		{"pods", s.pods, 1, 50}, {"per-namespace", s.perNamespace, 1, 20_000}, {"rounds", s.rounds, 1, 20}, {"steps", s.steps, 1, 20},
		{"crowd", s.crowd, 1, 20_000}, {"fleet", s.view, 1, 20_000}, {"per-second", s.perSecond, 1, 200},
		{"kafka", s.kafka, 1, 20_000}, {"rabbitmq", s.rabbitmq, 1, 20_000}, {"redis", s.redis, 1, 20_000},
	} {
		if flag.value < flag.low || flag.value > flag.high {
			return fmt.Errorf("--%s must be from %d to %d, got %d", flag.name, flag.low, flag.high, flag.value)
		}
	}
	if s.rest < 10*time.Second || s.rest > time.Hour {
		return fmt.Errorf("--rest must be from 10s to 1h, got %s", s.rest)
	}
	if s.churn < 2*time.Minute || s.churn > time.Hour {
		return fmt.Errorf("--churn must be from 2m to 1h, got %s", s.churn)
	}
	return nil
}

func run(ctx context.Context, s settings) error {
	if err := os.MkdirAll(s.out, 0o755); err != nil {
		return err
	}
	path := filepath.Join(s.out, "results.json")
	if s.page != "" {
		path = strings.TrimSuffix(s.page, filepath.Ext(s.page)) + ".json"
	}
	book, err := openBook(path)
	if err != nil {
		return err
	}
	var failed error // what was measured before that is kept all the same
	if s.what != rewritesPage {
		program, err := build(ctx, s.out)
		if err != nil {
			return err
		}
		failed = measurements(ctx, s, program, book)
	}
	if _, err := fmt.Fprint(os.Stdout, tables(book)); err != nil || s.page == "" {
		return errors.Join(failed, err)
	}
	return errors.Join(failed, writePage(s.page, book))
}

func measurements(ctx context.Context, s settings, program string, book *book) error {
	switch s.what {
	case withCrowd:
		return measureFairness(ctx, s, program, s.crowd, book)
	case comingGoing:
		return measureChurn(ctx, s, program, book)
	case withBrokers:
		return measureBacklogs(ctx, s, program, book)
	case ofAFleet:
		return measureViews(ctx, s, program, s.view, book)
	}
	for _, n := range s.sizes {
		if err := measure(ctx, s, program, n, book); err != nil {
			return fmt.Errorf("%d workloads: %w", n, err)
		}
	}
	return nil
}

// revision is the commit that a program was built of, as it says itself.
func revision(program string) (string, error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return "", fmt.Errorf("--before %q: %w", program, err)
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" && len(setting.Value) > 7 {
			return setting.Value[:7], nil
		}
	}
	return "", fmt.Errorf("--before %q does not say of which commit it was built; build it in a clone, without -buildvcs=false", program)
}

// build makes the program as it is shipped.
func build(ctx context.Context, dir string) (string, error) {
	path, err := filepath.Abs(filepath.Join(dir, "mini-hpa"))
	if err != nil {
		return "", err
	}
	return path, image.Compile(ctx, image.Source{Dir: "..", Package: "./cmd/mini-hpa"}, "linux/"+runtime.GOARCH, path)
}

func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s "+format+"\n", append([]any{time.Now().Format("15:04:05")}, args...)...)
}
