package webhook

import (
	"testing"
	"testing/synctest"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// TestFewAreComparedWithTheirPodsAtATime: the others wait, and then give up.
func TestFewAreComparedWithTheirPodsAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names, objects := cluster(t, nil)
		i, _ := NewInjections(names, objects).(*injections)
		for range maxLookups {
			i.turns <- struct{}{}
		}
		if _, err := i.Find(t.Context(), "shop", inReview(t, "app:1"), annotations.Surroundings{}); err == nil || len(names.Actions()) > 0 {
			t.Errorf("error %v and %d requests, want an error and none: there is no turn left", err, len(names.Actions()))
		}
		<-i.turns
		if _, err := i.Find(t.Context(), "shop", inReview(t, "app:1"), annotations.Surroundings{}); err != nil {
			t.Error(err)
		}
	})
}
