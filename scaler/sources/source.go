package sources

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

// Open makes a source of an entry. t may be nil.
func Open(e *catalog.Entry, env Env, t *Telemetry) (metrics.Source, error) {
	for _, k := range Kinds() {
		if k.Name == e.Type.Name {
			return k.open(e, env, t)
		}
	}
	return nil, fmt.Errorf("source %q: there is no type %q", e.Name, e.Type.Name)
}

func (k *Kind) open(e *catalog.Entry, env Env, t *Telemetry) (metrics.Source, error) {
	env.Log, env.secrets = env.Log.With(zap.String("source", e.Name)), &secrets{}
	client, err := k.Open(e, env)
	if err != nil {
		return nil, fmt.Errorf("source %q: %w", e.Name, err)
	}
	s := newSource(e, env, client, t)
	if k.Batch {
		return &together{s}, nil
	}
	return s, nil
}

// newSource makes a source of a client.
func newSource(e *catalog.Entry, env Env, client Client, t *Telemetry) *source {
	return &source{entry: e, client: client, telemetry: t, incidents: incidents{log: env.Log, message: "a source has no answer", secrets: env.secrets}, settling: settling{lasting: e.Settle}}
}

// source makes a metrics.Source of a client:
//
//	deadline, breaker -> Client -> one number, not below 0 -> settle -> what a tenant may read
type source struct {
	entry     *catalog.Entry
	client    Client
	telemetry *Telemetry
	incidents incidents
	settling  settling
	breakers  breakers
}

// together is a source whose client is asked many questions at a time.
type together struct{ *source }

// AskAll is metrics.Batch's.
func (t *together) AskAll(ctx context.Context, all []metrics.Question, answer func(int, metrics.Answer, error)) {
	t.ask(ctx, all, answer)
}

// String is metrics.Source's.
func (s *source) String() string { return fmt.Sprintf("source %q", s.entry.Name) }

// Close is metrics.Source's.
func (s *source) Close() { s.client.Close() }

// Limits is metrics.Limited's. The source keeps its deadline itself; a client that does not is given up some time later.
func (s *source) Limits() metrics.Limits {
	const late = 5 * time.Second
	return metrics.Limits{Timeout: s.entry.Timeout + late, Concurrency: s.entry.Concurrency, MaxAge: s.entry.MaxAge}
}

// Ask is metrics.Source's.
func (s *source) Ask(ctx context.Context, q metrics.Question) (a metrics.Answer, err error) {
	s.ask(ctx, []metrics.Question{q}, func(_ int, answer metrics.Answer, failure error) { a, err = answer, failure })
	return a, err
}

// ask asks the client, but for the namespaces for which the system is left alone. Each question is answered, once.
func (s *source) ask(parent context.Context, all []metrics.Question, answer func(int, metrics.Answer, error)) {
	rounds, left := s.rounds(all, answer)
	if left > 0 {
		s.telemetry.count(s.entry.Name, resultNotAsked, left, 0)
	}
	tries, cancel := parent, func() {}
	for _, r := range rounds {
		if r.isProbe && tries == parent {
			tries, cancel = context.WithTimeout(parent, s.entry.Timeout)
		}
		r.ask(tries)
	}
	cancel()
}

// rounds are the calls for questions: one for all, and after it one for each namespace for which the system is tried again, in any order, as it may be
// what that namespace asks that makes a call fail, and with it those at the same time. left is for how many questions the system is left alone; they
// are answered.
func (s *source) rounds(all []metrics.Question, answer func(int, metrics.Answer, error)) (rounds []*round, left int) {
	together := &round{source: s, answer: answer}
	in := map[string]*round{} // by namespace; nil is left alone
	for i, q := range all {
		r, known := in[q.Namespace]
		if !known {
			ended, isProbe := s.breakers.try(q.Namespace)
			switch {
			case ended == nil:
			case isProbe:
				r = &round{source: s, answer: answer, isProbe: true}
				rounds = append(rounds, r)
			default:
				r = together
			}
			if r != nil {
				r.ended = append(r.ended, namespaceEnd{q.Namespace, ended})
			}
			in[q.Namespace] = r
		}
		if r == nil {
			left++
			answer(i, metrics.Answer{}, s.breakers.why(q.Namespace))
			continue
		}
		r.all, r.places = append(r.all, q), append(r.places, i)
	}
	rand.Shuffle(len(rounds), func(i, k int) { rounds[i], rounds[k] = rounds[k], rounds[i] })
	if len(together.all) > 0 {
		rounds = slices.Insert(rounds, 0, together)
	}
	return rounds, left
}

// round is one call of a client.
type round struct {
	source *source
	// all is what the client is asked, places where each of these is among what the source was asked.
	all    []metrics.Question
	places []int
	answer func(int, metrics.Answer, error)
	// isProbe says that the system is tried again for a namespace.
	isProbe bool
	// ended take what the call says of the system to each namespace.
	ended []namespaceEnd

	mu    sync.Mutex
	known []bool
	over  bool
	// answered are the namespaces to which the system has answered something.
	answered map[string]bool
}

type namespaceEnd struct {
	namespace string
	take      func(outcome)
}

// ask calls the client, and tells telemetry and the breakers what came of it. Where the time is up before, nothing is known of the system.
func (r *round) ask(parent context.Context) {
	r.known, r.answered = make([]bool, len(r.all)), map[string]bool{}
	began, late := time.Now(), parent.Err() != nil
	ctx, cancel := context.WithTimeout(parent, r.source.entry.Timeout)
	defer cancel()
	var err error
	if !late {
		err = r.run(ctx)
	}
	r.finish(cmp.Or(ctx.Err(), err, errors.New("the client has given no answer")))
	result, otherwise := resultFailed, fails
	if late || errors.Is(parent.Err(), context.Canceled) { // it is not the system that has ended it
		result, otherwise = "", unknown
	} else if ctx.Err() != nil {
		result = resultTimeout
	}
	if len(r.answered) > 0 {
		result = resultOK
	}
	for _, ended := range r.ended {
		if r.answered[ended.namespace] {
			ended.take(works)
		} else {
			ended.take(otherwise)
		}
	}
	if result != "" {
		r.source.telemetry.count(r.source.entry.Name, result, len(r.all), time.Since(began))
	}
}

// run calls the client.
func (r *round) run(ctx context.Context) error {
	return caught(func() error {
		r.source.client.Ask(ctx, r.all, func(i int, a metrics.Answer, err error) {
			if r.take(i, answersSomething(err)) {
				r.conclude(i, a, err)
			}
		})
		return nil
	})
}

// take says whether the answer to a question counts: the first one, before the end.
func (r *round) take(i int, answered bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over || i < 0 || i >= len(r.known) || r.known[i] {
		return false
	}
	r.known[i] = true
	if answered {
		r.answered[r.all[i].Namespace] = true
	}
	return true
}

// finish fails the questions without an answer.
func (r *round) finish(err error) {
	for _, i := range r.missing() {
		r.conclude(i, metrics.Answer{}, err)
	}
}

func (r *round) missing() (missing []int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
	for i, known := range r.known {
		if !known {
			missing = append(missing, i)
		}
	}
	return missing
}

// conclude hands on an answer that counts, or why there is none.
func (r *round) conclude(i int, a metrics.Answer, err error) {
	s, q := r.source, r.all[i]
	if err == nil {
		a, err = s.sound(q, a)
	}
	if err == nil {
		a, err = s.settling.settle(q, a)
	}
	if err != nil {
		a, err = metrics.Answer{}, s.tell(q, err)
	}
	r.answer(r.places[i], a, err)
}

// sound makes sure that an answer is one number that is not below 0.
func (s *source) sound(q metrics.Question, a metrics.Answer) (metrics.Answer, error) {
	switch n := len(a.External); {
	case n == 0 && isZeroIfEmpty(queryOf(s.entry, q)):
		a.External = answerOf(resource.Quantity{Format: resource.DecimalSI}).External
	case n == 0:
		return a, unanswered("has no value for it", errors.New("the answer is empty"))
	case n > 1:
		return a, unanswered("has more than one value for it", fmt.Errorf("the answer has %d values", n))
	}
	value := &a.External[0]
	if value.Value.Sign() < 0 {
		return a, unanswered("has a negative number for it", fmt.Errorf("the value is %s", &value.Value))
	}
	value.MetricName, value.MetricLabels = q.Metric, nil
	return a, nil
}

func isZeroIfEmpty(q *catalog.Query) bool { return q != nil && q.Empty == catalog.EmptyZero }

// tell puts a failure into words that a tenant may read, and the failure into the log.
func (s *source) tell(q metrics.Question, err error) error {
	if errors.Is(err, metrics.ErrPending) {
		return err
	}
	told, isOwn := "failed", false
	var f *Fault
	switch {
	case errors.As(err, &f):
		told, isOwn = f.Told, f.Answered
	case errors.Is(err, context.DeadlineExceeded):
		told = fmt.Sprintf("did not answer in %s", s.entry.Timeout)
	case errors.Is(err, context.Canceled):
		return err
	}
	id := s.incidents.name(told, q.Namespace, isOwn, err, zap.String("namespace", q.Namespace), zap.String("metric", q.Metric), zap.Stringer("parameters", q.Parameters))
	text := fmt.Errorf("%s %s (see the controller's log, id %s)", s.entry.Name, told, id)
	if !isOwn {
		s.breakers.told(q.Namespace, text)
	}
	return text
}
