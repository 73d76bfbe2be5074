package trace

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

const headLine = `{"seed":7,"workload":{"kind":"Deployment","metadata":{"name":"web","annotations":{"mini-hpa/max":"10","mini-hpa/target-cpu":"50"}},"future":1}}` + "\n"

// at is an observation at a second of a minute.
func at(second string) string {
	return `{"time":"2026-01-01T12:00:` + second + `Z","replicas":2,"statusReplicas":2,"pods":null,"podMetrics":null,"future":{}}` + "\n"
}

// readAll returns the times of all observations, and the error that is not io.EOF.
func readAll(r io.Reader, limit int) ([]string, error) {
	t, err := newReader(r, limit)
	if err != nil {
		return nil, err
	}
	var seconds []string
	for {
		s, err := t.Next()
		if errors.Is(err, io.EOF) {
			return seconds, nil
		}
		if err != nil {
			return seconds, err
		}
		seconds = append(seconds, s.Time.Format("05.9"))
	}
}

func TestReader(t *testing.T) {
	cases := map[string]struct {
		text  string
		times []string
		err   string // what it contains; empty is none
	}{
		"header only":         {text: headLine},
		"observations":        {text: headLine + at("15") + at("30.5"), times: []string{"15", "30.5"}},
		"equal times":         {text: headLine + at("15") + at("15"), times: []string{"15", "15"}},
		"no last line break":  {text: headLine + strings.TrimSpace(at("15")), times: []string{"15"}},
		"blank lines and CRs": {text: "\r\n" + headLine + "\n  \n" + strings.ReplaceAll(at("15"), "\n", "\r\n") + "\n", times: []string{"15"}},
		"empty":               {err: `line 1: the trace is empty; want a header {"workload": <object>}`},
		"no header":           {text: at("15"), err: "line 1: the header has no workload"},
		"UTF-16":              {text: "\xff\xfe{\x00", err: "line 1: the trace is text in UTF-16; save it as UTF-8"},
		"UTF-16, big end":     {text: "\xfe\xff\x00{", err: "line 1: the trace is text in UTF-16; save it as UTF-8"},
		"an array":            {text: "[" + headLine, err: "line 1: "},
		"whole arrays":        {text: "[]\n", err: "line 1: cannot decode: the line is an array; want an object"},
		"replicas as text":    {text: headLine + `{"time":"2026-01-01T12:00:00Z","replicas":"4"}`, err: "line 2: cannot decode: replicas is a string; want a whole number of 32 bits"},
		"pods as text":        {text: headLine + `{"time":"2026-01-01T12:00:00Z","replicas":4,"pods":[{"metadata":"x"}]}`, err: "line 2: cannot decode: pods.metadata is a string; want an object"},
		"a list of no list":   {text: headLine + `{"time":"2026-01-01T12:00:00Z","replicas":4,"pods":{}}`, err: "line 2: cannot decode: pods is an object; want an array"},
		"not JSON":            {text: "hello\n", err: "line 1: cannot decode: invalid character 'h'"},
		"another kind":        {text: `{"workload":{"apiVersion":"v1","kind":"Pod"}}`, err: `line 1: the workload is a "Pod" (apiVersion "v1"); want one with a scale subresource, such as a Deployment`},
		"a kind of no group":  {text: `{"workload":{"kind":"Train"}}`, err: `line 1: the workload is a "Train" without an apiVersion; want one with a scale subresource, such as a Deployment`},
		"back in time":        {text: headLine + at("15") + at("14"), times: []string{"15"}, err: "line 3: time 2026-01-01T12:00:14Z is before that of the observation before, 2026-01-01T12:00:15Z"},
		"cut off":             {text: headLine + at("15") + at("30")[:40], times: []string{"15"}, err: "line 3: the line is cut off: unexpected end of JSON input"},
		"cut off, and one":    {text: at("15")[:40] + "\n" + headLine, err: "line 1: the line is cut off"},
		"cut off header":      {text: headLine[:40] + "\n\n", err: "line 1: the line is cut off"},
		"pretty":              {text: pretty(headLine) + pretty(at("15")), err: "line 1: a trace has one JSON object in each line, and this one goes on in line 2; make it so with: jq -c ."},
		"pretty from the 3rd": {text: headLine + at("15") + pretty(at("30")), times: []string{"15"}, err: "line 3: a trace has one JSON object in each line, and this one goes on in line 4; make it so with: jq -c ."},
		"pretty and cut off":  {text: pretty(headLine)[:80], err: "goes on in line 2; make it so with: jq -c ."},
		"pretty, blank lines": {text: strings.ReplaceAll(pretty(headLine), "\n", "\r\n\r\n"), err: "line 1: a trace has one JSON object in each line, and this one goes on in line 3"},
		"a pretty array":      {text: pretty("[" + headLine + "," + at("15") + "]"), err: "goes on in line 2; make it so with: jq -c '.[]'"},
		"blank lines count":   {text: headLine + "\n\n[]\n", err: "line 4: cannot decode"},
		"no time":             {text: headLine + `{"replicas":1}`, err: "line 2: the observation has no time"},
		"no replicas":         {text: headLine + `{"time":"2026-01-01T12:00:00Z"}`, err: "line 2: the observation has no replicas"},
		"null":                {text: headLine + "null\n", err: "line 2: the observation has no time"},
		"negative":            {text: headLine + `{"time":"2026-01-01T12:00:00Z","replicas":-1}`, err: "line 2: replicas -1, statusReplicas 0: must not be negative"},
		"too many replicas":   {text: headLine + `{"time":"2026-01-01T12:00:00Z","replicas":4294967296}`, err: "line 2: cannot decode"},
		"a null pod":          {text: headLine + `{"time":"2026-01-01T12:00:00Z","replicas":1,"pods":[{},null]}`, err: "line 2: pods[1] is null"},
		"a null sample":       {text: headLine + `{"time":"2026-01-01T12:00:00Z","replicas":1,"podMetrics":[null]}`, err: "line 2: podMetrics[0] is null"},
		"times of nothing":    {text: headLine + `{"time":"2026-01-01T12:00:00Z","replicas":1,"podMetrics":[{}],"taken":{"podMetrics":["2026-01-01T12:00:00Z","2026-01-01T12:00:00Z"]}}`, err: "line 2: taken.podMetrics has 2 times for 1 podMetrics"},
		"times of no values":  {text: headLine + `{"time":"2026-01-01T12:00:00Z","replicas":1,"taken":{"externalMetrics":{"backlog":["2026-01-01T12:00:00Z"]}}}`, err: `line 2: taken.externalMetrics["backlog"] has 1 times for 0 values`},
		"two objects a line":  {text: headLine + strings.TrimSpace(at("15")) + at("30"), err: "line 2: cannot decode: invalid character '{' after top-level value"},
		"too long":            {text: headLine + at("15") + strings.Repeat(" ", 2000), times: []string{"15"}, err: "line 3: the line is longer than 1000 bytes"},
	}
	for name, c := range cases {
		for form, text := range map[string]string{"plain": c.text, "gzip": packed(t, c.text)} {
			t.Run(name+"/"+form, func(t *testing.T) {
				times, err := readAll(strings.NewReader(text), 1000)
				if diff := cmp.Diff(c.times, times); diff != "" {
					t.Errorf("times (-want +got):\n%s", diff)
				}
				if !matches(err, c.err) {
					t.Errorf("error %v, want one with %q", err, c.err)
				}
				if line := (*LineError)(nil); err != nil && !errors.As(err, &line) {
					t.Errorf("error %#v is no *LineError", err)
				}
			})
		}
	}
}

// pretty is a JSON value as people print it.
func pretty(text string) string {
	var b bytes.Buffer
	_ = json.Indent(&b, []byte(text), "", "  ") // the tests are about what it makes of JSON
	return b.String() + "\n"
}

func matches(err error, want string) bool {
	if err == nil || want == "" {
		return err == nil && want == ""
	}
	return strings.Contains(err.Error(), want)
}

func packed(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestQuantitiesAreBounded: reading one of these takes hours, wherever it is, and what is done with it does not end either. The test
// would not end.
func TestQuantitiesAreBounded(t *testing.T) {
	for _, q := range []string{`"1e-999999999"`, `"1e999999999"`, `1e-999999999`, `"1\u0065-999999999"`, `" 1e-999999999 "`} {
		list := `{"cpu":` + q + `}`
		spec := `{"containers":[{"name":"app","resources":{"requests":` + list + `,"limits":` + list + `}}],"overhead":` + list + `,"resources":{"requests":` + list + `},
			"volumes":[{"name":"v","emptyDir":{"sizeLimit":` + q + `}}]}`
		header := `{"workload":{"spec":{"template":{"spec":` + spec + `}}}}`
		line := `{"time":"2026-01-01T12:00:00Z","replicas":1,"pods":[{"metadata":{"name":"a"},"spec":` + spec + `,"status":{"phase":"Running","startTime":"2026-01-01T11:00:00Z",
			"conditions":[{"type":"Ready","status":"True","lastTransitionTime":"2026-01-01T11:00:00Z"}],"containerStatuses":[{"allocatedResources":` + list + `}]}}],
			"podMetrics":[{"metadata":{"name":"a"},"timestamp":"2026-01-01T12:00:00Z","window":"15s","containers":[{"name":"app","usage":` + list + `}]}],
			"customMetrics":{"a":[{"describedObject":{"kind":"Pod","name":"a"},"value":` + q + `}]},"externalMetrics":{"a":[{"value":` + q + `}]}}`
		r, err := NewReader(strings.NewReader(strings.ReplaceAll(strings.ReplaceAll(header, "\n", "")+"@"+strings.ReplaceAll(line, "\n", ""), "@", "\n")))
		if err != nil {
			t.Fatal(err)
		}
		s, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		replay := NewReplay(policyOf(t, map[string]string{"mini-hpa/max": "10", "mini-hpa/target-cpu": "50"}), recommend.DefaultRules())
		if o := replay.Next(s); o.Active != recommend.ActiveValidMetric {
			t.Errorf("%s: %+v", q, o)
		}
	}
}

func TestQuantitiesThatAreNone(t *testing.T) {
	for q, want := range map[string]string{`"much"`: `quantity "much"`, `"1e"`: `quantity "1e"`, `{}`: `quantity "{}"`, `"` + strings.Repeat("1", 501) + `"`: `quantity "1111`} {
		_, err := readAll(strings.NewReader(headLine+`{"time":"2026-01-01T12:00:00Z","replicas":1,"externalMetrics":{"a":[{"value":`+q+`}]}}`), 1000)
		if !matches(err, "line 2: cannot decode: "+want) {
			t.Errorf("%.20s: error %v, want one with %q", q, err, want)
		}
	}
}

func TestCompressedDataThatWasCutOff(t *testing.T) {
	text := packed(t, headLine+at("15"))
	for _, c := range []struct {
		length int
		err    string
	}{{5, "line 1: cannot decompress: unexpected EOF"}, {40, "line 1: cannot read: unexpected EOF"}, {len(text) - 4, "cannot read: unexpected EOF"}} {
		if _, err := readAll(strings.NewReader(text[:c.length]), 1000); !matches(err, c.err) {
			t.Errorf("%d of %d bytes: error %v, want one with %q", c.length, len(text), err, c.err)
		}
	}
}

func TestAVeryLongLineIsRead(t *testing.T) {
	const size = 8 << 20
	long := strings.Replace(at("15"), `"future":{}`, `"future":"`+strings.Repeat("x", size)+`"`, 1)
	times, err := readAll(strings.NewReader(headLine+long+at("30")), longestLine)
	if diff := cmp.Diff([]string{"15", "30"}, times); diff != "" || err != nil {
		t.Errorf("error %v, times (-want +got):\n%s", err, diff)
	}
}

func TestFailingSource(t *testing.T) {
	broken := errors.New("disk on fire")
	_, err := readAll(io.MultiReader(strings.NewReader(headLine+at("15")), failing{broken}), 1000)
	if !errors.Is(err, broken) || !matches(err, "line 3: cannot read: disk on fire") {
		t.Errorf("error %v, want %v at line 3", err, broken)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// FuzzRead makes sure that no file, whatever it holds, is read into something that the recommender cannot take.
func FuzzRead(f *testing.F) {
	f.Add([]byte(headLine + at("15") + at("30")))
	f.Add([]byte(headLine + `{"time":"2026-01-01T12:00:00Z","replicas":1,"pods":[null],"podMetrics":[{"window":"1s","containers":[{"usage":{"cpu":"1"}}]}]}`))
	f.Add([]byte(headLine + `{"time":"2026-01-01T12:00:00Z","replicas":1,"errors":{"a":"b"},"customMetrics":{"a":[{"value":"1"}]},"metricsError":"x"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := newReader(bytes.NewReader(data), 1<<16)
		if err != nil {
			return
		}
		replay := NewReplay(policyOf(t, map[string]string{"mini-hpa/max": "10", "mini-hpa/target-cpu": "50"}), recommend.DefaultRules())
		for {
			s, err := r.Next()
			if err != nil {
				return
			}
			if o := replay.Next(s); o.Steps == nil {
				t.Errorf("no steps for %+v", s)
			}
		}
	})
}

// TestReaderSkipsAMark that editors write at the beginning.
func TestReaderSkipsAMark(t *testing.T) {
	r, err := NewReader(strings.NewReader("\ufeff" + headLine + `{"time":"2026-01-01T12:00:00Z","replicas":4}`))
	if err != nil {
		t.Fatal(err)
	}
	if s, err := r.Next(); err != nil || s.Replicas != 4 || r.line != 2 {
		t.Errorf("%+v in line %d, %v", s, r.line, err)
	}
}
