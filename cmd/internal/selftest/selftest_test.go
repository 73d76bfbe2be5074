package selftest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/cert"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
)

// installation is a cluster in which mini-hpa is installed, well or badly, over real HTTP.
type installation struct {
	*httptest.Server
	t *testing.T
	// webhook is what answers at the address in the configuration.
	webhook       *httptest.Server
	configuration *admissionv1.ValidatingWebhookConfiguration
	// metrics, read, created and reviewed fail with these, if they are not nil.
	metrics, read, created, reviewed *metav1.Status
	// measured are mini-hpa's own pods of which the metrics API has samples.
	measured []string
	// isDown says that the API server does not reach the webhook.
	isDown bool
	// warning is told of Deployments that would be refused, instead of refusing them.
	warning string
	// grants are what the service account may do.
	grants []grant
	// stored counts what was created otherwise than as a dry run.
	stored int
	// holder is who is in the Lease, and lease how reading it fails.
	holder string
	lease  *metav1.Status
	asked  []authorizationv1.ResourceAttributes
}

// leaderSince is when the Lease was renewed.
var leaderSince = time.Now()

// grant is a rule and the namespace where it holds; empty for all of them and for what has none.
type grant struct {
	namespace string
	rbacv1.PolicyRule
}

func newInstallation(t *testing.T) *installation {
	t.Helper()
	in := &installation{t: t, holder: "mini-hpa-a_1", grants: documented(t), measured: []string{"mini-hpa-a", "mini-hpa-b"}}
	chain, key, err := cert.GenerateSelfSignedCertKey("127.0.0.1", []net.IP{net.ParseIP("127.0.0.1")}, []string{"mini-hpa-webhook.mini-hpa.svc"})
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		t.Fatal(err)
	}
	in.webhook = httptest.NewUnstartedServer(http.NotFoundHandler())
	in.webhook.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13}
	in.webhook.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are meant to fail
	in.webhook.StartTLS()
	t.Cleanup(in.webhook.Close)
	in.configuration = documentedWebhook(t)
	in.configuration.Webhooks[0].ClientConfig = admissionv1.WebhookClientConfig{URL: &in.webhook.URL, CABundle: chain}
	in.Server = httptest.NewServer(in)
	t.Cleanup(in.Close)
	return in
}

// byService has the webhook called by its Service.
func (in *installation) byService() {
	c := &in.configuration.Webhooks[0].ClientConfig
	c.URL, c.Service = nil, documentedWebhook(in.t).Webhooks[0].ClientConfig.Service
}

// ServeHTTP answers what the test asks of an API server, and nothing else.
func (in *installation) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method + " " + r.URL.Path {
	case "GET /apis/metrics.k8s.io/v1beta1/namespaces/mini-hpa/pods":
		in.answer(w, in.metrics, samplesOf(in.measured...))
	case "GET /apis/metrics.k8s.io/v1beta1/namespaces/default/pods":
		in.answer(w, in.metrics, samplesOf("web"))
	case "GET /apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/mini-hpa":
		in.answer(w, in.read, in.configuration)
	case "GET /apis/coordination.k8s.io/v1/namespaces/mini-hpa/leases/mini-hpa":
		in.answer(w, in.lease, &coordinationv1.Lease{TypeMeta: metav1.TypeMeta{APIVersion: "coordination.k8s.io/v1", Kind: "Lease"}, Spec: coordinationv1.LeaseSpec{
			HolderIdentity: &in.holder, LeaseDurationSeconds: new(int32(3600)), RenewTime: new(metav1.NewMicroTime(leaderSince))}})
	case "POST /apis/authorization.k8s.io/v1/subjectaccessreviews":
		review := &authorizationv1.SubjectAccessReview{}
		in.decode(r, review)
		in.asked = append(in.asked, *review.Spec.ResourceAttributes)
		review.Status.Allowed = isController(&review.Spec) && in.mayDo(review.Spec.ResourceAttributes)
		in.answer(w, in.reviewed, review)
	case "POST /apis/apps/v1/namespaces/default/deployments", "POST /apis/apps/v1/namespaces/kube-system/deployments":
		d := &appsv1.Deployment{}
		in.admit(w, r, d, &d.Spec.Template)
	case "POST /apis/apps/v1/namespaces/default/statefulsets", "POST /apis/apps/v1/namespaces/kube-system/statefulsets":
		s := &appsv1.StatefulSet{}
		in.admit(w, r, s, &s.Spec.Template)
	case "POST /apis/apps/v1/namespaces/default/replicasets", "POST /apis/apps/v1/namespaces/kube-system/replicasets":
		s := &appsv1.ReplicaSet{}
		in.admit(w, r, s, &s.Spec.Template)
	default:
		in.answer(w, failure(http.StatusNotFound, metav1.StatusReasonNotFound, "there is no "+r.URL.Path), nil)
	}
}

func samplesOf(pods ...string) *metricsv1beta1.PodMetricsList {
	list := &metricsv1beta1.PodMetricsList{TypeMeta: metav1.TypeMeta{APIVersion: "metrics.k8s.io/v1beta1", Kind: "PodMetricsList"}}
	for _, name := range pods {
		list.Items = append(list.Items, metricsv1beta1.PodMetrics{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	return list
}

// admit does as API server and webhook do.
func (in *installation) admit(w http.ResponseWriter, r *http.Request, o workload, template *corev1.PodTemplateSpec) {
	in.decode(r, o)
	if r.URL.Query().Get("dryRun") != metav1.DryRunAll {
		in.stored++
	}
	_, requests := template.Spec.Containers[0].Resources.Requests[corev1.ResourceCPU]
	status := in.created
	switch {
	case status != nil || in.isDown || requests || len(o.GetAnnotations()) == 0:
	case in.warning != "":
		w.Header().Set("Warning", fmt.Sprintf("299 - %q", in.warning))
	default:
		status = refusal(`admission webhook "workloads.webhook.mini-hpa" denied the request: it is invalid`, missingField)
	}
	in.answer(w, status, o)
}

type workload interface {
	runtime.Object
	metav1.Object
}

func (in *installation) decode(r *http.Request, into runtime.Object) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		_, _, err = scheme.Codecs.UniversalDeserializer().Decode(body, nil, into)
	}
	if err != nil {
		in.t.Errorf("%s: %v", r.URL, err)
	}
}

func (in *installation) answer(w http.ResponseWriter, status *metav1.Status, otherwise any) {
	w.Header().Set("Content-Type", "application/json")
	if status != nil {
		w.WriteHeader(int(status.Code))
		otherwise = status
	}
	if err := json.NewEncoder(w).Encode(otherwise); err != nil {
		in.t.Errorf("answering: %v", err)
	}
}

// isController says whether the service account is meant as its token would show it.
func isController(s *authorizationv1.SubjectAccessReviewSpec) bool {
	return s.User == "system:serviceaccount:mini-hpa:mini-hpa" &&
		slices.Equal(s.Groups, []string{"system:serviceaccounts", "system:serviceaccounts:mini-hpa", "system:authenticated"})
}

// mayDo judges as RBAC does.
func (in *installation) mayDo(a *authorizationv1.ResourceAttributes) bool {
	resource := strings.TrimSuffix(a.Resource+"/"+a.Subresource, "/")
	holds := func(listed []string, one string) bool {
		return slices.Contains(listed, one) || slices.Contains(listed, "*")
	}
	return slices.ContainsFunc(in.grants, func(g grant) bool {
		return (g.namespace == "" || g.namespace == a.Namespace) && holds(g.Verbs, a.Verb) && holds(g.APIGroups, a.Group) && holds(g.Resources, resource) &&
			(len(g.ResourceNames) == 0 || slices.Contains(g.ResourceNames, a.Name))
	})
}

// revoke takes a verb on a resource away.
func (in *installation) revoke(verb, resource string) {
	for i, g := range in.grants {
		if slices.Contains(g.Resources, resource) && slices.Contains(g.Verbs, verb) {
			in.grants[i].Verbs = slices.DeleteFunc(slices.Clone(g.Verbs), func(v string) bool { return v == verb })
		}
	}
}

func failure(code int32, reason metav1.StatusReason, message string) *metav1.Status {
	return &metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure, Code: code, Reason: reason, Message: message}
}

// refusal is a 422 about one field.
func refusal(message, field string) *metav1.Status {
	s := failure(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, message)
	s.Details = &metav1.StatusDetails{Causes: []metav1.StatusCause{{Type: metav1.CauseTypeFieldValueRequired, Field: field}}}
	return s
}

// objectsOf are the objects of a file below docs/.
func objectsOf(t *testing.T, file string) []runtime.Object {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", file))
	if err != nil {
		t.Fatal(err)
	}
	var all []runtime.Object
	reader := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return all
		}
		object, _, err := scheme.Codecs.UniversalDeserializer().Decode(document, nil, nil)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, object)
	}
}

// documented are the rights that the documentation grants.
func documented(t *testing.T) []grant {
	t.Helper()
	var all []grant
	for _, object := range slices.Concat(objectsOf(t, "rbac.yaml"), objectsOf(t, "webhook.yaml")) {
		namespace, rules := "", []rbacv1.PolicyRule(nil)
		switch o := object.(type) {
		case *rbacv1.Role:
			namespace, rules = o.Namespace, o.Rules
		case *rbacv1.ClusterRole:
			rules = o.Rules
		}
		for _, rule := range rules {
			for _, resource := range rule.Resources { // each by itself, so that it can be revoked
				one := rule
				one.Resources = []string{resource}
				all = append(all, grant{namespace, one})
			}
		}
	}
	return all
}

func documentedWebhook(t *testing.T) *admissionv1.ValidatingWebhookConfiguration {
	t.Helper()
	for _, object := range objectsOf(t, "webhook.yaml") {
		if c, ok := object.(*admissionv1.ValidatingWebhookConfiguration); ok {
			c.TypeMeta = metav1.TypeMeta{APIVersion: "admissionregistration.k8s.io/v1", Kind: "ValidatingWebhookConfiguration"}
			return c
		}
	}
	t.Fatal("docs/webhook.yaml has no ValidatingWebhookConfiguration")
	return nil
}

// lines are a report, without what is another one each time.
func (in *installation) lines(text string) []string {
	text = strings.ReplaceAll(text, in.webhook.Listener.Addr().String(), "WEBHOOK")
	text = regexp.MustCompile(`for another [0-9hms]+\n`).ReplaceAllString(text, "for another TIME\n")
	text = regexp.MustCompile(` \(possibly because of [^)]*\)`).ReplaceAllString(text, "") // if the names of the CAs, which hold a time, are the same
	text = regexp.MustCompile(`(?m)^skip the sources: .*\n`).ReplaceAllString(text, "")    // of which TestSelftestOfSources tells
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// whole is the report of an installation in which all is well, with some lines replaced by others.
func whole(instead map[int]string) []string {
	lines := []string{
		`ok   the metrics API answers: metrics.k8s.io/v1beta1 has samples of 2 pods in namespace "mini-hpa"`,
		`ok   the certificate of webhook workloads.webhook.mini-hpa: WEBHOOK shows one that is trusted, for another TIME`,
		`ok   a Deployment without a CPU request is refused: the webhook was asked, and says what is missing`,
		`ok   a Deployment with a CPU request is admitted: as a dry run in namespace "default"`,
		`ok   a Deployment without annotations is admitted: as a dry run in namespace "default"`,
		"", "", // StatefulSets and ReplicaSets without a CPU request, which fare as Deployments do
		`ok   mini-hpa/mini-hpa has the rights it needs: all 38 that were asked about`,
		`ok   mini-hpa/mini-hpa has no rights that it must not have: none of 19 that were asked about`,
		`ok   a controller leads: mini-hpa-a_1`,
	}
	for i, line := range instead {
		lines[i] = line
	}
	lines[5] = strings.NewReplacer("a Deployment", "a StatefulSet", "/deployments", "/statefulsets", "on deployments", "on statefulsets").Replace(lines[2])
	lines[6] = strings.NewReplacer("a Deployment", "a ReplicaSet", "/deployments", "/replicasets", "on deployments", "on replicasets").Replace(lines[2])
	return slices.DeleteFunc(lines, func(line string) bool { return line == "" })
}

func TestSelftest(t *testing.T) {
	const (
		metricsAdvice = "; without samples nothing is scaled; kubectl get apiservice v1beta1.metrics.k8s.io says more"
		certificate   = "FAIL the certificate of webhook workloads.webhook.mini-hpa: "
		writes        = "; mini-hpa's pods write the caBundle within seconds, see their log; where somebody else makes the certificate, it is theirs to write"
		trust         = "; the caBundle has to hold the CA that signed it, and it has to be valid now and for 127.0.0.1"
		refused       = "FAIL a Deployment without a CPU request is refused: "
		good          = "FAIL a Deployment with a CPU request is admitted: "
		plain         = "FAIL a Deployment without annotations is admitted: "
		otherwise     = "; if something else than mini-hpa refused it, name a namespace with --namespace where it does not"
		configuration = `FAIL ValidatingWebhookConfiguration "mini-hpa": `
		needs         = "FAIL mini-hpa/mini-hpa has the rights it needs: "
		mustNot       = "FAIL mini-hpa/mini-hpa has no rights that it must not have: "
		leaderless    = "skip a controller leads: --leader-elect-resource-name or --service-account is not given"
		take          = "; take away what docs/rbac.yaml and docs/webhook.yaml do not grant; whoever takes over the controller has it, too"
	)
	tests := map[string]struct {
		args    []string
		prepare func(in *installation)
		want    []string
		failed  string // of how many, on standard error; empty if none
	}{
		"all is well": {want: whole(nil)},
		"pods have no samples yet": {
			prepare: func(in *installation) { in.measured = nil },
			want: whole(map[int]string{0: `skip the metrics API answers: metrics.k8s.io/v1beta1 does, but has no samples of pods in namespace "mini-hpa"; ` +
				"run this again when pods there are older than a minute, and if there are none then, see metrics-server's log"})},
		"there is no metrics API": {failed: "1 of 10",
			prepare: func(in *installation) { in.metrics = failure(404, metav1.StatusReasonNotFound, "none") },
			want: whole(map[int]string{0: "FAIL the metrics API answers: cannot list pod metrics: the resource metrics API (metrics.k8s.io) is not served: install metrics-server" +
				metricsAdvice})},
		"the metrics API has a right of its own": {failed: "1 of 10",
			prepare: func(in *installation) {
				in.metrics = failure(403, metav1.StatusReasonForbidden, "pods is forbidden\x1b[31m")
			},
			want: whole(map[int]string{0: `FAIL the metrics API answers: cannot list pod metrics: grant verb "list" on resource "pods" of API group "metrics.k8s.io"; ` +
				`the API server says "pods is forbidden\x1b[31m"; grant it in namespace "mini-hpa" to whoever runs this test`})},
		"nobody has written the caBundle of a Service": {failed: "1 of 10",
			prepare: func(in *installation) { in.byService(); in.configuration.Webhooks[0].ClientConfig.CABundle = nil },
			want:    whole(map[int]string{1: certificate + "its caBundle (0 bytes) holds no certificate" + writes})},
		"the caBundle is noise": {failed: "1 of 10",
			prepare: func(in *installation) { in.configuration.Webhooks[0].ClientConfig.CABundle = []byte("noise") },
			want:    whole(map[int]string{1: certificate + "its caBundle (5 bytes) holds no certificate" + writes})},
		"the caBundle is of another CA": {failed: "1 of 10",
			prepare: func(in *installation) {
				in.configuration.Webhooks[0].ClientConfig.CABundle = newInstallation(in.t).configuration.Webhooks[0].ClientConfig.CABundle
			},
			want: whole(map[int]string{1: certificate + "WEBHOOK shows one that the API server does not accept: tls: failed to verify certificate: " +
				"x509: certificate signed by unknown authority" + trust})},
		"without a caBundle, a URL needs a certificate that the system trusts": {failed: "1 of 10",
			prepare: func(in *installation) { in.configuration.Webhooks[0].ClientConfig.CABundle = nil },
			want: whole(map[int]string{1: certificate + "WEBHOOK shows one that the API server does not accept: tls: failed to verify certificate: " +
				"x509: certificate signed by unknown authority" + trust})},
		"nobody listens": {failed: "4 of 10",
			prepare: func(in *installation) { in.webhook.Close(); in.isDown = true },
			want: whole(map[int]string{1: certificate + "WEBHOOK cannot be reached: dial tcp WEBHOOK: connect: connection refused; " +
				"see that mini-hpa's pods are ready and that they are endpoints of the Service; a NetworkPolicy that lets in only the API server keeps this test out, too",
				2: refused + "it was admitted, so the API server did not ask the webhook or got no answer (with failurePolicy Ignore it lets everything through then); " + unreached})},
		"a Service's name is known inside of the cluster only": {prepare: (*installation).byService,
			want: whole(map[int]string{1: "skip the certificate of webhook workloads.webhook.mini-hpa: mini-hpa-webhook.mini-hpa.svc cannot be looked up from here; " +
				"if it is a name inside of the cluster, run this in a pod"})},
		"with failurePolicy Fail, what should be admitted is not": {failed: "5 of 10",
			prepare: func(in *installation) {
				in.created = failure(500, metav1.StatusReasonInternalError, `Internal error occurred: failed calling webhook "workloads.webhook.mini-hpa": no endpoints`)
			},
			want: whole(map[int]string{
				2: refused + `Internal error occurred: failed calling webhook "workloads.webhook.mini-hpa": no endpoints; ` + unreached,
				3: good + `Internal error occurred: failed calling webhook "workloads.webhook.mini-hpa": no endpoints; ` + unreached,
				4: plain + `Internal error occurred: failed calling webhook "workloads.webhook.mini-hpa": no endpoints; ` + unreached})},
		"a LimitRange supplies the request": {
			prepare: func(in *installation) { in.warning = missingField + ": comes from LimitRange defaults" },
			want: whole(map[int]string{2: "ok   a Deployment without a CPU request is refused: the webhook was asked, and warns only: " +
				missingField + ": comes from LimitRange defaults"})},
		"a warning of somebody else is no answer of the webhook": {failed: "3 of 10",
			prepare: func(in *installation) { in.warning = "would violate PodSecurity" },
			want: whole(map[int]string{2: refused + "it was admitted, so the API server did not ask the webhook or got no answer " +
				"(with failurePolicy Ignore it lets everything through then); " + unreached})},
		"another policy refuses everything": {failed: "5 of 10",
			prepare: func(in *installation) {
				in.created = refusal("admission webhook \"validate.kyverno.svc\" denied the request\x1b[31m", "metadata.labels")
			},
			want: whole(map[int]string{2: refused + `admission webhook "validate.kyverno.svc" denied the request\x1b[31m` + otherwise,
				3: good + `admission webhook "validate.kyverno.svc" denied the request\x1b[31m` + otherwise,
				4: plain + `admission webhook "validate.kyverno.svc" denied the request\x1b[31m` + otherwise})},
		"who runs it may not create Deployments": {failed: "5 of 10",
			prepare: func(in *installation) {
				in.created = failure(403, metav1.StatusReasonForbidden, `User "test" cannot create resource "deployments"`)
			},
			want: whole(map[int]string{
				2: refused + `User "test" cannot create resource "deployments"; grant verb "create" on deployments.apps there to whoever runs this test`,
				3: good + `User "test" cannot create resource "deployments"; grant verb "create" on deployments.apps there to whoever runs this test`,
				4: plain + `User "test" cannot create resource "deployments"; grant verb "create" on deployments.apps there to whoever runs this test`})},
		"the webhook is not asked about this namespace": {args: []string{"-n", "kube-system"}, failed: "3 of 10",
			prepare: func(in *installation) { in.isDown = true },
			want: whole(map[int]string{
				2: refused + `it was admitted, because the webhook's namespaceSelector leaves out namespace "kube-system"; name another one with --namespace`,
				3: `ok   a Deployment with a CPU request is admitted: as a dry run in namespace "kube-system"`,
				4: `ok   a Deployment without annotations is admitted: as a dry run in namespace "kube-system"`})},
		"the namespace does not exist": {args: []string{"-n", "nowhere"}, failed: "5 of 10",
			want: whole(map[int]string{
				2: refused + "there is no /apis/apps/v1/namespaces/nowhere/deployments; name a namespace that exists with --namespace",
				3: good + "there is no /apis/apps/v1/namespaces/nowhere/deployments; name a namespace that exists with --namespace",
				4: plain + "there is no /apis/apps/v1/namespaces/nowhere/deployments; name a namespace that exists with --namespace"})},
		"there is no configuration of the webhook": {failed: "4 of 10",
			prepare: func(in *installation) {
				in.read, in.isDown = failure(404, metav1.StatusReasonNotFound, `"mini-hpa" not found`), true
			},
			want: whole(map[int]string{
				1: configuration + `"mini-hpa" not found; create it (docs/webhook.yaml, or the chart with webhook.enabled), or name the right one with --webhook-configuration, empty for none`,
				2: refused + "it was admitted, so the API server did not ask the webhook or got no answer (with failurePolicy Ignore it lets everything through then); " + unreached})},
		"who runs it may not read the configuration": {failed: "1 of 10",
			prepare: func(in *installation) { in.read = failure(403, metav1.StatusReasonForbidden, "it is forbidden") },
			want:    whole(map[int]string{1: configuration + `it is forbidden; grant verb "get" on it to whoever runs this test`})},
		"the configuration is empty": {failed: "1 of 10",
			prepare: func(in *installation) { in.configuration.Webhooks = nil },
			want:    whole(map[int]string{1: configuration + "it lists no webhook; compare it with docs/webhook.yaml"})},
		"there is no webhook": {args: []string{"--webhook-configuration="},
			want: whole(map[int]string{1: "skip the webhook: there is none, --webhook-configuration is empty", 2: "", 3: "", 4: "",
				7: "ok   mini-hpa/mini-hpa has the rights it needs: all 24 that were asked about\n" +
					"skip the rights to make certificates: --webhook-ca-secret is not given, or there is no webhook"})},
		"nobody says what Lease and Secret there are": {args: []string{"--leader-elect-resource-name=", "--webhook-ca-secret="},
			want: whole(map[int]string{7: "ok   mini-hpa/mini-hpa has the rights it needs: all 25 that were asked about\n" +
				"skip the rights to the Lease: --leader-elect-resource-name is not given\n" +
				"skip the rights to make certificates: --webhook-ca-secret is not given, or there is no webhook", 9: leaderless})},
		"nobody says who the controller is": {args: []string{"--service-account="},
			want: whole(map[int]string{0: `ok   the metrics API answers: metrics.k8s.io/v1beta1 has samples of 1 pods in namespace "default"`,
				7: "skip the rights of the controller: --service-account is not given", 8: "", 9: leaderless})},
		"nobody leads": {failed: "1 of 10", prepare: func(in *installation) { in.holder = "" },
			want: whole(map[int]string{9: "FAIL a controller leads: no controller leads since " + leaderSince.Local().Format("15:04:05") + "; nothing is scaled; see that the controller's pods run, and what their log says"})},
		"there is no Lease": {failed: "1 of 10", prepare: func(in *installation) {
			in.lease = failure(http.StatusNotFound, metav1.StatusReasonNotFound, `leases.coordination.k8s.io "mini-hpa" not found`)
		}, want: whole(map[int]string{9: `FAIL a controller leads: leases.coordination.k8s.io "mini-hpa" not found; nothing is scaled; see that the controller's pods run, and that this is the name of their Lease`})},
		"who runs it may not read the Lease": {prepare: func(in *installation) {
			in.lease = failure(http.StatusForbidden, metav1.StatusReasonForbidden, "leases is forbidden\x1b[31m")
		}, want: whole(map[int]string{9: `skip a controller leads: it is not known: leases is forbidden\x1b[31m`})},
		"rights are missing": {failed: "1 of 10",
			prepare: func(in *installation) {
				in.revoke("watch", "limitranges")
				in.revoke("update", "deployments/scale")
				in.revoke("create", "secrets")
			},
			want: whole(map[int]string{7: needs + `it may not update deployments.apps/scale in all namespaces, watch limitranges in all namespaces, ` +
				`create secrets "mini-hpa-webhook-ca" in namespace "mini-hpa"; grant what docs/rbac.yaml and docs/webhook.yaml say`})},
		"nothing is granted": {failed: "1 of 10", prepare: func(in *installation) { in.grants = nil },
			want: whole(map[int]string{7: needs + "it has none of them; see that --service-account names the controller's, and grant it what docs/rbac.yaml says"})},
		"it may do too much": {failed: "1 of 10",
			prepare: func(in *installation) {
				in.grants = append(in.grants, grant{"default", rbacv1.PolicyRule{Verbs: []string{"patch"}, APIGroups: []string{"apps"}, Resources: []string{"deployments"}}},
					grant{"", rbacv1.PolicyRule{Verbs: []string{"impersonate"}, APIGroups: []string{""}, Resources: []string{"users"}}})
			},
			want: whole(map[int]string{8: mustNot + `it may patch deployments.apps in namespace "default", impersonate users` + take})},
		"it is the cluster's administrator": {failed: "1 of 10",
			prepare: func(in *installation) {
				in.grants = []grant{{"", rbacv1.PolicyRule{Verbs: []string{"*"}, APIGroups: []string{"*"}, Resources: []string{"*"}}}}
			},
			want: whole(map[int]string{8: mustNot + `it may update deployments.apps in namespace "mini-hpa", patch deployments.apps in namespace "mini-hpa", ` +
				`delete deployments.apps in namespace "mini-hpa", update deployments.apps in namespace "default", patch deployments.apps in namespace "default", ` +
				`delete deployments.apps in namespace "default", update statefulsets.apps in namespace "mini-hpa", patch statefulsets.apps in namespace "mini-hpa", ` +
				`delete statefulsets.apps in namespace "mini-hpa", update statefulsets.apps in namespace "default", patch statefulsets.apps in namespace "default", ` +
				`delete statefulsets.apps in namespace "default", create pods in namespace "mini-hpa", create pods in namespace "default", ` +
				`list secrets in namespace "mini-hpa", list secrets in namespace "default", escalate clusterroles.rbac.authorization.k8s.io, impersonate users, get nodes` + take})},
		"who runs it may not ask about rights": {failed: "1 of 9",
			prepare: func(in *installation) {
				in.reviewed = failure(403, metav1.StatusReasonForbidden, "subjectaccessreviews is forbidden")
			},
			want: whole(map[int]string{7: "FAIL the rights of mini-hpa/mini-hpa: subjectaccessreviews is forbidden; " +
				`grant verb "create" on subjectaccessreviews.authorization.k8s.io to whoever runs this test`, 8: ""})},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			in := newInstallation(t)
			if test.prepare != nil {
				test.prepare(in)
			}
			code, stdout, stderr := call(t, append([]string{"selftest", "--kubeconfig", in.kubeconfig(), "--service-account", "mini-hpa/mini-hpa",
				"--leader-elect-resource-name", "mini-hpa", "--webhook-ca-secret", "mini-hpa-webhook-ca"}, test.args...)...)
			want := strings.Split(strings.Join(test.want, "\n"), "\n")
			if diff := cmp.Diff(want, in.lines(stdout)); diff != "" {
				t.Errorf("standard output (-want +got):\n%s", diff)
			}
			wantCode, wantErr := cli.ExitOK, ""
			if test.failed != "" {
				wantCode, wantErr = cli.ExitFailure, "mini-hpa selftest: "+test.failed+" checks failed\n"
			}
			if code != wantCode || stderr != wantErr {
				t.Errorf("exit code %d, standard error %q; want %d, %q", code, stderr, wantCode, wantErr)
			}
			if in.stored > 0 {
				t.Errorf("%d Deployments were created otherwise than as a dry run", in.stored)
			}
		})
	}
}

func (in *installation) kubeconfig() string {
	return (&clitest.APIServer{Server: in.Server, T: in.t}).Kubeconfig()
}

// TestSelftestOfOneNamespace asks about rights in that namespace only.
func TestSelftestOfOneNamespace(t *testing.T) {
	in := newInstallation(t)
	for i := range in.grants {
		if in.grants[i].namespace == "" && in.grants[i].APIGroups[0] != admissionv1.GroupName && in.grants[i].APIGroups[0] != "coordination.k8s.io" {
			in.grants[i].namespace = "team-a"
		}
	}
	args := []string{"selftest", "--kubeconfig", in.kubeconfig(), "--service-account", "mini-hpa/mini-hpa", "--watch-namespace", "team-a"}
	if code, stdout, stderr := call(t, args...); code != cli.ExitOK || strings.Contains(stdout, "FAIL") {
		t.Errorf("exit code %d, standard error %q:\n%s", code, stderr, stdout)
	}
	for _, a := range in.asked {
		isWhole := slices.Contains([]string{"clusterroles", "users", "nodes", "validatingwebhookconfigurations"}, a.Resource)
		if isWhole != (a.Namespace == "") || !isWhole && a.Namespace != "team-a" && a.Namespace != "mini-hpa" {
			t.Errorf("it asked about %s %s in namespace %q", a.Verb, a.Resource, a.Namespace)
		}
	}
	if len(in.asked) == 0 {
		t.Error("it asked about nothing")
	}
	in.grants = documented(t)[:0]
	if code, stdout, _ := call(t, args...); code != cli.ExitFailure || !strings.Contains(stdout, "FAIL mini-hpa/mini-hpa has the rights it needs") {
		t.Errorf("without rights: exit code %d:\n%s", code, stdout)
	}
}

// TestSelftestInAPod reaches the webhook by the name of its Service.
func TestSelftestInAPod(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
	in := newInstallation(t)
	in.byService()
	task := &task{api: cluster.DefaultAPIFlags(), namespace: "default", configuration: "mini-hpa"}
	run := func(dial func(string) (net.Conn, error)) (string, error) {
		var out bytes.Buffer
		tests, err := newTester(task, &rest.Config{Host: in.URL}, &out)
		if err != nil {
			t.Fatal(err)
		}
		tests.dial = func(_ context.Context, _, address string) (net.Conn, error) { return dial(address) }
		err = tests.run(t.Context())
		return out.String(), err
	}
	var dialed string
	said, err := run(func(address string) (net.Conn, error) {
		dialed = address
		return net.Dial("tcp", in.webhook.Listener.Addr().String())
	})
	if err != nil || dialed != "mini-hpa-webhook.mini-hpa.svc:443" ||
		!strings.Contains(said, "ok   the certificate of webhook workloads.webhook.mini-hpa: mini-hpa-webhook.mini-hpa.svc:443 shows one that is trusted") {
		t.Errorf("%v, it dialed %q:\n%s", err, dialed, said)
	}
	in.configuration.Webhooks[0].ClientConfig.Service.Name = "other"
	in.configuration.Webhooks[0].ClientConfig.Service.Port = new(int32(8443))
	said, err = run(func(address string) (net.Conn, error) {
		dialed = address
		return net.Dial("tcp", in.webhook.Listener.Addr().String())
	})
	if err == nil || dialed != "other.mini-hpa.svc:8443" || !strings.Contains(said, "does not accept: tls: failed to verify certificate: x509: certificate is valid for ") {
		t.Errorf("%v, it dialed %q:\n%s", err, dialed, said)
	}
	said, err = run(func(string) (net.Conn, error) { return nil, &net.DNSError{Err: "no such host", IsNotFound: true} })
	if err == nil || !strings.Contains(said, "FAIL the certificate of webhook workloads.webhook.mini-hpa: other.mini-hpa.svc:8443 cannot be reached: lookup : no such host") {
		t.Errorf("in a pod a name that is unknown is a failure: %v\n%s", err, said)
	}
}

func TestContactOf(t *testing.T) {
	service := &admissionv1.ServiceReference{Namespace: "a", Name: "b"}
	tests := map[string]struct {
		config  admissionv1.WebhookClientConfig
		address string
		err     string
	}{
		"a URL without a port":            {config: admissionv1.WebhookClientConfig{URL: new("https://hook.example/path")}, address: "hook.example:443"},
		"a URL with a port":               {config: admissionv1.WebhookClientConfig{URL: new("https://[::1]:8443")}, address: "[::1]:8443"},
		"a URL that is none":              {config: admissionv1.WebhookClientConfig{URL: new("https://\x7f")}, err: "the URL in clientConfig cannot be read"},
		"neither a URL nor a Service":     {err: "clientConfig names neither a Service nor a URL"},
		"a Service needs a caBundle":      {config: admissionv1.WebhookClientConfig{Service: service}, err: "its caBundle (0 bytes) holds no certificate"},
		"a caBundle has to be PEM":        {config: admissionv1.WebhookClientConfig{Service: service, CABundle: []byte{0}}, err: "its caBundle (1 bytes) holds no certificate"},
		"not even a URL excuses nonsense": {config: admissionv1.WebhookClientConfig{URL: new("https://a"), CABundle: []byte{0}}, err: "its caBundle (1 bytes) holds no certificate"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			at, err := contactOf(test.config)
			if fmt.Sprint(err) != test.err && (err != nil || test.err != "") || at.address != test.address {
				t.Errorf("got %q, %v; want %q, %q", at.address, err, test.address, test.err)
			}
		})
	}
}

func TestLeavesOut(t *testing.T) {
	selecting := func(requirements ...metav1.LabelSelectorRequirement) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchExpressions: requirements}
	}
	notIn := metav1.LabelSelectorRequirement{Key: corev1.LabelMetadataName, Operator: metav1.LabelSelectorOpNotIn, Values: []string{"default", "other"}}
	labeled := metav1.LabelSelectorRequirement{Key: "team", Operator: metav1.LabelSelectorOpExists}
	tests := map[string]struct {
		selectors []*metav1.LabelSelector
		want      bool
	}{
		"no selector takes everything":               {selectors: []*metav1.LabelSelector{nil}},
		"an empty selector takes everything":         {selectors: []*metav1.LabelSelector{{}}},
		"excluded by its name":                       {selectors: []*metav1.LabelSelector{selecting(notIn)}, want: true},
		"excluded, whatever other labels there are":  {selectors: []*metav1.LabelSelector{selecting(labeled, notIn)}, want: true},
		"other labels are not known":                 {selectors: []*metav1.LabelSelector{selecting(labeled)}},
		"another namespace is the only one":          {selectors: []*metav1.LabelSelector{{MatchLabels: map[string]string{corev1.LabelMetadataName: "a"}}}, want: true},
		"it is the only one":                         {selectors: []*metav1.LabelSelector{{MatchLabels: map[string]string{corev1.LabelMetadataName: "default", "team": "a"}}}},
		"one webhook of two takes it":                {selectors: []*metav1.LabelSelector{selecting(notIn), nil}},
		"where there is no webhook, none leaves out": {},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var hooks []admissionv1.ValidatingWebhook
			for _, selector := range test.selectors {
				hooks = append(hooks, admissionv1.ValidatingWebhook{NamespaceSelector: selector})
			}
			if got := leavesOut(hooks, "default"); got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
		})
	}
}

// TestSelftestIsPatient: the API server may wait for webhooks that do not answer, and only then decides.
func TestSelftestIsPatient(t *testing.T) {
	tests, err := newTester(&task{api: cluster.DefaultAPIFlags()}, &rest.Config{Host: "127.0.0.1"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	client, ok := tests.create.AppsV1().RESTClient().(*rest.RESTClient)
	if !ok || client.Client.Timeout <= longestWebhook {
		t.Errorf("the client that creates Deployments gives up after %s, want more than %s", client.Client.Timeout, longestWebhook)
	}
}

// TestSelftestOfKinds asks about the rights of each kind that the controller scales, and about its CustomResourceDefinition by name.
func TestSelftestOfKinds(t *testing.T) {
	in := newInstallation(t)
	args := []string{"selftest", "--kubeconfig", in.kubeconfig(), "--service-account", "mini-hpa/mini-hpa", "--kinds", "rollouts.argoproj.io"}
	const lacks = `FAIL mini-hpa/mini-hpa has the rights it needs: it may not list rollouts.argoproj.io in all namespaces, watch rollouts.argoproj.io in all namespaces, ` +
		`update rollouts.argoproj.io/scale in all namespaces, patch rollouts.argoproj.io/scale in all namespaces, ` +
		`list customresourcedefinitions.apiextensions.k8s.io "rollouts.argoproj.io", watch customresourcedefinitions.apiextensions.k8s.io "rollouts.argoproj.io"; `
	if code, stdout, _ := call(t, args...); code != cli.ExitFailure || !strings.Contains(stdout, lacks) {
		t.Errorf("exit code %d:\n%s", code, stdout)
	}
	in.grants = append(in.grants,
		grant{"", rbacv1.PolicyRule{Verbs: []string{"list", "watch"}, APIGroups: []string{"argoproj.io"}, Resources: []string{"rollouts"}}},
		grant{"", rbacv1.PolicyRule{Verbs: []string{"update", "patch"}, APIGroups: []string{"argoproj.io"}, Resources: []string{"rollouts/scale"}}},
		grant{"", rbacv1.PolicyRule{Verbs: []string{"list", "watch"}, APIGroups: []string{"apiextensions.k8s.io"}, Resources: []string{"customresourcedefinitions"}, ResourceNames: []string{"rollouts.argoproj.io"}}})
	if code, stdout, stderr := call(t, args...); code != cli.ExitOK {
		t.Errorf("exit code %d, %s:\n%s", code, stderr, stdout)
	}
}

func TestSelftestFlags(t *testing.T) {
	for flag, test := range map[string]struct{ value, want string }{
		"namespace":             {"", "the name of a namespace (a DNS label)"},
		"service-account":       {"mini-hpa", "NAMESPACE/NAME of a service account, such as mini-hpa/mini-hpa, or nothing"},
		"webhook-configuration": {"Mini", "the name of an object (a DNS subdomain), or nothing"},
		"kinds":                 {"statefulsets.apps", "names of CustomResourceDefinitions, separated by commas, such as rollouts.argoproj.io; Deployments, StatefulSets and ReplicaSets need not be named"},
		"watch-namespace":       {"a,b", "the name of a namespace (a DNS label)"},
	} {
		code, stdout, stderr := call(t, "selftest", "--"+flag+"="+test.value)
		want := fmt.Sprintf("mini-hpa selftest: invalid value %q for --%s: want %s\nRun \"mini-hpa selftest --help\" for what it takes.\n", test.value, flag, test.want)
		if code != cli.ExitUsage || stdout != "" || stderr != want {
			t.Errorf("exit code %d, %q, %q; want %q", code, stdout, stderr, want)
		}
	}
	for _, value := range []string{"/", "a/", "/a", "a/b/c", "A/b", "a b/c"} {
		if err := serviceAccount(&account{}).Set(value); err == nil {
			t.Errorf("%q is taken for a service account", value)
		}
	}
}
