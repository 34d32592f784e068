package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
)

// reached finds, for each test function of a package, the names out of a set that it uses itself or through other functions of the test files. Methods and
// functions are told apart by their names alone, those of kgo and kmsg by their package's name before them.
func reached(dir string, of map[string]string) (map[string][]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		return nil, err
	}
	uses := make(map[string]map[string]bool) // by function
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("parse %s: %w", file, err)
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			names := make(map[string]bool)
			ast.Inspect(fn, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.SelectorExpr:
					if x, ok := n.X.(*ast.Ident); ok && (x.Name == "kgo" || x.Name == "kmsg") {
						names[x.Name+"."+n.Sel.Name] = true
						return false
					}
				case *ast.Ident:
					if n != fn.Name {
						names[n.Name] = true
					}
				}
				return true
			})
			uses[fn.Name.Name] = names
		}
	}
	found := make(map[string][]string)
	for test := range uses {
		if !strings.HasPrefix(test, "Test") {
			continue
		}
		seen := map[string]bool{test: true}
		needs := []string{}
		for queue := []string{test}; len(queue) > 0; queue = queue[1:] {
			for name := range uses[queue[0]] {
				if seen[name] {
					continue
				}
				seen[name] = true
				if _, counts := of[name]; counts {
					needs = append(needs, name)
				}
				if uses[name] != nil {
					queue = append(queue, name)
				}
			}
		}
		slices.Sort(needs)
		found[test] = needs
	}
	return found, nil
}
