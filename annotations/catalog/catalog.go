package catalog

import "slices"

// Catalog is a file of sources that has been checked. It is never changed: a new file makes a new one. In the zero value, and in nil, there is
// nothing.
type Catalog struct {
	entries []*known
	named   map[string]*known
}

// known is an entry with what has been made of its texts.
type known struct {
	*Entry
	patterns []pattern
	allow    map[string][]glob
	// questions are by the name of the query, which is empty where there are none.
	questions map[string]question
}

// question is what can be asked of an entry.
type question struct {
	// parameters are in the order in which messages name them.
	parameters []Parameter
	oneOf      []string
	// of are those of who asks on which the answer depends, such as $namespace.
	of []string
}

// Entries are the sources in the order of the file, then those that need no entry. They are shared: read-only.
func (c *Catalog) Entries() []*Entry {
	if c == nil {
		return nil
	}
	all := make([]*Entry, len(c.entries))
	for i, e := range c.entries {
		all[i] = e.Entry
	}
	return all
}

// Entry returns the source of a name, or nil.
func (c *Catalog) Entry(name string) *Entry {
	if c == nil || c.named[name] == nil {
		return nil
	}
	return c.named[name].Entry
}

// queries returns the names of the entry's queries, in the order of the file.
func (k *known) queries() []string {
	names := make([]string, len(k.Queries))
	for i := range k.Queries {
		names[i] = k.Queries[i].Name
	}
	return names
}

// parameter returns what can be given by a key.
func (q question) parameter(key string) *Parameter {
	i := slices.IndexFunc(q.parameters, func(p Parameter) bool { return p.Name == key })
	if i < 0 {
		return nil
	}
	return &q.parameters[i]
}
