// Package rabbitmq runs the RabbitMQ that Debian has, puts jobs into its queues, works on them as a consumer does, and keeps account of
// each job. Whoever gives a worker's job to another one is found out: the broker marks what it delivers again.
//
//	Publish -> queue QUEUE -> Work -> queue QUEUE.done -> Book
package rabbitmq
