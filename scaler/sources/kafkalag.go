package sources

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// lagQuestion asks how far a group is behind a topic.
type lagQuestion struct {
	// place is that of the question among those of the look.
	place        int
	group, topic string
	// earliest says that a consumer without a commit begins at the start of a partition, and not at its end.
	earliest bool
	limit    string
	// waits is how many requests have to return before the question can be answered; again says that they are sent a second time.
	waits int
	again bool
}

// partitionLag is what the brokers say of one partition. committed is below 0 without a commit, and start counts for earliest alone.
type partitionLag struct {
	number                int32
	start, end, committed int64
}

// behind is how many messages the group still has to read. A commit before the start stands for messages that were deleted since, and one behind the
// end for messages that were lost; a topic that was cut off leaves such commits.
func (p partitionLag) behind(earliest bool) int64 {
	from := p.committed
	switch {
	case earliest:
		from = max(from, p.start)
	case from < 0:
		return 0
	}
	return max(0, p.end-from)
}

// kafkaLook answers questions together:
//
//	            +-- Metadata --------+     +-- OffsetFetch, to each coordinator: all its groups ----------+
//	questions --+                    +--> -+                                                              +--> answers
//	            +-- FindCoordinator -+     +-- ListOffsets, to each leader: all its partitions' ends -----+
//	                                       +-- ListOffsets, to each leader: their starts, for earliest ---+
//
// Each question is answered when the last request returns that it needs. What turns out to be led by another broker is asked for once more.
type kafkaLook struct {
	cluster *kafkaCluster
	// conclude is called once for each question.
	conclude func(q *lagQuestion, partitions []partitionLag, err error)
	under    sync.WaitGroup
}

// look returns when all questions are concluded.
func (l *kafkaLook) look(ctx context.Context, questions []*lagQuestion) {
	var known, unknown []*lagQuestion
	for _, q := range questions {
		if l.cluster.knows(q.group, q.topic) {
			known = append(known, q)
		} else {
			unknown = append(unknown, q)
		}
	}
	// Apart, as those that are known must not wait for a broker that says where the others are.
	l.begin(ctx, known)
	l.begin(ctx, unknown)
	l.under.Wait()
}

// begin starts a round for questions.
func (l *kafkaLook) begin(ctx context.Context, questions []*lagQuestion) {
	if len(questions) > 0 {
		l.under.Go(func() { l.round(ctx, questions) })
	}
}

func (l *kafkaLook) round(ctx context.Context, questions []*lagQuestion) {
	topics, groups := map[string]bool{}, map[string]bool{}
	for _, q := range questions {
		topics[q.topic], groups[q.group] = true, true
	}
	r := newKafkaRound(l.cluster)
	r.topics, r.coordinators = l.cluster.locate(ctx, slices.Collect(maps.Keys(topics)), slices.Collect(maps.Keys(groups)))
	for _, q := range questions {
		if err := r.plan(q); err != nil {
			l.cluster.forget(q.group, q.topic)
			l.conclude(q, nil, err)
		}
	}
	for _, e := range r.errands {
		l.under.Go(func() { l.finish(ctx, r, r.send(ctx, e)) })
	}
}

// finish concludes the questions whose last request has returned, or asks a second time.
func (l *kafkaLook) finish(ctx context.Context, r *kafkaRound, questions []*lagQuestion) {
	var again []*lagQuestion
	for _, q := range questions {
		partitions, err := r.result(q)
		if err != nil {
			l.cluster.forget(q.group, q.topic)
		}
		if err != nil && !q.again && mayHaveMoved(ctx, err) {
			q.again = true
			again = append(again, q)
			continue
		}
		l.conclude(q, partitions, err)
	}
	l.begin(ctx, again)
}

// mayHaveMoved says whether another broker may know better.
func mayHaveMoved(ctx context.Context, err error) bool {
	var code *kerr.Error
	if errors.As(err, &code) {
		return code.Retriable || code == kerr.UnknownTopicID
	}
	return ctx.Err() == nil
}

// errand is one request to one broker.
type errand struct {
	broker int32
	// at is the offset of partitions that is asked for; commitsOf is the commits of groups.
	at     int64
	topics map[string][]int32
	groups map[string][]string // the topics, by group
	// questions are those that wait for it.
	questions []*lagQuestion
}

// The offsets of a partition, as ListOffsets calls them, and the commits of groups beside them.
const (
	atEnd     = int64(-1)
	atStart   = int64(-2)
	commitsOf = int64(-100)
)

type errandKey struct {
	broker int32
	at     int64
}

// offset is one that was answered, or why it was not.
type offset struct {
	at  int64
	err error
}

// into says it, or why it is not known.
func (o offset) into(at *int64) error {
	*at = o.at
	return o.err
}

// topicAt is the offsets of a topic's partitions that are asked for: their ends, or their starts.
type topicAt struct {
	topic string
	at    int64
}

// kafkaRound is a set of requests, at most three to each broker, and what was answered. There are many partitions, each of them in many groups: what is kept
// has an entry for a topic or a group, and not for each partition, because all answers wait for the last one to be put away.
type kafkaRound struct {
	cluster      *kafkaCluster
	topics       located[*kafkaTopic]
	coordinators located[int32]
	errands      map[errandKey]*errand

	mu sync.Mutex
	// offsets are those of a topic's partitions, in the order of these.
	offsets map[topicAt][]offset
	// commits are as a broker has answered them, in the order of the partitions' numbers.
	commits map[groupTopic]commits
	// groups are those of which no commit can be told, and why; nil says that the group has none.
	groups map[string]error
}

// groupTopic is a group and a topic that it reads.
type groupTopic struct{ group, topic string }

// commits are those of a group in a topic, which broker has told.
type commits struct {
	broker int32
	told   []kmsg.OffsetFetchResponseGroupTopicPartition
}

// of is the commit in a partition.
func (c commits) of(number int32) offset {
	at, found := slices.BinarySearchFunc(c.told, number, func(p kmsg.OffsetFetchResponseGroupTopicPartition, n int32) int { return cmp.Compare(p.Partition, n) })
	if !found {
		return offset{err: errLeftOut}
	}
	return offset{at: c.told[at].Offset, err: fromBroker(c.broker, kerr.ErrorForCode(c.told[at].ErrorCode))}
}

func newKafkaRound(cluster *kafkaCluster) *kafkaRound {
	return &kafkaRound{
		cluster: cluster, errands: map[errandKey]*errand{},
		offsets: map[topicAt][]offset{}, commits: map[groupTopic]commits{}, groups: map[string]error{},
	}
}

// plan adds a question to the requests that it needs, or says why it cannot be answered.
func (r *kafkaRound) plan(q *lagQuestion) error {
	topic, err := r.topics.get(q.topic)
	if err != nil {
		return kafkaFault(fmt.Sprintf("topic %q", q.topic), err)
	}
	coordinator, err := r.coordinators.get(q.group)
	if err != nil {
		return kafkaFault(fmt.Sprintf("group %q", q.group), err)
	}
	if len(topic.partitions) == 0 {
		return kafkaFault(fmt.Sprintf("the partitions of topic %q", q.topic), errLeftOut)
	}
	for _, p := range topic.partitions {
		if p.leader < 0 {
			return kafkaFault(aboutPartition(q, p), kerr.LeaderNotAvailable)
		}
	}
	for _, p := range topic.partitions {
		r.errand(p.leader, atEnd, q).list(q.topic, p.number)
		if q.earliest {
			r.errand(p.leader, atStart, q).list(q.topic, p.number)
		}
	}
	commits := r.errand(coordinator, commitsOf, q)
	if !slices.Contains(commits.groups[q.group], q.topic) {
		commits.groups[q.group] = append(commits.groups[q.group], q.topic)
	}
	return nil
}

// errand returns a request, for which a question waits.
func (r *kafkaRound) errand(broker int32, at int64, q *lagQuestion) *errand {
	key := errandKey{broker, at}
	e := r.errands[key]
	if e == nil {
		e = &errand{broker: broker, at: at, topics: map[string][]int32{}, groups: map[string][]string{}}
		r.errands[key] = e
	}
	if last := len(e.questions) - 1; last < 0 || e.questions[last] != q {
		e.questions = append(e.questions, q)
		q.waits++
	}
	return e
}

// list asks for a partition, which some other question may have asked for already. A topic's partitions are asked for in their order.
func (e *errand) list(topic string, number int32) {
	if _, found := slices.BinarySearch(e.topics[topic], number); !found {
		e.topics[topic] = append(e.topics[topic], number)
	}
}

// send sends a request and returns the questions that have no other request to wait for.
func (r *kafkaRound) send(ctx context.Context, e *errand) []*lagQuestion {
	if e.at == commitsOf {
		r.fetchCommits(ctx, e)
	} else {
		r.listOffsets(ctx, e)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var complete []*lagQuestion
	for _, q := range e.questions {
		if q.waits--; q.waits == 0 {
			complete = append(complete, q)
		}
	}
	return complete
}

// listOffsets asks a broker for the ends or the starts of partitions. The end is the high watermark: what an open transaction has written counts, as
// it will be work in a moment.
func (r *kafkaRound) listOffsets(ctx context.Context, e *errand) {
	request := kmsg.NewPtrListOffsetsRequest()
	request.TimeoutMillis = int32(min(r.cluster.timeout.Milliseconds(), math.MaxInt32))
	for topic, numbers := range e.topics {
		asked := kmsg.NewListOffsetsRequestTopic()
		asked.Topic = topic
		for _, number := range numbers {
			p := kmsg.NewListOffsetsRequestTopicPartition()
			p.Partition, p.Timestamp = number, e.at
			asked.Partitions = append(asked.Partitions, p)
		}
		request.Topics = append(request.Topics, asked)
	}
	response, err := request.RequestWith(ctx, r.cluster.client.Broker(int(e.broker)))
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		err = fromBroker(e.broker, err)
		for topic, numbers := range e.topics {
			for _, number := range numbers {
				r.put(topicAt{topic, e.at}, number, offset{err: err})
			}
		}
		return
	}
	for _, topic := range response.Topics {
		for _, p := range topic.Partitions {
			answered := offset{at: p.Offset, err: fromBroker(e.broker, kerr.ErrorForCode(p.ErrorCode))}
			if answered.err == nil && p.Offset < 0 {
				answered.err = fromBroker(e.broker, errLeftOut)
			}
			r.put(topicAt{topic.Topic, e.at}, p.Partition, answered)
		}
	}
}

// put keeps the offset of a partition; one that nobody has asked for is not kept. r.mu is held.
func (r *kafkaRound) put(of topicAt, number int32, o offset) {
	topic := r.topics.found[of.topic]
	if topic == nil {
		return
	}
	at, found := slices.BinarySearchFunc(topic.partitions, number, func(p kafkaPartition, n int32) int { return cmp.Compare(p.number, n) })
	if !found {
		return
	}
	all := r.offsets[of]
	if all == nil {
		all = make([]offset, len(topic.partitions))
		for i := range all {
			all[i].err = errLeftOut
		}
		r.offsets[of] = all
	}
	all[at] = o
}

// fromBroker says for the log who failed; nil stays nil.
func fromBroker(broker int32, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("broker %d: %w", broker, err)
}

// groupsAtOnce is how many groups an old broker is asked for at the same time, each in its own request.
const groupsAtOnce = 8

// fetchCommits asks a coordinator for the commits of all its groups, and one older than Kafka 3.0 for one after the other.
func (r *kafkaRound) fetchCommits(ctx context.Context, e *errand) {
	groups := slices.Collect(maps.Keys(e.groups)) // in another order each time, so that none is the last one for ever
	r.cluster.mu.Lock()
	oneByOne := r.cluster.oneByOne[e.broker]
	r.cluster.mu.Unlock()
	if !oneByOne {
		// An old broker reads the first group alone, so that its answer is not for nothing.
		rest := r.fetch(ctx, e, groups)
		if len(rest) == 0 {
			return
		}
		groups = rest
		r.cluster.mu.Lock()
		r.cluster.oneByOne[e.broker] = true
		r.cluster.mu.Unlock()
	}
	var under sync.WaitGroup
	turns := make(chan struct{}, groupsAtOnce)
	for _, group := range groups {
		turns <- struct{}{}
		under.Go(func() {
			defer func() { <-turns }()
			r.fetch(ctx, e, []string{group})
		})
	}
	under.Wait()
}

// fetch sends one request, and returns the groups that the broker was too old to read.
func (r *kafkaRound) fetch(ctx context.Context, e *errand, groups []string) (unread []string) {
	request, names := kmsg.NewPtrOffsetFetchRequest(), map[[16]byte]string{}
	for i, group := range groups {
		g := kmsg.NewOffsetFetchRequestGroup()
		g.Group = group
		for _, name := range e.groups[group] {
			topic, numbers := r.topics.found[name], []int32(nil)
			for _, p := range topic.partitions {
				numbers = append(numbers, p.number)
			}
			// Brokers since Kafka 4.2 read the id, others the name.
			names[topic.id] = name
			g.Topics = append(g.Topics, kmsg.OffsetFetchRequestGroupTopic{Topic: name, TopicID: topic.id, Partitions: numbers})
			if i == 0 { // what a broker reads that knows one group
				request.Group = group
				request.Topics = append(request.Topics, kmsg.OffsetFetchRequestTopic{Topic: name, Partitions: numbers})
			}
		}
		request.Groups = append(request.Groups, g)
	}
	answered, err := request.RequestWith(ctx, r.cluster.client.Broker(int(e.broker)))
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		for _, group := range groups {
			r.groups[group] = fromBroker(e.broker, err)
		}
		return nil
	}
	if answered.GetVersion() < 8 {
		r.record(e.broker, asGroup(groups[0], answered), nil)
		return groups[1:]
	}
	for _, g := range answered.Groups {
		r.record(e.broker, g, names)
	}
	return nil
}

// asGroup is the answer of an old broker in the form of a newer one.
func asGroup(group string, answered *kmsg.OffsetFetchResponse) kmsg.OffsetFetchResponseGroup {
	g := kmsg.OffsetFetchResponseGroup{Group: group, ErrorCode: answered.ErrorCode}
	for _, topic := range answered.Topics {
		t := kmsg.OffsetFetchResponseGroupTopic{Topic: topic.Topic}
		for _, p := range topic.Partitions {
			t.Partitions = append(t.Partitions, kmsg.OffsetFetchResponseGroupTopicPartition{Partition: p.Partition, Offset: p.Offset, ErrorCode: p.ErrorCode})
		}
		g.Topics = append(g.Topics, t)
	}
	return g
}

// record keeps what a broker says of a group. names are the topics by their ids. r.mu is held.
func (r *kafkaRound) record(broker int32, g kmsg.OffsetFetchResponseGroup, names map[[16]byte]string) {
	switch err := kerr.ErrorForCode(g.ErrorCode); {
	case errors.Is(err, kerr.GroupIDNotFound):
		r.groups[g.Group] = nil // Kafka itself answers that it has no commits
		return
	case err != nil:
		r.groups[g.Group] = fromBroker(broker, err)
		return
	}
	for _, topic := range g.Topics {
		name := topic.Topic
		if name == "" {
			name = names[topic.TopicID]
		}
		byNumber := func(a, b kmsg.OffsetFetchResponseGroupTopicPartition) int {
			return cmp.Compare(a.Partition, b.Partition)
		}
		if !slices.IsSortedFunc(topic.Partitions, byNumber) { // brokers answer in the order in which they are asked
			slices.SortFunc(topic.Partitions, byNumber)
		}
		r.commits[groupTopic{g.Group, name}] = commits{broker, topic.Partitions}
	}
}

// result is what the brokers said of each partition of a question, or the first reason that one cannot be counted: one that is left out would be
// work that nobody sees.
func (r *kafkaRound) result(q *lagQuestion) ([]partitionLag, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	failed, none := r.groups[q.group]
	if failed != nil {
		return nil, kafkaFault(fmt.Sprintf("group %q", q.group), failed)
	}
	partitions := r.topics.found[q.topic].partitions
	ends, starts, committed := r.offsets[topicAt{q.topic, atEnd}], r.offsets[topicAt{q.topic, atStart}], r.commits[groupTopic{q.group, q.topic}]
	all := make([]partitionLag, 0, len(partitions))
	for i, p := range partitions {
		known := partitionLag{number: p.number, committed: -1}
		err := offsetIn(ends, i).into(&known.end)
		if err == nil && q.earliest {
			err = offsetIn(starts, i).into(&known.start)
		}
		if err == nil && !none {
			err = committed.of(p.number).into(&known.committed)
		}
		if err != nil {
			return nil, kafkaFault(aboutPartition(q, p), err)
		}
		all = append(all, known)
	}
	return all, nil
}

// offsetIn is that of a topic's partition at a place.
func offsetIn(all []offset, i int) offset {
	if i >= len(all) {
		return offset{err: errLeftOut}
	}
	return all[i]
}

func aboutPartition(q *lagQuestion, p kafkaPartition) string {
	return fmt.Sprintf("partition %d of topic %q", p.number, q.topic)
}
