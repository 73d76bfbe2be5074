package metrics

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// post is a source that is asked in batches, as a broker is.
type post struct {
	// answers gives the answers of a batch; by default each question has the value 1, after 100 ms.
	answers func(ctx context.Context, all []Question, answer func(int, Answer, error))
	limits  Limits

	mu      sync.Mutex
	batches []int // how many questions each had
	closed  bool
}

func (p *post) AskAll(ctx context.Context, all []Question, answer func(int, Answer, error)) {
	p.mu.Lock()
	p.batches = append(p.batches, len(all))
	p.mu.Unlock()
	if p.answers != nil {
		p.answers(ctx, all, answer)
		return
	}
	time.Sleep(100 * ms)
	for i := range all {
		answer(i, externalValues("1"), nil)
	}
}

func (p *post) Ask(context.Context, Question) (Answer, error) { return externalValues("7"), nil }
func (p *post) String() string                                { return "post" }
func (p *post) Limits() Limits                                { return p.limits }

func (p *post) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
}

// seen are the batches since the last time.
func (p *post) seen() []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := p.batches
	p.batches = nil
	return seen
}

func (p *post) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// sorting is an office that asks for letters again whenever an answer has come, as a controller does.
type sorting struct {
	readers *Readers

	mu   sync.Mutex
	told map[string]time.Time
}

func letterTo(n int) Question {
	return Question{Source: "post", Type: autoscalingv2.ExternalMetricSourceType, Namespace: "shop", Metric: fmt.Sprint(n)}
}

func (o *sorting) ask(n int) (Answer, error) {
	return o.readers.Ask(annotations.DeploymentKey("shop", fmt.Sprint(n)), letterTo(n), 15*s)
}

func newSorting(sources map[string]Source) *sorting {
	o := &sorting{told: map[string]time.Time{}}
	o.readers = NewReaders(ReadersConfig{Sources: sources, OnAnswer: func(keys []annotations.Key) {
		for _, key := range keys {
			var n int
			_, _ = fmt.Sscan(key.Name, &n)
			o.mu.Lock()
			o.told[key.Name] = time.Now()
			o.mu.Unlock()
			_, _ = o.ask(n)
		}
	}})
	return o
}

func (o *sorting) end() {
	o.readers.Close()
	time.Sleep(time.Hour)
}

// TestThreeThousandQuestionsAreTwoBatches a period, once they have found together, however they began.
func TestThreeThousandQuestionsAreTwoBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &post{}
		o := newSorting(map[string]Source{"post": p})
		defer o.end()
		const questions = 3000
		for n := range questions {
			_, _ = o.ask(n)
			time.Sleep(15 * s / questions)
		}
		if got := p.seen(); len(got) > 60 {
			t.Errorf("%d batches in the first period", len(got))
		}
		time.Sleep(60 * s)
		p.seen()
		const periods = 20
		time.Sleep(periods * 15 * s)
		got, sum := p.seen(), 0
		for _, n := range got {
			sum += n
		}
		t.Logf("%d batches of %d questions in %d periods", len(got), sum, periods)
		if len(got) > 2*periods {
			t.Errorf("%d batches in %d periods, want 2 a period at most", len(got), periods)
		}
		if sum < periods*questions*95/100 || sum > 2*periods*questions {
			t.Errorf("%d questions in %d periods, want each of %d once or twice a period", sum, periods, questions)
		}
		for n := range questions {
			if _, err := o.ask(n); err != nil {
				t.Fatalf("question %d: %v", n, err)
			}
		}
	})
}

// TestAReplySaysHowItWasAsked: when, for how long, and with how many others.
func TestAReplySaysHowItWasAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newSorting(map[string]Source{"post": &post{}})
		defer o.end()
		began := time.Now()
		for n := range 3 {
			_, _ = o.ask(n)
		}
		if got, ok := o.readers.Reply(letterTo(1)); ok {
			t.Errorf("before it was answered: %+v", got)
		}
		time.Sleep(s)
		if got, ok := o.readers.Reply(letterTo(1)); !ok || got != (Reply{began.Add(collected), 100 * ms, 3}) {
			t.Errorf("%+v, %t", got, ok)
		}
		if got, ok := o.readers.Reply(letterTo(9)); ok {
			t.Errorf("what nobody has asked: %+v", got)
		}
	})
}

// TestABatchThatHangsDelaysNothingElse: neither other sources nor the next batches of its own.
func TestABatchThatHangsDelaysNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		hang := func(_ context.Context, all []Question, answer func(int, Answer, error)) {
			if slices.Contains(all, letterTo(0)) {
				<-release // whatever the deadline is
				answer(0, externalValues("1"), nil)
				return
			}
			for i := range all {
				answer(i, externalValues("1"), nil)
			}
		}
		p, other := &post{answers: hang, limits: Limits{Concurrency: 2}}, &post{}
		o := newSorting(map[string]Source{"post": p, "other": other})
		_, _ = o.ask(0)
		time.Sleep(s)
		_, _ = o.ask(1)
		elsewhere := letterTo(1)
		elsewhere.Source = "other"
		_, _ = o.readers.Ask(annotations.DeploymentKey("shop", "x"), elsewhere, 15*s)
		time.Sleep(s)
		for name, ask := range map[string]func() (Answer, error){
			"another question":  func() (Answer, error) { return o.ask(1) },
			"of another source": func() (Answer, error) { return o.readers.Ask(annotations.DeploymentKey("shop", "x"), elsewhere, 15*s) },
		} {
			if _, err := ask(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		time.Sleep(9 * s)
		if _, err := o.ask(0); err == nil || err.Error() != "the post did not answer within 10s" {
			t.Errorf("the one that hangs: %v", err)
		}
		time.Sleep(25 * s) // the second batch with it hangs, too: both turns are taken
		_, _ = o.ask(2)
		time.Sleep(11 * s)
		if _, err := o.ask(2); err == nil || err.Error() != "the post is still busy with 2 batches of questions after 10s" {
			t.Errorf("without a turn: %v", err)
		}
		close(release)
		time.Sleep(16 * s)
		if _, err := o.ask(2); err != nil {
			t.Errorf("after those that hung have returned: %v", err)
		}
		o.end()
	})
}

// TestPartialAnswersConcludeAtOnce: the brokers that answer are not held up by the one that does not.
func TestPartialAnswersConcludeAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &post{answers: func(ctx context.Context, all []Question, answer func(int, Answer, error)) {
			for i, q := range all {
				switch q.Metric {
				case "0":
					answer(i, externalValues("5"), nil)
					answer(i, externalValues("6"), nil) // a second one does not count
					answer(len(all), externalValues("7"), nil)
				case "1":
					answer(i, Answer{}, errors.New("has no queue of that name"))
				case "2":
					answer(i, Answer{}, nil)
				}
			}
			<-ctx.Done()
			time.Sleep(ms)
			for i := range all {
				answer(i, externalValues("8"), nil)
			}
		}}
		o := newSorting(map[string]Source{"post": p})
		start := time.Now()
		for n := range 4 {
			_, _ = o.ask(n)
		}
		time.Sleep(12 * s)
		synctest.Wait()
		got := map[string]string{}
		for n := range 4 {
			answer, err := o.ask(n)
			text := fmt.Sprint(err)
			if err == nil {
				text = answer.External[0].Value.String()
			}
			got[fmt.Sprint(n, " after ", o.told[fmt.Sprint(n)].Sub(start))] = text
		}
		want := map[string]string{
			"0 after 250ms":  "5",
			"1 after 250ms":  "has no queue of that name",
			"2 after 250ms":  "the post returned no value",
			"3 after 10.25s": "the post did not answer within 10s",
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		o.end()
	})
}

// TestABatchThatPanicsOrAnswersNothing fails its questions, and nothing else.
func TestABatchThatPanicsOrAnswersNothing(t *testing.T) {
	for want, answers := range map[string]func(context.Context, []Question, func(int, Answer, error)){
		"the post gave no answer":                          func(context.Context, []Question, func(int, Answer, error)) {},
		`the answer of the post caused a panic: "nothing"`: func(context.Context, []Question, func(int, Answer, error)) { panic("nothing") },
	} {
		synctest.Test(t, func(t *testing.T) {
			o := newSorting(map[string]Source{"post": &post{answers: answers}})
			_, _ = o.ask(0)
			time.Sleep(s)
			if _, err := o.ask(0); err == nil || err.Error() != want {
				t.Errorf("%v, want %s", err, want)
			}
			o.end()
		})
	}
}

// TestOneQuestionIsAskedByItself where somebody waits for it.
func TestOneQuestionIsAskedByItself(t *testing.T) {
	o := newSorting(map[string]Source{"post": &post{}})
	defer o.readers.Close()
	if answer, err := o.readers.Fetch(t.Context(), letterTo(0)); err != nil || answer.External[0].Value.String() != "7" {
		t.Errorf("%v, %v", answer, err)
	}
}

// TestSourcesAreReplaced: who stays keeps his answers, who goes is closed when what he was asked has an answer.
func TestSourcesAreReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(_ context.Context, all []Question, answer func(int, Answer, error)) {
			time.Sleep(3 * s)
			for i := range all {
				answer(i, externalValues("1"), nil)
			}
		}
		stays, goes, comes := &post{}, &post{answers: slow}, &post{}
		o := newSorting(map[string]Source{"post": stays, "other": goes})
		of := func(source string) error {
			q := letterTo(5)
			q.Source = source
			_, err := o.readers.Ask(annotations.DeploymentKey("shop", "5"), q, 15*s)
			return err
		}
		_, _ = o.ask(0)
		_ = of("other")
		time.Sleep(s)
		o.readers.Replace(map[string]Source{"post": stays, "third": comes})
		if goes.isClosed() {
			t.Error("closed while it is asked")
		}
		if _, err := o.ask(0); err != nil {
			t.Errorf("who stays has no answer any more: %v", err)
		}
		if err := of("other"); err == nil || err.Error() != `there is no source of metrics called "other"` {
			t.Errorf("who is gone: %v", err)
		}
		if err := of("third"); !errors.Is(err, ErrPending) {
			t.Errorf("who is new: %v", err)
		}
		if diff := gocmp.Diff(map[string]int{"post": 1, "third": 1}, o.readers.Status().Of); diff != "" {
			t.Errorf("questions (-want +got):\n%s", diff)
		}
		time.Sleep(3 * s)
		if err := of("third"); err != nil || !goes.isClosed() || stays.isClosed() {
			t.Errorf("the new one: %v; the old one is closed: %t; who stays is closed: %t", err, goes.isClosed(), stays.isClosed())
		}
		changed := &post{}
		o.readers.Replace(map[string]Source{"post": changed})
		synctest.Wait()
		if _, err := o.ask(0); !errors.Is(err, ErrPending) || !stays.isClosed() || !comes.isClosed() {
			t.Errorf("another one of the same name: %v", err)
		}
		o.readers.Close()
		late := &post{}
		o.readers.Replace(map[string]Source{"post": late})
		synctest.Wait()
		if !changed.isClosed() || !late.isClosed() {
			t.Error("not closed at the end")
		}
		time.Sleep(time.Hour)
	})
}

// TestASourceSaysHowItIsAsked: how often, how many at a time, and how long an answer may take.
func TestASourceSaysHowItIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &post{limits: Limits{MaxAge: 60 * s, Timeout: 20 * s}, answers: func(_ context.Context, all []Question, answer func(int, Answer, error)) {
			time.Sleep(15 * s)
			answer(0, externalValues("1"), nil)
		}}
		o := newSorting(map[string]Source{"post": p})
		_, _ = o.ask(0)
		time.Sleep(16 * s)
		if _, err := o.ask(0); err != nil {
			t.Errorf("after 16 s: %v", err)
		}
		time.Sleep(590 * s)
		if got := len(p.seen()); got < 9 || got > 11 {
			t.Errorf("asked %d times in 10 minutes, want once a minute", got)
		}
		o.end()
	})
}
