package sources

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"sync"

	"go.uber.org/zap"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/annotations/podspec"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

// Kind is a kind of source: a row of Kinds.
type Kind struct {
	catalog.Type
	// Open makes the client of an entry. It connects to nothing yet: a system that is down must not keep the others from being asked.
	Open func(e *catalog.Entry, env Env) (Client, error)
	// Batch says that a client is asked all questions at once that are due; otherwise one at a time, as many of them together as the entry's
	// Concurrency allows.
	Batch bool
}

// Client asks one system. Its methods may be called from any goroutine.
type Client interface {
	// Ask answers all questions, each once, by calling answer with its place and what came of it, from any goroutine and in any order, as soon as
	// it is known: what one broker does not answer must not hold up the others. It returns when ctx ends at the latest, and answer is not
	// called afterwards. Of an Answer only the values and the hint are read. The error is best a Fault.
	Ask(ctx context.Context, all []metrics.Question, answer func(i int, a metrics.Answer, err error))
	// Close gives up its connections. Nothing is asked afterwards.
	Close()
}

// opens is the Open of a kind whose entries have such settings.
func opens[S any](open func(e *catalog.Entry, settings *S, env Env) (Client, error)) func(e *catalog.Entry, env Env) (Client, error) {
	return func(e *catalog.Entry, env Env) (Client, error) {
		settings, ok := any(e.Settings).(*S)
		if !ok {
			return nil, fmt.Errorf("the entry has %T instead of %T", e.Settings, settings)
		}
		return open(e, settings, env)
	}
}

// inTurn asks for one after the other, which is what a client does that is asked one question at a time.
func inTurn(all []metrics.Question, answer func(i int, a metrics.Answer, err error), ask func(metrics.Question) (metrics.Answer, error)) {
	for i, q := range all {
		a, err := ask(q)
		answer(i, a, err)
	}
}

// fairly calls do for each task, of which there are some of each namespace, so many at a time, and returns when all have returned. failed is called with
// its error, or its panic. The next turn is always that of the namespace that has the fewest, of those with tasks left: whoever asks much, or what is
// slow, has no more turns than others who wait for one.
func fairly[T any](tasks map[string][]T, atOnce int, do func(T) error, failed func(T, error)) {
	var mu sync.Mutex
	left, turns := maps.Clone(tasks), map[string]int{}
	next := func() (whose string, task T, ok bool) {
		mu.Lock()
		defer mu.Unlock()
		for namespace := range left {
			if !ok || turns[namespace] < turns[whose] {
				whose, ok = namespace, true
			}
		}
		if ok {
			turns[whose]++
			task, left[whose] = left[whose][0], left[whose][1:]
			if len(left[whose]) == 0 {
				delete(left, whose)
			}
		}
		return whose, task, ok
	}
	var under sync.WaitGroup
	for range atOnce {
		under.Go(func() {
			for whose, task, ok := next(); ok; whose, task, ok = next() {
				if err := caught(func() error { return do(task) }); err != nil {
					failed(task, err)
				}
				mu.Lock()
				turns[whose]--
				mu.Unlock()
			}
		})
	}
	under.Wait()
}

// Env is what clients may use of the process around them.
type Env struct {
	Log *zap.Logger
	// ReadFile reads what the paths of an entry lead to. A client reads credentials each time that it connects, so that a rotated Secret counts.
	ReadFile func(path string) ([]byte, error)
	// Refused says which addresses no client connects to: those of the API server. It may be nil.
	Refused func(to netip.AddrPort) bool
	// Again has a question asked once more at once, because the system has said that there is another answer. It may be nil.
	Again func(q metrics.Question)
	// Pods are the pods of a namespace that a selector chooses. It is nil where nobody watches pods.
	Pods func(namespace string, selector labels.Selector) ([]*podspec.Pod, error)

	// secrets are the credentials that the client has read.
	secrets *secrets
}

// Fault is a failure in two languages: what a tenant may read, and what only the log says. What a system answers may be anything, also what
// others have written there, so that a tenant reads our own words alone.
type Fault struct {
	// Told goes on after the name of the source: "refused the credentials".
	Told string
	// Err is everything that is known.
	Err error
	// Answered says that the system works, and has no answer to this one question, such as about a queue that does not exist: the others are
	// not kept from asking.
	Answered bool
}

// Error is for the log.
func (f *Fault) Error() string { return f.Told + ": " + f.Err.Error() }

// Unwrap returns Err.
func (f *Fault) Unwrap() error { return f.Err }

// unanswered is a Fault of a system that works, and has no answer to this one question.
func unanswered(told string, err error) error {
	return &Fault{Told: told, Err: orNothing(err), Answered: true}
}

// fault is a Fault of a system that does not work, or cannot be reached.
func fault(told string, err error) error { return &Fault{Told: told, Err: orNothing(err)} }

// unreadable is a Fault of a system that does not say what it should.
func unreadable(err error) error { return fault("gave an answer that cannot be read", err) }

func orNothing(err error) error {
	if err == nil {
		return errors.New("no more is known")
	}
	return err
}

// answersSomething says whether the system works, by the error of one question.
func answersSomething(err error) bool {
	var f *Fault
	return err == nil || errors.As(err, &f) && f.Answered
}

// caught calls what reads answers. A panic of it is an error: what a server says must not end the process.
func caught(read func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = unreadable(fmt.Errorf("panic: %q", fmt.Sprint(p)))
		}
	}()
	return read()
}
