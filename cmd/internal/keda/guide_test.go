package keda

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTheGuideKnowsTheTriggers: the first table of "Coming from KEDA" in docs/sources.md has the triggers that are converted, and the second none of them.
func TestTheGuideKnowsTheTriggers(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/sources.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## Coming from KEDA\n")
	tables := strings.Split(section, "| trigger |")
	if len(tables) != 3 {
		t.Fatalf("there are %d tables", len(tables)-1)
	}
	converted := triggersOf(tables[1])
	if diff := cmp.Diff(slices.Sorted(maps.Keys(kinds())), converted); diff != "" {
		t.Errorf("the first table (-converted +said):\n%s", diff)
	}
	others := triggersOf(tables[2])
	if len(others) < 20 {
		t.Errorf("the second table has %d triggers", len(others))
	}
	for _, name := range others {
		if slices.Contains(converted, name) {
			t.Errorf("%s is in both tables", name)
		}
	}
}

// triggersOf are the names in the first cells of a table.
func triggersOf(table string) []string {
	var names []string
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) != 4 {
			continue
		}
		for _, found := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[1], -1) {
			names = append(names, found[1])
		}
	}
	slices.Sort(names)
	return names
}
