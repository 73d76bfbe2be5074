package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
)

func TestDocs(t *testing.T) { clitest.Golden(t, "../../docs/cli.md", cliDocs()) }

// cliDocs is docs/cli.md.
func cliDocs() string {
	var b strings.Builder
	b.WriteString("# The command line\n\n<!-- Generated from cmd/mini-hpa by `go test ./cmd/mini-hpa -run TestDocs -update`. Do not edit. -->\n\n")
	b.WriteString("| command | what it does |\n| --- | --- |\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "| [`mini-hpa %s`](#mini-hpa-%s) | %s |\n", c.Name, c.Name, c.Summary)
	}
	b.WriteString("\n`mini-hpa COMMAND --help` shows the same on the terminal. Data goes to standard output, messages and logs to standard error.\n\n" +
		"| exit code | meaning |\n| --- | --- |\n| 0 | done |\n| 1 | could not be done |\n| 2 | not asked for properly, or a file that cannot be used: standard error says what was expected, and where |\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "\n## mini-hpa %s\n\n    %s\n\n%s\n\n| flag | default | meaning | allowed |\n| --- | --- | --- | --- |\n", c.Name, c.UsageLine("mini-hpa"), c.About)
		c.Flags(c.Task()).VisitAll(func(f *pflag.Flag) { b.WriteString(flagRow(f)) })
	}
	return b.String()
}

func flagRow(f *pflag.Flag) string {
	placeholder, usage := pflag.UnquoteUsage(f)
	name := "`--" + strings.TrimSpace(f.Name+" "+placeholder) + "`"
	if f.Shorthand != "" {
		name = "`-" + f.Shorthand + "`, " + name
	}
	value := ""
	if f.DefValue != "" {
		value = "`" + f.DefValue + "`"
	}
	cells := []string{name, value, usage, cli.Allowed(f)}
	for i := range cells {
		cells[i] = strings.ReplaceAll(cells[i], "|", "\\|")
	}
	return "| " + strings.Join(cells, " | ") + " |\n"
}

func TestEveryFlagIsDocumented(t *testing.T) {
	for _, c := range commands() {
		c.Flags(c.Task()).VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" || f.Value.Type() == "" || cli.Allowed(f) == "" {
				t.Errorf("%s --%s: %q, %q, %q", c.Name, f.Name, f.Usage, f.Value.Type(), cli.Allowed(f))
			}
			if err := f.Value.Set(f.DefValue); err != nil && f.DefValue != "" {
				t.Errorf("%s --%s refuses its own default %q", c.Name, f.Name, f.DefValue)
			}
		})
	}
}
