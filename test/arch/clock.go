package arch

import (
	"fmt"
	"go/ast"
	"slices"
)

// clock are the functions of package time that look at the clock or wait for it. The rest of the package is arithmetic.
func clock() []string {
	return []string{"After", "AfterFunc", "NewTicker", "NewTimer", "Now", "Since", "Sleep", "Tick", "Until"}
}

// CheckClock returns one line for each use of the clock in the pure rooms of the plan: there, time is an argument.
func (p Plan) CheckClock(files []File) []string {
	var findings []string
	for _, file := range files {
		if !slices.Contains(p.Pure, file.dir()) {
			continue
		}
		ast.Inspect(file.Syntax, func(node ast.Node) bool {
			selector, ok := node.(*ast.SelectorExpr)
			if ok && root(selector.X) == "time" && slices.Contains(clock(), selector.Sel.Name) {
				findings = append(findings, fmt.Sprintf("%s: time.%s in a pure room", file.at(node), selector.Sel.Name))
			}
			return true
		})
	}
	return findings
}
