package arch

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCircles(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		files map[string]string
		want  []string
	}{
		"downwards only": {files: map[string]string{"a.go": "package p\n\nfunc A() { B() }\n", "b.go": "package p\n\nfunc B() {}\n"}},
		"two files": {
			files: map[string]string{"a.go": "package p\n\nfunc A() { B() }\n\nconst C = 1\n", "b.go": "package p\n\nfunc B() { _ = C }\n"},
			want:  []string{"m.example: these files use each other: a.go, b.go"},
		},
		"by way of a third, through a field and a method": {
			files: map[string]string{
				"a.go": "package p\n\ntype A struct{ n int }\n\nfunc (a A) M() B { return B{} }\n", "b.go": "package p\n\ntype B struct{ c C }\n",
				"c.go": "package p\n\ntype C int\n\nfunc (c C) of(a A) int { return a.n }\n", "top.go": "package p\n\nvar _ = A{}.M\n",
			},
			want: []string{"m.example: these files use each other: a.go, b.go, c.go"},
		},
		"a name of its own": {files: map[string]string{"a.go": "package p\n\nfunc A() { b := 1; _ = b; B() }\n", "b.go": "package p\n\nfunc B() { a := 2; _ = a }\n"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := Circles(load(t, test.files))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
