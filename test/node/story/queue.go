//go:build linux

package story

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mini-hpa/mini-hpa/test/node/sandbox"
	"github.com/mini-hpa/mini-hpa/test/rabbitmq"
)

// The queue is the vhost's of its namespace. A pod is wanted for so many messages (files/worker.yaml).
const (
	worker  = "worker" // a Deployment
	brokers = "mq"     // the namespace of the broker's Service
	orders  = "orders" // the queue
	perPod  = 500
	// messages come at once. A consumer is busy with each for a moment, and with the last one for longer than the window of scale-down and two
	// looks: were it not counted, its consumer would be gone.
	messages         = 5000
	takes, lastTakes = 100 * time.Millisecond, 75 * time.Second
)

// startBroker runs a RabbitMQ beside the node, with the users of mini-hpa and of the worker.
func (d *director) startBroker(ctx context.Context) error {
	home := filepath.Join(d.dir, "rabbitmq")
	if err := os.Mkdir(home, 0o755); err != nil {
		return err
	}
	var err error
	if d.broker, err = rabbitmq.New(home, sandbox.Address); err != nil {
		return err
	}
	if err := d.broker.Start(ctx); err != nil {
		return err
	}
	d.words["Address"], d.words["AMQPPort"], _ = net.SplitHostPort(d.broker.AMQP)
	_, d.words["ManagementPort"], _ = net.SplitHostPort(d.broker.Management)
	d.words["Password"] = "secret-of-the-story"
	user := func(tags string) map[string]string {
		return map[string]string{"password": d.words["Password"], "tags": tags}
	}
	for _, call := range []struct {
		path string
		body any
	}{
		{"/vhosts/" + shop, struct{}{}},
		{"/users/mini-hpa", user("management")}, // sees the queues of vhosts that it may enter, and reads none of them
		{"/permissions/" + shop + "/mini-hpa", map[string]string{"configure": "", "write": "", "read": ""}},
		{"/users/" + worker, user("")},
		{"/permissions/" + shop + "/" + worker, map[string]string{"configure": "", "write": ".*", "read": ".*"}},
	} {
		if err := d.broker.Call(ctx, http.MethodPut, call.path, call.body, nil); err != nil {
			return err
		}
	}
	if err := rabbitmq.Declare(d.broker.URL(shop), orders); err != nil {
		return err
	}
	go func() {
		if err := d.book.Follow(ctx, d.broker.URL(shop), orders); err != nil {
			d.say("nobody keeps account any more: %v", err)
		}
	}()
	d.say("RabbitMQ listens on %s, the queue %s of its vhost %s is empty", d.broker.AMQP, orders, shop)
	return nil
}

// installWithSources also gives mini-hpa the administrator's file, and the Secret that it names.
func (d *director) installWithSources(ctx context.Context) error {
	for _, name := range []string{namespace, brokers, shop} {
		if err := d.createNamespace(ctx, name); err != nil {
			return err
		}
	}
	manifest, err := d.file("rabbit.yaml")
	if err != nil {
		return err
	}
	if _, err := d.kubectl(ctx, "apply", "--filename="+manifest); err != nil {
		return err
	}
	values, err := d.file("sources.yaml")
	if err != nil {
		return err
	}
	return d.installRelease(ctx, "--values="+values)
}

func (d *director) deployWorker(ctx context.Context) error {
	manifest, err := d.file("worker.yaml")
	if err != nil {
		return err
	}
	if _, err := d.kubectl(ctx, "apply", "--filename="+manifest); err != nil {
		return err
	}
	go d.watch(ctx, worker)
	if err := d.awaitReplicas(ctx, worker, 1, 1); err != nil {
		return err
	}
	d.say("%s has nothing to do", worker)
	return d.awaitReplicas(ctx, worker, 0, 0)
}

func (d *director) publish(ctx context.Context) error {
	jobs := make([]rabbitmq.Job, messages)
	for i := range jobs {
		jobs[i] = rabbitmq.Job{Number: i, Takes: takes}
	}
	jobs[messages-1].Takes = lastTakes
	if err := rabbitmq.Publish(ctx, d.broker.URL(shop), orders, jobs); err != nil {
		return err
	}
	d.say("%d messages are in the queue: %s of work each, but %s in the last one", messages, takes, lastTakes)
	return d.awaitReplicas(ctx, worker, 1, messages/perPod)
}

// drain waits until one message is left, which a consumer has in hand, and then until it is done.
func (d *director) drain(ctx context.Context) error {
	for _, left := range []int{1, 0} {
		err := d.eventually(ctx, fmt.Sprintf("%d messages left, each in hand", left), func(ctx context.Context) error {
			now, inHand, err := d.broker.Depth(ctx, shop, orders)
			if err == nil && (now != left || inHand != left) {
				err = fmt.Errorf("%d are left, %d of them in hand; done: %+v", now, inHand, d.book.Now())
			}
			return err
		})
		if err != nil {
			return err
		}
		size, err := d.size(ctx, worker)
		if err != nil {
			return err
		}
		d.say("%d messages are left, each in a consumer's hand; of %s %s", left, worker, size)
	}
	return nil
}

// sleep waits for the end of all consumers, none of which has taken a message with it.
func (d *director) sleep(ctx context.Context) error {
	if err := d.awaitReplicas(ctx, worker, 0, 0); err != nil {
		return err
	}
	left, _, err := d.broker.Depth(ctx, shop, orders)
	if err != nil {
		return err
	}
	account := d.book.Now()
	d.say("done: %d messages; done twice: %d; delivered again: %d; left: %d", account.Done, account.Twice, account.Again, left)
	if want := (rabbitmq.Account{Done: messages}); account != want || left > 0 {
		return fmt.Errorf("the account is %+v with %d messages left, want %+v with none", account, left, want)
	}
	return nil
}

// describeWorker holds what was asked for to what the Events say was left, and that to the target.
func (d *director) describeWorker(ctx context.Context) error {
	out, err := d.kubectl(ctx, "--namespace="+shop, "describe", "deployment", worker)
	if err != nil {
		return err
	}
	d.say("kubectl describe deployment %s\n%s", worker, strings.TrimSpace(out))
	d.mu.Lock()
	history := slices.Clone(d.history[worker])
	d.mu.Unlock()
	d.say("replicas of %s: %v", worker, history)
	return errors.Join(checkEvents(out, 0), checkProportion(out, history))
}

// awake are the Events of a workload that wakes or grows by messages: the new size, and how many messages were left.
var awake = regexp.MustCompile(`SuccessfulRescale\s.*\smini-hpa\s+New size: (\d+); reason: rabbit@messages (\d+)[ ,]`)

// checkProportion wants replicas that wake once from 0, each time in proportion to the messages that were left, and never go anywhere else than to 0.
func checkProportion(description string, history []int32) error {
	want := []int32{1, 0}
	for _, event := range awake.FindAllStringSubmatch(description, -1) {
		size, _ := strconv.Atoi(event[1])
		left, _ := strconv.Atoi(event[2])
		if needed := int(math.Ceil(float64(left) / perPod)); size != needed {
			return fmt.Errorf("%d messages need %d pods, and not as many as in %q", left, needed, event[0])
		}
		want = append(want, int32(size))
	}
	slices.Sort(want[2:]) // Events of the same second are in no order
	if want = append(want, 0); len(want) < 4 || !slices.Equal(history, want) {
		return fmt.Errorf("the replicas were %v, and should have been %v by the Events", history, want)
	}
	return nil
}
