package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// selftestSpace is the namespace where workloads are tried out.
const selftestSpace = "selftest"

// selftestRights are those that the selftest says it needs, for its user, and those of docs/rbac.yaml and docs/webhook.yaml for the
// service account that it asks about.
const selftestRights = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: selftest}
rules:
- {apiGroups: [authorization.k8s.io], resources: [subjectaccessreviews], verbs: [create]}
- {apiGroups: [admissionregistration.k8s.io], resources: [validatingwebhookconfigurations], resourceNames: [mini-hpa], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: selftest}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: selftest}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: selftest}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: selftest, namespace: selftest}
rules:
- {apiGroups: [apps], resources: [deployments, statefulsets, replicasets], verbs: [create]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: selftest, namespace: selftest}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: selftest}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: selftest}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: selftest, namespace: mini-hpa}
rules:
- {apiGroups: [metrics.k8s.io], resources: [pods], verbs: [list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: selftest, namespace: mini-hpa}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: selftest}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: selftest}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: tested}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: mini-hpa}
subjects: [{kind: ServiceAccount, name: mini-hpa, namespace: mini-hpa}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: tested-webhook}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: mini-hpa-webhook}
subjects: [{kind: ServiceAccount, name: mini-hpa, namespace: mini-hpa}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: tested-webhook, namespace: mini-hpa}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: mini-hpa-webhook}
subjects: [{kind: ServiceAccount, name: mini-hpa, namespace: mini-hpa}]
`

// selftestLimits supplies the request that is missing.
const selftestLimits = `{"apiVersion":"v1","kind":"LimitRange","metadata":{"name":"defaults"},"spec":{"limits":[{"type":"Container","defaultRequest":{"cpu":"100m"}}]}}`

// The lines of a good report that stories change.
const (
	selftestMetrics = iota
	selftestCertificate
	selftestRefusal
	selftestAdmission
	selftestPlain
	selftestStatefulSet
	selftestReplicaSet
	selftestNeeded
	selftestForbidden
)

// selftestReport is a good report, with some lines replaced by others.
func selftestReport(instead map[int]string) []string {
	lines := []string{
		`ok   the metrics API answers: metrics.k8s.io/v1beta1 has samples of 1 pods in namespace "mini-hpa"`,
		"ok   the certificate of webhook workloads.webhook.mini-hpa: WEBHOOK shows one that is trusted, for another TIME",
		"ok   a Deployment without a CPU request is refused: the webhook was asked, and says what is missing",
		`ok   a Deployment with a CPU request is admitted: as a dry run in namespace "selftest"`,
		`ok   a Deployment without annotations is admitted: as a dry run in namespace "selftest"`,
		"", "", // StatefulSets and ReplicaSets fare as Deployments do
		"ok   mini-hpa/mini-hpa has the rights it needs: all 38 that were asked about",
		"ok   mini-hpa/mini-hpa has no rights that it must not have: none of 19 that were asked about",
		`skip a controller leads: it is not known: leases.coordination.k8s.io "mini-hpa" is forbidden: User "selftest" cannot get resource "leases" in API group "coordination.k8s.io" in the namespace "mini-hpa"`,
		`skip the sources: the controller that leads cannot be asked: the Lease mini-hpa/mini-hpa cannot be read: leases.coordination.k8s.io "mini-hpa" is forbidden: User "selftest" cannot get resource "leases" in API group "coordination.k8s.io" in the namespace "mini-hpa"; "mini-hpa sources check", run by "kubectl exec" in the controller's pod, asks each, and tells all that is known of a failure`,
	}
	for i, line := range instead {
		lines[i] = line
	}
	lines[selftestStatefulSet] = strings.Replace(lines[selftestRefusal], "a Deployment", "a StatefulSet", 1)
	lines[selftestReplicaSet] = strings.Replace(lines[selftestRefusal], "a Deployment", "a ReplicaSet", 1)
	return lines
}

// selftest is "mini-hpa selftest" in the hands of somebody who has just the rights for it.
type selftest struct {
	*admission
	kubeconfig string
	webhook    string // its address
}

// report runs it and returns its exit code and its lines, in which what is another one each time has a name.
func (s *selftest) report(ctx context.Context, t *testing.T) (code int, lines []string) {
	t.Helper()
	cmd := exec.CommandContext(ctx, program, "selftest", "--kubeconfig", s.kubeconfig, "--namespace", selftestSpace,
		"--service-account", "mini-hpa/mini-hpa", "--leader-elect-resource-name", "mini-hpa", "--webhook-ca-secret", "mini-hpa-webhook-ca")
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "KUBERNETES_") }) // it is no pod
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	text := strings.NewReplacer(s.webhook, "WEBHOOK").Replace(strings.TrimSuffix(string(out), "\n"))
	text = regexp.MustCompile(`(?m)for another [0-9hms]+$`).ReplaceAllString(text, "for another TIME")
	return cmd.ProcessState.ExitCode(), strings.Split(text, "\n")
}

// awaitReport waits for what a change of the cluster brings about, which its caches delay.
func (s *selftest) awaitReport(t *testing.T, want []string) {
	t.Helper()
	wantCode := 0
	if slices.ContainsFunc(want, func(line string) bool { return strings.HasPrefix(line, "FAIL ") }) {
		wantCode = 1
	}
	eventually(t, "the report", func(ctx context.Context) (bool, string) {
		code, got := s.report(ctx, t)
		diff := cmp.Diff(want, got)
		return diff == "" && code == wantCode, fmt.Sprintf("exit code %d (-want +got):\n%s", code, diff)
	})
}

// TestSelftest is the selftest in front of a real API server, of an installation in which one thing after the other is broken.
func TestSelftest(t *testing.T) {
	t.Parallel()
	s := &selftest{admission: newAdmission(t)}
	s.space(t, selftestSpace, true)
	s.must(t, selftestRights, "create", "-f", "-")
	var err error
	if s.kubeconfig, err = s.cluster.KubeconfigFor("selftest"); err != nil {
		t.Fatal(err)
	}
	c := s.serve(t, "--webhook-hosts", "127.0.0.1")
	s.webhook = c.cmd.Args[slices.Index(c.cmd.Args, "--webhook-bind-address")+1]
	t.Run("NoSamples", s.noSamples)
	t.Run("ByService", s.byService)
	s.configure(t, fmt.Sprintf(`{"clientConfig":{"service":null,"url":"https://%s/validate-workloads"}}`, s.webhook))
	t.Run("AllIsWell", func(t *testing.T) { s.awaitReport(t, selftestReport(nil)) })
	t.Run("LimitRange", s.limitRange)
	t.Run("MissingRight", s.missingRight)
	t.Run("TooManyRights", s.tooManyRights)
	t.Run("OtherCA", s.otherCA)
	c.terminate()
	t.Run("WebhookDown", s.webhookDown)
	s.nothingStored(t)
}

// selftestSkipped is the certificate's line while it is shown under a name that this machine does not know.
const selftestSkipped = "skip the certificate of webhook workloads.webhook.mini-hpa: " +
	"mini-hpa-webhook.mini-hpa.svc cannot be looked up from here; if it is a name inside of the cluster, run this in a pod"

// noSamples: the metrics API answers with an empty list until a pod runs beside the program, as its own ones do in a cluster.
func (s *selftest) noSamples(t *testing.T) {
	s.awaitReport(t, selftestReport(map[int]string{selftestCertificate: selftestSkipped,
		selftestMetrics: `skip the metrics API answers: metrics.k8s.io/v1beta1 does, but has no samples of pods in namespace "mini-hpa"; ` +
			"run this again when pods there are older than a minute, and if there are none then, see metrics-server's log"}))
	s.deploy(t, home, "beside", 1, 100, nil)
}

// byService: the API server knows what a Service's name means, and this machine does not.
func (s *selftest) byService(t *testing.T) {
	s.awaitReport(t, selftestReport(map[int]string{selftestCertificate: selftestSkipped}))
}

func (s *selftest) limitRange(t *testing.T) {
	s.must(t, selftestLimits, "-n", selftestSpace, "create", "-f", "-")
	s.awaitReport(t, selftestReport(map[int]string{selftestRefusal: "ok   a Deployment without a CPU request is refused: the webhook was asked, and warns only: " +
		`spec.template.spec.containers[0].resources.requests[cpu]: container "app" has no CPU request; ` +
		`its pods get 100m from LimitRange "defaults", and cannot be autoscaled without it`}))
	s.must(t, "", "-n", selftestSpace, "delete", "limitrange", "defaults")
	s.awaitReport(t, selftestReport(nil))
}

func (s *selftest) missingRight(t *testing.T) {
	roles := s.client.RbacV1().ClusterRoles()
	role, err := roles.Get(t.Context(), "mini-hpa", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	all := slices.Clone(role.Rules)
	role.Rules = slices.Clone(all)
	for i := range role.Rules {
		role.Rules[i].Resources = slices.DeleteFunc(slices.Clone(role.Rules[i].Resources), func(resource string) bool {
			return resource == "limitranges" || resource == "deployments/scale"
		})
	}
	if role, err = roles.Update(t.Context(), role, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	s.awaitReport(t, selftestReport(map[int]string{selftestNeeded: "FAIL mini-hpa/mini-hpa has the rights it needs: it may not " +
		"update deployments.apps/scale in all namespaces, patch deployments.apps/scale in all namespaces, list limitranges in all namespaces, watch limitranges in all namespaces; " +
		"grant what docs/rbac.yaml and docs/webhook.yaml say"}))
	role.Rules = all
	if _, err := roles.Update(t.Context(), role, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	s.awaitReport(t, selftestReport(nil))
}

func (s *selftest) tooManyRights(t *testing.T) {
	s.must(t, "", "-n", selftestSpace, "create", "rolebinding", "generous", "--clusterrole=edit", "--serviceaccount=mini-hpa:mini-hpa")
	s.awaitReport(t, selftestReport(map[int]string{selftestForbidden: "FAIL mini-hpa/mini-hpa has no rights that it must not have: it may " +
		`update deployments.apps in namespace "selftest", patch deployments.apps in namespace "selftest", delete deployments.apps in namespace "selftest", ` +
		`update statefulsets.apps in namespace "selftest", patch statefulsets.apps in namespace "selftest", delete statefulsets.apps in namespace "selftest", ` +
		`create pods in namespace "selftest", list secrets in namespace "selftest"; ` +
		"take away what docs/rbac.yaml and docs/webhook.yaml do not grant; whoever takes over the controller has it, too"}))
	s.must(t, "", "-n", selftestSpace, "delete", "rolebinding", "generous")
	s.awaitReport(t, selftestReport(nil))
}

// otherCA: mini-hpa leaves the caBundle to somebody else, who writes a wrong one.
func (s *selftest) otherCA(t *testing.T) {
	const foreign = "cert-manager.io/inject-ca-from"
	s.must(t, "", "annotate", "validatingwebhookconfiguration", "mini-hpa", foreign+"=elsewhere/certificate")
	s.trust(t, issue(t, 300))
	s.awaitReport(t, selftestReport(map[int]string{
		selftestCertificate: "FAIL the certificate of webhook workloads.webhook.mini-hpa: WEBHOOK shows one that the API server does not accept: " +
			"tls: failed to verify certificate: x509: certificate signed by unknown authority; " +
			"the caBundle has to hold the CA that signed it, and it has to be valid now and for 127.0.0.1",
		selftestRefusal: selftestAdmitted}))
	s.must(t, "", "annotate", "validatingwebhookconfiguration", "mini-hpa", foreign+"-")
	s.awaitReport(t, selftestReport(nil))
}

const (
	selftestUnreached = "likely causes: mini-hpa's pods are not ready, a firewall between control plane and nodes closes the webhook's port (10250), " +
		"a NetworkPolicy keeps the API server out, or the caBundle is of another CA"
	selftestAdmitted = "FAIL a Deployment without a CPU request is refused: it was admitted, so the API server did not ask the webhook or got no answer " +
		"(with failurePolicy Ignore it lets everything through then); " + selftestUnreached
	selftestRefused = `Internal error occurred: failed calling webhook "workloads.webhook.mini-hpa": failed to call webhook: ` +
		`Post "https://WEBHOOK/validate-workloads?timeout=30s": dial tcp WEBHOOK: connect: connection refused; ` + selftestUnreached
)

// webhookDown: nobody answers, whatever the API server makes of that.
func (s *selftest) webhookDown(t *testing.T) {
	lines := map[int]string{
		selftestCertificate: "FAIL the certificate of webhook workloads.webhook.mini-hpa: WEBHOOK cannot be reached: dial tcp WEBHOOK: connect: connection refused; " +
			"see that mini-hpa's pods are ready and that they are endpoints of the Service; a NetworkPolicy that lets in only the API server keeps this test out, too",
		selftestRefusal: selftestAdmitted}
	s.awaitReport(t, selftestReport(lines))
	s.configure(t, `{"failurePolicy":"Fail"}`)
	lines[selftestRefusal] = "FAIL a Deployment without a CPU request is refused: " + selftestRefused
	lines[selftestAdmission] = "FAIL a Deployment with a CPU request is admitted: " + selftestRefused
	s.awaitReport(t, selftestReport(lines))
}

// nothingStored: all of that were dry runs.
func (s *selftest) nothingStored(t *testing.T) {
	apps := s.client.AppsV1()
	deployments, err1 := apps.Deployments(selftestSpace).List(t.Context(), metav1.ListOptions{})
	statefulSets, err2 := apps.StatefulSets(selftestSpace).List(t.Context(), metav1.ListOptions{})
	replicaSets, err3 := apps.ReplicaSets(selftestSpace).List(t.Context(), metav1.ListOptions{})
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	if stored := len(deployments.Items) + len(statefulSets.Items) + len(replicaSets.Items); stored > 0 {
		t.Errorf("%d workloads are stored", stored)
	}
}
