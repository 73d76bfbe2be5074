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

// writeManifests writes the files once more: all that is not changed stays as it is written, with its comments.
func (m *migration) writeManifests(s cli.Streams) error {
	edits := map[string][]edit{}
	for _, r := range m.results {
		if r.Annotations == nil {
			continue
		}
		if r.Workload == nil {
			r.unnamed()
			continue
		}
		w := m.workload(r)
		if w == nil {
			r.Remarks = append(r.Remarks, hpa.Remark{Path: "spec.scaleTargetRef", Value: r.Workload.Name, Why: "is in none of the files, so that nothing can be annotated", Do: "use -o patch", Lost: true})
			continue
		}
		f := sheet{text: m.texts[w.File]}
		edits[w.File] = append(edits[w.File], f.annotate(w.document, r.Annotations))
		if gone, ok := (sheet{text: m.texts[r.From.File]}).without(r.object); ok {
			edits[r.From.File] = append(edits[r.From.File], gone)
		} else {
			r.Remarks = append(r.Remarks, hpa.Remark{Why: "is still there, because it does not stand in a document of its own", Do: "remove it by hand", Lost: true})
		}
	}
	for i, name := range m.names {
		text := apply(m.texts[name], edits[name])
		if i > 0 && !strings.HasPrefix(text, "---") {
			text = "---\n" + text
		}
		if _, err := io.WriteString(s.Out, text); err != nil {
			return err
		}
	}
	return nil
}

// apply makes the edits, none of which is within another one.
func apply(text string, edits []edit) string {
	slices.SortFunc(edits, func(a, b edit) int { return cmp.Compare(b.from, a.from) })
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

// annotate adds annotations to an object:
//
//	metadata:          or   {"annotations": {"a": "1"}, name: web}
//	  annotations:
//	    a: "1"
//	  name: web
func (f sheet) annotate(d manifest.Document, all map[string]string) edit {
	metadataName, metadata := d.Walk("metadata")
	name, value := d.Walk("metadata", "annotations")
	isMapping := value != nil && value.Kind == yaml.MappingNode
	switch {
	case isMapping && f.isFlow(d, value):
		return f.within(d, value, flow(all))
	case isMapping || value != nil:
		at := f.line(d.PlaceOf(name).Line + 1)
		indent := d.PlaceOf(name).Column + 1
		if isMapping && len(value.Content) > 0 {
			indent = d.PlaceOf(value.Content[0]).Column - 1
		}
		return edit{at, at, f.broken(at) + block(all, indent)}
	case f.isFlow(d, metadata):
		return f.within(d, metadata, `"annotations": {`+flow(all)+`}`)
	}
	at, indent := f.line(d.PlaceOf(metadataName).Line+1), d.PlaceOf(metadata.Content[0]).Column-1
	return edit{at, at, f.broken(at) + strings.Repeat(" ", indent) + "annotations:\n" + block(all, indent+2)}
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
