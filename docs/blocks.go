// Package docs holds the users' pages. They are Markdown that people write; what the code knows better stands in blocks of a page that the tests of
// that code render, compare and, when asked to (make update-docs), write anew:
//
//	<!-- begin generated: findings -->
//	...
//	<!-- end generated: findings -->
//
// A block may also stand within a line. Nothing of the product imports this package.
package docs

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Keep fails the test unless the page at path, which is relative to the test's own folder, holds the blocks, by name, word for word.
// With update it writes them into the page instead.
func Keep(t testing.TB, path string, update bool, blocks map[string]string) {
	t.Helper()
	written, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page, err := Fill(string(written), blocks)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if update {
		err = os.WriteFile(path, []byte(page), 0o644)
	} else if diff := cmp.Diff(string(written), page); diff != "" {
		t.Errorf("%s is stale, run make update-docs (-page +code):\n%s", path, diff)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Fill returns the page with its blocks replaced. Each of them has to be there once, with its end behind its beginning.
func Fill(page string, blocks map[string]string) (string, error) {
	for _, name := range slices.Sorted(maps.Keys(blocks)) {
		begin, end := "<!-- begin generated: "+name+" -->", "<!-- end generated: "+name+" -->"
		before, rest, ok := strings.Cut(page, begin)
		old, after, closed := strings.Cut(rest, end)
		if !ok || !closed || strings.Contains(old+after, begin) || strings.Contains(after, end) {
			return "", fmt.Errorf("wants one %q and one %q behind it", begin, end)
		}
		text := strings.TrimSpace(blocks[name])
		if strings.HasPrefix(rest, "\n") {
			text = "\n" + text + "\n"
		}
		page = before + begin + text + end + after
	}
	return page, nil
}
