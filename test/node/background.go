//go:build linux

package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/mini-hpa/mini-hpa/test/background"
	"github.com/mini-hpa/mini-hpa/test/controlplane/binaries"
	"github.com/mini-hpa/mini-hpa/test/node/machine"
	"github.com/mini-hpa/mini-hpa/test/node/sandbox"
)

// kubeconfigFile appears when the node in the background is ready.
const kubeconfigFile = "kubeconfig"

// newService is a node in the background.
func (a *app) newService(dir string) *background.Service {
	return &background.Service{Dir: dir, Name: "node", ReadyFile: kubeconfigFile, Grace: sandbox.Grace + 20*time.Second,
		Say: func(text string) { a.say("%s", text) }}
}

// up starts serve in the background unless it runs, and prints how to use it; standard output is for a shell to evaluate.
func (a *app) up(ctx context.Context) error {
	files, err := binaries.EnsureNode(ctx, a.stderr) // in sight of the user
	if err != nil {
		return err
	}
	if err := a.service.Up(ctx, func() error { return a.start(ctx) }); err != nil {
		return err
	}
	a.say("ready; helm is %s, and mini-hpa's image %s:v%s", files["helm"], machine.ImageRepository, machine.Version)
	_, err = fmt.Fprintf(a.stdout, "export KUBECONFIG='%s'\nexport PATH='%s':\"$PATH\"\n", a.service.File(kubeconfigFile), filepath.Dir(files["kubectl"]))
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

func (a *app) down(ctx context.Context) error { return a.service.Down(ctx) }

// serve runs a node until ctx ends, with its API server on a port of the machine's loopback.
func (a *app) serve(ctx context.Context) error {
	return a.service.Serve(func() error { return a.serveSandbox(ctx) })
}
