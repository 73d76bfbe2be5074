package trace

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// Writer writes a trace. It keeps of pods and the workload only what a decision can depend on; environment variables,
// arguments and foreign annotations never get into a trace.
type Writer struct{ out io.Writer }

// NewWriter writes the header, for a workload of any kind.
func NewWriter(out io.Writer, of *annotations.Workload) (*Writer, error) {
	w := &Writer{out: out}
	if err := w.line(headerOf(of)); err != nil {
		return nil, fmt.Errorf("cannot write the trace's header: %w", err)
	}
	return w, nil
}

// Write writes one observation as one line, in a single Write of the underlying writer.
func (w *Writer) Write(s recommend.Snapshot) error {
	if err := w.line(slimSnapshot(s)); err != nil {
		return fmt.Errorf("cannot write the observation of %s: %w", s.Time, err)
	}
	return nil
}

func (w *Writer) line(value any) error {
	text, err := encode(value)
	if err != nil {
		return err
	}
	_, err = w.out.Write(text)
	return err
}

// encode is one line, with its end.
func encode(value any) ([]byte, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	return append(text, '\n'), nil
}
