package cli

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestKinds(t *testing.T) {
	for text, want := range map[string]bool{
		"": true, "rollouts.argoproj.io": true, "rollouts.argoproj.io,trains.rail.example.com": true,
		"rollouts": false, "Rollout.argoproj.io": false, "rollouts.argoproj.io,": false, "rollouts.argoproj.io, trains.example.com": false,
		"statefulsets.apps": false, "a.example.com,a.example.com": false, ".example.com": false, "rollouts/scale.argoproj.io": false,
	} {
		var kinds []schema.GroupResource
		flag := Kinds(&kinds)
		if err := flag.Set(text); (err == nil) != want {
			t.Errorf("%q: %v, want it to be taken: %t", text, err, want)
		}
		if want && flag.String() != text {
			t.Errorf("%q is written as %q", text, flag.String())
		}
	}
}
