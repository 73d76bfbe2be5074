//go:build linux

package story

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mini-hpa/mini-hpa/test/await"
)

const (
	// patience bounds every wait. It is far longer than any of them takes, so that a busy machine fails nothing.
	patience = 8 * time.Minute
	interval = 250 * time.Millisecond
)

func (d *director) kubectl(ctx context.Context, args ...string) (string, error) {
	return d.run(ctx, "kubectl", args...)
}

func (d *director) helm(ctx context.Context, args ...string) (string, error) {
	return d.run(ctx, "helm", args...)
}

// environment is ours without what kubectl and Helm would take from it: the user's kubeconfig, Helm's settings and its plugins.
func environment(kubeconfig, home string) []string {
	env := slices.DeleteFunc(os.Environ(), func(entry string) bool {
		return strings.HasPrefix(entry, "HELM_") || strings.HasPrefix(entry, "KUBE")
	})
	return append(env, "KUBECONFIG="+kubeconfig, "HOME="+home, "XDG_CACHE_HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_DATA_HOME="+home)
}

// run runs a program as an administrator at a terminal would; the error carries what it said.
func (d *director) run(ctx context.Context, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, d.Programs[program], args...)
	cmd.Env = environment(d.Cluster.Kubeconfig(), filepath.Join(d.dir, "home"))
	var out, complaints strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		said := strings.TrimSpace(complaints.String() + "\n" + out.String())
		return out.String(), fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, said)
	}
	return out.String(), nil
}

// eventually waits until the check holds; the answer of the last one says what is still amiss.
func (d *director) eventually(ctx context.Context, what string, check func(ctx context.Context) error) error {
	if err := await.Within(ctx, patience, interval, check); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
