package annotations

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
	"text/template"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

const admissionFile = "../docs/admission.md"

// TestAdmissionPage renders the page about admission from the table of findings. `go test ./annotations -run Page -update` writes it.
func TestAdmissionPage(t *testing.T) {
	var page bytes.Buffer
	if err := admissionPage.Execute(&page, Findings()); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(admissionFile, page.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	stored, err := os.ReadFile(admissionFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(stored), page.String()); diff != "" {
		t.Errorf("docs/admission.md is stale; run make update-docs (-stored +rendered):\n%s", diff)
	}
}

// sample is a Deployment that leads to a finding, with what is around it. Before is what an update starts from.
type sample struct {
	before, workload *appsv1.Deployment
	surroundings     Surroundings
}

// samples has one for each finding that Review can come to.
func samples() map[string]sample {
	half := map[string]string{"target-cpu": "50", "max": "10"}
	with := func(key, value string) map[string]string {
		return map[string]string{"target-cpu": "50", "max": "10", key: value}
	}
	fine := box("app", "cpu=100m")
	two, five := int32(2), int32(5)
	misplaced, before, after := deploy(nil, fine), deploy(half, fine), deploy(half, fine)
	misplaced.Spec.Template.Annotations = map[string]string{Max: "10"}
	before.Spec.Replicas, after.Spec.Replicas = &five, &two
	hpa := Surroundings{Autoscalers: []Autoscaler{{Kind: "HorizontalPodAutoscaler", Name: "web"}}}
	ranges := Surroundings{LimitRanges: []*corev1.LimitRange{limitRange("defaults", corev1.LimitRangeItem{Type: corev1.LimitTypeContainer, DefaultRequest: cpus("100m")})}}
	return map[string]sample{
		FoundInvalid:               {workload: deploy(map[string]string{"target-cpu": "50", "min": "3", "max": "2"}, fine)},
		FoundNoMetric:              {workload: deploy(map[string]string{"max": "10"}, fine)},
		FoundMissingRequest:        {workload: deploy(half, fine, box("envoy"))},
		FoundInvalidRequest:        {workload: deploy(half, box("app", "cpu=0"))},
		FoundUnknownContainer:      {workload: deploy(with("container", "web"), fine, box("envoy"))},
		FoundConflict:              {workload: deploy(half, fine), surroundings: hpa},
		FoundUnknownAnnotation:     {workload: deploy(with("minimum", "2"), fine)},
		FoundDoubtful:              {workload: deploy(map[string]string{"target-cpu": "1500", "max": "10"}, fine)},
		FoundInjected:              {workload: deploy(with("container", "istio-proxy"), fine)},
		FoundResized:               {workload: deploy(half, fine), surroundings: Surroundings{Resizers: []*Resizer{{Name: "web"}}}},
		FoundUnreachable:           {workload: deploy(map[string]string{"target-cpu": "500", "max": "10"}, box("app", "cpu=100m", "limit cpu=200m"))},
		FoundFixedReplicas:         {workload: deploy(with("min", "10"), fine)},
		FoundMisplaced:             {workload: misplaced},
		FoundRequestFromLimit:      {workload: deploy(half, box("app", "limit cpu=500m"))},
		FoundRequestFromLimitRange: {workload: deploy(half, box("app")), surroundings: ranges},
		FoundUnverifiedRequest:     {workload: deploy(half, box("app")), surroundings: Surroundings{Unknown: "LimitRanges cannot be read"}},
		FoundObservedAutoscaler:    {workload: deploy(with("mode", "observe"), fine), surroundings: hpa},
		FoundReplicasOverwritten:   {before: before, workload: after},
		FoundUnchanged:             {before: deploy(half, box("app")), workload: deploy(half, box("app"))},
	}
}

// said is what Review says about the sample of a finding, in full; empty for those that are not Review's.
func said(name string) string {
	s, ok := samples()[name]
	if !ok {
		return ""
	}
	v := DefaultDefaults().Review(s.workload, s.surroundings)
	if s.before != nil {
		v = DefaultDefaults().ReviewUpdate(s.before, s.workload, s.surroundings)
	}
	var lines []string
	for _, problem := range v.Problems {
		lines = append(lines, problem.Error())
	}
	for _, w := range v.Warnings {
		lines = append(lines, "Warning: "+w.String())
	}
	return strings.Join(lines, "\n")
}

// injectorKeys are the keys of the known injectors, by what injects.
func injectorKeys() string {
	var all []string
	for _, i := range injectors {
		all = append(all, "`"+strings.Join(i.keys, "`, `")+"`")
	}
	return strings.Join(all, ", ")
}

// TestEverySampleIsOfItsFinding alone, and only those that depend on the request have none.
func TestEverySampleIsOfItsFinding(t *testing.T) {
	for _, f := range Findings() {
		s, ok := samples()[f.Name]
		if !ok {
			if !slices.Contains([]string{FoundRolledBack, FoundUnchecked, FoundInvalidField}, f.Name) {
				t.Errorf("%s has no sample", f.Name)
			}
			continue
		}
		v := DefaultDefaults().Review(s.workload, s.surroundings)
		if s.before != nil {
			v = DefaultDefaults().ReviewUpdate(s.before, s.workload, s.surroundings)
		}
		isProblem := len(v.Problems) == 1 && len(v.Warnings) == 0 && v.Problems[0].Origin == f.Name
		isWarning := len(v.Problems) == 0 && len(v.Warnings) == 1 && v.Warnings[0].Rule == f.Name
		if f.Denies != isProblem || !f.Denies != isWarning {
			t.Errorf("%s: %v", f.Name, found(v))
		}
	}
}

var admissionPage = template.Must(template.New("admission").Funcs(template.FuncMap{"said": said, "injectors": injectorKeys}).Parse(strings.ReplaceAll(`<!-- Generated from annotations/findings.go by: go test ./annotations -run Page -update -->

# Admission

An HPA whose pods have no CPU request does nothing, and says so only to those who look. mini-hpa's admission webhook says it when
the Deployment is stored, and what to do:

~~~text
$ kubectl annotate deployment web mini-hpa/target-cpu=50 mini-hpa/max=10
The Deployment "web" is invalid: {{said "MissingRequest"}}
~~~

The same checks are made in three places, by the same function, with the same words:

- the webhook, before a Deployment is stored: a problem refuses the request (422 Invalid, one cause for each problem), a warning is
  printed by kubectl; another autoscaler is only a warning here, so that a release can [replace it](migrate.md);
- the controller, at each look: what was stored before there was a webhook, or while it was away, is not scaled, and one Event says why;
- ~mini-hpa lint~, in a pull request: [cli.md](cli.md#mini-hpa-lint).

The webhook never changes an object, has no side effects, and answers a dry run like any other request.

## Set it up

The [Helm chart](install.md) does (~webhook.enabled~, on by default): every replica of the controller answers, whether it leads or not, and one that
was told to end, or has no certificate yet, is kept out of the Service by its readiness probe.

Without Helm, ~mini-hpa controller --webhook-bind-address=:10250~ serves it, or ~mini-hpa webhook~ as a Deployment of its own, with the same
flags as the controller where they say what annotations mean (~--min-sync-period~). [webhook.yaml](webhook.yaml) has the rights, the Service and
the ValidatingWebhookConfiguration, [rbac.yaml](rbac.yaml) the rights of the controller. Give it a readiness probe on ~/readyz~, and pods 20
seconds more to end than ~--shutdown-delay-duration~.

A controller that works in one namespace (~--namespace~) knows the LimitRanges and autoscalers of that one only. Limit the
~namespaceSelector~ to it; of other namespaces the webhook only warns where a request is missing.

## What is found

A problem is refused, a warning is only told. The names are the rules of ~mini-hpa lint~ and the values of ~reason~ in
~mini_hpa_webhook_verdicts_total~.
{{range .}}
### {{.Name}}

{{if eq .Name "ConflictingAutoscaler"}}**Not scaled,** but stored with a warning.{{else if eq .Name "InvalidField"}}**An error.**{{else if .Denies}}**Refused.**{{else}}*Warning.*{{end}} {{.When}} {{.Fix}}
{{with said .Name}}
~~~text
{{.}}
~~~
{{end}}{{end}}
### What counts

What a value may be is in [annotations.md](annotations.md#what-each-accepts), word for word as the error says it.

A request counts if every pod will have it: one of the container, or a limit of it (Kubernetes copies it), or a default of a
LimitRange (with a warning), or resources of the pod as a whole. Sidecars (init containers with ~restartPolicy: Always~) count as
containers, other init containers do not. With ~mini-hpa/container~ only that container has to have one. An absolute target needs none. While ~mini-hpa/mode~ is ~paused~, a request that is
missing is a warning.
What other webhooks do to the pods cannot be seen here: a sidecar that is injected is left out of the decision if it has no request, and
requests that are put into pods only (by VPA, say) do not count: the template needs one, too. A container that is injected may be named where
that is announced: by a label or an annotation of the template with which a known injector is asked for it ({{injectors}}), or by such a label of the
namespace, for which the webhook asks the API server only when it would refuse the Deployment otherwise. A key of the template that keeps it out, such as
~sidecar.istio.io/inject: "false"~, counts more than the namespace. Of an injector that is not known here, the container may be named once the pods have it.

## Updates: only what they bring

An update is refused only for a problem that it introduces. What was wrong before, and stays wrong in the same way, gives a warning:
whoever changes the image, a label or a finalizer of a Deployment is not kept from it by somebody else's mistake. The same is true of a
request whose absence was hidden, because the metrics could not be read before or named a container that was not there, and of a container that was
renamed. A bad value that is
replaced by another bad value of the same annotation is a new problem. Scaling, status, deletion and everything about objects without mini-hpa's annotations
are never sent to the webhook at all; neither are changes of labels, of other annotations, or of the spec but for the pod template and
~replicas~ (which an apply should leave alone).

**Rollbacks are let through.** ~kubectl rollout undo~ (or ~helm rollback~, or a GitOps tool that goes back) sets the pod template to one that
the Deployment has had before, and undo brings back the annotations of that revision, too. What that revision had wrong, with its own
annotations or with those that the Deployment has now, gives a warning: in an incident, what worked yesterday has to come back. A mistake that
is new is refused, whichever template it comes with. Until the problem is fixed, mini-hpa does not scale the Deployment: its replicas stay
as they are.

The webhook recognizes a rollback by the Deployment's ReplicaSets, and asks the API server for them only when it would refuse the update
otherwise. So it goes as far back as ~spec.revisionHistoryLimit~ (10 revisions). Where that is 0, there is no trace of any revision, and an update of the
template of an autoscaled Deployment is not refused for a request that goes missing with it. Times of ~kubectl rollout restart~ do not count. If it gets
no answer within 2 s, or if the Deployment is larger than 128 KiB, it lets the update through.

## When the webhook is away

~failurePolicy~ is ~Ignore~: while nobody answers, everything is stored, and the controller refuses to scale what is wrong, with an Event.
Nothing but annotated Deployments can be concerned, because ~matchConditions~ keep everything else from being sent.

To refuse instead of to trust, set ~failurePolicy: Fail~. Then:

- run at least two replicas, on different nodes;
- while none answers, creating or changing an *annotated* Deployment fails, rollbacks included; scaling goes on;
- kube-system, kube-node-lease and mini-hpa's own namespace stay out of it (~namespaceSelector~), so that mini-hpa can always be repaired;
- before you uninstall mini-hpa, delete the ValidatingWebhookConfiguration.

## Certificates

Nothing has to be set up. The replicas share a CA in the Secret ~mini-hpa-webhook-ca~ and each makes a certificate for itself, which is
only ever in its memory. They write the ~caBundle~ themselves: leave it, and the data of the Secret, out of what you apply.

| | life | replaced |
| --- | --- | --- |
| certificate of a replica | 7 days (~--webhook-certificate-duration~) | at two thirds of it |
| CA | 1 year (~--webhook-ca-duration~) | another one is made known in the ~caBundle~ at half of it, signs from two thirds on; the old one stays in the ~caBundle~ until it expires |

So old and new are trusted at the same time for as long as anybody shows a certificate of either. Deleting the Secret asks for a new CA:
it takes over after ten minutes, with the same overlap. A Secret with unusable content is replaced in the same way. To no longer trust a former
CA, delete ~previous.crt~ from the Secret once the new one signs.

With ~--tls-cert-file~ and ~--tls-private-key-file~ the certificate comes from files, which are read again when they change: those that
cert-manager writes into a Secret, for instance. The ~caBundle~ is then somebody else's, too (cert-manager's ~cainjector~).
~mini_hpa_webhook_certificate_expiry_timestamp_seconds~ is there for alerts.

The server speaks TLS 1.3. On SIGTERM ~/readyz~ fails first, and it goes on answering for ~--shutdown-delay-duration~ (10 s) and then up to
10 s more; the pod's ~terminationGracePeriodSeconds~ must be above the sum. HTTP/1.1 leaves one gap: a request that the API server sends
on an idle connection in the very moment when that is closed is lost. A delay above 90 s, after which the API server itself closes
idle connections, leaves next to none.

Bodies are limited to 7 MiB; memory, connections and the time of one request are bounded whoever sends them. What strangers can spend is
CPU: a NetworkPolicy should let only the API server reach the port.
`, "~", "`")))
