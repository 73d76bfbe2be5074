package lint

import (
	"strings"
	"testing"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
)

// ofKind is a sound workload of a kind, whose metadata and spec begin with other fields.
func ofKind(version, kind, metadata, spec string) string {
	return "apiVersion: " + version + "\nkind: " + kind + "\nmetadata:\n" + metadata + "  name: db\n  annotations:\n    mini-hpa/target-cpu: 50%\n    mini-hpa/max: '9'\nspec:\n" + spec +
		"  template:\n    spec:\n      containers:\n      - name: app\n        resources: {requests: {cpu: 1}}\n"
}

// trains is a CustomResourceDefinition with unusual paths.
const trains = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: trains.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Train, plural: trains}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {scale: {specReplicasPath: .spec.workers.count, statusReplicasPath: .status.count}}
---
`

// TestLintKinds: each kind is judged as a Deployment is, and named.
func TestLintKinds(t *testing.T) {
	for _, kind := range []string{"Deployment", "StatefulSet", "ReplicaSet"} {
		sound := ofKind("apps/v1", kind, "", "")
		hpa := "---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: h}\nspec: {scaleTargetRef: {apiVersion: apps/v1, kind: " + kind + ", name: db}}\n"
		vpa := "---\napiVersion: autoscaling.k8s.io/v1\nkind: VerticalPodAutoscaler\nmetadata: {name: v}\nspec: {targetRef: {apiVersion: apps/v1, kind: " + kind + ", name: db}}\n"
		so := "---\napiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: s}\nspec: {scaleTargetRef: {kind: " + kind + ", name: db}}\n"
		needy := strings.Replace(sound, "\n        resources: {requests: {cpu: 1}}", "", 1)
		for name, tt := range map[string]struct {
			text string
			want []string
		}{
			"sound": {sound, nil},
			"no template": {strings.Replace(sound[:strings.Index(sound, "spec:\n")], "mini-hpa/max", "mini-hpa/container: app\n    mini-hpa/target-memory: 512Mi\n    mini-hpa/max", 1), []string{
				"standard input:6: warning: " + kind + " db: metadata.annotations[mini-hpa/target-cpu]: is a percentage of the CPU that pods request, and this " + kind + " has no pod template to see that in; " +
					"the controller looks for requests in its pods, and does not scale while they have none [NoPodTemplate]",
				`:7: warning: ` + kind + ` db: metadata.annotations[mini-hpa/container]: names container "app", and this ` + kind + " has no pod template to see in whether there is one; there is nothing to measure in pods that lack it [NoPodTemplate]"}},
			"no containers": {strings.Replace(strings.Replace(sound[:strings.Index(sound, "spec:\n")], "target-cpu: 50%", "target-cpu: 250m", 1), "mini-hpa/max", "mini-hpa/container: istio-proxy\n    mini-hpa/max", 1) + "spec: {template: {metadata: {labels: {app: db}}}}\n", []string{
				`:7: warning: ` + kind + ` db: metadata.annotations[mini-hpa/container]: names container "istio-proxy", and this ` + kind + " has no pod template"}},
			"a value":        {strings.Replace(sound, "'9'", "ten", 1), []string{"standard input:7: error: " + kind + ` db: metadata.annotations[mini-hpa/max]: Invalid value: "ten"`}},
			"no request":     {needy, []string{"standard input:12: error: " + kind + " db: spec.template.spec.containers[0].resources.requests[cpu]: Required value"}},
			"a LimitRange":   {needy + "---\napiVersion: v1\nkind: LimitRange\nmetadata: {name: l}\nspec: {limits: [{type: Container, defaultRequest: {cpu: 1}}]}\n", []string{"RequestFromLimitRange"}},
			"an HPA":         {sound + hpa, []string{":5: error: " + kind + ` db: metadata.annotations: Forbidden: HorizontalPodAutoscaler "h" (standard input:15) already scales this ` + kind + ", and"}},
			"a ScaledObject": {sound + so, []string{`ScaledObject "s" (standard input:15) already scales this ` + kind}},
			"a VPA":          {sound + vpa, []string{`VerticalPodAutoscaler "v" (standard input:15) changes`}},
			"replicas":       {ofKind("apps/v1", kind, "", "  replicas: 3\n"), []string{":9: warning: " + kind + " db: spec.replicas: each apply sets the replicas to 3"}},
			"no replicas":    {ofKind("apps/v1", kind, "", "  replicas: -1\n"), []string{":9: error: " + kind + " db: spec.replicas: Invalid value: -1: must be at least 0"}},
			"no more":        {strings.Replace(sound, "'9'", "'1'", 1), []string{"FixedReplicas"}},
			"a wrong field":  {strings.Replace(sound, "name: app", "name: 7", 1), []string{":12: error: " + kind + " db: spec.template.spec.containers[0].name: Invalid value: 7: must be a string"}},
			"on the template": {strings.Replace(sound, "  template:\n", "  template:\n    metadata: {annotations: {mini-hpa/min: '2'}}\n", 1),
				[]string{"have no effect on the pod template; set them on the " + kind + " itself"}},
			"on both": {strings.Replace(sound, "  template:\n", "  template:\n    metadata: {annotations: {mini-hpa/max: '9'}}\n", 1),
				[]string{"mini-hpa/max is on the " + kind + " and on its pod template"}},
		} {
			t.Run(kind+"/"+name, func(t *testing.T) {
				_, stdout, stderr := lint(t, tt.text)
				expect(t, stdout, tt.want)
				if !strings.Contains(stderr, "1 workload autoscaled") {
					t.Error(stderr)
				}
			})
		}
	}
}

// TestLintKindsApart: two of the same name are two.
func TestLintKindsApart(t *testing.T) {
	hpa := "---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: h}\nspec: {scaleTargetRef: {apiVersion: apps/v1, kind: StatefulSet, name: db}}\n---\n"
	_, stdout, stderr := lint(t, ofKind("apps/v1", "Deployment", "", "")+hpa+ofKind("apps/v1", "StatefulSet", "", ""))
	expect(t, stdout, []string{`standard input:24: error: StatefulSet db: metadata.annotations: Forbidden: HorizontalPodAutoscaler "h"`})
	if !strings.Contains(stderr, "2 workloads autoscaled") {
		t.Error(stderr)
	}
}

// TestLintClaims: a scale-in that deletes data is told.
func TestLintClaims(t *testing.T) {
	policy := func(when string) string {
		return ofKind("apps/v1", "StatefulSet", "", "  persistentVolumeClaimRetentionPolicy:\n    whenScaled: "+when+"\n  volumeClaimTemplates: [{metadata: {name: data}}]\n")
	}
	expectLint(t, policy("Delete"), cli.ExitOK, []string{":10: warning: StatefulSet db: spec.persistentVolumeClaimRetentionPolicy.whenScaled: is Delete: each time mini-hpa scales in, the volume claims"})
	expectLint(t, policy("Retain"), cli.ExitOK, nil)
}

// TestLintOwnedReplicaSets: one that a Deployment controls has copies of its annotations, of which nothing is said.
func TestLintOwnedReplicaSets(t *testing.T) {
	owned := "  ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: db, uid: u, controller: true}]\n"
	_, stdout, stderr := lint(t, ofKind("apps/v1", "Deployment", "", "")+"---\n"+strings.Replace(ofKind("apps/v1", "ReplicaSet", owned, ""), "'9'", "ten", 1))
	expect(t, stdout, nil)
	if !strings.Contains(stderr, "1 workload autoscaled") {
		t.Error(stderr)
	}
}

// TestLintCustomKinds: a CustomResourceDefinition gives the paths, before the object or after it.
func TestLintCustomKinds(t *testing.T) {
	train := ofKind("example.com/v1", "Train", "", "  workers:\n    count: 3\n")
	sound := ofKind("example.com/v1", "Train", "", "")
	bare := sound[:strings.Index(sound, "spec:\n")] + "spec: {cars: 7}\n"
	hpa := "---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: h}\nspec: {scaleTargetRef: {apiVersion: example.com/v1, kind: Train, name: db}}\n"
	noScale := strings.Replace(trains, "    subresources:", "    other:", 1)
	for name, tt := range map[string]struct {
		text string
		code int
		want []string
	}{
		"sound":           {trains + sound, cli.ExitOK, nil},
		"replicas":        {trains + train, cli.ExitOK, []string{"standard input:23: warning: Train db: spec.workers.count: each apply sets the replicas to 3, whatever mini-hpa has made of them; leave the replicas out"}},
		"defined later":   {train + "---\n" + trains, cli.ExitOK, []string{"standard input:10: warning: Train db: spec.workers.count"}},
		"a value":         {trains + strings.Replace(sound, "'9'", "ten", 1), cli.ExitFailure, []string{`:20: error: Train db: metadata.annotations[mini-hpa/max]: Invalid value: "ten"`}},
		"no quotes":       {trains + strings.Replace(sound, "'9'", "9", 1), cli.ExitFailure, []string{`must be a string; put it in quotes: "9"`}},
		"no request":      {trains + strings.Replace(sound, "\n        resources: {requests: {cpu: 1}}", "", 1), cli.ExitFailure, []string{":25: error: Train db: spec.template.spec.containers[0].resources.requests[cpu]: Required value"}},
		"no template":     {trains + bare, cli.ExitOK, []string{"[NoPodTemplate]"}},
		"an HPA":          {trains + sound + hpa, cli.ExitFailure, []string{"already scales this Train"}},
		"no subresource":  {noScale + sound, cli.ExitFailure, []string{`:20: error: Train db: metadata.annotations[mini-hpa/max]: objects of this kind cannot be scaled: version "v1" of trains.example.com has no scale subresource`}},
		"cluster-scoped":  {strings.Replace(trains, "Namespaced", "Cluster", 1) + sound, cli.ExitFailure, []string{`spec.scope of trains.example.com is "Cluster"; only objects in a namespace`}},
		"not defined":     {sound, cli.ExitOK, []string{`:7: warning: Train db: metadata.annotations[mini-hpa/max]: mini-hpa/ annotations have no effect on "Train" of "example.com/v1"; only Deployments, StatefulSets and ReplicaSets of apps/v1, and custom kinds that have a scale subresource, are autoscaled; if this is one, add`}},
		"a label":         {trains + strings.Replace(sound, "  name: db\n", "  name: db\n  labels: {mini-hpa/min: '2'}\n", 1), cli.ExitOK, []string{"no effect among the labels; write them into the metadata.annotations of the Train"}},
		"not ours at all": {noScale + strings.ReplaceAll(sound, "mini-hpa/", "other/"), cli.ExitOK, nil},
	} {
		t.Run(name, func(t *testing.T) { expectLint(t, tt.text, tt.code, tt.want) })
	}
}

// TestLintPromisedKinds: what can be said without a CustomResourceDefinition is said, and what to add once.
func TestLintPromisedKinds(t *testing.T) {
	const hint = ":6: warning: Train db: metadata.annotations[mini-hpa/max]: the CustomResourceDefinition of trains.example.com is not among the files"
	train := strings.Replace(ofKind("example.com/v1", "Train", "", "  replicas: 3\n"), "    mini-hpa/target-cpu: 50%\n    mini-hpa/max: '9'\n", "    mini-hpa/max: '0'\n    mini-hpa/target-cpu: 50%\n", 1)
	for name, tt := range map[string]struct {
		text, kinds string
		want        []string
	}{
		"one":            {train, "trains.example.com", []string{hint, ":6: error: Train db: metadata.annotations[mini-hpa/max]: Invalid value: \"0\"", ":9: warning: Train db: spec.replicas: each apply"}},
		"its definition": {trains + train, "trains.example.com", []string{":19: error: Train db: metadata.annotations[mini-hpa/max]"}},
		"another one":    {train, "planes.example.com", []string{`no effect on "Train" of "example.com/v1"; only`}},
		"two":            {train + "---\n" + train, "planes.example.com,trains.example.com", []string{hint, "max", "replicas", ":21: error", "replicas"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, stdout, _ := lint(t, tt.text, "--kinds", tt.kinds)
			expect(t, stdout, tt.want)
		})
	}
}

// TestLintPatchesOfKinds: each kind is judged as its kustomizations have it, and a patch is for the kind that it names.
func TestLintPatchesOfKinds(t *testing.T) {
	base := func(version, kind, more string) map[string]string {
		return map[string]string{"base/kustomization.yaml": "resources: [w.yaml, other.yaml]\n", "base/w.yaml": more + ofKind(version, kind, "", ""), "base/other.yaml": ofKind("apps/v1", "Deployment", "", "")}
	}
	set := base("apps/v1", "StatefulSet", "")
	train := base("example.com/v1", "Train", trains)
	part := func(version, kind, rest string) string {
		return "apiVersion: " + version + "\nkind: " + kind + "\nmetadata:\n  name: db\n" + rest
	}
	const few = "  annotations:\n    mini-hpa/min: '20'\n"
	for name, tt := range map[string]struct {
		base    map[string]string
		patches string
		patch   string
		want    []string
	}{
		"a value":               {set, "[{path: p.yaml}]", part("apps/v1", "StatefulSet", strings.Replace(few, "'20'", "ten", 1)), []string{`prod/p.yaml:6: error: StatefulSet db: metadata.annotations[mini-hpa/min]: Invalid value: "ten"`}},
		"together":              {set, "[{path: p.yaml}]", part("apps/v1", "StatefulSet", few), []string{"prod/p.yaml:5: error: StatefulSet db: metadata.annotations[mini-hpa/max]: Invalid value: \"9\": must be at least mini-hpa/min (20); so it is with base/w.yaml:1"}},
		"a container":           {set, "[{path: p.yaml}]", part("apps/v1", "StatefulSet", "spec: {template: {spec: {containers: [{name: more}]}}}\n"), []string{`prod/kustomization.yaml:1: error: Kustomization (unnamed): resources: of StatefulSet "db" (base/w.yaml:1): spec.template.spec.containers[`}},
		"replicas":              {set, "[{path: p.yaml}]", part("apps/v1", "StatefulSet", "spec: {replicas: 3}\n"), []string{"prod/p.yaml:5: warning: StatefulSet db: spec.replicas: each apply sets the replicas to 3"}},
		"operations":            {set, "[{path: p.yaml, target: {kind: StatefulSet, name: db}}]", "- {op: add, path: /metadata/annotations/mini-hpa~1min, value: ten}\n", []string{`prod/p.yaml:1: error: StatefulSet db: metadata.annotations[mini-hpa/min]: Invalid value: "ten"`}},
		"operations, replicas":  {set, "[{path: p.yaml, target: {kind: StatefulSet, name: db}}]", "- {op: replace, path: /spec/replicas, value: 3}\n", []string{"prod/p.yaml:1: warning: StatefulSet db: [0].value: each apply sets the replicas to 3"}},
		"a train":               {train, "[{path: p.yaml}]", part("example.com/v1", "Train", few), []string{"Train db: metadata.annotations[mini-hpa/max]: Invalid value: \"9\": must be at least mini-hpa/min (20); so it is with base/w.yaml:14"}},
		"a train's list":        {train, "[{path: p.yaml}]", part("example.com/v1", "Train", "spec: {template: {spec: {containers: [{name: other}]}}}\n"), []string{`of Train "db" (base/w.yaml:14): spec.template.spec.containers[0].resources.requests[cpu]: Required value`}},
		"a train's workers":     {train, "[{path: p.yaml}]", part("example.com/v1", "Train", "spec: {workers: {count: 3}}\n"), []string{"prod/p.yaml:5: warning: Train db: spec.workers.count: each apply sets the replicas to 3"}},
		"a train by its target": {train, "[{path: p.yaml, target: {kind: Train, name: db}}]", "- {op: add, path: /spec/workers/count, value: 3}\n", []string{"prod/p.yaml:1: warning: Train db: [0].value: each apply sets the replicas to 3"}},
		"of nothing but a name": {train, "[{path: p.yaml, target: {kind: Train}}]", "metadata:\n  name: db\n" + strings.Replace(few, "'20'", "ten", 1), []string{`prod/p.yaml:4: error: Train db: metadata.annotations[mini-hpa/min]: Invalid value: "ten"`}},
		"of another group":      {train, "[{path: p.yaml}]", part("example.com/v1", "Plane", few), []string{`no effect on "Plane" of "example.com/v1"`}},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"prod/kustomization.yaml": "resources: [../base]\npatches: " + tt.patches + "\n", "prod/p.yaml": tt.patch}
			for file, text := range tt.base {
				files[file] = text
			}
			repository(t, files)
			_, stdout, _ := call(t, ".")
			expect(t, stdout, tt.want)
		})
	}
}

// TestLintCountsKinds: what a Kustomization counts, it counts of each kind.
func TestLintCountsKinds(t *testing.T) {
	repository(t, map[string]string{"kustomization.yaml": "resources: [a.yaml, b.yaml]\nreplicas:\n- name: db\n  count: 3\n",
		"a.yaml": ofKind("apps/v1", "StatefulSet", "", ""), "b.yaml": strings.ReplaceAll(ofKind("apps/v1", "Deployment", "", ""), "mini-hpa/", "other/")})
	_, stdout, _ := call(t, ".")
	expect(t, stdout, []string{`kustomization.yaml:4: warning: Kustomization (unnamed): replicas[0].count: of StatefulSet "db": each apply sets the replicas to 3`})
}
