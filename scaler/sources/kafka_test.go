package sources

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

// What brokers answer is played in test/sources, on brokers.

func TestKafkaSettings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want string
	}{
		"plain":             {`{"brokers": ["kafka-0.kafka.svc:9092", "[::1]:9092"]}`, ""},
		"encrypted":         {`{"brokers": ["k:9093"], "tls": {}, "sasl": {"mechanism": "SCRAM-SHA-512", "userFile": "/u", "passwordFile": "/p"}}`, ""},
		"no brokers":        {`{}`, `brokers: Required value: such as [kafka-0.kafka.svc:9092]`},
		"no port":           {`{"brokers": ["k"]}`, `brokers[0]: Invalid value: "k": want HOST:PORT`},
		"a URL":             {`{"brokers": ["k:1", "kafka://k:9092"]}`, `brokers[1]: Invalid value: "kafka://k:9092": want HOST:PORT`},
		"port 0":            {`{"brokers": ["k:0"]}`, `brokers[0]: Invalid value: "k:0": want HOST:PORT`},
		"no host":           {`{"brokers": [":9092"]}`, `brokers[0]: Invalid value: ":9092": want HOST:PORT`},
		"unknown mechanism": {`{"brokers": ["k:1"], "sasl": {"mechanism": "GSSAPI", "userFile": "/u", "passwordFile": "/p"}}`, `sasl.mechanism: Unsupported value: "GSSAPI": supported values: "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"`},
		"no password":       {`{"brokers": ["k:1"], "sasl": {"mechanism": "PLAIN", "userFile": "/u"}}`, `sasl: Invalid value: userFile and passwordFile belong together: want both`},
		"a relative path":   {`{"brokers": ["k:1"], "sasl": {"mechanism": "PLAIN", "userFile": "/u", "passwordFile": "p"}}`, `sasl.passwordFile: Invalid value: "p": want an absolute path without "..", such as /etc/mini-hpa/sources/NAME/password`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := kafkaKind.Settings()
			if err := json.Unmarshal([]byte(c.text), settings); err != nil {
				t.Fatal(err)
			}
			got := ""
			if err := settings.Check(nil, nil).ToAggregate(); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestKafkaLagHasNoOverflow: a topic of which somebody has made up the offsets is not behind by less than nothing.
func TestKafkaLagHasNoOverflow(t *testing.T) {
	t.Parallel()
	c := &kafkaClient{moves: map[groupTopic]*movement{}}
	partitions := []partitionLag{{number: 0, end: math.MaxInt64}, {number: 1, end: math.MaxInt64}, {number: 2, end: 5}}
	got := c.answerTo(&lagQuestion{limit: capPartitions}, partitions, time.Now())
	if value := got.External[0].Value.Value(); value != math.MaxInt64 {
		t.Errorf("lag %d", value)
	}
}

// TestKafkaAnswersInAnyOrder: a broker may answer for partitions in another order than it is asked, for some that nobody has asked for, and for not all.
func TestKafkaAnswersInAnyOrder(t *testing.T) {
	t.Parallel()
	const topic, group = "shop.orders", "shop.a"
	id := [16]byte{7}
	ends, commits := map[int32]int64{0: 10, 2: 30, 5: 60}, map[int32]int64{0: 1, 2: 2, 5: -1}
	for name, c := range map[string]struct {
		ends, commits []int32
		want          string
	}{
		"as asked":                {[]int32{0, 2, 5}, []int32{0, 2, 5}, "[{0 0 10 1} {2 0 30 2} {5 0 60 -1}]"},
		"backwards":               {[]int32{5, 2, 0}, []int32{5, 2, 0}, "[{0 0 10 1} {2 0 30 2} {5 0 60 -1}]"},
		"with some that are none": {[]int32{9, 5, 1, 0, -1, 2}, []int32{2, 9, 5, 3, -3, 0, 1}, "[{0 0 10 1} {2 0 30 2} {5 0 60 -1}]"},
		"no end of one":           {[]int32{5, 1, 0}, []int32{0, 2, 5}, `partition 2 of topic "shop.orders"`},
		"no commit of one":        {[]int32{0, 2, 5}, []int32{5, 4, 2, 3}, `partition 0 of topic "shop.orders"`},
		"nothing":                 {nil, nil, `partition 0 of topic "shop.orders"`},
	} {
		r := newKafkaRound(newKafkaCluster(nil, time.Second))
		r.topics = locatedIn[*kafkaTopic](1)
		r.topics.found[topic] = &kafkaTopic{id: id, partitions: []kafkaPartition{{number: 0}, {number: 2}, {number: 5}}}
		for _, n := range c.ends {
			r.put(topicAt{topic, atEnd}, n, offset{at: ends[n]})
			r.put(topicAt{"shop.other", atEnd}, n, offset{at: 1000})
		}
		told := kmsg.OffsetFetchResponseGroup{Group: group, Topics: []kmsg.OffsetFetchResponseGroupTopic{{TopicID: id}}}
		for _, n := range c.commits {
			told.Topics[0].Partitions = append(told.Topics[0].Partitions, kmsg.OffsetFetchResponseGroupTopicPartition{Partition: n, Offset: commits[n]})
		}
		r.record(1, told, map[[16]byte]string{id: topic})
		partitions, err := r.result(&lagQuestion{group: group, topic: topic})
		got := fmt.Sprint(partitions)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// TestKafkaMovementLasts: a workload that looks now and then sees that messages came, and is not kept awake by them for ever.
func TestKafkaMovementLasts(t *testing.T) {
	t.Parallel()
	c := &kafkaClient{moves: map[groupTopic]*movement{}}
	of, start := groupTopic{"new", "shop.orders"}, time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	var told []string
	for _, look := range []struct {
		after time.Duration
		end   int64
	}{
		{0, 7}, {15 * time.Second, 7}, {30 * time.Second, 8}, {45 * time.Second, 8}, {89 * time.Second, 8}, {90 * time.Second, 8}, {91 * time.Second, 8},
		{10 * time.Minute, 9}, {15 * time.Minute, 9}, {20 * time.Minute, 9}, {25 * time.Minute, 9},
		{30 * time.Minute, 3}, {35 * time.Minute, 4},
	} {
		told = append(told, fmt.Sprint(look.after, " ", c.moved(of, map[int32]int64{0: look.end}, start.Add(look.after))))
	}
	want := []string{
		"0s false", "15s false", "30s true", "45s true", "1m29s true", "1m30s false", "1m31s false",
		"10m0s true", "15m0s true", "20m0s true", "25m0s false",
		"30m0s false", "35m0s true",
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestHedged: where the first does not answer, the second does; an error counts when nobody is left.
func TestHedged(t *testing.T) {
	t.Parallel()
	failed := errors.New("failed")
	hang := func(ctx context.Context) (int, error) { <-ctx.Done(); return 0, ctx.Err() }
	answer := func(context.Context) (int, error) { return 7, nil }
	fail := func(context.Context) (int, error) { return 0, failed }
	slow := func(ctx context.Context) (int, error) {
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(2 * patience):
			return 8, nil
		}
	}
	type try = func(context.Context) (int, error)
	for name, c := range map[string]struct {
		tries []try
		want  int
		err   error
		after time.Duration
	}{
		"answers":                {[]try{answer}, 7, nil, 0},
		"fails":                  {[]try{fail}, 0, failed, 0},
		"the second answers":     {[]try{hang, answer}, 7, nil, patience},
		"the third answers":      {[]try{hang, hang, answer}, 7, nil, 2 * patience},
		"the first, though late": {[]try{slow, fail, hang}, 8, nil, 2 * patience},
		"nobody answers":         {[]try{hang, hang, hang, hang, hang, hang}, 0, context.DeadlineExceeded, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				turns := make(chan try, len(c.tries))
				for _, one := range c.tries {
					turns <- one
				}
				got, err := hedged(ctx, func(ctx context.Context) (int, error) { return (<-turns)(ctx) })
				if got != c.want || !errors.Is(err, c.err) {
					t.Errorf("%d and %v, want %d and %v", got, err, c.want, c.err)
				}
				if after := time.Since(start); after != c.after {
					t.Errorf("after %s, want %s", after, c.after)
				}
			})
		})
	}
}

// TestKafkaForgetsWhatNobodyAsksFor: names that somebody makes up do not stay.
func TestKafkaForgetsWhatNobodyAsksFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKafkaCluster(nil, time.Second)
		c := &kafkaClient{cluster: k, moves: map[groupTopic]*movement{}}
		use := func(name string) {
			k.topics[name] = &kafkaTopic{asked: time.Now(), used: time.Now()}
			k.coordinators[name] = &kafkaCoordinator{used: time.Now()}
			c.moved(groupTopic{name, name}, map[int32]int64{0: 1}, time.Now())
		}
		use("old")
		time.Sleep(unusedAge + time.Second)
		use("new")
		k.sweep()
		c.sweep()
		if len(k.topics) != 1 || len(k.coordinators) != 1 || len(c.moves) != 1 || k.topics["new"] == nil {
			t.Errorf("kept: %v, %v, %v", k.topics, k.coordinators, c.moves)
		}
		if !k.knows("new", "new") {
			t.Error("what is fresh is asked for again")
		}
		time.Sleep(topicAge)
		if k.knows("new", "new") {
			t.Error("a topic may have more partitions by now")
		}
	})
}

// TestKafkaLine: a line of a workload asks what the administrator's file allows.
func TestKafkaLine(t *testing.T) {
	t.Parallel()
	file := `
version: v1
sources:
- name: orders-kafka
  type: kafka
  brokers: [kafka-0.kafka.svc:9093, kafka-1.kafka.svc:9093]
  tls: {caFile: /etc/mini-hpa/sources/orders-kafka/ca.crt}
  sasl: {mechanism: SCRAM-SHA-512, userFile: /etc/mini-hpa/sources/orders-kafka/user, passwordFile: /etc/mini-hpa/sources/orders-kafka/password}
  namespaces: [shop, shop-*]
  allow: {group: ["$namespace.*"], topic: ["$namespace.*", "shared.*"]}
`
	all, err := catalog.Parse([]byte(file), []catalog.Type{kafkaKind.Type})
	if err != nil {
		t.Fatal(err)
	}
	want := &kafkaSettings{
		Brokers: []string{"kafka-0.kafka.svc:9093", "kafka-1.kafka.svc:9093"},
		TLS:     &TLS{CAFile: "/etc/mini-hpa/sources/orders-kafka/ca.crt"},
		SASL: &kafkaSASL{Mechanism: "SCRAM-SHA-512",
			Credentials: Credentials{UserFile: "/etc/mini-hpa/sources/orders-kafka/user", PasswordFile: "/etc/mini-hpa/sources/orders-kafka/password"}},
	}
	if diff := cmp.Diff(want, all.Entry("orders-kafka").Settings); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	for name, c := range map[string]struct {
		given map[string]string
		want  *lagQuestion // nil is refused
	}{
		"as most":    {map[string]string{"group": "shop.orders", "topic": "shop.orders"}, &lagQuestion{group: "shop.orders", topic: "shop.orders", limit: "partitions"}},
		"everything": {map[string]string{"group": "shop.a/b", "topic": "shared.x", "reset": "earliest", "cap": "none"}, &lagQuestion{group: "shop.a/b", topic: "shared.x", earliest: true, limit: "none"}},
		"another's":  {map[string]string{"group": "bank.orders", "topic": "shop.orders"}, nil},
		"no topic":   {map[string]string{"group": "shop.orders"}, nil},
		"bad reset":  {map[string]string{"group": "shop.orders", "topic": "shop.orders", "reset": "none"}, nil},
	} {
		parameters, problems := all.Resolve(catalog.Workload{Namespace: "shop", Kind: "Deployment", Name: "web"}, catalog.Asked{Source: "orders-kafka", Given: c.given})
		var got *lagQuestion
		if len(problems) == 0 {
			if got, err = lagQuestionOf(0, metrics.Question{Parameters: parameters}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(lagQuestion{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestKafkaThatIsHostile: whatever a broker says, of its versions or instead of an answer, the process goes on.
func TestKafkaThatIsHostile(t *testing.T) {
	t.Parallel()
	hostile := map[string]string{
		"nothing":                "",
		"ones":                   strings.Repeat("\xff", 200),
		"zeros":                  strings.Repeat("\x00", 200),
		"lists above all":        strings.Repeat("\x7f\xff\xff\xff", 50),
		"lists below 0":          strings.Repeat("\xff\xff\xff\xfe", 50),
		"compact lists of much":  strings.Repeat("\xff\xff\xff\xff\x07", 50),
		"compact lists of a lot": "\x00\x00" + strings.Repeat("\x80\x80\x40", 1<<20),
		"tags without end":       "\x00\x00" + strings.Repeat("\xff\xff\xff\xff\x0f\x01\x00", 50),
	}
	maps.Copy(hostile, changed("\x00\x00\x00\x00\x00\x01\x00\x01a\x00\x00\x23\x84\x00\x00\x00\x01\x00\x00\x00\x01\x02\x02\x03", "\x00\x01\x02\x7f\x80\xfe\xff", 40))
	for name, text := range hostile {
		for _, versions := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, versions %t", name, versions), func(t *testing.T) {
				t.Parallel()
				address := serve(t, func(connection net.Conn) { answerKafka(connection, versions, text) })
				c, err := kafkaKind.Open(&catalog.Entry{Settings: &kafkaSettings{Brokers: []string{address}}, Timeout: time.Second}, environment())
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
				defer cancel()
				answers := 0
				c.Ask(ctx, []metrics.Question{{Parameters: catalog.ParametersOf(map[string]string{"group": "g", "topic": "a"})}}, func(_ int, _ metrics.Answer, err error) {
					if answers++; err == nil {
						t.Error("a number came of it")
					}
				})
				if answers != 1 {
					t.Errorf("%d answers", answers)
				}
			})
		}
	}
}

// answerKafka says the same to all requests, but is right about its versions if it is to be.
func answerKafka(connection net.Conn, versions bool, text string) {
	for {
		head := make([]byte, 12) // length, key, version and number
		if _, err := io.ReadFull(connection, head); err != nil {
			return
		}
		if _, err := io.CopyN(io.Discard, connection, int64(binary.BigEndian.Uint32(head))-8); err != nil {
			return
		}
		answer := append([]byte{}, head[8:]...)
		switch key := int16(binary.BigEndian.Uint16(head[4:])); {
		case versions && key == int16(kmsg.ApiVersions):
			r := kmsg.NewPtrApiVersionsResponse()
			r.Version = int16(binary.BigEndian.Uint16(head[6:]))
			for _, key := range []kmsg.Key{kmsg.Metadata, kmsg.FindCoordinator, kmsg.OffsetFetch, kmsg.ListOffsets, kmsg.ApiVersions} {
				r.ApiKeys = append(r.ApiKeys, kmsg.ApiVersionsResponseApiKey{ApiKey: int16(key), MaxVersion: 3})
			}
			answer = r.AppendTo(answer)
		default:
			answer = append(answer, text...)
		}
		if _, err := connection.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(answer))), answer...)); err != nil {
			return
		}
	}
}
