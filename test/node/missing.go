package main

import (
	"fmt"
	"io"
)

// requiredVariable, set to required, has the tests fail instead of being skipped where the machine lacks something.
const (
	requiredVariable = "MINI_HPA_NODE"
	required         = "required"
)

// tellMissing says what becomes of the test on this machine, and what is missing, one to a line.
func tellMissing(out io.Writer, missing []string, isRequired bool) {
	becomes := "is SKIPPED here"
	switch {
	case len(missing) == 0:
		fmt.Fprintln(out, "the real node test runs here")
		return
	case isRequired:
		becomes = "FAILS here, since " + requiredVariable + "=" + required
	}
	fmt.Fprintf(out, "the real node test %s; missing:\n", becomes)
	for _, what := range missing {
		fmt.Fprintf(out, "  %s\n", what)
	}
}
