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
		name := kind
		for n := 2; slices.ContainsFunc(f.Sources, func(s *Source) bool { return s.Name == name }); n++ {
			name = fmt.Sprintf("%s-%d", kind, n)
		}
		s = &Source{Name: name, Type: kind, Settings: settings(name)}
		if f.known == nil {
			f.known = map[string]*Source{}
		}
		f.known[id], f.Sources = s, append(f.Sources, s)
	}
	s.Namespaces = with(s.Namespaces, namespace)
	return s
}

// allow lets lines give a parameter this value.
func (s *Source) allow(parameter, value string) {
	if s.Allow == nil {
		s.Allow = map[string][]string{}
	}
	s.Allow[parameter] = with(s.Allow[parameter], value)
}

// query returns the name of a query with this text, which is made if there is none.
func (s *Source) query(q Query) string {
	name := q.Name
	for n := 2; ; n++ {
		at := slices.IndexFunc(s.Queries, func(known Query) bool { return known.Name == q.Name })
		switch {
		case at < 0:
			s.Queries = append(s.Queries, q)
			return q.Name
		case s.Queries[at] == q:
			return q.Name
		}
		q.Name = fmt.Sprintf("%s-%d", name, n)
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
