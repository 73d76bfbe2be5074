//go:build !linux

// Command node runs a Kubernetes cluster of one real node, which takes Linux.
package main

import (
	"fmt"
	"os"
	"runtime"
)

// exitImpossible is what the process tells its caller where the machine lacks something.
const exitImpossible = 3

func main() {
	fmt.Fprintf(os.Stderr, "node: this machine cannot run a node; it lacks\n  Linux: this is %s\n", runtime.GOOS)
	os.Exit(exitImpossible)
}
