//go:build !linux

package main

import (
	"os"
	"runtime"
	"testing"
)

func TestNode(t *testing.T) {
	if os.Getenv("MINI_HPA_NODE") == "required" {
		t.Fatalf("this machine cannot run a node; it lacks Linux: this is %s", runtime.GOOS)
	}
	t.Skipf("this machine cannot run a node; it lacks Linux: this is %s", runtime.GOOS)
}
