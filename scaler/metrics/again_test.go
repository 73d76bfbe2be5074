package metrics

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// TestASourceSaysThatThereIsAnotherAnswer, and those who have asked are told of it at once, but not more often than once a second.
func TestASourceSaysThatThereIsAnotherAnswer(t *testing.T) {
	sit(t, func(d *desk) {
		d.readers.Again(backlog)
		d.pass(time.Minute)
		if _, asked, _ := d.seen(); asked != 0 {
			t.Errorf("asked %d times for what nobody asks", asked)
		}
		d.start = time.Now()
		d.want("web", backlog, "pending")
		d.pass(0)
		d.want("web", backlog, "1")
		d.pass(5 * time.Second)
		d.readers.Again(backlog)
		d.pass(0)
		d.want("web", backlog, "2")
		for range 10 {
			d.readers.Again(backlog)
			d.pass(300 * time.Millisecond)
			d.ask("web", backlog)
		}
		d.pass(3 * time.Second)
		d.wantTold("0s web", "5s web", "6s web", "7s web", "8s web")
	})
}

// TestAnswersOfBeforeAreAskedForAgain: what was under way when the source said that there is another answer may not be that.
func TestAnswersOfBeforeAreAskedForAgain(t *testing.T) {
	sit(t, func(d *desk) {
		d.turn(func(_ context.Context, n int) (Answer, error) {
			time.Sleep(3 * time.Second)
			return externalValues(fmt.Sprint(n)), nil
		})
		d.want("web", backlog, "pending")
		d.pass(time.Second)
		d.readers.Again(backlog)
		d.pass(2 * time.Second)
		d.want("web", backlog, "1")
		d.pass(3 * time.Second)
		d.want("web", backlog, "2")
		d.pass(9 * time.Second)
		d.wantTold("3s web", "6s web")
	})
}
