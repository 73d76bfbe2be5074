package browser

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mini-hpa/mini-hpa/test/npm"
)

// axe is the program by which others judge whether pages are for all: axe-core. The error is npm.ErrMissing where that is missing.
func axe(ctx context.Context) (string, error) {
	modules, err := npm.Modules(ctx, filepath.Join("testdata", "axe"))
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(filepath.Join(modules, "axe-core", "axe.min.js"))
	return string(text), err
}

// finding is what axe-core finds, and where.
type finding struct {
	ID, Help string
	Nodes    []struct{ Target []any }
}

// judged is what axe-core has against the page as it is, by all its rules but those about taste. It runs beside the page's own scripts, not among them, so that the page's
// policy stays what it is.
func (b *tab) judged(script string) []finding {
	b.t.Helper()
	var frames struct {
		FrameTree struct{ Frame struct{ ID string } }
	}
	must(b.t, b.c.call(b.session, "Page.getFrameTree", nil, &frames))
	var world struct{ ExecutionContextID int }
	must(b.t, b.c.call(b.session, "Page.createIsolatedWorld", map[string]any{"frameId": frames.FrameTree.Frame.ID, "worldName": "axe"}, &world))
	var result struct {
		Result           struct{ Value string }
		ExceptionDetails *struct {
			Exception struct{ Description string }
		}
	}
	for _, expression := range []string{script + "\n;''", `axe.run(document, {resultTypes: ['violations']}).then(r => JSON.stringify(r.violations.map(v => ({id: v.id, help: v.help, nodes: v.nodes.map(n => ({target: n.target}))}))))`} {
		must(b.t, b.c.call(b.session, "Runtime.evaluate", map[string]any{"expression": expression, "contextId": world.ExecutionContextID, "returnByValue": true, "awaitPromise": true}, &result))
		if result.ExceptionDetails != nil {
			b.t.Fatal(result.ExceptionDetails.Exception.Description)
		}
	}
	var found []finding
	must(b.t, json.Unmarshal([]byte(result.Result.Value), &found))
	return found
}

// TestOthersJudgeThePages: axe-core finds nothing on any page, in both schemes and on a telephone, and finds what is planted.
func TestOthersJudgeThePages(t *testing.T) {
	s := newStub(t, 0)
	script, err := axe(t.Context())
	switch {
	case errors.Is(err, npm.ErrMissing) && os.Getenv("CI") != "true":
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
	d := serve(t, s.kubeconfig, s.flagsWithTraces(t)...)
	b := d.open(t)
	for _, path := range []string{"/", "/w/shop/deployments.apps/web", "/system"} {
		for name, set := range map[string]func(){"light": func() { b.dark(false); b.size(1280, 900) }, "dark": func() { b.dark(true); b.size(1280, 900) }, "telephone": func() { b.dark(false); b.size(390, 844) }} {
			set()
			b.open(d.base + path)
			b.await(path+" is drawn", drawn)
			for _, f := range b.judged(script) {
				t.Errorf("%s, %s: %s: %s: %v", path, name, f.ID, f.Help, f.Nodes)
			}
		}
	}
	get[bool](b, `(() => { document.querySelector('main').append(document.createElement('button')); return true })()`)
	if found := b.judged(script); len(found) != 1 || found[0].ID != "button-name" {
		t.Errorf("a button without a name: %v", found)
	}
}

// TestTheFocusIsSeen: whoever goes through a page by keyboard sees where he is, in the order in which the page is read.
func TestTheFocusIsSeen(t *testing.T) {
	s := newStub(t, 0)
	d := serve(t, s.kubeconfig, s.flagsWithTraces(t)...)
	b := d.open(t)
	for _, path := range []string{"/", "/w/shop/deployments.apps/web", "/system"} {
		for _, dark := range []bool{false, true} {
			b.dark(dark)
			b.open(d.base + path)
			b.await(path+" is drawn", drawn)
			get[bool](b, `(() => { window.visited = []; window.wrapped = false; return true })()`)
			for range 40 {
				b.press("Tab", 9)
				if wrong := get[string](b, visited); wrong != "" {
					t.Errorf("%s, dark %t: %s", path, dark, wrong)
				}
			}
			if n := get[int](b, "window.visited.length"); n < 4 {
				t.Errorf("%s, dark %t: only %d things have the focus by keyboard", path, dark, n)
			}
		}
	}
	get[bool](b, `(() => { const plain = new CSSStyleSheet(); plain.replaceSync('* { outline: none !important; box-shadow: none !important }'); document.adoptedStyleSheets = [plain]; window.visited = []; window.wrapped = false; return true })()`)
	wrong := ""
	for range 5 { // from the end of the page, the first press leads out of it
		b.press("Tab", 9)
		wrong += get[string](b, visited)
	}
	if !strings.Contains(wrong, "nothing shows that it has the focus") {
		t.Errorf("without outlines: %q", wrong)
	}
}

// visited notes what has the focus, and says what is wrong with it: nothing shows it, it is not seen, or it stands before what had it last. When it is at the first again, all is
// visited: what is drawn anew meanwhile, such as the chips, is not another place.
const visited = `(() => {
	const e = document.activeElement;
	if (window.visited.length > 1 && e === window.visited[0]) window.wrapped = true;
	if (!e || e === document.body || window.wrapped || window.visited.includes(e)) return '';
	const last = window.visited.at(-1), style = getComputedStyle(e), name = e.localName + '.' + e.getAttribute('class') + ' ' + e.textContent.trim().slice(0, 30);
	window.visited.push(e);
	if (!e.matches(':focus-visible') || (style.outlineStyle === 'none' || parseFloat(style.outlineWidth) < 1) && style.boxShadow === 'none') return name + ': nothing shows that it has the focus';
	if (!e.checkVisibility({opacityProperty: true, visibilityProperty: true})) return name + ': has the focus and is not seen';
	if (last && last.isConnected && last.compareDocumentPosition(e) & Node.DOCUMENT_POSITION_PRECEDING) return name + ': comes after ' + last.localName + ', which is behind it';
	return '';
})()`
