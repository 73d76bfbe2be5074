package kustomize

import (
	"fmt"
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
