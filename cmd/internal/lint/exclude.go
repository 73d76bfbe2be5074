package lint

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	yaml "sigs.k8s.io/yaml/goyaml.v3"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/manifest"
)

// lintConfigFile is read in the working directory and in each DIR, if it is there.
const lintConfigFile = ".mini-hpa-lint.yaml"

// lintConfigField is all that it may hold: a list of globs, relative to its directory.
const lintConfigField = "exclude"

// exclusion is a glob, and the directory that it is relative to.
type exclusion struct {
	dir      string // absolute
	segments []string
}

// exclusions are what is passed over.
type exclusions struct {
	globs []exclusion
	paths paths
	// files are those that say so, by their absolute paths.
	files map[string]bool
}

// globs is a flag that may be repeated.
func globs(values *[]string) pflag.Value {
	return cli.Value[[]string]{Var: values, Kind: "glob", Want: `a glob such as "charts/*/templates", "**/testdata" or "*.json", without braces or a leading !`,
		Format: func(values []string) string { return strings.Join(values, " ") },
		Parse: func(s string) ([]string, bool) {
			_, _, err := globOf(s)
			return append(slices.Clip(*values), s), err == nil
		}}
}

// globOf parses a glob: up is how many directories above its own it begins. A glob without a slash matches at any depth, as in .gitignore.
func globOf(glob string) (up int, segments []string, err error) {
	switch {
	case strings.HasPrefix(glob, "!"):
		return 0, nil, errors.New("begins with !, but nothing that is left out can be taken in again")
	case strings.ContainsAny(glob, "{}"):
		return 0, nil, errors.New("has braces, which are not known; write a glob for each of what is in them")
	}
	deep := !strings.Contains(strings.TrimRight(glob, "/"), "/")
	rest := path.Clean(strings.TrimSpace(glob))
	for rest == ".." || strings.HasPrefix(rest, "../") {
		up, rest, deep = up+1, strings.TrimPrefix(rest[2:], "/"), false
	}
	if rest = strings.Trim(rest, "/"); rest == "" || rest == "." {
		return 0, nil, errors.New("names nothing")
	}
	segments = strings.Split(rest, "/")
	for _, segment := range segments {
		if _, err := path.Match(segment, ""); err != nil {
			return 0, nil, fmt.Errorf("has a syntax error in %s", cli.Quote(segment))
		}
	}
	if deep {
		segments = append([]string{"**"}, segments...)
	}
	return up, slices.CompactFunc(segments, func(a, b string) bool { return a == "**" && b == "**" }), nil
}

// add adds globs that are relative to a directory. One that begins with a slash may also be relative to the root, as a shell would write it.
func (x *exclusions) add(dir string, globs []string) error {
	whole := x.paths.of(dir).path
	for _, glob := range globs {
		up, segments, err := globOf(glob)
		if err != nil {
			return fmt.Errorf("the glob %s %w", cli.Quote(glob), err)
		}
		from := whole
		for range up {
			from = filepath.Dir(from)
		}
		x.globs = append(x.globs, exclusion{from, segments})
		if root := filepath.VolumeName(whole) + string(filepath.Separator); strings.HasPrefix(glob, "/") {
			x.globs = append(x.globs, exclusion{root, segments})
		}
	}
	return nil
}

// notRead warns of exclude files that were not read.
func notRead(files []string) string {
	more := ""
	if n := len(files) - 1; n > 0 {
		more = fmt.Sprintf(" (and %d more)", n)
	}
	return fmt.Sprintf("%s is not read%s: only the ones in the working directory and in a DIR are; write its globs there, or name its directory, too", files[0], more)
}

// read adds what one file says.
func (x *exclusions) read(dir, text string) error {
	root, err := manifest.Nodes(text)
	if at := (manifest.LineError{}); errors.As(err, &at) && unquotedGlob.MatchString(text) {
		return manifest.LineError{Line: at.Line, Err: fmt.Errorf("%w; put a glob that begins with * in quotes", at.Err)}
	}
	if err != nil || root == nil {
		return err
	}
	if root.Kind != yaml.MappingNode {
		return manifest.LineError{Line: root.Line, Err: fmt.Errorf(`want "%s:" and a list of globs`, lintConfigField)}
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		name, value := root.Content[i], manifest.Followed(root.Content[i+1])
		switch {
		case name.Value != lintConfigField:
			return manifest.LineError{Line: name.Line, Err: fmt.Errorf("%s is not a field here; the only one is %q", cli.Quote(name.Value), lintConfigField)}
		case value.Tag == "!!null":
			continue
		case value.Kind != yaml.SequenceNode:
			return manifest.LineError{Line: value.Line, Err: fmt.Errorf(`%s must be a list; begin each glob with "- "`, lintConfigField)}
		}
		for _, item := range value.Content {
			item = manifest.Followed(item)
			if item.Kind != yaml.ScalarNode {
				return manifest.LineError{Line: item.Line, Err: fmt.Errorf("an item of %s is no glob but a list or a mapping", lintConfigField)}
			}
			if err := x.add(dir, []string{item.Value}); err != nil {
				return manifest.LineError{Line: item.Line, Err: err}
			}
		}
	}
	return nil
}

// unquotedGlob is what YAML takes for an alias.
var unquotedGlob = regexp.MustCompile(`(?m)(?:^[ \t]*-|[\[,])[ \t]*\*`)

// excluded says whether a path is left out, or something that it is in.
func (x exclusions) excluded(name string) bool {
	if len(x.globs) == 0 {
		return false
	}
	whole := x.paths.of(name).path
	inside := map[string][]string{} // by the directory that it is relative to; there are few of those, and may be many globs
	return slices.ContainsFunc(x.globs, func(e exclusion) bool {
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

// matchesPart says whether a glob matches a path or its first parts. Of several ** only the last one is tried again: the shortest match of
// the earlier ones leaves the most for the others.
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
