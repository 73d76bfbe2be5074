package scaler

import (
	"container/list"
	"slices"
	"sync"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// Entry is one line of what has happened to a workload: what was written, and what was told of it, also where the budget of Events left
// it out.
type Entry struct {
	Time time.Time `json:"time"`
	// Reason is that of the Event, or EntryOverwritten.
	Reason string `json:"reason"`
	// Message says what happened, in at most 256 bytes. It may hold text from the cluster.
	Message string `json:"message"`
	// From and To are the replicas before and after, where Reason is EventSuccessfulRescale or EntryOverwritten; else both are 0.
	From int32 `json:"from,omitempty"`
	To   int32 `json:"to,omitempty"`
}

// EntryOverwritten is the reason of an Entry of which there is no Event: somebody else has set the replicas.
const EntryOverwritten = "ReplicasSet"

// How much is kept. A line takes about 0.3 kB, so all of them 1.5 MB.
const (
	entriesEach   = 20
	entriesAll    = 5000
	longestOfEach = 256 // bytes of a message
)

// chronicle is the last entries of each workload, in the memory of the process that leads. Where there is no room, the namespace that has the
// most loses its oldest entry, so that none uses up the room of another. The zero value is empty and ready to use.
type chronicle struct {
	mu sync.Mutex
	// all are the entries by namespace, each list with the oldest first, and by workload the same elements.
	all  map[string]*list.List
	each map[annotations.Key][]*list.Element
	n    int
}

// noted is an Entry and whose it is.
type noted struct {
	key annotations.Key
	Entry
}

// add notes an entry.
func (c *chronicle) add(key annotations.Key, e Entry) {
	e.Message = cut(e.Message, longestOfEach)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all, c.each = map[string]*list.List{}, map[annotations.Key][]*list.Element{}
	}
	if own := c.each[key]; len(own) >= entriesEach {
		c.drop(own[0])
	} else if c.n >= entriesAll {
		c.drop(c.most().Front())
	}
	of := c.all[key.Namespace]
	if of == nil {
		of = list.New()
		c.all[key.Namespace] = of
	}
	c.each[key] = append(c.each[key], of.PushBack(noted{key, e}))
	c.n++
}

// most are the entries of the namespace that has the most.
func (c *chronicle) most() *list.List {
	var most *list.List
	for _, of := range c.all {
		if most == nil || of.Len() > most.Len() {
			most = of
		}
	}
	return most
}

// drop removes an entry, which is the oldest of its workload, as the oldest of a namespace is.
func (c *chronicle) drop(e *list.Element) {
	key := notedOf(e).key
	of := c.all[key.Namespace]
	if of.Remove(e); of.Len() == 0 {
		delete(c.all, key.Namespace)
	}
	if c.each[key] = slices.Delete(c.each[key], 0, 1); len(c.each[key]) == 0 {
		delete(c.each, key)
	}
	c.n--
}

// forget drops the entries of a workload.
func (c *chronicle) forget(key annotations.Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.each[key]) > 0 {
		c.drop(c.each[key][0])
	}
}

// of are the entries of a workload, the oldest first.
func (c *chronicle) of(key annotations.Key) []Entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	entries := make([]Entry, 0, len(c.each[key]))
	for _, e := range c.each[key] {
		entries = append(entries, notedOf(e).Entry)
	}
	return entries
}

// notedOf is what the list holds at a place; it holds nothing else.
func notedOf(e *list.Element) noted {
	n, _ := e.Value.(noted)
	return n
}
