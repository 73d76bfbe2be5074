package arch

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/mini-hpa/mini-hpa/docs"
)

var update = flag.Bool("update", false, "write the blocks of docs/symptoms.md anew")

// seen is a part of what a test has seen on a real control plane.
type seen struct {
	// command is what was typed, as users would type it.
	command string
	// file is the golden file of test/e2e that has it, name what the workload is called there, and lines which of its lines are shown: those that have one of the
	// words, in their order; all of them without words. The header of a table is always shown.
	file, name string
	lines      []string
}

const getWeb, explainWeb = "mini-hpa get -n shop web", "mini-hpa explain -n shop web"

// symptoms are the blocks of docs/symptoms.md.
func symptoms() map[string][]seen {
	return map[string][]seen{
		"out": {{getWeb, "fleet.txt", "limited", []string{" limited "}}, {getWeb, "fleet.txt", "ramping", []string{" ramping "}}, {getWeb, "fleet.txt", "denied", []string{" denied "}}},
		"metrics": {{getWeb, "incident-metrics-gone.txt", "web", []string{"test  web  ", "web  cpu"}}, {getWeb, "incident-metrics-down.txt", "web", []string{"web  cpu"}},
			{getWeb, "fleet.txt", "blind", []string{" blind "}}, {getWeb, "incident-source-down.txt", "billed", []string{"billed  "}}},
		"in":            {{explainWeb, "fleet-explained.txt", "held", []string{"/held:", "cpu utilization 25%", "state HOLDING"}}},
		"flaps":         {{"mini-hpa history -n shop web", "incident-flaps.txt", "worker", []string{"TIME"}}},
		"past":          {{"mini-hpa explain -n shop web --at 03:00", "incident-past.txt", "worker", []string{"deployment", "TIME"}}},
		"deploy":        {{getWeb, "fleet.txt", "overwritten", []string{" overwritten "}}},
		"quota":         {{explainWeb, "fleet-explained.txt", "starved", []string{"/starved:", "3 of N pods", "state STARVED"}}},
		"unschedulable": {{explainWeb, "incident-unschedulable.txt", "geo", []string{"/geo:", "cpu utilization", "state STARVED"}}},
		"asleep":        {{explainWeb, "fleet-explained.txt", "asleep", []string{"/asleep:", "no external", "state ASLEEP"}}},
		"awake":         {{explainWeb, "fleet-explained.txt", "woken", []string{"/woken:", "fleet-busy 250"}}},
		"down":          {{getWeb, "fleet-down.txt", "fine", []string{"source:", " fine "}}},
		"invalid":       {{getWeb, "fleet.txt", "requestless", []string{" requestless "}}, {getWeb, "fleet.txt", "conflict", []string{" conflict "}}},
		"reset":         {{"mini-hpa history -n shop web", "incident-reset.txt", "reset", []string{"TIME"}}},
		"refused":       {{"kubectl -n shop annotate deployment web --overwrite mini-hpa/max=20", "incident-webhook-fail.txt", "web", []string{"failed calling webhook"}}},
		"webhook":       {{"mini-hpa doctor", "incident-webhook-ignore.txt", "silent", []string{"FAIL a Deployment", "FAIL the certificate"}}},
		"silent":        {{getWeb, "incident-webhook-ignore.txt", "silent", []string{"silent  -"}}},
	}
}

// filled puts something in the place of what golden files leave out.
var filled = strings.NewReplacer("AGE ago", "9s ago", "AGE old", "9s old", "AGE (N->N)", "4m (3->8)", "AGE (N->4)", "4m (1->4)", "AGE (", "4m (", "N of N", "5 of 8", "3 of N", "3 of 8", "  N  3  N", "  8  3  8", "at N replicas", "at 8 replicas",
	"since TIME", "since 02:31:40", "in TIME", "in 2m10s", "at TIME", "at 2026-11-29 03:00:00", "HOST", "mini-hpa-7c9f8d5b6-x2vtq", "-POD", "-6b9fd4c7d-x8k2p",
	"WEBHOOK", "10.96.7.13:443", "id ID", "id 1b403db1", "fleet-absent", "orders", "fleet-idle", "orders", "fleet-busy", "orders")

// excerpt is what was seen as users would have seen it: with their names, and tables with columns.
func excerpt(t *testing.T, all []seen) string {
	t.Helper()
	var page strings.Builder
	out := tabwriter.NewWriter(&page, 0, 4, 3, ' ', 0)
	for i, s := range all {
		text, err := os.ReadFile(filepath.Join(repository, "test", "e2e", "testdata", s.file))
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			fmt.Fprintf(&page, "$ %s\n", s.command)
		}
		shown := 0
		for line := range strings.Lines(string(text)) {
			head := strings.Contains(line, "NAME  TARGETS")
			if head && (i > 0 || s.command != getWeb) || !head && !slices.ContainsFunc(s.lines, func(word string) bool { return strings.Contains(line, word) }) {
				continue
			}
			fmt.Fprintln(out, s.shown(strings.TrimSuffix(line, "\n"), shown))
			shown++
		}
		if shown == 0 {
			t.Errorf("%s has none of %q", s.file, s.lines)
		}
	}
	if err := out.Flush(); err != nil {
		t.Fatal(err)
	}
	return "```\n" + regexp.MustCompile(` +\n`).ReplaceAllString(page.String(), "\n") + "```"
}

// shown is a line with the names of users, and with tabulators between its cells. It is the nth of its table.
func (s seen) shown(line string, nth int) string {
	line = strings.NewReplacer("/"+s.name+":", "/web:", "/"+s.name+" ", "/web ", "\""+s.name+"\"", `"web"`, s.name+"-POD", "web-POD", "-of-"+s.name, "-of-web").Replace(line)
	line = strings.NewReplacer("test-tight", "shop", "test/", "shop/").Replace(line)
	if row, isRow := strings.CutPrefix(line, "  TIME  "); isRow && !strings.Contains(line, "  WHAT  ") {
		ago := time.Duration(10-nth) * 68 * time.Second
		line = "  " + time.Date(2026, 11, 29, 3, 0, 7, 0, time.UTC).Add(-ago).Format(time.DateTime) + "  " + strings.Replace(row, "AGE", ago.String(), 1)
	}
	words := strings.TrimLeft(line, " ")
	cells := strings.Split(filled.Replace(words), "  ")
	if s.command == getWeb && len(cells) > 5 {
		cells = slices.DeleteFunc(cells, func(cell string) bool { return cell == "NAMESPACE" || cell == "test" || cell == "shop" })
		if cells[0] != "NAME" {
			cells[0] = "web"
		}
	}
	return line[:len(line)-len(words)] + strings.Join(cells, "\t")
}

// TestPagesShowWhatWasSeen: what docs/symptoms.md shows is what the golden files have that tests compare with a real control plane.
func TestPagesShowWhatWasSeen(t *testing.T) {
	blocks := map[string]string{}
	for name, all := range symptoms() {
		blocks[name] = excerpt(t, all)
	}
	docs.Keep(t, filepath.Join(repository, "docs", "symptoms.md"), *update, blocks)
}
