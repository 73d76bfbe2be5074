package e2e

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// The sizes that the webhook makes a difference between, in bytes: the most that it reads, and the most that waits for its turn
// with small ones.
const (
	stormLarge = 7<<20 - 1
	stormSmall = 256 << 10
)

// stormShape is a body of any size: a part is repeated, in which # is a number of six digits that differs each time.
type stormShape struct{ name, before, unit, end string }

// stormShapes are bodies that take many times their size to decode, or more than linear time, for somebody who does not expect them.
func stormShapes() []stormShape {
	review := func(request string) string {
		return `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"1","operation":"CREATE",` +
			`"kind":{"group":"apps","version":"v1","kind":"Deployment"},"namespace":"n","name":"d",` + request
	}
	deployment := func(fields string) string {
		return review(`"object":{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d","annotations":{"mini-hpa/max":"1"}},` + fields)
	}
	noise := make([]byte, 16<<10)
	_, _ = rand.Read(noise) // never fails
	return []stormShape{
		{"padded Deployment", deployment(`"spec":{"x":"`), "xxxxxxxx", `"}}}}`},
		{"empty containers", deployment(`"spec":{"template":{"spec":{"containers":[{}`), ",{}", `]}}}}}}`},
		{"annotations", review(`"object":{"metadata":{"annotations":{"x":""`), `,"mini-hpa/#":""`, `}}}}}`},
		{"long quantity", deployment(`"spec":{"template":{"spec":{"containers":[{"resources":{"requests":{"cpu":"`), "99999999", `"}}}]}}}}}}`},
		{"large exponents", deployment(`"spec":{"template":{"spec":{"containers":[{"resources":{"requests":{"cpu":1`), `,"cpu":"1e-99999999"`, `}}}]}}}}}}`},
		{"nested arrays", deployment(`"spec":`), "[", ""},
		{"noise", "", string(noise), ""},
		{"user's groups", review(`"userInfo":{"groups":[""`), `,""`, `]}}}`},
		{"user's extra", review(`"userInfo":{"extra":{"":[]`), `,"#":[]`, `}}}}`},
		{"unknown fields", review(`"userInfo":{"":[]`), `,"#":[]`, `}}}`},
		{"YAML", "request: [a", ",a", "]"},
		{"YAML of anchors", "a: &a [a,a,a,a,a,a,a,a]\nrequest: [*a", ",*a", "]"},
	}
}

// stormBodies are all shapes at a size.
func stormBodies(size int) [][]byte {
	var bodies [][]byte
	for _, shape := range stormShapes() {
		bodies = append(bodies, shape.body(size))
	}
	return bodies
}

// body is the shape at a size in bytes; blanks fill it up.
func (s stormShape) body(size int) []byte {
	body := make([]byte, 0, size)
	body = append(body, s.before...)
	for i := 0; len(body)+len(s.unit)+len("000000")+len(s.end) < size; i++ {
		body = append(body, strings.ReplaceAll(s.unit, "#", fmt.Sprintf("%06d", i))...)
	}
	body = append(body, s.end...)
	return append(body, strings.Repeat(" ", size-len(body))...)
}

// TestStormBodies: a body that is refused for a typing error attacks nothing.
func TestStormBodies(t *testing.T) {
	t.Parallel()
	for _, shape := range stormShapes() {
		body := shape.body(stormSmall)
		if len(body) != stormSmall {
			t.Errorf("%s: %d bytes, want %d", shape.name, len(body), stormSmall)
		}
		isReview := strings.HasPrefix(shape.before, "{") && shape.end != ""
		if json.Valid(body) != isReview {
			t.Errorf("%s: is it JSON? %t, want %t: %.100s ... %s", shape.name, !isReview, isReview, body, body[len(body)-40:])
		}
	}
}
