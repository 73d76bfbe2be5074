//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mini-hpa/mini-hpa/test/node/machine"
	"github.com/mini-hpa/mini-hpa/test/node/story"
)

// What the worker in the sandbox does.
const (
	workStory = "story"
	workQueue = "queue"
	workWake  = "wake"
	workServe = "serve"
)

// The files by which a serving sandbox and its caller meet.
const (
	gateFile  = "api.sock" // a socket that leads to the API server
	readyFile = "ready"    // appears when the node is ready
)

// work is what runs in the sandbox.
func work(ctx context.Context, dir string, args []string) error {
	variant, err := tellings(args)
	if err != nil {
		return err
	}
	m, err := machine.Start(ctx, dir, variant.Node, os.Stdout)
	if err != nil {
		return err
	}
	switch args[0] {
	case workStory:
		return story.Play(ctx, m, dir, os.Stdout)
	case workQueue:
		return story.PlayQueue(ctx, m, dir, os.Stdout)
	case workWake:
		return story.PlayWake(ctx, m, variant, dir, os.Stdout)
	case workServe:
		return hold(ctx, m, dir)
	}
	return fmt.Errorf("there is no work called %.64q", args[0])
}

// tellings are how the story of requests is told, which is what follows the name of the work: the parts of the variant, and the picture.
func tellings(args []string) (story.Variant, error) {
	if args[0] != workWake {
		return story.Variant{}, nil
	}
	variant, err := story.ReadVariant(args[2:])
	variant.Picture = args[1]
	return variant, err
}

// hold keeps the node running and lets callers from outside in.
func hold(ctx context.Context, m *machine.Machine, dir string) error {
	gate, err := openGate(ctx, filepath.Join(dir, gateFile), m.Cluster.Config().Host)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, readyFile), nil, 0o600); err != nil {
		return errors.Join(fmt.Errorf("say that the node is ready: %w", err), gate.Close())
	}
	<-ctx.Done()
	return gate.Close()
}
