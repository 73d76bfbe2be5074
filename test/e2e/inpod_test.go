package e2e

import (
	"context"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// TestInAPodOfTheController: whoever has kubectl alone asks by kubectl exec, hence with the rights of the controller and no others. In the pod that leads, the
// controller tells what it has decided; in the other one the same is computed, of every kind, and the first line says so.
func TestInAPodOfTheController(t *testing.T) {
	t.Parallel()
	ns, kind := shared.namespace(t), shared.define(t, trains(t, "exec.example.com"))
	shared.permit(t, kind)
	address := freeAddress(t)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	pairs := map[string]string{"target-cpu": "50%", "max": "10"}
	kinds := map[string]annotations.Kind{"deploy": deployments, "sts": statefulSets, "rs": replicaSets, kind.GroupResource().String(): kind}
	for of, kind := range kinds {
		each := pairs
		if of == kind.GroupResource().String() { // it has no template of pods, and so no requests that are known
			each = map[string]string{"target-cpu": "500m", "max": "10"}
		}
		shared.run(t, kind, ns, "web", 2, 1000, each)
	}
	c := newController(t)
	c.env = []string{"POD_NAME=mini-hpa-leads"}
	c.lead(shared, "--namespace", ns, "--leader-elect-resource-namespace", ns, "--state-bind-address", address, named(kind))
	shared.awaitLeader(t, ns)
	in := func(ctx context.Context, pod string, args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, program, append(args, "--kubeconfig", shared.kubeconfig, "-n", ns, "--controller", ns+"/mini-hpa", "--state-port", port)...)
		cmd.Env = append(os.Environ(), "POD_NAME="+pod)
		said, err := cmd.CombinedOutput()
		return string(said), err
	}
	for pod, source := range map[string]string{
		"mini-hpa-leads":  "source: leader mini-hpa-leads, ",
		"mini-hpa-stands": "source: computed here; the leader mini-hpa-leads cannot be asked: ",
	} {
		for of := range kinds {
			eventually(t, "in "+pod+" "+of+"/web is explained", func(ctx context.Context) (bool, string) {
				said, err := in(ctx, pod, "explain", of+"/web", named(kind))
				return err == nil && strings.HasPrefix(said, source) && strings.Contains(said, "/web: stay at 2 replicas\n"), said
			})
		}
		eventually(t, "in "+pod+" all are listed", func(ctx context.Context) (bool, string) {
			args := []string{"get"}
			if pod != "mini-hpa-leads" {
				args = append(args, named(kind))
			}
			said, err := in(ctx, pod, args...)
			lines := strings.Split(said, "\n")
			return err == nil && strings.HasPrefix(said, source) && len(lines) > 5 && !slices.ContainsFunc(lines[2:6], func(line string) bool { return !strings.Contains(line, "  OK  ") }), said
		})
	}
	if said, err := in(t.Context(), "mini-hpa-stands", "history", "deploy/web"); err == nil || !strings.Contains(said, "events is forbidden") {
		t.Errorf("history, of which the other pod knows nothing: %v\n%s", err, said)
	}
}
