package kustomize

import (
	"fmt"
	"strings"
	"testing"
)

// TestComposesNoMoreThanItMeets: where each kustomization is made of all those before it, each would meet the same ones without end.
func TestComposesNoMoreThanItMeets(t *testing.T) {
	l := NewLayout(nil, nil, nil)
	for i := range 2000 {
		for j := max(0, i-20); j < i; j++ {
			l.Parts[fmt.Sprint("/d", i)] = append(l.Parts[fmt.Sprint("/d", i)], fmt.Sprint("/d", j))
		}
		l.Parts["/all"] = append(l.Parts["/all"], fmt.Sprintf("/all/%d.yaml", i))
	}
	if n := len(l.Compose("/d1999", "").Order); n < 100 || n > 300 {
		t.Errorf("it is made of %d others", n)
	}
	if n := len(l.Compose("/all", "").Order); n != maxParts {
		t.Errorf("of %d files, want %d", n, maxParts)
	}
	if len(l.Cut) != 2 || l.Cut[0] != "/d1999" {
		t.Errorf("what is left out is of %v", l.Cut)
	}
}

// TestComposesNoMoreThanItMeetsInAll: many kustomizations of one large base.
func TestComposesNoMoreThanItMeetsInAll(t *testing.T) {
	l := NewLayout(nil, nil, nil)
	for i := range 100 {
		l.Parts[fmt.Sprint("/d", i)] = []string{"/base"}
	}
	for i := range 500 {
		l.Parts["/base"] = append(l.Parts["/base"], fmt.Sprintf("/base/%d.yaml", i))
	}
	whole := 0
	for i := range 100 {
		if len(l.Compose(fmt.Sprint("/d", i), "").Order) == 501 {
			whole++
		}
	}
	if want := spareMet / 501; whole != want || len(l.Cut) != 100-want {
		t.Errorf("%d are composed and %d cut, want %d", whole, len(l.Cut), want)
	}
}

// TestFindsTheNamespaceOfADirectoryOnce: a file may have as many objects as its path has directories, or more.
func TestFindsTheNamespaceOfADirectoryOnce(t *testing.T) {
	l := NewLayout(nil, nil, nil)
	l.Parts["/x"], l.Namespaces["/x"] = []string{"/x/a"}, "shop"
	deep := "/x" + strings.Repeat("/a", 1000)
	if home := l.Home(deep); home != "shop" {
		t.Fatalf("%q, want shop", home)
	}
	l.Parts, l.Namespaces = nil, nil // so that whoever looks again finds nothing
	for _, dir := range []string{deep, deep[:len(deep)/2], deep + "/b"} {
		if home := l.Home(dir); home != "shop" {
			t.Errorf("then %q, want what is known", home)
		}
	}
	if home := l.Home("/y/z"); home != "" {
		t.Errorf("elsewhere %q, want none", home)
	}
}
