// Command answerer serves requests of five kinds, and enters each into a ledger. It is built into an image for the node test.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/mini-hpa/mini-hpa/test/node/calls"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	refuse, err := time.ParseDuration(os.Getenv("REFUSE"))
	if err == nil {
		err = calls.Serve(ctx, calls.Manner{Ledger: os.Getenv("LEDGER"), Refuse: refuse})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "answerer:", err)
		os.Exit(1) //nolint:gocritic // what is left ends with the process
	}
}
