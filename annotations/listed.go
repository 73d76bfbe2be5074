package annotations

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
)

// checkSources holds the lines to what the administrator has listed. Where that is not known they are not judged.
func (p *draft) checkSources(w *Workload, s Surroundings) field.ErrorList {
	if s.Sources == nil {
		return nil
	}
	var problems field.ErrorList
	for i := range p.lines {
		m := &p.lines[i]
		_, found := s.Sources.Resolve(catalog.Workload{Namespace: w.Namespace, Kind: w.Kind.Kind, Name: w.Name}, m.Asked())
		for _, problem := range found {
			problems = append(problems, field.Invalid(Path(SourcesKey).Index(m.Line.Number-1), clean(lineOf(w.Annotations[SourcesKey], m.Line.Number), shown),
				fmt.Sprintf("line %d: %s", m.Line.Number, problem.Message)).WithOrigin(problem.Rule))
		}
	}
	return problems
}
