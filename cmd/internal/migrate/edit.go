package migrate

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	yaml "sigs.k8s.io/yaml/goyaml.v3"

	"github.com/mini-hpa/mini-hpa/annotations/hpa"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/manifest"
)

// edit replaces bytes of a file.
type edit struct {
	from, to int
	text     string
}

// rewriting is what is changed in the files.
type rewriting struct {
	*migration
	edits map[string][]edit
	// annotated are the annotations that workloads get, gone is what is left out.
	annotated map[*object]map[string]string
	gone      map[*object]bool
}

// writeManifests writes the files once more: all that is not changed stays as it is written, with its comments.
func (m *migration) writeManifests(s cli.Streams) error {
	all := m.rewriting()
	var planned []*result
	for _, r := range m.results {
		if r.Annotations == nil {
			continue
		}
		if r.Workload == nil {
			r.unnamed()
			continue
		}
		if m.workload(r) == nil {
			r.Remarks = append(r.Remarks, hpa.Remark{Path: "spec.scaleTargetRef", Value: r.Workload.Name, Why: "is in none of the files, so that nothing can be annotated", Do: "use -o patch", Lost: true})
			continue
		}
		planned = append(planned, r)
	}
	if !all.take(planned...) || !all.isMeant(m.names...) {
		all = all.oneByOne(planned)
	}
	for _, r := range planned {
		if all.annotated[m.workload(r)] != nil && !all.gone[r.object] {
			r.Remarks = append(r.Remarks, hpa.Remark{Why: "is still there, because it does not stand in a document of its own", Do: "remove it by hand", Lost: true})
		}
	}
	return all.write(s)
}

func (m *migration) rewriting() *rewriting {
	return &rewriting{migration: m, edits: map[string][]edit{}, annotated: map[*object]map[string]string{}, gone: map[*object]bool{}}
}

// write writes the files, each of which begins a document.
func (w *rewriting) write(s cli.Streams) error {
	before := ""
	for i, name := range w.names {
		text := apply(w.texts[name], w.edits[name])
		if i > 0 && !strings.HasPrefix(text, "---") {
			text = "---\n" + text
		}
		if before != "" && !strings.HasSuffix(before, "\n") {
			text = "\n" + text
		}
		if _, err := io.WriteString(s.Out, text); err != nil {
			return err
		}
		before = text
	}
	return nil
}

// take plans to annotate workloads, and to leave out what scales them. It is false if one of them cannot be.
func (w *rewriting) take(results ...*result) bool {
	for _, r := range results {
		o := w.workload(r)
		made, ok := (sheet{text: w.texts[o.File]}).annotate(o.document, r.Annotations)
		if !ok {
			return false
		}
		w.edits[o.File] = append(w.edits[o.File], made)
		w.annotated[o] = r.Annotations
		if gone, ok := (sheet{text: w.texts[r.From.File]}).without(r.object); ok {
			w.edits[r.From.File] = append(w.edits[r.From.File], gone)
			w.gone[r.object] = true
		}
	}
	return true
}

// oneByOne takes those results after which the files say what they are to say, and remarks on the others.
func (w *rewriting) oneByOne(results []*result) *rewriting {
	var taken []*result
	last := w.rewriting()
	for _, r := range results {
		next := w.rewriting()
		if next.take(append(slices.Clone(taken), r)...) && next.isMeant(r.From.File, w.workload(r).File) {
			taken, last = append(taken, r), next
			continue
		}
		r.Remarks = append(r.Remarks, hpa.Remark{Path: "spec.scaleTargetRef", Value: r.Workload.Name, Why: "is written in a way in which nothing can be added to it alone", Do: "use -o patch", Lost: true})
	}
	return last
}

// isMeant reads edited files, and says whether they have the objects that they are to have: anchors, for one, may lead elsewhere.
func (w *rewriting) isMeant(names ...string) bool {
	for _, name := range names {
		edited := objects{texts: map[string]string{}}
		edited.readText(name, apply(w.texts[name], w.edits[name]))
		var want, got []string
		for _, o := range w.objects.objects {
			if o.File == name && o.section == nil && !w.gone[o] {
				want = append(want, string(o.with(w.annotated[o]).json()))
			}
		}
		for _, o := range edited.objects {
			if o.section == nil {
				got = append(got, string(o.json()))
			}
		}
		if !slices.Equal(want, got) || len(edited.unreadable) != strings.Count("\n"+strings.Join(w.unreadable, "\n"), "\n"+name+":") {
			return false
		}
	}
	return true
}

// apply makes the edits, none of which is within another one. What is added where something is removed stays.
func apply(text string, edits []edit) string {
	slices.SortFunc(edits, func(a, b edit) int { return cmp.Or(cmp.Compare(b.from, a.from), cmp.Compare(b.to, a.to)) })
	for _, e := range edits {
		text = text[:e.from] + e.text + text[e.to:]
	}
	return text
}

// sheet is the text of a file.
type sheet struct{ text string }

// line is the offset at which a line begins; the first is 1.
func (f sheet) line(number int) int {
	at := 0
	for range number - 1 {
		next := strings.IndexByte(f.text[at:], '\n')
		if next < 0 {
			return len(f.text)
		}
		at += next + 1
	}
	return at
}

// offset is that of a place.
func (f sheet) offset(p manifest.Place) int {
	at := f.line(p.Line)
	for range p.Column - 1 {
		_, size := utf8.DecodeRuneInString(f.text[at:])
		at += size
	}
	return at
}

// annotate adds annotations to an object. It is false if its text has no place for them.
//
//	metadata:          or   {"annotations": {"a": "1"}, name: web}   or   annotations: {<<: *common, "a": "1"}
//	  annotations:
//	    a: "1"
//	  name: web
func (f sheet) annotate(d manifest.Document, all map[string]string) (edit, bool) {
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
func (f sheet) instead(d manifest.Document, n *yaml.Node, written, text string) (edit, bool) {
	at := f.offset(d.PlaceOf(n))
	return edit{at, at + len(written), text}, strings.HasPrefix(f.text[at:], written)
}

// broken ends a last line that has no end.
func (f sheet) broken(at int) string {
	if at > 0 && f.text[at-1] != '\n' {
		return "\n"
	}
	return ""
}

// isFlow says whether a mapping is written in braces.
func (f sheet) isFlow(d manifest.Document, n *yaml.Node) bool {
	return strings.HasPrefix(f.text[f.offset(d.PlaceOf(n)):], "{")
}

// within puts text behind the brace that a mapping begins with.
func (f sheet) within(d manifest.Document, n *yaml.Node, text string) edit {
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
func (f sheet) without(o *object) (edit, bool) {
	if o.inList {
		return edit{}, false
	}
	at := f.line(o.Line)
	from, to := 0, len(f.text)
	for offset := 0; offset < len(f.text); {
		end := offset + strings.IndexByte(f.text[offset:]+"\n", '\n') + 1
		if rest, ok := strings.CutPrefix(f.text[offset:min(end, len(f.text))], "---"); ok && strings.TrimLeft(rest, " \t\r\n") != rest || ok && rest == "" {
			if offset > at {
				to = offset
				break
			}
			from = offset
		}
		offset = end
	}
	if strings.HasPrefix(strings.TrimSpace(strings.TrimPrefix(f.text[from:to], "---")), "{") && strings.Contains(f.text[from:to], "}\n{") {
		return edit{}, false // JSON values in a row
	}
	if from == 0 && !strings.HasPrefix(f.text, "---") && to < len(f.text) { // the separator behind it goes with it
		to = min(f.line(strings.Count(f.text[:to], "\n")+2), len(f.text))
	}
	return edit{from, to, ""}, true
}
