// Package browser opens the pages of "mini-hpa dashboard" in a real browser: Chromium, spoken to by the DevTools protocol over a pipe.
package browser

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mini-hpa/mini-hpa/test/await"
	"github.com/mini-hpa/mini-hpa/test/child"
)

// patience bounds every wait for something that comes soon or never.
const patience = time.Minute

// chromium is a running browser.
type chromium struct {
	process *child.Process
	in      *os.File
	out     *os.File

	mu      sync.Mutex
	asked   int
	answers map[int]chan answer
	tabs    map[string]*tab // by session
	ended   error
}

// message is what comes from the browser: an answer, or an event of a session.
type message struct {
	ID        int             `json:"id"`
	Method    string          `json:"method"`
	SessionID string          `json:"sessionId"`
	Params    json.RawMessage `json:"params"`
	answer
}

type answer struct {
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// installed is the path of Chromium; the error says how to get it.
func installed() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("chromium is not installed: apt-get install --no-install-recommends chromium")
}

// startChromium starts it with a profile in the folder. No name leads anywhere for it but to this machine.
func startChromium(path, folder string) (*chromium, error) {
	theirs, ours, err := pipes()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-pipe", "--user-data-dir="+filepath.Join(folder, "profile"),
		"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-extensions", "--disable-sync",
		"--hide-scrollbars", "--force-color-profile=srgb", "--font-render-hinting=none", "--lang=en-US", "about:blank")
	cmd.ExtraFiles = theirs // descriptors 3 and 4
	process, err := child.Start("chromium", cmd, filepath.Join(folder, "chromium.log"))
	for _, f := range theirs {
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return nil, err
	}
	c := &chromium{process: process, in: ours[0], out: ours[1], answers: map[int]chan answer{}, tabs: map[string]*tab{}}
	go c.listen()
	return c, nil
}

// pipes are the two ends for the browser, to read and to write, and our two, to write and to read.
func pipes() (theirs, ours []*os.File, err error) {
	readIn, writeIn, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	readOut, writeOut, err := os.Pipe()
	return []*os.File{readIn, writeOut}, []*os.File{writeIn, readOut}, err
}

// stop ends it.
func (c *chromium) stop() {
	_ = c.in.Close() // it ends with its pipe, if not sooner
	c.process.Stop(10 * time.Second)
}

// listen hands on what comes until the pipe ends.
func (c *chromium) listen() {
	in := bufio.NewReaderSize(c.out, 1<<20)
	for {
		text, err := in.ReadBytes(0)
		if err != nil {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.ended = fmt.Errorf("chromium has ended: %w", err)
			for _, waits := range c.answers {
				close(waits)
			}
			c.answers = map[int]chan answer{}
			return
		}
		var m message
		if err := json.Unmarshal(text[:len(text)-1], &m); err != nil {
			continue // it is not for us
		}
		c.mu.Lock()
		waits, t := c.answers[m.ID], c.tabs[m.SessionID]
		delete(c.answers, m.ID)
		c.mu.Unlock()
		if waits != nil {
			waits <- m.answer
		}
		if m.Method != "" && t != nil {
			t.happened(m.Method, m.Params)
		}
	}
}

// call asks for something and reads the result into a value; nil reads nothing.
func (c *chromium) call(session, method string, params map[string]any, result any) error {
	waits := make(chan answer, 1)
	c.mu.Lock()
	if c.ended != nil {
		defer c.mu.Unlock()
		return c.ended
	}
	c.asked++
	id := c.asked
	c.answers[id] = waits
	c.mu.Unlock()
	m := map[string]any{"id": id, "method": method, "params": params}
	if params == nil {
		m["params"] = map[string]any{}
	}
	if session != "" {
		m["sessionId"] = session
	}
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if _, err := c.in.Write(append(text, 0)); err != nil {
		return err
	}
	select {
	case a, ok := <-waits:
		switch {
		case !ok:
			return fmt.Errorf("%s: chromium has ended", method)
		case a.Error != nil:
			return fmt.Errorf("%s: %s", method, a.Error.Message)
		case result != nil:
			return json.Unmarshal(a.Result, result)
		}
		return nil
	case <-time.After(2 * patience):
		return fmt.Errorf("%s: no answer", method)
	}
}

// tab is a page in a profile of its own, with what has happened in it.
type tab struct {
	t       *testing.T
	c       *chromium
	session string

	mu sync.Mutex
	// requests are the URLs that were asked for, complaints what the page should not have given reason to: exceptions, violations of its policy, dialogs.
	requests, complaints []string
	// answers are the status codes by URL.
	answers map[string]int
}

// newTab opens a tab, which ends with the test. What should not happen in a page fails the test.
func newTab(t *testing.T) *tab {
	t.Helper()
	c := needChromium(t)
	var profile struct{ BrowserContextID string }
	var target struct{ TargetID string }
	var attached struct{ SessionID string }
	must(t, c.call("", "Target.createBrowserContext", nil, &profile))
	must(t, c.call("", "Target.createTarget", map[string]any{"url": "about:blank", "browserContextId": profile.BrowserContextID}, &target))
	must(t, c.call("", "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached))
	b := &tab{t: t, c: c, session: attached.SessionID, answers: map[string]int{}}
	c.mu.Lock()
	c.tabs[b.session] = b
	c.mu.Unlock()
	t.Cleanup(func() {
		_ = c.call("", "Target.disposeBrowserContext", map[string]any{"browserContextId": profile.BrowserContextID}, nil) // the browser may have ended
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, complaint := range b.complaints {
			t.Errorf("in the page: %s", complaint)
		}
	})
	for _, domain := range []string{"Page", "Runtime", "Log", "Network", "Audits"} {
		b.do(domain+".enable", nil)
	}
	b.size(1280, 900)
	return b
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (b *tab) do(method string, params map[string]any) {
	b.t.Helper()
	must(b.t, b.c.call(b.session, method, params, nil))
}

// happened takes an event.
func (b *tab) happened(method string, params json.RawMessage) {
	var p struct {
		Request  struct{ URL string }
		Response struct {
			URL    string
			Status int
		}
		ExceptionDetails struct {
			Text      string
			Exception struct{ Description string }
		}
		Entry   struct{ Source, Level, Text, URL string }
		Issue   struct{ Code string }
		Message string
	}
	if json.Unmarshal(params, &p) != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch method {
	case "Network.requestWillBeSent":
		b.requests = append(b.requests, p.Request.URL)
	case "Network.responseReceived":
		b.answers[p.Response.URL] = p.Response.Status
	case "Runtime.exceptionThrown":
		b.complaints = append(b.complaints, p.ExceptionDetails.Text+" "+p.ExceptionDetails.Exception.Description)
	case "Page.javascriptDialogOpening":
		b.complaints = append(b.complaints, "a dialog: "+p.Message)
	case "Log.entryAdded":
		if p.Entry.Level == "error" && p.Entry.Source != "network" { // what fails on the way is told otherwise
			b.complaints = append(b.complaints, p.Entry.Source+": "+p.Entry.Text)
		}
	case "Audits.issueAdded":
		if strings.Contains(p.Issue.Code, "ContentSecurityPolicy") {
			b.complaints = append(b.complaints, "against the policy: "+string(params))
		}
	}
}

// open goes to an address.
func (b *tab) open(url string) {
	b.t.Helper()
	b.do("Page.navigate", map[string]any{"url": url})
}

// size sets the window, and dark what the reader prefers.
func (b *tab) size(width, height int) {
	b.t.Helper()
	b.do("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false})
}

func (b *tab) dark(on bool) {
	b.t.Helper()
	scheme := "light"
	if on {
		scheme = "dark"
	}
	b.do("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"}}})
}

// ask evaluates an expression, which may be a promise.
func ask[T any](b *tab, expression string) (T, error) {
	var result struct {
		Result           struct{ Value T }
		ExceptionDetails *struct {
			Exception struct{ Description string }
		}
	}
	err := b.c.call(b.session, "Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true}, &result)
	if err == nil && result.ExceptionDetails != nil {
		err = errors.New(result.ExceptionDetails.Exception.Description)
	}
	return result.Result.Value, err
}

// get is ask that fails the test.
func get[T any](b *tab, expression string) T {
	b.t.Helper()
	v, err := ask[T](b, expression)
	must(b.t, err)
	return v
}

// await returns when an expression is true.
func (b *tab) await(what, expression string) {
	b.t.Helper()
	b.awaitWithin(patience, what, expression)
}

func (b *tab) awaitWithin(patience time.Duration, what, expression string) {
	b.t.Helper()
	err := await.Within(b.t.Context(), patience, 50*time.Millisecond, func(context.Context) error {
		is, err := ask[bool](b, "!!("+expression+")")
		if err == nil && !is {
			err = errors.New("not yet")
		}
		return err
	})
	if err != nil {
		text, _ := ask[string](b, "document.body ? document.body.innerText : ''")
		b.t.Fatalf("%s: %v; the page:\n%s", what, err, text)
	}
}

// press presses a key.
func (b *tab) press(key string, code int) {
	b.t.Helper()
	text := map[string]string{"Enter": "\r", " ": " "}[key]
	for _, kind := range []string{"keyDown", "keyUp"} {
		b.do("Input.dispatchKeyEvent", map[string]any{"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text})
	}
}

// shot is what the window shows, as PNG.
func (b *tab) shot() []byte {
	b.t.Helper()
	var picture struct{ Data string }
	must(b.t, b.c.call(b.session, "Page.captureScreenshot", map[string]any{"format": "png"}, &picture))
	data, err := base64.StdEncoding.DecodeString(picture.Data)
	must(b.t, err)
	return data
}
