//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/mini-hpa/mini-hpa/test/background"
	"github.com/mini-hpa/mini-hpa/test/controlplane/binaries"
	"github.com/mini-hpa/mini-hpa/test/node/sandbox"
)

// kubeconfigFile appears when the node in the background is ready.
const kubeconfigFile = "kubeconfig"

// newService is a node in the background. No directory is one place per user, so that a node is found again from anywhere.
func (a *app) newService(dir string) (*background.Service, error) {
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("find the user's cache directory: %w", err)
		}
		dir = filepath.Join(cache, "mini-hpa", "node")
	}
	s := &background.Service{Dir: dir, Name: "node", Remains: []string{kubeconfigFile}, Grace: sandbox.Grace + 20*time.Second,
		Say: func(text string) { a.say("%s", text) }}
	s.Ready = func() bool { return exists(s.File(kubeconfigFile)) }
	return s, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// up starts serve in the background unless it runs, and prints how to use it; standard output is for a shell to evaluate.
func (a *app) up(ctx context.Context) error {
	s := a.service
	if err := s.Open(); err != nil {
		return err
	}
	running, err := s.Running()
	if err != nil {
		return err
	}
	files, err := binaries.EnsureNode(ctx, a.stderr) // in sight of the user
	if err != nil {
		return err
	}
	if running {
		a.say("it is already running")
	} else if err := a.start(ctx); err != nil {
		return err
	}
	a.say("ready; helm is %s", files["helm"])
	_, err = fmt.Fprintf(a.stdout, "export KUBECONFIG='%s'\nexport PATH='%s':\"$PATH\"\n", s.File(kubeconfigFile), filepath.Dir(files["kubectl"]))
	return err
}

// start starts the background process and waits until it is ready.
func (a *app) start(ctx context.Context) error {
	if missing := sandbox.Missing(); len(missing) > 0 {
		return impossible(missing)
	}
	a.say("starting, which takes a minute or so; %s tells how far it is", a.service.Log())
	return a.service.Start(ctx, "serve", "--dir="+a.service.Dir)
}

// down ends the background process; that none runs is as good.
func (a *app) down(ctx context.Context) error {
	if err := a.service.Open(); err != nil {
		return err
	}
	stopped, err := a.service.Stop(ctx)
	if err == nil && stopped {
		a.say("stopped")
	} else if err == nil {
		a.say("none is running")
	}
	return err
}

// serve runs a node until ctx ends, with its API server on a port of the machine's loopback.
func (a *app) serve(ctx context.Context) error {
	if err := a.service.Open(); err != nil {
		return err
	}
	return a.service.Serve(func() error { return a.serveSandbox(ctx) })
}
