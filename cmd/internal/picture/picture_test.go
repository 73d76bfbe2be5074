package picture

import (
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

const s = time.Second

// fixture is two variants of everything that can be drawn, with texts that must not become markup.
func fixture() Page {
	load := Line{Name: "load", Look: Area, Steps: true, Points: []Point{{0, 1}, {30 * s, 4}, {60 * s, 2}, {90 * s, 2}}}
	flat := func(v float64) []Point { return []Point{{0, v}, {90 * s, v}} }
	variant := func(name string, tone Tone) Variant {
		return Variant{Name: name, Facts: []string{"tolerance=<0>", strings.Repeat("a long sentence ", 20)}, Summary: []Fact{{"changes", "2"}, {"hours & more", "<1>"}},
			Spans: []Span{{Name: "calm", To: 30 * s}, {Name: "<hot>", From: 30 * s, To: 90 * s, Alarm: true}},
			Panels: []Panel{
				{Title: "replicas", Unit: "replicas", Whole: true, Second: &Scale{Unit: "load", Factor: 500, Suffix: "m"},
					Lines: []Line{load, {Name: "bounds", Look: Bound, Points: flat(1), Label: "min"}, {Look: Bound, Points: flat(100), Label: "max"},
						{Name: "replicas", Look: Bold, Tone: tone, Steps: true, Points: []Point{{0, 1}, {40 * s, 4}, {70 * s, 2}, {90 * s, 2}}}},
					Marks: []Mark{{At: 40 * s, From: 1, To: 4, Tip: `up "because" <b>x</b>`, Tone: tone}, {At: 70 * s, From: 4, To: 2, Tip: "down", Tone: tone}}},
				{Title: "usage", Note: "as <measured>", Unit: "ratio", Short: true, Bands: []Band{{Name: "tolerance", Low: 0.45, High: 0.55}},
					Lines: []Line{{Name: "target", Look: Target, Points: flat(0.5), Label: "target 0.5"},
						{Name: "usage", Look: Thin, Points: []Point{{0, 0.2}, {20 * s, 0.6}, {30 * s, math.NaN()}, {40 * s, 0.5}, {90 * s, 0.4}}}}},
			}}
	}
	return Page{Title: "a <title>", Facts: []string{"one & two"}, Beside: true, Variants: []Variant{variant("before", Alarm), variant("after", Calm)},
		Sections: []Section{{Title: "A <section>", Head: []string{"<h>"}, Rows: []Row{{Cells: []string{"<c>"}}, {Cells: []string{"bad"}, Alarm: true}}}, {Text: "plain <text>"}}}
}

func render(t *testing.T, p Page) (svg, html string) {
	t.Helper()
	var a, b strings.Builder
	if err := errors.Join(SVG(&a, p), HTML(&b, p)); err != nil {
		t.Fatal(err)
	}
	return a.String(), b.String()
}

func TestGolden(t *testing.T) {
	svg, html := render(t, fixture())
	for name, got := range map[string]string{"picture.svg": svg, "picture.html": html} {
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-want +got; go test -update writes it anew, then look at it):\n%s", path, diff)
		}
	}
}

// elements counts the elements of a well-formed document by "name class".
func elements(t *testing.T, document string) map[string]int {
	t.Helper()
	counts := map[string]int{}
	decoder := xml.NewDecoder(strings.NewReader(document))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return counts
		}
		if err != nil {
			t.Fatalf("not well-formed: %v", err)
		}
		if start, ok := token.(xml.StartElement); ok {
			for _, attr := range start.Attr {
				if attr.Name.Local == "class" {
					counts[start.Name.Local+" "+attr.Value]++
				}
			}
		}
	}
}

func TestEverythingIsDrawn(t *testing.T) {
	svg, _ := render(t, fixture())
	got := elements(t, svg)
	want := map[string]int{
		"path area": 2, "path area-line": 2, "path bold": 1, "path bold alarm": 1, "circle mark": 2, "circle mark alarm": 2,
		"path thin": 4,                                     // one gap each
		"rect band": 3, "path target": 2, "line target": 1, // one of them in the legend
		"path bound": 2, // the far bound is not drawn
		"rect span":  4, "text value": 4, "text name": 2,
	}
	for what, n := range want {
		if got[what] != n {
			t.Errorf("%d of %q, want %d", got[what], what, n)
		}
	}
}

// Every file must open anywhere: nothing is loaded from elsewhere, and no text becomes markup.
func TestSelfContainedAndEscaped(t *testing.T) {
	svg, html := render(t, fixture())
	for name, text := range map[string]string{"svg": svg, "html": html} {
		if found := regexp.MustCompile(`(?i)<script|<link|<img|@import|url\(|(?:href|src)=`).FindString(text); found != "" {
			t.Errorf("%s refers to something outside: %q", name, found)
		}
		for _, markup := range []string{"<b>x", "<0>", "<1>", "<hot>", "a <title>", "<measured>", "<section>", "<h>", "<c>", "<text>x"} {
			if strings.Contains(text, markup) {
				t.Errorf("%s holds %q unescaped", name, markup)
			}
		}
		if !strings.Contains(text, "prefers-color-scheme: dark") {
			t.Errorf("%s has no dark scheme", name)
		}
	}
}

func TestLittleAndOddIsDrawn(t *testing.T) {
	odd := fixture()
	odd.Variants[0].Panels[0].Lines[0].Points = []Point{{0, math.Inf(1)}, {1, -5}, {2, math.NaN()}}
	tests := map[string]Page{
		"nothing":            {},
		"no panels":          {Variants: []Variant{{Name: "a"}}, Beside: true},
		"no points":          {Variants: []Variant{{Panels: []Panel{{Unit: "x", Lines: []Line{{Look: Bold}}}}}}},
		"one point":          {Variants: []Variant{{Panels: []Panel{{Unit: "x", Lines: []Line{{Look: Bold, Points: []Point{{0, 0}}}}}}}}},
		"different sizes":    {Beside: true, Variants: []Variant{{}, fixture().Variants[0]}},
		"control characters": {Title: "\x00\x1b[31m", Facts: []string{strings.Repeat("x", 1000)}},
		"odd values":         odd,
	}
	for name, page := range tests {
		t.Run(name, func(t *testing.T) {
			svg, _ := render(t, page)
			elements(t, svg)
			if regexp.MustCompile(`"[^"]*(NaN|Inf)[^"]*"`).MatchString(svg) {
				t.Error("a coordinate is not a number")
			}
		})
	}
}

func TestTheLegendNamesEachLookOnce(t *testing.T) {
	var names []string
	for _, k := range fixture().samples() {
		names = append(names, k.name)
	}
	if diff := cmp.Diff([]string{"load", "bounds", "replicas", "target", "usage", "tolerance", "replicas"}, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPanelsOfAUnitShareTheirAxis(t *testing.T) {
	page := fixture()
	page.Variants[1].Panels[0].Lines[3].Points[1].Value = 9
	svg, _ := render(t, page)
	if got := strings.Count(svg, `class="tick end">10</text>`); got != 2 {
		t.Errorf("%d of 2 axes reach to 10", got)
	}
}

func TestStride(t *testing.T) {
	for peak, want := range map[float64]float64{0.5: 0.1, 1: 0.2, 4: 1, 6: 1, 7: 2, 10.8: 2, 13: 5, 220: 50, 1000: 200, 0: 1, math.Inf(1): 1, math.NaN(): 1} {
		if got := stride(peak, 0); math.Abs(got-want) > 1e-9 {
			t.Errorf("stride(%v) = %v, want %v", peak, got, want)
		}
	}
	if got := stride(2, 1); got != 1 {
		t.Errorf("whole numbers are %v apart", got)
	}
}

func TestPace(t *testing.T) {
	for length, want := range map[time.Duration]time.Duration{0: s, 10 * s: s, 90 * s: 10 * s, 30 * time.Minute: 5 * time.Minute,
		24 * time.Hour: 6 * time.Hour, 1000 * 24 * time.Hour: 101 * 24 * time.Hour} {
		if got := pace(length, 10); got != want {
			t.Errorf("pace(%s) = %s, want %s", length, got, want)
		}
	}
}

func TestClock(t *testing.T) {
	for at, want := range map[time.Duration]string{0: "0:00", 65 * s: "1:05", 59*s + 600*time.Millisecond: "1:00", time.Hour + 5*s: "1:00:05", 25 * time.Hour: "25:00:00"} {
		if got := Clock(at); got != want {
			t.Errorf("%s is %q, want %q", at, got, want)
		}
	}
}

func TestWrap(t *testing.T) {
	tests := map[string][]string{"": nil, "a b": {"a b"}, "aaa bbb ccc": {"aaa bbb", "ccc"}, "aaaaaaaaaa": {"aaaaaaaa", "aa"}, "a bbbbbbbbbb": {"a", "bbbbbbbb", "bb"}, "üüüü üüü": {"üüüü üüü"}}
	for text, want := range tests {
		if diff := cmp.Diff(want, wrap(text, 8)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func TestBends(t *testing.T) {
	flat := []point{{0, 1}, {1, 1}, {2, 1}, {2, 0}, {2, -1}, {3, 5}}
	want := []point{{0, 1}, {2, 1}, {2, -1}, {3, 5}}
	if diff := cmp.Diff(want, bends(flat), cmp.AllowUnexported(point{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Whatever is drawn lies within the picture.
func TestNothingIsOutside(t *testing.T) {
	page := fixture()
	page.Variants[1].Panels = nil // the first column is the longer one
	svg, _ := render(t, page)
	box := regexp.MustCompile(`viewBox="0 0 (\d+) (\d+)"`).FindStringSubmatch(svg)
	for axis, names := range map[string]string{box[1]: `(?:x|x1|x2|cx)`, box[2]: `(?:y|y1|y2|cy)`} {
		most, _ := strconv.ParseFloat(axis, 64)
		for _, found := range regexp.MustCompile(` `+names+`="([^"]+)"`).FindAllStringSubmatch(svg, -1) {
			if v, err := strconv.ParseFloat(found[1], 64); err != nil || v < 0 || v > most {
				t.Errorf("%s of %v", found[0], most)
			}
		}
	}
}

type broken struct{ err error }

func (b broken) Write([]byte) (int, error) { return 0, b.err }

func TestWriteSaysWhatFailed(t *testing.T) {
	full := errors.New("disk full")
	if err := SVG(broken{full}, fixture()); !errors.Is(err, full) {
		t.Errorf("SVG: %v", err)
	}
	if err := HTML(broken{full}, fixture()); !errors.Is(err, full) {
		t.Errorf("HTML: %v", err)
	}
}
