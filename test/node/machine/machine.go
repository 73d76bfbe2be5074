//go:build linux

package machine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/mini-hpa/mini-hpa/test/controlplane"
	"github.com/mini-hpa/mini-hpa/test/controlplane/binaries"
	"github.com/mini-hpa/mini-hpa/test/node/sandbox"
)

const clusterDir = "cluster"

// Machine is a running cluster of one real node.
type Machine struct {
	Cluster  *controlplane.Cluster
	Client   kubernetes.Interface // cluster-admin
	Programs binaries.Files       // "kubectl", "helm", "mini-hpa" ...

	dir      string
	options  Options
	settings settings
	out      io.Writer
	began    time.Time
}

// Options are what a node may have otherwise. The zero value is the usual one.
type Options struct {
	// Mode is kube-proxy's: iptables, or Nftables.
	Mode string
	// Late says how late kube-proxy learns of each change of an EndpointSlice, by the line of JSON that tells of it; nil if it is never late.
	Late func(event []byte) time.Duration
}

// stage is one step of the start.
type stage struct {
	what string
	run  func(ctx context.Context) error
}

// Start runs the node in the sandbox that the caller is in, with what Images.Build has put into its directory, and returns when
// pods run and the metrics API has samples. There is nothing to stop: all of it ends with the sandbox.
func Start(ctx context.Context, dir string, o Options, out io.Writer) (*Machine, error) {
	m := &Machine{dir: dir, options: o, out: out, began: time.Now()}
	for _, s := range []stage{
		{"directories", m.makeDirs},
		{"control plane", m.startControlPlane},
		{"name server", m.startNames},
		{"registry with the image of a release", m.startRegistry},
		{"containerd with the images", m.startContainerd},
		{"kubelet", m.startKubelet},
		{"kube-proxy", m.startProxy},
		{"metrics-server", m.startMetrics},
	} {
		if err := s.run(ctx); err != nil {
			return nil, fmt.Errorf("start the node's %s: %w", s.what, err)
		}
		fmt.Fprintf(out, "%5.1fs  %s\n", time.Since(m.began).Seconds(), s.what)
	}
	return m, nil
}

func (m *Machine) makeDirs(context.Context) error {
	var err error
	if m.settings, err = newSettings(m.dir, m.options); err != nil {
		return err
	}
	var errs []error
	for _, name := range []string{"logs", "cni", "pods", "kubelet", "volume-plugins", registryDir} {
		errs = append(errs, os.MkdirAll(filepath.Join(m.dir, name), 0o755))
	}
	// Beside the cluster's own name server there is none: nothing outside exists.
	errs = append(errs, os.WriteFile(filepath.Join(m.dir, "resolv.conf"), nil, 0o600))
	return errors.Join(errs...)
}

func (m *Machine) startControlPlane(ctx context.Context) (err error) {
	if m.Programs, err = binaries.EnsureNode(ctx, m.out); err != nil { // built before; this finds them
		return err
	}
	m.Programs[program] = filepath.Join(m.dir, imagesDir, program)
	m.Cluster, err = controlplane.Run(ctx, controlplane.Options{
		Dir: m.settings.Cluster, Audit: true, Nodes: -1, Address: sandbox.Address, Out: m.out,
	})
	if err != nil {
		return err
	}
	m.Client, err = kubernetes.NewForConfig(m.Cluster.Config())
	return err
}
