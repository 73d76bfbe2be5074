// Command mini-hpa autoscales the Deployments that carry mini-hpa/ annotations. Each subcommand has a file of its own;
// this package is the only one that knows concrete types, flags and exit codes.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	ctx := untilSignal(context.Background(), signals, os.Exit)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// untilSignal returns a context that ends at the first signal, which asks for a graceful end. The second one exits at
// once: whoever asks twice does not want to wait.
func untilSignal(parent context.Context, signals <-chan os.Signal, exit func(int)) context.Context {
	ctx, cancel := context.WithCancel(parent)
	go func() {
		<-signals
		cancel()
		<-signals
		exit(exitFailure)
	}()
	return ctx
}
