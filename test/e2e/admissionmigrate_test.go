package e2e

import (
	"context"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// beside is an HPA for the Deployment web, with the label by which kubectl prunes.
const beside = `---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: web
  labels: {app: web}
spec:
  maxReplicas: 5
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  metrics:
  - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}
`

// migrates replaces an HPA with annotations, and an annotated Deployment with an HPA, as each tool does it: what is applied first is the
// Deployment, and the HPA goes, or comes, afterwards.
func (a *admission) migrates(t *testing.T) {
	t.Parallel()
	before := strings.Replace(strings.Replace(plain, "  paused: true\n", "", 1), "  name: web\n", "  name: web\n  labels: {app: web}\n", 1)
	after := annotated(before)
	const prune = "apply --prune -l app=web --prune-allowlist=apps/v1/Deployment --prune-allowlist=autoscaling/v2/HorizontalPodAutoscaler -f -"
	for name, tool := range map[string]struct {
		apply  string
		prunes bool
	}{
		"migrate-apply":             {"apply -f -", false},
		"migrate-apply-prune":       {prune, true},
		"migrate-server-side-apply": {"apply --server-side --force-conflicts -f -", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ns := a.space(t, name, true)
			a.awaitRefusal(t, ns)
			do := func(manifest string) said {
				return a.kubectl(t, manifest, append([]string{"-n", ns}, strings.Fields(tool.apply)...)...)
			}
			if s := do(before + beside); s.code != 0 {
				t.Fatal(s)
			}
			a.awaitRival(t, ns, true)
			if s := do(after); s.code != 0 || s.verdict() != warned || !strings.Contains(s.err, `HorizontalPodAutoscaler "web" already scales this Deployment`) {
				t.Errorf("the annotations come while the HPA is there: %s", s)
			}
			a.wantAnnotated(t, ns, true)
			if !tool.prunes {
				a.must(t, "", "-n", ns, "delete", "hpa", "web")
			}
			if _, err := a.client.AutoscalingV2().HorizontalPodAutoscalers(ns).Get(t.Context(), "web", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
				t.Errorf("the HPA is still there: %v", err)
			}
			a.awaitRival(t, ns, false)
			if s := do(after); s.verdict() != accepted {
				t.Errorf("the next release: %s", s)
			}
			if s := do(before + beside); s.code != 0 { // and back: the annotations go with the same release
				t.Errorf("back to an HPA: %s", s)
			}
			a.wantAnnotated(t, ns, false)
		})
	}
}

// awaitRival returns when the webhook knows that there is an HPA, or that there is none.
func (a *admission) awaitRival(t *testing.T, ns string, want bool) {
	t.Helper()
	eventually(t, "the webhook knows what scales", func(context.Context) (bool, string) {
		s := a.kubectl(t, "", "-n", ns, "annotate", "deployment", "web", "--dry-run=server", "--overwrite", "mini-hpa/target-cpu=50", "mini-hpa/max=7")
		return s.code == 0 && strings.Contains(s.err, "already scales") == want, s.String()
	})
}

func (a *admission) wantAnnotated(t *testing.T, ns string, want bool) {
	t.Helper()
	d, err := a.client.AppsV1().Deployments(ns).Get(t.Context(), "web", metav1.GetOptions{})
	if err != nil || (d.Annotations["mini-hpa/max"] != "") != want {
		t.Errorf("annotations %v, want mini-hpa's: %t (%v)", d.Annotations, want, err)
	}
}
