//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/mini-hpa/mini-hpa/test/node/sandbox"
)

// serve runs a node until ctx ends, with its API server on a port of the machine's loopback.
func (a *app) serve(ctx context.Context) error {
	s := a.state
	if err := s.make(); err != nil {
		return err
	}
	lock, err := s.lock()
	if err != nil {
		return err
	}
	if lock == nil {
		return fmt.Errorf("a node is already running; its kubeconfig is %s", s.kubeconfig())
	}
	defer lock.Close()
	if err := s.clear(); err != nil { // a killed one could not do it
		return fmt.Errorf("remove the remains of an earlier node: %w", err)
	}
	if err := os.WriteFile(s.file("pid"), []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
		return fmt.Errorf("write the process id: %w", err)
	}
	return errors.Join(a.serveSandbox(ctx), s.clear())
}

func (a *app) serveSandbox(ctx context.Context) error {
	dir, err := prepare(ctx, a.stderr)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go func() {
		if err := a.state.openDoor(ctx, dir); err != nil {
			stop(err)
		}
	}()
	return sandbox.Run(ctx, sandbox.Config{Dir: dir, Args: []string{workServe}, Out: a.stderr, Err: a.stderr})
}

// openDoor waits for the node and leads clients from a port of loopback to its gate.
func (s state) openDoor(ctx context.Context, dir string) error {
	err := await(ctx, func() (bool, error) {
		_, err := os.Stat(filepath.Join(dir, readyFile))
		return err == nil, nil
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for clients: %w", err)
	}
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	go forward(ctx, listener, "unix", filepath.Join(dir, gateFile))
	return writeKubeconfig(filepath.Join(dir, "cluster", "kubeconfig"), s.kubeconfig(), "https://"+listener.Addr().String())
}

// writeKubeconfig copies the administrator's kubeconfig with another address. It appears as a whole: up waits for it.
func writeKubeconfig(from, to, server string) error {
	config, err := clientcmd.LoadFromFile(from)
	if err != nil {
		return fmt.Errorf("read the node's kubeconfig: %w", err)
	}
	for _, cluster := range config.Clusters {
		cluster.Server = server
	}
	if err := clientcmd.WriteToFile(*config, to+".new"); err != nil {
		return fmt.Errorf("write the kubeconfig: %w", err)
	}
	return os.Rename(to+".new", to)
}
