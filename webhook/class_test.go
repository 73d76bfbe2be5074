package webhook

import (
	"testing"

	"go.uber.org/zap"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// TestEachClassHasItsWebhook: a webhook checks what its own controller scales, and what it has not checked before counts as new to it.
func TestEachClassHasItsWebhook(t *testing.T) {
	const (
		plain = good
		batch = `{"mini-hpa/target-cpu":"50","mini-hpa/max":"10","mini-hpa/class":"batch"}`
		slip  = `{"mini-hpa/target-cpu":"50","mini-hpa/max":"10","mini-hpa/class":"Batch"}`
		no    = "422 Invalid " + request0
		key   = "metadata.annotations[mini-hpa/class]"
	)
	for name, tc := range map[string]struct {
		class, before, after, want string
	}{
		"one's own without a class":             {after: deployment(plain, ""), want: no},
		"one's own of a class":                  {class: "batch", after: deployment(batch, ""), want: no},
		"another one's":                         {after: deployment(batch, ""), want: "allowed"},
		"one without a class, asked by a class": {class: "batch", after: deployment(plain, ""), want: "allowed"},
		"what is no class":                      {after: deployment(slip, "1"), want: "422 Invalid " + key},
		"what is no class, asked by a class":    {class: "batch", after: deployment(slip, "1"), want: "allowed"},
		"an old problem of one's own":           {class: "batch", before: deployment(batch, ""), after: deployment(batch, "") + " ", want: "allowed; warned of " + request0},
		"one that comes over":                   {class: "batch", before: deployment(plain, ""), after: deployment(batch, ""), want: no},
		"one that comes back":                   {before: deployment(batch, ""), after: deployment(plain, ""), want: no},
		"one that goes":                         {before: deployment(plain, ""), after: deployment(batch, ""), want: "allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, annotations.Surroundings{})
			d.handler = NewHandler(HandlerConfig{Defaults: annotations.DefaultDefaults(), Kinds: kinds{trains}, Class: tc.class, Surroundings: around{}, Revisions: d.revisions,
				Injections: d.injections, Telemetry: d.telemetry, Log: zap.NewNop()})
			if got := outline(d.ask(tc.before, tc.after)); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}
