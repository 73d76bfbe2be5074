package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLintLayouts lints repositories of the kinds that there are, each as a whole: what is said of it stands beside it.
func TestLintLayouts(t *testing.T) {
	const layouts = "testdata/lint/layouts"
	entries, err := os.ReadDir(layouts)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		seen++
		t.Run(entry.Name(), func(t *testing.T) {
			code, stdout, stderr := call(t, "lint", filepath.Join(layouts, entry.Name()))
			said := map[int]string{exitOK: "sound", exitFailure: "errors", exitUsage: "unreadable"}[code]
			text := strings.ReplaceAll(stdout+stderr, layouts+"/"+entry.Name()+"/", "")
			golden(t, filepath.Join(layouts, entry.Name()+".txt"), text+"exit code: "+said+"\n")
		})
	}
	if seen < 10 {
		t.Errorf("%d layouts, want all of them", seen)
	}
}
