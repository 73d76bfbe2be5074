//go:build !linux

package main

import (
	"os"
	"testing"
)

func TestNode(t *testing.T) {
	if os.Getenv(requiredVariable) == required {
		t.Fatalf("this machine cannot run a node; it lacks %s", missing())
	}
	t.Skipf("this machine cannot run a node; it lacks %s", missing())
}
