package trace

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// Recorded traces show what runs in a cluster: they are for the process' own user.
const (
	modeDirectory = 0o700
	modeFile      = 0o600
)

// Limits bound what a Recorder keeps.
type Limits struct {
	// File is the size in bytes beyond which a file is not continued. One observation is never divided.
	File int64
	// Files is how many files are kept of one workload, the one being written included.
	Files int
	// Total is how many bytes are kept in the directory, and AllFiles how many files. Where there is no room, the namespace that has
	// the most of them makes some: its oldest file goes, those of workloads that are gone before all others.
	Total    int64
	AllFiles int
}

// DefaultLimits are 8 MiB a file, 6 files a workload, and 1 GiB or ten thousand files in all.
func DefaultLimits() Limits { return Limits{File: 8 << 20, Files: 6, Total: 1 << 30, AllFiles: 10_000} }

// store is the directory of a Recorder. Files are opened for one append each, so that there may be more workloads than
// a process may have open files, and one that somebody has removed is simply begun anew.
//
//	DIR/<namespace>/<name>_<time of its first observation>.trace.jsonl                 a Deployment
//	DIR/<namespace>/<name>_<kind>.<group>_<time of its first observation>.trace.jsonl  another kind
type store struct {
	root    *os.Root
	limits  Limits
	exists  func(annotations.Key) bool
	files   []*file // all of them, oldest first
	total   int64   // their bytes
	current map[string]*current
}

// current is the file that a workload's next observation goes to.
type current struct {
	*file
	identity []byte // what its header says
	last     time.Time
}

// observed is what waits to be written.
type observed struct {
	workload *annotations.Workload
	snapshot recommend.Snapshot
	fresh    bool
}

func newStore(dir string, limits Limits, exists func(annotations.Key) bool) (*store, error) {
	if err := os.MkdirAll(dir, modeDirectory); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	s := &store{root: root, limits: limits, exists: exists, current: map[string]*current{}}
	if err := s.scan(root.FS()); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return s, nil
}

// scan finds the files of earlier processes: they count, and go when there is no room for them. They are not continued,
// because their last line may be cut off and their history is forgotten. A directory that may not be read is none of theirs: a volume of its
// own has lost+found, which is root's.
func (s *store) scan(dir fs.FS) error {
	err := fs.WalkDir(dir, ".", func(name string, entry fs.DirEntry, err error) error {
		if name != "." && errors.Is(err, fs.ErrPermission) {
			return fs.SkipDir
		}
		if err != nil {
			return err
		}
		if entry.IsDir() && strings.Contains(name, "/") {
			return fs.SkipDir
		}
		return s.found(name, entry)
	})
	slices.SortStableFunc(s.files, func(a, b *file) int { return cmp.Compare(a.stamp, b.stamp) })
	return err
}

func (s *store) found(name string, entry fs.DirEntry) error {
	parts := recorded.FindStringSubmatch(name)
	if parts == nil || !entry.Type().IsRegular() {
		return nil
	}
	info, err := entry.Info()
	if errors.Is(err, fs.ErrNotExist) {
		return nil // another process has just removed it
	}
	if err != nil {
		return err
	}
	s.files = append(s.files, &file{path: name, base: parts[1], stamp: parts[2], size: info.Size(), workload: workloadAt(parts[1])})
	s.total += info.Size()
	return nil
}

func (s *store) close() { _ = s.root.Close() }

// write appends one observation to its workload's file, or begins the next one.
func (s *store) write(o observed) error {
	base, err := basePath(o.workload.Key)
	if err != nil {
		return err
	}
	line, err := encode(o.snapshot)
	if err != nil {
		return err
	}
	identity, err := identityOf(o.workload)
	if err != nil {
		return err
	}
	c := s.current[base]
	if !o.fresh && c.continues(identity, o.snapshot.Time, int64(len(line)), s.limits.File) {
		if err := s.extend(base, line); !errors.Is(err, fs.ErrNotExist) {
			c.last = o.snapshot.Time
			return err
		}
	}
	return s.begin(base, o, identity, line)
}

// continues says whether an observation may go to the same file.
func (c *current) continues(identity []byte, now time.Time, size, limit int64) bool {
	return c != nil && bytes.Equal(c.identity, identity) && c.size+size <= limit && !now.Before(c.last)
}

// begin makes room, and makes a file with the header and its first observation.
func (s *store) begin(base string, o observed, identity, line []byte) error {
	delete(s.current, base)
	head, err := encode(headerOf(o.workload))
	if err != nil {
		return err
	}
	if size := int64(len(head) + len(line)); size > s.limits.Total {
		return fmt.Errorf("an observation of %d bytes is more than all that is kept (%d bytes)", size, s.limits.Total)
	}
	s.forget(base, s.limits.Files-1)
	f, err := s.create(base, o.snapshot.Time)
	if err != nil {
		return err
	}
	f.workload = o.workload.Key
	s.files = append(s.files, f)
	s.current[base] = &current{file: f, identity: identity, last: o.snapshot.Time}
	if err = s.extend(base, append(head, line...)); err != nil {
		s.drop(f.path) // a trace without a header would help nobody
	}
	return err
}

// create makes an empty file that did not exist before.
func (s *store) create(base string, at time.Time) (*file, error) {
	if err := s.root.MkdirAll(namespaceOf(base), modeDirectory); err != nil {
		return nil, err
	}
	for {
		f := newFile(base, at)
		out, err := s.root.OpenFile(f.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, modeFile)
		if err == nil {
			return f, out.Close()
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		at = at.Add(time.Millisecond) // the name's resolution
	}
}

// extend appends to the workload's file. What could not be written whole is taken back, and the file is not continued.
func (s *store) extend(base string, text []byte) error {
	c := s.current[base]
	out, err := s.root.OpenFile(c.path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		s.drop(c.path)
		return err
	}
	if _, err = out.Write(text); err != nil {
		err = errors.Join(err, out.Truncate(c.size))
		delete(s.current, base)
	} else {
		s.grow(c, int64(len(text)))
	}
	return errors.Join(err, out.Close())
}

// grow counts what was written, and makes room for it: other files go than the one that was written.
func (s *store) grow(c *current, size int64) {
	c.size += size
	s.total += size
	for len(s.files) > 1 && (s.total > s.limits.Total || len(s.files) > s.limits.AllFiles) {
		s.remove(s.dispensable(c.path))
	}
}

// dispensable is the file to go when there are too many bytes or files, but not the one at this path: of those of workloads that are gone or,
// if there are none, of all, the oldest one of the namespace that has the most of them. Names that come and go cost a namespace nothing, so
// they must not cost others their traces, however many of those there are.
func (s *store) dispensable(path string) int {
	others := func(f *file) bool { return f.path != path }
	gone := func(f *file) bool { return others(f) && !s.exists(f.workload) }
	if i := s.oldestOfLargest(gone); i >= 0 {
		return i
	}
	return s.oldestOfLargest(others)
}

// oldestOfLargest is the oldest one of these files in the namespace that has the most of them, in bytes or by number; -1 if there are none.
func (s *store) oldestOfLargest(these func(*file) bool) int {
	used, first, most := map[string]int64{}, map[string]int{}, ""
	for i, f := range s.files {
		if !these(f) {
			continue
		}
		space := namespaceOf(f.path)
		if _, known := first[space]; !known {
			first[space] = i
		}
		if s.total > s.limits.Total {
			used[space] += f.size
		} else {
			used[space]++
		}
		if most == "" || used[space] > used[most] {
			most = space
		}
	}
	if most == "" {
		return -1
	}
	return first[most]
}

// forget removes the oldest files of a workload until so many are left.
func (s *store) forget(base string, left int) {
	count := 0
	for i := len(s.files) - 1; i >= 0; i-- {
		if s.files[i].base != base {
			continue
		}
		if count++; count > left {
			s.remove(i)
		}
	}
}

// drop removes the file of this path, if it is not gone already.
func (s *store) drop(path string) {
	if i := slices.IndexFunc(s.files, func(f *file) bool { return f.path == path }); i >= 0 {
		s.remove(i)
	}
}

// remove takes a file away. One that cannot be removed is counted no longer: trying again and again would not help.
func (s *store) remove(i int) {
	f := s.files[i]
	s.files = slices.Delete(s.files, i, i+1)
	s.total -= f.size
	if c := s.current[f.base]; c != nil && c.path == f.path {
		delete(s.current, f.base)
	}
	_ = s.root.Remove(f.path)
	_ = s.root.Remove(namespaceOf(f.path)) // fails unless it was the namespace's last one
}

// identityOf is the header without what changes at every rescale.
func identityOf(w *annotations.Workload) ([]byte, error) {
	same := headerOf(w)
	same.Workload.Spec.Replicas = nil
	return encode(same)
}
