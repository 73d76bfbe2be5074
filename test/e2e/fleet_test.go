package e2e

import (
	"context"
	"errors"
	"flag"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/google/go-cmp/cmp"
)

var updateFleet = flag.Bool("update-fleet", false, "write testdata/fleet.txt and testdata/fleet-down.txt instead of comparing with them")

// getFleet is "mini-hpa get" in the hands of a user.
func getFleet(ctx context.Context, t *testing.T, kubeconfig string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := exec.CommandContext(ctx, program, append([]string{"get", "--kubeconfig", kubeconfig}, args...)...)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out), complaints.String()
}

// masked is a table without what is another one each time: how long ago something was, and what a load has come to at the moment.
func masked(t *testing.T, table string) string {
	host, _ := os.Hostname()
	for _, mask := range [][2]string{
		{regexp.QuoteMeta(host), "HOST"}, {`[0-9]+s ago`, "AGE ago"}, {`metrics [0-9hms]+ old`, "metrics AGE old"}, {`since [0-9:]{8}`, "since TIME"},
		{`[0-9]+s \(`, "AGE ("}, {`it ends in [0-9hms]+`, "it ends in TIME"}, {regexp.QuoteMeta(strings.ToLower(t.Name())), "test"}, {` {2,}`, "  "},
		// How far the quota lets it get first depends on when its pods come.
		{`(starved  cpu: )[0-9]+(%/50%  1  10)  [0-9]+  3  [0-9]+`, "${1}MORE$2  N  3  N"}, {`AGE \([0-9]+->[0-9]+\)`, "AGE (N->N)"}, {`[0-9]+ of [0-9]+ replicas`, "N of N replicas"},
		{`starved-[0-9a-z]+-[0-9a-z]+`, "starved-POD"},
	} {
		table = regexp.MustCompile(mask[0]).ReplaceAllString(table, mask[1])
	}
	return table
}

// TestFleet: one workload in each state that can be brought about here, as the leader says it; then the leader is killed; and a user who may see one namespace.
func TestFleet(t *testing.T) {
	w := isolated(t, samplePeriod)
	shop, tight := w.namespace(t), w.namespace(t, "-tight")
	address := freeAddress(t)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	cpu := func(pairs ...string) map[string]string {
		all := map[string]string{"target-cpu": "50", "max": "10", "sync-period": "1s"}
		for i := 0; i < len(pairs); i += 2 {
			all[pairs[i]] = pairs[i+1]
		}
		return all
	}
	if _, err := w.client.CoreV1().ResourceQuotas(tight).Create(t.Context(), &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "q"},
		Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("3")}}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	w.deploy(t, shop, "fine", 2, 1000, cpu())
	w.deploy(t, shop, "limited", 2, 4000, cpu("max", "2"))
	w.deploy(t, shop, "observed", 2, 4000, cpu("mode", "observe"))
	w.deploy(t, shop, "paused", 2, 4000, cpu("mode", "paused"))
	w.deploy(t, shop, "invalid", 1, 500, map[string]string{"target-cpu": "fifty", "max": "10"})
	conflict := w.deploy(t, shop, "conflict", 1, 500, cpu())
	if _, err := w.client.AutoscalingV2().HorizontalPodAutoscalers(shop).Create(t.Context(), &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Name: "conflict"},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{MaxReplicas: 1, ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: conflict.name}}},
		metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	w.deploy(t, shop, "off", 1, 500, cpu())
	if _, err := w.client.AppsV1().Deployments(shop).Patch(t.Context(), "off", types.MergePatchType, []byte(`{"spec":{"replicas":0}}`), metav1.PatchOptions{FieldManager: "kubectl"}, "scale"); err != nil {
		t.Fatal(err)
	}
	w.deploy(t, tight, "starved", 2, 4000, cpu())
	c := newController(t)
	c.lead(w, "--leader-elect-resource-namespace", shop, "--state-bind-address", address)
	admin := adminKubeconfig(t, w)
	args := []string{"-A", "--controller", shop + "/mini-hpa", "--state-port", port}
	states := "CONFLICT OK INVALID LIMITED OBSERVE OFF PAUSED STARVED"
	eventually(t, "each workload in its state", func(ctx context.Context) (bool, string) {
		_, stdout, stderr := getFleet(ctx, t, admin, append(args, "-o", "jsonpath={.items[*].state}")...)
		return strings.TrimSpace(stdout) == states, stdout + stderr
	})
	code, stdout, stderr := getFleet(t.Context(), t, admin, args...)
	if code != 0 || stderr != "" {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	goldenFleet(t, "fleet.txt", stdout)
	if code, _, _ := getFleet(t.Context(), t, admin, append(args, "--problem")...); code != 1 {
		t.Errorf("with problems the exit code is %d, want 1", code)
	}
	if code, stdout, stderr := getFleet(t.Context(), t, guest(t, w, shop), "-n", shop, "fine", "--controller", shop+"/mini-hpa", "--state-port", port); code != 0 ||
		!strings.HasPrefix(stdout, "source: computed here; it is not known whether a controller leads: the Lease ") || !strings.Contains(stdout, "cpu: 50%/50%") {
		t.Errorf("a user of one namespace: exit code %d\n%s%s", code, stdout, stderr)
	}
	if code, _, stderr := getFleet(t.Context(), t, guest(t, w, tight), "-A"); code != 1 || !strings.Contains(stderr, "not all namespaces are known to you; name one with -n") {
		t.Errorf("a user of one namespace asks for all: exit code %d, %s", code, stderr)
	}
	c.kill()
	eventually(t, "nobody leads", func(ctx context.Context) (bool, string) {
		_, stdout, _ := getFleet(ctx, t, admin, args...)
		return strings.Contains(stdout, "no controller leads since"), stdout
	})
	_, stdout, _ = getFleet(t.Context(), t, admin, args...)
	goldenFleet(t, "fleet-down.txt", stdout)
}

// goldenFleet compares a table with a file.
func goldenFleet(t *testing.T, name, table string) {
	t.Helper()
	path, got := filepath.Join("testdata", name), masked(t, table)
	if *updateFleet {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// adminKubeconfig is that of somebody who may do everything.
func adminKubeconfig(t *testing.T, w *world) string {
	t.Helper()
	path, err := w.cluster.KubeconfigFor("fleet-admin", "system:masters")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// guest is the kubeconfig of somebody who may view one namespace, samples included, and nothing of others.
func guest(t *testing.T, w *world, namespace string) string {
	t.Helper()
	name := "guest-of-" + namespace
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{"", "apps", "autoscaling", "metrics.k8s.io"}, Resources: []string{"*"}, Verbs: []string{"get", "list", "watch"}}}}
	if _, err := w.client.RbacV1().Roles(namespace).Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	binding := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}}}
	if _, err := w.client.RbacV1().RoleBindings(namespace).Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	path, err := w.cluster.KubeconfigFor(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
