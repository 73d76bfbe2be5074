package migrate

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	yaml "sigs.k8s.io/yaml/goyaml.v3"

	"github.com/mini-hpa/mini-hpa/cmd/internal/manifest"
)

// edit replaces bytes of a file.
type edit struct {
	from, to int
	text     string
}

// sheet is the text of a file. What is asked for each of its objects is found once, because there are thousands.
type sheet struct {
	text string
	// lines are the offsets at which its lines begin, and at last its end; documents those of the lines that separate documents.
	lines, documents []int
	// strides are how many characters are before each stride of it: all of a file may be one line.
	strides []int
}

const stride = 4 << 10

func newSheet(text string) *sheet {
	f := &sheet{text: text, lines: []int{0}}
	for line := range strings.Lines(text) {
		begin := f.lines[len(f.lines)-1]
		if separates(line) {
			f.documents = append(f.documents, begin)
		}
		f.lines = append(f.lines, begin+len(line))
	}
	characters := 0
	for i := range len(text) {
		if i%stride == 0 {
			f.strides = append(f.strides, characters)
		}
		if utf8.RuneStart(text[i]) {
			characters++
		}
	}
	return f
}

// separates says whether a line does that of documents.
func separates(line string) bool {
	rest, ok := strings.CutPrefix(line, "---")
	return ok && (rest == "" || strings.TrimLeft(rest, " \t\r\n") != rest)
}

// line is the offset at which a line begins; the first is 1. Behind the last one it is the end.
func (f *sheet) line(number int) int {
	return f.lines[min(max(number, 1), len(f.lines))-1]
}

// offset is that of a place.
func (f *sheet) offset(p manifest.Place) int {
	at := f.line(p.Line)
	wanted := f.charactersBefore(at) + max(p.Column-1, 0)
	behind := sort.SearchInts(f.strides, wanted+1) // the first stride that has more before it
	if behind == 0 {
		return at
	}
	for from, characters := (behind-1)*stride, f.strides[behind-1]; from < len(f.text); from++ {
		switch {
		case !utf8.RuneStart(f.text[from]):
		case characters == wanted:
			return from
		default:
			characters++
		}
	}
	return len(f.text)
}

func (f *sheet) charactersBefore(offset int) int {
	if len(f.strides) == 0 {
		return 0
	}
	last := min(offset/stride, len(f.strides)-1)
	characters := f.strides[last]
	for i := last * stride; i < offset; i++ {
		if utf8.RuneStart(f.text[i]) {
			characters++
		}
	}
	return characters
}

// annotate adds annotations to an object. It is false if its text has no place for them.
//
//	metadata:          or   {"annotations": {"a": "1"}, name: web}   or   annotations: {<<: *common, "a": "1"}
//	  annotations:
//	    a: "1"
//	  name: web
func (f *sheet) annotate(d manifest.Document, all map[string]string) (edit, bool) {
	metadataName, metadata := d.Walk("metadata")
	name, value := d.Walk("metadata", "annotations")
	isMapping := value != nil && value.Kind == yaml.MappingNode
	switch {
	case metadata.Kind != yaml.MappingNode || len(metadata.Content) == 0:
		return edit{}, false // an alias: its anchor may be that of others, too
	case value != nil && value.Kind == yaml.AliasNode:
		return f.instead(d, value, "*"+value.Value, "{<<: *"+value.Value+", "+flow(all)+"}")
	case value != nil && value.Kind == yaml.ScalarNode && value.Value != "":
		return f.instead(d, value, value.Value, "{"+flow(all)+"}") // null, or ~
	case isMapping && f.isFlow(d, value):
		return f.within(d, value, flow(all)), true
	case value != nil && f.isFlow(d, metadata):
		return edit{}, false // {annotations: , name: web}
	case value != nil:
		at := f.line(d.PlaceOf(name).Line + 1)
		indent := d.PlaceOf(name).Column + 1
		if isMapping && len(value.Content) > 0 {
			indent = d.PlaceOf(value.Content[0]).Column - 1
		}
		return edit{at, at, f.broken(at) + block(all, indent)}, true
	case f.isFlow(d, metadata):
		return f.within(d, metadata, `"annotations": {`+flow(all)+`}`), true
	}
	at, indent := f.line(d.PlaceOf(metadataName).Line+1), d.PlaceOf(metadata.Content[0]).Column-1
	return edit{at, at, f.broken(at) + strings.Repeat(" ", indent) + "annotations:\n" + block(all, indent+2)}, true
}

// instead puts text in the place of a node that is written so.
func (f *sheet) instead(d manifest.Document, n *yaml.Node, written, text string) (edit, bool) {
	at := f.offset(d.PlaceOf(n))
	return edit{at, at + len(written), text}, strings.HasPrefix(f.text[at:], written)
}

// broken ends a last line that has no end.
func (f *sheet) broken(at int) string {
	if at > 0 && f.text[at-1] != '\n' {
		return "\n"
	}
	return ""
}

// isFlow says whether a mapping is written in braces.
func (f *sheet) isFlow(d manifest.Document, n *yaml.Node) bool {
	return strings.HasPrefix(f.text[f.offset(d.PlaceOf(n)):], "{")
}

// within puts text behind the brace that a mapping begins with.
func (f *sheet) within(d manifest.Document, n *yaml.Node, text string) edit {
	at := f.offset(d.PlaceOf(n))
	at += strings.IndexByte(f.text[at:], '{') + 1
	if len(n.Content) > 0 {
		text += ", "
	}
	return edit{at, at, text}
}

// flow are annotations as JSON has them, and block as YAML has them, indented.
func flow(all map[string]string) string {
	var pairs []string
	m := mapping(all)
	for i := 0; i < len(m.Content); i += 2 {
		pairs = append(pairs, fmt.Sprintf("%s: %s", strconv.Quote(m.Content[i].Value), strconv.Quote(m.Content[i+1].Value)))
	}
	return strings.Join(pairs, ", ")
}

func block(all map[string]string, indent int) string {
	m := mapping(all)
	var b strings.Builder
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	_ = encoder.Encode(&m) // into memory, and of texts
	var lines strings.Builder
	for line := range strings.Lines(b.String()) {
		if line != "\n" {
			lines.WriteString(strings.Repeat(" ", indent))
		}
		lines.WriteString(line)
	}
	return lines.String()
}

// without leaves out the document that an object is, with the line that separates it from others. It is false if that has more in it.
func (f *sheet) without(o *object) (edit, bool) {
	if o.inList {
		return edit{}, false
	}
	from, to := 0, len(f.text)
	next := sort.SearchInts(f.documents, f.line(o.Line)+1)
	if next > 0 {
		from = f.documents[next-1]
	}
	if next < len(f.documents) {
		to = f.documents[next]
	}
	if strings.HasPrefix(strings.TrimSpace(strings.TrimPrefix(f.text[from:to], "---")), "{") && strings.Contains(f.text[from:to], "}\n{") {
		return edit{}, false // JSON values in a row
	}
	if from == 0 && !strings.HasPrefix(f.text, "---") && to < len(f.text) { // the separator behind it goes with it
		to = f.lines[min(sort.SearchInts(f.lines, to)+1, len(f.lines)-1)]
	}
	return edit{from, to, ""}, true
}

// apply makes the edits, none of which is within another one. What is added where something is removed stays.
func apply(text string, edits []edit) string {
	var b strings.Builder
	at := 0
	for _, e := range slices.SortedFunc(slices.Values(edits), func(a, b edit) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) }) {
		b.WriteString(text[at:max(e.from, at)])
		b.WriteString(e.text)
		at = max(e.to, at)
	}
	b.WriteString(text[at:])
	return b.String()
}
