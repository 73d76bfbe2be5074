//go:build linux

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/mini-hpa/mini-hpa/test/await"
	"github.com/mini-hpa/mini-hpa/test/node/sandbox"
)

func (a *app) serveSandbox(ctx context.Context) error {
	dir, err := prepare(ctx, nil, a.stderr)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go func() {
		if err := a.openDoor(ctx, dir); err != nil {
			stop(err)
		}
	}()
	return sandbox.Run(ctx, sandbox.Config{Dir: dir, Args: []string{workServe}, Out: a.stderr, Err: a.stderr})
}

// openDoor waits for the node and leads clients from a port of loopback to its gate.
func (a *app) openDoor(ctx context.Context, dir string) error {
	err := await.Until(ctx, 100*time.Millisecond, func(context.Context) error {
		_, err := os.Stat(filepath.Join(dir, readyFile))
		return err
	})
	if err != nil {
		return fmt.Errorf("wait for the node: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for clients: %w", err)
	}
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	go forward(ctx, listener, "unix", filepath.Join(dir, gateFile))
	return writeKubeconfig(filepath.Join(dir, "cluster", "kubeconfig"), a.service.File(kubeconfigFile), "https://"+listener.Addr().String())
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
