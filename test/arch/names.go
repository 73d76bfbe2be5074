package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
)

// CheckNames returns one line for each exported name without documentation, each init function, each package whose
// name says nothing, and each package variable that is written to.
func CheckNames(files []File) []string {
	var findings []string
	variables := packageVariables(files)
	for _, file := range files {
		if name := file.Syntax.Name.Name; slices.Contains(Forbidden(), name) {
			findings = append(findings, fmt.Sprintf("%s: %q is no name for a package", file.Path, name))
		}
		for _, decl := range file.Syntax.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				findings = append(findings, file.checkFunction(decl, variables[file.dir()])...)
			case *ast.GenDecl:
				findings = append(findings, file.checkDeclaration(decl)...)
			}
		}
	}
	return findings
}

func (f File) checkFunction(fn *ast.FuncDecl, variables []string) []string {
	var findings []string
	name := functionName(fn)
	if name == "init" {
		findings = append(findings, fmt.Sprintf("%s: init runs unasked; call a function from main", f.at(fn.Type)))
	}
	isMethodOfHidden := fn.Recv.NumFields() > 0 && !ast.IsExported(receiver(fn))
	if fn.Name.IsExported() && !isMethodOfHidden && fn.Doc.Text() == "" {
		findings = append(findings, fmt.Sprintf("%s: %s has no documentation", f.at(fn.Type), name))
	}
	return append(findings, f.checkWrites(fn, variables)...)
}

// checkDeclaration takes the documentation of a group for all its members, but not for types.
func (f File) checkDeclaration(decl *ast.GenDecl) []string {
	var findings []string
	for _, spec := range decl.Specs {
		for _, name := range undocumented(decl, spec) {
			findings = append(findings, fmt.Sprintf("%s: %s has no documentation", f.at(name), name.Name))
		}
	}
	return findings
}

func undocumented(decl *ast.GenDecl, spec ast.Spec) []*ast.Ident {
	var names []*ast.Ident
	documented := decl.Doc.Text() != ""
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		names = []*ast.Ident{spec.Name}
		documented = spec.Doc.Text() != "" || documented && len(decl.Specs) == 1
	case *ast.ValueSpec:
		names = spec.Names
		documented = documented || spec.Doc.Text() != "" || spec.Comment.Text() != ""
	}
	if documented {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(names), func(name *ast.Ident) bool { return !name.IsExported() })
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

// checkWrites finds assignments to package variables, their fields and their elements. A function that declares the
// same name itself is left alone: which of the two is meant would need a type checker.
func (f File) checkWrites(fn *ast.FuncDecl, variables []string) []string {
	local := declaredNames(fn)
	var findings []string
	check := func(written ast.Expr) {
		name := root(written)
		if slices.Contains(variables, name) && !slices.Contains(local, name) {
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

// declaredNames are the variables that are declared anywhere inside a node, parameters too.
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

// root is the variable at the start of x.field, x[i] or *x; empty for anything else.
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
