package record

import (
	"flag"
	"os"
	"testing"

	"github.com/mini-hpa/mini-hpa/test/conformance/generate"
)

var (
	dir   = flag.String("dir", "", "write the recordings to this directory")
	first = flag.Uint64("seed", 1, "the first workload's seed")
	count = flag.Int("workloads", 20, "the number of workloads")
)

// TestWrite records workloads and writes them to a directory, for looking at them.
func TestWrite(t *testing.T) {
	if *dir == "" {
		t.Skip("without -dir there is nothing to write")
	}
	if err := os.MkdirAll(*dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for seed := *first; seed < *first+uint64(*count); seed++ {
		if err := Run(t, generate.New(seed)).Write(*dir); err != nil {
			t.Fatal(err)
		}
	}
}
