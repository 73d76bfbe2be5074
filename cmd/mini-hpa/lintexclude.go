package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"
)

// lintConfigFile is read in the working directory and in each DIR, if it is there.
const lintConfigFile = ".mini-hpa-lint.yaml"

// lintConfig is what it may hold.
type lintConfig struct {
	// Exclude are globs, relative to the directory of the file.
	Exclude []string `json:"exclude"`
}

// exclusion is a glob, and the directory that it is relative to.
type exclusion struct {
	dir      string // absolute
	segments []string
}

// exclusions are what is passed over.
type exclusions []exclusion

// globs is a flag that may be repeated.
func globs(values *[]string) pflag.Value {
	return checked[[]string]{value: values, kind: "glob", want: `a glob such as "charts/*/templates", "**/testdata" or "*.json"`,
		format: func(values []string) string { return strings.Join(values, " ") },
		parse: func(s string) ([]string, bool) {
			_, err := segmentsOf(s)
			return append(slices.Clip(*values), s), err == nil
		}}
}

// segmentsOf takes a glob apart. One without a slash is meant at any depth, as in .gitignore.
func segmentsOf(glob string) ([]string, error) {
	if strings.Trim(glob, "/ ") == "" {
		return nil, errors.New("is empty")
	}
	deep := !strings.Contains(strings.TrimRight(glob, "/"), "/")
	segments := strings.Split(strings.Trim(path.Clean("/"+glob), "/"), "/")
	for _, segment := range segments {
		if _, err := path.Match(segment, ""); err != nil {
			return nil, fmt.Errorf("has a syntax error in %s", quote(segment))
		}
	}
	if deep {
		segments = append([]string{"**"}, segments...)
	}
	return slices.CompactFunc(segments, func(a, b string) bool { return a == "**" && b == "**" }), nil
}

// add adds globs that are relative to a directory.
func (x *exclusions) add(dir string, globs []string) error {
	whole, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("cannot tell where %s is: %w", quote(dir), err)
	}
	for _, glob := range globs {
		segments, err := segmentsOf(glob)
		if err != nil {
			return fmt.Errorf("the glob %s %w", quote(glob), err)
		}
		*x = append(*x, exclusion{whole, segments})
	}
	return nil
}

// configure adds what the files say that are in the working directory and in those of the arguments.
func (x *exclusions) configure(args []string) error {
	read := map[string]bool{}
	for _, dir := range append([]string{"."}, args...) {
		file := filepath.Join(dir, lintConfigFile)
		whole, err := filepath.Abs(file)
		if err != nil || read[whole] {
			continue
		}
		read[whole] = true
		text, err := os.ReadFile(file)
		if err != nil && !isDirectory(dir) || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var c lintConfig
		if err == nil {
			err = yaml.UnmarshalStrict(text, &c)
		}
		if err == nil {
			err = x.add(dir, c.Exclude)
		}
		if err != nil {
			return usagef("", "cannot read %s: %v", quote(file), bare(err))
		}
	}
	return nil
}

func isDirectory(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// excluded says whether a path is left out, or something that it is in.
func (x exclusions) excluded(name string) bool {
	if len(x) == 0 {
		return false
	}
	whole, err := filepath.Abs(name)
	if err != nil {
		return false
	}
	inside := map[string][]string{} // by the directory that it is relative to; there are few of those, and may be many globs
	return slices.ContainsFunc(x, func(e exclusion) bool {
		parts, known := inside[e.dir]
		if !known {
			if way, err := filepath.Rel(e.dir, whole); err == nil && filepath.IsLocal(way) {
				parts = strings.Split(filepath.ToSlash(way), "/")
			}
			inside[e.dir] = parts
		}
		return parts != nil && matchesPart(e.segments, parts)
	})
}

// matchesPart says whether a glob matches a path, or the first parts of it. Of several ** only the last one is ever tried again, as the
// shortest part that those before it can take leaves the most to the others.
func matchesPart(glob, parts []string) bool {
	again, from := -1, 0 // the last ** and where what follows it was tried
	for g, p := 0, 0; g < len(glob); {
		if glob[g] == "**" {
			again, from, g = g, p, g+1
			continue
		}
		if p < len(parts) {
			if matches, err := path.Match(glob[g], parts[p]); err == nil && matches {
				g, p = g+1, p+1
				continue
			}
		}
		if again < 0 || from >= len(parts) {
			return false
		}
		from++
		g, p = again+1, from
	}
	return true
}
