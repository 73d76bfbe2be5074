package replay

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// Recording is what the HPA controller saw of one workload and what it decided.
type Recording struct {
	// Seed is what the workload was generated from.
	Seed uint64
	// Workload is the Deployment with its annotations.
	Workload *appsv1.Deployment
	// Lines are the observations as they are in the trace, Snapshots the same as they read back.
	Lines     [][]byte
	Snapshots []recommend.Snapshot
	// Outcomes are the controller's decisions, one for each observation.
	Outcomes []Outcome
}

// Outcome is what one evaluation came to: the replicas, and the reasons of the HPA's conditions after it.
type Outcome struct {
	Time    time.Time `json:"time"`
	Current int32     `json:"current"`
	Desired int32     `json:"desired"`
	Active  string    `json:"active"`
	Able    string    `json:"able"`
	Limited string    `json:"limited"`
}

type header struct {
	Seed     uint64             `json:"seed"`
	Workload *appsv1.Deployment `json:"workload"`
}

// Files are the two files of a recording: the trace and the controller's decisions.
func Files(dir string, seed uint64) (trace, decisions string) {
	base := filepath.Join(dir, fmt.Sprintf("%04d", seed))
	return base + ".trace.jsonl.gz", base + ".hpa.jsonl"
}

// Write writes both files into a directory.
func (r *Recording) Write(dir string) error {
	trace, decisions := Files(dir, r.Seed)
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	if err := r.WriteTrace(zip, len(r.Lines)); err != nil {
		return err
	}
	if err := zip.Close(); err != nil {
		return err
	}
	if err := os.WriteFile(trace, out.Bytes(), 0o644); err != nil {
		return err
	}
	out.Reset()
	encoder := json.NewEncoder(&out)
	for _, o := range r.Outcomes {
		if err := encoder.Encode(o); err != nil {
			return err
		}
	}
	return os.WriteFile(decisions, out.Bytes(), 0o644)
}

// WriteTrace writes the header and the first n observations.
func (r *Recording) WriteTrace(out io.Writer, n int) error {
	if err := json.NewEncoder(out).Encode(header{Seed: r.Seed, Workload: r.Workload}); err != nil {
		return err
	}
	for _, line := range r.Lines[:n] {
		if _, err := out.Write(append(bytes.Clone(line), '\n')); err != nil {
			return err
		}
	}
	return nil
}

// Read reads both files of a recording.
func Read(trace, decisions string) (*Recording, error) {
	r := &Recording{}
	file, err := os.Open(trace)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	zip, err := gzip.NewReader(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", trace, err)
	}
	in := bufio.NewReader(zip)
	if err := r.readTrace(in); err != nil {
		return nil, fmt.Errorf("%s: %w", trace, err)
	}
	text, err := os.ReadFile(decisions)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	for decoder.More() {
		var o Outcome
		if err := decoder.Decode(&o); err != nil {
			return nil, fmt.Errorf("%s: %w", decisions, err)
		}
		r.Outcomes = append(r.Outcomes, o)
	}
	if len(r.Outcomes) != len(r.Lines) {
		return nil, fmt.Errorf("%s: %d decisions for %d observations", decisions, len(r.Outcomes), len(r.Lines))
	}
	return r, nil
}

func (r *Recording) readTrace(in *bufio.Reader) error {
	var h header
	for {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Workload == nil {
			if err := json.Unmarshal(line, &h); err != nil {
				return err
			}
			r.Seed, r.Workload = h.Seed, h.Workload
			continue
		}
		var s recommend.Snapshot
		if err := json.Unmarshal(line, &s); err != nil {
			return err
		}
		r.Lines, r.Snapshots = append(r.Lines, bytes.TrimSuffix(line, []byte("\n"))), append(r.Snapshots, s)
	}
}
