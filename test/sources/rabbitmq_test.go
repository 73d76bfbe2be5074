//go:build unix

package sources

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mini-hpa/mini-hpa/scaler/metrics"
	"github.com/mini-hpa/mini-hpa/scaler/sources"
	"github.com/mini-hpa/mini-hpa/test/rabbitmq"
)

// rabbit is a broker, and its administrator.
type rabbit struct {
	*testing.T
	*rabbitmq.Broker
}

// newRabbit starts a broker on the loopback, which ends with the test.
func newRabbit(t *testing.T) *rabbit {
	t.Helper()
	need(t, rabbitmq.Installed())
	broker, err := rabbitmq.New(t.TempDir(), "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Stop)
	if err := broker.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &rabbit{t, broker}
}

func (r *rabbit) url() string { return "http://" + r.Management }

// do is Call, which has to succeed.
func (r *rabbit) do(method, path string, body any) {
	r.Helper()
	if err := r.Call(r.Context(), method, path, body, nil); err != nil {
		r.Fatal(err)
	}
}

// queue makes a queue with messages.
func (r *rabbit) queue(vhost, name string, messages int, arguments map[string]any) {
	r.Helper()
	if arguments == nil {
		arguments = map[string]any{}
	}
	r.do(http.MethodPut, "/queues/"+url.PathEscape(vhost)+"/"+url.PathEscape(name), map[string]any{"durable": true, "arguments": arguments})
	for range messages {
		r.do(http.MethodPost, "/exchanges/"+url.PathEscape(vhost)+"/amq.default/publish",
			map[string]any{"properties": map[string]any{"delivery_mode": 2}, "routing_key": name, "payload": "x", "payload_encoding": "string"})
	}
}

// source opens the client under test, at another address if there is one.
func (r *rabbit) source(have *files, at ...string) sources.Client {
	r.Helper()
	address := r.url()
	if len(at) > 0 {
		address = at[0]
	}
	return open(r.T, "rabbitmq", fmt.Sprintf(`"url": %q, "auth": {"userFile": "/user", "passwordFile": "/password"}`, address), have)
}

func guest() *files { return with(map[string]string{"/user": "guest", "/password": "guest"}) }

// TestRabbitMQ is one story: a broker takes long to start.
func TestRabbitMQ(t *testing.T) {
	t.Parallel()
	r := newRabbit(t)
	for _, vhost := range []string{"shop", "hidden", "%2f", "a/b", "..%2f", "many"} {
		r.do(http.MethodPut, "/vhosts/"+url.PathEscape(vhost), struct{}{})
	}
	r.queue("/", "jobs", 3, nil)
	r.queue("/", "empty", 0, nil)
	r.queue("/", "kept", 0, map[string]any{"x-queue-type": "stream"})
	r.queue("/", "safe", 2, map[string]any{"x-queue-type": "quorum"})
	r.queue("shop", "jobs", 1, nil)
	r.queue("hidden", "jobs", 7, nil)
	r.queue("%2f", "jobs", 4, nil)
	r.queue("a/b", "jobs", 5, nil)
	r.queue("..%2f", "jobs", 6, nil)
	for _, name := range []string{"*", "a b", "line\nbreak", "../jobs", "%2f"} {
		r.queue("shop", name, 2, nil)
	}

	client := r.source(guest())
	questions := []metrics.Question{
		of("queue", "jobs"), of("queue", "jobs", "vhost", "/", "count", "ready"), of("queue", "empty"), of("queue", "none"), of("queue", ""),
		of("queue", "kept"), of("queue", "jobs", "vhost", "shop"), of("queue", "jobs", "vhost", "hidden"), of("queue", "jobs", "vhost", "%2f"),
		of("queue", "jobs", "vhost", "a/b"), of("queue", "jobs", "vhost", "..%2f"), of("queue", "jobs", "vhost", "none"), of("queue", "jobs", "vhost", ".."),
		of("queue", "jobs", "vhost", ""), of("queue", "jobs", "vhost", "*"), of("queue", "jo*"),
		of("queue", "*", "vhost", "shop"), of("queue", "a b", "vhost", "shop"), of("queue", "line\nbreak", "vhost", "shop"),
		of("queue", "../jobs", "vhost", "shop"), of("queue", "%2f", "vhost", "shop"),
	}
	missing := result("!has no queue of that name")
	want := []result{
		"3", "3", "0", missing, missing,
		"!has a stream of that name, whose length does not say what is left to do", "1", "7", "4",
		"5", "6", "!has no vhost of that name", `!cannot be asked for a vhost ".."`,
		`!cannot be asked for a vhost ""`, "!has no vhost of that name", missing,
		"2", "2", missing, "2", "2", // the broker has left out the line break when the queue was made
	}
	expect(t, ask(t, client, questions...), want...)
	until(t, "the totals of a quorum queue, which are some seconds old", func() error {
		if got := ask(t, client, of("queue", "safe")); got[0] != "2" {
			return errors.New(string(got[0]))
		}
		return nil
	})

	t.Run("messages in work are counted", func(t *testing.T) { r.in(t).hold(client) })
	t.Run("jobs are counted until they are done", func(t *testing.T) { r.in(t).work(client) })
	t.Run("users", func(t *testing.T) { r.in(t).users() })
	t.Run("one request for all queues of a vhost", func(t *testing.T) { r.in(t).many() })
	t.Run("it hangs", func(t *testing.T) { r.in(t).hangs() })

	r.Kill()
	for _, got := range ask(t, client, questions[:3]...) {
		if got != "!refused the connection" && got != "!broke off its answer" {
			t.Errorf("of a broker that is gone: %q", got)
		}
	}
	ended := make(chan struct{})
	var failed atomic.Int32
	var asking sync.WaitGroup
	asking.Go(func() { // while it starts
		for {
			for i, got := range ask(t, client, questions[:3]...) {
				if got != want[i] && !strings.HasPrefix(string(got), "!") {
					t.Errorf("while it starts: %q, want %q or a failure", got, want[i])
				}
				if got != want[i] {
					failed.Add(1)
				}
			}
			select {
			case <-ended:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	close(ended)
	asking.Wait()
	if failed.Load() == 0 {
		t.Error("nobody has asked while it started")
	}
	until(t, "it is back", func() error {
		for i, got := range ask(t, client, questions[:3]...) {
			if got != want[i] {
				return fmt.Errorf("%q, want %q", got, want[i])
			}
		}
		return nil
	})
}

// in is the broker for a part of the story.
func (r *rabbit) in(t *testing.T) *rabbit {
	part := *r
	part.T = t
	return &part
}

// hold takes messages and does not acknowledge them: a consumer at work.
func (r *rabbit) hold(client sources.Client) {
	r.queue("/", "work", 3, nil)
	held := r.consume("work", 2)
	defer held()
	until(r.T, "two of three are in work", func() error {
		got := ask(r.T, client, of("queue", "work"), of("queue", "work", "count", "ready"))
		if got[0] != "3" || got[1] != "1" {
			return fmt.Errorf("%q", got)
		}
		return nil
	})
}

// work has a worker do jobs: each counts until it is done, and the book tells which was not done by who had it first, or was done twice.
func (r *rabbit) work(client sources.Client) {
	url := r.URL("/")
	must := func(err error) {
		if err != nil {
			r.Helper()
			r.Fatal(err)
		}
	}
	must(rabbitmq.Declare(url, "orders"))
	var book rabbitmq.Book
	ctx, cancel := context.WithCancel(r.Context())
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	all.Go(func() {
		if err := book.Follow(ctx, url, "orders"); err != nil {
			r.Error(err)
		}
	})
	account := func(want rabbitmq.Account) func() error {
		return func() error {
			if got := book.Now(); got != want {
				return fmt.Errorf("the account is %+v, want %+v", got, want)
			}
			return nil
		}
	}

	jobs := []rabbitmq.Job{{Number: 1}, {Number: 2}, {Number: 3}}
	must(rabbitmq.Publish(ctx, url, "orders", jobs))
	r.consume("orders", 1)() // who takes the first one, and is killed
	until(r.T, "it is back", func() error { return r.depth("orders", 3, 0) })
	var held bool
	all.Go(func() {
		var err error
		if held, err = rabbitmq.Work(ctx, url, "orders"); err != nil {
			r.Error(err)
		}
	})
	until(r.T, "all are done", account(rabbitmq.Account{Done: 3, Again: 1}))
	must(rabbitmq.Publish(ctx, url, "orders", jobs[2:]))
	until(r.T, "one is done twice", account(rabbitmq.Account{Done: 3, Again: 1, Twice: 1}))
	must(rabbitmq.Publish(ctx, url, "orders", []rabbitmq.Job{{Number: 4, Takes: time.Hour}}))
	until(r.T, "one takes an hour", func() error { return r.depth("orders", 1, 1) })
	expect(r.T, ask(r.T, client, of("queue", "orders"), of("queue", "orders", "count", "ready")), "1", "0")
	cancel()
	all.Wait()
	if !held {
		r.Error("the worker has ended with a job in hand, and does not say so")
	}
}

// depth says whether a queue has so many messages, of which so many are in hand.
func (r *rabbit) depth(queue string, left, inHand int) error {
	gotLeft, gotInHand, err := r.Depth(r.Context(), "/", queue)
	if err == nil && (gotLeft != left || gotInHand != inHand) {
		err = fmt.Errorf("%d messages, %d of them in hand, want %d, %d", gotLeft, gotInHand, left, inHand)
	}
	return err
}

// users may see what they may see.
func (r *rabbit) users() {
	r.do(http.MethodPut, "/users/counter", map[string]string{"password": "right-hunter2", "tags": "management"})
	r.do(http.MethodPut, "/permissions/shop/counter", map[string]string{"configure": "", "write": "", "read": ""})
	have := with(map[string]string{"/user": "counter", "/password": "wrong-hunter2"})
	client := r.source(have)
	questions := []metrics.Question{of("queue", "jobs", "vhost", "shop"), of("queue", "jobs", "vhost", "hidden")}
	refused := result("!refused the credentials")
	expect(r.T, ask(r.T, client, questions...), refused, refused)
	client.Ask(r.Context(), questions[:1], func(_ int, _ metrics.Answer, err error) {
		if strings.Contains(err.Error(), "hunter2") {
			r.Errorf("the password is in the error: %v", err)
		}
	})
	have.Store("/password", "right-hunter2")
	expect(r.T, ask(r.T, client, questions...), "1", refused)
}

// many are a thousand queues of one vhost.
func (r *rabbit) many() {
	definitions := []map[string]any{}
	var questions []metrics.Question
	var want []result
	for i := range 1000 {
		name := fmt.Sprintf("q-%d", i)
		definitions = append(definitions, map[string]any{"name": name, "vhost": "many", "durable": true, "auto_delete": false, "arguments": struct{}{}})
		questions, want = append(questions, of("queue", name, "vhost", "many")), append(want, "0")
	}
	r.do(http.MethodPost, "/definitions", map[string]any{"queues": definitions})
	requests := &counter{}
	expect(r.T, ask(r.T, r.source(guest(), requests.before(r.T, r.url())), questions...), want...)
	if got := requests.Load(); got != 1 {
		r.Errorf("%d requests for 1000 queues of one vhost", got)
	}
}

// hangs keeps nobody beyond the deadline.
func (r *rabbit) hangs() {
	gate, address := proxy(r.T, r.Management)
	client := r.source(guest(), "http://"+address)
	expect(r.T, ask(r.T, client, of("queue", "jobs")), "3")
	gate.hang()
	ctx, cancel := context.WithTimeout(r.Context(), 100*time.Millisecond)
	defer cancel()
	client.Ask(ctx, []metrics.Question{of("queue", "jobs")}, func(_ int, _ metrics.Answer, err error) {
		if !errors.Is(err, context.DeadlineExceeded) {
			r.Error(err)
		}
	})
	gate.goOn()
	expect(r.T, ask(r.T, client, of("queue", "jobs")), "3")
}

// consume takes so many messages and acknowledges none, until the returned function is called.
func (r *rabbit) consume(queue string, count int) (end func()) {
	r.Helper()
	connection, err := amqp.Dial(r.URL("/"))
	if err != nil {
		r.Fatal(err)
	}
	channel, err := connection.Channel()
	if err != nil {
		r.Fatal(err)
	}
	for range count {
		if _, ok, err := channel.Get(queue, false); err != nil || !ok {
			r.Fatal(ok, err)
		}
	}
	return func() { _ = connection.Close() }
}

// counter counts the requests that go through it.
type counter struct{ atomic.Int32 }

// before is the address of a server that hands on requests to another.
func (c *counter) before(t *testing.T, to string) string {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	pass := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.Add(1)
		pass.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}
