package sources

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

// rabbitmqKind counts the messages of a queue, by the management API: AMQP does not tell how many are in work.
var rabbitmqKind = Kind{
	Type: catalog.Type{
		Name:     "rabbitmq",
		Settings: func() catalog.Settings { return &rabbitmqSettings{} },
		Parameters: []catalog.Parameter{
			{Name: "queue", Kind: catalog.KindWord, Allowed: true},
			{Name: "vhost", Kind: catalog.KindWord, Allowed: true, Scope: true, Default: defaultVhost},
			{Name: "count", Kind: catalog.KindEnum, Values: []string{countMessages, countReady}, Default: countMessages},
		},
	},
	Open:  opens(openRabbitMQ),
	Batch: true,
}

// The values of count: with the messages that consumers have and have not acknowledged yet, or without them. Whoever counts without them
// takes consumers away that are at work.
const (
	countMessages = "messages"
	countReady    = "ready"
)

const (
	// defaultVhost is that of a broker where nobody has made another.
	defaultVhost = "/"
	// mostOfVhost is how many bytes the list of a vhost may have: about half a million queues. mostOfQueue is the same for one of them, which is in
	// memory as a whole.
	mostOfVhost, mostOfQueue = 64 << 20, 64 << 10
)

// rabbitmqSettings are what the file says of a RabbitMQ: where its management API is.
type rabbitmqSettings struct{ Web }

// Check says what is wrong with them.
func (s *rabbitmqSettings) Check(_ *catalog.Entry, at *field.Path) field.ErrorList {
	return s.Web.check(at)
}

// rabbitmqClient asks the management API for one list of each vhost, with all its queues.
type rabbitmqClient struct {
	web         *webClient
	concurrency int
}

func openRabbitMQ(e *catalog.Entry, settings *rabbitmqSettings, env Env) (Client, error) {
	concurrency := max(1, e.Concurrency)
	web, err := settings.open(env, concurrency)
	if err != nil {
		return nil, err
	}
	return &rabbitmqClient{web: web, concurrency: concurrency}, nil
}

// Close gives up the connections.
func (c *rabbitmqClient) Close() { c.web.close() }

// depthQuestion asks how many messages a queue has.
type depthQuestion struct {
	place int
	queue string
	ready bool
}

// Ask asks for the lists of the vhosts next to each other. No other fails with one.
func (c *rabbitmqClient) Ask(ctx context.Context, all []metrics.Question, answer func(i int, a metrics.Answer, err error)) {
	vhosts := map[string][]depthQuestion{}
	for i, asked := range all {
		queue, _ := asked.Parameters.Get("queue")
		count, _ := asked.Parameters.Get("count")
		vhost, ok := asked.Parameters.Get("vhost")
		if !ok {
			vhost = defaultVhost
		}
		if err := checkVhost(vhost); err != nil {
			answer(i, metrics.Answer{}, err)
			continue
		}
		vhosts[vhost] = append(vhosts[vhost], depthQuestion{place: i, queue: queue, ready: count == countReady})
	}
	lists := map[string][]string{} // the vhosts, by the namespace that asks for them, if it is one alone
	for vhost, questions := range vhosts {
		from := all[questions[0].place].Namespace
		if slices.ContainsFunc(questions, func(q depthQuestion) bool { return all[q.place].Namespace != from }) {
			from = ""
		}
		lists[from] = append(lists[from], vhost)
	}
	fairly(lists, c.concurrency, func(vhost string) error {
		queues, err := c.queues(ctx, vhost, vhosts[vhost])
		if err != nil {
			return err
		}
		for _, q := range vhosts[vhost] {
			depth, err := queues[q.queue].depth(q.ready)
			answer(q.place, depth, err)
		}
		return nil
	}, func(vhost string, err error) {
		for _, q := range vhosts[vhost] {
			answer(q.place, metrics.Answer{}, err)
		}
	})
}

// checkVhost refuses what is no segment of a path: a list without a vhost is that of all, and a proxy may take dots for a step upwards.
func checkVhost(vhost string) error {
	if vhost == "" || vhost == "." || vhost == ".." {
		return unanswered(fmt.Sprintf("cannot be asked for a vhost %q", vhost), nil)
	}
	return nil
}

// queues looks up the queues that are asked for. Totals without statistics are what brokers count at once, but for quorum queues every five seconds;
// statistics are that old for all, and may be missing. A broker that has no totals is asked for them nevertheless.
func (c *rabbitmqClient) queues(ctx context.Context, vhost string, questions []depthQuestion) (map[string]*rabbitmqQueue, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	wanted := make(map[string]*rabbitmqQueue, len(questions))
	for _, q := range questions {
		wanted[q.queue] = nil
	}
	totals, err := c.list(ctx, vhost, wanted, url.Values{"disable_stats": {"true"}, "enable_queue_totals": {"true"}})
	if err == nil && !totals {
		_, err = c.list(ctx, vhost, wanted, url.Values{})
	}
	return wanted, err
}

// list fills in the queues that are wanted, and says whether there are numbers of any queue of the vhost, or no queues that have some.
func (c *rabbitmqClient) list(ctx context.Context, vhost string, wanted map[string]*rabbitmqQueue, how url.Values) (counted bool, err error) {
	how.Set("columns", "name,type,state,messages,messages_ready")
	body, err := c.web.stream(ctx, webRequest{path: "/api/queues/" + url.PathEscape(vhost), query: how})
	if err != nil {
		var status *statusError
		if errors.As(err, &status) && status.code == http.StatusNotFound {
			return false, unanswered("has no vhost of that name", err)
		}
		return false, err
	}
	defer func() { _ = body.Close() }()
	for name := range wanted {
		wanted[name] = nil
	}
	limited := &io.LimitedReader{R: body, N: mostOfVhost + 1}
	row := &rowReader{of: limited, left: mostOfQueue}
	empty := true
	err = eachOf(json.NewDecoder(row), func(q *rabbitmqQueue) {
		row.left = mostOfQueue
		empty, counted = empty && q.Type == typeStream, counted || q.Messages.known
		if before, ok := wanted[q.Name]; ok {
			q.ambiguous = before != nil
			wanted[q.Name] = q
		}
	})
	switch {
	case limited.N <= 0:
		return false, tooMuch(mostOfVhost)
	case row.left <= 0:
		return false, tooMuch(mostOfQueue)
	case err != nil:
		return false, explainBody(err)
	}
	return counted || empty, nil
}

// rowReader ends where a row of a list is too long.
type rowReader struct {
	of   io.Reader
	left int
}

// Read is io.Reader's.
func (r *rowReader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := r.of.Read(p[:min(len(p), r.left)])
	r.left -= n
	return n, err
}

// eachOf reads a list one by one: it may be large.
func eachOf[T any](decoder *json.Decoder, read func(*T)) error {
	begin, err := decoder.Token()
	if err != nil {
		return err
	}
	if begin != json.Delim('[') {
		return &json.UnmarshalTypeError{Value: fmt.Sprint(begin), Offset: decoder.InputOffset()}
	}
	for decoder.More() {
		one := new(T)
		if err := decoder.Decode(one); err != nil {
			return err
		}
		read(one)
	}
	_, err = decoder.Token()
	return err
}

// explainBody is a Fault that says what is wrong with the body of an answer.
func explainBody(err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	if errors.As(err, &syntax) || errors.As(err, &kind) {
		return fault("gave an answer that cannot be read", err)
	}
	return explainRequest(err)
}

// typeStream is the type of a queue that has no totals.
const typeStream = "stream"

// rabbitmqQueue is a row of the list.
type rabbitmqQueue struct {
	Name     string        `json:"name"`
	Type     string        `json:"type"`
	State    string        `json:"state"`
	Messages rabbitmqCount `json:"messages"`
	Ready    rabbitmqCount `json:"messages_ready"`
	// ambiguous says that there is more than one such row.
	ambiguous bool
}

// rabbitmqCount is a number that may be missing.
type rabbitmqCount struct {
	number int64
	known  bool
}

// UnmarshalJSON takes what is no number for none: it is no reason to lose the other queues.
func (c *rabbitmqCount) UnmarshalJSON(text []byte) error {
	number, err := strconv.ParseInt(string(text), 10, 64)
	*c = rabbitmqCount{number, err == nil}
	return nil
}

// depth is the answer of a queue; a nil one is none.
func (q *rabbitmqQueue) depth(ready bool) (metrics.Answer, error) {
	if q == nil {
		return metrics.Answer{}, unanswered("has no queue of that name", nil)
	}
	counted := q.Messages
	if ready {
		counted = q.Ready
	}
	switch {
	case q.ambiguous:
		return metrics.Answer{}, unanswered("has more than one queue of that name", nil)
	case q.Type == typeStream: // it keeps what was read
		return metrics.Answer{}, unanswered("has a stream of that name, whose length does not say what is left to do", nil)
	case q.State == "down", q.State == "stopped", q.State == "crashed":
		return metrics.Answer{}, unanswered("has a queue of that name that is down", fmt.Errorf("its state is %q", q.State))
	case !counted.known:
		return metrics.Answer{}, unanswered("does not say how many messages that queue has", fmt.Errorf("its state is %q", q.State))
	}
	return answerOf(*resource.NewQuantity(counted.number, resource.DecimalSI)), nil
}
