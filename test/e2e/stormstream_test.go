package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/flowcontrol"
)

// stormOutcome is what became of an admission.
type stormOutcome string

// The outcomes. All but the first are failures.
const (
	stormRight     stormOutcome = "right"     // admitted what is good, denied what is bad for the right cause
	stormUnchecked stormOutcome = "unchecked" // admitted what is bad
	stormDenied    stormOutcome = "denied"    // denied what is good, or for a wrong cause
	stormFailed    stormOutcome = "failed"    // anything else: the webhook could not be called
)

// stormAnswer is one answer of the API server.
type stormAnswer struct {
	began   time.Time
	took    time.Duration
	kind    string
	outcome stormOutcome
	err     error
}

// stormStream are users who create and update Deployments at a steady rate.
type stormStream struct {
	client  kubernetes.Interface
	mix     []stormQuestion
	pace    flowcontrol.RateLimiter
	next    chan int // the numbers of the questions
	ending  chan struct{}
	end     func()
	running sync.WaitGroup
	asking  sync.RWMutex // held for reading by each question

	mu      sync.Mutex
	answers []stormAnswer
	more    chan struct{} // closed at the next answer
}

// stormWorkers bound how many questions wait for an answer at a time.
const stormWorkers = 32

// stormBurst is how many questions at once make up for a pause of the machine.
const stormBurst = 5

// stream begins to ask so many questions in all, at so many a second. Cleanup ends it.
func (s *storm) stream(mix []stormQuestion, count int, perSecond float32) *stormStream {
	s.t.Helper()
	st := &stormStream{client: s.client, mix: mix, pace: flowcontrol.NewTokenBucketRateLimiter(perSecond, stormBurst),
		next: make(chan int), ending: make(chan struct{}), more: make(chan struct{})}
	st.end = sync.OnceFunc(func() { close(st.ending) })
	s.t.Cleanup(st.stop)
	for range stormWorkers {
		st.running.Go(st.work)
	}
	st.running.Go(func() { st.dispatch(count) })
	return st
}

func (st *stormStream) dispatch(count int) {
	defer close(st.next)
	for i := range count {
		st.pace.Accept()
		select {
		case st.next <- i:
		case <-st.ending:
			return
		}
	}
}

// stop ends the stream after the questions that were asked.
func (st *stormStream) stop() {
	st.end()
	st.running.Wait()
}

func (st *stormStream) work() {
	for i := range st.next {
		// Questions of one kind are spread over the stream: 7 and the length of the mix have no common factor.
		st.ask(st.mix[i*7%len(st.mix)], i)
	}
}

func (st *stormStream) ask(q stormQuestion, i int) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	st.asking.RLock()
	defer st.asking.RUnlock()
	a := stormAnswer{began: time.Now(), kind: q.kind}
	a.err = q.ask(ctx, st.client, i)
	a.took, a.outcome = time.Since(a.began), q.judge(a.err)
	st.mu.Lock()
	defer st.mu.Unlock()
	st.answers = append(st.answers, a)
	close(st.more)
	st.more = make(chan struct{})
}

// paused does something while no question is being answered.
func (st *stormStream) paused(do func()) {
	st.asking.Lock()
	defer st.asking.Unlock()
	do()
}

// await waits until so many questions are answered.
func (st *stormStream) await(t *testing.T, count int) {
	t.Helper()
	for {
		st.mu.Lock()
		have, more := len(st.answers), st.more
		st.mu.Unlock()
		if have >= count {
			return
		}
		select {
		case <-more:
		case <-time.After(patience):
			t.Fatalf("no further answer within %s after %d", patience, have)
		}
	}
}

// further waits for so many answers more.
func (st *stormStream) further(t *testing.T, count int) {
	t.Helper()
	st.mu.Lock()
	have := len(st.answers)
	st.mu.Unlock()
	st.await(t, have+count)
}

// since are the answers after a moment.
func (st *stormStream) since(moment time.Time) stormAnswers {
	st.mu.Lock()
	defer st.mu.Unlock()
	var found stormAnswers
	for _, a := range st.answers {
		if a.began.Add(a.took).After(moment) {
			found = append(found, a)
		}
	}
	return found
}

// stormAnswers is what there is to say about some of them.
type stormAnswers []stormAnswer

// wrong are those that are not right.
func (as stormAnswers) wrong() stormAnswers {
	return slices.DeleteFunc(slices.Clone(as), func(a stormAnswer) bool { return a.outcome == stormRight })
}

// outcomes counts those of one outcome.
func (as stormAnswers) outcomes(of stormOutcome) int {
	n := 0
	for _, a := range as {
		if a.outcome == of {
			n++
		}
	}
	return n
}

// String counts them by their outcome, and tells some of those that are not right.
func (as stormAnswers) String() string {
	text := fmt.Sprintf("%d answers", len(as))
	for _, outcome := range []stormOutcome{stormRight, stormUnchecked, stormDenied, stormFailed} {
		text += fmt.Sprintf(", %d %s", as.outcomes(outcome), outcome)
	}
	wrong := as.wrong()
	for _, a := range wrong[:min(len(wrong), 5)] {
		text += fmt.Sprintf("\n  %s %s after %s: %s: %v", a.began.Format("15:04:05.000"), a.kind, a.took.Round(time.Millisecond), a.outcome, a.err)
	}
	return text
}

// seconds counts them by the second after a moment in which they came.
func (as stormAnswers) seconds(moment time.Time) map[int]int {
	counts := map[int]int{}
	for _, a := range as {
		counts[int(a.began.Add(a.took).Sub(moment)/time.Second)]++
	}
	return counts
}

// mentioning counts the errors that contain a word.
func (as stormAnswers) mentioning(word string) int {
	n := 0
	for _, a := range as {
		if a.err != nil && strings.Contains(a.err.Error(), word) {
			n++
		}
	}
	return n
}

// kinds counts them by kind.
func (as stormAnswers) kinds() map[string]int {
	counts := map[string]int{}
	for _, a := range as {
		counts[a.kind]++
	}
	return counts
}

// quantile is of the times that they took.
func (as stormAnswers) quantile(q float64) time.Duration {
	var took []time.Duration
	for _, a := range as {
		took = append(took, a.took)
	}
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[int(q*float64(len(took)-1))].Round(10 * time.Microsecond)
}

// rate is in answers a second.
func (as stormAnswers) rate() float64 {
	if len(as) < 2 {
		return 0
	}
	first, last := as[0].began, as[0].began
	for _, a := range as {
		if a.began.Before(first) {
			first = a.began
		}
		if a.began.After(last) {
			last = a.began
		}
	}
	return float64(len(as)-1) / last.Sub(first).Seconds()
}
