package arch

import (
	"context"
	"fmt"
	"go/ast"
	"path/filepath"

	"golang.org/x/tools/go/packages"
)

// Load returns all packages of the module in dir, as they are built on this machine and without their tests, with syntax and types. The
// error says what cannot be read or does not compile.
func Load(ctx context.Context, dir string) ([]*packages.Package, error) {
	const mode = packages.NeedName | packages.NeedFiles | packages.NeedCompiledGoFiles | packages.NeedImports | packages.NeedTypes | packages.NeedTypesSizes |
		packages.NeedSyntax | packages.NeedTypesInfo
	loaded, err := packages.Load(&packages.Config{Context: ctx, Mode: mode, Dir: dir}, "./...")
	if err != nil {
		return nil, fmt.Errorf("cannot load the packages in %s: %w", dir, err)
	}
	for _, p := range loaded {
		if len(p.Errors) > 0 {
			return nil, fmt.Errorf("cannot check %s: %w", p.PkgPath, p.Errors[0])
		}
	}
	return loaded, nil
}

// place is where something is: the package, the file and the line.
func place(p *packages.Package, node ast.Node) string {
	at := p.Fset.Position(node.Pos())
	return fmt.Sprintf("%s/%s:%d", p.PkgPath, filepath.Base(at.Filename), at.Line)
}
