//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/redis/rueidis"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/mini-hpa/mini-hpa/test/await"
	"github.com/mini-hpa/mini-hpa/test/child"
	"github.com/mini-hpa/mini-hpa/test/controlplane"
	"github.com/mini-hpa/mini-hpa/test/rabbitmq"
)

const (
	// kafkaBrokers are those of the Kafka cluster, and kafkaPartitions those of each topic; kafkaGroups are the groups that read one topic.
	kafkaBrokers, kafkaPartitions, kafkaGroups = 10, 10, 10
	// few messages wait for each workload at rest, which asks for one replica, and many after a step, which asks for five.
	fewWait, manyWait = 10, 50
)

// broker is a system that is asked how many messages wait for each of its workloads, which are numbered from 0.
type broker interface {
	// entry is what the administrator's file says of it, and line what a workload says.
	entry() string
	line(workload int) string
	// set has so many messages wait for these workloads, and never none meanwhile.
	set(ctx context.Context, workloads []int, waiting int) error
	// requests counts those that it has got.
	requests(ctx context.Context) (float64, error)
	// wires are those that it is reached by: one for each server.
	wires() []*wire
	// restart ends it and starts it once more, with what it had.
	restart(ctx context.Context) error
	close()
}

// kafka is a cluster in this process.
type kafka struct {
	cluster *kfake.Cluster
	people  *kgo.Client
	each    []*wire
	asked   atomic.Int64
}

func startKafka(ctx context.Context, workloads int) (*kafka, error) {
	k := &kafka{}
	var topics []string
	for i := 0; i < workloads; i += kafkaGroups {
		topics = append(topics, topicOf(i))
	}
	var err error
	k.cluster, err = kfake.NewCluster(kfake.NumBrokers(kafkaBrokers), kfake.SeedTopics(kafkaPartitions, topics...),
		kfake.ListenFn(func(network, address string) (net.Listener, error) {
			w := &wire{}
			k.each = append(k.each, w)
			return w.listen(network, address)
		}))
	if err != nil {
		return nil, err
	}
	k.people, err = kgo.NewClient(kgo.SeedBrokers(k.cluster.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DisableClientMetrics())
	if err != nil {
		k.cluster.Close()
		return nil, err
	}
	var records []*kgo.Record
	for _, topic := range topics {
		for range manyWait {
			records = append(records, &kgo.Record{Topic: topic, Value: []byte("x")})
		}
	}
	if err := k.people.ProduceSync(ctx, records...).FirstErr(); err != nil {
		k.close()
		return nil, err
	}
	return k, nil
}

func topicOf(workload int) string { return fmt.Sprintf("topic-%d", workload/kafkaGroups) }

func (k *kafka) entry() string {
	return fmt.Sprintf("{name: kafka, type: kafka, brokers: [%s], namespaces: ['*'], allow: {group: ['*'], topic: ['*']}}", strings.Join(k.cluster.ListenAddrs(), ", "))
}

func (k *kafka) line(workload int) string {
	return fmt.Sprintf("kafka group=group-%d topic=%s target=%d", workload, topicOf(workload), fewWait)
}

// set commits: how much waits for a group is what it has not committed.
func (k *kafka) set(ctx context.Context, workloads []int, waiting int) error {
	for _, workload := range workloads {
		request := kmsg.NewPtrOffsetCommitRequest()
		request.Group, request.Generation = fmt.Sprintf("group-%d", workload), -1
		topic := kmsg.NewOffsetCommitRequestTopic()
		topic.Topic = topicOf(workload)
		topic.TopicID = k.cluster.TopicInfo(topic.Topic).TopicID
		for number := range int32(kafkaPartitions) {
			p := kmsg.NewOffsetCommitRequestTopicPartition()
			if p.Partition = number; number == 0 {
				p.Offset = int64(manyWait - waiting)
			}
			topic.Partitions = append(topic.Partitions, p)
		}
		request.Topics = append(request.Topics, topic)
		if _, err := request.RequestWith(ctx, k.people); err != nil {
			return err
		}
	}
	return nil
}

// count begins to count what is asked, when nobody asks but mini-hpa.
func (k *kafka) count() {
	k.cluster.ControlKey(-1, func(kmsg.Request) (kmsg.Response, error, bool) {
		k.asked.Add(1)
		k.cluster.KeepControl()
		return nil, nil, false
	})
}

func (k *kafka) requests(context.Context) (float64, error) { return float64(k.asked.Load()), nil }
func (k *kafka) wires() []*wire                            { return k.each }

// restart closes all connections, and takes new ones half a minute later.
func (k *kafka) restart(ctx context.Context) error {
	for _, w := range k.each {
		w.set(0, true)
	}
	err := pause(ctx, 2*period)
	for _, w := range k.each {
		w.set(0, false)
	}
	return err
}

func (k *kafka) close() {
	if k.people != nil {
		k.people.Close()
	}
	k.cluster.Close()
}

// rabbit is RabbitMQ.
type rabbit struct {
	*rabbitmq.Broker
	wire
	dir, address string
	waiting      map[int]int
}

func startRabbit(ctx context.Context, dir string, workloads int) (*rabbit, error) {
	r := &rabbit{dir: dir, waiting: map[int]int{}}
	var err error
	if r.Broker, err = rabbitmq.New(dir, "127.0.0.1"); err != nil {
		return nil, err
	}
	err = r.Start(ctx)
	if err == nil {
		r.address, err = r.before(r.Management)
	}
	if err == nil {
		err = os.WriteFile(r.file(), []byte(rabbitmq.Guest), 0o600)
	}
	if err == nil {
		err = r.declare(ctx, workloads)
	}
	if err != nil {
		r.Stop()
		return nil, err
	}
	return r, nil
}

// file holds its user, and the password, which is the same.
func (r *rabbit) file() string { return filepath.Join(r.dir, "guest") }

func (r *rabbit) declare(ctx context.Context, workloads int) error {
	var queues []map[string]any
	for i := range workloads {
		queues = append(queues, map[string]any{"name": queueOf(i), "vhost": "/", "durable": true, "auto_delete": false, "arguments": struct{}{}})
	}
	return r.Call(ctx, "POST", "/definitions", map[string]any{"queues": queues}, nil)
}

func queueOf(workload int) string { return fmt.Sprintf("queue-%d", workload) }

func (r *rabbit) entry() string {
	return fmt.Sprintf("{name: rabbit, type: rabbitmq, url: 'http://%s', auth: {userFile: %s, passwordFile: %s}, namespaces: ['*'], allow: {vhost: ['*'], queue: ['*']}}",
		r.address, r.file(), r.file())
}

func (r *rabbit) line(workload int) string {
	return fmt.Sprintf("rabbit queue=%s target=%d", queueOf(workload), fewWait)
}

func (r *rabbit) set(ctx context.Context, workloads []int, waiting int) error {
	connection, err := amqp.Dial(r.URL("/"))
	if err != nil {
		return err
	}
	defer func() { _ = connection.Close() }()
	channel, err := connection.Channel()
	if err == nil {
		err = channel.Tx()
	}
	if err != nil {
		return err
	}
	for _, workload := range workloads {
		for ; r.waiting[workload] < waiting && err == nil; r.waiting[workload]++ {
			err = channel.PublishWithContext(ctx, "", queueOf(workload), true, false, amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte("x")})
		}
		for ; r.waiting[workload] > waiting && err == nil; r.waiting[workload]-- {
			_, _, err = channel.Get(queueOf(workload), true)
		}
		if err != nil {
			return err
		}
	}
	return channel.TxCommit()
}

func (r *rabbit) requests(context.Context) (float64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return float64(r.gets), nil
}

func (r *rabbit) wires() []*wire { return []*wire{&r.wire} }

func (r *rabbit) restart(ctx context.Context) error {
	r.Kill()
	return r.Start(ctx)
}

func (r *rabbit) close() { r.Stop() }

// redis is Redis.
type redis struct {
	wire
	dir, port, address string
	process            *child.Process
	people             rueidis.Client
}

func startRedis(ctx context.Context, dir string) (*redis, error) {
	r := &redis{dir: dir}
	address, err := controlplane.FreeAddress()
	if err != nil {
		return nil, err
	}
	if _, r.port, err = net.SplitHostPort(address); err != nil {
		return nil, err
	}
	if r.address, err = r.before(address); err != nil {
		return nil, err
	}
	if err := r.start(ctx); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

func (r *redis) start(ctx context.Context) (err error) {
	command := exec.CommandContext(context.Background(), "redis-server", "--port", r.port, "--bind", "127.0.0.1", "--dir", r.dir, "--save", "", "--appendonly", "yes") // ended by close
	if r.process, err = child.Start("redis-server", command, filepath.Join(r.dir, "redis.log")); err != nil {
		return err
	}
	return await.Within(ctx, time.Minute, 100*time.Millisecond, func(ctx context.Context) error {
		if err := r.process.Fallen(); err != nil {
			return await.Final(err)
		}
		if r.people == nil {
			r.people, err = rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{"127.0.0.1:" + r.port}, ForceSingleClient: true, DisableCache: true})
			if err != nil {
				return err
			}
		}
		return r.people.Do(ctx, r.people.B().Ping().Build()).Error()
	})
}

func (r *redis) entry() string {
	return fmt.Sprintf("{name: redis, type: redis, addresses: ['%s'], namespaces: ['*'], allow: {list: ['*']}}", r.address)
}

func (r *redis) line(workload int) string {
	return fmt.Sprintf("redis list=list-%d target=%d", workload, fewWait)
}

func (r *redis) set(ctx context.Context, workloads []int, waiting int) error {
	var all []rueidis.Completed
	for _, workload := range workloads {
		key := fmt.Sprintf("list-%d", workload)
		all = append(all, r.people.B().Ltrim().Key(key).Start(0).Stop(fewWait-1).Build(), r.people.B().Llen().Key(key).Build())
	}
	for i, answer := range r.people.DoMulti(ctx, all...) {
		have, err := int64(0), answer.Error()
		if i%2 == 1 && err == nil {
			have, err = answer.AsInt64()
		}
		if more := waiting - int(have); i%2 == 1 && err == nil && more > 0 {
			key := fmt.Sprintf("list-%d", workloads[i/2])
			err = r.people.Do(ctx, r.people.B().Rpush().Key(key).Element(make([]string, more)...).Build()).Error()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// requests are the commands by which lists are counted.
func (r *redis) requests(ctx context.Context) (float64, error) {
	text, err := r.people.Do(ctx, r.people.B().Info().Section("commandstats").Build()).ToString()
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(text) {
		calls := 0.0
		if n, _ := fmt.Sscanf(line, "cmdstat_llen:calls=%g,", &calls); n == 1 {
			return calls, nil
		}
	}
	return 0, errors.New("redis-server does not say how often it has counted a list")
}

func (r *redis) wires() []*wire { return []*wire{&r.wire} }

func (r *redis) restart(ctx context.Context) error {
	r.process.Stop(time.Minute)
	return r.start(ctx)
}

func (r *redis) close() {
	if r.people != nil {
		r.people.Close()
	}
	if r.process != nil {
		r.process.Stop(time.Minute)
	}
}
