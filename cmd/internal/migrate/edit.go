package migrate

import (
	"io"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/mini-hpa/mini-hpa/annotations/hpa"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
)

// change is what one result does to the files.
type change struct {
	*result
	workload *object
	// annotated adds the annotations to the workload. Gone leaves out what scales it; nil if that does not stand in a document of its own.
	annotated edit
	gone      *edit
}

// rewriting is what is changed in the files.
type rewriting struct {
	*migration
	// sheets are the files, by their names.
	sheets map[string]*sheet
	edits  map[string][]edit
	// annotated are the annotations that workloads get, gone is what is left out.
	annotated map[*object]map[string]string
	gone      map[*object]bool
}

// writeManifests writes the files once more: all that is not changed stays as it is written, with its comments.
func (m *migration) writeManifests(s cli.Streams) error {
	all := m.rewriting()
	var planned []change
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
		if c, ok := all.change(r); ok {
			planned = append(planned, c)
		} else {
			r.unwritable()
		}
	}
	if all.take(planned...); !all.isMeant(m.names...) {
		all = all.halved(planned)
	}
	for _, c := range planned {
		if all.annotated[c.workload] != nil && !all.gone[c.object] {
			c.Remarks = append(c.Remarks, hpa.Remark{Why: "is still there, because it does not stand in a document of its own", Do: "remove it by hand", Lost: true})
		}
	}
	return all.write(s)
}

func (r *result) unwritable() {
	r.Remarks = append(r.Remarks, hpa.Remark{Path: "spec.scaleTargetRef", Value: r.Workload.Name, Why: "is written in a way in which nothing can be added to it alone", Do: "use -o patch", Lost: true})
}

func (m *migration) rewriting() *rewriting {
	sheets := make(map[string]*sheet, len(m.texts))
	for name, text := range m.texts {
		sheets[name] = newSheet(text)
	}
	return (&rewriting{migration: m, sheets: sheets}).again()
}

// again is a rewriting of the same files that changes nothing yet.
func (w *rewriting) again() *rewriting {
	return &rewriting{migration: w.migration, sheets: w.sheets, edits: map[string][]edit{}, annotated: map[*object]map[string]string{}, gone: map[*object]bool{}}
}

// change is what a result does. It is false if its workload cannot be annotated.
func (w *rewriting) change(r *result) (change, bool) {
	o := w.workload(r)
	made, ok := w.sheets[o.File].annotate(o.document, r.Annotations)
	c := change{result: r, workload: o, annotated: made}
	if gone, ok := w.sheets[r.From.File].without(r.object); ok {
		c.gone = &gone
	}
	return c, ok
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

// take makes changes.
func (w *rewriting) take(changes ...change) {
	for _, c := range changes {
		w.edits[c.workload.File] = append(w.edits[c.workload.File], c.annotated)
		w.annotated[c.workload] = c.Annotations
		if c.gone != nil {
			w.edits[c.From.File] = append(w.edits[c.From.File], *c.gone)
			w.gone[c.object] = true
		}
	}
}

// halved makes those changes after which the files say what they are to say, and remarks on the others. To know that, files are read once more, so that
// many changes are tried together, and in halves where one of them may not be made: of a thousand a single one costs twenty looks.
func (w *rewriting) halved(changes []change) *rewriting {
	var taken []change
	last := w.again()
	var try func([]change)
	try = func(some []change) {
		next := w.again()
		next.take(taken...)
		next.take(some...)
		switch {
		case next.isMeant(filesOf(some)...):
			taken, last = append(taken, some...), next
		case len(some) == 1:
			some[0].unwritable()
		default:
			try(some[:len(some)/2])
			try(some[len(some)/2:])
		}
	}
	if len(changes) > 0 {
		try(changes)
	}
	return last
}

// filesOf are the files that changes are made in.
func filesOf(changes []change) []string {
	names := sets.New[string]()
	for _, c := range changes {
		names.Insert(c.From.File, c.workload.File)
	}
	return sets.List(names)
}

// isMeant reads edited files, and says whether they have the objects that they are to have: anchors, for one, may lead elsewhere.
func (w *rewriting) isMeant(names ...string) bool {
	for _, name := range names {
		edited := objects{texts: map[string]string{}}
		edited.readText(name, apply(w.texts[name], w.edits[name]))
		var want, got []string
		for _, o := range w.in(name) {
			if o.section == nil && !w.gone[o] {
				want = append(want, string(o.with(w.annotated[o]).json()))
			}
		}
		for _, o := range edited.objects {
			if o.section == nil {
				got = append(got, string(o.json()))
			}
		}
		if !slices.Equal(want, got) || edited.broken[name] != w.broken[name] {
			return false
		}
	}
	return true
}
