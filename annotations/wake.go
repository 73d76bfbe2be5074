package annotations

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/mini-hpa/mini-hpa/annotations/lines"
	"github.com/mini-hpa/mini-hpa/annotations/serves"
	"github.com/mini-hpa/mini-hpa/annotations/spelling"
)

const (
	wakeOnRequests = "requests"
	exampleWake    = `"requests service=web hold=60s"`
)

// wakeKey is a key of the line of mini-hpa/wake.
type wakeKey struct {
	name string
	// standard is what an absent one stands for, and doc the meaning, for users, in Markdown.
	standard, doc string
	// set reads its value. Its error says what is allowed, without the value.
	set func(r *wakeReader, value string) error
}

// wakeKeys are all of them, in the order in which they are documented. It is never changed.
var wakeKeys = [...]wakeKey{
	{"service", "all that select the pods", "The Services, separated by commas, whose requests wake the workload.", (*wakeReader).setServices},
	{"hold", "`60s`", "How long a request waits for a pod, from `1s` to `10m`. After that it is refused: HTTP with 503, anything else by closing the connection.", (*wakeReader).setHold},
	{"path", "only while it sleeps", "`always`: all requests go through the activator.", (*wakeReader).setPath},
	{"target", "-", "With `path=always`: how many requests there should be for each pod, waiting and under way.", (*wakeReader).setTarget},
	{"per-pod", "`50`", "How many requests an activator has under way with one pod at most, so that a pod that has just started is not met by all that have waited.", (*wakeReader).setPerPod},
	{"limit", "`1000`", "How many requests of one Service wait at an activator at most; others are refused at once.", (*wakeReader).setLimit},
	{"ignore", "-", "Paths whose requests wake nobody, such as those of a check of health: the activator answers them. One that ends with `*` is the beginning of a path.", (*wakeReader).setIgnore},
	{"ignore-agent", "-", "What a `User-Agent` begins with whose requests wake nobody, such as `kube-probe/`.", (*wakeReader).setIgnoreAgents},
	{"hold-on", "-", "`unready`: requests also wait while there are pods and none is ready, instead of failing at once.", (*wakeReader).setHoldOn},
}

func wakeKeyNames() []string {
	names := make([]string, len(wakeKeys))
	for i := range wakeKeys {
		names[i] = wakeKeys[i].name
	}
	return names
}

// setWake reads the only line. What it says of Services is held to those that there are by Review.
func setWake(p *draft, value string) error {
	read, problems := lines.Read(value)
	r := wakeReader{wake: Wake{Requests: true, Hold: serves.DefaultHold, PerPod: serves.DefaultPerPod, Limit: serves.DefaultLimit}, problems: problems}
	for i, line := range read {
		if r.line = line; i == 0 {
			r.read()
		} else {
			r.wrong(line.Words[0], "must not be there; there is one line, such as %s", exampleWake)
		}
	}
	if len(read) == 0 && len(r.problems) == 0 {
		r.problems = append(r.problems, lines.Problem{Message: "must have a line such as " + exampleWake})
	}
	if len(r.problems) > 0 {
		p.measured = true // by what cannot be read
		return lines.Join(r.problems)
	}
	p.wakes, p.requests = r.wake, r.metric(read[0].Number)
	p.measured = p.measured || r.wake.Always
	p.warnFineLines(*p.requests)
	return nil
}

// wakeReader reads the line of mini-hpa/wake.
type wakeReader struct {
	line     lines.Line
	wake     Wake
	target   *resource.Quantity
	problems []lines.Problem
}

func (r *wakeReader) wrong(at lines.Word, format string, args ...any) {
	r.problems = append(r.problems, lines.Problem{Line: r.line.Number, Column: at.Column, Message: fmt.Sprintf(format, args...)})
}

func (r *wakeReader) read() {
	first := r.line.Words[0]
	if first.Value != wakeOnRequests {
		r.wrong(first, "word %s must be %q, as in %s", lines.Quote(first.Value), wakeOnRequests, exampleWake)
	}
	given := map[string]lines.Word{}
	for _, word := range r.line.Words[1:] {
		given[word.Key] = word
		if word.Key == "" {
			r.wrong(word, "word %s must not be there; after %q there are only keys, each with a value", lines.Quote(word.Value), wakeOnRequests)
			continue
		}
		r.key(word)
	}
	r.check(given)
}

func (r *wakeReader) key(word lines.Word) {
	for i := range wakeKeys {
		if wakeKeys[i].name != word.Key {
			continue
		}
		if err := wakeKeys[i].set(r, word.Value); err != nil {
			r.wrong(word, "%s %s %v", word.Key, lines.Quote(word.Value), err)
		}
		return
	}
	meant := ""
	if nearest := spelling.Nearest(word.Key, wakeKeyNames()); nearest != "" {
		meant = fmt.Sprintf(" (did you mean %q?)", nearest)
	}
	r.wrong(word, "key %s is not one of this line%s; must be one of %s", lines.Quote(word.Key), meant, alternatives(wakeKeyNames()))
}

func (r *wakeReader) setServices(value string) (err error) {
	r.wake.Services, err = commaList(value, `the name of a Service of the workload's namespace, such as "web"`, func(name string) bool { return len(validation.IsDNS1123Label(name)) == 0 })
	slices.Sort(r.wake.Services)
	return err
}

func (r *wakeReader) setHold(value string) error {
	hold, ok := duration(value, serves.MinHold, serves.MaxHold)
	if !ok {
		return errors.New(`must be a duration from "1s" to "10m", with a unit, such as "60s"`)
	}
	r.wake.Hold = hold
	return nil
}

func (r *wakeReader) setPath(value string) (err error) {
	r.wake.Always, err = isWord(value, "always")
	return err
}

func (r *wakeReader) setTarget(value string) (err error) {
	r.target, err = readTarget(value)
	r.wake.Targeted = r.target != nil
	return err
}

func (r *wakeReader) setPerPod(value string) (err error) {
	r.wake.PerPod, err = readHeld(value, serves.MaxPerPod)
	return err
}

func (r *wakeReader) setLimit(value string) (err error) {
	r.wake.Limit, err = readHeld(value, serves.MaxLimit)
	return err
}

func (r *wakeReader) setIgnore(value string) (err error) {
	r.wake.Ignore, err = commaList(value, `a path that begins with "/", or the beginning of one with "*" behind it, such as "/healthz"`, isIgnorable)
	return err
}

func (r *wakeReader) setIgnoreAgents(value string) (err error) {
	r.wake.IgnoreAgents, err = commaList(value, `what a User-Agent begins with, such as "kube-probe/"`, func(agent string) bool { return agent == strings.TrimSpace(agent) })
	return err
}

func (r *wakeReader) setHoldOn(value string) (err error) {
	r.wake.HoldUnready, err = isWord(value, "unready")
	return err
}

// check looks at what no key can know alone.
func (r *wakeReader) check(given map[string]lines.Word) {
	first := r.line.Words[0]
	if at, ok := given["target"]; ok && given["path"].Key == "" {
		r.wrong(at, "target must not be there without \"path=always\": otherwise the activator sees no request while there are pods")
	}
	if at, ok := given["hold-on"]; ok && r.wake.Always {
		r.wrong(at, "hold-on must not be there with \"path=always\", where each request waits until a pod is ready")
	}
	if _, named := given["service"]; r.wake.Always && !named {
		r.wrong(first, "must have \"service\" with \"path=always\": the Service then has no selector that would lead to it")
	}
}

// metric is what the requests are as a metric: one that is held at the target, or a signal without it.
func (r *wakeReader) metric(line int) *Metric {
	target := autoscalingv2.MetricTarget{}
	if r.target != nil {
		target.Type, target.AverageValue = autoscalingv2.AverageValueMetricType, r.target
	}
	return &Metric{
		Source: SourceActivator, Line: &SourceLine{Number: line, Query: wakeOnRequests, Given: map[string]string{}, Signal: r.target == nil},
		Spec: autoscalingv2.MetricSpec{Type: autoscalingv2.ExternalMetricSourceType, External: &autoscalingv2.ExternalMetricSource{
			Metric: autoscalingv2.MetricIdentifier{Name: SourceActivator + "@" + wakeOnRequests}, Target: target}},
	}
}

func isWord(value, allowed string) (bool, error) {
	if value == allowed {
		return true, nil
	}
	return false, fmt.Errorf("must be %q, or left out", allowed)
}

func readHeld(value string, most int64) (int32, error) {
	n, ok := number(value, 1, most)
	if !ok {
		return 0, fmt.Errorf("must be a whole number of requests from 1 to %d, in digits only", most)
	}
	return int32(n), nil
}

// commaList takes a list apart, each part of which must be what is allowed and there once.
func commaList(value, allowed string, ok func(string) bool) ([]string, error) {
	parts := strings.Split(value, ",")
	if len(parts) > serves.MaxIgnored {
		return nil, fmt.Errorf("must be at most %d, separated by commas", serves.MaxIgnored)
	}
	for i, part := range parts {
		switch {
		case part == "" || len(part) > serves.MaxIgnoredLength || strings.ContainsFunc(part, isUnprintable) || !ok(part):
			return nil, fmt.Errorf("must be %s, of at most %d bytes; several are separated by commas, without blanks", allowed, serves.MaxIgnoredLength)
		case slices.Contains(parts[:i], part):
			return nil, fmt.Errorf("must not have %s twice", lines.Quote(part))
		}
	}
	return parts, nil
}

// isUnprintable says whether a character cannot be in the slice that activators read, where U+FFFD stands for bytes that are no text.
func isUnprintable(c rune) bool { return c == unicode.ReplacementChar || !strconv.IsPrint(c) }

// isIgnorable says whether requests of a path can be left out. All of them cannot: then nothing would wake the workload.
func isIgnorable(path string) bool {
	beginning := strings.TrimSuffix(path, "*")
	return strings.HasPrefix(beginning, "/") && path != "/*" && !strings.ContainsAny(beginning, "*?# ")
}
