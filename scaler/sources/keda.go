package sources

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

// kedaKind asks an external scaler that was made for KEDA. What it counts, and what the target is, the scaler says itself.
var kedaKind = Kind{
	Type: catalog.Type{Name: "keda", Settings: func() catalog.Settings { return &kedaSettings{} }, Open: true, PerWorkload: true},
	Open: opens(openKeda),
}

// kedaSettings are what the file says of an external scaler.
type kedaSettings struct {
	// Address is its HOST:PORT.
	Address string `json:"address"`
	TLS     *TLS   `json:"tls,omitempty"`
	// Metadata is sent with all that is asked, MetadataFiles are the same of which the values are in files. No line can say another.
	Metadata      map[string]string `json:"metadata,omitempty"`
	MetadataFiles map[string]string `json:"metadataFiles,omitempty"`
}

// Check says what is wrong with them.
func (s *kedaSettings) Check(e *catalog.Entry, at *field.Path) field.ErrorList {
	problems := checkAddress(s.Address, "external-scaler.keda.svc:4050", at.Child("address"))
	problems = append(problems, s.TLS.check(at.Child("tls"))...)
	for _, key := range slices.Sorted(maps.Keys(s.Metadata)) {
		if e.Allow[key] != nil {
			problems = append(problems, field.Invalid(at.Child("metadata").Key(key), field.OmitValueType{}, "is the administrator's: want no allow for it"))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(s.MetadataFiles)) {
		at := at.Child("metadataFiles").Key(key)
		problems = append(problems, checkPath(s.MetadataFiles[key], at)...)
		if _, twice := s.Metadata[key]; twice || e.Allow[key] != nil {
			problems = append(problems, field.Invalid(at, field.OmitValueType{}, "is the administrator's, and there once: want neither metadata nor allow for it"))
		}
	}
	return problems
}

const (
	// specAge is for how long a scaler's own target is known.
	specAge = 5 * time.Minute
	// mostKedaMetrics is how many metrics a scaler may name for one line.
	mostKedaMetrics = 16
	// unaskedFor is how long a question is remembered that nobody asks any more.
	unaskedFor = 10 * time.Minute
	// mostStreams is how many streams are open at a time; other questions are only asked when they are due.
	mostStreams = 1000
	// firstReopen is after how long a stream that has ended is opened again; each time in a row it is twice as long, up to longestReopen.
	firstReopen, longestReopen = 2 * time.Second, time.Minute
	// streamlessFor is for how long a scaler that has no streams is not asked for one: it may be replaced by one that has.
	streamlessFor = 5 * time.Minute
)

// kedaClient asks one scaler. Streams have a connection of their own: a server may allow few calls on one at a time, and streams do not end.
type kedaClient struct {
	settings       *kedaSettings
	env            Env
	calls, streams *kedaConnection

	lifetime context.Context
	end      context.CancelFunc
	running  sync.WaitGroup

	mu    sync.Mutex
	asked map[metrics.Question]*kedaAsked
	swept time.Time
	open  int
	// streamless is when the scaler has said last that it has no streams.
	streamless time.Time
}

// kedaAsked is what is known of a question.
type kedaAsked struct {
	question metrics.Question
	// stop ends its stream; nil if it has none.
	stop context.CancelFunc

	mu     sync.Mutex
	used   time.Time
	specs  []named
	taken  time.Time
	active bool
}

func openKeda(_ *catalog.Entry, settings *kedaSettings, env Env) (Client, error) {
	d := newDialer(env, settings.TLS, settings.TLS != nil, settings.Address)
	if len(settings.MetadataFiles) > 0 && settings.TLS == nil && !d.local {
		env.Log.Warn("credentials are sent without encryption: there is no tls")
	}
	calls, err := newKedaConnection(d, settings.Address)
	if err != nil {
		return nil, err
	}
	streams, err := newKedaConnection(d, settings.Address)
	if err != nil {
		return nil, err
	}
	c := &kedaClient{settings: settings, env: env, calls: calls, streams: streams, asked: map[metrics.Question]*kedaAsked{}, swept: time.Now()}
	c.lifetime, c.end = context.WithCancel(context.Background())
	return c, nil
}

// Close ends all streams.
func (c *kedaClient) Close() {
	c.mu.Lock()
	c.end() // no stream begins from now on
	c.mu.Unlock()
	_ = c.calls.Close()
	_ = c.streams.Close()
	c.running.Wait()
}

// Ask asks for each question.
func (c *kedaClient) Ask(ctx context.Context, all []metrics.Question, answer func(i int, a metrics.Answer, err error)) {
	inTurn(all, answer, func(q metrics.Question) (metrics.Answer, error) { return c.ask(ctx, q) })
	c.sweep()
}

func (c *kedaClient) ask(ctx context.Context, q metrics.Question) (metrics.Answer, error) {
	ref, secrets, err := c.reference(q)
	if err != nil {
		return metrics.Answer{}, err
	}
	asked := c.remember(q)
	a, err := c.measure(ctx, asked, ref)
	if err != nil {
		asked.forgetSpecs()
		return metrics.Answer{}, c.calls.explain(ctx, err, secrets)
	}
	if !*a.Hint.Active {
		c.follow(asked)
	}
	return a, nil
}

// reference says for whom the scaler is asked. The secrets are what no log may have: what is in files, and what is long enough for one.
func (c *kedaClient) reference(q metrics.Question) (ref *scaledObjectRef, secrets []string, err error) {
	ref = &scaledObjectRef{namespace: q.Namespace, metadata: map[string]string{}}
	for key, value := range q.Parameters.All() {
		switch {
		case key == catalog.OfWorkload:
			ref.name = value
		case !strings.HasPrefix(key, "$"):
			ref.metadata[key] = value
		}
	}
	for key, value := range c.settings.Metadata {
		ref.metadata[key] = value
		if len(value) >= leastSecret {
			secrets = append(secrets, value)
			c.env.secrets.add(value)
		}
	}
	for key, path := range c.settings.MetadataFiles {
		value, err := secretFrom(c.env, path)
		if err != nil {
			return nil, nil, err
		}
		ref.metadata[key] = value
		secrets = append(secrets, value)
	}
	return ref, secrets, nil
}

// measure asks what there is to do. Of several metrics the one counts that asks for most replicas, as for KEDA.
func (c *kedaClient) measure(ctx context.Context, asked *kedaAsked, ref *scaledObjectRef) (metrics.Answer, error) {
	specs, err := c.specs(ctx, asked, ref)
	if err != nil {
		return metrics.Answer{}, err
	}
	var best metrics.Answer
	most := math.Inf(-1)
	for i := range specs {
		a, value, err := c.value(ctx, &specs[i], ref)
		if err != nil {
			return metrics.Answer{}, err
		}
		if share := value / specs[i].size(); share > most {
			most, best = share, a
		}
	}
	var answer activeResponse
	if err := c.calls.Invoke(ctx, kedaActive, ref, &answer); err != nil {
		return metrics.Answer{}, err
	}
	asked.setActive(answer.active)
	best.Hint.Active = &answer.active
	return best, nil
}

// value asks for one metric. Where the scaler has several values, their sum counts, as for an External metric.
func (c *kedaClient) value(ctx context.Context, spec *named, ref *scaledObjectRef) (metrics.Answer, float64, error) {
	var answer namedResponse
	if err := c.calls.Invoke(ctx, kedaMetrics, &metricsRequest{ref, spec.name}, &answer); err != nil {
		return metrics.Answer{}, 0, err
	}
	if len(answer.all) == 0 {
		return metrics.Answer{}, 0, unanswered("has no value for it", fmt.Errorf("metric %q has none", spec.name))
	}
	sum := 0.0
	for i := range answer.all {
		sum += answer.all[i].number()
	}
	a, err := counted(sum)
	if err != nil {
		return metrics.Answer{}, 0, err
	}
	if target, err := counted(spec.number()); err == nil && spec.number() > 0 {
		a.Hint.Target = &target.External[0].Value
	}
	return a, sum, nil
}

// specs are the metrics that the scaler has for a question.
func (c *kedaClient) specs(ctx context.Context, asked *kedaAsked, ref *scaledObjectRef) ([]named, error) {
	if known := asked.knownSpecs(); known != nil {
		return known, nil
	}
	taken := time.Now()
	var answer namedResponse
	if err := c.calls.Invoke(ctx, kedaMetricSpec, ref, &answer); err != nil {
		return nil, err
	}
	if n := len(answer.all); n == 0 || n > mostKedaMetrics {
		return nil, unanswered("names no metric for it that can be asked", fmt.Errorf("it names %d metrics, want 1 to %d", n, mostKedaMetrics))
	}
	asked.mu.Lock()
	defer asked.mu.Unlock()
	asked.specs, asked.taken = answer.all, taken
	return answer.all, nil
}

func (a *kedaAsked) knownSpecs() []named {
	a.mu.Lock()
	defer a.mu.Unlock()
	if time.Since(a.taken) >= specAge {
		return nil
	}
	return a.specs
}

func (a *kedaAsked) forgetSpecs() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.specs = nil
}

// setActive remembers what the scaler says, and says what it was before.
func (a *kedaAsked) setActive(active bool) (before bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	before, a.active = a.active, active
	return before
}

// remember returns what is known of a question.
func (c *kedaClient) remember(q metrics.Question) *kedaAsked {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.asked[q]
	if a == nil {
		a = &kedaAsked{question: q}
		c.asked[q] = a
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.used = time.Now()
	return a
}

// sweep forgets what nobody asks any more, and ends its streams.
func (c *kedaClient) sweep() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.swept) < time.Minute {
		return
	}
	c.swept = time.Now()
	maps.DeleteFunc(c.asked, func(_ metrics.Question, a *kedaAsked) bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		gone := time.Since(a.used) > unaskedFor
		if gone && a.stop != nil {
			a.stop()
		}
		return gone
	})
}

// follow keeps a stream open on which the scaler says when a question becomes active, so that it is asked again at once. One that has ended is
// opened again; a scaler that has no streams is asked only when a question is due, and for streams now and then.
func (c *kedaClient) follow(a *kedaAsked) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.stop != nil || time.Since(c.streamless) < streamlessFor || c.env.Again == nil || c.open >= mostStreams || c.lifetime.Err() != nil {
		return
	}
	ctx, stop := context.WithCancel(c.lifetime)
	a.stop = stop
	c.open++
	c.running.Go(func() {
		defer stop()
		wait, hasStreams := firstReopen, true
		defer func() { c.closed(a, hasStreams) }()
		for {
			if hasStreams = c.stream(ctx, a, func() { wait = firstReopen }); !hasStreams {
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
				wait = min(2*wait, longestReopen)
			}
		}
	})
}

// closed makes room for another stream, also of the same question.
func (c *kedaClient) closed(a *kedaAsked, hasStreams bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open--
	a.stop = nil
	if !hasStreams {
		c.streamless = time.Now()
	}
}

// stream opens a stream and reads it to its end. It says whether there may be another one.
func (c *kedaClient) stream(ctx context.Context, a *kedaAsked, heard func()) bool {
	ref, _, err := c.reference(a.question)
	if err != nil {
		return true
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.streams.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, kedaStream)
	if err != nil {
		return status.Code(err) != codes.Unimplemented
	}
	// What cannot be sent is said by what is received.
	_ = stream.SendMsg(ref)
	_ = stream.CloseSend()
	for {
		var message activeResponse
		if err := stream.RecvMsg(&message); err != nil {
			return status.Code(err) != codes.Unimplemented
		}
		heard()
		if before := a.setActive(message.active); message.active && !before {
			c.env.Again(a.question)
		}
	}
}
