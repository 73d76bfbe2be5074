package sources

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

// lookedAgain is how often the file is looked at. A kubelet takes a minute to bring a ConfigMap's change to it.
const lookedAgain = 10 * time.Second

// SetConfig is what a Set is made of. Env.Log is required, and Env.ReadFile.
type SetConfig struct {
	// Path is the administrator's file; "" is none, and then there is only what needs no entry.
	Path string
	Env  Env
	// Connect says that clients are made. A webhook knows the file, and asks nobody.
	Connect bool
	// Telemetry may be nil.
	Telemetry *Telemetry
	// OnChange is called when the file has changed, and is right. It may be nil.
	OnChange func()
}

// Set is the sources of a file, which is read again when it changes. One that is not right changes nothing: what the file said before counts.
type Set struct {
	config SetConfig
	// said is the file's text when it was last looked at.
	said []byte

	mu      sync.Mutex
	catalog *catalog.Catalog
	opened  map[string]openSource
	// wrong is why the file's text is not right; empty if it is.
	wrong string
}

// openSource is a source, and what its entry says.
type openSource struct {
	digest    string
	source    metrics.Source
	entryless bool // it stands in no file
	failed    bool // it cannot be opened
}

// NewSet reads the file. If it is not right, the log says so, and nothing is known of any source until it is.
func NewSet(c SetConfig) *Set {
	s := &Set{config: c}
	if c.OnChange == nil {
		s.config.OnChange = func() {}
	}
	if c.Path == "" {
		s.take(catalog.Empty(Types()))
	} else {
		s.look()
	}
	return s
}

// Run looks at the file again and again until ctx ends.
func (s *Set) Run(ctx context.Context) {
	if s.config.Path == "" {
		return
	}
	ticker := time.NewTicker(lookedAgain)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if s.look() {
				s.config.OnChange()
			}
		}
	}
}

// Catalog is what the file says; nil while it has not been right yet.
func (s *Set) Catalog() *catalog.Catalog {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.catalog
}

// Sources are those that can be asked, by name. An entry that has not changed is the same source as before. Who closes them is who asks them.
func (s *Set) Sources() map[string]metrics.Source {
	s.mu.Lock()
	defer s.mu.Unlock()
	sources := map[string]metrics.Source{}
	for name, o := range s.opened {
		sources[name] = o.source
	}
	return sources
}

// Status is how the sources stand that the file lists, by name, and why the file is not right as it is now; empty if it is.
func (s *Set) Status() (all []Status, fileError string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.opened {
		if of, ok := o.source.(interface{ status() Status }); ok && !o.entryless {
			one := of.status()
			if o.failed {
				one.Failure = "is not set up; the controller's log says why"
			}
			all = append(all, one)
		}
	}
	slices.SortFunc(all, func(a, b Status) int { return cmp.Compare(a.Name, b.Name) })
	return all, s.wrong
}

// look reads the file and says whether it says something else now.
func (s *Set) look() bool {
	text, err := s.config.Env.ReadFile(s.config.Path)
	if err == nil && s.said != nil && bytes.Equal(text, s.said) {
		return false
	}
	var read *catalog.Catalog
	if err == nil {
		s.said = text
		read, err = catalog.Parse(text, Types())
	} else {
		s.said = nil
	}
	s.config.Telemetry.tellFile(err)
	if err != nil {
		s.complain(err)
		return false
	}
	s.take(read)
	s.config.Env.Log.Info("the file of sources is read", zap.String("path", s.config.Path), zap.Int("sources", len(read.Entries())))
	return true
}

// complain tells the log once why the file is not right.
func (s *Set) complain(err error) {
	s.mu.Lock()
	known := s.wrong
	s.wrong = err.Error()
	s.mu.Unlock()
	if known != err.Error() {
		s.config.Env.Log.Error("the file of sources is not right; what it said before counts", zap.String("path", s.config.Path), zap.Error(err))
	}
}

// take makes what a file says what counts.
func (s *Set) take(read *catalog.Catalog) {
	next := map[string]openSource{}
	if s.config.Connect {
		for _, e := range read.Entries() {
			next[e.Name] = s.open(e)
		}
	}
	s.mu.Lock()
	before := s.opened
	s.catalog, s.opened, s.wrong = read, next, ""
	s.mu.Unlock()
	for name := range maps.Keys(before) {
		if _, stays := next[name]; !stays {
			s.config.Telemetry.forget(name)
		}
	}
}

// open makes the source of an entry, unless it is there already.
func (s *Set) open(e *catalog.Entry) openSource {
	if was, ok := s.opened[e.Name]; ok && was.digest == e.Digest {
		return was
	}
	if shared := e.Overlapping(); len(shared) > 0 {
		s.config.Env.Log.Warn("$namespace does not keep namespaces apart where a star may follow it at once, or behind a \"-\": shop may also ask for what shop-admin calls its own",
			zap.String("source", e.Name), zap.Strings("allow", shared))
	}
	source, err := Open(e, s.config.Env, s.config.Telemetry)
	if err == nil {
		return openSource{digest: e.Digest, source: source, entryless: e.Type.Entryless}
	}
	s.config.Env.Log.Error("a source cannot be asked", zap.Error(err))
	return openSource{digest: e.Digest, source: newSource(e, s.config.Env, closed{err}, s.config.Telemetry), failed: true}
}

// closed is the client of an entry that cannot be opened.
type closed struct{ err error }

// Close is Client's.
func (closed) Close() {}

// Ask is Client's.
func (c closed) Ask(_ context.Context, all []metrics.Question, answer func(int, metrics.Answer, error)) {
	for i := range all {
		answer(i, metrics.Answer{}, fault("is not set up", c.err))
	}
}

// readWithin is how long what is no file may take to be read: a pipe that nobody writes to has no end.
const readWithin = 5 * time.Second

// ReadFile is Env.ReadFile for files of this machine, of which it reads no more than any may have. It waits for nobody who opens a pipe.
func ReadFile(path string) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) //nolint:gosec // the administrator's own paths
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	_ = file.SetReadDeadline(time.Now().Add(readWithin)) // a file has none, and needs none
	text, err := io.ReadAll(io.LimitReader(file, mostOfFile+1))
	if err == nil && len(text) > mostOfFile {
		err = fmt.Errorf("%s has more than %d bytes", path, mostOfFile)
	}
	return text, err
}
