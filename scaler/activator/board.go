package activator

import (
	"sync"

	"github.com/mini-hpa/mini-hpa/annotations/serves"
)

// board tells those who watch which ports have changed. It keeps no state: they look for themselves when they are ready for more, so that one who
// is slow misses what was in between, and holds up nobody.
type board struct {
	mu       sync.Mutex
	watchers map[*watcher]struct{}
	process  serves.Process
}

// watcher is one who watches.
type watcher struct {
	news    chan struct{} // holds one when there is something in what follows
	changed map[*port]struct{}
	process bool
}

func newBoard(start string) *board {
	return &board{watchers: map[*watcher]struct{}{}, process: serves.Process{Start: start}}
}

// watch adds a watcher, for whom all these ports, and the process, are news.
func (b *board) watch() *watcher {
	w := &watcher{news: make(chan struct{}, 1), changed: map[*port]struct{}{}, process: true}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.watchers[w] = struct{}{}
	return w
}

func (b *board) unwatch(w *watcher) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.watchers, w)
}

// mark says that a port has changed.
func (b *board) mark(p *port) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for w := range b.watchers {
		w.changed[p] = struct{}{}
		w.wake()
	}
}

// drain says that the process ends.
func (b *board) drain() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.process.Draining = true
	for w := range b.watchers {
		w.process = true
		w.wake()
	}
}

// take returns what has changed since it was last asked; the process is nil if it has not.
func (b *board) take(w *watcher) (*serves.Process, map[*port]struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var process *serves.Process
	if w.process {
		process = new(b.process)
	}
	changed := w.changed
	w.process, w.changed = false, map[*port]struct{}{}
	return process, changed
}

// about is what is told of the process.
func (b *board) about() serves.Process {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.process
}

func (w *watcher) wake() {
	select {
	case w.news <- struct{}{}:
	default:
	}
}
