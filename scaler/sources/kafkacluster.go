package sources

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// kafkaCluster is a Kafka cluster as a client sees it: which broker leads a partition, and which one, the coordinator, keeps the commits of a group.
// Both are asked for once and kept until they turn out to be wrong.
type kafkaCluster struct {
	client  *kgo.Client
	timeout time.Duration

	mu           sync.Mutex
	topics       map[string]*kafkaTopic
	coordinators map[string]*kafkaCoordinator
	// oneByOne are the brokers older than Kafka 3.0, which take one group in a request.
	oneByOne map[int32]bool
	swept    time.Time
}

// kafkaTopic is a topic: its partitions in the order of their numbers.
type kafkaTopic struct {
	id          [16]byte
	partitions  []kafkaPartition
	asked, used time.Time
}

// kafkaPartition is a partition and the broker that leads it; below 0 is none.
type kafkaPartition struct{ number, leader int32 }

// kafkaCoordinator is the broker that keeps the commits of a group.
type kafkaCoordinator struct {
	broker int32
	used   time.Time
}

const (
	// topicAge is how long a topic is believed to have the same partitions.
	topicAge = 5 * time.Minute
	// unusedAge is how long what nobody asks for is kept.
	unusedAge = 10 * time.Minute
	// patience is how long one broker may take to say who leads what, which any of them can say, before another is asked, too; hedges is how
	// many are.
	patience = 300 * time.Millisecond
	hedges   = 6
)

func newKafkaCluster(client *kgo.Client, timeout time.Duration) *kafkaCluster {
	return &kafkaCluster{
		client: client, timeout: timeout,
		topics: map[string]*kafkaTopic{}, coordinators: map[string]*kafkaCoordinator{}, oneByOne: map[int32]bool{},
	}
}

// knows says whether neither the topic nor the coordinator of the group has to be asked for.
func (k *kafkaCluster) knows(group, topic string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.freshTopic(topic) != nil && k.coordinators[group] != nil
}

// freshTopic returns a topic that need not be asked for, or nil. k.mu is held.
func (k *kafkaCluster) freshTopic(name string) *kafkaTopic {
	if t := k.topics[name]; t != nil && time.Since(t.asked) < topicAge {
		return t
	}
	return nil
}

// forget makes the next look ask again for a topic and for the coordinator of a group.
func (k *kafkaCluster) forget(group, topic string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.topics, topic)
	delete(k.coordinators, group)
}

// sweep forgets what has not been used for long: who may write annotations may make up names without end.
func (k *kafkaCluster) sweep() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if time.Since(k.swept) < time.Minute {
		return
	}
	k.swept = time.Now()
	for name, t := range k.topics {
		if time.Since(t.used) > unusedAge {
			delete(k.topics, name)
		}
	}
	for group, c := range k.coordinators {
		if time.Since(c.used) > unusedAge {
			delete(k.coordinators, group)
		}
	}
}

// located is what has been found out about names, or why not.
type located[T any] struct {
	found map[string]T
	errs  map[string]error
}

func locatedIn[T any](size int) located[T] {
	return located[T]{found: make(map[string]T, size), errs: map[string]error{}}
}

func (l located[T]) get(name string) (T, error) {
	found, ok := l.found[name]
	switch err := l.errs[name]; {
	case ok:
		return found, nil
	case err != nil:
		return found, err
	}
	return found, errLeftOut
}

// errLeftOut is of a broker that answered, but not everything that it was asked for.
var errLeftOut = errors.New("the answer leaves it out")

// fail says of all names without an answer why there is none.
func (l located[T]) fail(names []string, err error) {
	for _, name := range names {
		l.errs[name] = err
	}
}

// locate finds topics and the coordinators of groups.
func (k *kafkaCluster) locate(ctx context.Context, topics, groups []string) (located[*kafkaTopic], located[int32]) {
	var coordinators located[int32]
	var both sync.WaitGroup
	both.Go(func() { coordinators = k.locateGroups(ctx, groups) })
	found := k.locateTopics(ctx, topics)
	both.Wait()
	return found, coordinators
}

func (k *kafkaCluster) locateTopics(ctx context.Context, names []string) located[*kafkaTopic] {
	all, now := locatedIn[*kafkaTopic](len(names)), time.Now()
	var missing []string
	k.mu.Lock()
	for _, name := range names {
		if t := k.freshTopic(name); t != nil {
			t.used = now
			all.found[name] = t
			continue
		}
		missing = append(missing, name)
	}
	k.mu.Unlock()
	if len(missing) == 0 {
		return all
	}
	response, err := hedged(ctx, func(ctx context.Context) (*kmsg.MetadataResponse, error) {
		request := kmsg.NewPtrMetadataRequest() // does not create topics
		for _, name := range missing {          // none would ask for all topics of the cluster
			topic := kmsg.NewMetadataRequestTopic()
			topic.Topic = kmsg.StringPtr(name)
			request.Topics = append(request.Topics, topic)
		}
		return request.RequestWith(ctx, k.client)
	})
	if err != nil {
		all.fail(missing, err)
		return all
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, answered := range response.Topics {
		if answered.Topic == nil {
			continue
		}
		name := *answered.Topic
		if err := kerr.ErrorForCode(answered.ErrorCode); err != nil {
			all.errs[name] = err
			continue
		}
		t := &kafkaTopic{id: answered.TopicID, asked: now, used: now}
		for _, p := range answered.Partitions {
			t.partitions = append(t.partitions, kafkaPartition{number: p.Partition, leader: p.Leader})
		}
		slices.SortFunc(t.partitions, func(a, b kafkaPartition) int { return int(a.number) - int(b.number) })
		k.topics[name], all.found[name] = t, t
	}
	return all
}

func (k *kafkaCluster) locateGroups(ctx context.Context, names []string) located[int32] {
	all, now := locatedIn[int32](len(names)), time.Now()
	var missing []string
	k.mu.Lock()
	for _, name := range names {
		if c := k.coordinators[name]; c != nil {
			c.used = now
			all.found[name] = c.broker
			continue
		}
		missing = append(missing, name)
	}
	k.mu.Unlock()
	if len(missing) == 0 {
		return all
	}
	answered, err := hedged(ctx, func(ctx context.Context) (located[int32], error) { return k.findCoordinators(ctx, missing) })
	if err != nil {
		all.fail(missing, err)
		return all
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, name := range missing {
		broker, err := answered.get(name)
		if err != nil {
			all.errs[name] = err
			continue
		}
		all.found[name] = broker
		k.coordinators[name] = &kafkaCoordinator{broker: broker, used: now}
	}
	return all
}

// findCoordinators asks one broker, and brokers older than Kafka 3.0 once for each group.
func (k *kafkaCluster) findCoordinators(ctx context.Context, groups []string) (located[int32], error) {
	request := kmsg.NewPtrFindCoordinatorRequest()
	request.CoordinatorKeys = groups
	all := locatedIn[int32](len(groups))
	var failed error
	for _, shard := range k.client.RequestSharded(ctx, request) {
		answered, ok := shard.Resp.(*kmsg.FindCoordinatorResponse)
		if shard.Err != nil || !ok {
			failed = shard.Err
			if asked, ok := shard.Req.(*kmsg.FindCoordinatorRequest); ok {
				all.fail(append(asked.CoordinatorKeys, asked.CoordinatorKey), shard.Err)
			}
			continue
		}
		for _, c := range answered.Coordinators {
			if err := kerr.ErrorForCode(c.ErrorCode); err != nil {
				all.errs[c.Key] = err
			} else {
				all.found[c.Key] = c.NodeID
			}
		}
	}
	if len(all.found) == 0 && failed != nil {
		return all, failed
	}
	return all, nil
}

// hedged asks, and asks again each time that patience ends without an answer. The first answer counts; an error only when no try is left that may
// yet answer.
func hedged[T any](ctx context.Context, ask func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type answer struct {
		got T
		err error
	}
	answers, under := make(chan answer, hedges), 0
	try := func() {
		under++
		go func() {
			got, err := ask(ctx)
			answers <- answer{got, err}
		}()
	}
	try()
	next := time.NewTicker(patience)
	defer next.Stop()
	for tries := 1; ; {
		select {
		case a := <-answers:
			if under--; a.err == nil || under == 0 {
				return a.got, a.err
			}
		case <-next.C:
			if tries < hedges {
				tries++
				try()
			}
		}
	}
}

// kafkaFault puts a failure into words about what was asked for, such as `topic "shop.orders"`.
func kafkaFault(about string, err error) error {
	var already *Fault
	if errors.As(err, &already) {
		return fault(already.Told, err)
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return fault("did not answer for "+about, err)
	}
	if errors.Is(err, errLeftOut) {
		return fault("left out "+about, err)
	}
	var code *kerr.Error
	if !errors.As(err, &code) {
		return fault("broke off the connection when it was asked for "+about, err)
	}
	// Only the code: a broker's own text may repeat what it was sent.
	err = fmt.Errorf("%s: %w", about, code)
	switch code {
	case kerr.SaslAuthenticationFailed:
		return fault("refused the credentials", err)
	case kerr.UnsupportedSaslMechanism, kerr.IllegalSaslState:
		return fault("does not take the SASL mechanism", err)
	case kerr.UnknownTopicOrPartition, kerr.UnknownTopicID, kerr.InconsistentTopicID:
		return unanswered("has no "+about, err)
	case kerr.TopicAuthorizationFailed, kerr.GroupAuthorizationFailed, kerr.ClusterAuthorizationFailed:
		return unanswered("does not allow mini-hpa to see "+about, err)
	case kerr.InvalidTopicException, kerr.InvalidGroupID:
		return unanswered("does not take the name of "+about, err)
	case kerr.CoordinatorNotAvailable, kerr.NotCoordinator, kerr.CoordinatorLoadInProgress:
		return unanswered("has no broker ready for "+about, err)
	case kerr.LeaderNotAvailable, kerr.NotLeaderForPartition, kerr.ReplicaNotAvailable, kerr.OffsetNotAvailable:
		return unanswered("has no leader for "+about, err)
	}
	return unanswered("failed when it was asked for "+about, err)
}
