//go:build !linux

// Command node runs a Kubernetes cluster of one real node, which takes Linux.
package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
)

// exitImpossible is what the process tells its caller where the machine lacks something.
const exitImpossible = 3

func main() {
	missing := missing()
	if slices.Equal(os.Args[1:], []string{"missing"}) {
		tellMissing(os.Stdout, missing, os.Getenv(requiredVariable) == required)
	} else {
		fmt.Fprintf(os.Stderr, "node: this machine cannot run a node; it lacks\n  %s\n", strings.Join(missing, "\n  "))
	}
	os.Exit(exitImpossible)
}

func missing() []string { return []string{"Linux: this is " + runtime.GOOS} }
