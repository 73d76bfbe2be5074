package conformance

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/mini-hpa/mini-hpa/test/conformance/generate"
	"github.com/mini-hpa/mini-hpa/test/conformance/record"
	"github.com/mini-hpa/mini-hpa/test/conformance/replay"
)

// suite is what all workloads together came to.
type suite struct {
	mu       sync.Mutex
	coverage replay.Coverage
	account  replay.Account
	differ   int
}

// TestConformance runs the HPA controller on generated workloads. In compatibility mode every decision must be its
// decision; by default every other decision must be accounted for by a repair.
func TestConformance(t *testing.T) {
	s, dir := &suite{}, *show
	if dir == "" {
		dir = filepath.Join(os.TempDir(), "mini-hpa-conformance")
	}
	fmt.Fprintf(os.Stdout, "seeds %d to %d\n", *first, *first+uint64(*workloads)-1)
	t.Run("workloads", func(t *testing.T) {
		for seed := *first; seed < *first+uint64(*workloads); seed++ {
			t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
				t.Parallel()
				s.run(t, seed, dir)
			})
		}
	})
	if err := s.coverage.Print(os.Stdout); err != nil {
		t.Error(err)
	}
	if err := s.account.Print(os.Stdout); err != nil {
		t.Error(err)
	}
	s.judge(t)
}

func (s *suite) run(t *testing.T, seed uint64, dir string) {
	r := record.Run(t, generate.New(seed))
	if *write != "" {
		if err := errors.Join(os.MkdirAll(*write, 0o755), r.Write(*write)); err != nil {
			t.Error(err)
		}
	}
	policy, err := r.Policy()
	if err != nil {
		t.Fatal(err)
	}
	d, err := replay.Compare(r)
	if err != nil {
		t.Fatal(err)
	}
	var account replay.Account
	if err := account.Add(r); err != nil {
		t.Fatal(err)
	}
	for _, complaint := range account.Complaints[:min(len(account.Complaints), 2)] {
		t.Errorf("default mode: %s", complaint)
	}
	if d != nil {
		t.Errorf("%s\n  mini-hpa replay --hpa-compat %s", d, keep(t, dir, d))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.coverage.Add(r, policy)
	s.account.Merge(account)
	if d != nil {
		s.differ++
	}
	if s.coverage.Workloads%50 == 0 {
		fmt.Fprintf(os.Stdout, "%d workloads, %d decisions, %d workloads differ\n", s.coverage.Workloads, s.coverage.Decisions, s.differ)
	}
}

// keep writes the shortest trace that shows the difference.
func keep(t *testing.T, dir string, d *replay.Difference) string {
	t.Helper()
	path := filepath.Join(dir, fmt.Sprintf("%04d.trace.jsonl.gz", d.Recording.Seed))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := d.Recording.WriteTrace(path, d.Index+1); err != nil {
		t.Fatal(err)
	}
	return path
}

func (s *suite) judge(t *testing.T) {
	t.Helper()
	if *workloads >= 120 {
		for _, name := range s.coverage.Missing() {
			t.Errorf("%q never occurred: the suite does not test it", name)
		}
	}
	if s.coverage.Decisions < *least {
		t.Errorf("%d decisions, want at least %d", s.coverage.Decisions, *least)
	}
	if s.coverage.Zeros < *zeros {
		t.Errorf("%d decisions with 0 replicas or a min of 0, want at least %d", s.coverage.Zeros, *zeros)
	}
}
