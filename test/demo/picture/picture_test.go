package picture

import (
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mini-hpa/mini-hpa/test/demo/story"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
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

func draw(t *testing.T, r story.Recording) string {
	t.Helper()
	var svg strings.Builder
	if err := SVG(&svg, r); err != nil {
		t.Fatal(err)
	}
	return svg.String()
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
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		for _, attr := range start.Attr {
			if attr.Name.Local == "class" {
				counts[start.Name.Local+" "+attr.Value]++
			}
		}
	}
}

func TestSVGShowsEverySeries(t *testing.T) {
	got := elements(t, draw(t, fixture()))
	want := map[string]int{
		"path bold": 2, "path bold alarm": 1, // web and steady; flappy
		"path thin": 2, "path thin alarm": 1,
		"path area": 3, "path area-line": 3,
		"circle mark": 4, "circle mark alarm": 9,
		"rect band": 2, "path target": 2,
	}
	for what, n := range want {
		if got[what] != n {
			t.Errorf("%d of %q, want %d", got[what], what, n)
		}
	}
}

func TestGolden(t *testing.T) {
	var page strings.Builder
	if err := HTML(&page, fixture()); err != nil {
		t.Fatal(err)
	}
	golden(t, "demo.svg", draw(t, fixture()))
	golden(t, "demo.html", page.String())
}

// Every file must open anywhere: nothing is loaded from elsewhere, and no text of an Event becomes markup.
func TestSelfContainedAndEscaped(t *testing.T) {
	var page strings.Builder
	if err := HTML(&page, fixture()); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"svg": draw(t, fixture()), "html": page.String()} {
		if found := regexp.MustCompile(`(?i)<script|<link|<img|@import|url\(|(?:href|src)=`).FindString(text); found != "" {
			t.Errorf("%s refers to something outside: %q", name, found)
		}
		for _, markup := range []string{"<b>bold", "<96%>", "<expected>"} {
			if strings.Contains(text, markup) {
				t.Errorf("%s holds %q unescaped", name, markup)
			}
		}
		if !strings.Contains(text, "prefers-color-scheme: dark") {
			t.Errorf("%s has no dark scheme", name)
		}
	}
}

// A run that failed early still leaves a picture.
func TestSVGOfLittle(t *testing.T) {
	r := fixture()
	failed := story.Verdict{State: story.Failed, Says: "web is at 1"}
	tests := map[string]struct {
		recording story.Recording
		want      string
	}{
		"nothing played": {recording: story.Recording{}, want: "text title"},
		"nothing seen":   {recording: story.Recording{Request: 1000, Target: 50, Acts: r.Acts[:1]}, want: "path target"},
		"one look": {recording: story.Recording{Request: 1000, Target: 50, Acts: r.Acts[:1], Tracks: []story.Track{
			{Workload: "web", Points: r.Tracks[0].Points[:1]}}}, want: "path target"},
		"a failed act is marked": {recording: story.Recording{Request: 1000, Target: 50, Acts: []story.Act{{Phase: r.Acts[0].Phase, Verdict: failed}}}, want: "text note middle failed"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			svg := draw(t, tt.recording)
			if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
				t.Error("a coordinate is not a number")
			}
			if got := elements(t, svg); got[tt.want] == 0 {
				t.Errorf("no %q in %v", tt.want, got)
			}
		})
	}
}

func TestGapsBreakTheUtilization(t *testing.T) {
	r := fixture()
	for i := 30; i < 35; i++ {
		r.Tracks[0].Points[i].Utilization = story.Unknown
	}
	if got := elements(t, draw(t, r))["path thin"]; got != 3 {
		t.Errorf("%d pieces of utilization of two workloads around one gap, want 3", got)
	}
}

// The last change may have been seen after the last point: the line must not go back.
func TestReplicasNeverGoBackInTime(t *testing.T) {
	r := fixture()
	web := &r.Tracks[0]
	web.Changes = append(web.Changes, story.Change{At: web.Points[len(web.Points)-1].At + s/2, From: 1, To: 2})
	found := regexp.MustCompile(`<path d="([^"]*)" class="bold"`).FindStringSubmatch(draw(t, r))
	last := 0.0
	for _, step := range regexp.MustCompile(`[ML]([\d.]+) `).FindAllStringSubmatch(found[1], -1) {
		x, err := strconv.ParseFloat(step[1], 64)
		if err != nil || x < last {
			t.Errorf("after %.1f comes %.1f (%v)", last, x, err)
		}
		last = x
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
