package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
)

// CheckWrites returns one line for each place where a package variable is written to.
func CheckWrites(files []File) []string {
	var findings []string
	variables := packageVariables(files)
	for _, file := range files {
		for _, decl := range file.Syntax.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok {
				findings = append(findings, file.checkWrites(fn, variables[file.dir()])...)
			}
		}
	}
	return findings
}

// packageVariables returns the names of the variables of each package, by its directory.
func packageVariables(files []File) map[string][]string {
	variables := map[string][]string{}
	for _, file := range files {
		for _, decl := range file.Syntax.Decls {
			if group, ok := decl.(*ast.GenDecl); ok && group.Tok == token.VAR {
				variables[file.dir()] = append(variables[file.dir()], declaredNames(group)...)
			}
		}
	}
	return variables
}

// checkWrites finds assignments to package variables, their fields and their elements. It skips a function that declares the same
// name itself, because telling the two apart needs a type checker.
func (f File) checkWrites(fn *ast.FuncDecl, variables []string) []string {
	local := declaredNames(fn)
	var findings []string
	check := func(written ast.Expr) {
		name := root(written)
		if name != "" && slices.Contains(variables, name) && !slices.Contains(local, name) {
			findings = append(findings, fmt.Sprintf("%s: %s writes to the package variable %s", f.at(written), functionName(fn), name))
		}
	}
	ast.Inspect(fn, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.IncDecStmt:
			check(node.X)
		case *ast.AssignStmt:
			for _, left := range node.Lhs {
				check(left)
			}
		}
		return true
	})
	return findings
}

// declaredNames returns the variables that are declared anywhere inside a node, including parameters.
func declaredNames(within ast.Node) []string {
	var names []string
	ast.Inspect(within, func(node ast.Node) bool {
		for _, name := range declares(node) {
			names = append(names, root(name))
		}
		return true
	})
	return names
}

// declares returns what this one node declares.
func declares(node ast.Node) []ast.Expr {
	switch node := node.(type) {
	case *ast.Field:
		return expressions(node.Names)
	case *ast.ValueSpec:
		return expressions(node.Names)
	case *ast.AssignStmt:
		if node.Tok == token.DEFINE {
			return node.Lhs
		}
	case *ast.RangeStmt:
		if node.Tok == token.DEFINE {
			return []ast.Expr{node.Key, node.Value}
		}
	}
	return nil
}

func expressions(names []*ast.Ident) []ast.Expr {
	var all []ast.Expr
	for _, name := range names {
		all = append(all, name)
	}
	return all
}

// root returns the variable at the start of x.field, x[i] or *x, and "" for anything else.
func root(expr ast.Expr) string {
	switch expr := expr.(type) {
	case *ast.Ident:
		return expr.Name
	case *ast.SelectorExpr:
		return root(expr.X)
	case *ast.IndexExpr:
		return root(expr.X)
	case *ast.StarExpr:
		return root(expr.X)
	case *ast.ParenExpr:
		return root(expr.X)
	}
	return ""
}

func functionName(fn *ast.FuncDecl) string {
	if fn.Recv.NumFields() == 0 {
		return fn.Name.Name
	}
	return receiver(fn) + "." + fn.Name.Name
}

// receiver is the name of the type that a method belongs to.
func receiver(fn *ast.FuncDecl) string {
	name := ""
	ast.Inspect(fn.Recv.List[0].Type, func(node ast.Node) bool {
		if ident, ok := node.(*ast.Ident); ok && name == "" {
			name = ident.Name
		}
		return name == ""
	})
	return name
}
