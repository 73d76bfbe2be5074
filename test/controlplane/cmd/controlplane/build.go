//go:build unix

package main

import (
	"context"
	"maps"
	"slices"

	"github.com/mini-hpa/mini-hpa/test/controlplane/binaries"
)

// build makes what is missing, so that a test started afterwards does not seem to hang.
func (a *app) build(ctx context.Context) error {
	ensure := binaries.Ensure
	if a.node {
		ensure = binaries.EnsureNode
	}
	files, err := ensure(ctx, a.stderr)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := a.print("%-24s %s\n", name, files[name]); err != nil {
			return err
		}
	}
	return nil
}
