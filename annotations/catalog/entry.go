package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	yaml "sigs.k8s.io/yaml/goyaml.v3"
)

// foreign are the names of sources that are no systems of the file: the metrics APIs of the cluster, and the activators of mini-hpa.
var foreign = []string{"custom", "external", "activator"}

// fields are what all entries have.
type fields struct {
	defaults
	Name       string              `json:"name"`
	Type       string              `json:"type"`
	Namespaces []string            `json:"namespaces"`
	Allow      map[string][]string `json:"allow"`
	Queries    []Query             `json:"queries"`
	Settle     *metav1.Duration    `json:"settle"`
}

func (p *parser) readEntry(node *yaml.Node, at *field.Path) {
	before := p.count()
	t := p.typeOf(node, at)
	if t == nil {
		return
	}
	e := &Entry{Type: t}
	var f fields
	into := []reflect.Value{reflect.ValueOf(&f).Elem()}
	if t.Settings != nil {
		e.Settings = t.Settings()
		into = append(into, reflect.ValueOf(e.Settings).Elem())
	}
	p.decodeStructs(node, at, into...)
	e.Name, e.Namespaces, e.Allow, e.Queries = f.Name, f.Namespaces, f.Allow, f.Queries
	e.request(f.or(p.defaults))
	if e.Settle = t.Settle; f.Settle != nil {
		e.Settle = f.Settle.Duration
	}
	p.checkName(e.Name, at.Child("name"))
	p.checkRequests(&f.defaults, at)
	p.checkDuration(f.Settle, 0, mostSettle, at.Child("settle"))
	p.checkNamespaces(e, at.Child("namespaces"))
	p.checkAllow(e, at.Child("allow"))
	p.checkQueries(e, at.Child("queries"))
	if p.count() > before {
		return
	}
	if e.Namespaces == nil && e.isPinned() {
		e.Namespaces = []string{"*"}
	}
	if e.Settings != nil {
		p.add(e.Settings.Check(e, at)...)
	}
	e.Digest = e.digest()
	p.catalog.add(e)
}

func (e *Entry) request(d defaults) {
	e.Timeout, e.MaxAge, e.Concurrency = d.Timeout.Duration, d.MaxAge.Duration, *d.Concurrency
}

// typeOf is the first thing to know: which other fields there are depends on it.
func (p *parser) typeOf(node *yaml.Node, at *field.Path) *Type {
	said := p.peek(node, "type")
	var names []string
	for i := range p.types {
		t := &p.types[i]
		if t.Name == said && !t.Entryless {
			return t
		}
		if !t.Entryless {
			names = append(names, t.Name)
		}
	}
	if node.Kind != yaml.MappingNode {
		p.wrong(at, whatIs(node), "must be a mapping")
		return nil
	}
	switch at := at.Child("type"); {
	case said == "":
		p.absent(at, "must be "+oneOf(names))
	case p.isEntryless(said):
		p.wrong(at, said, "needs no entry: it is there under its own name, for everybody")
	default:
		p.wrong(at, said, instead(said, names))
	}
	return nil
}

func (p *parser) isEntryless(name string) bool {
	return slices.ContainsFunc(p.types, func(t Type) bool { return t.Entryless && t.Name == name })
}

func (p *parser) checkName(name string, at *field.Path) {
	switch {
	case name == "":
		p.absent(at, `must be the name by which lines call it, such as "orders-kafka"`)
	case len(validation.IsDNS1123Label(name)) > 0:
		p.wrong(at, name, fmt.Sprintf(`must be 1 to %d of the characters a-z, 0-9 and "-", with none of these at its ends`, maxLabel))
	case slices.Contains(foreign, name):
		p.wrong(at, name, "must not be "+oneOf(foreign)+": these are the metrics APIs of the cluster, and the activators of mini-hpa")
	case p.isEntryless(name):
		p.wrong(at, name, "must not be the name of a source that is there without an entry")
	case p.names[name]:
		p.add(field.Duplicate(at, name))
	}
	p.names[name] = true
}

func (p *parser) checkNamespaces(e *Entry, at *field.Path) {
	admitting := false
	for i, text := range e.Namespaces {
		read, err := readPattern(text)
		if err != nil {
			p.wrong(at.Index(i), text, err.Error())
		}
		admitting = admitting || !read.excludes
	}
	if e.Namespaces != nil && !admitting {
		p.absent(at, `must have one without "!", such as "*": where none fits, a namespace may not ask`)
	}
}

// digest is a hash of all that the entry says.
func (e *Entry) digest() string {
	text, err := json.Marshal(struct {
		Type string
		Said *Entry
	}{e.Type.Name, e})
	if err != nil {
		panic(err) // a type whose settings cannot be written is a mistake of the program
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}
