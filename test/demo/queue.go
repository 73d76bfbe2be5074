package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/mini-hpa/mini-hpa/test/rabbitmq"
)

// The story has a Deployment, and a queue of the vhost that a broker begins with.
const (
	worker = "worker"
	orders = "orders"
	vhost  = "/"
)

// queue is the subject of the second story: messages of a queue. The pods are simulated, but the consumers are real: one for each pod.
type queue struct {
	*stage
	broker *rabbitmq.Broker
	file   string // the administrator's, which lists the broker as a source
	book   rabbitmq.Book
	crew   crew
	left   int

	mu      sync.Mutex
	trouble error
}

// openQueue starts a broker with an empty queue, and the crew that works on it while there are pods. The stage closes them.
func openQueue(ctx context.Context, s *stage) (*queue, error) {
	dir, err := os.MkdirTemp("", "mini-hpa-demo-rabbitmq-")
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, func(context.Context) error { return os.RemoveAll(dir) })
	q := &queue{stage: s, file: filepath.Join(dir, "sources.yaml")}
	if q.broker, err = rabbitmq.New(dir, "127.0.0.1"); err != nil {
		return nil, err
	}
	s.closers = append(s.closers, func(context.Context) error {
		q.broker.Stop()
		return nil
	})
	if err := errors.Join(q.broker.Start(ctx), q.list(dir)); err != nil {
		return nil, err
	}
	url := q.broker.URL(vhost)
	if err := rabbitmq.Declare(url, orders); err != nil {
		return nil, err
	}
	q.crew.work = func(ctx context.Context) (bool, error) { return rabbitmq.Work(ctx, url, orders) }
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // the end is the stage's
	var following sync.WaitGroup
	following.Go(func() { q.note(q.book.Follow(ctx, url, orders)) })
	following.Go(func() {
		wait.UntilWithContext(ctx, func(ctx context.Context) {
			if pods, err := q.client.CoreV1().Pods(q.namespace).List(ctx, metav1.ListOptions{LabelSelector: label + "=" + worker}); err == nil {
				q.crew.follow(pods.Items)
			}
		}, tick)
	})
	s.closers = append(s.closers, func(context.Context) error {
		cancel()
		following.Wait()
		q.crew.dismiss()
		return nil
	})
	return q, nil
}

// list writes the administrator's file, and the credentials that it names.
func (q *queue) list(dir string) error {
	credentials := filepath.Join(dir, "credentials")
	text := fmt.Sprintf("version: v1\ndefaults: {maxAge: %s}\nsources:\n- name: rabbit\n  type: rabbitmq\n  url: http://%s\n  auth: {userFile: %s, passwordFile: %[3]s}\n"+
		"  namespaces: [%s]\n  allow: {vhost: [%s], queue: [%s]}\n", period, q.broker.Management, credentials, q.namespace, vhost, orders)
	return errors.Join(os.WriteFile(credentials, []byte(rabbitmq.Guest), 0o600), os.WriteFile(q.file, []byte(text), 0o600))
}

func (q *queue) note(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.trouble = errors.Join(q.trouble, err)
}

func (*queue) heads() (load, seen string) { return "LEFT", "IN HAND" }

func (*queue) says(p phase) string { return p.jobs.String() }

func (q *queue) load(phase, time.Duration) string { return strconv.Itoa(q.left) }

func (q *queue) put(ctx context.Context, p phase, _ []string, _ func(context.Context) error) error {
	return rabbitmq.Publish(ctx, q.broker.URL(vhost), orders, p.jobs.list())
}

// look asks the broker, the book and the crew.
func (q *queue) look(ctx context.Context, now map[string]*sight) error {
	left, inHand, err := q.broker.Depth(ctx, vhost, orders)
	w := now[worker]
	if w.seen = unknown; err == nil {
		q.left, w.seen = left, strconv.Itoa(inHand)
	}
	// The account is taken after the number of messages that are left: what is done is not left.
	w.tally = tally{known: err == nil, left: left, account: q.book.Now(), crew: q.crew.now()}
	q.mu.Lock()
	defer q.mu.Unlock()
	return errors.Join(err, q.broker.Fallen(), w.tally.crew.trouble, q.trouble)
}
