//go:build unix

package controlplane

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/mini-hpa/mini-hpa/test/child"
	"github.com/mini-hpa/mini-hpa/test/controlplane/binaries"
)

// Options describe a cluster. The zero value is a cluster with one node in a temporary directory.
type Options struct {
	Dir     string                 // holds data, certificates and logs; must be empty; "" = temporary, removed by Stop
	Audit   bool                   // write AuditLog
	Out     io.Writer              // is told how the first build goes, and why a start is tried again; nil = os.Stderr
	Nodes   int                    // KWOK nodes, each big enough for every pod of a test; 0 = 1, < 0 = none, nor KWOK
	Address string                 // IP address of this machine under which pods of real nodes reach the API server; "" = on loopback only
	Args    map[Component][]string // further command-line flags; a later flag wins over an earlier one
}

// Cluster is a running control plane. Its methods may be called from several goroutines.
type Cluster struct {
	options   Options
	files     binaries.Files
	home      *home
	dir       string
	authority *authority
	ports     ports
	admin     *rest.Config

	mu        sync.Mutex                   // held during every change of the processes
	processes map[Component]*child.Process // started and not stopped by us; may have ended
	stopped   bool
}

// Start runs a cluster for a test and stops it when the test and its subtests are over. It fails the test if the cluster cannot be
// started or if one of its components ended by itself.
func Start(t testing.TB, o Options) *Cluster {
	t.Helper()
	c, err := Run(t.Context(), o)
	if err != nil {
		t.Fatalf("start a control plane: %v", err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Errorf("stop the control plane: %v", err)
		}
	})
	return c
}

// Run starts a cluster and returns when pods can be created and run. Programs that are missing are built first, which takes minutes,
// once. The end of ctx ends the start only; the caller ends the cluster with Stop.
func Run(ctx context.Context, o Options) (*Cluster, error) {
	return run(ctx, o, freePorts)
}

// run is Run with a choice of ports.
func run(ctx context.Context, o Options, choose func() (ports, error)) (*Cluster, error) {
	if o.Address != "" && net.ParseIP(o.Address) == nil {
		return nil, fmt.Errorf("the cluster's address must be an IP address, got %.64q", o.Address)
	}
	o.Nodes = cmp.Or(o.Nodes, 1)
	o.Out = cmp.Or[io.Writer](o.Out, os.Stderr)
	files, err := binaries.Ensure(ctx, o.Out)
	if err != nil {
		return nil, err
	}
	c, err := prepare(o, files)
	if err != nil {
		return nil, err
	}
	if err := c.launchSomehow(ctx, choose); err != nil {
		return nil, errors.Join(err, c.release(0))
	}
	return c, nil
}

// prepare makes the directory and what is in it before anything runs.
func prepare(o Options, files binaries.Files) (*Cluster, error) {
	home, err := openHome(o.Dir)
	if err != nil {
		return nil, err
	}
	authority, err := writeIdentities(home.path, o.Address)
	if err == nil {
		err = writeFiles(home.path, map[string][]byte{auditPolicyFile: []byte(auditPolicy)})
	}
	if err != nil {
		return nil, errors.Join(err, home.close())
	}
	return &Cluster{
		options: o, files: files, home: home, dir: home.path, authority: authority,
		processes: map[Component]*child.Process{},
	}, nil
}

// Dir is the cluster's directory: NAME.log of every component, certificates, data.
func (c *Cluster) Dir() string { return c.dir }

// Kubectl is the path of a kubectl of the cluster's version.
func (c *Cluster) Kubectl() string { return c.files["kubectl"] }

func (c *Cluster) stages() string { return c.files[binaries.Stages] }

func (c *Cluster) notRunning(component Component) error {
	if c.stopped {
		return errors.New("the cluster has been stopped")
	}
	return fmt.Errorf("%s is not running", component)
}
