// Command answerer serves requests of five kinds, and enters each into a ledger. It is built into an image for the node test.
package main

import (
	"context"
	"errors"
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
	takes, err2 := time.ParseDuration(os.Getenv("TAKES"))
	if err = errors.Join(err, err2); err == nil {
		err = calls.Serve(ctx, calls.Manner{Ledger: os.Getenv("LEDGER"), Refuse: refuse, Takes: takes})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "answerer:", err)
		os.Exit(1) //nolint:gocritic // what is left ends with the process
	}
}
