package e2e

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// change is something that a person or a tool does to the Deployment web.
type change struct {
	// do are the arguments of kubectl.
	do string
	// text makes its standard input of the manifest with which the Deployment was created.
	text func(manifest string) string
	// right is what becomes of it where the Deployment is right, wrong where it was wrong before there was a webhook: there
	// the container has no CPU request.
	right, wrong string
	// undryable says that kubectl has no --dry-run for it.
	undryable bool
}

// replaced edits a manifest.
func replaced(pairs ...string) func(string) string { return strings.NewReplacer(pairs...).Replace }

const requests = "        resources: {requests: {cpu: 100m}}\n"

// changes are the table of what the webhook lets through: nobody who changes something else is kept from doing so, and nobody
// makes anything worse. In a dry run it is the same.
func changes() map[string]change {
	image, worse := replaced("app:1", "app:2"), replaced(requests, "")
	better := func(manifest string) string {
		return strings.Replace(worse(manifest), "app:1\n", "app:1\n"+requests, 1)
	}
	return map[string]change{
		"apply-nothing":          {"apply -f -", replaced(), accepted, accepted, false},
		"apply-label":            {"apply -f -", replaced("  name: web\n", "  name: web\n  labels: {tier: front}\n"), accepted, accepted, false},
		"apply-image":            {"apply -f -", image, accepted, warned, false},
		"apply-replicas":         {"apply -f -", replaced("spec:\n  sel", "spec:\n  replicas: 3\n  sel"), warned, warned, false},
		"apply-without-request":  {"apply -f -", worse, denied, accepted, false},
		"apply-with-request":     {"apply -f -", better, accepted, accepted, false},
		"apply-without-target":   {"apply -f -", replaced(`mini-hpa/target-cpu: "50", `, ""), denied, denied, false},
		"apply-unannotated":      {"apply -f -", replaced(`{mini-hpa/target-cpu: "50", mini-hpa/max: "10"}`, "{}"), accepted, accepted, false},
		"server-apply-image":     {"apply --server-side --force-conflicts -f -", image, accepted, warned, false},
		"server-apply-no-target": {"apply --server-side --force-conflicts -f -", replaced(`mini-hpa/target-cpu: "50"`, `mini-hpa/target-cpu: "none"`), denied, denied, false},
		"annotate-max":           {"annotate deployment web --overwrite mini-hpa/max=20", nil, accepted, warned, false},
		"annotate-max-zero":      {"annotate deployment web --overwrite mini-hpa/max=0", nil, denied, denied, false},
		"annotate-no-target":     {"annotate deployment web mini-hpa/target-cpu-", nil, denied, denied, false},
		"annotate-amount":        {"annotate deployment web --overwrite mini-hpa/target-cpu=250m", nil, accepted, accepted, false},
		"annotate-misspelt":      {"annotate deployment web mini-hpa/mim=2", nil, warned, warned, false},
		"annotate-nothing-left":  {"annotate deployment web mini-hpa/target-cpu- mini-hpa/max-", nil, accepted, accepted, false},
		"annotate-other":         {"annotate deployment web team=a", nil, accepted, accepted, false},
		"label":                  {"label deployment web tier=front", nil, accepted, accepted, false},
		"patch-no-request":       {`patch deployment web --type=json -p [{"op":"add","path":"/spec/template/spec/containers/0/resources","value":{}}]`, nil, denied, accepted, false},
		"patch-sidecar":          {`patch deployment web -p {"spec":{"template":{"spec":{"containers":[{"name":"proxy","image":"proxy"}]}}}}`, nil, denied, denied, false},
		"patch-paused":           {`patch deployment web -p {"spec":{"paused":true}}`, nil, accepted, accepted, false},
		"replace-image":          {"replace -f -", image, accepted, warned, false}, // as Helm does with --force
		"replace-worse":          {"replace -f -", worse, denied, accepted, false},
		"replace-better":         {"replace -f -", better, accepted, accepted, false},
		"set-image":              {"set image deployment web app=app:2", nil, accepted, warned, false},
		"set-env":                {"set env deployment web COLOR=blue", nil, accepted, warned, false},
		"set-resources-request":  {"set resources deployment web --requests=cpu=200m", nil, accepted, accepted, false},
		"set-resources-limit":    {"set resources deployment web --limits=cpu=1", nil, accepted, warned, false},
		"set-resources-zero":     {"set resources deployment web --requests=cpu=0", nil, denied, denied, false},
		"rollout-restart":        {"rollout restart deployment web", nil, accepted, warned, true},
		"rollout-pause":          {"rollout pause deployment web", nil, accepted, accepted, true},
		"scale":                  {"scale deployment web --replicas=3", nil, accepted, accepted, false},
		"scale-to-zero":          {"scale deployment web --replicas=0", nil, accepted, accepted, false},
		"delete":                 {"delete deployment web", nil, accepted, accepted, false},
	}
}

// updates goes through the table, for a Deployment that is right and for one that was wrong before there was a webhook.
func (a *admission) updates(t *testing.T) {
	t.Parallel()
	right := annotated(strings.Replace(plain, "  paused: true\n", "", 1))
	wrong := strings.Replace(right, requests, "", 1)
	table := changes()
	for name, c := range table {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			transcript := a.change(t, "right-"+name, right, c, c.right) + "\n" + a.change(t, "wrong-"+name, wrong, c, c.wrong)
			golden(t, filepath.Join("updates", name+".golden"), transcript)
		})
	}
	t.Logf("%d changes of a Deployment that is right and of one that is wrong", len(table))
}

// change makes one change, first in a dry run, and returns what was to be seen.
func (a *admission) change(t *testing.T, namespace, manifest string, c change, want string) string {
	t.Helper()
	a.before(t, namespace, manifest, strings.Contains(c.do, "--server-side"))
	args, text := append([]string{"-n", namespace}, strings.Fields(c.do)...), ""
	if c.text != nil {
		text = c.text(manifest)
	}
	before := a.stored(t, namespace)
	var dry said
	if !c.undryable {
		dry = a.kubectl(t, text, append(args, "--dry-run=server")...)
		if after := a.stored(t, namespace); dry.verdict() != want || after != before {
			t.Errorf("%s: a dry run is %s, want %s; what is stored went from\n%sto\n%s", namespace, dry.verdict(), want, before, after)
		}
	}
	said := a.kubectl(t, text, args...)
	after := a.stored(t, namespace)
	if said.verdict() != want || want == denied && after != before {
		t.Errorf("%s: %s, want %s; what is stored went from\n%sto\n%s", namespace, said.verdict(), want, before, after)
	}
	if !c.undryable && said.warnings() != dry.warnings() {
		t.Errorf("%s: warned of\n%sbut in a dry run of\n%s", namespace, said.warnings(), dry.warnings())
	}
	which, _, _ := strings.Cut(namespace, "-")
	return fmt.Sprintf("# %s before: %s$ kubectl %s\n%sstored: %s", which, before, c.do, said, after)
}

// before stores a Deployment as it was before there was a webhook, and waits until the webhook is asked about it.
func (a *admission) before(t *testing.T, namespace, manifest string, isServerSide bool) {
	t.Helper()
	a.space(t, namespace, false)
	a.must(t, manifest, "-n", namespace, "apply", fmt.Sprintf("--server-side=%t", isServerSide), "-f", "-")
	a.guard(t, namespace)
	a.settle(t, namespace)
}

// nothing is what is stored of a Deployment that there is not.
const nothing = "nothing\n"

// stored is what there is of the Deployment, as far as it matters here.
func (a *admission) stored(t *testing.T, namespace string) string {
	t.Helper()
	list, err := a.client.AppsV1().Deployments(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(list.Items) == 0 {
		return nothing
	}
	d := list.Items[0]
	text := fmt.Sprintf("replicas %d", *d.Spec.Replicas)
	for _, key := range slices.Sorted(maps.Keys(d.Annotations)) {
		if name, isOurs := strings.CutPrefix(key, "mini-hpa/"); isOurs {
			text += fmt.Sprintf(", %s %s", name, d.Annotations[key])
		}
	}
	for _, c := range d.Spec.Template.Spec.Containers {
		text += fmt.Sprintf("; container %s: image %s", c.Name, c.Image)
		if request, ok := c.Resources.Requests["cpu"]; ok {
			text += ", request " + request.String()
		}
		if limit, ok := c.Resources.Limits["cpu"]; ok {
			text += ", limit " + limit.String()
		}
	}
	return text + "\n"
}
