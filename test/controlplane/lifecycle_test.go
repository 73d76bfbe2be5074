//go:build unix

package controlplane

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mini-hpa/mini-hpa/test/child"
)

func TestParallelClustersAreStrangersAndLeaveNothing(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	clusters := make([]*Cluster, 2)
	var wait sync.WaitGroup
	for i := range clusters {
		wait.Go(func() {
			var err error
			if clusters[i], err = Run(t.Context(), Options{}); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if t.Failed() {
		t.FailNow()
	}
	first, second := clientOf(t, clusters[0].Kubeconfig()), clientOf(t, clusters[1].Kubeconfig())
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "only-here"}}
	if _, err := first.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := second.CoreV1().Namespaces().Get(t.Context(), "only-here", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the other cluster says %v, want not found", err)
	}
	for _, c := range clusters {
		f := footprintOf(c)
		if f.inUse() == nil || len(f.Pids) != len(components()) {
			t.Errorf("the running cluster's footprint is %+v", f)
		}
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
		if err := f.free(); err != nil {
			t.Errorf("after Stop: %v", err)
		}
	}
	checkStopped(t, clusters[0])
}

func checkStopped(t *testing.T, c *Cluster) {
	t.Helper()
	if err := c.Stop(); err != nil {
		t.Errorf("a second stop: %v", err)
	}
	if err := c.Kill(Etcd); err == nil || !strings.Contains(err.Error(), "has been stopped") {
		t.Errorf("kill after stop: %v", err)
	}
	if err := c.Restart(Etcd); err == nil || !strings.Contains(err.Error(), "has been stopped") {
		t.Errorf("restart after stop: %v", err)
	}
}

// A parallel cluster may take a port between the choice and its use. Components that end later are told by Stop.
func TestTakenPortAndFallenComponent(t *testing.T) {
	taken, err := listenSomewhere()
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	attempts := 0
	choose := func() (ports, error) {
		attempts++
		chosen, err := freePorts()
		if attempts == 1 {
			chosen.peer = taken.Addr().(*net.TCPAddr).Port
		}
		return chosen, err
	}
	var out bytes.Buffer
	c, err := run(t.Context(), Options{Out: &out, Dir: t.TempDir()}, choose)
	if err != nil {
		t.Fatal(err)
	}
	if attempts != 2 || !strings.Contains(out.String(), "trying again with other ports: start the components: etcd ended by itself") {
		t.Errorf("%d attempts, it said\n%s", attempts, &out)
	}

	scheduler, f := c.processes[Scheduler], footprintOf(c)
	if err := syscall.Kill(scheduler.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-scheduler.Ended()
	err = c.Stop()
	if !errorIs[*child.FallenError](err) || !strings.Contains(err.Error(), "kube-scheduler ended by itself (signal: killed)") {
		t.Errorf("Stop says %v, want that the scheduler ended", err)
	}
	if err := f.inUse(); err != nil {
		t.Errorf("after Stop: %v", err)
	}
	if log, err := os.ReadFile(filepath.Join(c.Dir(), "kube-apiserver.log")); err != nil || len(log) == 0 {
		t.Errorf("the log of the API server in the caller's directory has %d bytes, %v", len(log), err)
	}
}

func TestFailedStartLeavesNothing(t *testing.T) {
	tests := map[string]struct {
		args      map[Component][]string
		interrupt bool
		want      []string
	}{
		"a component dies":  {args: map[Component][]string{Etcd: {"--nonsense"}}, want: []string{"etcd ended by itself", "nonsense"}},
		"it is interrupted": {interrupt: true, want: []string{"context canceled"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TMPDIR", t.TempDir())
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var tried []footprint
			choose := func() (ports, error) {
				if test.interrupt {
					cancel()
				}
				chosen, err := freePorts()
				tried = append(tried, footprintOf(&Cluster{ports: chosen}))
				return chosen, err
			}
			_, err := run(ctx, Options{Out: &bytes.Buffer{}, Args: test.args}, choose)
			for _, want := range test.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want an error with %q", err, want)
				}
			}
			for _, f := range tried {
				if err := f.inUse(); err != nil {
					t.Error(err)
				}
			}
			if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "*")); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

func TestNoPortIsNoStart(t *testing.T) {
	none := errors.New("no port is free")
	_, err := run(t.Context(), Options{}, func() (ports, error) { return ports{}, none })
	if !errors.Is(err, none) {
		t.Errorf("got %v, want %v", err, none)
	}
}
