// Package arch holds the repository to its plan: which package may import which, that pure packages have no I/O and no clock, that no
// package variable changes, and that pages name files and tests that exist. It does not repeat the checks of golangci-lint
// (.golangci.yml). The checkers take values and return findings; the tests run them on the repository and on small bad inputs.
package arch

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

// Plan says who may import whom in one module.
type Plan struct {
	// Module is the path of the module.
	Module string
	// Rooms holds, for each package below the module, what it may import beside the standard library: module or
	// package paths, which allow what is below them too, or "./room" for exactly one room of this module.
	Rooms map[string][]string
	// Closed are the rooms that nobody may import.
	Closed []string
	// Pure are the rooms without I/O, clock, log and randomness: they may not import the Impure part of the standard library.
	Pure []string
}

// Impure is the part of the standard library that pure rooms may not import, with everything below each path.
func Impure() []string {
	return []string{"crypto/rand", "io/ioutil", "log", "math/rand", "net", "os", "runtime", "syscall", "unsafe"}
}

// Forbidden are package names that say nothing about what is inside.
func Forbidden() []string {
	return []string{"base", "common", "helper", "helpers", "misc", "pkg", "shared", "types", "util", "utils"}
}

// Check returns one line for each breach of the plan, in the order of the packages.
func (p Plan) Check(loaded []*packages.Package) []string {
	var findings []string
	for _, pkg := range loaded {
		room := p.room(pkg)
		may, known := p.Rooms[room]
		if !known {
			findings = append(findings, fmt.Sprintf("%s: the plan has no such room", room))
		}
		findings = append(findings, checkName(room, pkg.Name)...)
		for _, path := range slices.Sorted(maps.Keys(pkg.Imports)) {
			if known && !p.allows(room, may, path) {
				findings = append(findings, fmt.Sprintf("%s must not import %s", room, path))
			}
		}
	}
	return findings
}

// room is a package's path below its module.
func (p Plan) room(pkg *packages.Package) string {
	return strings.TrimPrefix(strings.TrimPrefix(pkg.PkgPath, p.Module), "/")
}

// checkName looks at every element of the path, so that nothing hides below a bad name.
func checkName(room, name string) []string {
	for _, element := range append(strings.Split(room, "/"), name) {
		if slices.Contains(Forbidden(), element) {
			return []string{fmt.Sprintf("%s: %q is no name for a package", room, element)}
		}
	}
	return nil
}

func (p Plan) allows(room string, may []string, path string) bool {
	if isStandard(path) {
		return !slices.Contains(p.Pure, room) || !below(path, Impure())
	}
	if own, ok := strings.CutPrefix(path, p.Module+"/"); ok {
		return slices.Contains(may, "./"+own) && !slices.Contains(p.Closed, own)
	}
	return below(path, may)
}

// isStandard recognizes the standard library by its paths, whose first element has no dot.
func isStandard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

// below says whether path is one of roots or lies below one.
func below(path string, roots []string) bool {
	return slices.ContainsFunc(roots, func(root string) bool {
		return path == root || strings.HasPrefix(path, root+"/")
	})
}
