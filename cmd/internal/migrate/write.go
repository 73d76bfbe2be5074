package migrate

import (
	"io"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/keda"
)

// write writes what was made to standard output.
func (m *migration) write(output string, s cli.Streams) error {
	switch output {
	case outJSON:
		return cli.WriteJSON(s.Out, struct {
			Workloads []*result      `json:"workloads"`
			Sources   []*keda.Source `json:"sources,omitempty"`
		}{m.results, m.file.Sources})
	case outSources:
		_, err := io.WriteString(s.Out, m.file.String())
		return err
	case outManifest:
		return m.writeManifests(s)
	}
	written := 0
	for _, r := range m.results {
		if r.Annotations == nil {
			continue
		}
		if output == outCommand && r.Workload == nil {
			r.unnamed()
			continue
		}
		text, err := patch(r)
		if output == outCommand {
			text = command(r)
		} else if written > 0 {
			text = "---\n" + text
		}
		if err != nil {
			return err
		}
		if _, err := io.WriteString(s.Out, text); err != nil {
			return err
		}
		written++
	}
	return nil
}
