package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestWhatIsPrintedIsShown(t *testing.T) {
	t.Parallel()
	const printed = "NAME   WHY\nweb    <needs> 8 & \"max\" is 5\n"
	var svg strings.Builder
	if err := run([]string{"mini-hpa get"}, strings.NewReader(printed), &svg); err != nil {
		t.Fatal(err)
	}
	var shown strings.Builder
	for decoder := xml.NewDecoder(strings.NewReader(svg.String())); ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if text, ok := token.(xml.CharData); ok {
			shown.Write(text)
		}
	}
	if want := "$ mini-hpa get\n" + printed; !strings.Contains(strings.ReplaceAll(shown.String(), "\u00a0", " "), want) {
		t.Errorf("%q does not show %q", &shown, want)
	}
	svg.Reset()
	if err := run([]string{"mini-hpa get"}, strings.NewReader(strings.Repeat("a", widest+1)), &svg); err != nil || !strings.Contains(svg.String(), ">"+strings.Repeat("a", widest-1)+"…<") {
		t.Errorf("a long line is not cut: %v\n%s", err, &svg)
	}
	if err := run(nil, strings.NewReader(printed), &svg); err == nil {
		t.Error("no command is no error")
	}
}
