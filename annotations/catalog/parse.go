package catalog

import (
	"reflect"

	"k8s.io/apimachinery/pkg/util/validation/field"
	yaml "sigs.k8s.io/yaml/goyaml.v3"
)

const (
	version = "v1"
	// maxSources is how many sources a file may have.
	maxSources = 256
)

// Empty is what there is without a file: the types that need no entry.
func Empty(types []Type) *Catalog {
	p := newParser(types)
	p.addEntryless()
	return p.catalog
}

// Parse reads a file of sources of these types. Either the error is nil, or there is no catalog and the error joins a *field.Error for each
// thing that is wrong, with its path, such as sources[2].queries[0].query.
func Parse(data []byte, types []Type) (*Catalog, error) {
	root, err := readNodes(data)
	if err != nil {
		return nil, err
	}
	p := newParser(types)
	p.readFile(root)
	if p.count() > 0 {
		return nil, p.join()
	}
	p.addEntryless()
	return p.catalog, nil
}

func (p *parser) readFile(node *yaml.Node) {
	var file struct {
		Version  string    `json:"version"`
		Defaults defaults  `json:"defaults"`
		Sources  []rawNode `json:"sources"`
	}
	at := (*field.Path)(nil)
	p.decode(node, reflect.ValueOf(&file).Elem(), at)
	switch {
	case p.count() > 0 && file.Version == "": // which may be the reason
	case file.Version == "":
		p.absent(at.Child("version"), "must be "+oneOf([]string{version}))
	case file.Version != version:
		p.wrong(at.Child("version"), file.Version, "must be "+oneOf([]string{version}))
		return // another version may say all in another way
	}
	p.checkRequests(&file.Defaults, at.Child("defaults"))
	p.defaults = file.Defaults.or(p.defaults)
	if len(file.Sources) > maxSources {
		p.add(field.TooMany(at.Child("sources"), len(file.Sources), maxSources))
		return
	}
	for i, source := range file.Sources {
		if source.Node != nil {
			p.readEntry(source.Node, at.Child("sources").Index(i))
		}
	}
}

// addEntryless adds the types that need no entry.
func (p *parser) addEntryless() {
	for i := range p.types {
		t := &p.types[i]
		if !t.Entryless {
			continue
		}
		e := &Entry{Name: t.Name, Type: t, Namespaces: []string{"*"}}
		if t.Settings != nil {
			e.Settings = t.Settings()
		}
		e.request(p.defaults)
		e.Digest = e.digest()
		p.catalog.add(e)
	}
}
