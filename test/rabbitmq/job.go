package rabbitmq

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Job is what a message asks for.
type Job struct {
	Number int           `json:"number"`
	Takes  time.Duration `json:"takes"` // how long a worker has it in hand
}

// receipt is what a worker says of a job that it has done.
type receipt struct {
	Number int `json:"number"`
	// Again says that the job was delivered before, to a worker that did not acknowledge it.
	Again bool `json:"again"`
}

// doneSuffix makes the name of the queue for receipts from that for jobs.
const doneSuffix = ".done"

// channel is a channel with a connection of its own.
type channel struct {
	*amqp.Channel
	connection *amqp.Connection
}

func open(url string) (*channel, error) {
	connection, err := amqp.Dial(url)
	if err != nil {
		return nil, fmt.Errorf("connect to RabbitMQ: %w", err)
	}
	c, err := connection.Channel()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open a channel to RabbitMQ: %w", err), connection.Close())
	}
	return &channel{c, connection}, nil
}

// close lets go of whatever was not acknowledged.
func (c *channel) close() { _ = c.connection.Close() }

// send puts a value into a queue that outlives the broker.
func (c *channel) send(ctx context.Context, queue string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return c.PublishWithContext(ctx, "", queue, true, false, amqp.Publishing{DeliveryMode: amqp.Persistent, ContentType: "application/json", Body: text})
}

// Declare makes the queue for jobs and that for their receipts, at the URL of a vhost.
func Declare(url, queue string) error {
	c, err := open(url)
	if err != nil {
		return err
	}
	defer c.close()
	for _, name := range []string{queue, queue + doneSuffix} {
		if _, err := c.QueueDeclare(name, true, false, false, false, nil); err != nil {
			return fmt.Errorf("make the queue %s: %w", name, err)
		}
	}
	return nil
}

// Publish puts jobs into a queue, all at the same moment, and returns when the broker has them.
func Publish(ctx context.Context, url, queue string, jobs []Job) error {
	c, err := open(url)
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.Tx(); err != nil {
		return fmt.Errorf("begin to publish: %w", err)
	}
	for _, job := range jobs {
		if err := c.send(ctx, queue, job); err != nil {
			return fmt.Errorf("publish job %d: %w", job.Number, err)
		}
	}
	if err := c.TxCommit(); err != nil {
		return fmt.Errorf("publish %d jobs: %w", len(jobs), err)
	}
	return nil
}

// Work is a consumer: it takes one job after the other, has it in hand for as long as it takes, sends a receipt and acknowledges the job. The
// end of ctx ends it at once, as a kill does, and the broker gives its job to another one; held says whether it had one.
func Work(ctx context.Context, url, queue string) (held bool, err error) {
	c, err := open(url)
	if err != nil {
		return false, err
	}
	defer c.close()
	if err := c.Qos(1, 0, false); err != nil {
		return false, fmt.Errorf("ask for one job at a time: %w", err)
	}
	jobs, err := c.Consume(queue, "", false, false, false, false, nil)
	if err != nil {
		return false, fmt.Errorf("consume %s: %w", queue, err)
	}
	for {
		select {
		case <-ctx.Done():
			return len(jobs) > 0, nil
		case delivery, open := <-jobs:
			if !open {
				return false, errors.New("RabbitMQ has closed the connection")
			}
			if done, err := c.work(ctx, queue, &delivery); err != nil || !done {
				return !done, err
			}
		}
	}
}

// work does a job, unless ctx ends before it is done.
func (c *channel) work(ctx context.Context, queue string, delivery *amqp.Delivery) (done bool, err error) {
	var job Job
	if err := json.Unmarshal(delivery.Body, &job); err != nil {
		return false, fmt.Errorf("read a job: %w", err)
	}
	timer := time.NewTimer(job.Takes)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false, nil
	case <-timer.C:
	}
	// The broker reads both in this order, so there is no job without a receipt.
	if err := c.send(context.WithoutCancel(ctx), queue+doneSuffix, receipt{job.Number, delivery.Redelivered}); err != nil {
		return false, fmt.Errorf("send the receipt of job %d: %w", job.Number, err)
	}
	if err := delivery.Ack(false); err != nil {
		return false, fmt.Errorf("acknowledge job %d: %w", job.Number, err)
	}
	return true, nil
}

// Account is what became of jobs so far.
type Account struct {
	Done  int // different jobs that were done at least once
	Twice int // how often a job was done that had been done
	Again int // how often a job was done that had been delivered before
}

// Book keeps account of jobs by their receipts.
type Book struct {
	mu      sync.Mutex
	done    map[int]bool
	account Account
}

// Follow reads the receipts of a queue until ctx ends.
func (b *Book) Follow(ctx context.Context, url, queue string) error {
	c, err := open(url)
	if err != nil {
		return err
	}
	defer c.close()
	receipts, err := c.Consume(queue+doneSuffix, "", true, false, false, false, nil)
	if err != nil {
		return fmt.Errorf("consume %s: %w", queue+doneSuffix, err)
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case delivery, open := <-receipts:
			if !open {
				return errors.New("RabbitMQ has closed the connection")
			}
			var r receipt
			if err := json.Unmarshal(delivery.Body, &r); err != nil {
				return fmt.Errorf("read a receipt: %w", err)
			}
			b.enter(r)
		}
	}
}

func (b *Book) enter(r receipt) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.done == nil {
		b.done = map[int]bool{}
	}
	if b.done[r.Number] {
		b.account.Twice++
	} else {
		b.done[r.Number], b.account.Done = true, b.account.Done+1
	}
	if r.Again {
		b.account.Again++
	}
}

// Now is the account as it stands.
func (b *Book) Now() Account {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.account
}
