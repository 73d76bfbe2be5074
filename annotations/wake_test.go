package annotations

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mini-hpa/mini-hpa/annotations/serves"
)

// idleBy is a line of mini-hpa/sources that says when nobody uses a workload.
const idleBy = "prom ingress-requests"

func TestWhatRequestsWake(t *testing.T) {
	standard := Wake{Requests: true, Hold: time.Minute, PerPod: 50, Limit: 1000}
	with := func(change func(*Wake)) Wake {
		w := standard
		change(&w)
		return w
	}
	tests := map[string]struct {
		value string
		want  Wake
	}{
		"all that select the pods": {"requests", standard},
		"some Services":            {"requests service=web,api # and a comment", with(func(w *Wake) { w.Services = []string{"api", "web"} })},
		"a hold":                   {"\n  requests hold=10m\n", with(func(w *Wake) { w.Hold = 10 * time.Minute })},
		"limits":                   {"requests per-pod=1 limit=10000", with(func(w *Wake) { w.PerPod, w.Limit = 1, 10_000 })},
		"what wakes nobody": {`requests ignore=/healthz,/static/* ignore-agent="kube-probe/,Google HC"`, with(func(w *Wake) {
			w.Ignore, w.IgnoreAgents = []string{"/healthz", "/static/*"}, []string{"kube-probe/", "Google HC"}
		})},
		"pods that are not ready": {"requests hold-on=unready", with(func(w *Wake) { w.HoldUnready = true })},
		"always":                  {"requests service=web path=always target=20", with(func(w *Wake) { w.Services, w.Always, w.Targeted = []string{"web"}, true, true })},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			policy, warnings, errs := parse(basic(map[string]string{Min: "0", WakeKey: tc.value}))
			if diff := cmp.Diff(tc.want, policy.Wake); diff != "" || len(warnings)+len(errs) > 0 {
				t.Errorf("%v %v, wake (-want +got):\n%s", warnings, errs, diff)
			}
		})
	}
	if policy, _, _ := parse(basic(nil)); !cmp.Equal(policy.Wake, Wake{}) {
		t.Errorf("without the annotation: %+v", policy.Wake)
	}
}

// TestRequestsAreAMetric that has a target or, without one, only wakes and keeps awake.
func TestRequestsAreAMetric(t *testing.T) {
	for value, want := range map[string]lined{
		"requests":                                   {"activator@requests", "", "", "0", 0, true},
		"requests service=web path=always":           {"activator@requests", "", "", "0", 0, true},
		"requests service=web path=always target=20": {"activator@requests", "20", "", "0", 0, false},
	} {
		policy, _, errs := parse(map[string]string{Min: "0", Max: "10", SourcesKey: idleBy, WakeKey: "# below\n" + value})
		if len(errs) > 0 {
			t.Fatalf("%s: %v", value, errs)
		}
		if diff := cmp.Diff([]lined{{"prom@ingress-requests", "", "", "0", 0, true}, want}, linesOf(policy)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", value, diff)
		}
		m := policy.Metrics[1]
		if m.Source != SourceActivator || m.Key() != WakeKey || m.Line.Number != 2 || m.Line.Counted() != "requests" || !m.IsTotal() || policy.Metrics[0].Key() != SourcesKey {
			t.Errorf("%s: %+v of %s", value, m, m.Key())
		}
	}
}

func TestLinesOfWakeThatAreRefused(t *testing.T) {
	const keys = `"service", "hold", "path", "target", "per-pod", "limit", "ignore", "ignore-agent", "hold-on"`
	const many = `must be a whole number of requests from 1 to 10000, in digits only`
	const comma = `, of at most 256 bytes; several are separated by commas, without blanks`
	const path = `must be a path that begins with "/", or the beginning of one with "*" behind it, such as "/healthz"` + comma
	const service = `must be the name of a Service of the workload's namespace, such as "web"` + comma
	tests := map[string]struct{ value, want string }{
		"nothing":                   {"# later", "must have a line such as " + exampleWake},
		"something else":            {"request", `line 1: word "request" must be "requests", as in ` + exampleWake},
		"more words":                {"requests web", `line 1: word "web" must not be there; after "requests" there are only keys, each with a value`},
		"more lines":                {"requests\nrequests service=api", "line 2: must not be there; there is one line, such as " + exampleWake},
		"an unknown key":            {"requests services=web", `line 1: key "services" is not one of this line (did you mean "service"?); must be one of ` + keys},
		"a key like none":           {"requests replicas=1", `line 1: key "replicas" is not one of this line; must be one of ` + keys},
		"a Service elsewhere":       {"requests service=other/web", `line 1: service "other/web" ` + service},
		"a Service twice":           {"requests service=web,web", `line 1: service "web,web" must not have "web" twice`},
		"too many Services":         {"requests service=" + strings.Repeat("a,", 16) + "b", `line 1: service "` + strings.Repeat("a,", 16) + `b" must be at most 16, separated by commas`},
		"no Service":                {`requests service=""`, `line 1: service "" ` + service},
		"no hold":                   {"requests hold=0s", `line 1: hold "0s" must be a duration from "1s" to "10m", with a unit, such as "60s"`},
		"a long hold":               {"requests hold=11m", `line 1: hold "11m" must be a duration from "1s" to "10m", with a unit, such as "60s"`},
		"another path":              {"requests path=never", `line 1: path "never" must be "always", or left out`},
		"a target that is not seen": {"requests target=20", `line 1: target must not be there without "path=always": otherwise the activator sees no request while there are pods`},
		"a target of nothing":       {"requests service=web path=always target=0", `line 1: target "0" must be a quantity above 0, such as "100", "0.5" or "2k"`},
		"always, but where":         {"requests path=always", `line 1: must have "service" with "path=always": the Service then has no selector that would lead to it`},
		"none for each pod":         {"requests per-pod=0", `line 1: per-pod "0" ` + many},
		"a limit beyond all":        {"requests limit=10001", `line 1: limit "10001" ` + many},
		"a path that is no text":    {"requests ignore=/a\uFFFD", "line 1: ignore \"/a\uFFFD\" " + path},
		"a path that is none":       {"requests ignore=healthz", `line 1: ignore "healthz" ` + path},
		"all paths":                 {"requests ignore=/*", `line 1: ignore "/*" ` + path},
		"a pattern":                 {"requests ignore=/a*b", `line 1: ignore "/a*b" ` + path},
		"a blank behind the comma":  {`requests ignore="/a, /b"`, `line 1: ignore "/a, /b" ` + path},
		"no agent":                  {`requests ignore-agent=a,`, `line 1: ignore-agent "a," must be what a User-Agent begins with, such as "kube-probe/"` + comma},
		"what does not print":       {`requests ignore-agent="\x1b[2J"`, `line 1: ignore-agent "\x1b[2J" must be what a User-Agent begins with, such as "kube-probe/"` + comma},
		"hold on something":         {"requests hold-on=failed", `line 1: hold-on "failed" must be "unready", or left out`},
		"held anyway":               {"requests service=web path=always hold-on=unready", `line 1: hold-on must not be there with "path=always", where each request waits until a pod is ready`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			_, _, errs := parse(map[string]string{Min: "0", Max: "10", WakeKey: tc.value})
			if len(errs) != 1 || errs[0].Detail != tc.want || errs[0].Origin != FoundInvalid || !strings.HasPrefix(errs[0].Field, "metadata.annotations[mini-hpa/wake]") {
				t.Errorf("got %v\nwant %s", errs, tc.want)
			}
		})
	}
}

// TestSomethingSaysWhenNobodyUsesIt, or the workload would be put to sleep under its users.
func TestSomethingSaysWhenNobodyUsesIt(t *testing.T) {
	const saysNothing = `metadata.annotations[mini-hpa/wake]: Invalid value: "requests service=web": nothing says when nobody uses the workload: ` +
		`while there are pods, requests do not go through the activator. Add a line to mini-hpa/sources that counts requests, which needs no target, ` +
		`or an External or Object metric to mini-hpa/metrics, or write path=always`
	const schedule = ScheduleKey
	tests := map[string]struct {
		pairs map[string]string
		want  string
	}{
		"CPU alone":              {map[string]string{Min: "0", WakeKey: "requests  service=web"}, FoundNothingSaysIdle},
		"at times":               {map[string]string{WakeKey: "requests service=web", schedule: "Sat,Sun 00:00-24:00 min=0"}, FoundNothingSaysIdle},
		"a source":               {map[string]string{Min: "0", WakeKey: "requests", SourcesKey: idleBy}, ""},
		"an external metric":     {map[string]string{Min: "0", WakeKey: "requests", Metrics: lag}, ""},
		"all requests are seen":  {map[string]string{Min: "0", WakeKey: "requests service=web path=always"}, ""},
		"off at times":           {map[string]string{WakeKey: "requests hold-on=unready", Max: "0", Min: "0"}, ""},
		"for pods that crash":    {map[string]string{WakeKey: "requests hold-on=unready"}, ""},
		"requests alone are few": {map[string]string{Min: "0", WakeKey: "requests", TargetCPU: ""}, FoundNoMetric},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			all := basic(map[string]string{TargetCPU: "250m"})
			for key, value := range tc.pairs {
				if all[key] = value; value == "" {
					delete(all, key)
				}
			}
			v := DefaultDefaults().Review(&Workload{Annotations: all}, Surroundings{})
			var found []string
			for _, problem := range v.Problems {
				found = append(found, problem.Origin)
				if problem.Origin == FoundNothingSaysIdle && problem.Error() != saysNothing {
					t.Errorf("got %s\nwant %s", problem.Error(), saysNothing)
				}
			}
			if strings.Join(found, " ") != tc.want || len(v.Warnings) > 0 {
				t.Errorf("%v %v, want %q", v.Problems, v.Warnings, tc.want)
			}
		})
	}
}

func TestRequestsWakeWhatSleepsOnly(t *testing.T) {
	want := "metadata.annotations[mini-hpa/wake]: has no effect: the workload never sleeps, as it always has a replica or more; set mini-hpa/min to 0, or hold-on=unready"
	for value, warns := range map[string]bool{"requests": true, "requests hold-on=unready": false, "requests service=web path=always": false} {
		_, warnings, errs := parse(basic(map[string]string{WakeKey: value}))
		if len(errs) > 0 || len(warnings) > 0 != warns || warns && warnings[0].String() != want {
			t.Errorf("%s: %v %v", value, warnings, errs)
		}
	}
}

// FuzzWake puts any line in place of the one of mini-hpa/wake.
func FuzzWake(f *testing.F) {
	for _, value := range []string{
		"requests", "requests service=web,api hold=90s path=always target=0.5 per-pod=1 limit=1", "requests ignore=/healthz,/a/* ignore-agent=\"kube-probe/\"",
		"requests hold-on=unready # yes", "requests\nrequests", "requests service=\"\\x1b\" hold=1e9s", "requests target=1e-999999999 path=always service=a", "request \xff",
		"requests ignore=" + strings.Repeat("/a,", 200),
	} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		all := basic(map[string]string{Min: "0", SourcesKey: idleBy, WakeKey: value})
		mustHold(t, all)
		policy, _, errs := parse(all)
		if w := policy.Wake; len(errs) == 0 && (!w.Requests || w.Hold < serves.MinHold || w.Hold > serves.MaxHold || w.PerPod < 1 || w.Limit < 1 || w.Limit > serves.MaxLimit || w.Always && len(w.Services) == 0 || w.Always && w.HoldUnready) {
			t.Errorf("%q is %+v", value, w)
		}
	})
}
