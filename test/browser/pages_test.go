package browser

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mini-hpa/mini-hpa/scaler"
)

// TestRowsChangeByThemselves: the load of a real workload rises, and its row says so without a reload.
func TestRowsChangeByThemselves(t *testing.T) {
	const ns = "live"
	w := realWorld(t, ns)
	w.setLoads(t, ns, map[string]string{"web": "400m"})
	w.deploy(t, ns, "web", map[string]string{"mini-hpa/target-cpu": "50", "mini-hpa/max": "10", "mini-hpa/sync-period": "1s"})
	c := w.lead(t, ns)
	b := serve(t, w.kubeconfig, append(c.flags, "--context=mini-hpa")...).open(t)
	row := `[...document.querySelectorAll('tbody tr')].find(r => r.querySelector('.name a').textContent === 'web')`
	b.awaitWithin(2*patience, "the row says 40% and one replica", row+`.querySelector('.targets').textContent.includes('40%') && `+row+`.querySelector('.replicas').textContent === '1'`)
	b.await("the leader is named", `document.getElementById('source').textContent.startsWith('leader ')`)
	get[bool](b, "window.loadedOnce = true")
	w.setLoads(t, ns, map[string]string{"web": "2400m"})
	b.await("the row says five replicas", row+`.querySelector('.replicas').textContent.startsWith('5')`)
	b.await("and how many there were", row+`.querySelector('.last').textContent.includes('→ 5')`)
	if !get[bool](b, "window.loadedOnce === true") {
		t.Error("the page was loaded again")
	}
	// Its own page explains it, and tries other annotations.
	b.open(get[string](b, row+`.querySelector('a').href`))
	b.await("the decision is explained", `[...document.querySelectorAll('summary')].some(s => s.textContent === 'Reasoning')`)
	b.await("what happened is told", `document.body.innerText.includes('→ 5, New size: 5; reason: cpu')`)
	b.await("what can be tried", `document.querySelector('input[name="mini-hpa/max"]')`)
	get[bool](b, `(() => { const i = document.querySelector('input[name="mini-hpa/max"]'); i.value = '7'; i.dispatchEvent(new Event('input', {bubbles: true})); return true })()`)
	b.await("the command can be copied", `document.querySelector('.command code').textContent === 'kubectl annotate --context=mini-hpa --overwrite -n live deployments.apps/web mini-hpa/max=7'`)
}

// TestWhatIsOldLooksOld: when the controller is killed a line across the page says so, and when the command itself does not answer any more the page turns grey; it never goes blank.
func TestWhatIsOldLooksOld(t *testing.T) {
	const ns = "killed"
	w := realWorld(t, ns)
	w.deploy(t, ns, "web", map[string]string{"mini-hpa/target-cpu": "50", "mini-hpa/max": "10"})
	w.setLoads(t, ns, map[string]string{"web": "400m"})
	c := w.lead(t, ns)
	b := serve(t, w.kubeconfig, c.flags...).open(t)
	b.awaitWithin(2*patience, "the leader tells", `document.getElementById('source').textContent.startsWith('leader ') && document.querySelectorAll('tbody tr').length === 1`)
	if !get[bool](b, "document.getElementById('banner').hidden") {
		t.Error("there is a banner while all is well: " + get[string](b, "document.getElementById('banner').textContent"))
	}
	get[bool](b, `(() => { window.blank = 0; setInterval(() => { if (!document.querySelector('tbody tr')) window.blank++ }, 20); return true })()`)
	c.Kill()
	b.await("it is said that it is computed here", `!document.getElementById('banner').hidden && document.getElementById('banner').textContent.startsWith('Computed here')`)
	b.awaitWithin(2*patience, "then that nobody leads", `document.getElementById('banner').textContent.includes('nothing will be scaled') && document.querySelector('tbody .state').textContent === 'DOWN'`)
	if n := get[int](b, "window.blank"); n != 0 {
		t.Errorf("the page was blank %d times", n)
	}
}

// TestADashboardThatHasEnded leaves a page that says so.
func TestADashboardThatHasEnded(t *testing.T) {
	s := newStub(t, 3)
	t.Run("while it runs", func(t *testing.T) {
		b := serve(t, s.kubeconfig, s.flags...).open(t)
		b.await("all rows", "document.querySelectorAll('tbody tr').length === 3")
		// The page's clock is put forward, in place of waiting: nothing that was heard is newer than 40 s then.
		get[bool](b, "(() => { const now = performance.now.bind(performance); performance.now = () => now() + 40000; for (const f of ['hear']) window[f] = () => {}; return true })()")
		b.await("it looks old", "document.body.classList.contains('stale') && document.getElementById('banner').textContent.startsWith('Nothing was heard for ')")
		if n := get[int](b, "document.querySelectorAll('tbody tr').length"); n != 3 {
			t.Errorf("%d rows are left, want 3", n)
		}
	})
}

// TestManyTabs: those that are not seen leave the connections of the browser to the others, and are told what is new when they are seen again.
func TestManyTabs(t *testing.T) {
	s := newStub(t, 0)
	d := serve(t, s.kubeconfig, s.flags...)
	b := d.open(t)
	b.await("rows", `document.querySelectorAll('tbody tr').length > 5`)
	see := func(hidden bool) {
		get[bool](b, fmt.Sprintf(`(() => { Object.defineProperty(document, 'hidden', {value: %t, configurable: true}); document.dispatchEvent(new Event('visibilitychange')); return true })()`, hidden))
	}
	get[bool](b, `(() => { window.listening = 0; const real = EventSource; window.EventSource = class extends real { constructor(u) { super(u); window.listening++ } close() { super.close(); window.listening-- } }; window.EventSource.CLOSED = 2; return true })()`)
	get[bool](b, `(() => { document.querySelector('tbody a').focus(); return true })()`)
	see(true)
	see(false)
	b.await("it listens again", `window.listening === 1`)
	b.await("the rows, with the focus", `document.querySelectorAll('tbody tr').length > 5 && document.activeElement.closest('tbody')`)
	see(true)
	if n := get[int](b, `window.listening`); n != 0 {
		t.Errorf("a tab that is not seen has %d connections", n)
	}
}

// TestTheStepsGoOn also when one of them has the focus, which stays where it is.
func TestTheStepsGoOn(t *testing.T) {
	s := newStub(t, 0)
	d := serve(t, s.kubeconfig, s.flagsWithTraces(t)...)
	b := d.open(t)
	b.open(d.base + "/w/shop/deployments.apps/web")
	b.await("it is drawn", drawn)
	get[bool](b, `(() => { const s = [...document.querySelectorAll('summary')].find(s => s.textContent === 'Reasoning'); s.focus(); s.closest('details').dataset.old = 1; return true })()`)
	b.await("new steps, with the focus", `!document.querySelector('details[data-old]') && document.activeElement.localName === 'summary' && document.activeElement.textContent === 'Reasoning'`)
	// What is emptied is removed, and what is refused is no command.
	for value, want := range map[string]string{"": "kubectl annotate --overwrite -n shop deployments.apps/web mini-hpa/min-", "x": ""} {
		get[bool](b, fmt.Sprintf(`(() => { const i = document.querySelector('input[name="mini-hpa/min"]'); i.value = %q; i.dispatchEvent(new Event('input', {bubbles: true})); return true })()`, value))
		b.await(fmt.Sprintf("the command of %q", value), fmt.Sprintf(`document.querySelector('.command').checkVisibility() === %t && document.querySelector('.command code').textContent === %q && (%[1]t || document.querySelector('.try + div .problem'))`, want != "", want))
	}
}

// TestTextOfTheClusterIsText: markup and escapes in annotations of a real Deployment are shown as they are, and run nothing.
func TestTextOfTheClusterIsText(t *testing.T) {
	const ns, hostile = "hostile", `<script>alert(1)</script><img src=x onerror=alert(2)>` + "\x1b[31m\u202e"
	w := realWorld(t, ns)
	w.deploy(t, ns, "web", map[string]string{"mini-hpa/target-cpu": hostile, "mini-hpa/max": "10", "mini-hpa/metrics": `[{"type":"` + hostile + `"}]`})
	c := w.lead(t, ns)
	b := serve(t, w.kubeconfig, c.flags...).open(t)
	b.awaitWithin(2*patience, "the row is INVALID", `document.querySelector('tbody .state')?.textContent === 'INVALID'`)
	if why := get[string](b, `document.querySelector('tbody .why').textContent`); !strings.Contains(why, "<script>alert(1)</script><img src=x onerror=alert(2)>") || strings.ContainsAny(why, "\x1b\u202e") {
		t.Errorf("it is shown as %q", why)
	}
	b.open(get[string](b, `document.querySelector('tbody a').href`))
	b.await("its page says why", `document.querySelector('.problem')?.textContent.includes('<script>alert(1)</script>')`)
	if n := get[int](b, `document.querySelectorAll('script:not([src]), img:not([src="/icon.svg"])').length`); n != 0 {
		t.Errorf("%d elements came from text", n)
	}
	// The policy of the page would have stopped it, too.
	if text, err := ask[string](b, `(() => { document.body.innerHTML = '<b>x</b>'; return 'done' })()`); err == nil || !strings.Contains(err.Error(), "TrustedHTML") {
		t.Errorf("text became markup: %q, %v", text, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.complaints = nil // the one about the line before
}

// TestWhatWouldNotBeSeen is shown as an escape, as in a terminal, wherever it comes from.
func TestWhatWouldNotBeSeen(t *testing.T) {
	s := newStub(t, 1)
	s.mu.Lock()
	s.rows[0].Why, s.rows[0].Targets[0].Metric = "a\x1b[31mb\u202ec\u00a0d", "e\x00f"
	s.mu.Unlock()
	b := serve(t, s.kubeconfig, s.flags...).open(t)
	b.await("the row", "document.querySelectorAll('tbody tr').length === 1")
	if why, target := get[string](b, `document.querySelector('tbody .why').textContent`), get[string](b, `document.querySelector('tbody .target').textContent`); why != `a\x1b[31mb\u202ec\xa0d` || target != `e\x00f 34% / 50%` {
		t.Errorf("it is shown as %q and %q", why, target)
	}
}

// TestTheControllersPageSaysWhatDoctorFinds as text, when it is opened and when somebody wants it again, and not each time that the page is told of something.
func TestTheControllersPageSaysWhatDoctorFinds(t *testing.T) {
	s := newStub(t, 1)
	s.mu.Lock()
	s.rows[0].State, s.rows[0].Why = scaler.StateInvalid, "<img src=x onerror=alert(1)>\x1b[31m"
	s.mu.Unlock()
	d := serve(t, s.kubeconfig, s.flags...)
	b := d.open(t)
	b.open(d.base + "/system")
	const row = `[...document.querySelectorAll('.found tr')].find(r => r.textContent.includes('deploy/web-0 is INVALID'))`
	b.await("what doctor finds", row)
	if text := get[string](b, row+`.textContent`); !strings.HasPrefix(text, `failshop deploy/web-0 is INVALID: <img src=x onerror=alert(1)>\x1b[31m; next: mini-hpa explain `) {
		t.Errorf("it is shown as %q", text)
	}
	if n := get[int](b, `document.querySelectorAll('img:not([src="/icon.svg"])').length`); n != 0 {
		t.Errorf("%d elements came from text", n)
	}
	examined := func(want int) {
		t.Helper()
		b.mu.Lock()
		defer b.mu.Unlock()
		n := 0
		for _, url := range b.requests {
			if strings.HasPrefix(url, d.base+"/doctor?") {
				n++
			}
		}
		if n != want {
			t.Errorf("doctor was asked for %d times, want %d", n, want)
		}
	}
	get[bool](b, `(() => { document.querySelector('.checks:not(.found) tr').dataset.old = 1; return true })()`)
	b.await("the page is told again of the controller", `document.querySelector('.checks:not(.found) tr') && !document.querySelector('tr[data-old]')`)
	examined(1)
	get[bool](b, row+`.remove() || true`)
	get[bool](b, `(() => { document.querySelector('.found').closest('.card').querySelector('button').click(); return true })()`)
	b.await("it looks again", row)
	examined(2)
}

// TestThePageIsForOneBrowser: not for another one, not for a name that leads here, not for a page of another port in the same browser.
func TestThePageIsForOneBrowser(t *testing.T) {
	s := newStub(t, 1)
	d := serve(t, s.kubeconfig, s.flags...)
	mine := d.open(t)
	mine.await("the row", "document.querySelectorAll('tbody tr').length === 1")
	other := newTab(t)
	other.open(d.base + "/")
	other.await("another browser is told to open the URL", `document.body.innerText.includes('open the URL that mini-hpa dashboard has printed')`)
	for name, c := range map[string]struct {
		method, host string
		code         int
	}{"a name": {http.MethodGet, "evil.example", http.StatusMisdirectedRequest}, "no cookie": {http.MethodGet, "", http.StatusForbidden}, "a write": {http.MethodPost, "", http.StatusMethodNotAllowed}} {
		r, err := http.NewRequestWithContext(t.Context(), c.method, d.first, http.NoBody)
		must(t, err)
		if r.Host = c.host; name == "no cookie" {
			r.URL.RawQuery = ""
		}
		answer, err := http.DefaultClient.Do(r)
		must(t, err)
		_, _ = io.Copy(io.Discard, answer.Body)
		if _ = answer.Body.Close(); answer.StatusCode != c.code {
			t.Errorf("%s: answered %d, want %d", name, answer.StatusCode, c.code)
		}
	}
	// Cookies do not tell ports apart: this page's requests have it, and its server learns it.
	cookies := make(chan []*http.Cookie, 100)
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cookies <- r.Cookies()
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<!doctype html><iframe src="%[1]s/"></iframe><img src="%[1]s/icon.svg" onerror="document.title += ' img'"><script src="%[1]s/app.js" onerror="document.title += ' script'"></script>
<script>fetch('%[1]s/stream', {credentials: 'include'}).catch(() => { document.title += ' fetch'; });
</script>`, d.base)
	}))
	t.Cleanup(evil.Close)
	mine.open(evil.URL)
	mine.await("what it can see of them fails", `['img', 'script', 'fetch'].every(w => document.title.includes(w))`)
	learned := <-cookies
	if len(learned) != 1 {
		t.Errorf("another port was sent %v", learned)
	}
	for path, want := range map[string]int{"/": http.StatusOK, "/stream": http.StatusForbidden, "/stream/system": http.StatusForbidden, "/doctor": http.StatusForbidden} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.base+path, http.NoBody)
		must(t, err)
		for _, c := range learned {
			r.AddCookie(c)
		}
		answer, err := http.DefaultClient.Do(r)
		must(t, err)
		if _ = answer.Body.Close(); answer.StatusCode != want {
			t.Errorf("%s with the cookie that another port was sent: answered %d, want %d", path, answer.StatusCode, want)
		}
	}
	mine.mu.Lock()
	defer mine.mu.Unlock()
	mine.complaints = nil // the frame that was refused
}

// TestTwoThousandRows are drawn a hundred at a time, and take little memory.
func TestTwoThousandRows(t *testing.T) {
	s := newStub(t, 2000)
	b := serve(t, s.kubeconfig, s.flags...).open(t)
	b.await("the first rows, and how many more there are", `document.querySelectorAll('tbody tr').length === 100 && document.querySelector('.more button').textContent === 'Show more (1900)'`)
	paint := get[float64](b, `performance.getEntriesByName('first-contentful-paint')[0]?.startTime || 0`)
	b.do("HeapProfiler.collectGarbage", nil)
	var heap struct{ UsedSize float64 }
	must(t, b.c.call(b.session, "Runtime.getHeapUsage", nil, &heap))
	t.Logf("first paint after %.0f ms, heap %.1f MB", paint, heap.UsedSize/1e6)
	if heap.UsedSize > 150e6 {
		t.Errorf("the heap has %.0f MB, want less than 150", heap.UsedSize/1e6)
	}
	get[bool](b, `(() => { const i = document.querySelector('input[type=search]'); i.value = 'web-1999'; i.dispatchEvent(new Event('input')); return true })()`)
	b.await("the one that is searched for, also in the address", `document.querySelectorAll('tbody tr').length === 1 && location.search === '?q=web-1999'`)
}

// TestReadersWithoutAMouse: every page is read and used by keyboard, has names for what can be used, enough contrast in both schemes, and fits 390 pixels.
func TestReadersWithoutAMouse(t *testing.T) {
	s := newStub(t, 0)
	d := serve(t, s.kubeconfig, s.flagsWithTraces(t)...)
	b := d.open(t)
	b.await("rows", `document.querySelectorAll('tbody tr').length > 5`)
	focus := `document.activeElement`
	for i := 0; !get[bool](b, focus+`.className.includes('chip') && `+focus+`.textContent.startsWith('STARVED')`); i++ {
		if b.press("Tab", 9); i > 30 {
			t.Fatal("no chip of STARVED comes by the tabulator")
		}
	}
	b.press("Enter", 13)
	b.await("only those", `document.querySelectorAll('tbody tr').length === 1 && location.search === '?state=STARVED' && `+focus+`.getAttribute('aria-pressed') === 'true'`)
	for i := 0; !get[bool](b, focus+`.closest('tbody') !== null`); i++ {
		if b.press("Tab", 9); i > 30 {
			t.Fatal("no row comes by the tabulator")
		}
	}
	b.press("Enter", 13)
	b.await("its page", `location.pathname.startsWith('/w/')`)
	for _, path := range []string{"/", "/w/shop/deployments.apps/web", "/system"} {
		b.open(d.base + path)
		b.await(path+" is drawn", drawn)
		for _, dark := range []bool{false, true} {
			b.dark(dark)
			for _, f := range get[[]string](b, faint) {
				t.Errorf("%s, dark %t: too little contrast: %s", path, dark, f)
			}
		}
		b.dark(false)
		for _, name := range nameless(t, b) {
			t.Errorf("%s: %s has no name", path, name)
		}
		b.size(390, 844)
		b.await(path+" fits a telephone", `document.documentElement.scrollWidth <= 390`)
		b.size(1280, 900)
	}
}

// drawn says that a page has what it was asked for.
const drawn = `document.querySelector('tbody tr, .chart .replicas, .checks tr') && document.getElementById('source').textContent.startsWith('leader') && (location.pathname !== '/w/shop/deployments.apps/web' || document.querySelector('details'))`

// faint are the texts whose contrast is below 4.5, or below 3 where they are large (WCAG 2.2, 1.4.3).
const faint = `(() => {
	const light = c => { const [r, g, b] = c.map(v => { v /= 255; return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4 }); return .2126 * r + .7152 * g + .0722 * b };
	const color = text => { const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number); return [[r, g, b], a] };
	const ground = e => { for (; e; e = e.parentElement) { const [c, a] = color(getComputedStyle(e).backgroundColor); if (a > .9) return c } return [255, 255, 255] };
	const found = new Set();
	for (const e of document.querySelectorAll('body *')) {
		const text = [...e.childNodes].filter(n => n.nodeType === 3).map(n => n.data.trim()).join('');
		if (!text || !e.checkVisibility() || e.closest('.skip')) continue;
		const style = getComputedStyle(e), [a, b] = [light(color(e instanceof SVGElement ? style.fill : style.color)[0]), light(ground(e))], ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
		const large = parseFloat(style.fontSize) >= 24 || parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700;
		if (ratio < (large ? 3 : 4.5)) found.add(e.tagName + '.' + e.getAttribute('class') + ' ' + ratio.toFixed(2) + ' ' + text.slice(0, 30));
	}
	return [...found];
})()`

// nameless are what can be used and has no name for those who do not see it.
func nameless(t *testing.T, b *tab) []string {
	t.Helper()
	var tree struct {
		Nodes []struct {
			Ignored    bool
			Role, Name struct{ Value any }
		}
	}
	must(t, b.c.call(b.session, "Accessibility.getFullAXTree", nil, &tree))
	var found []string
	used := 0
	for _, n := range tree.Nodes {
		switch role := fmt.Sprint(n.Role.Value); role {
		case "button", "link", "textbox", "searchbox", "combobox", "image", "table":
			if used++; !n.Ignored && (n.Name.Value == nil || n.Name.Value == "") && role != "table" {
				found = append(found, role)
			}
		}
	}
	if used < 4 {
		t.Errorf("only %d things can be used", used)
	}
	return found
}

// TestNothingLeavesTheMachine: all that the three pages ask for is asked of the command.
func TestNothingLeavesTheMachine(t *testing.T) {
	s := newStub(t, 0)
	d := serve(t, s.kubeconfig, s.flags...)
	b := d.open(t)
	for _, path := range []string{"/", "/w/shop/deployments.apps/web", "/system"} {
		b.open(d.base + path)
		b.await(path+" is drawn", drawn)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.requests) < 10 {
		t.Errorf("only %d requests: %v", len(b.requests), b.requests)
	}
	for _, url := range b.requests {
		if !strings.HasPrefix(url, d.base+"/") {
			t.Errorf("asked for %s", url)
		}
	}
}
