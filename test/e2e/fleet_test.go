package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
)

// getFleet is "mini-hpa get" in the hands of a user.
func getFleet(ctx context.Context, t *testing.T, kubeconfig string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return asks(ctx, t, kubeconfig, append([]string{"get"}, args...)...)
}

// asks is mini-hpa in the hands of a user.
func asks(ctx context.Context, t *testing.T, kubeconfig string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := exec.CommandContext(ctx, program, append(args, "--kubeconfig", kubeconfig)...)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if ctx.Err() != nil { // whoever waited for something tells what he has seen
		return -1, string(out), ctx.Err().Error()
	}
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out), complaints.String()
}

// masked is what a command says without what is another thing each time: how long ago something was, and what a load has come to at the moment.
func masked(t *testing.T, text string) string {
	host, _ := os.Hostname()
	for _, mask := range [][2]string{
		{regexp.QuoteMeta(host), "HOST"}, {`[0-9][0-9hms.]* ago`, "AGE ago"}, {`metrics [0-9hms]+ old`, "metrics AGE old"}, {`sample [0-9hms]+ old`, "sample AGE old"}, {`since [0-9:]{5,8}`, "since TIME"},
		{`[0-9]+m?[0-9]*s? \(([0-9]+->[0-9]+)\)`, "AGE ($1)"}, {`it ends in [0-9hms]+`, "it ends in TIME"}, {regexp.QuoteMeta(strings.ToLower(t.Name())), "test"}, {` {2,}`, "  "},
		{`as for [0-9hms]+ now`, "as for TIME now"}, {`for [0-9hms.]+ now`, "for TIME now"}, {`in ([0-9]+m)?[0-9.]+m?s\b`, "in TIME"},
		// How far the quota lets it get first depends on when its pods come.
		{`(starved  cpu: 133%/50%  1  10)  [0-9]+  3  [0-9]+`, "${1}  N  3  N"}, {`(starved.*STARVED.*)AGE \([0-9]+->[0-9]+\)`, "${1}AGE (N->N)"}, {`[0-9]+ of [0-9]+ (replicas do not come, because their pods cannot be created)`, "N of N $1"},
		{`(starved: stay at) [0-9]+ (.*\n.*\(3 of) [0-9]+`, "$1 N $2 N"}, {`starved-[0-9a-z]+-[0-9a-z]+`, "starved-POD"},
		// It has got its pods back in one step or in two, as the first sample has shown.
		{`(overwritten.*)AGE \([0-9]+->4\)`, "${1}AGE (N->4)"},
	} {
		text = regexp.MustCompile(mask[0]).ReplaceAllString(text, mask[1])
	}
	return text
}

// settles waits until a command says what a golden file has, but for what is masked, because a state comes before the numbers that belong to it do: the load of
// pods that have just come is spread by and by. With -update it waits until the command has said the same for five sets of samples, and writes that.
func settles(t *testing.T, file string, say func(ctx context.Context) string) {
	t.Helper()
	want, err := os.ReadFile(goldenPath(file))
	if err != nil && !*update {
		t.Fatal(err)
	}
	var last string
	var since time.Time
	_ = wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) { // golden tells what is different then
		now := masked(t, say(ctx))
		switch {
		case ctx.Err() != nil: // it was cut off
			return false, ctx.Err()
		case now != last:
			last, since = now, time.Now()
		}
		return last == string(want) || *update && time.Since(since) > 5*samplePeriod, nil
	})
	golden(t, file, last)
}

// gathering is a fleet with a workload in each state that can be brought about here, and one of each incident that a night may bring.
func gathering(t *testing.T, w *world, shop, tight string) {
	t.Helper()
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
	w.setQueue("fleet-idle", 0)
	w.setQueue("fleet-busy", 250)
	w.refuseScales(t, shop, "denied")
	w.deploy(t, shop, "fine", 2, 1000, cpu())
	w.deploy(t, shop, "limited", 2, 4000, cpu("max", "2"))
	w.deploy(t, shop, "observed", 2, 4000, cpu("mode", "observe"))
	w.deploy(t, shop, "paused", 2, 4000, cpu("mode", "paused"))
	w.deploy(t, shop, "invalid", 1, 500, map[string]string{"target-cpu": "fifty", "max": "10"})
	w.deploy(t, shop, "hostile", 1, 500, map[string]string{"target-cpu": "<script>alert(1)</script>\x1b[2J\x1b]0;owned\a", "max": "10"})
	w.deploy(t, shop, "held", 4, 1000, cpu())
	w.deploy(t, shop, "denied", 2, 4000, cpu("max", "4"))
	w.deploy(t, shop, "ramping", 2, 4000, cpu("scale-up-policies", "1 pods/30m"))
	w.deploy(t, shop, "overwritten", 4, 2000, cpu())
	w.deploy(t, shop, "blind", 2, 0, asking(external("fleet-absent", "100"), nil))
	w.deploy(t, shop, "asleep", 1, 0, sleepy("fleet-idle", nil))
	w.deploy(t, shop, "woken", 0, 0, sleepy("fleet-busy", nil))
	conflict := w.deploy(t, shop, "conflict", 1, 500, cpu())
	if _, err := w.client.AutoscalingV2().HorizontalPodAutoscalers(shop).Create(t.Context(), &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Name: "conflict"},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{MaxReplicas: 1, ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: conflict.name}}},
		metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	w.deploy(t, shop, "off", 1, 500, cpu()).scaleAs("kubectl", 0)
	w.deploy(t, tight, "starved", 2, 4000, cpu())
	for name, change := range map[string]func(d *workload, object map[string]any){
		// Stored before there was a webhook.
		"requestless": func(d *workload, object map[string]any) {
			d.put(object, []any{map[string]any{"name": "app", "image": "app"}}, ".spec.template.spec.containers")
		},
		// The Deployment controller makes no pods of it, and that is not too late for an hour.
		"waiting": func(d *workload, object map[string]any) { d.put(object, true, ".spec.paused") },
	} {
		d, pairs := w.workload(t, deployments, shop, name), cpu()
		if name == "waiting" {
			pairs["sync-period"] = "1h"
		}
		m := d.manifest(2, pairs)
		change(d, m.Object)
		d.create(m, 0)
	}
}

// refuseScales has the API server refuse to change the replicas of a workload, and returns when it does.
func (w *world) refuseScales(t *testing.T, namespace, name string) {
	t.Helper()
	policy := "no-scale-of-" + name
	rule := admissionv1.RuleWithOperations{Operations: []admissionv1.OperationType{admissionv1.Update},
		Rule: admissionv1.Rule{APIGroups: []string{"apps"}, APIVersions: []string{"v1"}, Resources: []string{"deployments/scale"}}}
	if _, err := w.client.AdmissionregistrationV1().ValidatingAdmissionPolicies().Create(t.Context(), &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: policy},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: rule}}},
			Validations: []admissionv1.Validation{{Expression: "object.metadata.name != '" + name + "'", Message: "the budget of this quarter is used up"}}}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.client.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings().Create(t.Context(), &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: policy},
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{PolicyName: policy, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny}}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	probe := w.begin(t, deployments, namespace, name, 1, 0, nil)
	eventually(t, "scales are refused", func(ctx context.Context) (bool, string) {
		_, err := probe.objects().Patch(ctx, name, types.MergePatchType, []byte(`{"spec":{"replicas":2}}`), metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}}, "scale")
		return err != nil && strings.Contains(err.Error(), "the budget of this quarter"), fmt.Sprint(err)
	})
	if err := probe.objects().Delete(t.Context(), name, metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationForeground)}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the probe is gone", func(ctx context.Context) (bool, string) {
		_, err := probe.objects().Get(ctx, name, metav1.GetOptions{})
		return apierrors.IsNotFound(err), fmt.Sprint(err)
	})
}

// fleetStates are those of the fleet by name, as far as a worse one does not hide them.
var fleetStates = map[string]string{"asleep": "ASLEEP", "blind": "BLIND", "conflict": "CONFLICT", "denied": "DENIED", "fine": "OK", "held": "HOLDING", "hostile": "INVALID",
	"invalid": "INVALID", "limited": "LIMITED", "observed": "OBSERVE", "off": "OFF", "overwritten": "OVERWRITTEN", "paused": "PAUSED", "ramping": "RAMPING", "requestless": "INVALID", "starved": "STARVED",
	"waiting": "WAITING", "woken": "OK"}

// TestFleet: one workload in each state, as the leader says it, and each of them explained; a user who may see one namespace, and one who may see nothing; then
// the leader is killed.
func TestFleet(t *testing.T) {
	w := isolated(t, samplePeriod)
	shop, tight := w.namespace(t), w.namespace(t, "-tight")
	address := freeAddress(t)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	gathering(t, w, shop, tight)
	c := newController(t)
	c.lead(w, "--leader-elect-resource-namespace", shop, "--state-bind-address", address)
	admin := adminKubeconfig(t, w)
	where := []string{"--controller", shop + "/mini-hpa", "--state-port", port}
	args := append([]string{"-A"}, where...)
	overwritten := false
	eventually(t, "each workload in its state", func(ctx context.Context) (bool, string) {
		_, stdout, stderr := getFleet(ctx, t, admin, append(args, "-o", `jsonpath={range .items[*]}{.name} {.state} {.decided}{"\n"}{end}`)...)
		var off []string
		for line := range strings.Lines(stdout) {
			cells := strings.Fields(line)
			if cells[0] == "overwritten" && len(cells) > 2 && !overwritten { // it is known by now how many there were
				overwritten = true
				w.workload(t, deployments, shop, "overwritten").scaleAs("kubectl-client-side-apply", 1)
			}
			if len(cells) < 2 || fleetStates[cells[0]] != cells[1] {
				off = append(off, strings.TrimSpace(line))
			}
		}
		return len(off) == 0 && strings.Count(stdout, "\n") == len(fleetStates), strings.Join(off, ", ") + stderr
	})
	settles(t, "../fleet.txt", func(ctx context.Context) string { return listed(ctx, t, admin, args...) })
	settles(t, "../fleet-explained.txt", func(ctx context.Context) string { return explained(ctx, t, admin, where, shop, tight) })
	if code, _, _ := getFleet(t.Context(), t, admin, append(args, "--problem")...); code != 1 {
		t.Errorf("with problems the exit code is %d, want 1", code)
	}
	t.Run("hostile", func(t *testing.T) { obeysNobody(t, admin, append(where, "-n", shop)) })
	if code, stdout, stderr := getFleet(t.Context(), t, guest(t, w, shop), append([]string{"-n", shop, "fine"}, where...)...); code != 0 ||
		!strings.HasPrefix(stdout, "source: computed here; it is not known whether a controller leads: the Lease ") || !strings.Contains(stdout, "cpu: 50%/50%") {
		t.Errorf("a user of one namespace: exit code %d\n%s%s", code, stdout, stderr)
	}
	if code, _, stderr := getFleet(t.Context(), t, guest(t, w, tight), "-A"); code != 1 || !strings.Contains(stderr, "not all namespaces are known to you; name one with -n") {
		t.Errorf("a user of one namespace asks for all: exit code %d, %s", code, stderr)
	}
	nobody, err := w.cluster.KubeconfigFor("nobody")
	if err != nil {
		t.Fatal(err)
	}
	if code, stdout, stderr := getFleet(t.Context(), t, nobody, "-n", shop); code != 1 || stdout != "" || !strings.Contains(stderr, "cannot list the workloads of namespace") {
		t.Errorf("a user without rights: exit code %d\n%s%s", code, stdout, stderr)
	}
	for _, command := range []string{"explain", "history"} {
		if code, stdout, stderr := asks(t.Context(), t, nobody, append([]string{command, "-n", shop, "fine"}, where...)...); code != 1 || stdout != "" || !strings.Contains(stderr, "forbidden") {
			t.Errorf("%s without rights: exit code %d\n%s%s", command, code, stdout, stderr)
		}
	}
	c.kill()
	eventually(t, "nobody leads", func(ctx context.Context) (bool, string) {
		_, stdout, _ := getFleet(ctx, t, admin, args...)
		return strings.Contains(stdout, "no controller leads since"), stdout
	})
	settles(t, "../fleet-down.txt", func(ctx context.Context) string { return listed(ctx, t, admin, args...) })
	if code, stdout, stderr := asks(t.Context(), t, admin, append([]string{"explain", "-n", shop, "fine"}, where...)...); code != 0 ||
		!strings.HasPrefix(stdout, "source: computed here; no controller leads since ") || !strings.Contains(stdout, "nothing will be scaled\n") {
		t.Errorf("explain without a leader: exit code %d\n%s%s", code, stdout, stderr)
	}
}

// explained is how explain begins for each workload: who says so, how many replicas and why, and the state.
func explained(ctx context.Context, t *testing.T, kubeconfig string, where []string, shop, tight string) string {
	t.Helper()
	var all strings.Builder
	for _, name := range slices.Sorted(maps.Keys(fleetStates)) {
		namespace := shop
		if name == "starved" {
			namespace = tight
		}
		code, stdout, stderr := asks(ctx, t, kubeconfig, append([]string{"explain", "-n", namespace, name}, where...)...)
		head, _, _ := strings.Cut(stdout, "\n\n")
		fmt.Fprintf(&all, "%s: exit code %d\n%s\n", name, code, strings.TrimSpace(head+"\n"+stderr))
	}
	return all.String()
}

// listed is the table of all workloads, and what should not be there.
func listed(ctx context.Context, t *testing.T, kubeconfig string, args ...string) string {
	t.Helper()
	code, stdout, stderr := getFleet(ctx, t, kubeconfig, args...)
	if code != 0 || stderr != "" {
		stdout += fmt.Sprintf("exit code %d: %s\n", code, stderr)
	}
	return stdout
}

// obeysNobody: no view passes on what a terminal or a browser would obey.
func obeysNobody(t *testing.T, kubeconfig string, where []string) {
	for _, words := range []string{"get hostile", "get hostile -o wide", "get hostile -o json", "get hostile -o yaml", "get hostile -o custom-columns=WHY:.why", "get hostile -o jsonpath={.items[0].why}",
		"explain hostile", "history hostile", "history hostile -o json", "wait hostile --timeout 0s", "doctor --service-account= --webhook-configuration=", "pause hostile --dry-run=client"} {
		args := append(strings.Fields(words), where...)
		if strings.HasPrefix(words, "pause") {
			args = append(strings.Fields(words), where[len(where)-2:]...)
		}
		code, stdout, stderr := asks(t.Context(), t, kubeconfig, args...)
		if code == 2 || strings.ContainsAny(stdout+stderr, "\x1b\a") || stdout+stderr == "" {
			t.Errorf("%s: exit code %d\n%q", words, code, stdout+stderr)
		}
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
