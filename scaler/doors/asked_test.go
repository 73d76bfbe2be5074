package doors

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/serves"
)

// askedBy is what a line of mini-hpa/wake asks for, and what is wrong with it.
func askedBy(line string) (annotations.Wake, error) {
	p, _, problems := annotations.Defaults{}.Parse(map[string]string{annotations.Min: "0", annotations.Max: "3", annotations.WakeKey: line,
		annotations.Metrics: `[{"type":"External","external":{"metric":{"name":"backlog"},"target":{"type":"AverageValue","averageValue":"10"}}}]`})
	return p.Wake, problems.ToAggregate()
}

// lineOf is a line of mini-hpa/wake that asks for what a slice says.
func lineOf(s serves.Serves) string {
	s = s.Defaulted()
	line := fmt.Sprintf("requests hold=%s limit=%d per-pod=%d", s.Hold.Duration, s.Limit, s.PerPod)
	for key, all := range map[string][]string{"ignore": s.Ignore, "ignore-agent": s.IgnoreAgents} {
		if len(all) > 0 {
			line += " " + key + "=" + strconv.Quote(strings.Join(all, ","))
		}
	}
	if s.HoldOn == serves.HoldOnUnready {
		line += " hold-on=unready"
	}
	if s.Path == serves.PathAlways {
		line += " service=web path=always"
	}
	return line
}

// cannotBeAsked says why no line asks for what a slice says; empty if one does. Activators read more than is written for them.
func cannotBeAsked(s serves.Serves) string {
	twice := func(all []string) bool {
		return len(slices.Compact(slices.Sorted(slices.Values(all)))) < len(all)
	}
	some := func(all []string, is func(string) bool) bool { return slices.ContainsFunc(all, is) }
	switch {
	case s.HoldOn != serves.HoldOnSleep && s.Path == serves.PathAlways:
		return "each request waits where all go through the activator"
	case twice(s.Ignore) || twice(s.IgnoreAgents):
		return "nothing is listed twice"
	case some(append(slices.Clone(s.Ignore), s.IgnoreAgents...), func(text string) bool { return strings.Contains(text, ",") }):
		return "a comma ends a part of a list"
	case some(s.IgnoreAgents, func(text string) bool { return text != strings.TrimSpace(text) }):
		return "agents do not begin or end with blanks"
	case some(s.Ignore, func(text string) bool {
		return text == "/*" || strings.ContainsAny(strings.TrimSuffix(text, "*"), "*?# ") || !strings.HasPrefix(strings.TrimSuffix(text, "*"), "/")
	}):
		return "a path is one that a request may have, and not all of them"
	}
	return ""
}

// said is what the two forms have in common.
func said(w annotations.Wake) serves.Serves {
	s := servesOf(&annotations.Workload{Key: annotations.DeploymentKey("shop", "web")}, w, &planned{}).Defaulted()
	s.Protocol = nil
	return s
}

// FuzzWhatIsAskedForIsServed: whatever a line of mini-hpa/wake may ask for, an activator reads it in a slice as it is.
func FuzzWhatIsAskedForIsServed(f *testing.F) {
	for _, line := range []string{
		"requests", "requests service=web,api hold=90s path=always target=0.5 per-pod=1 limit=1", "requests hold=1.0005s limit=10000 per-pod=10000", "requests hold=10m hold-on=unready",
		`requests ignore="/é,/a/*,/" ignore-agent="kube-probe/,Go-http-client/ 1"`, `requests ignore="/\u00a0" ignore-agent="\ufffd"`, `requests ignore-agent="<&>"`,
		"requests ignore=" + strings.Repeat("/"+strings.Repeat("a", 250)+",", 15) + "/z",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		asked, err := askedBy(line)
		if err != nil {
			return
		}
		written := said(asked)
		read, err := serves.ParseServes(written.String())
		if err != nil {
			t.Fatalf("%q is admitted, and no activator takes it: %v", line, err)
		}
		if diff := cmp.Diff(written, read, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%q (-asked for +read):\n%s", line, diff)
		}
		if why := cannotBeAsked(read); why != "" {
			t.Errorf("%q is admitted, though %s", line, why)
		}
	})
}

// FuzzWhatIsServedCanBeAskedFor: whatever an activator reads in a slice, a line can ask for, but for a few things that it is told why.
func FuzzWhatIsServedCanBeAskedFor(f *testing.F) {
	for _, text := range []string{
		`{"kind":"Deployment","group":"apps","name":"web"}`, `{"kind":"X","name":"web","hold":"1.0005s","limit":10000,"perPod":10000,"ignore":["/healthz","/a/*"],"ignoreAgents":["kube-probe/"]}`,
		`{"kind":"X","name":"web","path":"always"}`, `{"kind":"X","name":"web","holdOn":"unready","hold":"10m"}`, `{"kind":"X","name":"web","path":"always","holdOn":"unready"}`,
		`{"kind":"X","name":"web","ignore":["/*","/a,b","/a","/a"]}`, `{"kind":"X","name":"web","ignoreAgents":[" a"]}`, `{"kind":"X","name":"web","hold":1000000001}`, `{"kind":"X","name":"web","ignore":["/","/\"'"]}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		read, err := serves.ParseServes(text)
		if err != nil {
			return
		}
		line := lineOf(read)
		asked, err := askedBy(line)
		if why := cannotBeAsked(read); (err == nil) != (why == "") {
			t.Fatalf("%s as a line is %s, which is admitted: %v; want %q", text, line, err, why)
		}
		if err != nil {
			return
		}
		want := read.Defaulted()
		want.Kind, want.Group, want.Name, want.Protocol = "Deployment", "apps", "web", nil
		if diff := cmp.Diff(want, said(asked), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-read +asked for):\n%s", line, diff)
		}
	})
}
