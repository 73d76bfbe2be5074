package sources

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

// What brokers answer is played in test/sources, on brokers. Here are answers that those that can be had there do not give.

// answersOf asks a client and returns the numbers, or "!" and what a tenant reads.
func answersOf(t *testing.T, c Client, all ...map[string]string) []string {
	t.Helper()
	var questions []metrics.Question
	for _, parameters := range all {
		questions = append(questions, metrics.Question{Parameters: catalog.ParametersOf(parameters)})
	}
	got := make([]string, len(all))
	results := make(chan func(), len(all))
	c.Ask(t.Context(), questions, func(i int, a metrics.Answer, err error) {
		results <- func() {
			if got[i] = "!" + told(err); err == nil {
				got[i] = a.External[0].Value.String()
			}
		}
	})
	for range all {
		(<-results)()
	}
	return got
}

// rabbitOf is a client of a server in this process.
func rabbitOf(t *testing.T, answer http.HandlerFunc) Client {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	c, err := rabbitmqKind.Open(&catalog.Entry{Settings: &rabbitmqSettings{Web{URL: server.URL}}, Concurrency: 2}, environment())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// TestRabbitMQLists that say too little, or too much.
func TestRabbitMQLists(t *testing.T) {
	t.Parallel()
	unreadable, unknown := "!gave an answer that cannot be read", "!does not say how many messages that queue has"
	for name, c := range map[string]struct {
		totals, statistics string
		want               []string // of a and b
	}{
		"totals":                    {`[{"name":"a","messages":3,"messages_ready":1},{"name":"b","messages":0,"messages_ready":0}]`, `unused`, []string{"1", "0"}},
		"no totals but statistics":  {`[{"name":"a"},{"name":"b"}]`, `[{"name":"a","messages":3,"messages_ready":2},{"name":"b"}]`, []string{"2", unknown}},
		"neither":                   {`[{"name":"a"},{"name":"b"}]`, `[{"name":"a"},{"name":"b"}]`, []string{unknown, unknown}},
		"totals of another queue":   {`[{"name":"a"},{"name":"x","messages":1}]`, `unused`, []string{unknown, "!has no queue of that name"}},
		"streams only":              {`[{"name":"a","type":"stream"}]`, `unused`, []string{"!has a stream of that name, whose length does not say what is left to do", "!has no queue of that name"}},
		"no queues":                 {`[]`, `unused`, []string{"!has no queue of that name", "!has no queue of that name"}},
		"no number":                 {`[{"name":"a","messages":1,"messages_ready":"many"},{"name":"b","messages":1,"messages_ready":1.5}]`, `unused`, []string{unknown, unknown}},
		"a queue that is down":      {`[{"name":"a","state":"down","messages":0,"messages_ready":0},{"name":"b","messages":1,"messages_ready":1}]`, `unused`, []string{"!has a queue of that name that is down", "1"}},
		"two of one name":           {`[{"name":"a","messages":0,"messages_ready":0},{"name":"a","messages":1,"messages_ready":1}]`, `unused`, []string{"!has more than one queue of that name", "!has no queue of that name"}},
		"a page and not a list":     {`{"items":[{"name":"a","messages":0}]}`, `unused`, []string{unreadable, unreadable}},
		"HTML":                      {`<html>`, `unused`, []string{unreadable, unreadable}},
		"a list of something else":  {`[3, "a"]`, `unused`, []string{unreadable, unreadable}},
		"a list that is broken off": {`[{"name":"a","messages":0,"messages_ready":0},`, `unused`, []string{"!broke off its answer", "!broke off its answer"}},
		"nothing":                   {``, `unused`, []string{"!broke off its answer", "!broke off its answer"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := rabbitOf(t, func(w http.ResponseWriter, r *http.Request) {
				if r.RequestURI != "" && r.FormValue("disable_stats") == "true" {
					fmt.Fprint(w, c.totals)
					return
				}
				fmt.Fprint(w, c.statistics)
			})
			got := answersOf(t, client, map[string]string{"queue": "a", "count": "ready"}, map[string]string{"queue": "b", "count": "ready"})
			if diff := gocmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestRabbitMQVhostsFailAlone: what one of them answers is nothing to the others. A segment of the path stays one.
func TestRabbitMQVhostsFailAlone(t *testing.T) {
	t.Parallel()
	client := rabbitOf(t, func(w http.ResponseWriter, r *http.Request) {
		path, _, _ := strings.Cut(r.RequestURI, "?")
		switch path {
		case "/api/queues/%2F", "/api/queues/a%2F..%2Fb":
			fmt.Fprint(w, `[{"name":"q","messages":2,"messages_ready":2}]`)
		case "/api/queues/long":
			fmt.Fprint(w, `[`+strings.Repeat(`{"name":"another","messages":7,"messages_ready":7},`, 5*mostOfQueue/50)+`{"name":"q","messages":3,"messages_ready":2}]`)
		case "/api/queues/fat":
			fmt.Fprint(w, `[{"name":"q","messages":2,"messages_ready":2,"type":"`+strings.Repeat("x", 2*mostOfQueue)+`"}]`)
		case "/api/queues/gone":
			http.NotFound(w, r)
		case "/api/queues/endless":
			queue := []byte(`{"name":"` + strings.Repeat("x", 1<<20) + `","messages":1},`)
			for _, err := w.Write([]byte("[")); err == nil; {
				_, err = w.Write(queue)
			}
		default:
			http.Error(w, "the password of tenant b is hunter2", http.StatusInternalServerError)
		}
	})
	got := answersOf(t, client, map[string]string{"queue": "q"}, map[string]string{"queue": "q", "vhost": "gone"}, map[string]string{"queue": "q", "vhost": "endless"},
		map[string]string{"queue": "q", "vhost": "a/../b"}, map[string]string{"queue": "q", "vhost": "broken"}, map[string]string{"queue": "q", "vhost": "."},
		map[string]string{"queue": "q", "vhost": "long"}, map[string]string{"queue": "q", "vhost": "fat"})
	want := []string{"2", "!has no vhost of that name", "!answered more than is read", "2", "!answered 500", `!cannot be asked for a vhost "."`, "3", "!answered more than is read"}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestRabbitMQThatIsSlow is given up with the deadline, also by those that wait for their turn.
func TestRabbitMQThatIsSlow(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	arrived := make(chan struct{}, 8)
	client := rabbitOf(t, func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-r.Context().Done()
	})
	go func() { <-arrived; <-arrived; cancel() }()
	var questions []metrics.Question
	for i := range 5 {
		questions = append(questions, metrics.Question{Parameters: catalog.ParametersOf(map[string]string{"queue": "q", "vhost": fmt.Sprint("v", i)})})
	}
	failed := make(chan error, len(questions))
	client.Ask(ctx, questions, func(_ int, _ metrics.Answer, err error) { failed <- err })
	for range questions {
		if err := <-failed; err == nil {
			t.Error("answered")
		}
	}
	if n := len(arrived); n != 0 {
		t.Errorf("%d more than two lists were under way", n)
	}
}

// TestManyVhostsOfOneNamespace: made-up ones, and slow ones, do not keep the lists of others waiting.
func TestManyVhostsOfOneNamespace(t *testing.T) {
	t.Parallel()
	client := rabbitOf(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/queues/evil.") {
			<-r.Context().Done()
			return
		}
		fmt.Fprint(w, `[{"name":"q","messages":2,"messages_ready":2}]`)
	})
	ask := func(namespace, vhost string) metrics.Question {
		return metrics.Question{Namespace: namespace, Parameters: catalog.ParametersOf(map[string]string{"queue": "q", "vhost": vhost})}
	}
	var questions []metrics.Question
	for i := range 500 {
		questions = append(questions, ask("evil", fmt.Sprint("evil.", i)))
	}
	for i := range 20 {
		questions = append(questions, ask("shop", fmt.Sprint("shop.", i)), ask("shop", "all"), ask("blog", "all"))
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var answered atomic.Int32
	client.Ask(ctx, questions, func(i int, _ metrics.Answer, err error) {
		if (err == nil) != (questions[i].Namespace != "evil") {
			t.Errorf("of namespace %s: %v", questions[i].Namespace, err)
		}
		if err == nil && answered.Add(1) == 60 { // all but those that hang
			cancel()
		}
	})
}

func TestRabbitMQSettings(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"url": "https://rabbitmq.mq.svc:15671", "auth": {"userFile": "/u", "passwordFile": "/p"}}`: "",
		`{"url": "amqp://rabbitmq.mq.svc:5672"}`:                                                     `url: Invalid value: "amqp://rabbitmq.mq.svc:5672": want http://HOST[:PORT][/PATH] or https://HOST[:PORT][/PATH]`,
	} {
		settings := rabbitmqKind.Settings()
		if err := json.Unmarshal([]byte(text), settings); err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := settings.Check(nil, nil).ToAggregate(); err != nil {
			got = err.Error()
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}
