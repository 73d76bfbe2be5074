package sources

import (
	"context"
	"fmt"
	"maps"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

// kafkaKind counts the messages of a topic that a consumer group has not committed yet.
var kafkaKind = Kind{
	Type: catalog.Type{
		Name:     "kafka",
		Settings: func() catalog.Settings { return &kafkaSettings{} },
		Parameters: []catalog.Parameter{
			{Name: "group", Kind: catalog.KindWord, Allowed: true},
			{Name: "topic", Kind: catalog.KindName, Allowed: true},
			{Name: "reset", Kind: catalog.KindEnum, Values: []string{resetLatest, resetEarliest}, Default: resetLatest},
			{Name: "cap", Kind: catalog.KindEnum, Values: []string{capPartitions, capLagging, capNone}, Default: capPartitions},
		},
	},
	Open:  opens(openKafka),
	Batch: true,
}

// The values of reset, which is where a consumer without a commit begins to read, and of cap, which is what pods the lag is of use to.
const (
	resetLatest   = "latest"
	resetEarliest = "earliest"
	capPartitions = "partitions"
	capLagging    = "lagging"
	capNone       = "none"
)

// kafkaSettings are what the file says of a Kafka cluster.
type kafkaSettings struct {
	// Brokers are host:port of some of its brokers, which name the others.
	Brokers []string   `json:"brokers"`
	TLS     *TLS       `json:"tls,omitempty"`
	SASL    *kafkaSASL `json:"sasl,omitempty"`
}

// kafkaSASL is who the client is.
type kafkaSASL struct {
	// Mechanism is one of mechanisms.
	Mechanism string `json:"mechanism"`
	Credentials
}

const (
	mechanismPlain       = "PLAIN"
	mechanismScramSHA256 = "SCRAM-SHA-256"
	mechanismScramSHA512 = "SCRAM-SHA-512"
)

// Check says what is wrong with them.
func (s *kafkaSettings) Check(_ *catalog.Entry, at *field.Path) field.ErrorList {
	problems := s.TLS.check(at.Child("tls"))
	problems = append(problems, checkAddresses(s.Brokers, "kafka-0.kafka.svc:9092", at.Child("brokers"))...)
	if s.SASL == nil {
		return problems
	}
	at = at.Child("sasl")
	switch s.SASL.Mechanism {
	case mechanismPlain, mechanismScramSHA256, mechanismScramSHA512:
	default:
		problems = append(problems, field.NotSupported(at.Child("mechanism"), s.SASL.Mechanism, []string{mechanismPlain, mechanismScramSHA256, mechanismScramSHA512}))
	}
	if s.SASL.UserFile == "" || s.SASL.PasswordFile == "" {
		problems = append(problems, field.Invalid(at, field.OmitValueType{}, "userFile and passwordFile belong together: want both"))
	}
	return append(problems, s.SASL.Credentials.check(at)...)
}

// kafkaClient asks one cluster.
type kafkaClient struct {
	cluster *kafkaCluster

	mu    sync.Mutex
	moves map[groupTopic]*movement
	swept time.Time
}

// movement is that of the ends of partitions that a group has not committed. Where such a group begins at the end, its lag is 0 at each look, and
// only the movement says that there is something to do.
type movement struct {
	ends map[int32]int64
	// looks is how many there were since the ends have moved, and moved when that was; zero is never.
	looks       int
	moved, used time.Time
}

const (
	// movedFor is how long, and movedLooks for how many more looks, a topic counts as moved: an answer can be replaced by a newer one before
	// a workload has seen it.
	movedFor   = time.Minute
	movedLooks = 2
	// mostFromBroker is how many bytes one answer of a broker may have: that of 200,000 partitions. The library makes room for what an answer
	// says is in it, which may be a hundred times as much.
	mostFromBroker = 8 << 20
	// kafkaIdle is how long an unused connection is kept, less than the ten minutes after which brokers close it.
	kafkaIdle = 4 * time.Minute
)

func openKafka(e *catalog.Entry, settings *kafkaSettings, env Env) (Client, error) {
	encrypted := settings.TLS != nil
	d := newMemberDialer(env, settings.TLS, encrypted, settings.Brokers...)
	timeout := min(max(e.Timeout, time.Second), time.Minute)
	options := []kgo.Opt{
		kgo.SeedBrokers(settings.Brokers...),
		kgo.ClientID("mini-hpa"),
		kgo.Dialer(d.dial),
		kgo.DisableClientMetrics(),
		kgo.ConnIdleTimeout(kafkaIdle),
		kgo.BrokerMaxReadBytes(mostFromBroker), kgo.FetchMaxBytes(mostFromBroker), // of what is never fetched, but must not be more
		// A connection that has not answered for so long is given up.
		kgo.RequestTimeoutOverhead(timeout),
		// Where any broker can answer, the next one is asked soon.
		kgo.RequestRetries(hedges),
		kgo.RetryTimeout(timeout),
		kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }),
	}
	if settings.SASL != nil {
		if settings.SASL.Mechanism == mechanismPlain && !encrypted && !d.local {
			env.Log.Warn("credentials are sent without encryption: sasl is PLAIN, and there is no tls")
		}
		options = append(options, kgo.SASL(settings.SASL.mechanism(env)))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return nil, err
	}
	return &kafkaClient{cluster: newKafkaCluster(client, timeout), moves: map[groupTopic]*movement{}}, nil
}

// mechanism reads the credentials for each connection.
func (s *kafkaSASL) mechanism(env Env) sasl.Mechanism {
	if s.Mechanism == mechanismPlain {
		return plain.Plain(func(context.Context) (plain.Auth, error) {
			user, password, err := s.read(env)
			return plain.Auth{User: user, Pass: password}, err
		})
	}
	authenticate := func(context.Context) (scram.Auth, error) {
		user, password, err := s.read(env)
		return scram.Auth{User: user, Pass: password}, err
	}
	if s.Mechanism == mechanismScramSHA256 {
		return scram.Sha256(authenticate)
	}
	return scram.Sha512(authenticate)
}

// Close gives up the connections.
func (c *kafkaClient) Close() { c.cluster.client.Close() }

// Ask answers all questions together.
func (c *kafkaClient) Ask(ctx context.Context, all []metrics.Question, answer func(i int, a metrics.Answer, err error)) {
	var questions []*lagQuestion
	for i, asked := range all {
		q, err := lagQuestionOf(i, asked)
		if err != nil {
			answer(i, metrics.Answer{}, err)
			continue
		}
		questions = append(questions, q)
	}
	look := &kafkaLook{cluster: c.cluster, conclude: func(q *lagQuestion, partitions []partitionLag, err error) {
		if err != nil {
			answer(q.place, metrics.Answer{}, err)
			return
		}
		answer(q.place, c.answerTo(q, partitions, time.Now()), nil)
	}}
	look.look(ctx, questions)
	c.cluster.sweep()
	c.sweep()
}

// isTopic says whether a topic can have a name; Kafka takes no others.
func isTopic(name string) bool {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
	return name != "" && len(name) <= 249 && name != "." && name != ".." && strings.Trim(name, letters) == ""
}

func lagQuestionOf(place int, asked metrics.Question) (*lagQuestion, error) {
	q := &lagQuestion{place: place, limit: capPartitions}
	q.group, _ = asked.Parameters.Get("group")
	q.topic, _ = asked.Parameters.Get("topic")
	reset, _ := asked.Parameters.Get("reset")
	q.earliest = reset == resetEarliest
	if limit, ok := asked.Parameters.Get("cap"); ok {
		q.limit = limit
	}
	switch {
	case q.group == "":
		return nil, unanswered("was asked for no group", nil)
	case !isTopic(q.topic):
		return nil, unanswered(fmt.Sprintf("cannot have a topic %q", q.topic), nil)
	}
	return q, nil
}

// answerTo counts.
func (c *kafkaClient) answerTo(q *lagQuestion, partitions []partitionLag, now time.Time) metrics.Answer {
	var lag int64
	var lagging int32
	uncommitted := map[int32]int64{}
	for _, p := range partitions {
		if p.committed < 0 && !q.earliest {
			uncommitted[p.number] = p.end
		}
		behind := p.behind(q.earliest)
		if behind > 0 {
			lagging++
		}
		lag += min(behind, math.MaxInt64-lag) // a sum that overflows would be below 0
	}
	answer := metrics.Answer{
		External: []externalmetricsv1beta1.ExternalMetricValue{{Value: *resource.NewQuantity(lag, resource.DecimalSI)}},
		Hint:     limitOf(q, int32(len(partitions)), lagging),
	}
	if c.moved(groupTopic{q.group, q.topic}, uncommitted, now) {
		answer.Hint.Active = new(true)
	}
	return answer
}

// limitOf says how many pods the lag is of use to: a partition is read by one consumer of a group.
func limitOf(q *lagQuestion, partitions, lagging int32) metrics.Hint {
	counted := "partitions"
	if partitions == 1 {
		counted = "partition"
	}
	switch {
	case q.limit == capPartitions:
		return metrics.Hint{Limit: partitions, Because: fmt.Sprintf("%d %s of topic %q", partitions, counted, q.topic)}
	case q.limit == capLagging && lagging > 0:
		return metrics.Hint{Limit: lagging, Passing: true, Because: fmt.Sprintf("%d of %d %s of topic %q with lag", lagging, partitions, counted, q.topic)}
	}
	return metrics.Hint{}
}

// moved says whether one of the ends of partitions without a commit has moved of late.
func (c *kafkaClient) moved(of groupTopic, ends map[int32]int64, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(ends) == 0 {
		delete(c.moves, of)
		return false
	}
	m := c.moves[of]
	if m == nil {
		m = &movement{ends: ends}
		c.moves[of] = m
	}
	m.used = now
	m.looks++
	for number, end := range ends {
		if before, ok := m.ends[number]; ok && end > before {
			m.moved, m.looks = now, 0
		}
	}
	m.ends = ends
	return !m.moved.IsZero() && (m.looks <= movedLooks || now.Sub(m.moved) < movedFor)
}

// sweep forgets the ends of topics that nobody has asked for in a while.
func (c *kafkaClient) sweep() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.swept) < time.Minute {
		return
	}
	c.swept = time.Now()
	maps.DeleteFunc(c.moves, func(_ groupTopic, m *movement) bool { return time.Since(m.used) > unusedAge })
}
