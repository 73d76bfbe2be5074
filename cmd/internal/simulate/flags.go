package simulate

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/lint"
	"github.com/mini-hpa/mini-hpa/scaler/simulate"
)

type task struct {
	setup                 simulate.Setup
	decision              cli.DecisionFlags
	file, load, arrivals  string
	serviceRate           float64
	sourceDelay           time.Duration
	interpolation, output string
	startupCPU, warmUpCPU int
	rollout, outage       string
	duration              time.Duration
	set, compare          cli.Settings
	record                string
	all                   bool
	// subject is what the manifest has, and besides what else lint finds in it.
	subject *lint.Subject
	besides []string
	// given says whether a flag was set.
	given func(flag string) bool
}

func (t *task) Declare(f *pflag.FlagSet) {
	const hour = time.Hour
	f.StringVarP(&t.file, "filename", "f", "", "`path` of the annotated workload's manifest, or - for standard input; without it a built-in one")
	f.StringVar(&t.load, "load", "", "`SHAPE or FILE.csv`: the CPU that is asked of the whole workload; see above")
	f.StringVar(&t.arrivals, "arrivals", "", "`SHAPE or FILE.csv`: the messages per second that arrive, instead of --load; see above")
	f.Var(perSecond(&t.serviceRate), "service-rate", "messages per second that each ready pod serves, of --arrivals")
	f.Var(cli.Seconds(&t.sourceDelay, 0, 10*time.Minute), "source-delay", "how old the number of messages that wait is when it is read, of --arrivals")
	f.Var(cli.OneOf(&t.interpolation, "linear", "step"), "interpolation", "between two points of a file: straight, or the one before until the next")
	f.Var(span(&t.duration, longestSimulation), "duration", "how long to simulate; without it as long as the file, or 30m")
	f.Var(moment(&t.setup.Start), "start", "the `time` at which it starts, for mini-hpa/schedule; the table shows the time of day then, in the zone of the schedule")
	f.Var(cli.Seconds(&t.setup.Startup, 0, hour), "startup", "time from a pod's creation until it is ready; it is Pending for the first half")
	f.Var(cli.Count(&t.startupCPU, 0, 1_000_000), "startup-cpu", "millicores that a pod uses while it runs and is not ready")
	f.Var(cli.Seconds(&t.setup.WarmUp, 0, hour), "warm-up", "how long a pod uses --warm-up-cpu after it is ready; what the decision makes of that is mini-hpa/warm-up")
	f.Var(cli.Count(&t.warmUpCPU, 0, 1_000_000), "warm-up-cpu", "millicores that a pod uses for --warm-up, besides those that its load takes")
	f.Var(incident(&t.rollout, "at=10m,surge=25%,unavailable=25%; PODS are a number or a percent of the replicas, by default the manifest's strategy or 25%"),
		"rollout", "replace all pods by new ones, as after a change of the template: `at=TIME,surge=PODS,unavailable=PODS`")
	f.Var(incident(&t.outage, "at=10m,for=5m"), "outage", "let the metrics fail, that of --arrivals among them: `at=TIME,for=TIME`")
	f.Var(cli.Seconds(&t.setup.MetricsPeriod, time.Second, 10*time.Minute), "metrics-period", "time between two samples of a pod (metrics-server --metric-resolution)")
	f.Var(cli.Seconds(&t.setup.MetricsDelay, 0, 10*time.Minute), "metrics-delay", "how old a sample is when it can be read; may be longer than the period")
	f.Var(t.set, "set", "another `mini-hpa/KEY=VALUE` than in the manifest; without a VALUE the annotation is removed. May be repeated")
	f.Var(t.compare, "compare", "the same for a second variant beside the first: the manifest with this `mini-hpa/KEY=VALUE`. May be repeated")
	f.VarP(cli.OneOf(&t.output, "table", "json", "html", "svg"), "output", "o",
		"table for people, json with one line for each evaluation for programs, html or svg with a picture")
	f.BoolVar(&t.all, "all", false, "show every evaluation in the table; without it those where something changes, and one a minute, or fewer if it is long")
	f.StringVar(&t.record, "record", "", "`path` of a trace to write, for mini-hpa replay; not with --compare")
	t.decision.Declare(f)
	t.given = f.Changed
}

// span is a duration of whole seconds, or empty for what the load says.
func span(value *time.Duration, hi time.Duration) pflag.Value {
	return cli.Value[time.Duration]{Var: value, Kind: "duration",
		Want: fmt.Sprintf("a duration of whole seconds from 1s to %s, such as 30m", cli.Short(hi)),
		Format: func(d time.Duration) string {
			if d == 0 {
				return ""
			}
			return cli.Short(d)
		},
		Parse: func(s string) (time.Duration, bool) {
			d, err := time.ParseDuration(s)
			return d, err == nil && time.Second <= d && d <= hi && d%time.Second == 0
		}}
}

// perSecond is how many messages a pod serves.
func perSecond(value *float64) pflag.Value {
	const least, most = simulate.LeastPerSecond, simulate.MostPerSecond
	return cli.Value[float64]{Var: value, Kind: "rate", Want: fmt.Sprintf("a number from %v to %d, such as 10 or 0.2", least, most),
		Format: func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) },
		Parse: func(s string) (float64, bool) {
			v, err := strconv.ParseFloat(s, 64)
			return v, err == nil && least <= v && v <= most
		}}
}

// moment is a time, or empty for one that does not matter.
func moment(value *time.Time) pflag.Value {
	return cli.Value[time.Time]{Var: value, Kind: "time", Want: "a time from 2000 to 2099 with its zone, such as 2026-11-27T00:00:00Z or 2026-11-27T00:00:00+01:00",
		Format: func(t time.Time) string {
			if t.IsZero() {
				return ""
			}
			return t.Format(time.RFC3339)
		},
		Parse: func(s string) (time.Time, bool) {
			t, err := time.Parse(time.RFC3339, s)
			return t, err == nil && 2000 <= t.Year() && t.Year() <= 2099 && t.Nanosecond() == 0
		}}
}

// incident is something that happens in a simulation; empty if it does not. Its errors are reported when all flags are known.
func incident(value *string, example string) pflag.Value {
	return cli.Text(value, "event", "it in this form, such as "+example, func(string) bool { return true })
}

func (t *task) check() error {
	switch {
	case t.load == "" && t.arrivals == "":
		return cli.Usagef("nothing to simulate: neither --load nor --arrivals is set; want a shape such as burst, or a file of time,millicores such as load.csv")
	case t.load != "" && t.arrivals != "":
		return cli.Usagef("--load and --arrivals cannot be used together: CPU is asked for, or messages arrive")
	case t.arrivals == "" && t.given("service-rate"):
		return cli.Usagef("--service-rate is for --arrivals")
	case t.arrivals == "" && t.given("source-delay"):
		return cli.Usagef("--source-delay is for --arrivals")
	case t.record != "" && len(t.compare) > 0:
		return cli.Usagef("--record and --compare cannot be used together: a trace is of one variant")
	case t.all && t.output != "table":
		return cli.Usagef("--all and --output %s cannot be used together: only the table leaves evaluations out", t.output)
	case t.given("interpolation") && !t.readsCurve():
		return cli.Usagef("--interpolation is for the points of a file; --%s %s is a shape", t.flag(), cli.Quote(t.asked()))
	case t.file == "-" && t.asked() == "-":
		return cli.Usagef("--filename and --%s cannot both be standard input", t.flag())
	}
	return t.decision.Check()
}

// readsCurve says whether the load is one of points, not a shape.
func (t *task) readsCurve() bool { return t.asked() == "-" || strings.HasSuffix(t.asked(), ".csv") }

// asked is the shape or file of what is asked of the workload, flag the one that says so.
func (t *task) asked() string { return t.load + t.arrivals }

func (t *task) flag() string {
	if t.arrivals != "" {
		return "arrivals"
	}
	return "load"
}
