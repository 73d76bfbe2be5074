package controlplane

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// holdCluster is the helper's main: it runs a cluster, says what it takes, and waits to be killed.
func holdCluster() {
	c, err := Run(context.Background(), Options{})
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(footprintOf(c))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	select {}
}

func TestComponentsDieWithTheirParent(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	t.Setenv(helperVariable, "1")
	helper := exec.CommandContext(t.Context(), os.Args[0])
	helper.Stderr = os.Stderr
	out, err := helper.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := helper.Start(); err != nil {
		t.Fatal(err)
	}
	var f footprint
	decodeErr := json.NewDecoder(out).Decode(&f)
	inUse := f.inUse()
	if err := helper.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = helper.Wait() // it was killed
	if decodeErr != nil || inUse == nil || len(f.Pids) != len(components()) {
		t.Fatalf("the helper's cluster: %v, footprint %+v", decodeErr, f)
	}
	t.Cleanup(func() { // the orphans of a failed test
		for _, pid := range f.Pids {
			if t.Failed() {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	})
	eventually(t, func(context.Context) error { return f.inUse() })
}
