// Command terminal draws what a command has printed as a terminal shows it, for pages:
//
//	mini-hpa get -A | go run ./terminal 'mini-hpa get -A' >../docs/get.svg
package main

import (
	"errors"
	"fmt"
	"html"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// Sizes in pixels. Characters are as wide as in most fonts of one width: 0.6 of their height.
const (
	height = 13.0
	wide   = 0.6 * height
	line   = 1.45 * height
	margin = 16.0
)

// widest is how many characters of a line are shown; the last one of a longer line says that it goes on.
const widest = 165

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "terminal:", err)
		os.Exit(1)
	}
}

func run(args []string, printed io.Reader, to io.Writer) error {
	if len(args) != 1 {
		return errors.New("want one argument, the command that has printed what is read")
	}
	text, err := io.ReadAll(printed)
	if err != nil {
		return err
	}
	_, err = io.WriteString(to, picture(args[0], strings.Split(strings.TrimRight(string(text), "\n"), "\n")))
	return err
}

// picture is an SVG of a prompt with the command, and of the lines that it has printed.
func picture(command string, lines []string) string {
	columns := utf8.RuneCountInString(command) + 2
	for i, text := range lines {
		if all := []rune(text); len(all) > widest {
			lines[i] = string(all[:widest-1]) + "…"
		}
		columns = max(columns, utf8.RuneCountInString(lines[i]))
	}
	w, h := 2*margin+wide*float64(columns), 2*margin+line*float64(len(lines)+1)
	var svg strings.Builder
	fmt.Fprintf(&svg, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" role="img" aria-label="%s">`+"\n", w, h, html.EscapeString("What "+command+" prints"))
	fmt.Fprintf(&svg, `<rect width="100%%" height="100%%" rx="8" fill="#16202b"/>`+"\n")
	fmt.Fprintf(&svg, `<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="%.0f" fill="#d7e0ea">`+"\n", height)
	fmt.Fprintf(&svg, `<text x="%.0f" y="%.1f"><tspan fill="#7fd18b">$</tspan> %s</text>`+"\n", margin, margin+height, shown(command))
	for i, text := range lines {
		fmt.Fprintf(&svg, `<text x="%.0f" y="%.1f" textLength="%.1f">%s</text>`+"\n", margin, margin+height+line*float64(i+1), wide*float64(utf8.RuneCountInString(text)), shown(text))
	}
	svg.WriteString("</g>\n</svg>\n")
	return svg.String()
}

// shown is a text in SVG, with blanks that no viewer takes for one.
func shown(text string) string {
	return strings.ReplaceAll(html.EscapeString(text), " ", "\u00a0")
}
