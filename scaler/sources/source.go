package sources

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
	standing  standing
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

// status is how the source stands.
func (s *source) status() Status {
	all := s.standing.status()
	all.Name, all.Type, all.Resting = s.entry.Name, s.entry.Type.Name, s.breakers.resting()
	return all
}

// late is when a client is given up that does not keep the deadline of the source itself.
const late = 5 * time.Second

// Limits is metrics.Limited's.
func (s *source) Limits() metrics.Limits {
	return metrics.Limits{Timeout: s.entry.Timeout + late, Concurrency: s.entry.Concurrency, MaxAge: s.entry.MaxAge}
}

// Limits is metrics.Limited's: after the call for all, namespaces may be tried again for as long.
func (t *together) Limits() metrics.Limits {
	limits := t.source.Limits()
	limits.Timeout += t.entry.Timeout
	return limits
}

// Ask is metrics.Source's.
func (s *source) Ask(ctx context.Context, q metrics.Question) (a metrics.Answer, err error) {
	s.ask(ctx, []metrics.Question{q}, func(_ int, answer metrics.Answer, failure error) { a, err = answer, failure })
	return a, err
}

// ask asks the client, but for the namespaces for which the system is left alone. Each question is answered, once.
func (s *source) ask(parent context.Context, all []metrics.Question, answer func(int, metrics.Answer, error)) {
	a := &inquiry{source: s, parent: parent, all: all, answer: answer, places: map[string][]int{}, failed: map[int]error{}}
	var well []string
	for i, q := range all {
		if a.places[q.Namespace] == nil {
			if s.breakers.try(q.Namespace) {
				well = append(well, q.Namespace)
			} else {
				a.resting = append(a.resting, q.Namespace)
			}
		}
		a.places[q.Namespace] = append(a.places[q.Namespace], i)
	}
	isWell := false
	if len(well) > 0 {
		r := a.round(well)
		r.ask(time.Now().Add(s.entry.Timeout))
		isWell = len(r.answered) > 0
	}
	a.tryAgain(isWell)
	a.leave()
}

// inquiry is what a source is asked at a time.
type inquiry struct {
	source *source
	// parent is the context of who asks, which may end before the deadline of the source.
	parent context.Context
	all    []metrics.Question
	answer func(int, metrics.Answer, error)
	// places are where the questions of each namespace are.
	places map[string][]int
	// resting are the namespaces for which the system is left alone, or may be tried again. Of what has failed there that may be asked once more,
	// failed is why, by place.
	resting []string
	failed  map[int]error
}

// tryAgain tries the system again for those whose rest is over: first for one, and once it has answered for all the others together, so that all are
// back at once after an outage. Where that fails, it may be by what one of them asks: they are asked in smaller and smaller company then. Whoever
// is not asked for want of time is the next time.
func (a *inquiry) tryAgain(isWell bool) {
	began, timeout := time.Now(), a.source.entry.Timeout
	for failed := 0; failed < mostTries && a.parent.Err() == nil && time.Since(began) <= timeout/2; {
		namespaces := a.source.breakers.again(a.resting, isWell)
		if len(namespaces) == 0 {
			return
		}
		r := a.round(namespaces)
		r.tried = len(namespaces)
		r.ask(began.Add(timeout))
		isWell = isWell || len(r.answered) > 0
		if len(r.answered) < len(namespaces) {
			failed++
		}
		a.resting = slices.DeleteFunc(a.resting, func(namespace string) bool {
			return r.answered[namespace] || r.tried == 1 && namespace == namespaces[0]
		})
	}
}

// leave answers for those for which the system is left alone.
func (a *inquiry) leave() {
	left := 0
	for _, namespace := range a.resting {
		why := a.source.breakers.why(namespace)
		for _, i := range a.places[namespace] {
			if err := a.failed[i]; err != nil {
				a.conclude(i, metrics.Answer{}, err)
				continue
			}
			left++
			a.answer(i, metrics.Answer{}, why)
		}
	}
	if left > 0 {
		a.source.telemetry.count(a.source.entry.Name, resultNotAsked, left, 0)
	}
}

// round is one call of a client.
type round struct {
	*inquiry
	namespaces []string
	// questions are what the client is asked, at the places of the source's.
	questions []metrics.Question
	at        []int
	// tried is for how many namespaces the system is tried again; 0 if it is well.
	tried int

	mu    sync.Mutex
	known []bool
	over  bool
	// answered are the namespaces to which the system has answered something.
	answered map[string]bool
}

func (a *inquiry) round(namespaces []string) *round {
	r := &round{inquiry: a, namespaces: namespaces, answered: map[string]bool{}}
	for _, namespace := range namespaces {
		r.at = append(r.at, a.places[namespace]...)
	}
	slices.Sort(r.at)
	r.questions = make([]metrics.Question, 0, len(r.at))
	for _, i := range r.at {
		delete(a.failed, i)
		r.questions = append(r.questions, a.all[i])
	}
	r.known = make([]bool, len(r.at))
	return r
}

// ask calls the client, and tells telemetry and the breakers what came of it. If it is not the system that has ended it, nothing is known of that.
func (r *round) ask(until time.Time) {
	began := time.Now()
	ctx, cancel := context.WithDeadline(r.parent, until)
	defer cancel()
	var err error
	if r.parent.Err() == nil {
		err = r.run(ctx)
	}
	r.finish(cmp.Or(ctx.Err(), err, errors.New("the client has given no answer")))
	result, otherwise := resultFailed, fails
	switch {
	case r.parent.Err() != nil:
		result, otherwise = "", unknown
	case ctx.Err() != nil:
		result = resultTimeout
	}
	if len(r.answered) > 0 {
		result = resultOK
	}
	for _, namespace := range r.namespaces {
		o := otherwise
		if r.answered[namespace] {
			o = works
		}
		r.source.breakers.ended(namespace, o, r.tried)
	}
	if result != "" {
		took := time.Since(began)
		r.source.telemetry.count(r.source.entry.Name, result, len(r.at), took)
		r.source.standing.ended(Request{began, took, len(r.at), result})
	}
}

// run calls the client.
func (r *round) run(ctx context.Context) error {
	return caught(func() error {
		r.source.client.Ask(ctx, r.questions, func(n int, a metrics.Answer, err error) {
			if r.take(n, err) {
				r.conclude(r.at[n], a, err)
			}
		})
		return nil
	})
}

// take says whether the answer to a question counts and is handed on: the first one, before the end. That the system has failed is kept where the
// question may be asked once more.
func (r *round) take(n int, err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over || n < 0 || n >= len(r.known) || r.known[n] {
		return false
	}
	r.known[n] = true
	if answersSomething(err) {
		r.answered[r.questions[n].Namespace] = true
		return true
	}
	if r.tried > 1 {
		r.failed[r.at[n]] = err
		return false
	}
	return true
}

// finish fails the questions without an answer. Those that may be asked once more wait for that, but not those of a namespace to which the system
// has answered something.
func (r *round) finish(err error) {
	for _, n := range r.missing() {
		if r.tried > 1 {
			r.failed[r.at[n]] = err
		} else {
			r.conclude(r.at[n], metrics.Answer{}, err)
		}
	}
	for i, err := range r.failed {
		if r.answered[r.all[i].Namespace] {
			delete(r.failed, i)
			r.conclude(i, metrics.Answer{}, err)
		}
	}
}

func (r *round) missing() (missing []int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
	for n, known := range r.known {
		if !known {
			missing = append(missing, n)
		}
	}
	return missing
}

// conclude hands on an answer that counts, or why there is none. That who asks has given up is no failure of the system.
func (a *inquiry) conclude(i int, answer metrics.Answer, err error) {
	s, q := a.source, a.all[i]
	if err == nil {
		answer, err = s.sound(q, answer)
	}
	if err == nil {
		answer = s.settling.settle(q, answer)
	}
	if ended := a.parent.Err(); err != nil && (ended == nil || !errors.Is(err, ended)) {
		answer, err = metrics.Answer{}, s.tell(q, err)
	}
	a.answer(i, answer, err)
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
		s.standing.told(fmt.Sprintf("%s (id %s of the log)", told, id))
	}
	return text
}
