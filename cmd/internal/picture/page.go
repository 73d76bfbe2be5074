// Package picture draws time series as one SVG or one HTML page: panels that share a time axis, for one variant or for
// several to compare. Both are self-contained and follow the reader's light or dark scheme. Every text is escaped.
//
//	Page
//	  Variant     heading, facts, summary, its own time axis
//	    Panel     value axis: Lines, Bands, Marks
//	  Section     tables and text below the picture, on the HTML page alone
package picture

import "time"

// Page is all that is drawn.
type Page struct {
	// Title is the heading, Facts are sentences below it. Long ones are wrapped.
	Title string
	Facts []string
	// Variants are drawn one above the other, or Beside each other; then the panels in a row share their value axis.
	Variants []Variant
	Beside   bool
	// Sections follow the picture on the HTML page.
	Sections []Section
}

// Variant is one run: panels above one another with one time axis.
type Variant struct {
	// Name is its heading, Facts are sentences below it, Summary is what it came to. None of them has to be there.
	Name    string
	Facts   []string
	Summary []Fact
	// From and To are the ends of the time axis. If To is not after From, they are those of the points.
	From, To time.Duration
	// Spans divide the time. Every other one is shaded; their names are written above the first panel.
	Spans []Span
	// Panels of the same Unit share their value axis; one without a Unit has its own.
	Panels []Panel
}

// Fact is a number with its name, such as {"changes of replicas", "3"}.
type Fact struct{ Name, Value string }

// Span is a named stretch of time.
type Span struct {
	Name     string
	From, To time.Duration
	// Alarm writes the name in red.
	Alarm bool
}

// Panel is one value axis, from 0 up.
type Panel struct {
	// Title is its heading, Note a sentence below it, Unit the name of the value axis.
	Title, Note, Unit string
	// Whole allows grid lines at whole numbers only, as for replicas.
	Whole bool
	// Short makes it about half as high.
	Short bool
	// Second is another reading of the same grid, on the right; nil for none.
	Second *Scale
	Bands  []Band
	Lines  []Line
	Marks  []Mark
}

// Scale reads the value axis in another unit: a value is written as value*Factor, followed by Suffix.
type Scale struct {
	Unit   string
	Factor float64
	Suffix string
}

// Look says how a line is drawn.
type Look string

// The looks of lines.
const (
	// Area is a thin line with a filled area below it, for load.
	Area Look = "area"
	// Bold is the line that the panel is about, such as replicas.
	Bold Look = "bold"
	// Thin is a measured value.
	Thin Look = "thin"
	// Target is a dashed line for what is aimed at, Bound a dotted one for what must not be left.
	Target Look = "target"
	// Bound is a limit, such as the most replicas. It is left out where everything else is far below it.
	Bound Look = "bound"
)

// Tone is the color of a line or a mark. Areas, targets and bounds have their own.
type Tone string

// The tones.
const (
	// Calm is blue, and the default.
	Calm Tone = ""
	// Alarm is red.
	Alarm Tone = "alarm"
	// Muted is grey.
	Muted Tone = "muted"
)

// Line is one series.
type Line struct {
	// Name stands in the legend, once for each name and look; a line without a name does not.
	Name string
	Look Look
	Tone Tone
	// Steps holds each value until the next point, instead of joining the points.
	Steps bool
	// Label is written at the line's right end.
	Label string
	// Points are in the order of time. A value that is not a number (math.NaN) leaves a gap.
	Points []Point
}

// Point is a value at a time; time counts from wherever the caller likes.
type Point struct {
	At    time.Duration
	Value float64
}

// Band is a range of values over the whole time, such as a tolerance.
type Band struct {
	// Name stands in the legend.
	Name      string
	Low, High float64
}

// Mark is one change from a value to another. It is labelled with both, where there is room, and shows Tip when the
// pointer rests on it. The HTML page lists all marks of a variant with their tips.
type Mark struct {
	At       time.Duration
	From, To float64
	Tip      string
	Tone     Tone
}

// Section is a table, or text as it is, below the picture on the HTML page.
type Section struct {
	Title string
	// Head are the columns' headings; a table without Rows is not drawn.
	Head []string
	Rows []Row
	// Text is written in a typewriter face, with its line breaks.
	Text string
}

// Row is one row of a table. Alarm writes it in red.
type Row struct {
	Cells []string
	Alarm bool
}
