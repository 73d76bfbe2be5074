package dashboard

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"sync"
)

// hub holds what is known, for all tabs together. Each change of a part of it has a number, so that a tab is told what is new to it, also after
// it was away.
type hub struct {
	// epoch tells this process from others, whose numbers mean nothing here.
	epoch string

	mu sync.Mutex
	// seq is the number of the last change.
	seq  int
	head head
	// order are the IDs of the rows, the worst states first.
	order []string
	rows  map[string]*numbered
	// gone are the numbers of rows that have gone. It is empty again from time to time; who has seen nothing after the number forgot is told all anew.
	gone   map[string]int
	forgot int
	// looks are what tabs look at: workloads by their IDs, tableID and controllerID.
	looks map[string]*look
	// changed is closed at the next change.
	changed chan struct{}
}

// What tabs look at besides workloads.
const (
	tableID      = "*"
	controllerID = ""
)

// numbered is something as JSON, and the number of its last change.
type numbered struct {
	text json.RawMessage
	seq  int
}

// set takes a value, and says whether it is another one.
func (n *numbered) set(v any, seq int) (bool, error) {
	text, err := json.Marshal(v)
	if err != nil || bytes.Equal(text, n.text) {
		return false, err
	}
	n.text, n.seq = text, seq
	return true, nil
}

// look is something that so many tabs look at.
type look struct {
	numbered
	tabs int
}

// mostGone is how many rows that have gone are remembered.
const mostGone = 1000

func newHub(epoch string, h head) *hub {
	return &hub{epoch: epoch, head: h, rows: map[string]*numbered{}, gone: map[string]int{}, looks: map[string]*look{}, changed: make(chan struct{})}
}

// wake tells all tabs that there is news. The lock is held.
func (h *hub) wake() {
	close(h.changed)
	h.changed = make(chan struct{})
}

// told takes a new table, the worst states first.
func (h *hub) told(about *head, rows []*row) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer h.wake()
	h.seq++
	about.Scope, about.Args, about.Lease, about.Since = h.head.Scope, h.head.Args, h.head.Lease, h.head.Since
	before := h.rows
	h.head, h.order, h.rows = *about, nil, make(map[string]*numbered, len(rows))
	for _, r := range rows {
		id := r.id()
		n := before[id]
		if n == nil {
			n = &numbered{}
		}
		if _, err := n.set(r, h.seq); err != nil {
			return err
		}
		h.order, h.rows[id] = append(h.order, id), n
		delete(before, id)
		delete(h.gone, id)
	}
	for id := range before {
		h.gone[id] = h.seq
	}
	if len(h.gone) > mostGone {
		h.gone, h.forgot = map[string]int{}, h.seq
	}
	return nil
}

// failed takes why there is no new table. What was known stays.
func (h *hub) failed(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.head.Problem = err.Error()
	h.wake()
}

// looked takes what is new of something, if anybody still looks at it.
func (h *hub) looked(id string, v any) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.looks[id]
	if l == nil {
		return nil
	}
	another, err := l.set(v, h.seq+1)
	if another {
		h.seq++
		h.wake()
	}
	return err
}

// look counts a tab that looks at something, until the end is called.
func (h *hub) look(id string) (end func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.looks[id]
	if l == nil {
		l = &look{}
		h.looks[id] = l
	}
	l.tabs++
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if l.tabs--; l.tabs == 0 {
			delete(h.looks, id)
		}
	}
}

// watched is what tabs look at.
func (h *hub) watched() (ids []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id := range h.looks {
		ids = append(ids, id)
	}
	return ids
}

// table is what a tab is told of the table, in one message.
type table struct {
	Head head `json:"head"`
	// Reset says that what the tab has is of no use.
	Reset bool              `json:"reset,omitempty"`
	Rows  []json.RawMessage `json:"rows"`
	Gone  []string          `json:"gone,omitempty"`
	// More says that another part of the same table follows.
	More bool `json:"more,omitempty"`
}

// part is how many rows a message has at most, so that a tab shows the first ones before it has read all.
const part = 100

// since is what is new to a tab that has seen all up to a number, and the number up to which it has seen all then. Without a number it is
// everything.
func (h *hub) since(seq int) (parts []*table, now int, news <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	first := &table{Head: h.head, Reset: seq == 0 || seq < h.forgot || seq > h.seq, Rows: []json.RawMessage{}}
	if first.Reset {
		seq = 0
	}
	parts = []*table{first}
	last := first
	for _, id := range h.order {
		r := h.rows[id]
		if r.seq <= seq {
			continue
		}
		if len(last.Rows) == part {
			last.More = true
			last = &table{Head: h.head}
			parts = append(parts, last)
		}
		last.Rows = append(last.Rows, r.text)
	}
	for id, at := range h.gone {
		if at > seq && !first.Reset {
			first.Gone = append(first.Gone, id)
		}
	}
	return parts, h.seq, h.changed
}

// view is what a tab is told of what it looks at.
type view struct {
	Head head            `json:"head"`
	View json.RawMessage `json:"view"`
}

// seeing is what is known of something that is looked at; its number is 0 before anything is.
func (h *hub) seeing(id string) (v *view, seq int, news <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	v = &view{Head: h.head}
	if l := h.looks[id]; l != nil {
		v.View, seq = l.text, l.seq
	}
	return v, seq, h.changed
}

// eventID is how a tab names the number that it has seen when it comes back (Last-Event-ID).
func (h *hub) eventID(seq int) string { return h.epoch + "." + strconv.Itoa(seq) }

// seen is the number in an event's ID; 0 if it is of another process, or of none.
func (h *hub) seen(eventID string) int {
	epoch, text, _ := strings.Cut(eventID, ".")
	seq, err := strconv.Atoi(text)
	if err != nil || epoch != h.epoch {
		return 0
	}
	return max(seq, 0)
}
