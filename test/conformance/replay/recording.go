package replay

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
	"github.com/mini-hpa/mini-hpa/scaler/trace"
)

// Recording is what the HPA controller saw of one workload and what it decided.
type Recording struct {
	// Seed is what the workload was generated from.
	Seed uint64
	// Object is the workload as it is in the trace's header; nil if the recording was read from a file.
	Object runtime.Object
	// Workload is what mini-hpa reads in it.
	Workload *annotations.Workload
	// Lines are the observations as they are in the trace; empty if it was read from a file.
	Lines [][]byte
	// Snapshots are the observations as they read back from their lines.
	Snapshots []recommend.Snapshot
	// Outcomes are the controller's decisions, one for each observation.
	Outcomes []Outcome
	// Stale is what was left out of the recording (see LeaveOutStale).
	Stale Stale
}

// Stale is what was left out because the HPA controller looked at a workload that somebody else had set to 0, as its condition
// ScaledToZero still said that it had done so itself: so many decisions, and whether it woke the workload.
type Stale struct {
	Decisions int
	Woken     bool
}

// Outcome is what one evaluation came to: the replicas, and the reasons of the HPA's conditions after it.
type Outcome struct {
	Time    time.Time `json:"time"`
	Current int32     `json:"current"`
	Desired int32     `json:"desired"`
	Active  string    `json:"active"`
	Able    string    `json:"able"`
	Limited string    `json:"limited"`
	// Min is the least number of replicas that the HPA allowed: somebody may have edited it since the evaluation before.
	Min int32 `json:"min"`
	// ScaledToZero is the status of the HPA's condition of this name after the evaluation, empty if it has none.
	ScaledToZero string `json:"scaledToZero,omitempty"`
}

const (
	traceSuffix    = ".trace.jsonl.gz"
	decisionSuffix = ".hpa.jsonl"
)

// LeaveOutStale ends a recording where the HPA controller is known to mistake somebody else's 0 for its own, which mini-hpa does not
// copy. Its condition ScaledToZero changes only when it scales: if somebody sets replicas to 3 while the workload is asleep, the
// controller agrees, and somebody sets them to 0, the condition is still true, and the controller wakes what was paused. From then on
// the two remember different things, so nothing after that can be compared.
func (r *Recording) LeaveOutStale() {
	for i := 1; i < len(r.Outcomes); i++ {
		if r.Snapshots[i].Paused != "" && r.Outcomes[i-1].ScaledToZero == "True" {
			r.Stale = Stale{Decisions: len(r.Outcomes) - i, Woken: wakes(r.Outcomes[i:])}
			r.Lines, r.Snapshots, r.Outcomes = r.Lines[:i], r.Snapshots[:i], r.Outcomes[:i]
			return
		}
	}
}

// wakes says that the controller scales from 0 before anybody else does.
func wakes(outcomes []Outcome) bool {
	i := slices.IndexFunc(outcomes, func(o Outcome) bool { return o.Current > 0 || o.Desired > 0 })
	return i >= 0 && outcomes[i].Current == 0
}

// Write writes the trace and the controller's decisions into a directory, as two files named after the seed.
func (r *Recording) Write(dir string) error {
	base := filepath.Join(dir, fmt.Sprintf("%04d", r.Seed))
	if err := r.WriteTrace(base+traceSuffix, len(r.Lines)); err != nil {
		return err
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	for _, o := range r.Outcomes {
		if err := encoder.Encode(o); err != nil {
			return err
		}
	}
	return os.WriteFile(base+decisionSuffix, out.Bytes(), 0o644)
}

// WriteTrace writes the header and the first n observations to a file, for `mini-hpa replay`.
func (r *Recording) WriteTrace(path string, n int) error {
	header := struct {
		Seed     uint64         `json:"seed"`
		Workload runtime.Object `json:"workload"`
	}{r.Seed, r.Object}
	first, err := json.Marshal(header)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	zip, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		return err
	}
	for _, line := range append([][]byte{first}, r.Lines[:n]...) {
		if _, err := zip.Write(append(bytes.Clone(line), '\n')); err != nil {
			return err
		}
	}
	if err := zip.Close(); err != nil {
		return err
	}
	return os.WriteFile(path, out.Bytes(), 0o644)
}

// Traces are the traces in a directory, in the order of their names.
func Traces(dir string) ([]string, error) { return filepath.Glob(filepath.Join(dir, "*"+traceSuffix)) }

// Read reads a recording, given its trace.
func Read(path string) (*Recording, error) {
	base := strings.TrimSuffix(path, traceSuffix)
	r := &Recording{}
	r.Seed, _ = strconv.ParseUint(filepath.Base(base), 10, 64)
	if err := r.readTrace(path); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	text, err := os.ReadFile(base + decisionSuffix)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	for decoder.More() {
		var o Outcome
		if err := decoder.Decode(&o); err != nil {
			return nil, fmt.Errorf("%s: %w", base+decisionSuffix, err)
		}
		r.Outcomes = append(r.Outcomes, o)
	}
	if len(r.Outcomes) != len(r.Snapshots) {
		return nil, fmt.Errorf("%s: %d decisions for %d observations", base+decisionSuffix, len(r.Outcomes), len(r.Snapshots))
	}
	return r, nil
}

func (r *Recording) readTrace(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	in, err := trace.NewReader(file)
	if err != nil {
		return err
	}
	r.Workload = in.Workload()
	for {
		s, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		r.Snapshots = append(r.Snapshots, s)
	}
}
