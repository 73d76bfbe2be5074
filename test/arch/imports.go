// Package arch holds the repository to its plan: which package may import which, that pure packages have no I/O and no clock, that no
// package variable changes, and that pages name files and tests that exist. It does not repeat the checks of golangci-lint
// (.golangci.yml). The checkers take values and return findings; the tests run them on the repository and on small bad inputs.
package arch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
)

// Package has the fields of `go list -json` that the import rules need.
type Package struct {
	// ImportPath is the path by which others import it.
	ImportPath string
	// Name is the name in its package clause.
	Name string
	// Imports are the packages that its non-test files import directly.
	Imports []string
}

// List returns all packages of the module in dir. The error has the output of the go command.
func List(ctx context.Context, dir string) ([]Package, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-json=ImportPath,Name,Imports", "./...")
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("cannot list the packages in %s: %w: %s", dir, err, stderr.String())
	}
	return decode(bytes.NewReader(stdout))
}

// decode reads the objects that `go list -json` writes one after the other.
func decode(r io.Reader) ([]Package, error) {
	var packages []Package
	for decoder := json.NewDecoder(r); ; {
		var p Package
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages, nil
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read the list of packages: %w", err)
		}
		packages = append(packages, p)
	}
}

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
func (p Plan) Check(packages []Package) []string {
	var findings []string
	for _, pkg := range packages {
		room := strings.TrimPrefix(strings.TrimPrefix(pkg.ImportPath, p.Module), "/")
		may, known := p.Rooms[room]
		if !known {
			findings = append(findings, fmt.Sprintf("%s: the plan has no such room", room))
		}
		findings = append(findings, checkName(room, pkg.Name)...)
		for _, path := range pkg.Imports {
			if known && !p.allows(room, may, path) {
				findings = append(findings, fmt.Sprintf("%s must not import %s", room, path))
			}
		}
	}
	return findings
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
