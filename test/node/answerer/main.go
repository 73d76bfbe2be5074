// Command answerer serves requests of five kinds, and enters each into a ledger. It is built into an image for the node test.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/mini-hpa/mini-hpa/test/node/calls"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := calls.Serve(ctx, os.Getenv("LEDGER")); err != nil {
		fmt.Fprintln(os.Stderr, "answerer:", err)
		os.Exit(1) //nolint:gocritic // what is left ends with the process
	}
}
