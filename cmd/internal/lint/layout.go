package lint

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mini-hpa/mini-hpa/cmd/internal/manifest"
	"github.com/mini-hpa/mini-hpa/cmd/internal/neighbors"
)

// layout is what the kustomizations among the files say of other files. Nothing is fetched, and what is not among the files bears on nothing.
type layout struct {
	// patches are files, by their absolute paths, that hold parts of objects.
	patches map[string]patchUse
	// parts are, by the directory of a kustomization, the files and directories that it is made of, as absolute paths. Namespaces are those
	// that it sets.
	parts      map[string][]string
	namespaces map[string]string
	// listed are the files that are a part of something.
	listed map[string]bool
	// writes are the directories of kustomizations that change Deployments in ways that are not known, annotates those that write annotations
	// to all.
	writes, annotates map[string]bool
	// wholes are what was asked for of all that a kustomization is made of.
	wholes map[string]*composition
	// read has the parts of kustomizations, by the names of their files, for the other checks of those files.
	read map[string][]manifest.Part
}

// patchUse is where a patch is used: the directory of the kustomization, and what it is for if that is said.
type patchUse struct {
	dir, kind, name string
	// order is its place among the patches of the kustomization. Selects says that it is only for some of what it names.
	order   int
	selects bool
}

// composition is all that a kustomization is made of, also by way of others.
type composition struct {
	// order has the nearest first.
	order   []string
	members map[string]bool
	// around is what bears on Deployments; nil until it is asked for.
	around *neighbors.Neighborhood
}

// Bounds of a composition, so that many kustomizations of one large base do not take quadratic time: they meet the same parts again and
// again, and after maxMet lint looks no further.
const maxParts, maxDepth, maxMet = 1000, 32, 2000

// newLayout reads the kustomizations among the sources, and those beside them for what is a patch.
func newLayout(sources []source) layout {
	l := layout{patches: map[string]patchUse{}, parts: map[string][]string{}, namespaces: map[string]string{}, listed: map[string]bool{}, writes: map[string]bool{}, annotates: map[string]bool{}, wholes: map[string]*composition{}, read: map[string][]manifest.Part{}}
	for _, s := range sources {
		if s.name != "-" && kustomization(s.name).Kind != "" {
			l.read[s.name] = l.hear(s, l.add)
		}
	}
	for _, s := range beside(sources) {
		l.hear(s, l.addPatches)
	}
	return l
}

// beside returns the kustomizations in the directories of named files, so that lint finds the same in a patch by itself as in the whole
// repository.
func beside(sources []source) []source {
	var found []source
	seen := map[string]bool{}
	for _, s := range sources {
		dir := filepath.Dir(s.name)
		if s.met || s.name == "-" || seen[dir] {
			continue
		}
		seen[dir] = true
		for _, name := range kustomizationFiles {
			if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
				found = append(found, source{name: filepath.Join(dir, name)})
			}
		}
	}
	return found
}

// hear passes on each document of a kustomization. Errors are reported when the file is read for other checks.
func (l *layout) hear(s source, add func(dir string, fields map[string]any)) []manifest.Part {
	text, err := s.read(nil)
	dir, where := filepath.Abs(filepath.Dir(s.name))
	if err != nil || where != nil {
		return nil
	}
	read := slices.Collect(manifest.Read(text, true))
	for _, p := range read {
		for _, d := range p.Documents {
			fields, _ := d.Value.(map[string]any)
			add(dir, fields)
		}
	}
	return read
}

// add takes in one kustomization.
func (l *layout) add(dir string, fields map[string]any) {
	for _, list := range []string{"resources", "bases", "components"} {
		items, _ := fields[list].([]any)
		for _, item := range items {
			name, ok := item.(string)
			if !ok || name == "" || strings.Contains(name, "://") {
				continue
			}
			whole := below(dir, name)
			l.parts[dir], l.listed[whole] = append(l.parts[dir], whole), true
		}
	}
	if namespace, ok := fields["namespace"].(string); ok {
		l.namespaces[dir] = namespace
	}
	l.writes[dir] = l.writes[dir] || fields["transformers"] != nil || fields["replacements"] != nil
	l.annotates[dir] = l.annotates[dir] || fields[commonAnnotations] != nil
	l.addPatches(dir, fields)
}

func (l *layout) addPatches(dir string, fields map[string]any) {
	for _, p := range patchesOf(fields) {
		if p.path != "" {
			l.patches[below(dir, p.path)] = p.use(dir)
		}
	}
}

// below is a path that a kustomization names.
func below(dir, name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(dir, filepath.FromSlash(name))
}

// anyNamespace asks for everything that a kustomization is made of, whatever namespace it is in.
const anyNamespace = "*"

// compose finds what a directory's kustomization is made of, as seen from a namespace. It leaves out objects of another namespace, unless
// the kustomization puts all objects into its own.
func (l *layout) compose(dir, namespace string) *composition {
	if l.namespaces[dir] != "" {
		namespace = ""
	}
	key := dir + "\x00" + namespace
	if known, ok := l.wholes[key]; ok {
		return known
	}
	c := &composition{members: map[string]bool{dir: true}}
	l.wholes[key] = c
	next, met := l.parts[dir], 0
	for depth := 0; depth < maxDepth && len(next) > 0; depth++ {
		var further []string
		for _, part := range next {
			if met++; met > maxMet {
				return c
			}
			other := l.namespaces[part]
			if c.members[part] || len(c.order) == maxParts || l.namespaces[dir] == "" && other != "" && other != namespace && namespace != anyNamespace {
				continue
			}
			c.members[part], c.order = true, append(c.order, part)
			further = append(further, l.parts[part]...)
		}
		next = further
	}
	return c
}

// home is the namespace that the nearest kustomization sets for a file.
func (l *layout) home(dir string) string {
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, ok := l.parts[dir]; ok {
			return l.namespaces[dir]
		}
	}
	return ""
}

// holds says whether a file is part of a composition: itself, or one of its directories up to the one of the kustomization.
func (c *composition) holds(file, dir string) bool {
	for at := file; at != dir && at != filepath.Dir(at); at = filepath.Dir(at) {
		if c.members[at] {
			return true
		}
	}
	return filepath.Dir(file) == dir
}

// composed is what bears on an object because a kustomization in its directory, or one above that, is made of it and of other things; nil if
// that is nothing.
func (m *manifests) composed(o object, a area) *neighbors.Neighborhood {
	if len(m.layout.parts[a.dir]) == 0 || o.file == standardInput {
		return nil
	}
	file, err := filepath.Abs(o.file)
	if err != nil {
		return nil
	}
	c := m.layout.compose(a.dir, m.layout.home(filepath.Dir(file)))
	if !c.holds(file, a.dir) {
		return nil
	}
	if c.around == nil {
		c.around = neighbors.New()
		for _, part := range c.order {
			c.around.Take(m.around[area{file: part}])
			if _, isKustomization := m.layout.parts[part]; !isKustomization {
				c.around.Take(m.around[area{dir: part}])
			}
		}
	}
	return c.around
}
