package arch

import (
	"fmt"
	"go/ast"
	"go/types"
	"slices"

	"golang.org/x/tools/go/packages"
)

// clock are the functions of package time that look at the clock or wait for it. The rest of the package is arithmetic.
func clock() []string {
	return []string{"After", "AfterFunc", "NewTicker", "NewTimer", "Now", "Since", "Sleep", "Tick", "Until"}
}

// CheckClock returns one line for each use of the clock in the pure rooms of the plan: there, time is an argument.
func (p Plan) CheckClock(loaded []*packages.Package) []string {
	var findings []string
	for _, pkg := range loaded {
		if !slices.Contains(p.Pure, p.room(pkg)) {
			continue
		}
		inspect(pkg, func(node ast.Node) {
			ident, ok := node.(*ast.Ident)
			if !ok {
				return
			}
			used := pkg.TypesInfo.Uses[ident]
			if ofPackage(used) && used.Pkg().Path() == "time" && slices.Contains(clock(), used.Name()) {
				findings = append(findings, fmt.Sprintf("%s: time.%s in a pure room", place(pkg, node), used.Name()))
			}
		})
	}
	return findings
}

// CheckWrites returns one line for each place where a package variable, a field or an element of it is written to.
func CheckWrites(loaded []*packages.Package) []string {
	var findings []string
	for _, pkg := range loaded {
		check := func(written ast.Expr) {
			if variable := pkg.TypesInfo.Uses[root(written)]; ofPackage(variable) {
				findings = append(findings, fmt.Sprintf("%s: writes to the package variable %s", place(pkg, written), variable.Name()))
			}
		}
		inspect(pkg, func(node ast.Node) {
			switch node := node.(type) {
			case *ast.IncDecStmt:
				check(node.X)
			case *ast.AssignStmt:
				for _, left := range node.Lhs {
					check(left)
				}
			}
		})
	}
	return findings
}

func inspect(pkg *packages.Package, do func(ast.Node)) {
	for _, file := range pkg.Syntax {
		ast.Inspect(file, func(node ast.Node) bool {
			do(node)
			return true
		})
	}
}

// ofPackage says whether an object is declared in a package, and not in a function or as a method or a field.
func ofPackage(object types.Object) bool {
	return object != nil && object.Pkg() != nil && object.Parent() == object.Pkg().Scope()
}

// root returns the variable at the start of x.field, x[i] or *x, and nil for anything else.
func root(expr ast.Expr) *ast.Ident {
	switch expr := expr.(type) {
	case *ast.Ident:
		return expr
	case *ast.SelectorExpr:
		return root(expr.X)
	case *ast.IndexExpr:
		return root(expr.X)
	case *ast.StarExpr:
		return root(expr.X)
	case *ast.ParenExpr:
		return root(expr.X)
	}
	return nil
}
