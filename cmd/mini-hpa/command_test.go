package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/controller"
)

// call runs a command line in this process, without changing where the process logs.
func call(t *testing.T, args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = thisProgram().Run(t.Context(), args, cli.Streams{Out: &out, Err: &err, Bridge: func(*zap.Logger) {}})
	return code, out.String(), err.String()
}

func TestUsageErrors(t *testing.T) {
	const (
		hint           = "Run \"mini-hpa --help\" for what it takes.\n"
		controllerHint = "Run \"mini-hpa controller --help\" for what it takes.\n"
		explainHint    = "Run \"mini-hpa explain --help\" for what it takes.\n"
		versionHint    = "Run \"mini-hpa version --help\" for what it takes.\n"
	)
	tests := map[string]struct {
		args []string
		want string
	}{
		"unknown command": {args: []string{"frobnicate"},
			want: "mini-hpa: unknown command \"frobnicate\"; want one of activator, annotations, completion, controller, dashboard, doctor, get, explain, export, history, lint, migrate, pause, replay, resume, selftest, simulate, sources, wait, wake, webhook, version\n" + hint},
		"misspelt command": {args: []string{"explian", "web"},
			want: "mini-hpa: unknown command \"explian\" (did you mean \"explain\"?); want one of activator, annotations, completion, controller, dashboard, doctor, get, explain, export, history, lint, migrate, pause, replay, resume, selftest, simulate, sources, wait, wake, webhook, version\n" + hint},
		"help for an unknown command": {args: []string{"help", "contoller"},
			want: "mini-hpa: unknown command \"contoller\" (did you mean \"controller\"?); want one of activator, annotations, completion, controller, dashboard, doctor, get, explain, export, history, lint, migrate, pause, replay, resume, selftest, simulate, sources, wait, wake, webhook, version\n" + hint},
		"empty command": {args: []string{""},
			want: "mini-hpa: unknown command \"\"; want one of activator, annotations, completion, controller, dashboard, doctor, get, explain, export, history, lint, migrate, pause, replay, resume, selftest, simulate, sources, wait, wake, webhook, version\n" + hint},
		"flag before the command": {args: []string{"-n", "x", "explain"},
			want: "mini-hpa: unknown flag \"-n\" before the command; want mini-hpa COMMAND [flags]\n" + hint},
		"control characters are not obeyed": {args: []string{"\x1b[31mred"},
			want: "mini-hpa: unknown command \"\\x1b[31mred\"; want one of activator, annotations, completion, controller, dashboard, doctor, get, explain, export, history, lint, migrate, pause, replay, resume, selftest, simulate, sources, wait, wake, webhook, version\n" + hint},
		"long text is cut": {args: []string{strings.Repeat("ü", 100)},
			want: "mini-hpa: unknown command \"" + strings.Repeat("ü", 64) + "\"...; want one of activator, annotations, completion, controller, dashboard, doctor, get, explain, export, history, lint, migrate, pause, replay, resume, selftest, simulate, sources, wait, wake, webhook, version\n" + hint},
		"unknown flag": {args: []string{"controller", "--frobnicate"},
			want: "mini-hpa controller: unknown flag \"--frobnicate\"\n" + controllerHint},
		"misspelt flag": {args: []string{"controller", "--syncperiod=1s"},
			want: "mini-hpa controller: unknown flag \"--syncperiod\" (did you mean \"--sync-period\"?)\n" + controllerHint},
		"the HPA controller's long name": {args: []string{"controller", "--horizontal-pod-autoscaler-tolerance=0.1"},
			want: "mini-hpa controller: unknown flag \"--horizontal-pod-autoscaler-tolerance\" (did you mean \"--tolerance\"?)\n" + controllerHint},
		"unknown shorthand": {args: []string{"controller", "-q"},
			want: "mini-hpa controller: unknown flag \"-q\"\n" + controllerHint},
		"flag without its value": {args: []string{"controller", "--workers"},
			want: "mini-hpa controller: --workers needs a value: want an integer from 1 to 1000\n" + controllerHint},
		"bad syntax": {args: []string{"controller", "--=3"},
			want: "mini-hpa controller: cannot read the flags: \"bad flag syntax: --=3\"\n" + controllerHint},
		"argument where none is taken": {args: []string{"controller", "web"},
			want: "mini-hpa controller: unexpected argument \"web\"; it takes flags only\n" + controllerHint},
		"version takes no argument": {args: []string{"version", "1"},
			want: "mini-hpa version: unexpected argument \"1\"; it takes flags only\n" + versionHint},
		"version has two forms": {args: []string{"version", "-o", "yaml"},
			want: "mini-hpa version: invalid value \"yaml\" for --output: want text or json\n" + versionHint},
		"explain needs a workload": {args: []string{"explain", "-n", "default"},
			want: "mini-hpa explain: nothing to explain; want one workload, such as deploy/web, sts/db or rollouts.argoproj.io/web\n" + explainHint},
		"explain takes one workload": {args: []string{"explain", "deploy/a", "deploy/b"},
			want: "mini-hpa explain: unexpected argument \"deploy/b\"; want one workload, such as deploy/web, sts/db or rollouts.argoproj.io/web\n" + explainHint},
		"explain takes kinds that are scaled": {args: []string{"explain", "pod/db"},
			want: "mini-hpa explain: cannot explain \"pod/db\": no kind that mini-hpa scales is called \"pod\"; a custom resource is named in full; want one workload, such as deploy/web, sts/db or rollouts.argoproj.io/web\n" + explainHint},
		"explain takes valid names": {args: []string{"explain", "deploy/Web"},
			want: "mini-hpa explain: \"Web\" is not the name of a workload (a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')); want one workload, such as deploy/web, sts/db or rollouts.argoproj.io/web\n" + explainHint},
		"explain checks the decision's flags": {args: []string{"explain", "web", "--min-sync-period=1m"},
			want: "mini-hpa explain: invalid value \"1m\" for --min-sync-period: want at most --sync-period (15s)\n" + explainHint},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := call(t, test.args...)
			if code != cli.ExitUsage || stdout != "" {
				t.Errorf("exit code %d, standard output %q", code, stdout)
			}
			if diff := cmp.Diff(test.want, stderr); diff != "" {
				t.Errorf("standard error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestControllerFlags(t *testing.T) {
	const (
		fraction = "a decimal fraction from 0 to 1 or a percentage from 0% to 100%, such as 0.1 or 10%"
		address  = "host:port or :port with a port from 0 to 65535 (0 picks a free one), or 0 to serve nothing"
		ns       = "the name of a namespace (a DNS label)"
	)
	tests := map[string]struct {
		flag, value string
		want        string // what is said to be allowed; empty if the value is fine
	}{
		"a duration":                          {flag: "sync-period", value: "5s"},
		"not a duration":                      {flag: "sync-period", value: "abc", want: "a duration from 100ms to 1h, such as 15s"},
		"a duration without a unit":           {flag: "sync-period", value: "15", want: "a duration from 100ms to 1h, such as 15s"},
		"a duration of nothing":               {flag: "sync-period", value: "", want: "a duration from 100ms to 1h, such as 15s"},
		"a duration that is too short":        {flag: "sync-period", value: "0s", want: "a duration from 100ms to 1h, such as 15s"},
		"a duration that is too long":         {flag: "sync-period", value: "61m", want: "a duration from 100ms to 1h, such as 15s"},
		"the longest stabilization":           {flag: "downscale-stabilization", value: "1h"},
		"no stabilization":                    {flag: "downscale-stabilization", value: "0s"},
		"a stabilization that is too long":    {flag: "downscale-stabilization", value: "1h1s", want: "a duration of whole seconds from 0s to 1h, such as 5m"},
		"a negative stabilization":            {flag: "downscale-stabilization", value: "-1s", want: "a duration of whole seconds from 0s to 1h, such as 5m"},
		"a stabilization of half seconds":     {flag: "downscale-stabilization", value: "1500ms", want: "a duration of whole seconds from 0s to 1h, such as 5m"},
		"a lease of half seconds":             {flag: "leader-elect-lease-duration", value: "15500ms", want: "a duration of whole seconds from 2s to 1h, such as 15s"},
		"an initialization period":            {flag: "cpu-initialization-period", value: "2m"},
		"not an initialization period":        {flag: "cpu-initialization-period", value: "2", want: "a duration from 0s to 1h, such as 5m"},
		"not a readiness delay":               {flag: "initial-readiness-delay", value: "x", want: "a duration from 0s to 1h, such as 30s"},
		"not a shortest period":               {flag: "min-sync-period", value: "1ms", want: "a duration from 100ms to 1h, such as 1s"},
		"a tolerance":                         {flag: "tolerance", value: "0.05"},
		"a tolerance of nothing":              {flag: "tolerance", value: "0"},
		"a tolerance of everything":           {flag: "tolerance", value: "100%"},
		"a tolerance in percent":              {flag: "tolerance", value: "7.5%"},
		"a tolerance above everything":        {flag: "tolerance", value: "1.01", want: fraction},
		"a negative tolerance":                {flag: "tolerance", value: "-0.1", want: fraction},
		"a tolerance with an exponent":        {flag: "tolerance", value: "1e-1", want: fraction},
		"a tolerance with a suffix":           {flag: "tolerance", value: "100m", want: fraction},
		"a tolerance that is no number":       {flag: "tolerance", value: "1.2.3", want: fraction},
		"a percent sign":                      {flag: "tolerance", value: "%", want: fraction},
		"a tolerance with too many digits":    {flag: "tolerance", value: "0." + strings.Repeat("1", 40), want: fraction},
		"workers":                             {flag: "workers", value: "20"},
		"no workers":                          {flag: "workers", value: "0", want: "an integer from 1 to 1000"},
		"too many workers":                    {flag: "workers", value: "1001", want: "an integer from 1 to 1000"},
		"half a worker":                       {flag: "workers", value: "0.5", want: "an integer from 1 to 1000"},
		"a resolution":                        {flag: "metrics-resolution", value: "60s"},
		"not a resolution":                    {flag: "metrics-resolution", value: "10ms", want: "a duration from 1s to 10m, such as 15s"},
		"a namespace":                         {flag: "namespace", value: "team-a"},
		"all namespaces":                      {flag: "namespace", value: ""},
		"not a namespace":                     {flag: "namespace", value: "Team_A", want: ns},
		"a rate":                              {flag: "kube-api-qps", value: "20"},
		"no rate limit":                       {flag: "kube-api-qps", value: "-1"},
		"a rate of nothing":                   {flag: "kube-api-qps", value: "0", want: "a number from 0.1 to 10000, or -1 for no limit"},
		"a rate that is no number":            {flag: "kube-api-qps", value: "NaN", want: "a number from 0.1 to 10000, or -1 for no limit"},
		"an endless rate":                     {flag: "kube-api-qps", value: "Inf", want: "a number from 0.1 to 10000, or -1 for no limit"},
		"not a burst":                         {flag: "kube-api-burst", value: "-1", want: "an integer from 1 to 100000"},
		"not a timeout":                       {flag: "kube-api-timeout", value: "never", want: "a duration from 100ms to 5m, such as 5s"},
		"an address":                          {flag: "metrics-bind-address", value: "127.0.0.1:9090"},
		"an address of IPv6":                  {flag: "metrics-bind-address", value: "[::1]:9090"},
		"any address":                         {flag: "metrics-bind-address", value: ":9090"},
		"any port":                            {flag: "metrics-bind-address", value: ":0"},
		"no address":                          {flag: "metrics-bind-address", value: "0"},
		"a port without its colon":            {flag: "metrics-bind-address", value: "9090", want: address},
		"a port that is too high":             {flag: "metrics-bind-address", value: ":65536", want: address},
		"a port with a name":                  {flag: "health-probe-bind-address", value: ":http", want: address},
		"leader election, off":                {flag: "leader-elect", value: "false"},
		"leader election, perhaps":            {flag: "leader-elect", value: "maybe", want: "true or false"},
		"not a lease duration":                {flag: "leader-elect-lease-duration", value: "1s", want: "a duration of whole seconds from 2s to 1h, such as 15s"},
		"not a renew deadline":                {flag: "leader-elect-renew-deadline", value: "10", want: "a duration from 1s to 1h, such as 10s"},
		"not a retry period":                  {flag: "leader-elect-retry-period", value: "0s", want: "a duration from 100ms to 1h, such as 2s"},
		"the name of a lease":                 {flag: "leader-elect-resource-name", value: "mini-hpa.blue"},
		"not the name of a lease":             {flag: "leader-elect-resource-name", value: "", want: "the name of an object (a DNS subdomain)"},
		"not the namespace of a lease":        {flag: "leader-elect-resource-namespace", value: "a.b", want: ns},
		"a log level":                         {flag: "log-level", value: "debug"},
		"not a log level":                     {flag: "log-level", value: "verbose", want: "debug or info or warn or error"},
		"not a log format":                    {flag: "log-format", value: "text", want: "json or console"},
		"control characters are not repeated": {flag: "log-format", value: "a\x1b[2J\nb", want: "json or console"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := controller.Command()
			err := c.Flags(c.Task()).Parse([]string{"--" + test.flag + "=" + test.value})
			if test.want == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			want := "mini-hpa controller: invalid value " + cli.Quote(test.value) + " for --" + test.flag + ": want " + test.want +
				"\nRun \"mini-hpa controller --help\" for what it takes.\n"
			code, stdout, stderr := call(t, "controller", "--"+test.flag+"="+test.value)
			if diff := cmp.Diff(want, stderr); code != cli.ExitUsage || stdout != "" || diff != "" {
				t.Errorf("exit code %d, standard output %q, standard error (-want +got):\n%s", code, stdout, diff)
			}
		})
	}
}

func TestControllerFlagsThatContradictEachOther(t *testing.T) {
	tests := map[string]struct {
		args []string
		want string
	}{
		"the shortest period is above the usual": {args: []string{"--min-sync-period=20s"},
			want: `invalid value "20s" for --min-sync-period: want at most --sync-period (15s)`},
		"the lease ends before its holder gives up": {args: []string{"--leader-elect-lease-duration=10s"},
			want: `invalid value "10s" for --leader-elect-renew-deadline: want less than --leader-elect-lease-duration (10s)`},
		"no time for a second try": {args: []string{"--leader-elect-retry-period=9s"},
			want: `invalid value "9s" for --leader-elect-retry-period: want less than --leader-elect-renew-deadline (10s) divided by 1.2`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			code, _, stderr := call(t, append([]string{"controller", "--kubeconfig=/nonexistent"}, test.args...)...)
			want := "mini-hpa controller: " + test.want + "\nRun \"mini-hpa controller --help\" for what it takes.\n"
			if diff := cmp.Diff(want, stderr); code != cli.ExitUsage || diff != "" {
				t.Errorf("exit code %d, standard error (-want +got):\n%s", code, diff)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	tests := map[string]struct {
		args []string
		want []string // parts of standard output
	}{
		"nothing":             {args: nil, want: []string{"Usage: mini-hpa COMMAND [flags]\n", "  controller ", "  explain ", "  version ", "  help "}},
		"--help":              {args: []string{"--help"}, want: []string{"Usage: mini-hpa COMMAND [flags]\n"}},
		"-h":                  {args: []string{"-h"}, want: []string{"Usage: mini-hpa COMMAND [flags]\n"}},
		"help":                {args: []string{"help"}, want: []string{"Usage: mini-hpa COMMAND [flags]\n"}},
		"help controller":     {args: []string{"help", "controller"}, want: []string{"Usage: mini-hpa controller [flags]\n", "--sync-period duration", "(default 15s)"}},
		"explain --help":      {args: []string{"explain", "--help"}, want: []string{"Usage: mini-hpa explain KIND/NAME [flags]\n", "--tolerance fraction", "(default 0.1)"}},
		"explain web -h":      {args: []string{"explain", "web", "-h"}, want: []string{"Usage: mini-hpa explain KIND/NAME [flags]\n"}},
		"version":             {args: []string{"version"}, want: []string{"mini-hpa ", "(commit ", ", go1.", "linux/"}},
		"--version":           {args: []string{"--version"}, want: []string{"mini-hpa "}},
		"version as JSON":     {args: []string{"version", "-o", "json"}, want: []string{"{\n  \"version\": ", "\"commit\": ", "\"goVersion\": \"go1.", "\"platform\": \""}},
		"flags after nothing": {args: []string{"version", "--output=text"}, want: []string{"mini-hpa "}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := call(t, test.args...)
			if code != cli.ExitOK || stderr != "" {
				t.Errorf("exit code %d, standard error %q", code, stderr)
			}
			for _, part := range test.want {
				if !strings.Contains(stdout, part) {
					t.Errorf("standard output lacks %q:\n%s", part, stdout)
				}
			}
		})
	}
}
