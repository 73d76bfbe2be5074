package schema

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/test/npm"
)

// editor is what editors do with yaml-language-server: they speak its protocol over its standard input and output, and answer what it asks.
type editor struct {
	t        *testing.T
	in       io.Writer
	out      *bufio.Reader
	settings map[string]any // of the workspace, under "yaml"
	asked    int
	// marks are what it has said of documents, by URI, each time anew.
	marks map[string][]mark
}

// mark is what is wrong at a line, which is counted from 0.
type mark struct {
	Range struct {
		Start struct{ Line int }
	}
	Message string
}

// message is any of the protocol's.
type message struct {
	ID     any             `json:"id,omitempty"`
	Method string          `json:"method,omitempty"`
	Params json.RawMessage `json:"params,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  json.RawMessage `json:"error,omitempty"`
}

// open is an editor that has opened a folder. It asks nobody for the schemas of other kinds of files.
func open(t *testing.T, folder string, settings map[string]any) *editor {
	t.Helper()
	modules, err := npm.Modules(t.Context(), filepath.Join("testdata", "editor"))
	switch {
	case errors.Is(err, npm.ErrMissing) && os.Getenv("CI") != "true":
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
	all := map[string]any{"validate": true, "hover": true, "completion": true, "schemaStore": map[string]any{"enable": false}}
	for name, value := range settings {
		all[name] = value
	}
	server := exec.CommandContext(t.Context(), "node", filepath.Join(modules, "yaml-language-server", "bin", "yaml-language-server"), "--stdio")
	in, err := server.StdinPipe()
	must(t, err)
	out, err := server.StdoutPipe()
	must(t, err)
	must(t, server.Start())
	t.Cleanup(func() { _ = server.Wait() }) // the end of the test's context has killed it
	e := &editor{t: t, in: in, out: bufio.NewReader(out), settings: all, marks: map[string][]mark{}}
	uri := "file://" + folder
	e.ask("initialize", map[string]any{"processId": os.Getpid(), "rootUri": uri, "workspaceFolders": []any{map[string]any{"uri": uri, "name": "deploy"}},
		"capabilities": map[string]any{"workspace": map[string]any{"configuration": true}}}, nil)
	e.tell("initialized", struct{}{})
	return e
}

func (e *editor) send(m map[string]any) {
	e.t.Helper()
	m["jsonrpc"] = "2.0"
	text, err := json.Marshal(m)
	must(e.t, err)
	_, err = fmt.Fprintf(e.in, "Content-Length: %d\r\n\r\n%s", len(text), text)
	must(e.t, err)
}

func (e *editor) tell(method string, params any) {
	e.t.Helper()
	e.send(map[string]any{"method": method, "params": params})
}

// ask waits for the answer.
func (e *editor) ask(method string, params, into any) {
	e.t.Helper()
	e.asked++
	e.send(map[string]any{"id": e.asked, "method": method, "params": params})
	for {
		m := e.next()
		if m.Method != "" || m.ID != float64(e.asked) {
			continue
		}
		if m.Error != nil {
			e.t.Fatalf("%s: %s", method, m.Error)
		}
		if into != nil {
			must(e.t, json.Unmarshal(m.Result, into))
		}
		return
	}
}

// next reads a message of the server's, and does what it says.
func (e *editor) next() message {
	e.t.Helper()
	header, err := textproto.NewReader(e.out).ReadMIMEHeader()
	must(e.t, err)
	length, err := strconv.Atoi(header.Get("Content-Length"))
	must(e.t, err)
	text := make([]byte, length)
	_, err = io.ReadFull(e.out, text)
	must(e.t, err)
	var m message
	must(e.t, json.Unmarshal(text, &m))
	switch {
	case m.Method == "workspace/configuration":
		var asked struct{ Items []struct{ Section string } }
		must(e.t, json.Unmarshal(m.Params, &asked))
		answers := make([]any, len(asked.Items))
		for i, item := range asked.Items {
			if item.Section == "yaml" {
				answers[i] = e.settings
			}
		}
		e.send(map[string]any{"id": m.ID, "result": answers})
	case m.Method != "" && m.ID != nil:
		e.send(map[string]any{"id": m.ID, "result": nil})
	case m.Method == "textDocument/publishDiagnostics":
		var said struct {
			URI         string
			Diagnostics []mark
		}
		must(e.t, json.Unmarshal(m.Params, &said))
		e.marks[said.URI] = append([]mark{}, said.Diagnostics...)
	}
	return m
}

// show opens a document.
func (e *editor) show(path, text string) (uri string) {
	e.t.Helper()
	uri = "file://" + path
	e.tell("textDocument/didOpen", map[string]any{"textDocument": map[string]any{"uri": uri, "languageId": "yaml", "version": 1, "text": text}})
	return uri
}

// marked is what the server has against a document, by its lines.
func (e *editor) marked(path, text string) map[string]string {
	e.t.Helper()
	uri := e.show(path, text)
	for e.marks[uri] == nil {
		e.next()
	}
	found, lines := map[string]string{}, strings.Split(text, "\n")
	for _, m := range e.marks[uri] {
		found[strings.TrimSpace(lines[m.Range.Start.Line])] += m.Message
	}
	return found
}

// manifest is a Deployment with these lines among its annotations.
func manifest(first string, lines ...string) string {
	return first + "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  annotations:\n    " + strings.Join(lines, "\n    ") + "\nspec:\n  replicas: 1\n"
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestEditors: set up in either way that docs/admission.md names, yaml-language-server marks each mistake in its line, in words of mini-hpa, and nothing else.
func TestEditors(t *testing.T) {
	folder := t.TempDir()
	published, err := os.ReadFile(filepath.Join("..", "..", "docs", "mini-hpa.schema.json"))
	must(t, err)
	file := filepath.Join(folder, "mini-hpa.schema.json")
	must(t, os.WriteFile(file, published, 0o600))
	for way, set := range map[string]struct {
		first    string
		settings map[string]any
	}{
		"a line of the manifest names the file beside it": {"# yaml-language-server: $schema=mini-hpa.schema.json\n", nil},
		"a line of the manifest names a file elsewhere":   {"# yaml-language-server: $schema=" + file + "\n", nil},
		"the settings of the workspace":                   {"", map[string]any{"schemas": map[string]any{"./mini-hpa.schema.json": "deploy/*.yaml"}}},
	} {
		t.Run(way, func(t *testing.T) {
			e := open(t, folder, set.settings)
			for name, test := range map[string]struct {
				lines []string
				want  map[string]string
			}{
				"right":            {[]string{`mini-hpa/target-cpu: "50"`, `mini-hpa/max: "10"`, `example.com/owner: 'shop'`}, map[string]string{}},
				"of others":        {[]string{`example.com/max: "x"`}, map[string]string{}},
				"a wrong value":    {[]string{`mini-hpa/target-cpu: "50"`, `mini-hpa/max: ten`, `mini-hpa/mode: auto`}, map[string]string{`mini-hpa/max: ten`: "must be a whole number of replicas from 0 to 2147483647, in digits only"}},
				"a number":         {[]string{`mini-hpa/target-cpu: "50"`, `mini-hpa/max: 10`}, map[string]string{`mini-hpa/max: 10`: "the value of an annotation is text: write it in quotes"}},
				"a misspelt name":  {[]string{`mini-hpa/target-cpu: "50"`, `mini-hpa/max: "10"`, `mini-hpa/maximum: "20"`}, map[string]string{`mini-hpa/maximum: "20"`: "mini-hpa has no annotation of this name"}},
				"no bound":         {[]string{`mini-hpa/target-cpu: "50"`}, map[string]string{"annotations:": `Missing property "mini-hpa/max".`}},
				"nothing to go by": {[]string{`mini-hpa/max: "10"`}, map[string]string{"annotations:": "there is nothing to scale on: set " + measures()}},
				"two mistakes": {[]string{`mini-hpa/target-cpu: fifty`, `mini-hpa/max: "10"`, `mini-hpa/warm-up: "30"`}, map[string]string{
					`mini-hpa/target-cpu: fifty`: `must be a percent of the CPU request above 0 such as "50" or "50%", or an amount for each pod from "1m" to "1000000000m" in whole millicores such as "250m"`,
					`mini-hpa/warm-up: "30"`:     `must be a duration from "0s" to "30m", with a unit, such as "90s"`}},
			} {
				path := filepath.Join(folder, "deploy", name+".yaml")
				first := set.first
				if strings.Contains(first, "=mini-hpa.schema.json") {
					path = filepath.Join(folder, name+".yaml")
				}
				if diff := cmp.Diff(test.want, e.marked(strings.ReplaceAll(path, " ", "-"), manifest(first, test.lines...))); diff != "" {
					t.Errorf("%s (-want +got):\n%s", name, diff)
				}
			}
		})
	}
}

// measures are the annotations of which one is needed.
func measures() string {
	var names []string
	for _, row := range annotations.Rows() {
		if row.IsMetric() {
			names = append(names, row.Name)
		}
	}
	return strings.Join(names, " or ")
}

// TestEditorsHelp: an editor says of each annotation what it means, and completes the names of those that are not there yet, with a value in quotes.
func TestEditorsHelp(t *testing.T) {
	folder := t.TempDir()
	schema, err := filepath.Abs(filepath.Join("..", "..", "docs", "mini-hpa.schema.json"))
	must(t, err)
	first, e := "# yaml-language-server: $schema="+schema+"\n", open(t, folder, nil)
	lines := make([]string, 0, len(annotations.Rows()))
	for _, row := range annotations.Rows() {
		lines = append(lines, fmt.Sprintf("%s: %q", row.Name, row.Examples[0]))
	}
	place := func(uri string, line, column int) map[string]any {
		return map[string]any{"textDocument": map[string]any{"uri": uri}, "position": map[string]any{"line": line, "character": column}}
	}
	uri := e.show(filepath.Join(folder, "all.yaml"), manifest(first, lines...))
	const above = 6 // lines of a manifest
	for i, row := range annotations.Rows() {
		var hover struct{ Contents struct{ Value string } }
		e.ask("textDocument/hover", place(uri, above+i, 8), &hover)
		meaning, _, _ := strings.Cut(strings.ReplaceAll(row.Doc, "`", ""), ".")
		if !strings.Contains(strings.ReplaceAll(hover.Contents.Value, `\`, ""), meaning) {
			t.Errorf("%s is said to mean %q, want %q", row.Name, hover.Contents.Value, meaning)
		}
	}
	uri = e.show(filepath.Join(folder, "begun.yaml"), manifest(first, `mini-hpa/target-cpu: "50"`, "mini-"))
	var offered struct {
		Items []struct{ Label, InsertText string }
	}
	e.ask("textDocument/completion", place(uri, above+1, 9), &offered)
	inserted := map[string]string{}
	for _, item := range offered.Items {
		inserted[item.Label] = item.InsertText
	}
	for _, row := range annotations.Rows() {
		if _, ok := inserted[row.Name]; ok == (row.Name == annotations.TargetCPU) {
			t.Errorf("%s is offered: %t", row.Name, ok)
		}
	}
	if got, want := inserted[annotations.Max], `mini-hpa/max: ${1:"10"}`; got != want {
		t.Errorf("for %s it writes %s, want %s", annotations.Max, got, want)
	}
}

// TestEditorsKnowTheRestToo: by the settings of the workspace, what an editor knows of the kind is marked beside what it knows of annotations; a line of the manifest
// takes the place of all else.
func TestEditorsKnowTheRestToo(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]any{
		"mini-hpa.schema.json": nil,
		"kind.json":            map[string]any{"properties": map[string]any{"spec": map[string]any{"properties": map[string]any{"replicas": map[string]any{"type": "integer"}}}}},
	} {
		data, err := json.Marshal(text)
		if text == nil {
			data, err = os.ReadFile(filepath.Join("..", "..", "docs", name))
		}
		must(t, err)
		must(t, os.WriteFile(filepath.Join(folder, name), data, 0o600))
	}
	e := open(t, folder, map[string]any{"schemas": map[string]any{"./mini-hpa.schema.json": "deploy/*.yaml", "./kind.json": "deploy/*.yaml"}})
	for first, want := range map[string]map[string]string{
		"": {"mini-hpa/max: ten": "must be a whole number of replicas from 0 to 2147483647, in digits only", "replicas: one": `Incorrect type. Expected "integer".`},
		"# yaml-language-server: $schema=../mini-hpa.schema.json\n": {"mini-hpa/max: ten": "must be a whole number of replicas from 0 to 2147483647, in digits only"},
	} {
		text := strings.Replace(manifest(first, `mini-hpa/target-cpu: "50"`, "mini-hpa/max: ten"), "replicas: 1", "replicas: one", 1)
		if diff := cmp.Diff(want, e.marked(filepath.Join(folder, "deploy", fmt.Sprintf("%d.yaml", len(first))), text)); diff != "" {
			t.Errorf("with %q (-want +got):\n%s", first, diff)
		}
	}
}
