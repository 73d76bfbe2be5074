package migrate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mini-hpa/mini-hpa/annotations/hpa"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
)

// The values of -o.
const (
	outPatch    = "patch"
	outCommand  = "command"
	outManifest = "manifest"
	outSources  = "sources"
	outJSON     = "json"
	outYAML     = "yaml"
)

// result is what came of one object.
type result struct {
	From reference `json:"from"`
	// Workload is what carries the annotations; nil if there are none.
	Workload    *reference        `json:"workload,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Remarks     []hpa.Remark      `json:"remarks,omitempty"`
	object      *object
}

func (r *result) lost() bool {
	return slices.ContainsFunc(r.Remarks, func(m hpa.Remark) bool { return m.Lost })
}

// unnamed remarks that nothing can be annotated.
func (r *result) unnamed() {
	r.Remarks = append(r.Remarks, hpa.Remark{Path: r.From.Name, Why: "does not say of which workload, so that nothing can be annotated", Do: "use -o patch", Lost: true})
}

// tell writes the remarks, one line each.
func (r *result) tell(command string, s cli.Streams) {
	for _, m := range r.Remarks {
		word := "note"
		if m.Lost {
			word = "lost"
		}
		text := m.Path
		if m.Value != "" {
			text += " " + cli.Quote(m.Value)
		}
		if text += " " + m.Why; m.Do != "" {
			text += "; " + m.Do
		}
		fmt.Fprintf(s.Err, "mini-hpa %s: %s%s: %s: %s\n", command, cli.Clean(r.object.place(m.Path, m.Member)), word, r.From.title(), cli.Clean(strings.TrimSpace(text)))
	}
}
