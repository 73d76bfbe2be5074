//go:build unix

package binaries

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// task makes one file. A file that is there is complete: it appears by rename.
type task struct {
	name, path string
	// published is where it can be had ready-made; the zero value if nowhere.
	published Published
	make      func(ctx context.Context, path string) error
}

// tasks are the files of the pin, in a directory named after everything that decides their content.
func (p Pin) tasks(ctx context.Context, cache string) ([]task, error) {
	digest, err := p.digest(ctx)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(cache, p.name()+"-"+digest)
	var tasks []task
	for _, program := range p.Programs {
		t := task{name: program.Name, path: filepath.Join(dir, program.Name), make: p.program(program)}
		if !slices.Contains(p.Unpublished, program.Name) {
			t.published = p.Published[runtime.GOOS+"/"+runtime.GOARCH]
		}
		tasks = append(tasks, t)
	}
	for _, text := range p.Texts {
		tasks = append(tasks, task{name: text.Name, path: filepath.Join(dir, text.Name), make: p.text(text)})
	}
	return tasks, nil
}

func (p Pin) name() string {
	name, _, _ := strings.Cut(p.Release, "@")
	return filepath.Base(cmp.Or(p.Dir, strings.TrimSuffix(name, "/v4")))
}

// digest stands for the versions, the Go release, the machine and the flags.
func (p Pin) digest(ctx context.Context) (string, error) {
	release, err := goCommand{dir: p.Dir}.output(ctx, "env", "GOVERSION")
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	fmt.Fprintln(sum, release, runtime.GOOS, runtime.GOARCH, buildFlags(stampFlags("version")), p.Release, p.Programs, p.Texts, p.Stamp)
	if p.Release != "" {
		return fmt.Sprintf("%x", sum.Sum(nil)[:8]), nil
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(p.Dir, name))
		if err != nil && !(name == "go.sum" && errors.Is(err, fs.ErrNotExist)) { // a module without dependencies has none
			return "", err
		}
		fmt.Fprintf(sum, "%s %d\n%s", name, len(content), content)
	}
	return fmt.Sprintf("%x", sum.Sum(nil)[:8]), nil
}

func (p Pin) program(program Program) func(context.Context, string) error {
	if p.Release != "" {
		return p.install(program)
	}
	return func(ctx context.Context, path string) error {
		ldflags, err := p.ldflags(ctx)
		if err != nil {
			return err
		}
		args := append(append([]string{"build"}, buildFlags(ldflags)...), "-o", path, program.Package)
		_, err = goCommand{dir: p.Dir}.output(ctx, args...)
		return err
	}
}

// install builds a program of a release by that release's own go.mod.
func (p Pin) install(program Program) func(context.Context, string) error {
	return func(ctx context.Context, path string) error {
		_, version, _ := strings.Cut(p.Release, "@")
		bin := path + ".d"
		defer func() { _ = os.RemoveAll(bin) }()
		args := append(append([]string{"install"}, buildFlags("")...), program.Package+"@"+version)
		if _, err := (goCommand{dir: filepath.Dir(path), bin: bin}).output(ctx, args...); err != nil {
			return err
		}
		return os.Rename(filepath.Join(bin, program.Name), path)
	}
}

// buildFlags are the same everywhere: another set would compile every package again.
func buildFlags(ldflags string) []string {
	if ldflags == "" {
		return []string{"-trimpath"}
	}
	return []string{"-trimpath", "-ldflags", ldflags}
}

// ldflags make the programs report the pinned version; built as a dependency Kubernetes calls itself v0.0.0.
func (p Pin) ldflags(ctx context.Context) (string, error) {
	if p.Stamp == "" {
		return "", nil
	}
	version, err := goCommand{dir: p.Dir}.output(ctx, "list", "-m", "-f", "{{.Version}}", p.Stamp)
	if err != nil {
		return "", err
	}
	return stampFlags(version), nil
}

func stampFlags(version string) string {
	major, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	const variable = "-X k8s.io/component-base/version."
	return variable + "gitVersion=" + version + " " + variable + "gitMajor=" + major + " " + variable + "gitMinor=" + minor
}

func (p Pin) text(text Text) func(context.Context, string) error {
	return func(ctx context.Context, path string) error {
		dir, err := p.source(ctx, filepath.Dir(path))
		if err != nil {
			return err
		}
		var parts [][]byte
		for _, part := range text.Parts {
			content, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(part)))
			if err != nil {
				return err
			}
			parts = append(parts, content)
		}
		return os.WriteFile(path, bytes.Join(parts, []byte("\n---\n")), 0o644)
	}
}

// source is the directory of the module itself.
func (p Pin) source(ctx context.Context, outside string) (string, error) {
	if p.Release == "" {
		return goCommand{dir: p.Dir}.output(ctx, "list", "-m", "-f", "{{.Dir}}")
	}
	said, err := goCommand{dir: outside}.output(ctx, "mod", "download", "-json", p.Release)
	if err != nil {
		return "", err
	}
	var module struct{ Dir string }
	err = json.Unmarshal([]byte(said), &module)
	return module.Dir, err
}

// partial is where the file is made before it is renamed. Remains of interrupted runs go; the caller holds the lock.
func (t task) partial() (string, error) {
	dir := filepath.Dir(t.path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	prefix := "." + t.name + "."
	remains, _ := filepath.Glob(filepath.Join(dir, prefix+"*"))
	for _, path := range remains {
		_ = os.Remove(path)
	}
	return filepath.Join(dir, fmt.Sprintf("%s%d", prefix, os.Getpid())), nil
}

// run makes the file.
func (t task) run(ctx context.Context) error {
	partial, err := t.partial()
	if err != nil {
		return err
	}
	if err := t.make(ctx, partial); err != nil {
		_ = os.Remove(partial)
		return err
	}
	return os.Rename(partial, t.path)
}

func missing(tasks []task) []task {
	return slices.DeleteFunc(slices.Clone(tasks), func(t task) bool { return isFile(t.path) })
}

// withAssets replaces the tasks whose file lies ready-made in dir.
func withAssets(tasks []task, dir string) []task {
	if dir == "" {
		return tasks
	}
	preferred := slices.Clone(tasks)
	for i, t := range tasks {
		if path, err := filepath.Abs(filepath.Join(dir, t.name)); err == nil && isFile(path) {
			preferred[i].path = path
		}
	}
	return preferred
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
