package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// exports runs mini-hpa export for an administrator, and returns which HPAs of a namespace it writes, by what they scale.
func exports(t *testing.T, ns string, args ...string) (targets []string, code int, told string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, append([]string{"export", "--kubeconfig", adminKubeconfig(t, shared)}, args...)...)
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	_ = cmd.Run() // other tests' workloads have what is lost; the exit code says so
	for document := range strings.SplitSeq(out.String(), "\n---\n") {
		var hpa struct {
			Metadata struct{ Namespace string }
			Spec     struct{ ScaleTargetRef struct{ Kind, Name string } }
		}
		if err := yaml.Unmarshal([]byte(document), &hpa); err != nil {
			t.Fatal(err)
		}
		if hpa.Metadata.Namespace == ns {
			targets = append(targets, hpa.Spec.ScaleTargetRef.Kind+"/"+hpa.Spec.ScaleTargetRef.Name)
		}
	}
	return targets, cmd.ProcessState.ExitCode(), err.String()
}

// TestExportOfDeployments: a Deployment is one HPA, although the Deployment controller has copied its annotations to a ReplicaSet of each revision.
func TestExportOfDeployments(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	web := shared.deploy(t, ns, "web", 2, 1000, map[string]string{"target-cpu": "50", "max": "10"})
	web.patch(map[string]any{"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{"labels": map[string]any{"release": "two"}}}}})
	replicaSet := ""
	eventually(t, "there are two annotated ReplicaSets", func(ctx context.Context) (bool, string) {
		all, err := shared.client.AppsV1().ReplicaSets(ns).List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err.Error()
		}
		annotated := 0
		for i := range all.Items {
			if replicaSet = all.Items[i].Name; all.Items[i].Annotations["mini-hpa/max"] == "10" {
				annotated++
			}
		}
		return annotated == 2, fmt.Sprintf("%d of %d", annotated, len(all.Items))
	})
	for _, args := range [][]string{{"-A"}, {"deploy", "rs", "-n", ns}} {
		if targets, _, told := exports(t, ns, args...); strings.Join(targets, " ") != "Deployment/web" || strings.Contains(told, replicaSet) {
			t.Errorf("export %s: %q, want the Deployment alone\n%s", strings.Join(args, " "), targets, told)
		}
	}
	if targets, code, told := exports(t, ns, "rs", "-n", ns); len(targets) > 0 || code != 2 || !strings.Contains(told, "that is scaled itself; 2 objects are annotated and part of another workload") {
		t.Errorf("export rs: %q, exit code %d\n%s", targets, code, told)
	}
	if targets, code, told := exports(t, ns, "rs/"+replicaSet, "-n", ns); len(targets) > 0 || code != 1 || !strings.Contains(told, `"Deployment web" controls it, so that mini-hpa never scales it, and no HPA is made`) {
		t.Errorf("export rs/%s: %q, exit code %d\n%s", replicaSet, targets, code, told)
	}
}
