// Command consumer works on a queue of RabbitMQ, one message after the other. It does not wait for the one that it has in hand when it is
// told to end, so that a message is delivered again if it is ended at the wrong moment. It is built into an image for the node test.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/mini-hpa/mini-hpa/test/rabbitmq"
)

func main() {
	if _, err := rabbitmq.Work(context.Background(), os.Getenv("AMQP_URL"), os.Getenv("QUEUE")); err != nil {
		fmt.Fprintln(os.Stderr, "consumer:", err)
		os.Exit(1)
	}
}
