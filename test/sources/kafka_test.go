package sources

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/mini-hpa/mini-hpa/scaler/metrics"
	"github.com/mini-hpa/mini-hpa/scaler/sources"
)

// kafkaStory is a cluster, someone who writes and reads there, and the source.
type kafkaStory struct {
	*testing.T
	cluster *kfake.Cluster
	addrs   []string
	gates   *gates
	people  *kgo.Client

	mu    sync.Mutex
	count map[string]int // requests, by name
}

// newKafka starts a cluster. Each request is counted that comes in once the story says so.
func newKafka(t *testing.T, brokers int, options ...kfake.Opt) *kafkaStory {
	t.Helper()
	s := &kafkaStory{T: t, gates: &gates{}, count: map[string]int{}}
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(brokers), kfake.ListenFn(s.gates.listen), kfake.AllowAutoTopicCreation()}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	s.cluster, s.addrs = cluster, cluster.ListenAddrs()
	cluster.ControlKey(-1, func(request kmsg.Request) (kmsg.Response, error, bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.count[kmsg.NameForKey(request.Key())]++
		if asked, ok := request.(*kmsg.MetadataRequest); ok && (asked.Topics == nil || asked.AllowAutoTopicCreation) {
			s.count["Metadata of all topics, or which creates some"]++
		}
		return nil, nil, false
	})
	return s
}

// join opens the client of those who write and read.
func (s *kafkaStory) join(options ...kgo.Opt) *kgo.Client {
	s.Helper()
	people, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(s.addrs...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DisableClientMetrics(), kgo.ProducerLinger(0),
	}, options...)...)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(people.Close)
	return people
}

// write puts so many messages into a partition.
func (s *kafkaStory) write(topic string, partition int32, messages int) {
	s.Helper()
	if s.people == nil {
		s.people = s.join()
	}
	var all []*kgo.Record
	for range messages {
		all = append(all, &kgo.Record{Topic: topic, Partition: partition, Value: []byte("x")})
	}
	if err := s.people.ProduceSync(s.Context(), all...).FirstErr(); err != nil {
		s.Fatal(err)
	}
}

// commit says that a group has read a topic's partitions up to these offsets.
func (s *kafkaStory) commit(group, topic string, offsets map[int32]int64) {
	s.Helper()
	if s.people == nil {
		s.people = s.join()
	}
	request := kmsg.NewPtrOffsetCommitRequest()
	request.Group, request.Generation = group, -1
	asked := kmsg.NewOffsetCommitRequestTopic()
	asked.Topic = topic
	asked.TopicID = s.cluster.TopicInfo(topic).TopicID
	for partition, offset := range offsets {
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset = partition, offset
		asked.Partitions = append(asked.Partitions, p)
	}
	request.Topics = append(request.Topics, asked)
	response, err := request.RequestWith(s.Context(), s.people)
	if err != nil {
		s.Fatal(err)
	}
	for _, p := range response.Topics[0].Partitions {
		if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
			s.Fatal(err)
		}
	}
}

// source opens the client under test, with more settings such as `"tls": {}`.
func (s *kafkaStory) source(have *files, more ...string) sources.Client {
	s.Helper()
	return open(s.T, "kafka", s.settings(more...), have)
}

// settings are those of an entry for the cluster.
func (s *kafkaStory) settings(more ...string) string { return listed("brokers", s.addrs, more) }

// requests returns the counts since it was called last, without those that open a connection.
func (s *kafkaStory) requests() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	counted := s.count
	s.count = map[string]int{}
	delete(counted, "ApiVersions")
	return counted
}

// lagOf asks how far a group is behind a topic, with more parameters such as "reset", "earliest".
func lagOf(group, topic string, more ...string) metrics.Question {
	parameters := map[string]string{"group": group, "topic": topic, "cap": "none"}
	for i := 0; i < len(more); i += 2 {
		parameters[more[i]] = more[i+1]
	}
	return line(parameters)
}

// TestKafkaLag: four partitions with 10, 20, 30 and 0 messages, of which the first 5 of the third are deleted.
func TestKafkaLag(t *testing.T) {
	t.Parallel()
	s := newKafka(t, 3, kfake.SeedTopics(4, "shop.orders"), kfake.SeedTopics(1, "shop.one"))
	for partition, messages := range []int{10, 20, 30} {
		s.write("shop.orders", int32(partition), messages)
	}
	s.write("shop.one", 0, 3)
	if err := s.cluster.DeleteRecords("shop.orders", 2, 5); err != nil {
		t.Fatal(err)
	}
	s.commit("behind", "shop.orders", map[int32]int64{0: 7, 1: 20, 2: 6, 3: 0})
	s.commit("ahead", "shop.orders", map[int32]int64{0: 99, 1: 20, 2: 30, 3: 0})
	s.commit("deleted", "shop.orders", map[int32]int64{0: 10, 1: 20, 2: 1, 3: 0})
	s.commit("part", "shop.orders", map[int32]int64{0: 7})
	s.commit("behind", "shop.one", map[int32]int64{0: 1})
	client := s.source(with(nil))
	for name, c := range map[string]struct {
		asked metrics.Question
		want  result
	}{
		"lag":                             {lagOf("behind", "shop.orders"), "27"},
		"another topic of the group":      {lagOf("behind", "shop.one"), "2"},
		"a commit behind the end":         {lagOf("ahead", "shop.orders"), "0"},
		"a commit of deleted messages":    {lagOf("deleted", "shop.orders"), "29"},
		"the same, which begins at start": {lagOf("deleted", "shop.orders", "reset", "earliest"), "25"},
		"no commit at some partitions":    {lagOf("part", "shop.orders"), "3"},
		"the same, from the start":        {lagOf("part", "shop.orders", "reset", "earliest"), "48"},
		"no commits":                      {lagOf("new", "shop.orders"), "0"},
		"no commits, from the start":      {lagOf("new", "shop.orders", "reset", "earliest"), "55"},
		"capped":                          {lagOf("behind", "shop.orders", "cap", "partitions"), `27 at most 4: 4 partitions of topic "shop.orders"`},
		"capped by one":                   {lagOf("behind", "shop.one", "cap", "partitions"), `2 at most 1: 1 partition of topic "shop.one"`},
		"capped by those with lag":        {lagOf("behind", "shop.orders", "cap", "lagging"), `27 at most 2: 2 of 4 partitions of topic "shop.orders" with lag`},
		"capped by none with lag":         {lagOf("ahead", "shop.orders", "cap", "lagging"), "0"},
		"no topic":                        {lagOf("behind", "shop.absent"), `!has no topic "shop.absent"`},
	} {
		t.Run(name, func(t *testing.T) { expect(t, ask(t, client, c.asked), c.want) })
	}
	if all := s.requests(); all["Metadata of all topics, or which creates some"] > 1 { // the one of those who write
		t.Errorf("requests: %v", all)
	}
	if s.cluster.TopicInfo("shop.absent") != nil {
		t.Error("the question has created the topic")
	}
}

// hedges is how many brokers are asked what any of them can say, one after the other, while none has answered within a moment.
const hedges = 6

// TestKafkaManyGroups: a look at 3,000 groups on 3 brokers is 6 requests, and 2 more the first time, unless the brokers are slow.
func TestKafkaManyGroups(t *testing.T) {
	t.Parallel()
	const groups, topics = 3000, 30
	var names []string
	for i := range topics {
		names = append(names, fmt.Sprint("topic-", i))
	}
	s := newKafka(t, 3, kfake.SeedTopics(12, names...))
	for _, name := range names {
		s.write(name, 0, 5)
	}
	var questions []metrics.Question
	var want []result
	all := map[int32]int64{}
	for partition := range int32(12) {
		all[partition] = 0
	}
	for i := range groups {
		group, topic := fmt.Sprint("group-", i), names[i%topics]
		commits := maps.Clone(all)
		commits[0] = int64(i % 6)
		s.commit(group, topic, commits)
		questions = append(questions, lagOf(group, topic))
		want = append(want, result(strconv.Itoa(5-i%6)))
	}
	client := s.source(with(nil))
	s.requests()
	look := map[string]int{"OffsetFetch": 3, "ListOffsets": 3}
	expect(t, ask(t, client, questions...), want...)
	first := s.requests()
	for _, whoever := range []string{"Metadata", "FindCoordinator"} {
		if n := first[whoever]; n < 1 || n > hedges {
			t.Errorf("%s was asked for %d times, want once, or %d times if nobody answers at once", whoever, n, hedges)
		}
		delete(first, whoever)
	}
	if diff := cmp.Diff(look, first); diff != "" {
		t.Errorf("requests of the first look (-want +got):\n%s", diff)
	}
	for range hedges { // a broker that was slow may take note of its question later
		expect(t, ask(t, client, questions...), want...)
		if first = s.requests(); len(first) == len(look) {
			break
		}
	}
	if diff := cmp.Diff(look, first); diff != "" {
		t.Errorf("requests of the next look (-want +got):\n%s", diff)
	}
}

// TestKafkaMoves: a group without a commit that begins at the end has a lag of 0 at each look, and messages that came are activity.
func TestKafkaMoves(t *testing.T) {
	t.Parallel()
	s := newKafka(t, 1, kfake.SeedTopics(2, "shop.orders"))
	s.write("shop.orders", 0, 5)
	client := s.source(with(nil))
	asked := lagOf("new", "shop.orders")
	expect(t, ask(t, client, asked), "0")
	expect(t, ask(t, client, asked), "0")
	s.write("shop.orders", 1, 1)
	expect(t, ask(t, client, asked), "0 active true")
	expect(t, ask(t, client, asked), "0 active true")
	s.commit("new", "shop.orders", map[int32]int64{0: 5, 1: 0})
	expect(t, ask(t, client, asked), "1")
	s.write("shop.orders", 0, 1)
	expect(t, ask(t, client, asked), "2")
}

// TestKafkaCoordinatorsAndLeadersMove: whoever has them now is asked at the same look.
func TestKafkaCoordinatorsAndLeadersMove(t *testing.T) {
	t.Parallel()
	s := newKafka(t, 5, kfake.SeedTopics(10, "shop.orders"))
	s.write("shop.orders", 0, 5)
	commits := map[int32]int64{}
	for partition := range int32(10) {
		commits[partition] = 0
	}
	var questions []metrics.Question
	var want []result
	for i := range 20 {
		s.commit(fmt.Sprint("group-", i), "shop.orders", commits)
		questions = append(questions, lagOf(fmt.Sprint("group-", i), "shop.orders"))
		want = append(want, "5")
	}
	client := s.source(with(nil))
	expect(t, ask(t, client, questions...), want...)
	s.cluster.RehashCoordinators()
	expect(t, ask(t, client, questions...), want...)
	s.cluster.ShufflePartitionLeaders()
	expect(t, ask(t, client, questions...), want...)
	if err := s.cluster.DeleteTopic("shop.orders"); err != nil {
		t.Fatal(err)
	}
	expect(t, ask(t, client, questions[0]), `!has no topic "shop.orders"`)
	if err := s.cluster.CreateTopic("shop.orders", 2, nil); err != nil {
		t.Fatal(err)
	}
	expect(t, ask(t, client, lagOf("new", "shop.orders", "cap", "partitions")), `0 at most 2: 2 partitions of topic "shop.orders"`)
}

// spread is a topic and a group for each broker, of which nothing is with another.
func (s *kafkaStory) spread(brokers int) (questions []metrics.Question, want []result) {
	s.Helper()
	for broker := range int32(brokers) {
		topic := fmt.Sprint("topic-", broker)
		if err := s.cluster.CreateTopic(topic, 1, nil); err != nil {
			s.Fatal(err)
		}
		if err := s.cluster.MoveTopicPartition(topic, 0, broker); err != nil {
			s.Fatal(err)
		}
		group := topic
		for i := 0; s.cluster.CoordinatorFor(group) != broker; i++ {
			group = fmt.Sprint(topic, "-", i)
		}
		s.write(topic, 0, 3)
		s.commit(group, topic, map[int32]int64{0: 1})
		questions, want = append(questions, lagOf(group, topic)), append(want, "2")
	}
	return questions, want
}

// TestKafkaHalfOfTheBrokersAreGone: what is with the others is answered, what is not fails in words, and comes back.
func TestKafkaHalfOfTheBrokersAreGone(t *testing.T) {
	t.Parallel()
	for name, warm := range map[string]bool{"while it is asked again and again": true, "before the first question": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newKafka(t, 10)
			questions, want := s.spread(10)
			client := s.source(with(nil))
			if warm {
				expect(t, ask(t, client, questions...), want...)
			}
			for broker := range 5 {
				s.gates.at(s.addrs[broker]).vanish()
			}
			for range 2 {
				got := ask(t, client, questions...)
				expect(t, got[5:], want[5:]...)
				for _, answered := range got[:5] {
					if answered != "!refused the connection" {
						t.Errorf("of a broker that is gone: %q", answered)
					}
				}
			}
			for broker := range int32(5) {
				if err := s.cluster.RemoveNode(broker); err != nil {
					t.Fatal(err)
				}
			}
			s.cluster.RehashCoordinators()
			until(t, "the others have what they had", func() error { // it may be in the middle of a move
				if got := ask(t, client, questions...); !slices.Equal(got, want) {
					return fmt.Errorf("%q", got)
				}
				return nil
			})
		})
	}
}

// TestKafkaBrokersElsewhere: a broker may say that others are where no source can be. They are not dialled, and what is with it is answered.
func TestKafkaBrokersElsewhere(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254", "fe80::1", "0.0.0.0", "255.255.255.255", "224.0.0.1"} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			s := newKafka(t, 2)
			questions, want := s.spread(2)
			_, port, _ := net.SplitHostPort(s.addrs[0])
			number, _ := strconv.Atoi(port)
			ids := map[string][16]byte{"topic-0": s.cluster.TopicInfo("topic-0").TopicID, "topic-1": s.cluster.TopicInfo("topic-1").TopicID}
			s.answerWith(kmsg.Metadata, func(request kmsg.Request) kmsg.Response {
				answer := request.ResponseKind().(*kmsg.MetadataResponse)
				answer.Brokers = []kmsg.MetadataResponseBroker{{NodeID: 0, Host: "127.0.0.1", Port: int32(number)}, {NodeID: 1, Host: host, Port: 80}}
				for _, asked := range request.(*kmsg.MetadataRequest).Topics {
					topic := kmsg.NewMetadataResponseTopic()
					topic.Topic, topic.TopicID = asked.Topic, ids[*asked.Topic]
					partition := kmsg.NewMetadataResponseTopicPartition()
					if *asked.Topic == "topic-1" {
						partition.Leader = 1
					}
					topic.Partitions = append(topic.Partitions, partition)
					answer.Topics = append(answer.Topics, topic)
				}
				return answer
			})
			client := s.source(with(nil))
			for range 5 { // any of them may be asked who leads what
				expect(t, ask(t, client, questions...), want[0], "!has an address that is not dialled")
			}
		})
	}
}

// TestKafkaRestarts: all brokers end and begin again, with what they had. What is not known meanwhile is not 0.
func TestKafkaRestarts(t *testing.T) {
	t.Parallel()
	var ports []int
	for _, port := range freePorts(t, 3) {
		number, _ := strconv.Atoi(port)
		ports = append(ports, number)
	}
	kept := []kfake.Opt{kfake.Ports(ports...), kfake.DataDir(t.TempDir()), kfake.SyncWrites()}
	s := newKafka(t, 3, append(kept, kfake.SeedTopics(3, "shop.orders"))...)
	s.write("shop.orders", 0, 5)
	s.commit("mine", "shop.orders", map[int32]int64{0: 1, 1: 0, 2: 0})
	client, asked := s.source(with(nil)), lagOf("mine", "shop.orders")
	expect(t, ask(t, client, asked), "4")
	s.cluster.Close()
	for range 3 {
		if got := ask(t, client, asked)[0]; !strings.HasPrefix(string(got), "!") {
			t.Errorf("of brokers that are gone: %q", got)
		}
	}
	newKafka(t, 3, kept...)
	until(t, "they are back", func() error {
		switch got := ask(t, client, asked)[0]; {
		case got == "4":
			return nil
		case strings.HasPrefix(string(got), "!"):
			return errors.New(string(got))
		default:
			t.Fatalf("while they begin: %q", got)
			return nil
		}
	})
}

// TestKafkaABrokerHangs: the others' questions are answered while it does, its own when it goes on, or with a failure at the deadline.
func TestKafkaABrokerHangs(t *testing.T) {
	t.Parallel()
	for name, goesOn := range map[string]bool{"for good": false, "for a while": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newKafka(t, 4)
			questions, want := s.spread(4)
			client := s.source(with(nil))
			expect(t, ask(t, client, questions...), want...)
			hanging := s.gates.at(s.addrs[1])
			hanging.hang()
			under := begin(client, questions)
			under.await(3)
			if goesOn {
				hanging.goOn()
				expect(t, under.end(t), want...)
				return
			}
			under.stop()
			told := under.end(t)
			if !strings.HasPrefix(string(told[1]), "!did not answer for ") {
				t.Errorf("of a broker that hangs: %q", told[1])
			}
			told[1] = want[1]
			expect(t, told, want...)

			// What it does not say is not known of anybody, and the next look does not wait for it either.
			under = begin(client, questions)
			under.await(3)
			under.stop()
			told = under.end(t)
			told[1] = want[1]
			expect(t, told, want...)
			hanging.goOn()
			expect(t, ask(t, client, questions...), want...)
		})
	}
}

// answerWith changes each answer to requests of a kind, on its way.
func (s *kafkaStory) answerWith(key kmsg.Key, change func(kmsg.Request) kmsg.Response) {
	s.cluster.ControlKey(int16(key), func(request kmsg.Request) (kmsg.Response, error, bool) {
		s.cluster.KeepControl()
		return change(request), nil, true
	})
}

// TestKafkaLeavesOut: an answer without one partition is a failure, not a smaller lag.
func TestKafkaLeavesOut(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		key    kmsg.Key
		answer func(kmsg.Request) kmsg.Response
		want   result
	}{
		"an end": {kmsg.ListOffsets, func(request kmsg.Request) kmsg.Response {
			answer := request.ResponseKind().(*kmsg.ListOffsetsResponse)
			topic := kmsg.NewListOffsetsResponseTopic()
			topic.Topic = "shop.orders"
			first := kmsg.NewListOffsetsResponseTopicPartition()
			first.Offset = 9
			topic.Partitions = append(topic.Partitions, first)
			answer.Topics = append(answer.Topics, topic)
			return answer
		}, `!left out partition 1 of topic "shop.orders"`},
		"a commit": {kmsg.OffsetFetch, func(request kmsg.Request) kmsg.Response {
			asked := request.(*kmsg.OffsetFetchRequest).Groups[0]
			answer := request.ResponseKind().(*kmsg.OffsetFetchResponse)
			topic := kmsg.NewOffsetFetchResponseGroupTopic()
			topic.Topic, topic.TopicID = asked.Topics[0].Topic, asked.Topics[0].TopicID
			second := kmsg.NewOffsetFetchResponseGroupTopicPartition()
			second.Partition = 1
			topic.Partitions = append(topic.Partitions, second)
			group := kmsg.NewOffsetFetchResponseGroup()
			group.Group, group.Topics = asked.Group, append(group.Topics, topic)
			answer.Groups = append(answer.Groups, group)
			return answer
		}, `!left out partition 0 of topic "shop.orders"`},
		"everything": {kmsg.OffsetFetch, func(request kmsg.Request) kmsg.Response { return request.ResponseKind() },
			`!left out partition 0 of topic "shop.orders"`},
		"the topic": {kmsg.Metadata, func(request kmsg.Request) kmsg.Response { return request.ResponseKind() },
			`!left out topic "shop.orders"`},
		"the coordinator": {kmsg.FindCoordinator, func(request kmsg.Request) kmsg.Response {
			answer := request.ResponseKind().(*kmsg.FindCoordinatorResponse)
			other := kmsg.NewFindCoordinatorResponseCoordinator()
			other.Key = "somebody"
			answer.Coordinators = append(answer.Coordinators, other)
			return answer
		}, `!left out group "mine"`},
		"the partitions": {kmsg.Metadata, func(request kmsg.Request) kmsg.Response {
			answer := request.ResponseKind().(*kmsg.MetadataResponse)
			topic := kmsg.NewMetadataResponseTopic()
			topic.Topic = kmsg.StringPtr("shop.orders")
			answer.Topics = append(answer.Topics, topic)
			return answer
		}, `!left out the partitions of topic "shop.orders"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newKafka(t, 1, kfake.SeedTopics(2, "shop.orders"))
			s.commit("mine", "shop.orders", map[int32]int64{0: 0, 1: 0})
			client := s.source(with(nil))
			s.answerWith(c.key, c.answer)
			expect(t, ask(t, client, lagOf("mine", "shop.orders")), c.want)
		})
	}
}

// TestKafkaFailures: each is told in our own words, and another question is answered beside it.
func TestKafkaFailures(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault kfake.Fault
		want  result
	}{
		"topic not allowed":     {kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: "bad", Err: kerr.TopicAuthorizationFailed}, `!does not allow mini-hpa to see topic "bad"`},
		"partition not allowed": {kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: "bad", Err: kerr.TopicAuthorizationFailed}, `!does not allow mini-hpa to see partition 0 of topic "bad"`},
		"one partition fails":   {kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: "bad", Partitions: []int32{1}, Err: kerr.UnknownServerError}, `!failed when it was asked for partition 1 of topic "bad"`},
		"an election":           {kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: "bad", Partitions: []int32{1}, Err: kerr.LeaderNotAvailable}, `!has no leader for partition 1 of topic "bad"`},
		"group not allowed":     {kfake.Fault{Keys: []kmsg.Key{kmsg.FindCoordinator}, Group: "bad", Err: kerr.GroupAuthorizationFailed}, `!does not allow mini-hpa to see group "bad"`},
		"commits not allowed":   {kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Group: "bad", Err: kerr.GroupAuthorizationFailed}, `!does not allow mini-hpa to see group "bad"`},
		"no coordinator":        {kfake.Fault{Keys: []kmsg.Key{kmsg.FindCoordinator}, Group: "bad", Err: kerr.CoordinatorNotAvailable}, `!has no broker ready for group "bad"`},
		"coordinator loads":     {kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Group: "bad", Err: kerr.CoordinatorLoadInProgress}, `!has no broker ready for group "bad"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newKafka(t, 2, kfake.SeedTopics(2, "good", "bad"))
			for _, name := range []string{"good", "bad"} {
				s.write(name, 0, 1)
				s.commit(name, name, map[int32]int64{0: 0, 1: 0})
			}
			client := s.source(with(nil))
			c.fault.Count = -1
			handle := s.cluster.Fault(c.fault)
			expect(t, ask(t, client, lagOf("good", "good"), lagOf("bad", "bad")), "1", c.want)
			handle.Remove()
			expect(t, ask(t, client, lagOf("good", "good"), lagOf("bad", "bad")), "1", "1")
		})
	}
}

// TestKafkaOldBrokers: those that take one group in a request are asked group by group, and coordinators are as well.
func TestKafkaOldBrokers(t *testing.T) {
	t.Parallel()
	for name, versions := range map[string]*kversion.Versions{"2.8": kversion.V2_8_0(), "3.0": kversion.V3_0_0(), "1.0": kversion.V1_0_0(), "4.1": kversion.V4_1_0()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newKafka(t, 2, kfake.SeedTopics(2, "shop.orders"), kfake.MaxVersions(versions))
			s.write("shop.orders", 0, 50)
			var questions []metrics.Question
			var want []result
			for i := range 20 {
				group := fmt.Sprint("group-", i)
				s.commit(group, "shop.orders", map[int32]int64{0: int64(i), 1: 0})
				questions, want = append(questions, lagOf(group, "shop.orders")), append(want, result(strconv.Itoa(50-i)))
			}
			client := s.source(with(nil))
			expect(t, ask(t, client, questions...), want...)
			s.requests()
			expect(t, ask(t, client, questions...), want...)
			fetches := 2
			if name == "2.8" || name == "1.0" {
				fetches = 20
			}
			if got := s.requests()["OffsetFetch"]; got != fetches {
				t.Errorf("the next look has fetched commits %d times, want %d", got, fetches)
			}
		})
	}
}

// TestKafkaTransactions: what an open transaction has written is work that is about to come.
func TestKafkaTransactions(t *testing.T) {
	t.Parallel()
	s := newKafka(t, 1, kfake.SeedTopics(1, "shop.orders"))
	s.commit("mine", "shop.orders", map[int32]int64{0: 0})
	client := s.source(with(nil))
	writer := s.join(kgo.TransactionalID("writer"))
	if err := writer.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := writer.ProduceSync(t.Context(), &kgo.Record{Topic: "shop.orders", Value: []byte("x")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	expect(t, ask(t, client, lagOf("mine", "shop.orders")), "1")
	if err := writer.EndTransaction(context.WithoutCancel(t.Context()), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	// The mark that ends the transaction has an offset, too; a consumer that has read everything commits behind it.
	expect(t, ask(t, client, lagOf("mine", "shop.orders")), "2")
	s.commit("mine", "shop.orders", map[int32]int64{0: 2})
	expect(t, ask(t, client, lagOf("mine", "shop.orders")), "0")
}

// TestKafkaHostileNames: they stay names.
func TestKafkaHostileNames(t *testing.T) {
	t.Parallel()
	s := newKafka(t, 2, kfake.SeedTopics(1, "shop.orders"))
	s.write("shop.orders", 0, 2)
	client := s.source(with(nil))
	long := strings.Repeat("g", 10_000)
	questions := []metrics.Question{
		lagOf("mine", "shop.orders", "reset", "earliest"),
		lagOf("mine", "no\"such\ntopic"),
		lagOf("mine", ".."),
		lagOf("mine", strings.Repeat("t", 250)),
		lagOf("mine", ""),
		lagOf("", "shop.orders"),
		lagOf("$namespace\x00\n{}\"é"+long, "shop.orders", "reset", "earliest"),
		lagOf("mine", "SHOP.ORDERS"),
	}
	expect(t, ask(t, client, questions...),
		"2",
		`!cannot have a topic "no\"such\ntopic"`,
		`!cannot have a topic ".."`,
		result(`!cannot have a topic "`+strings.Repeat("t", 250)+`"`),
		`!cannot have a topic ""`,
		"!was asked for no group",
		"2",
		`!has no topic "SHOP.ORDERS"`,
	)
}

// wrongPassword is one that nobody can take for another word.
const wrongPassword = "Hunter2-wrong"

// refusal answers credentials as Kafka does that refuses them, with a code and with text, where kfake closes the connection.
type refusal struct {
	on    atomic.Bool
	count atomic.Int64
}

func (s *kafkaStory) refuseCredentials() *refusal {
	r := &refusal{}
	r.on.Store(true)
	s.cluster.ControlKey(int16(kmsg.SASLAuthenticate), func(request kmsg.Request) (kmsg.Response, error, bool) {
		if !r.on.Load() {
			return nil, nil, false
		}
		s.cluster.KeepControl()
		r.count.Add(1)
		answer := request.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		answer.ErrorCode = kerr.SaslAuthenticationFailed.Code
		answer.ErrorMessage = kmsg.StringPtr("scaler may not have the password " + wrongPassword)
		return answer, nil, true
	})
	return r
}

// TestKafkaSASL: the credentials are read for each connection, and neither they nor the broker's text are told.
func TestKafkaSASL(t *testing.T) {
	t.Parallel()
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		t.Run(mechanism, func(t *testing.T) {
			t.Parallel()
			s := newKafka(t, 2, kfake.SeedTopics(1, "shop.orders"), kfake.EnableSASL(), kfake.Superuser(mechanism, "scaler", "right"))
			refused := s.refuseCredentials()
			have := with(map[string]string{"/user": "scaler\n", "/password": wrongPassword})
			login := fmt.Sprintf(`"sasl": {"mechanism": %q, "userFile": "/user", "passwordFile": "/password"}`, mechanism)
			client := s.source(have, login)
			asked := lagOf("mine", "shop.orders")
			expect(t, ask(t, client, asked), "!refused the credentials")
			if n := refused.count.Load(); n > 2*hedges { // by Metadata and by FindCoordinator
				t.Errorf("the wrong password was tried %d times", n)
			}
			tellsNoneOf(t, "kafka", s.settings(login), have, asked, wrongPassword)
			refused.on.Store(false)
			have.Store("/password", "right\n")
			expect(t, ask(t, client, asked), "0")

			// Connections that are there stay; a new one is made with what the file says now.
			have.Store("/password", wrongPassword)
			expect(t, ask(t, client, asked), "0")
			have.Delete("/password")
			for _, address := range s.addrs {
				s.gates.at(address).drop()
			}
			expect(t, ask(t, client, asked), "!is not set up: a file of it cannot be read")
			have.Store("/password", "right")
			expect(t, ask(t, client, asked), "0")

			// A broker that closes the connection instead says no more.
			have.Store("/password", wrongPassword)
			client = s.source(have, login)
			expect(t, ask(t, client, asked), `!broke off the connection when it was asked for topic "shop.orders"`)
		})
	}
}

// TestKafkaTLS: connections are encrypted, and only a broker whose certificate is from the authority of the file is asked.
func TestKafkaTLS(t *testing.T) {
	t.Parallel()
	known, authority, _ := certified(t)
	s := newKafka(t, 2, kfake.SeedTopics(1, "shop.orders"), kfake.TLS(&tls.Config{Certificates: []tls.Certificate{known}, MinVersion: tls.VersionTLS13}))
	asked := lagOf("mine", "shop.orders")
	have := with(map[string]string{"/ca.crt": authority})
	expect(t, ask(t, s.source(have, `"tls": {"caFile": "/ca.crt"}`), asked), "0")
	expect(t, ask(t, s.source(have, `"tls": {"insecure": true}`), asked), "0")
	expect(t, ask(t, s.source(have, `"tls": {}`), asked), "!has a certificate that is not trusted")
	expect(t, ask(t, s.source(have, `"tls": {"caFile": "/other"}`), asked), "!is not set up: a file of it cannot be read")
	expect(t, ask(t, s.source(have), asked), `!broke off the connection when it was asked for topic "shop.orders"`)
}
