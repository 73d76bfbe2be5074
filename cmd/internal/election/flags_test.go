package election

import (
	"strings"
	"testing"
)

// TestIdentityIsThePods: in a pod that uses its node's network the host's name is the node's, by which nobody finds the pod.
func TestIdentityIsThePods(t *testing.T) {
	t.Setenv("POD_NAME", "mini-hpa-7c9f-x2")
	one, err := identity()
	if err != nil {
		t.Fatal(err)
	}
	other, err := identity()
	if err != nil {
		t.Fatal(err)
	}
	if pod, rest, _ := strings.Cut(one, "_"); pod != "mini-hpa-7c9f-x2" || rest == "" || one == other {
		t.Errorf("a process is %q, and another one in the same pod %q", one, other)
	}
}
