package lint

import (
	"os"
	"path/filepath"
)

// paths are those of files, from the root on.
type paths struct {
	// from is the working directory, which takes calls of the system to find. Where it is gone, paths stay relative, and nothing there can be read.
	from string
	// known are those found, by the names of the files, as a file may have many objects. Nil remembers none.
	known map[string]location
}

// location is the path of a file, and that of its directory.
type location struct{ path, dir string }

func pathsFromHere() paths {
	here, _ := os.Getwd()
	return paths{here, map[string]location{}}
}

func (p paths) of(name string) location {
	found, isKnown := p.known[name]
	if isKnown {
		return found
	}
	if found.path = filepath.Clean(name); !filepath.IsAbs(name) {
		found.path = filepath.Join(p.from, name)
	}
	found.dir = filepath.Dir(found.path)
	if p.known != nil {
		p.known[name] = found
	}
	return found
}

// charts are directories, and whether they are below the templates of a Helm chart.
type charts map[string]bool

// hold says whether a directory is, which it finds once. There may be thousands on a path.
func (c charts) hold(dir string) bool {
	if known, ok := c[dir]; ok {
		return known
	}
	up := filepath.Dir(dir)
	isOfOne := up != dir && (filepath.Base(dir) == "templates" && exists(filepath.Join(up, "Chart.yaml")) || c.hold(up))
	c[dir] = isOfOne
	return isOfOne
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
