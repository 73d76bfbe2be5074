package metrics

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/clock"
)

const (
	defaultAnswerTimeout = 10 * time.Second
	defaultConcurrency   = 10
	// defaultMaxQuestions is two for each of 10000 workloads; defaultMaxValues takes about 80 MB.
	defaultMaxQuestions, defaultMaxValues = 20000, 100_000
	// keptPeriods is for how many maximum ages an answer is kept after it was last asked for.
	keptPeriods = 3
)

// ReadersConfig is what Readers are made of. Sources are required.
type ReadersConfig struct {
	// Sources are who can be asked at first, by name (see Readers.Replace). Readers close them at the end.
	Sources map[string]Source
	// Timeout is the deadline of each answer, the wait for a turn included, where a source does not need longer. Default 10s.
	Timeout time.Duration
	// Concurrency is how many questions are put to each source at a time, where it does not say that itself. Three tenths of them may be of
	// one namespace, and as many may be questions that were not answered in time before. Default 10.
	Concurrency int
	// MaxQuestions is how many different questions are kept, MaxValues how many values their answers have together; others get an
	// error. Beyond that, namespaces have equal shares: one that has less finds room, one that has more gives it up. Default
	// 20000 and 100000.
	MaxQuestions, MaxValues int
	// OnAnswer is called when an answer has come, good or failed, with the keys that asked since the one before, each
	// once. It is called from several goroutines. It may be nil.
	OnAnswer func([]annotations.Key)
	// OnSame is called instead where an answer is the same as the one before it. It is soon enough then to look again at any moment within
	// that time, so that looks for answers that have changed need not wait for these. If it is nil, OnAnswer is called.
	OnSame func(keys []annotations.Key, within time.Duration)
}

// Readers keep the newest answer to every question that is being asked. No look waits for a source:
//
//	scaler                  Readers                            Source
//	  Ask ------------------> nothing known: ErrPending
//	                          in the background, in turn -------> GET
//	  look again <- OnAnswer  the answer, or why there is none <--
//	  Ask ------------------> the answer
//	                          maxAge after it was asked ---------> GET
//	  look again <- OnAnswer  the next answer <-------------------
//
// That goes on as long as a look asks between two answers. The methods may be called from any goroutine.
type Readers struct {
	config ReadersConfig

	lifetime context.Context
	end      context.CancelFunc
	running  sync.WaitGroup

	mu        sync.Mutex
	sources   map[string]*respondent
	inquiries map[Question]*inquiry
	// questions and values are what is kept, by namespace.
	questions, values shares
	status            ReadersStatus
}

// inquiry is one question and its newest answer.
type inquiry struct {
	question Question
	source   *respondent
	answer   Answer
	err      error
	// answered says that there was an answer; underway that the next one is being fetched.
	answered, underway bool
	// again says that there is another answer than the one that is being fetched.
	again bool
	// took is how long the source took for the newest answer, and together how many questions it was asked at the same time, this one included.
	took     time.Duration
	together int
	// since is when the answer's age begins: when it was asked for; or, if the source did not answer in time, when that
	// was certain, so that a question that hangs has a period's rest.
	since time.Time
	// stamps are those of the values of the newest good answer, values how many are kept.
	stamps clock.Log
	values int
	// slow says that the source took long, or too long, the last time.
	slow bool
	// keys have asked since the answer came.
	keys sets.Set[annotations.Key]
	// renewal fetches the next answer at the moment due; nil if no look has asked since the answer came.
	renewal *time.Timer
	due     time.Time
	// expiry forgets the inquiry at the moment until, which every Ask moves on.
	expiry *time.Timer
	until  time.Time
}

// NewReaders returns Readers that know nothing yet.
func NewReaders(c ReadersConfig) *Readers {
	c.Timeout = cmp.Or(max(c.Timeout, 0), defaultAnswerTimeout)
	c.Concurrency = cmp.Or(max(c.Concurrency, 0), defaultConcurrency)
	c.MaxQuestions = cmp.Or(max(c.MaxQuestions, 0), defaultMaxQuestions)
	c.MaxValues = cmp.Or(max(c.MaxValues, 0), defaultMaxValues)
	if c.OnAnswer == nil {
		c.OnAnswer = func([]annotations.Key) {}
	}
	if c.OnSame == nil {
		c.OnSame = func(keys []annotations.Key, _ time.Duration) { c.OnAnswer(keys) }
	}
	r := &Readers{config: c, inquiries: map[Question]*inquiry{}, questions: newShares(c.MaxQuestions), values: newShares(c.MaxValues)}
	r.lifetime, r.end = context.WithCancel(context.Background())
	r.Replace(c.Sources)
	return r
}

// Close ends what is under way, forgets all answers and closes the sources. Whatever is asked later stays pending.
func (r *Readers) Close() {
	r.mu.Lock()
	r.end()
	for _, s := range r.sources {
		r.dismiss(s)
	}
	r.sources = nil
	r.mu.Unlock()
	r.running.Wait()
}

// Replace makes others the sources. One that was there under the same name stays as it is, with its answers. One that is not among them any
// more is closed after what is under way has ended, and its answers are forgotten.
func (r *Readers) Replace(sources map[string]Source) {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := map[string]*respondent{}
	for name, source := range sources {
		if was := r.sources[name]; was != nil && same(was.source, source) {
			next[name] = was
		} else {
			next[name] = r.respondent(source)
		}
	}
	before := r.sources
	r.sources = next
	for name, was := range before {
		if next[name] != was {
			r.dismiss(was)
		}
	}
	if r.lifetime.Err() != nil { // nobody asks any more
		for _, s := range next {
			r.dismiss(s)
		}
		r.sources = nil
	}
}

// respondent makes one of a source.
func (r *Readers) respondent(source Source) *respondent {
	s := newRespondent(source, Limits{Timeout: r.config.Timeout, Concurrency: r.config.Concurrency})
	if s.batches != nil {
		s.batches.lifetime, s.batches.along = r.lifetime, func() []*passenger { return r.along(s) }
	}
	return s
}

// dismiss forgets what a source was asked, and closes it.
func (r *Readers) dismiss(s *respondent) {
	for q := range s.asked {
		r.drop(r.inquiries[q])
	}
	s.close(&r.running)
}

// Ask returns the newest answer, and has the next one asked for when this one is older than maxAge; OnAnswer is then called with the key.
// The error says why the source gave no answer (a failure takes the place of an older answer), that there is no such source, or that
// too many other questions are being asked. It is ErrPending if there is no answer yet, or if the newest is older than maxAge and the
// time that the next one may take.
func (r *Readers) Ask(key annotations.Key, q Question, maxAge time.Duration) (Answer, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lifetime.Err() != nil {
		return Answer{}, ErrPending
	}
	s := r.sources[q.Source]
	if s == nil {
		return Answer{}, unknown(q)
	}
	i := r.inquiry(s, q)
	if i == nil {
		return Answer{}, fmt.Errorf("not asked: too many different custom and external metrics: %s", r.questions.full(q.Namespace))
	}
	maxAge = max(maxAge, s.limits.MaxAge)
	r.keep(i, keptPeriods*maxAge+s.limits.Timeout)
	i.keys.Insert(key)
	r.plan(i, maxAge)
	const late = time.Second // for what a busy machine may add
	if !i.answered || time.Since(i.since) > maxAge+s.limits.Timeout+late {
		return Answer{}, ErrPending
	}
	return i.answer, i.err
}

func unknown(q Question) error {
	return fmt.Errorf("there is no source of metrics called %q", q.Source)
}

// soonest is how old an answer becomes at least before it is asked for once more because its source says so.
const soonest = time.Second

// Again has a question asked once more before its answer is as old as may be, because its source says that there is another one; that of
// others is not changed. Those who have asked it are called as after any answer. What is under way is asked once more when it has ended, and nothing
// is asked more often than once a second. A question that nobody asks is not asked.
func (r *Readers) Again(q Question) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := r.inquiries[q]
	switch {
	case i == nil || r.lifetime.Err() != nil:
	case i.underway:
		i.again = true
	default:
		r.plan(i, soonest)
	}
}

// plan has the next answer fetched when this one is older than maxAge, or earlier if another look has asked for that.
func (r *Readers) plan(i *inquiry, maxAge time.Duration) {
	due := i.since.Add(maxAge)
	switch {
	case i.underway:
	case !i.answered || !time.Now().Before(due):
		r.begin(i)
	case i.renewal == nil || due.Before(i.due):
		i.stopRenewal()
		i.due = due
		i.renewal = time.AfterFunc(time.Until(due), func() { r.renew(i) })
	}
}

// renew is what a renewal's timer does, unless it was overtaken.
func (r *Readers) renew(i *inquiry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.inquiries[i.question] == i && !i.underway && i.renewal != nil && !time.Now().Before(i.due) {
		r.begin(i)
	}
}

// begin fetches an answer in the background.
func (r *Readers) begin(i *inquiry) {
	i.stopRenewal()
	i.underway = true
	r.refresh(i)
}

func (i *inquiry) stopRenewal() {
	if i.renewal != nil {
		i.renewal.Stop()
		i.renewal = nil
	}
}

// inquiry is that of the question; nil if its namespace has too many others.
func (r *Readers) inquiry(s *respondent, q Question) *inquiry {
	i := r.inquiries[q]
	switch {
	case i != nil && r.questions.excessive(q.Namespace):
		r.drop(i)
		return nil
	case i == nil && r.questions.room(q.Namespace, 1):
		i = &inquiry{question: q, source: s, keys: sets.New[annotations.Key]()}
		r.inquiries[q] = i
		s.asked.Insert(q)
		r.questions.add(q.Namespace, 1)
	}
	return i
}

// makeRoom gives up the values of an inquiry's answer for those of the next one; a failed one has none. The error says why there is no
// room for them.
func (r *Readers) makeRoom(i *inquiry, values int) error {
	if r.inquiries[i.question] != i {
		return nil // forgotten: the answer is not kept
	}
	namespace := i.question.Namespace
	r.values.add(namespace, -i.values)
	if i.values = values; !r.values.room(namespace, values) {
		i.values = 0
		return fmt.Errorf("not kept: too many values of custom and external metrics: %s", r.values.full(namespace))
	}
	r.values.add(namespace, values)
	return nil
}

// keep forgets the inquiry after a while, unless it is asked for again.
func (r *Readers) keep(i *inquiry, while time.Duration) {
	if until := time.Now().Add(while); until.After(i.until) {
		i.until = until
	}
	if i.expiry == nil {
		i.expiry = time.AfterFunc(while, func() { r.expire(i) })
	}
}

// expire is what the timer of an inquiry does: it goes on where the inquiry was asked for meanwhile, which is cheaper than to move the timer
// each time.
func (r *Readers) expire(i *inquiry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.inquiries[i.question] != i {
		return
	}
	if left := time.Until(i.until); left > 0 {
		i.expiry.Reset(left)
		return
	}
	r.drop(i)
}

func (r *Readers) drop(i *inquiry) {
	i.stopRenewal()
	if i.expiry != nil {
		i.expiry.Stop()
	}
	delete(r.inquiries, i.question)
	i.source.asked.Delete(i.question)
	r.questions.add(i.question.Namespace, -1)
	r.values.add(i.question.Namespace, -i.values)
}

// refresh fetches an answer in its turn, or together with others, and calls OnAnswer with the keys that asked.
func (r *Readers) refresh(i *inquiry) {
	s := i.source
	if s.batches != nil {
		s.batches.collect(r.passenger(i))
		return
	}
	asked, from := time.Now(), origin{i.question.Namespace, i.slow}
	until := asked.Add(s.limits.Timeout)
	s.turns.take(&waiter{origin: from, until: until,
		begin: func() {
			s.running.Go(func() {
				ctx, cancel := context.WithDeadline(r.lifetime, until)
				defer cancel()
				answer, slow, err := s.inTurn(ctx, i.question, from)
				r.conclude(i, Reply{asked, time.Since(asked), 1}, answer, slow, err)
			})
		},
		late: func(err error) { r.conclude(i, Reply{Asked: asked}, Answer{}, from.slow, s.unserved(err)) },
	})
}

// passenger is an inquiry that is asked together with others.
func (r *Readers) passenger(i *inquiry) *passenger {
	s, since := i.source, time.Now()
	return &passenger{question: i.question,
		answer: func(reply Reply, a Answer, late bool, err error) {
			if err == nil {
				err = s.reasonable(i.question, a)
			}
			r.conclude(i, reply, a, late, s.late(err))
		},
		unserved: func(err error) { r.conclude(i, Reply{Asked: since}, Answer{}, true, s.unserved(err)) },
	}
}

// along are the inquiries of a source that will have to be asked within half of their age.
func (r *Readers) along(s *respondent) (all []*passenger) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	for q := range s.asked {
		if i := r.inquiries[q]; i.renewal != nil && i.due.Sub(now) <= i.due.Sub(i.since)/2 {
			i.stopRenewal()
			i.underway = true
			all = append(all, r.passenger(i))
		}
	}
	return all
}

// A look at an answer that says nothing new may wait for an eighth of the time between two answers, and for two seconds at most.
const (
	calmShare = 8
	mostCalm  = 2 * time.Second
)

// conclude stores the answer or failure of a question, and calls OnAnswer or OnSame with the keys that asked.
func (r *Readers) conclude(i *inquiry, reply Reply, answer Answer, slow bool, err error) {
	if r.lifetime.Err() != nil {
		return
	}
	answer.Asked = reply.Asked
	keys, same, after := r.answered(i, reply, answer, slow, err)
	switch {
	case len(keys) == 0:
	case same:
		r.config.OnSame(keys, min(after/calmShare, mostCalm))
	default:
		r.config.OnAnswer(keys)
	}
}

// answered makes the answer the newest one and returns who is to be told, whether it says what the one before said, and how long after that one it
// was asked for.
func (r *Readers) answered(i *inquiry, reply Reply, answer Answer, slow bool, err error) (_ []annotations.Key, same bool, after time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if full := r.makeRoom(i, len(answer.Custom)+len(answer.External)); err == nil {
		err = full
	}
	if err == nil {
		i.stamps, answer = stamped(i.question, answer, i.stamps)
	} else {
		answer = Answer{Asked: answer.Asked}
	}
	same, after = i.answered && saysTheSame(i.err, err) && i.answer.same(&answer), answer.Asked.Sub(i.since)
	i.answer, i.err, i.answered, i.underway = answer, err, true, false
	i.slow, i.since, i.took, i.together = slow, answer.Asked, reply.Took, reply.Together
	if slow && err != nil {
		i.since = time.Now()
	}
	r.status.Answers++
	if err != nil {
		r.status.Failures++
	}
	if i.again && r.inquiries[i.question] == i {
		r.plan(i, soonest)
	}
	i.again = false
	keys := i.keys.UnsortedList()
	i.keys.Clear()
	return keys, same, max(after, 0)
}

// stamped says when the values of an answer were taken, and has their stamps; before are those of the answer before.
func stamped(q Question, a Answer, before clock.Log) (clock.Log, Answer) {
	if q.Type == autoscalingv2.ExternalMetricSourceType {
		before, a.Taken = before.External(a.External, a.Asked)
	} else {
		before, a.Taken = before.Custom(a.Custom, a.Asked)
	}
	return before, a
}

// Reply is that of the newest answer to a question, good or failed; false if there is none.
func (r *Readers) Reply(q Question) (Reply, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := r.inquiries[q]
	if i == nil || !i.answered {
		return Reply{}, false
	}
	return Reply{i.answer.Asked, i.took, i.together}, true
}

// Fetch asks now and waits for the answer, which is not kept, until ctx ends or the source's Timeout has passed. It is like the first answer to
// Ask: nothing is known of the clock that has stamped its values.
func (r *Readers) Fetch(parent context.Context, q Question) (Answer, error) {
	s := r.hold(q)
	if s == nil {
		return Answer{}, unknown(q)
	}
	defer s.running.Done()
	asked := time.Now()
	ctx, cancel := context.WithTimeout(parent, s.limits.Timeout)
	defer cancel()
	answer, err := s.fetch(ctx, q)
	if err != nil && parent.Err() != nil {
		err = fmt.Errorf("the %s was not waited for: %w", s.source, context.Cause(parent))
	}
	if answer.Asked = asked; err == nil {
		_, answer = stamped(q, answer, nil)
	}
	return answer, err
}

// hold is the source of a question, which is not closed before its running is done; nil if there is none.
func (r *Readers) hold(q Question) *respondent {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.sources[q.Source]
	if s != nil {
		s.running.Add(1)
	}
	return s
}

// ReadersStatus is a summary of Readers for telemetry.
type ReadersStatus struct {
	// Answers counts the answers that came, Failures those of them that are errors.
	Answers, Failures uint64
	// Questions is how many are being asked at present, Values how many values of their answers are kept.
	Questions, Values int
	// Of is how many questions each source is asked at present.
	Of map[string]int
}

// Status summarises the readers.
func (r *Readers) Status() ReadersStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	status := r.status
	status.Questions, status.Values, status.Of = r.questions.used, r.values.used, map[string]int{}
	for name, s := range r.sources {
		status.Of[name] = s.asked.Len()
	}
	return status
}
