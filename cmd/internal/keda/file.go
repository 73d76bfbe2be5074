package keda

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	yaml "sigs.k8s.io/yaml/goyaml.v3"
)

// File is what the administrator's file of sources needs for all ScaledObjects that were converted into it.
type File struct {
	// Sources are its entries, in the order in which triggers asked for them.
	Sources []*Source
	known   map[string]*Source
	// entries is how many there are of each type.
	entries map[string]int
}

// Source is an entry of the file.
type Source struct {
	Name string `yaml:"name" json:"name"`
	Type string `yaml:"type" json:"type"`
	// Settings are those of the type, such as its addresses.
	Settings   map[string]any      `yaml:",inline" json:"settings,omitempty"`
	Namespaces []string            `yaml:"namespaces,flow" json:"namespaces"`
	Allow      map[string][]string `yaml:"allow,omitempty" json:"allow,omitempty"`
	Queries    []Query             `yaml:"queries,omitempty" json:"queries,omitempty"`
	// allowed are the parameters and values in Allow.
	allowed map[[2]string]bool
	// asked are the names of the queries, by what was asked for; places are their places in Queries, by their names; numbers is how many queries have asked
	// for a name.
	asked           map[Query]string
	places, numbers map[string]int
}

// Query is one that an entry names.
type Query struct {
	Name  string `yaml:"name" json:"name"`
	Query string `yaml:"query,omitempty" json:"query,omitempty"`
	Path  string `yaml:"path,omitempty" json:"path,omitempty"`
	Value string `yaml:"value,omitempty" json:"value,omitempty"`
	Empty string `yaml:"empty,omitempty" json:"empty,omitempty"`
}

// directory is where the chart mounts the Secrets of sources (sourceSecrets).
const directory = "/etc/mini-hpa/sources/"

// entry returns the entry of a type for a namespace, with these settings, which are made for its name, and the credentials that are called who. It
// is made if there is none. Those of namespaces are apart, also where the system is the same: what an entry allows, it allows to all of its namespaces.
func (f *File) entry(kind, namespace, who string, settings func(name string) map[string]any) *Source {
	id := fmt.Sprintln(kind, namespace, who, settings(""))
	s := f.known[id]
	if s == nil {
		if f.known == nil {
			f.known, f.entries = map[string]*Source{}, map[string]int{}
		}
		name := kind // no type ends with a number
		if f.entries[kind]++; f.entries[kind] > 1 {
			name = fmt.Sprintf("%s-%d", kind, f.entries[kind])
		}
		s = &Source{Name: name, Type: kind, Settings: settings(name)}
		f.known[id], f.Sources = s, append(f.Sources, s)
	}
	s.Namespaces = with(s.Namespaces, namespace)
	return s
}

// allow lets lines give a parameter this value.
func (s *Source) allow(parameter, value string) {
	if s.Allow == nil {
		s.Allow, s.allowed = map[string][]string{}, map[[2]string]bool{}
	}
	if key := [2]string{parameter, value}; !s.allowed[key] {
		s.allowed[key], s.Allow[parameter] = true, append(s.Allow[parameter], value)
	}
}

// query returns the name of a query with this text, which is made if there is none.
func (s *Source) query(q Query) string {
	wanted := q
	if name, known := s.asked[wanted]; known {
		return name
	}
	if s.asked == nil {
		s.asked, s.places, s.numbers = map[Query]string{}, map[string]int{}, map[string]int{}
	}
	for {
		if s.numbers[wanted.Name]++; s.numbers[wanted.Name] > 1 {
			q.Name = fmt.Sprintf("%s-%d", wanted.Name, s.numbers[wanted.Name])
		}
		at, isTaken := s.places[q.Name]
		if isTaken && s.Queries[at] != q {
			continue // by a query that has asked for just this name
		}
		if !isTaken {
			s.places[q.Name], s.Queries = len(s.Queries), append(s.Queries, q)
		}
		s.asked[wanted] = q.Name
		return q.Name
	}
}

func with(list []string, item string) []string {
	if slices.Contains(list, item) {
		return list
	}
	return append(list, item)
}

// String is the file, in YAML. It is empty if it needs no entry.
func (f *File) String() string {
	if len(f.Sources) == 0 {
		return ""
	}
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	file := struct {
		Version string    `yaml:"version"`
		Sources []*Source `yaml:"sources"`
	}{"v1", f.Sources}
	if err := encoder.Encode(file); err != nil { // into memory, and of plain values
		panic(err)
	}
	return b.String()
}

// Awaits says whether something in the entry is to be filled in.
func (s *Source) Awaits() bool {
	return strings.Contains(fmt.Sprint(*s), "<")
}
