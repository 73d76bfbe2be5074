package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mini-hpa/mini-hpa/test/conformance/generate"
	"github.com/mini-hpa/mini-hpa/test/conformance/record"
)

// recorded is how many workloads a planted fault has to show itself in.
const recorded = 250

// TestPlantedFaults is the test of the suite: each of the faults must change a decision of the recorded set.
func TestPlantedFaults(t *testing.T) {
	dir := t.TempDir()
	chosen := spread(faults, *plant)
	for _, f := range faults { // all, so that a change of the recommender does not quietly lose one
		f.planted(t)
	}
	if t.Failed() {
		return
	}
	for seed := *first; seed < *first+recorded; seed++ {
		if err := record.Run(t, generate.New(seed)).Write(dir); err != nil {
			t.Fatal(err)
		}
	}
	if out, status := check(t, dir, ""); status != 0 {
		t.Fatalf("without a fault, the check fails:\n%s", out)
	}
	for _, f := range chosen {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			out, status := check(t, dir, f.overlay(t))
			if status != 1 {
				t.Fatalf("status %d, want 1: the suite does not notice that %s\n%s", status, f.name, out)
			}
			fmt.Fprintf(os.Stdout, "caught: %s (%s)\n", f.name, strings.SplitN(out, "\n", 2)[0])
		})
	}
}

// TestPlantedRepairFaults is the test of the recommender's own tests: each fault in a repair must make one of them fail. The page of the
// decisions does not count, as it shows whatever was changed.
func TestPlantedRepairFaults(t *testing.T) {
	for _, f := range repairFaults {
		f.planted(t)
	}
	if t.Failed() {
		return
	}
	for _, f := range spread(repairFaults, *plant) {
		t.Run(f.name, func(t *testing.T) {
			tests := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-overlay", f.overlay(t), "-skip", "Page", "./scaler/recommend")
			tests.Dir = filepath.Join("..", "..")
			out, err := tests.CombinedOutput()
			if failed := bytes.Contains(out, []byte("--- FAIL: ")); err == nil || !failed {
				t.Fatalf("%v: no test of the recommender notices that %s\n%s", err, f.name, out)
			}
		})
	}
}

// spread chooses n of the faults from all over the list; all if n is negative.
func spread(all []fault, n int) []fault {
	if n < 0 || n >= len(all) {
		return all
	}
	var chosen []fault
	for i := range n {
		chosen = append(chosen, all[i*len(all)/n])
	}
	return chosen
}

// path is the file in the product's source.
func (f fault) path(t *testing.T) string {
	t.Helper()
	file := f.file
	if filepath.Base(file) == file {
		file = filepath.Join("scaler", "recommend", file)
	}
	path, err := filepath.Abs(filepath.Join("..", "..", file))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// planted is the file's text with the fault in it.
func (f fault) planted(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile(f.path(t))
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(text, []byte(f.old)); n != 1 {
		t.Errorf("%s: %q is in %s %d times; want once", f.name, f.old, f.file, n)
	}
	return bytes.Replace(text, []byte(f.old), []byte(f.new), 1)
}

// overlay writes what `go build -overlay` takes: no file of the tree is touched.
func (f fault) overlay(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	source, overlay := filepath.Join(dir, filepath.Base(f.file)), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {f.path(t): source}})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(source, f.planted(t), 0o600), os.WriteFile(overlay, replace, 0o600)); err != nil {
		t.Fatal(err)
	}
	return overlay
}

// check builds the checker, with an overlay or without one, and runs it on the recordings in dir.
func check(t *testing.T, dir, overlay string) (string, int) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "check")
	build := exec.CommandContext(t.Context(), "go", "build", "-overlay", overlay, "-ldflags", "-s -w", "-o", binary, "./check")
	if overlay == "" {
		build = exec.CommandContext(t.Context(), "go", "build", "-ldflags", "-s -w", "-o", binary, "./check")
	}
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), binary, dir).CombinedOutput()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return string(out), exit.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(out), 0
}
