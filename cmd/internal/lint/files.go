package lint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/kustomize"
	"github.com/mini-hpa/mini-hpa/cmd/internal/manifest"
)

// maxManifest is the largest file that is read, in bytes; an API server takes no object above 3 MiB.
const maxManifest = 10 << 20

// standardInput is what findings call it.
const standardInput = "standard input"

// source is a file to read, or why it cannot be read.
type source struct {
	name string // as the user would write it; - is standard input
	err  error
	// met says that the user did not name the file: it was found below a DIR, and need not be a manifest.
	met bool
	// isIdle says that it is an exclude file in a place where lint does not read it.
	isIdle bool
}

// shown is the file in what is written.
func (s source) shown() string {
	if s.name == "-" {
		return standardInput
	}
	return s.name
}

// configure adds what the files say that are in the working directory and in those of the arguments.
func (x *exclusions) configure(args []string) error {
	x.files = map[string]bool{}
	for _, dir := range append([]string{"."}, args...) {
		file := filepath.Join(dir, lintConfigFile)
		whole := x.paths.of(file).path
		if x.files[whole] {
			continue
		}
		x.files[whole] = true
		text, err := source{name: file}.read(nil)
		if err != nil && !isDirectory(dir) || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = x.read(dir, text)
		}
		at := manifest.LineError{}
		switch errors.As(err, &at); {
		case at.Line > 0:
			return cli.Usagef("cannot read %s: line %d: %v", cli.Quote(file), at.Line, at.Err)
		case err != nil:
			return cli.Usagef("cannot read %s: %v", cli.Quote(file), err)
		}
	}
	return nil
}

func isDirectory(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// sources finds the files that the arguments mean, each once, without those that are excluded. idle are lint's configuration files that are
// not where lint looks for them, so that they exclude nothing.
func sources(args []string, x exclusions) (found []source, idle []string) {
	seen := map[string]bool{}
	for _, arg := range args {
		for _, s := range sourcesOf(arg, x) {
			switch path := filepath.Clean(s.name); {
			case seen[path]:
			case s.isIdle:
				seen[path], idle = true, append(idle, s.name)
			default:
				seen[path], found = true, append(found, s)
			}
		}
	}
	return found, idle
}

func sourcesOf(arg string, x exclusions) []source {
	if arg == "-" {
		return []source{{name: arg}}
	}
	if x.excluded(arg) {
		return nil
	}
	info, err := os.Stat(arg)
	switch {
	case err != nil:
		return []source{{name: arg, err: cli.Bare(err)}}
	case !info.IsDir():
		return []source{{name: arg}}
	}
	found, passed := manifestsBelow(arg, x)
	if passed == 0 && !slices.ContainsFunc(found, func(s source) bool { return !s.isIdle }) {
		return append(found, source{name: arg, err: errors.New("holds no *.yaml, *.yml, *.json or Kustomization")})
	}
	return found
}

// manifestsBelow walks in lexical order, and counts what is excluded. Links to directories are not followed, as they may lead in circles.
func manifestsBelow(dir string, x exclusions) (found []source, passed int) {
	root := os.DirFS(dir)
	// The function returns no error but SkipDir, hence neither does WalkDir.
	_ = fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		full := filepath.Join(dir, filepath.FromSlash(name))
		switch {
		case err != nil:
			found = append(found, source{name: full, err: cli.Bare(err), met: true})
		case entry.IsDir() && name != "." && (strings.HasPrefix(entry.Name(), ".") || x.excluded(full)):
			if !strings.HasPrefix(entry.Name(), ".") {
				passed++
			}
			return fs.SkipDir
		case entry.Name() == lintConfigFile:
			if !x.files[x.paths.of(full).path] && !x.excluded(full) {
				found = append(found, source{name: full, isIdle: true})
			}
		case !slices.Contains([]string{".yaml", ".yml", ".json"}, strings.ToLower(path.Ext(name))) && !kustomize.IsFile(entry.Name()):
		case x.excluded(full):
			passed++
		case entry.Type().IsRegular() || isRegular(root, name):
			found = append(found, source{name: full, met: true})
		}
		return nil
	})
	return found, passed
}

// isRegular follows links: the files of a mounted ConfigMap are some.
func isRegular(root fs.FS, name string) bool {
	info, err := fs.Stat(root, name)
	return err != nil || info.Mode().IsRegular() // an error is reported when the file is read
}

// errNotOurs is for files that the user did not name and that cannot be meant: binary, or very large without a word of mini-hpa.
var errNotOurs = errors.New("is not for mini-hpa")

// mentionsUs says whether a file, whose beginning was read already, has one of our annotations.
func mentionsUs(text []byte, rest io.Reader) bool {
	more := make([]byte, 1<<20)
	for {
		if bytes.Contains(text, []byte(annotations.Prefix)) {
			return true
		}
		n, err := rest.Read(more)
		if err != nil && n == 0 {
			return false
		}
		text = append(bytes.Clone(text[max(0, len(text)-len(annotations.Prefix)):]), more[:n]...) // it may lie across
	}
}

// isUTF16 goes by the mark that such a text begins with or, without one, by the first characters, one of whose bytes is 0.
func isUTF16(text []byte) bool {
	if bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")) {
		return true
	}
	const enough = 4
	if len(text) < 2*enough {
		return false
	}
	zeros := [2]int{}
	for i, b := range text[:2*enough] {
		if b == 0 {
			zeros[i%2]++
		}
	}
	return zeros == [2]int{enough, 0} || zeros == [2]int{0, enough}
}

// read returns the text of a file.
func (s source) read(stdin io.Reader) (string, error) {
	if s.err != nil {
		return "", s.err
	}
	in := stdin
	if s.name != "-" {
		file, err := os.Open(s.name)
		if err != nil {
			return "", cli.Bare(err)
		}
		defer file.Close()
		in = file
	}
	text, err := io.ReadAll(io.LimitReader(in, maxManifest+1))
	switch {
	case err != nil:
		return "", cli.Bare(err)
	case len(text) > maxManifest && s.met && !mentionsUs(text, in):
		return "", errNotOurs
	case len(text) > maxManifest:
		return "", fmt.Errorf("is larger than %d MiB; split it", maxManifest>>20)
	case isUTF16(text):
		return "", errors.New("is text in UTF-16; save it as UTF-8")
	case bytes.IndexByte(text, 0) >= 0 && s.met:
		return "", errNotOurs
	case bytes.IndexByte(text, 0) >= 0:
		return "", errors.New("holds NUL bytes, so it is no text in UTF-8")
	}
	return strings.TrimPrefix(string(text), "\ufeff"), nil
}

// layoutOf is what the kustomizations among the sources say.
func layoutOf(sources []source, p paths) *kustomize.Layout {
	var files, named []string
	for _, s := range sources {
		if s.name == "-" {
			continue
		}
		file := p.of(s.name).path
		if files = append(files, file); !s.met {
			named = append(named, file)
		}
	}
	return kustomize.NewLayout(files, named, func(file string) (string, error) { return source{name: file}.read(nil) })
}
