// Package kustomize is what kustomizations say of other files: what they are made of, and which files are patches. It applies nothing.
package kustomize

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mini-hpa/mini-hpa/cmd/internal/manifest"
)

// Layout is what the kustomizations among some files say of other files. Nothing is fetched, and what is not among the files bears on nothing. Paths
// are absolute.
type Layout struct {
	// Patches are files that hold parts of objects.
	Patches map[string]Use
	// Parts are, by the directory of a kustomization, the files and directories that it is made of. Namespaces are those that it sets.
	Parts      map[string][]string
	Namespaces map[string]string
	// Listed are the files that are a part of something.
	Listed map[string]bool
	// Writes are the directories of kustomizations that change Deployments in ways that are not known, Annotates those that write annotations
	// to all.
	Writes, Annotates map[string]bool
	wholes            map[string]*Composition
	// Cut are the directories of kustomizations that are made of more than Compose has looked at, in the order in which it met them.
	Cut   []string
	isCut map[string]bool
	// room is how many more parts it may meet in all.
	room int
	// kept has the parts of kustomizations, by their files, for the other checks of those files.
	kept map[string][]manifest.Part
	// homes are what Home has found, by directory.
	homes map[string]string
}

// Composition is all that a kustomization is made of, also by way of others.
type Composition struct {
	// Order has the nearest first.
	Order   []string
	members map[string]bool
}

// Bounds of a composition, so that many kustomizations of one large base do not take quadratic time: they meet the same parts again and
// again, and after maxMet lint looks no further. All together may meet spareMet and fileMet for each file.
const (
	maxParts, maxDepth, maxMet = 1000, 32, 2000
	spareMet, fileMet          = 20_000, 50
)

// NewLayout reads the kustomizations among files. Of those in the directories of named files it reads which files are patches, so that lint
// finds the same in a patch by itself as in the whole repository.
func NewLayout(files, named []string, read func(file string) (string, error)) *Layout {
	l := &Layout{Patches: map[string]Use{}, Parts: map[string][]string{}, Namespaces: map[string]string{}, Listed: map[string]bool{}, Writes: map[string]bool{},
		Annotates: map[string]bool{}, wholes: map[string]*Composition{}, isCut: map[string]bool{}, kept: map[string][]manifest.Part{}, homes: map[string]string{}}
	l.room = spareMet + fileMet*len(files)
	for _, file := range files {
		if IsFile(file) {
			l.kept[file] = l.hear(file, read, l.add)
		}
	}
	for _, file := range beside(named) {
		l.hear(file, read, l.addPatches)
	}
	return l
}

// Take hands over what was read of a kustomization's file, by its path, once.
func (l *Layout) Take(file string) []manifest.Part {
	parts := l.kept[file]
	delete(l.kept, file)
	return parts
}

// Names are those of files that kustomize knows.
func Names() []string { return []string{"kustomization.yaml", "kustomization.yml", "Kustomization"} }

// IsFile goes by the name.
func IsFile(file string) bool { return slices.Contains(Names(), filepath.Base(file)) }

// The group of Kustomizations and Components, and their field that writes annotations to everything.
const (
	Group             = "kustomize.config.k8s.io"
	CommonAnnotations = "commonAnnotations"
)

// beside are the kustomizations in the directories of files.
func beside(files []string) []string {
	var found []string
	seen := map[string]bool{}
	for _, file := range files {
		dir := filepath.Dir(file)
		if seen[dir] {
			continue
		}
		seen[dir] = true
		for _, name := range Names() {
			if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
				found = append(found, filepath.Join(dir, name))
			}
		}
	}
	return found
}

// hear passes on each document of a kustomization. Errors are reported when the file is read for other checks.
func (l *Layout) hear(file string, read func(file string) (string, error), add func(dir string, fields map[string]any)) []manifest.Part {
	text, err := read(file)
	if err != nil {
		return nil
	}
	parts := slices.Collect(manifest.Read(text, true))
	for _, p := range parts {
		for _, d := range p.Documents {
			fields, _ := d.Value.(map[string]any)
			add(filepath.Dir(file), fields)
		}
	}
	return parts
}

// add takes in one kustomization.
func (l *Layout) add(dir string, fields map[string]any) {
	for _, list := range []string{"resources", "bases", "components"} {
		items, _ := fields[list].([]any)
		for _, item := range items {
			name, ok := item.(string)
			if !ok || name == "" || strings.Contains(name, "://") {
				continue
			}
			whole := below(dir, name)
			l.Parts[dir], l.Listed[whole] = append(l.Parts[dir], whole), true
		}
	}
	if namespace, ok := fields["namespace"].(string); ok {
		l.Namespaces[dir] = namespace
	}
	l.Writes[dir] = l.Writes[dir] || fields["transformers"] != nil || fields["replacements"] != nil
	l.Annotates[dir] = l.Annotates[dir] || fields[CommonAnnotations] != nil
	l.addPatches(dir, fields)
}

func (l *Layout) addPatches(dir string, fields map[string]any) {
	for _, p := range PatchesOf(dir, fields) {
		if p.Path != "" {
			l.Patches[below(dir, p.Path)] = p.Use
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

// AnyNamespace asks for everything that a kustomization is made of, whatever namespace it is in.
const AnyNamespace = "*"

// Compose finds what a directory's kustomization is made of, as seen from a namespace. It leaves out objects of another namespace, unless
// the kustomization puts all objects into its own.
func (l *Layout) Compose(dir, namespace string) *Composition {
	if l.Namespaces[dir] != "" {
		namespace = ""
	}
	key := dir + "\x00" + namespace
	if known, ok := l.wholes[key]; ok {
		return known
	}
	c := &Composition{members: map[string]bool{dir: true}}
	l.wholes[key] = c
	next, met := l.Parts[dir], 0
	for depth := 0; len(next) > 0; depth++ {
		var further []string
		for _, part := range next {
			met, l.room = met+1, l.room-1
			other := l.Namespaces[part]
			switch {
			case met > maxMet || l.room < 0:
				l.cut(dir)
				return c
			case c.members[part] || l.Namespaces[dir] == "" && other != "" && other != namespace && namespace != AnyNamespace:
			case len(c.Order) == maxParts || depth == maxDepth:
				l.cut(dir)
			default:
				c.members[part], c.Order = true, append(c.Order, part)
				further = append(further, l.Parts[part]...)
			}
		}
		next = further
	}
	return c
}

func (l *Layout) cut(dir string) {
	if !l.isCut[dir] {
		l.isCut[dir], l.Cut = true, append(l.Cut, dir)
	}
}

// Bounds says in words how much of a kustomization counts.
func Bounds() string {
	return fmt.Sprintf("of one the first %d parts count, on %d levels, and of all together %d, and %d more for each file", maxParts, maxDepth, spareMet, fileMet)
}

// Home is the namespace that the nearest kustomization sets for the files of a directory. There may be thousands on a path, and of each it is found once.
func (l *Layout) Home(dir string) string {
	home, isKnown := l.homes[dir]
	if isKnown {
		return home
	}
	if _, isOne := l.Parts[dir]; isOne {
		home = l.Namespaces[dir]
	} else if up := filepath.Dir(dir); up != dir {
		home = l.Home(up)
	}
	l.homes[dir] = home
	return home
}

// Holds says whether a file is part of a composition: itself, or one of its directories up to the one of the kustomization.
func (c *Composition) Holds(file, dir string) bool {
	for at := file; at != dir && at != filepath.Dir(at); at = filepath.Dir(at) {
		if c.members[at] {
			return true
		}
	}
	return filepath.Dir(file) == dir
}
