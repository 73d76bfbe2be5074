//go:build unix

package main

import (
	"bytes"
	"context"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

func TestUpAndDown(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "it's here")
	t.Cleanup(func() { invoke(context.Background(), "down", "--dir", dir) })
	up := invoke(t.Context(), "up", "--dir", dir, "--nodes=2", "--audit")
	up.expect(t, 0, "starting in", "ready; kubectl is /")
	kubeconfig := filepath.Join(dir, "cluster", "kubeconfig")
	if got := evaluated(t, up.stdout, "KUBECONFIG"); got != kubeconfig {
		t.Errorf("KUBECONFIG is %q, want %q", got, kubeconfig)
	}
	host := checkCluster(t, kubeconfig)

	again := invoke(t.Context(), "up", "--dir", dir)
	again.expect(t, 0, "already running")
	if diff := cmp.Diff(up.stdout, again.stdout); diff != "" {
		t.Errorf("output (-first +second):\n%s", diff)
	}
	invoke(t.Context(), "serve", "--dir", dir).expect(t, exitFailure, "already running")
	env := invoke(t.Context(), "env", "--dir", dir)
	env.expect(t, 0)
	path, _, _ := strings.Cut(evaluated(t, env.stdout, "PATH"), ":")
	if _, err := os.Stat(filepath.Join(path, "kubectl")); err != nil {
		t.Errorf("kubectl is not first in PATH: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "cluster", "audit.log")); err != nil {
		t.Error(err)
	}

	invoke(t.Context(), "down", "--dir", dir).expect(t, 0, "stopped")
	if connection, err := net.Dial("tcp", host); err == nil {
		_ = connection.Close()
		t.Errorf("%s still answers", host)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "cluster")); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	invoke(t.Context(), "down", "--dir", dir).expect(t, 0, "none is running")
	invoke(t.Context(), "env", "--dir", dir).expect(t, exitFailure, "none is running")
}

// evaluated is the value of a variable once a shell has evaluated the output.
func evaluated(t *testing.T, output, variable string) string {
	t.Helper()
	value, err := exec.CommandContext(t.Context(), "/bin/sh", "-c", output+"\nprintf %s \"$"+variable+"\"").Output()
	if err != nil {
		t.Fatalf("the shell refuses %q: %v", output, err)
	}
	return string(value)
}

// checkCluster uses the cluster and its metrics API, and returns its address.
func checkCluster(t *testing.T, kubeconfig string) string {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	nodes, err := client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil || len(nodes.Items) != 2 {
		t.Errorf("%d nodes, %v; want 2", len(nodes.Items), err)
	}
	if _, err := client.Discovery().ServerResourcesForGroupVersion("metrics.k8s.io/v1beta1"); err != nil {
		t.Errorf("the metrics API: %v", err)
	}
	address, err := url.Parse(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	return address.Host
}

// brokenAssets holds an etcd that is only a shell script.
func brokenAssets(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "etcd"), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBEBUILDER_ASSETS", dir)
}

func TestFailedUpSaysWhy(t *testing.T) {
	brokenAssets(t, "echo this disk is on fire; exit 7")
	dir := t.TempDir()
	got := invoke(t.Context(), "up", "--dir", dir)
	got.expect(t, exitFailure, "did not start (exit status 1)", "etcd ended by itself (exit status 7)", "this disk is on fire")
	if got.stdout != "" {
		t.Errorf("a shell would evaluate %q", got.stdout)
	}
	invoke(t.Context(), "down", "--dir", dir).expect(t, 0, "none is running")
}

// canceller is an output that cancels a context once a word is said.
type canceller struct {
	bytes.Buffer
	word   string
	cancel func()
}

func (c *canceller) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(c.word)) {
		c.cancel()
	}
	return c.Buffer.Write(p)
}

func TestInterruptedUpLeavesNothing(t *testing.T) {
	brokenAssets(t, "exec sleep 600")
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stderr := &canceller{word: "starting in", cancel: cancel}
	if code := run(ctx, []string{"up", "--dir", dir}, &bytes.Buffer{}, stderr); code != exitFailure || !strings.Contains(stderr.String(), "interrupted") {
		t.Errorf("exit code %d, it said\n%s", code, stderr)
	}
	invoke(t.Context(), "down", "--dir", dir).expect(t, 0, "none is running")
}
