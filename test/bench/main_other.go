//go:build !linux

// Command bench holds mini-hpa against the HPA controller. It reads what processes use from /proc, which only Linux has.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "bench: what processes use is read from /proc: this needs Linux")
	os.Exit(1)
}
