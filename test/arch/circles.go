package arch

import (
	"fmt"
	"go/types"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

// uses holds, for each file of a package, the other files of it whose declarations it uses.
type uses map[string]map[string]bool

// Circles returns one line for each set of files within a package that use each other in a circle: where there is none, a package can be
// read from its top to its bottom.
func Circles(loaded []*packages.Package) []string {
	var findings []string
	for _, p := range loaded {
		for _, circle := range usesOf(p).circles() {
			findings = append(findings, fmt.Sprintf("%s: these files use each other: %s", p.PkgPath, strings.Join(circle, ", ")))
		}
	}
	return findings
}

// usesOf reads from the type checker who uses whose constants, types, functions, methods and fields.
func usesOf(p *packages.Package) uses {
	u := uses{}
	for ident, object := range p.TypesInfo.Uses {
		if object.Pkg() != p.Types || isLocal(object) {
			continue
		}
		from, to := filepath.Base(p.Fset.Position(ident.Pos()).Filename), filepath.Base(p.Fset.Position(object.Pos()).Filename)
		if from == to {
			continue
		}
		if u[from] == nil {
			u[from] = map[string]bool{}
		}
		u[from][to] = true
	}
	return u
}

// isLocal says whether an object belongs to a function.
func isLocal(object types.Object) bool {
	v, ok := object.(*types.Var)
	return ok && !v.IsField() && v.Parent() != object.Pkg().Scope()
}

// circles returns the sets of files of which each reaches all others.
func (u uses) circles() [][]string {
	var all [][]string
	placed := map[string]bool{}
	for _, file := range slices.Sorted(maps.Keys(u)) {
		if placed[file] || !u.reach(file)[file] {
			continue
		}
		var circle []string
		for other := range u.reach(file) {
			if u.reach(other)[file] {
				circle, placed[other] = append(circle, other), true
			}
		}
		slices.Sort(circle)
		all = append(all, circle)
	}
	return all
}

// reach returns the files that a file uses, directly or by way of others.
func (u uses) reach(file string) map[string]bool {
	reached, open := map[string]bool{}, []string{file}
	for len(open) > 0 {
		next := open[0]
		open = open[1:]
		for other := range u[next] {
			if !reached[other] {
				reached[other], open = true, append(open, other)
			}
		}
	}
	return reached
}
