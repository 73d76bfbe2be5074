package state

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler"
	"github.com/mini-hpa/mini-hpa/scaler/sources"
)

// Teller knows how workloads stand, as scaler.Scaler does. Any goroutine may ask.
type Teller interface {
	Standing(wanted func(annotations.Key) bool) []annotations.Key
	Status(key annotations.Key) (scaler.Status, bool)
	Chronicle(key annotations.Key) []scaler.Entry
	Show(key annotations.Key) (scaler.Shown, bool)
}

// Sources are those that a controller asks, as sources.Set is. Any goroutine may ask.
type Sources interface {
	Status() (all []sources.Status, fileError string)
}

// Handler answers with what a teller and the sources know. It is served on loopback only. Whatever comes through a browser by a name that only leads there
// (DNS rebinding) is refused, and so is everything but reading.
func Handler(head func() Head, teller func() Teller, asked Sources) http.Handler {
	s := server{head, teller, asked}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+PathAll, s.led(s.all))
	mux.HandleFunc("GET "+PathHistory, s.led(s.chronicle))
	mux.HandleFunc("GET "+PathSources, s.led(s.sources))
	mux.HandleFunc("GET "+PathOne+"{namespace}/{kind}/{name}", s.led(s.one))
	return mux
}

// WithTraces is a Handler that also serves what is recorded, whether the process leads or not: what it has seen when it led. Of a directory it
// writes the names, one a line, those of directories with a slash. http.FileServer would cost the program 80 kB.
func WithTraces(h http.Handler, traces fs.FS) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", h)
	mux.HandleFunc("GET "+PathTraces+"{path...}", func(w http.ResponseWriter, r *http.Request) {
		if !isLoopback(r.Host) {
			refuseHost(w, r)
			return
		}
		name := path.Clean("/" + r.PathValue("path"))[1:]
		if name == "" {
			name = "."
		}
		if err := writeTrace(w, traces, name); err != nil {
			write(w, http.StatusNotFound, Failure{Error: fmt.Sprintf("cannot read what is recorded at %q", name)})
		}
	})
	return mux
}

// writeTrace writes a file, or the names in a directory; an error if there is nothing to write.
func writeTrace(w http.ResponseWriter, traces fs.FS, name string) error {
	file, err := traces.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	about, err := file.Stat()
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	if !about.IsDir() {
		_, _ = io.Copy(w, file) // who has gone away needs no answer
		return nil
	}
	entries, err := fs.ReadDir(traces, name)
	for _, entry := range entries {
		line := entry.Name()
		if entry.IsDir() {
			line += "/"
		}
		_, _ = io.WriteString(w, line+"\n")
	}
	return err
}

func refuseHost(w http.ResponseWriter, r *http.Request) {
	write(w, http.StatusForbidden, Failure{Error: fmt.Sprintf("asked for as host %q; want localhost, or an address of loopback", r.Host)})
}

type server struct {
	head   func() Head
	teller func() Teller
	asked  Sources
}

// led answers where this process leads: the memory of one that does not is that of a past term, or empty.
func (s server) led(answer func(w http.ResponseWriter, r *http.Request, h Head)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h := s.head()
		switch {
		case !isLoopback(r.Host):
			refuseHost(w, r)
		case !h.Leading:
			s.fail(w, http.StatusServiceUnavailable, h, "this process does not lead; ask the one that the Lease names")
		default:
			answer(w, r, h)
		}
	}
}

// isLoopback says whether a Host header names this host as somebody does who connects from within.
func isLoopback(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	ip := net.ParseIP(strings.Trim(name, "[]"))
	return strings.EqualFold(name, "localhost") || ip != nil && ip.IsLoopback()
}

func (s server) all(w http.ResponseWriter, r *http.Request, h Head) {
	keys, next, err := s.page(r)
	if err != nil {
		s.fail(w, http.StatusBadRequest, h, err.Error())
		return
	}
	page := Page{Head: h, Items: make([]scaler.Status, 0, len(keys)), Continue: next}
	for _, key := range keys {
		if status, known := s.teller().Status(key); known {
			page.Items = append(page.Items, status)
		}
	}
	write(w, http.StatusOK, page)
}

func (s server) chronicle(w http.ResponseWriter, r *http.Request, h Head) {
	keys, next, err := s.page(r)
	if err != nil {
		s.fail(w, http.StatusBadRequest, h, err.Error())
		return
	}
	page := ChroniclePage{Head: h, Items: make([]Chronicle, 0, len(keys)), Continue: next}
	for _, key := range keys {
		if entries := s.teller().Chronicle(key); len(entries) > 0 {
			page.Items = append(page.Items, Chronicle{Kind: key.Kind.Kind, Group: key.Kind.Group, Namespace: key.Namespace, Name: key.Name, Entries: entries})
		}
	}
	write(w, http.StatusOK, page)
}

func (s server) sources(w http.ResponseWriter, _ *http.Request, h Head) {
	all, fileError := s.asked.Status()
	write(w, http.StatusOK, SourcesPage{Head: h, Items: append([]sources.Status{}, all...), FileError: fileError})
}

func (s server) one(w http.ResponseWriter, r *http.Request, h Head) {
	namespace, kind, name := r.PathValue("namespace"), r.PathValue("kind"), r.PathValue("name")
	keys := s.teller().Standing(func(k annotations.Key) bool {
		return k.Namespace == namespace && k.Name == name && Resource(k) == kind
	})
	for _, key := range keys {
		if shown, known := s.teller().Show(key); known {
			write(w, http.StatusOK, Explained{Head: h, Shown: shown})
			return
		}
	}
	s.fail(w, http.StatusNotFound, h, fmt.Sprintf("%q in namespace %q is not scaled", kind+"/"+name, namespace))
}

// Resource is the kind of a workload as the paths have it: "deployments.apps".
func Resource(k annotations.Key) string {
	resource, _, _ := strings.Cut(k.String(), "/")
	return resource
}

// page is the workloads that are asked for, and what the next page begins after; empty if there is none.
func (s server) page(r *http.Request) (keys []annotations.Key, next string, err error) {
	asked := r.URL.Query()
	limit := PageSize
	if text := asked.Get(ParamLimit); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > PageSize {
			return nil, "", fmt.Errorf("invalid value %q for %s: want a number from 1 to %d", text, ParamLimit, PageSize)
		}
	}
	after, err := position(asked.Get(ParamContinue))
	if err != nil {
		return nil, "", err
	}
	is := func(param, value string) bool { return asked.Get(param) == "" || asked.Get(param) == value }
	keys = s.teller().Standing(func(k annotations.Key) bool {
		return is(ParamNamespace, k.Namespace) && is(ParamName, k.Name) && (asked.Get(ParamKind) == "" || is(ParamKind, Resource(k))) && scaler.CompareKeys(k, after) > 0
	})
	if len(keys) <= limit {
		return keys, "", nil
	}
	last := keys[limit-1]
	return keys[:limit], strings.Join([]string{last.Namespace, last.Name, last.Kind.Kind, last.Kind.Group}, "/"), nil
}

// position is the workload after which a page begins; the zero Key is before all.
func position(text string) (annotations.Key, error) {
	if text == "" {
		return annotations.Key{}, nil
	}
	parts := strings.Split(text, "/")
	if len(parts) != 4 {
		return annotations.Key{}, fmt.Errorf("invalid value %q for %s: want what the page before ends with", text, ParamContinue)
	}
	key := annotations.Key{Namespace: parts[0], Name: parts[1]}
	key.Kind.Kind, key.Kind.Group = parts[2], parts[3]
	return key, nil
}

func (s server) fail(w http.ResponseWriter, status int, h Head, why string) {
	write(w, status, Failure{Head: h, Error: why})
}

// write answers in JSON. Who has gone away needs no answer.
func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
