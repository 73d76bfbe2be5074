package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
)

// Limits of the style. A function's lines go from its `func` to its closing brace, and those of functions inside
// belong to it; a receiver is no parameter.
const (
	maxFileLines     = 250
	maxFunctionLines = 50
	maxMedianLines   = 12
	maxMostLines     = 30
	mostPercent      = 90
	maxParameters    = 5
	maxComplexity    = 10
)

// Function is the measure of one function with a body.
type Function struct {
	// Name is the function's name, with its receiver's type; At is where it begins.
	Name, At string
	// Lines, Parameters and Complexity are what the limits are about. Complexity is cyclomatic (McCabe 1976), as
	// gocyclo counts it: one, and one more for each branch, case and short-circuit operator.
	Lines, Parameters, Complexity int
}

// Measure returns all functions of the files, also those that are values of package variables.
func Measure(files []File) []Function {
	var all []Function
	for _, file := range files {
		for _, decl := range file.Syntax.Decls {
			all = append(all, file.functions(decl)...)
		}
	}
	return all
}

func (f File) functions(decl ast.Decl) []Function {
	if fn, ok := decl.(*ast.FuncDecl); ok {
		if fn.Body == nil {
			return nil
		}
		return []Function{f.measure(functionName(fn), fn.Type, fn)}
	}
	var found []Function
	ast.Inspect(decl, func(node ast.Node) bool {
		literal, ok := node.(*ast.FuncLit)
		if ok {
			found = append(found, f.measure("a function in a declaration", literal.Type, literal))
		}
		return !ok
	})
	return found
}

func (f File) measure(name string, signature *ast.FuncType, whole ast.Node) Function {
	return Function{
		Name: name, At: f.at(whole), Complexity: complexity(whole),
		Lines: f.lines(whole), Parameters: signature.Params.NumFields(),
	}
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

func complexity(fn ast.Node) int {
	n := 1
	ast.Inspect(fn, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.IfStmt, *ast.ForStmt, *ast.RangeStmt:
			n++
		case *ast.CaseClause:
			n += min(len(node.List), 1) // default is no branch
		case *ast.CommClause:
			if node.Comm != nil {
				n++
			}
		case *ast.BinaryExpr:
			if node.Op == token.LAND || node.Op == token.LOR {
				n++
			}
		}
		return true
	})
	return n
}

// Numbers sum up the functions of some files.
type Numbers struct {
	// Files and Functions count; Median, Most (which mostPercent of the functions do not exceed) and Longest are lines.
	Files, Functions, Median, Most, Longest int
}

// Summarize returns the numbers of files and their functions.
func Summarize(files []File, functions []Function) Numbers {
	numbers := Numbers{Files: len(files), Functions: len(functions)}
	if len(functions) == 0 {
		return numbers
	}
	lines := make([]int, 0, len(functions))
	for _, fn := range functions {
		lines = append(lines, fn.Lines)
	}
	slices.Sort(lines)
	last := len(lines) - 1
	numbers.Median, numbers.Most, numbers.Longest = lines[last/2], lines[last*mostPercent/100], lines[last]
	return numbers
}

// CheckSize returns one line for each file, function or sum of them that is over a limit.
func CheckSize(files []File) []string {
	var findings []string
	over := func(value, limit int, format string, args ...any) {
		if value > limit {
			findings = append(findings, fmt.Sprintf(format, args...)+fmt.Sprintf(" %d, more than %d", value, limit))
		}
	}
	for _, file := range files {
		over(file.Lines, maxFileLines, "%s: lines in the file:", file.Path)
	}
	functions := Measure(files)
	for _, fn := range functions {
		over(fn.Lines, maxFunctionLines, "%s: lines in %s:", fn.At, fn.Name)
		over(fn.Parameters, maxParameters, "%s: parameters of %s:", fn.At, fn.Name)
		over(fn.Complexity, maxComplexity, "%s: cyclomatic complexity of %s:", fn.At, fn.Name)
	}
	numbers := Summarize(files, functions)
	over(numbers.Median, maxMedianLines, "lines in the median function:")
	over(numbers.Most, maxMostLines, "lines that %d%% of the functions do not exceed:", mostPercent)
	return findings
}
