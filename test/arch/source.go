package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"strings"
)

// File is one Go source file.
type File struct {
	// Path is where it is, below the root that was read.
	Path string
	// Syntax is its syntax tree.
	Syntax *ast.File

	positions *token.FileSet
}

// Read returns the Go files below the root of fsys that people write and ship: no tests, no testdata, nothing hidden,
// nothing generated. A file that does not parse is an error.
func Read(fsys fs.FS) ([]File, error) {
	var files []File
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && isSkipped(entry.Name()):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		file, err := readFile(fsys, name)
		if err == nil && !ast.IsGenerated(file.Syntax) {
			files = append(files, file)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the source: %w", err)
	}
	return files, nil
}

func isSkipped(dir string) bool {
	return dir == "testdata" || dir == "vendor" || dir != "." && strings.HasPrefix(dir, ".")
}

func readFile(fsys fs.FS, name string) (File, error) {
	text, err := fs.ReadFile(fsys, name)
	if err != nil {
		return File{}, err
	}
	positions := token.NewFileSet()
	syntax, err := parser.ParseFile(positions, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return File{}, err
	}
	return File{Path: name, Syntax: syntax, positions: positions}, nil
}

// at renders a position as editors do.
func (f File) at(node ast.Node) string {
	return fmt.Sprintf("%s:%d", f.Path, f.positions.Position(node.Pos()).Line)
}

// dir is the package's directory.
func (f File) dir() string { return path.Dir(f.Path) }
