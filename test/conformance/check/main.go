// Check replays recorded traces and compares every decision with the HPA controller's. It stops at the first difference,
// with exit status 1. It is what planted faults are built into.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/mini-hpa/mini-hpa/test/conformance/replay"
)

func main() {
	all := flag.Bool("all", false, "do not stop at the first difference; print how many traces differ")
	flag.Parse()
	os.Exit(check(flag.Arg(0), *all))
}

// check returns the exit status: 1 for a difference, 2 for traces that cannot be read.
func check(dir string, all bool) int {
	paths, err := replay.Traces(dir)
	if err != nil || len(paths) == 0 {
		fmt.Fprintf(os.Stderr, "no traces in %q: %v\n", dir, err)
		return 2
	}
	decisions, differences := 0, 0
	for _, path := range paths {
		r, err := replay.Read(path)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 2
		}
		d, err := replay.Compare(r)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 2
		}
		if d != nil {
			fmt.Fprintf(os.Stdout, "after %d decisions in trace %d\n", decisions+d.Index+1, r.Seed)
			fmt.Fprintln(os.Stdout, d)
			if differences++; !all {
				return 1
			}
		}
		decisions += len(r.Outcomes)
	}
	fmt.Fprintf(os.Stdout, "%d decisions in %d traces, %d of which differ\n", decisions, len(paths), differences)
	return min(differences, 1)
}
