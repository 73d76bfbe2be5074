package sources

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	gocmp "github.com/google/go-cmp/cmp"
)

// TestTurnsAreTakenFairly: none stays free while a task waits, and who has many that are slow has no more than others who wait.
func TestTurnsAreTakenFairly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tasks := map[string][]string{"evil": nil, "shop": {"shop", "shop"}}
		for range 10 {
			tasks["evil"] = append(tasks["evil"], "evil")
		}
		var mu sync.Mutex
		under, goOn := map[string]int{}, make(chan struct{})
		begun := func() map[string]int {
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			counts := under
			under = map[string]int{}
			return counts
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			fairly(tasks, 4, func(task string) error {
				mu.Lock()
				under[task]++
				mu.Unlock()
				<-goOn
				return nil
			}, func(task string, err error) { t.Error(task, err) })
		}()
		if diff := gocmp.Diff(map[string]int{"evil": 2, "shop": 2}, begun()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		for range 4 {
			goOn <- struct{}{}
		}
		if diff := gocmp.Diff(map[string]int{"evil": 4}, begun()); diff != "" {
			t.Errorf("when nobody else waits (-want +got):\n%s", diff)
		}
		close(goOn)
		<-done
	})
}

// TestATaskThatPanicsIsOneThatFails, and its turn is that of the next.
func TestATaskThatPanicsIsOneThatFails(t *testing.T) {
	got := map[string]string{}
	fairly(map[string][]string{"shop": {"a", "b", "c"}}, 1, func(task string) error {
		switch task {
		case "a":
			panic("nothing is there")
		case "b":
			return errors.New("no")
		}
		got[task] = "ok"
		return nil
	}, func(task string, err error) { got[task] = fmt.Sprint(err) })
	want := map[string]string{"a": `gave an answer that cannot be read: panic: "nothing is there"`, "b": "no", "c": "ok"}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
