package lint

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
)

// repository makes files in a directory that is the working directory from now on.
func repository(t *testing.T, files map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for file, text := range files {
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

const (
	plainWeb      = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {template: {spec: {containers: [{name: a}]}}}\n"
	annotatedWeb  = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, annotations: {mini-hpa/target-cpu: 50%, mini-hpa/max: '9'}}\nspec: {template: {spec: {containers: [{name: a}]}}}\n"
	roomyWeb      = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {template: {spec: {containers: [{name: a, resources: {requests: {cpu: 100m, memory: 1Gi}, limits: {cpu: 200m}}}]}}}\n"
	absoluteWeb   = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, annotations: {mini-hpa/target-cpu: 250m, mini-hpa/max: '9'}}\nspec: {template: {spec: {containers: [{name: a}]}}}\n"
	defaultCPU    = "apiVersion: v1\nkind: LimitRange\nmetadata: {name: cpu}\nspec: {limits: [{type: Container, defaultRequest: {cpu: 1}}]}\n"
	webHPA        = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: web}\nspec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}\n"
	webVPA        = "apiVersion: autoscaling.k8s.io/v1\nkind: VerticalPodAutoscaler\nmetadata: {name: web}\nspec: {targetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}\n"
	patchMetadata = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n"
)

func inShop(text string) string {
	return strings.Replace(text, "metadata: {", "metadata: {namespace: shop, ", 1)
}

// TestLintOnePatch: a patch that is linted by itself is one all the same.
func TestLintOnePatch(t *testing.T) {
	repository(t, map[string]string{"prod/kustomization.yaml": "resources: [../base]\npatches: [{path: p.yaml}]\n", "prod/p.yaml": patchMetadata + "  annotations: {mini-hpa/target-cpu: half}\n"})
	_, stdout, _ := call(t, "prod/p.yaml")
	expect(t, stdout, []string{`prod/p.yaml:5: error: Deployment web: metadata.annotations[mini-hpa/target-cpu]: Invalid value: "half"`})
}

// TestLintCompositions: what a kustomization is made of bears on all of it, and on nothing else.
func TestLintCompositions(t *testing.T) {
	for name, tt := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"a base": {map[string]string{"base/kustomization.yaml": "resources: [l.yaml]\n", "base/l.yaml": defaultCPU, "prod/kustomization.yaml": "resources: [../base, d.yaml]\n", "prod/d.yaml": annotatedWeb},
			[]string{`get 1 from LimitRange "cpu" (base/l.yaml:1)`}},
		"bases, as it was once": {map[string]string{"base/kustomization.yml": "resources: [l.yaml]\n", "base/l.yaml": defaultCPU, "prod/kustomization.yaml": "bases: [../base]\nresources: [d.yaml]\n", "prod/d.yaml": annotatedWeb},
			[]string{`get 1 from LimitRange "cpu" (base/l.yaml:1)`}},
		"a component": {map[string]string{"c/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [l.yaml]\n", "c/l.yaml": defaultCPU, "prod/kustomization.yaml": "components: [../c]\nresources: [d.yaml]\n", "prod/d.yaml": annotatedWeb},
			[]string{`get 1 from LimitRange "cpu" (c/l.yaml:1)`}},
		"a base of a base": {map[string]string{"x/kustomization.yaml": "resources: [l.yaml]\n", "x/l.yaml": defaultCPU, "base/kustomization.yaml": "resources: [../x]\n", "prod/kustomization.yaml": "resources: [../base, d.yaml]\n", "prod/d.yaml": annotatedWeb},
			[]string{`get 1 from LimitRange "cpu" (x/l.yaml:1)`}},
		"a circle": {map[string]string{"base/kustomization.yaml": "resources: [l.yaml, ../prod]\n", "base/l.yaml": defaultCPU, "prod/kustomization.yaml": "resources: [../base, d.yaml, .]\n", "prod/d.yaml": annotatedWeb},
			[]string{`get 1 from LimitRange "cpu" (base/l.yaml:1)`}},
		"what the base leaves out": {map[string]string{"base/kustomization.yaml": "resources: [x.yaml]\n", "base/l.yaml": defaultCPU, "prod/kustomization.yaml": "resources: [../base, d.yaml]\n", "prod/d.yaml": annotatedWeb},
			[]string{"MissingRequest"}},
		"the other way round": {map[string]string{"base/kustomization.yaml": "resources: [d.yaml]\n", "base/d.yaml": annotatedWeb, "prod/kustomization.yaml": "resources: [../base, l.yaml]\n", "prod/l.yaml": defaultCPU},
			[]string{`prod/kustomization.yaml:1: warning: Kustomization (unnamed): resources: of Deployment "web" (base/d.yaml:1): spec.template.spec.containers[0].resources.requests[cpu]: container "a" has no CPU request; its pods get 1 from LimitRange "cpu" (prod/l.yaml:1)`}},
		"a file somewhere else": {map[string]string{"shared/l.yaml": defaultCPU, "shared/m.yaml": webHPA, "prod/kustomization.yaml": "resources: [../shared/l.yaml, d.yaml]\n", "prod/d.yaml": annotatedWeb},
			[]string{`get 1 from LimitRange "cpu" (shared/l.yaml:1)`}},
		"files below it": {map[string]string{"prod/x/l.yaml": defaultCPU, "prod/y/d.yaml": annotatedWeb, "prod/kustomization.yaml": "resources: [x/l.yaml, y/d.yaml]\n"},
			[]string{`get 1 from LimitRange "cpu" (prod/x/l.yaml:1)`}},
		"not a file beside those": {map[string]string{"prod/x/l.yaml": defaultCPU, "prod/y/d.yaml": annotatedWeb, "prod/kustomization.yaml": "resources: [x/l.yaml, y/other.yaml]\n"},
			[]string{"MissingRequest"}},
		"another namespace": {map[string]string{"infra/kustomization.yaml": "namespace: infra\nresources: [l.yaml]\n", "infra/l.yaml": defaultCPU, "kustomization.yaml": "resources: [infra, shop]\n", "shop/kustomization.yaml": "namespace: shop\nresources: [d.yaml]\n", "shop/d.yaml": annotatedWeb},
			[]string{"MissingRequest"}},
		"all into one namespace": {map[string]string{"infra/kustomization.yaml": "namespace: infra\nresources: [l.yaml]\n", "infra/l.yaml": defaultCPU, "kustomization.yaml": "namespace: all\nresources: [infra, shop]\n", "shop/kustomization.yaml": "namespace: shop\nresources: [d.yaml]\n", "shop/d.yaml": annotatedWeb},
			[]string{`get 1 from LimitRange "cpu" (infra/l.yaml:1)`}},
		"an HPA": {map[string]string{"base/kustomization.yaml": "resources: [h.yaml]\n", "base/h.yaml": webHPA, "prod/kustomization.yaml": "resources: [../base, d.yaml]\n", "prod/d.yaml": absoluteWeb},
			[]string{`error: Deployment web: metadata.annotations: Forbidden: HorizontalPodAutoscaler "web" (base/h.yaml:1) already scales`}},
		"a VPA": {map[string]string{"base/kustomization.yaml": "resources: [v.yaml, l.yaml]\n", "base/v.yaml": webVPA, "base/l.yaml": defaultCPU, "prod/kustomization.yaml": "resources: [../base, d.yaml]\n", "prod/d.yaml": annotatedWeb},
			[]string{`VerticalPodAutoscaler "web" (base/v.yaml:1) changes the CPU requests`, "RequestFromLimitRange"}},
		"a file without an ending": {map[string]string{"base/Kustomization": "resources: [l.yaml]\n", "base/l.yaml": defaultCPU, "prod/Kustomization": "resources: [../base, d.yaml]\n", "prod/d.yaml": annotatedWeb},
			[]string{`get 1 from LimitRange "cpu" (base/l.yaml:1)`}},
		"a namespace that one names": {map[string]string{"kustomization.yaml": "namespace: shop\nresources: [l.yaml, d.yaml]\n", "l.yaml": defaultCPU, "d.yaml": inShop(annotatedWeb)},
			[]string{`get 1 from LimitRange "cpu" (l.yaml:1)`}},
		"a namespace that the other names": {map[string]string{"kustomization.yaml": "namespace: shop\nresources: [x/l.yaml, d.yaml]\n", "x/l.yaml": inShop(defaultCPU), "d.yaml": annotatedWeb},
			[]string{`get 1 from LimitRange "cpu" (x/l.yaml:1)`}},
		"a namespace that is changed": {map[string]string{"kustomization.yaml": "namespace: other\nresources: [l.yaml, d.yaml]\n", "l.yaml": defaultCPU, "d.yaml": inShop(annotatedWeb)},
			[]string{`get 1 from LimitRange "cpu" (l.yaml:1)`}},
		"a transformer": {map[string]string{"kustomization.yaml": "transformers: [t.yaml]\n", "t.yaml": "apiVersion: builtin\nkind: AnnotationsTransformer\nmetadata: {name: t}\nannotations: {mini-hpa/max: '9'}\n"}, []string{"t.yaml:4: warning: AnnotationsTransformer t: annotations[mini-hpa/max]: kustomize writes these"}},
		"from the network": {map[string]string{"prod/kustomization.yaml": "resources: [https://example.com/base?ref=v1, github.com/x/y, d.yaml]\n", "prod/d.yaml": annotatedWeb},
			[]string{"MissingRequest"}},
	} {
		t.Run(name, func(t *testing.T) {
			repository(t, tt.files)
			_, stdout, _ := call(t, ".")
			expect(t, stdout, tt.want)
		})
	}
}

// TestLintPatches: of a patch that is judged which is known, with its line, and nothing is missing in it.
func TestLintPatches(t *testing.T) {
	base := map[string]string{"base/kustomization.yaml": "resources: [d.yaml]\n", "base/d.yaml": roomyWeb}
	scaled := map[string]string{"base/kustomization.yaml": "resources: [d.yaml]\n", "base/d.yaml": absoluteWeb}
	rival := map[string]string{"base/kustomization.yaml": "resources: [d.yaml, h.yaml]\n", "base/d.yaml": roomyWeb, "base/h.yaml": webHPA}
	const overlay = "resources: [../base]\n"
	const ten = patchMetadata + "  annotations:\n    mini-hpa/target-cpu: 50%\n    mini-hpa/max: ten\n"
	indented := func(text, by string) string {
		return by + strings.TrimSuffix(strings.ReplaceAll(text, "\n", "\n"+by), by)
	}
	for name, tt := range map[string]struct {
		base          map[string]string
		kustomization string
		patch         string
		want          []string
	}{
		"a file":               {base, "patches: [{path: p.yaml}]\n", ten, []string{`prod/p.yaml:7: error: Deployment web: metadata.annotations[mini-hpa/max]: Invalid value: "ten"`}},
		"of no version":        {base, "patches: [{path: p.yaml}]\n", strings.Replace(ten, "apiVersion: apps/v1\n", "", 1), []string{`prod/p.yaml:6: error: Deployment web: metadata.annotations[mini-hpa/max]: Invalid value: "ten"`}},
		"of its target's kind": {base, "patches: [{path: p.yaml, target: {kind: Deployment}}]\n", strings.Replace(ten, "apiVersion: apps/v1\nkind: Deployment\n", "kind: not-important\n", 1), []string{`prod/p.yaml:6: error: Deployment web: metadata.annotations[mini-hpa/max]: Invalid value: "ten"`}},
		"of no kind":           {base, "patches: [{path: p.yaml, target: {kind: Deployment}}]\n", strings.Replace(ten, "apiVersion: apps/v1\nkind: Deployment\n", "", 1), []string{`prod/p.yaml:5: error: Deployment web: metadata.annotations[mini-hpa/max]: Invalid value: "ten"`}},
		"of another target":    {base, "patches: [{path: p.yaml, target: {kind: DaemonSet}}]\n", strings.Replace(ten, "apiVersion: apps/v1\n", "", 1), []string{`prod/p.yaml:6: warning: DaemonSet web: metadata.annotations[mini-hpa/max]: mini-hpa/ annotations have no effect on "DaemonSet" of "apps/v1"; only`}},
		"of nobody's kind":     {base, "patches: [{path: p.yaml, target: {name: web}}]\n", strings.Replace(ten, "apiVersion: apps/v1\nkind: Deployment\n", "", 1), []string{`prod/p.yaml:5: warning: object web: metadata.annotations[mini-hpa/max]: mini-hpa/ annotations have no effect on an object of no kind; only`}},
		"as it was once":       {base, "patchesStrategicMerge: [p.yaml]\n", ten, []string{`prod/p.yaml:7: error: Deployment web: metadata.annotations[mini-hpa/max]: Invalid value: "ten"`}},
		"in the text":          {base, "patches:\n- patch: |-\n" + indented(ten, "    "), "", []string{`prod/kustomization.yaml:10: error: Deployment web: metadata.annotations[mini-hpa/max]: Invalid value: "ten"`}},
		"in the old text":      {base, "patchesStrategicMerge:\n- |-\n" + indented(ten, "  "), "", []string{`prod/kustomization.yaml:10: error: Deployment web: metadata.annotations[mini-hpa/max]: Invalid value: "ten"`}},
		"in quotes":            {base, "patches:\n- target: {kind: Deployment}\n  patch: '{\"apiVersion\": \"apps/v1\", \"kind\": \"Deployment\", \"metadata\": {\"name\": \"web\", \"annotations\": {\"mini-hpa/max\": \"ten\"}}}'\n", "", []string{`prod/kustomization.yaml:4: error: Deployment web: metadata.annotations[mini-hpa/max]: Invalid value: "ten"`}},
		"deep in the text":     {base, "patches:\n- patch: |-\n" + indented(patchMetadata+"  annotations:\n    mini-hpa/behavior: |\n      scaleUp:\n        window: 1\n", "    "), "", []string{`prod/kustomization.yaml:11: error: Deployment web: metadata.annotations[mini-hpa/behavior].scaleUp: Invalid value: "window"`}},
		"of two":               {base, "patches:\n- patch: |-\n    ---\n    apiVersion: v1\n    kind: Service\n    metadata: {name: a}\n    ---\n" + indented(ten, "    "), "", []string{`prod/kustomization.yaml:15: error: Deployment web: metadata.annotations[mini-hpa/max]`}},
		"no quotes":            {base, "patches: [{path: p.yaml}]\n", patchMetadata + "  annotations: {mini-hpa/max: 9, mini-hpa/metrics: [a]}\n", []string{`mini-hpa/max]: Invalid value: 9: must be a string; put it in quotes: "9"`, "mini-hpa/metrics]: Invalid value: must be a string"}},
		"nothing missing":      {base, "patches: [{path: p.yaml}]\n", patchMetadata + "  annotations: {mini-hpa/target-cpu: 50%}\nspec: {template: {spec: {containers: [{name: a}]}}}\n", nil},
		"a container alone":    {base, "patches: [{path: p.yaml}]\n", patchMetadata + "  annotations: {mini-hpa/container: a}\n", nil},
		"taken away":           {base, "patches: [{path: p.yaml}]\n", patchMetadata + "  annotations: {mini-hpa/max: null}\n", nil},
		"a doubtful value":     {base, "patches: [{path: p.yaml}]\n", patchMetadata + "  annotations: {mini-hpa/target-memory: '512'}\n", []string{"is read as 512% of the request"}},
		"of a DaemonSet":       {base, "patches: [{path: p.yaml}]\n", strings.Replace(ten, "Deployment", "DaemonSet", 1), []string{`mini-hpa/ annotations have no effect on "DaemonSet"`}},
		"on the template":      {base, "patches: [{path: p.yaml}]\n", patchMetadata + "spec: {template: {metadata: {annotations: {mini-hpa/max: '9'}}}}\n", []string{"have no effect on the pod template"}},
		"among the labels":     {base, "patches: [{path: p.yaml}]\n", patchMetadata + "  labels: {mini-hpa/max: '9'}\n", []string{"have no effect among the labels"}},
		"replicas":             {scaled, "patches: [{path: p.yaml}]\n", patchMetadata + "spec: {replicas: 3}\n", []string{"prod/p.yaml:5: warning: Deployment web: spec.replicas: each apply sets the replicas to 3"}},
		"replicas of others":   {base, "patches: [{path: p.yaml}]\n", patchMetadata + "spec: {replicas: 3}\n", nil},
		"replicas with it":     {base, "patches: [{path: p.yaml}]\n", patchMetadata + "  annotations: {mini-hpa/max: '9'}\nspec: {replicas: 3}\n", []string{"each apply sets the replicas to 3"}},
		"counted":              {scaled, "replicas:\n- name: web\n  count: 3\n- {name: api, count: 2}\n", "", []string{`prod/kustomization.yaml:4: warning: Kustomization (unnamed): replicas[0].count: of Deployment "web": each apply sets the replicas to 3`}},
		"an HPA is there":      {rival, "patches: [{path: p.yaml}]\n", patchMetadata + "  annotations: {mini-hpa/target-cpu: 50%, mini-hpa/max: '9'}\n", []string{`prod/p.yaml:5: error: Deployment web: metadata.annotations: Forbidden: HorizontalPodAutoscaler "web" (base/h.yaml:1) already scales`}},
		"an HPA that goes":     {rival, "patches:\n- path: p.yaml\n- patch: |-\n    $patch: delete\n    apiVersion: autoscaling/v2\n    kind: HorizontalPodAutoscaler\n    metadata: {name: web}\n", patchMetadata + "  annotations: {mini-hpa/target-cpu: 50%, mini-hpa/max: '9'}\n", nil},
		"operations":           {base, "patches: [{path: p.yaml, target: {kind: Deployment, name: web}}]\n", "- op: add\n  path: /metadata/annotations/mini-hpa~1max\n  value: ten\n", []string{`prod/p.yaml:3: error: Deployment web: metadata.annotations[mini-hpa/max]: Invalid value: "ten"`}},
		"operations in text":   {base, "patches:\n- target: {kind: Deployment}\n  patch: |-\n    - op: test\n      path: /a\n    - op: replace\n      path: /metadata/annotations/mini-hpa~1max\n      value: 9\n", "", []string{`prod/kustomization.yaml:9: error: Deployment (unnamed): metadata.annotations[mini-hpa/max]: Invalid value: 9: must be a string; put it in quotes: "9"`}},
		"operations as JSON":   {base, "patchesJson6902: [{path: p.yaml, target: {group: apps, version: v1, kind: Deployment, name: web}}]\n", "[{\"op\": \"add\", \"path\": \"/metadata/annotations\",\n \"value\": {\"mini-hpa/max\": \"9\",\n  \"mini-hpa/mn\": \"1\"}}]\n", []string{`prod/p.yaml:3: warning: Deployment web: metadata.annotations[mini-hpa/mn]: unknown annotation`}},
		"an operation's lines": {base, "patches: [{path: p.yaml, target: {kind: Deployment}}]\n", "- op: add\n  path: /metadata/annotations/mini-hpa~1behavior\n  value: |\n    scaleUp:\n      window: 1\n", []string{`prod/p.yaml:5: error: Deployment (unnamed): metadata.annotations[mini-hpa/behavior].scaleUp`}},
		"an operation's slash": {base, "patches: [{path: p.yaml, target: {kind: Deployment}}]\n", "- {op: add, path: /metadata/annotations/mini-hpa/max, value: '9'}\n", []string{"a slash within a name is written ~1"}},
		"operations elsewhere": {base, "patches: [{path: p.yaml, target: {kind: Deployment}}]\n", "- {op: add, path: /spec/template/metadata/annotations/mini-hpa~1max, value: '9'}\n", []string{"mini-hpa/ keys have no effect here"}},
		"of another kind":      {base, "patches: [{path: p.yaml, target: {kind: DaemonSet}}]\n", "- {op: add, path: /metadata/annotations/mini-hpa~1max, value: '9'}\n", []string{`have no effect on "DaemonSet"`}},
		"operations: replicas": {scaled, "patches: [{path: p.yaml, target: {kind: Deployment, name: web}}]\n", "- {op: replace, path: /spec/replicas, value: 3}\n", []string{"prod/p.yaml:1: warning: Deployment web: [0].value: each apply sets the replicas to 3"}},
		"replicas in text":     {scaled, "patches:\n- target: {kind: Deployment, name: web}\n  patch: |-\n    - op: replace\n      path: /spec/replicas\n      value: 3\n", "", []string{"prod/kustomization.yaml:7: warning: Deployment web: [0].value: each apply sets the replicas to 3"}},
		"together with others": {scaled, "patches: [{path: p.yaml}]\n", patchMetadata + "  annotations:\n    mini-hpa/min: '20'\n", []string{`prod/p.yaml:5: error: Deployment web: metadata.annotations[mini-hpa/max]: Invalid value: "9": must be at least mini-hpa/min (20); so it is with base/d.yaml:1`}},
		"two that fit":         {scaled, "patches:\n- path: p.yaml\n- patch: '{\"apiVersion\": \"apps/v1\", \"kind\": \"Deployment\", \"metadata\": {\"name\": \"web\", \"annotations\": {\"mini-hpa/max\": \"30\"}}}'\n", patchMetadata + "  annotations:\n    mini-hpa/min: '20'\n", nil},
		"a VPA is there":       {map[string]string{"base/kustomization.yaml": "resources: [d.yaml, v.yaml]\n", "base/d.yaml": roomyWeb, "base/v.yaml": webVPA}, "patches: [{path: p.yaml}]\n", patchMetadata + "  annotations: {mini-hpa/target-cpu: 50%, mini-hpa/max: '9'}\n", []string{`prod/p.yaml:5: warning: Deployment web: metadata.annotations[mini-hpa/target-cpu]: VerticalPodAutoscaler "web" (base/v.yaml:1) changes`}},
		"to be filled in":      {base, "patches:\n- target: {kind: Deployment}\n  patch: |-\n    - {op: add, path: /metadata/annotations/mini-hpa~1max, value: \"${MAX}\"}\n", "", nil},
		"all of the metadata":  {base, "patches: [{path: p.yaml, target: {kind: Deployment}}]\n", "- op: add\n  path: /metadata\n  value:\n    annotations:\n      mini-hpa/max: ten\n", []string{`prod/p.yaml:5: error: Deployment (unnamed): metadata.annotations[mini-hpa/max]: Invalid value: "ten"`}},
		"almost the prefix":    {base, "patches: [{path: p.yaml, target: {kind: Deployment}}]\n", "- {op: add, path: /metadata/annotations/minihpa~1max, value: '9'}\n", []string{`did you mean "mini-hpa/max"?`}},
		"operations that fit":  {scaled, "patches:\n- path: p.yaml\n- target: {kind: Deployment}\n  patch: '[{\"op\": \"replace\", \"path\": \"/metadata/annotations/mini-hpa~1max\", \"value\": \"30\"}]'\n", patchMetadata + "  annotations:\n    mini-hpa/min: '20'\n", nil},
		"one that goes":        {scaled, "patches: [{path: p.yaml}]\n", patchMetadata + "  annotations: {mini-hpa/target-cpu: null, mini-hpa/metrics: '[{type: Resource, resource: {name: cpu, target: {type: AverageValue, averageValue: 1}}}]'}\n", nil},
		"one that stays":       {scaled, "patches: [{path: p.yaml}]\n", patchMetadata + "  annotations: {mini-hpa/metrics: '[{type: Resource, resource: {name: cpu, target: {type: AverageValue, averageValue: 1}}}]'}\n", []string{"so it is with base/d.yaml:1"}},
		"replicas of nobody":   {scaled, "patches: [{path: p.yaml, target: {kind: Deployment, name: api}}]\n", "- {op: replace, path: /spec/replicas, value: 3}\n", nil},
		"operations: others":   {scaled, "patches: [{path: p.yaml, target: {kind: Deployment}}]\n", "- {op: remove, path: /metadata/annotations/mini-hpa~1max}\n- {op: add, path: /metadata/annotations/team, value: 9}\n- 7\n", nil},
		"in flow style":        {base, "patches: [{path: p.yaml, target: {kind: Deployment}}]\n", "{kind: Any, metadata: {name: any, # c\n annotations: {mini-hpa/max: ten}}}\n", []string{`prod/p.yaml:2: error: Deployment any: metadata.annotations[mini-hpa/max]: Invalid value: "ten"`}},
		"a text in flow style": {base, "patches:\n- target: {kind: Deployment}\n  patch: |-\n    {kind: Any,\n     metadata: {name: any, annotations: {mini-hpa/max: ten}}}\n", "", []string{`prod/kustomization.yaml:6: error: Deployment any: metadata.annotations[mini-hpa/max]: Invalid value: "ten"`}},
		"not YAML":             {base, "patches:\n- patch: |-\n    a: b\n     c: [\n", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"prod/kustomization.yaml": overlay + tt.kustomization}
			for file, text := range tt.base {
				files[file] = text
			}
			if tt.patch != "" {
				files["prod/p.yaml"] = tt.patch
			}
			repository(t, files)
			code, stdout, stderr := call(t, ".")
			expect(t, stdout, tt.want)
			if isUnreadable := code == cli.ExitUsage; isUnreadable != (name == "not YAML") {
				t.Errorf("exit code %d: %s", code, stderr)
			}
			if name == "not YAML" && !strings.Contains(stderr, "prod/kustomization.yaml:5: a patch in it: ") {
				t.Errorf("%q", stderr)
			}
		})
	}
}

// TestLintForms: a Deployment is judged as the kustomizations that are made of it have it.
func TestLintForms(t *testing.T) {
	const base, prod, staging = "base/kustomization.yaml", "prod/kustomization.yaml", "staging/kustomization.yaml"
	const annotated = patchMetadata + "  annotations:\n    mini-hpa/max: '9'\n    mini-hpa/target-cpu: 50%\n"
	const requests = patchMetadata + "spec: {template: {spec: {containers: [{name: a, resources: {requests: {cpu: 1}}}]}}}\n"
	for name, tt := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"an HPA beside the base":     {map[string]string{base: "resources: [d.yaml]\n", "base/d.yaml": absoluteWeb, prod: "resources:\n- ../base\n- h.yaml\n", "prod/h.yaml": webHPA}, []string{`prod/kustomization.yaml:1: error: Kustomization (unnamed): resources: of Deployment "web" (base/d.yaml:1): metadata.annotations: Forbidden: HorizontalPodAutoscaler "web" (prod/h.yaml:1) already scales`}},
		"a component with one":       {map[string]string{base: "resources: [d.yaml]\n", "base/d.yaml": absoluteWeb, prod: "resources: [../base]\ncomponents: [../c]\n", "c/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [h.yaml]\n", "c/h.yaml": webHPA}, []string{`(c/h.yaml:1) already scales`}},
		"an HPA of nobody's":         {map[string]string{base: "resources: [d.yaml]\n", "base/d.yaml": absoluteWeb, prod: "resources: [../base]\n", "staging/h.yaml": webHPA}, nil},
		"a default for some":         {map[string]string{base: "resources: [d.yaml]\n", "base/d.yaml": annotatedWeb, prod: "resources: [../base, l.yaml]\n", "prod/l.yaml": defaultCPU, staging: "resources: [../base]\n"}, []string{`base/d.yaml:4: warning: Deployment web: spec.template.spec.containers[0].resources.requests[cpu]: Required value: container "a" has no CPU request, and mini-hpa/target-cpu is a percentage of it; set its resources.requests.cpu, or make the target an amount such as "250m"; so it is in "staging/kustomization.yaml", and not in the other kustomizations that are made of it`, "RequestFromLimitRange"}},
		"a default for none":         {map[string]string{base: "resources: [d.yaml]\n", "base/d.yaml": annotatedWeb, prod: "resources: [../base]\n", staging: "resources: [../base]\n"}, []string{"base/d.yaml:4: error: "}},
		"a request for all":          {map[string]string{base: "resources: [d.yaml]\n", "base/d.yaml": annotatedWeb, prod: "resources: [../base]\npatches: [{path: p.yaml}]\n", "prod/p.yaml": requests}, nil},
		"a request by operations":    {map[string]string{base: "resources: [d.yaml]\n", "base/d.yaml": annotatedWeb, prod: "resources: [../base]\npatches: [{target: {kind: Deployment, name: w.*}, path: p.yaml}]\n", "prod/p.yaml": "- {op: add, path: /spec/template/spec/containers/0/resources, value: {requests: {cpu: 1}}}\n"}, nil},
		"a request of a base's base": {map[string]string{base: "resources: [d.yaml]\n", "base/d.yaml": annotatedWeb, "mid/kustomization.yaml": "resources: [../base]\npatches: [{path: p.yaml}]\n", "mid/p.yaml": requests, prod: "resources: [../mid]\n"}, nil},
		"a request of one directory": {map[string]string{"kustomization.yaml": "resources: [d.yaml]\npatches: [{path: p.yaml}]\n", "d.yaml": annotatedWeb, "p.yaml": requests}, nil},
		"no request":                 {map[string]string{base: "resources: [d.yaml]\n", "base/d.yaml": plainWeb, prod: "resources: [../base]\npatches: [{path: p.yaml}]\n", "prod/p.yaml": annotated}, []string{`prod/p.yaml:6: error: Deployment web: spec.template.spec.containers[0].resources.requests[cpu]: Required value: container "a" has no CPU request, and mini-hpa/target-cpu is a percentage of it; set its resources.requests.cpu, or make the target an amount such as "250m"; so it is with base/d.yaml:1`}},
		"no request, by operations":  {map[string]string{base: "resources: [d.yaml]\n", "base/d.yaml": plainWeb, prod: "resources: [../base]\npatches: [{target: {kind: Deployment, name: web}, path: p.yaml}]\n", "prod/p.yaml": "- op: test\n  path: /kind\n  value: Deployment\n- op: add\n  path: /metadata/annotations\n  value: {mini-hpa/max: '9', mini-hpa/target-cpu: 50%}\n"}, []string{`prod/p.yaml:6: error: Deployment web: spec.template.spec.containers[0].resources.requests[cpu]`}},
		"no request in a namespace":  {map[string]string{base: "namespace: shop\nresources: [d.yaml]\n", "base/d.yaml": plainWeb, prod: "resources: [../base]\npatches: [{path: p.yaml}]\n", "prod/p.yaml": annotated}, []string{"prod/p.yaml:6: error: "}},
		"replicas":                   {map[string]string{base: "resources: [d.yaml]\n", "base/d.yaml": strings.Replace(roomyWeb, "spec: {", "spec: {replicas: 3, ", 1), prod: "resources: [../base]\npatches: [{path: p.yaml}]\n", "prod/p.yaml": annotated}, []string{"prod/p.yaml:6: warning: Deployment web: spec.replicas: each apply sets the replicas to 3"}},
		"replicas that go":           {map[string]string{base: "resources: [d.yaml]\n", "base/d.yaml": strings.Replace(roomyWeb, "spec: {", "spec: {replicas: 3, ", 1), prod: "resources: [../base]\npatches: [{path: p.yaml}]\n", "prod/p.yaml": annotated + "spec: {replicas: null}\n"}, nil},
		"replicas of operations":     {map[string]string{base: "resources: [d.yaml]\n", "base/d.yaml": roomyWeb, prod: "resources: [../base]\npatches:\n- path: p.yaml\n- target: {kind: Deployment, name: web}\n  patch: '[{\"op\": \"add\", \"path\": \"/spec/replicas\", \"value\": 4}]'\n", "prod/p.yaml": annotated}, []string{"prod/kustomization.yaml:5: warning: Deployment web: [0].value: each apply sets the replicas to 4"}},
		"a count":                    {map[string]string{base: "resources: [d.yaml]\n", "base/d.yaml": roomyWeb, prod: "resources: [../base]\npatches: [{path: p.yaml}]\nreplicas: [{name: web, count: 5}]\n", "prod/p.yaml": annotated}, []string{"prod/kustomization.yaml:3: warning: Kustomization (unnamed): replicas[0].count"}},
		"out of reach":               {map[string]string{base: "resources: [d.yaml]\n", "base/d.yaml": roomyWeb, prod: "resources: [../base]\npatches: [{path: p.yaml}]\n", "prod/p.yaml": strings.Replace(annotated, "50%", "500%", 1)}, []string{"prod/p.yaml:7: warning: Deployment web: metadata.annotations[mini-hpa/target-cpu]: 500% of the 100m that the pod requests is 500m, above its limit of 200m"}},
		"something else, too":        {map[string]string{base: "resources: [d.yaml]\n", "base/d.yaml": plainWeb, prod: "resources: [../base]\ntransformers: [t.yaml]\npatches: [{path: p.yaml}]\n", "prod/p.yaml": annotated}, nil},
		"somewhere else by name":     {map[string]string{"app/kustomization.yaml": "namespace: shop\nresources: [d.yaml]\n", "app/d.yaml": absoluteWeb, "other/h.yaml": inShop(webHPA)}, []string{`app/d.yaml:3: error: Deployment web: metadata.annotations: Forbidden: HorizontalPodAutoscaler "web" (other/h.yaml:1) already scales`}},
		"the other one by name":      {map[string]string{"app/kustomization.yaml": "namespace: shop\nresources: [h.yaml]\n", "app/h.yaml": webHPA, "other/d.yaml": inShop(absoluteWeb)}, []string{`(app/h.yaml:1) already scales`}},
		"two clusters":               {map[string]string{"a/kustomization.yaml": "namespace: shop\nresources: [h.yaml]\n", "a/h.yaml": webHPA, "b/kustomization.yaml": "namespace: shop\nresources: [d.yaml]\n", "b/d.yaml": absoluteWeb}, nil},
		"a default by name":          {map[string]string{base: "resources: [d.yaml]\n", "base/d.yaml": annotatedWeb, prod: "namespace: shop\nresources: [../base]\n", "cluster/l.yaml": inShop(defaultCPU)}, []string{`get 1 from LimitRange "cpu" (cluster/l.yaml:1)`}},
	} {
		t.Run(name, func(t *testing.T) {
			repository(t, tt.files)
			_, stdout, _ := call(t, ".")
			expect(t, stdout, tt.want)
		})
	}
}

// TestLintWriters: what a tool writes to everything is one hint, and its values are judged where they are.
func TestLintWriters(t *testing.T) {
	argo := func(kind, source string) string {
		return "apiVersion: argoproj.io/v1alpha1\nkind: " + kind + "\nmetadata: {name: a}\nspec:\n" + source
	}
	for name, tt := range map[string]struct {
		text string
		want []string
	}{
		"a Component":     {"apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\ncommonAnnotations:\n  mini-hpa/max: ten\n", []string{"Component (unnamed): commonAnnotations[mini-hpa/max]: kustomize writes these to every object and to the pod templates", `commonAnnotations[mini-hpa/max]: Invalid value: "ten"`}},
		"a transformer":   {"apiVersion: builtin\nkind: AnnotationsTransformer\nmetadata: {name: a}\nannotations:\n  mini-hpa/max: ten\nfieldSpecs: [{path: metadata/annotations, create: true}]\n", []string{"standard input:5: warning: AnnotationsTransformer a: annotations[mini-hpa/max]: kustomize writes these to every object: mini-hpa", `:5: error: AnnotationsTransformer a: annotations[mini-hpa/max]: Invalid value: "ten"`}},
		"one in the text": {"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\ntransformers:\n- |-\n  apiVersion: builtin\n  kind: AnnotationsTransformer\n  metadata: {name: a}\n  annotations:\n    mini-hpa/max: ten\n  fieldSpecs: [{path: spec/template/metadata/annotations}]\n", []string{"standard input:9: warning: AnnotationsTransformer a: annotations[mini-hpa/max]: kustomize writes these to every object and to the pod templates", `:9: error: AnnotationsTransformer a: annotations[mini-hpa/max]: Invalid value: "ten"`}},
		"Flux":            {"apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: a}\nspec:\n  commonMetadata:\n    annotations:\n      mini-hpa/max: \"ten\"\n", []string{"standard input:7: warning: Kustomization a: spec.commonMetadata.annotations[mini-hpa/max]: Flux writes these to every object: mini-hpa scales each", `:7: error: Kustomization a: spec.commonMetadata.annotations[mini-hpa/max]: Invalid value: "ten"`}},
		"Flux's patches":  {"apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: a}\nspec:\n  patches:\n  - target: {kind: Deployment}\n    patch: |\n      - op: add\n        path: /metadata/annotations/mini-hpa~1max\n        value: ten\n", []string{`standard input:10: error: Deployment (unnamed): metadata.annotations[mini-hpa/max]: Invalid value: "ten"`}},
		"a HelmRelease":   {"apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: a}\nspec:\n  postRenderers:\n  - kustomize:\n      patches:\n      - patch: |\n          apiVersion: apps/v1\n          kind: Deployment\n          metadata: {name: web, annotations: {mini-hpa/max: ten}}\n", []string{`standard input:11: error: Deployment web: metadata.annotations[mini-hpa/max]: Invalid value: "ten"`}},
		"Argo CD":         {argo("Application", "  source:\n    kustomize:\n      commonAnnotations: {mini-hpa/max: ten}\n"), []string{"spec.source.kustomize.commonAnnotations[mini-hpa/max]: Argo CD writes these to every object and to the pod templates", `Invalid value: "ten"`}},
		"its sources":     {argo("Application", "  sources:\n  - chart: x\n  - kustomize:\n      commonAnnotations: {mini-hpa/max: '9'}\n"), []string{"spec.sources[1].kustomize.commonAnnotations[mini-hpa/max]: Argo CD writes"}},
		"its sets":        {argo("ApplicationSet", "  template:\n    spec:\n      source:\n        kustomize:\n          commonAnnotations: {mini-hpa/max: '9'}\n"), []string{"spec.template.spec.source.kustomize.commonAnnotations[mini-hpa/max]: Argo CD writes"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, stdout, _ := lint(t, tt.text)
			expect(t, stdout, tt.want)
		})
	}
}

// TestLintCommonAnnotations: objects and templates that have some of the same are one hint.
func TestLintCommonAnnotations(t *testing.T) {
	web := func(name, own, copied string) string {
		return "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: " + name + ", annotations: {" + own + "}}\nspec: {template: {metadata: {annotations: {" + copied + "}}, spec: {containers: [{name: a}]}}}\n" +
			"---\napiVersion: v1\nkind: Service\nmetadata: {name: " + name + ", annotations: {" + copied + "}}\n"
	}
	const cpu, maximum, minimum = "mini-hpa/target-cpu: 250m", "mini-hpa/max: '9'", "mini-hpa/min: '2'"
	for name, tt := range map[string]struct {
		text string
		want []string
	}{
		"one key":            {web("a", cpu+", "+maximum, maximum), []string{"Deployment a: spec.template.metadata.annotations: mini-hpa/max is on the Deployment and on its pod template, as kustomize's commonAnnotations writes them to everything (here to 2 objects): they only count"}},
		"alone":              {strings.Split(web("a", cpu+", "+maximum, maximum), "---\napiVersion: v1")[0], []string{"mini-hpa/max is on the Deployment and on its pod template"}},
		"own ones besides":   {web("a", cpu+", "+maximum, maximum) + web("b", "mini-hpa/target-cpu: 100m, "+maximum, maximum), []string{"(here to 4 objects, also on the template of b)"}},
		"other sets":         {web("a", cpu+", "+maximum, maximum) + web("b", cpu+", "+maximum+", "+minimum, maximum+", "+minimum), []string{"(here to 4 objects, also on the template of b)"}},
		"many":               {web("a", cpu+", "+maximum, maximum) + web("b", cpu+", "+maximum, maximum) + web("c", cpu+", "+maximum, maximum) + web("d", cpu+", "+maximum, maximum) + web("e", cpu+", "+maximum, maximum) + web("f", cpu+", "+maximum, maximum), []string{"(here to 12 objects, also on the templates of b, c, d and 2 more)"}},
		"own ones instead":   {web("a", cpu+", mini-hpa/max: '5'", maximum) + web("b", cpu+", mini-hpa/max: '6'", maximum) + web("c", cpu+", mini-hpa/max: '7'", maximum), []string{"Deployment a: spec.template.metadata.annotations: mini-hpa/ annotations have no effect on the pod template; set them on the Deployment itself (so it is on 2 objects more", `no effect on "Service" of "v1"; only Deployments, StatefulSets and ReplicaSets of apps/v1, and custom kinds that have a scale subresource, are autoscaled (so it is on 2 objects more`}},
		"two that are wrong": {web("a", cpu+", "+maximum, minimum), []string{"no effect on the pod template", `no effect on "Service"`}},
	} {
		t.Run(name, func(t *testing.T) {
			_, stdout, _ := lint(t, tt.text)
			expect(t, stdout, tt.want)
		})
	}
}

// TestLintLookalikes: keys that were meant for mini-hpa are told.
func TestLintLookalikes(t *testing.T) {
	for key, want := range map[string]string{
		"minihpa/min": "mini-hpa/min", "mini-hpa.io/max": "mini-hpa/max", "Mini-HPA/max": "mini-hpa/max", "mini_hpa/target-cpu": "mini-hpa/target-cpu", "mini-hpa-max": "mini-hpa/max", "mini-hpa.target-cpu": "mini-hpa/target-cpu",
		"mini-hap/max": "mini-hpa/max", "minihpa.dev/target_cpu": "mini-hpa/target-cpu", "mini-hpa.example.com/owner": "", "mini-hpa.example.com/max": "", "team/max": "", "app.kubernetes.io/name": "", "hpa.example.com/target-cpu": "", "mini-hpa": "", "max": "",
		"miniapp/max": "", "minihub/min": "", "mini-app/container": "", "mini-pha/max": "mini-hpa/max",
	} {
		text := "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  annotations:\n    " + key + ": '9'\n"
		_, stdout, _ := lint(t, text)
		if want == "" {
			expect(t, stdout, nil)
			continue
		}
		expect(t, stdout, []string{fmt.Sprintf("standard input:6: warning: Deployment web: metadata.annotations[%s]: it has no effect: mini-hpa reads keys that begin with mini-hpa/ in the metadata.annotations; did you mean %q?", key, want)})
	}
}

// TestLintAnnotationsOfNoUse: annotations that are no mapping of keys to strings, and a mapping where a key should have been.
func TestLintAnnotationsOfNoUse(t *testing.T) {
	for name, tt := range map[string]struct {
		annotations string
		want        []string
	}{
		"a list":             {"\n  - mini-hpa/max: '9'\n  - mini-hpa/min: '1'", []string{"standard input:5: error: Deployment web: metadata.annotations: Invalid value: must be a mapping of names to values [InvalidField]"}},
		"a text":             {" mini-hpa/max=9", []string{`metadata.annotations: Invalid value: "mini-hpa/max=9": must be a mapping of names to values`}},
		"a mapping in it":    {"\n    mini-hpa:\n      max: 9", []string{`standard input:6: warning: Deployment web: metadata.annotations[mini-hpa]: it has no effect: mini-hpa reads keys that begin with mini-hpa/ in the metadata.annotations; did you mean "mini-hpa/max"?`}},
		"fewer than none":    {"\n    mini-hpa/max: '9'\n    mini-hpa/target-cpu: 1m\nspec: {replicas: -1}\n---\na:", []string{"standard input:8: error: Deployment web: spec.replicas: Invalid value: -1: must be at least 0 [InvalidField]"}},
		"a few bytes":        {"\n    mini-hpa/max: '9'\n    mini-hpa/metrics: '[{type: Resource, resource: {name: memory, target: {type: AverageValue, averageValue: 512}}}]'", []string{`is read as 512 bytes; an amount needs a unit, such as "512Mi"`}},
		"enough bytes":       {"\n    mini-hpa/max: '9'\n    mini-hpa/metrics: '[{type: Resource, resource: {name: memory, target: {type: AverageValue, averageValue: 512Mi}}}]'", nil},
		"too fine to count":  {"\n    mini-hpa/max: '9'\n    mini-hpa/metrics: '[{type: External, external: {metric: {name: q}, target: {type: AverageValue, averageValue: 100u}}}]'", []string{`standard input:7: warning: Deployment web: metadata.annotations[mini-hpa/metrics]: [0].external.target.averageValue is 100u and counts as 1m`}},
		"another's text":     {" team=9", nil},
		"an amount in bytes": {"\n    mini-hpa/max: '9'\n    mini-hpa/target-memory: '500000000'\n    mini-hpa/mode: paused", []string{`is read as 500000000% of the request; an amount needs a unit, such as "477Mi"`, "MissingRequest"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, stdout, _ := lint(t, "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  annotations:"+tt.annotations+"\nspec: {template: {spec: {containers: [{name: a}]}}}\n")
			expect(t, stdout, tt.want)
		})
	}
}

// TestLintOfNoKind: what asks for mini-hpa, and does not say what it is, is told.
func TestLintOfNoKind(t *testing.T) {
	const asks, more = "metadata:\n  annotations:\n    mini-hpa/max: '9'\n", "metadata.annotations[mini-hpa/max]: mini-hpa/ annotations have no effect on an object "
	for name, tt := range map[string]struct {
		text string
		want []string
	}{
		"of no kind":      {"apiVersion: apps/v1\n" + asks, []string{"standard input:4: warning: object (unnamed): " + more + "without a kind; if this is a Deployment, write apiVersion: apps/v1 and kind: Deployment"}},
		"of nothing":      {"# x\n---\n" + asks, []string{"standard input:5: warning: object (unnamed): " + more + "without a kind"}},
		"as JSON":         {"{\"metadata\": {\"annotations\":\n{\"mini-hpa/max\": \"9\"}}}", []string{"standard input:2: warning: object (unnamed): " + more + "without a kind"}},
		"in a list":       {"apiVersion: v1\nkind: List\nitems:\n- metadata: {annotations: {mini-hpa/max: '9'}}\n", []string{"standard input:4: warning: object (unnamed): " + more + "without a kind"}},
		"of no version":   {"kind: Rollout\n" + asks, []string{"standard input:4: warning: Rollout (unnamed): " + more + "without apiVersion"}},
		"somebody else's": {"metadata: {annotations: {x: mini-hpa/max}}\n", nil},
		"values":          {"deployment: {metadata: {annotations: {mini-hpa/max: '9'}}}\n", nil},
		"a text":          {"metadata: {annotations: mini-hpa/max}\n", nil},
		"aliases":         {"x: &x {annotations: {mini-hpa/max: '9'}}\nmetadata: *x\n", []string{"standard input:1: warning: object (unnamed): " + more + "without a kind"}},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := lint(t, tt.text)
			expect(t, stdout, tt.want)
			if code != cli.ExitOK {
				t.Errorf("exit code %d: %s", code, stderr)
			}
		})
	}
}

// TestLintReadsAKustomizationOnce, both for what it says of other files and for what else is in it.
func TestLintReadsAKustomizationOnce(t *testing.T) {
	repository(t, map[string]string{"kustomization.yaml": "resources: [d.yaml]\ncommonAnnotations: {mini-hpa/max: x}\n", "d.yaml": annotatedWeb})
	found, _ := sources([]string{"."}, exclusions{})
	m := newManifests("")
	m.layout = layoutOf(found, m.paths)
	if err := os.Remove("kustomization.yaml"); err != nil {
		t.Fatal(err)
	}
	for _, s := range found {
		m.read(s, nil)
	}
	if len(m.unreadable) > 0 || len(m.kustomizations) != 1 {
		t.Errorf("%d kustomizations, not read: %v", len(m.kustomizations), m.unreadable)
	}
}

// TestLintKustomizationsThatAreMadeOfEachOther, in whatever way. With more than linear time it would not end within the timeout of the tests.
func TestLintKustomizationsThatAreMadeOfEachOther(t *testing.T) {
	files := map[string]string{}
	const n = 300
	for i := range n {
		dir := fmt.Sprintf("o%d", i)
		next := fmt.Sprintf("../o%d", (i+1)%n)
		files[dir+"/kustomization.yaml"] = fmt.Sprintf("resources: [d.yaml, l.yaml, %s, ../o%d, ../all]\npatches: [{path: p.yaml}]\n", next, (i+7)%n)
		files[dir+"/d.yaml"], files[dir+"/l.yaml"], files[dir+"/p.yaml"] = annotatedWeb, strings.Replace(defaultCPU, "name: cpu", fmt.Sprintf("name: cpu%d", i), 1), patchMetadata+"spec: {replicas: 3}\n"
		files["all/kustomization.yaml"] += fmt.Sprintf("- ../o%d\n", i)
	}
	files["all/kustomization.yaml"] = "resources:\n" + files["all/kustomization.yaml"]
	repository(t, files)
	if code, _, stderr := call(t, ".", "-o", "json"); code != cli.ExitUsage || !strings.Contains(stderr, "not all that this kustomization") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

// TestLintFindsWhatIsPatchedByName, and does not look at all Deployments for each of the patches: this would take minutes.
func TestLintFindsWhatIsPatchedByName(t *testing.T) {
	const n = 20_000
	var deployments, patches strings.Builder
	for i := range n {
		fmt.Fprintf(&deployments, "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: w%d}\n", i)
		fmt.Fprintf(&patches, "- patch: |-\n    apiVersion: apps/v1\n    kind: Deployment\n    metadata: {name: w%d, annotations: {mini-hpa/min: '1'}}\n", i)
	}
	repository(t, map[string]string{"d.yaml": deployments.String(), "kustomization.yaml": "resources: [d.yaml]\npatches:\n" + patches.String()})
	if code, _, stderr := call(t, "."); code != cli.ExitOK {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

// TestLintLooksUpSoFar: a path may have thousands of directories.
func TestLintLooksUpSoFar(t *testing.T) {
	files, dir := map[string]string{}, "d"
	for range 300 {
		files[dir+"/kustomization.yaml"], files[dir+"/d.yaml"] = "resources: [d.yaml, x]\n", annotatedWeb
		dir += "/x"
	}
	repository(t, files)
	m := newManifests("")
	if got := len(m.areas(object{file: dir + "/d.yaml"})); got != maxAreas {
		t.Errorf("looks at %d directories, want %d", got, maxAreas)
	}
	if code, _, stderr := call(t, "d"); code != cli.ExitUsage || !strings.Contains(stderr, "300 errors") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

// manyOverlays are of a base of 100 workloads, each with an error of its own, that have one more.
func manyOverlays(n int) map[string]string {
	files := map[string]string{"base/d.yaml": strings.Repeat("---\n"+annotatedWeb, 100), "base/kustomization.yaml": "resources: [d.yaml]\n"}
	for i := range n {
		files[fmt.Sprintf("o%d/kustomization.yaml", i)] = "resources: [../base]\ncommonAnnotations: {mini-hpa/max: wrong}\n"
	}
	return files
}

// TestLintBoundsWhatKustomizationsMake: of many kustomizations of a large base those of the first workloads are judged, and of the others the manifests.
func TestLintBoundsWhatKustomizationsMake(t *testing.T) {
	const overlays = 80
	files := manyOverlays(overlays)
	repository(t, files)
	m := newManifests("")
	found, _ := sources([]string{"."}, exclusions{})
	m.layout = layoutOf(found, m.paths)
	for _, s := range found {
		m.read(s, nil)
	}
	judged, alone := 0, 0
	for _, d := range m.workloads {
		forms := m.forms(d, annotations.DefaultDefaults())
		switch {
		case len(forms) == overlays && alone == 0:
			judged++
		case len(forms) == 0 && m.overlays.omitted[d]:
			alone++
		default:
			t.Fatalf("%d forms of a workload after %d and %d others", len(forms), judged, alone)
		}
	}
	size := 0
	for _, text := range files {
		size += len(text)
	}
	const pairs = 1
	if want := (100_000 + size/4) / (overlays * (15 + valuesOf(m.workloads[0].Object) + pairs)); judged != want || alone != 100-want {
		t.Errorf("%d workloads are judged and %d are not, want %d", judged, alone, want)
	}
}

// TestLintTellsWhatItHasNoRoomFor, once, in each output, and no error of a manifest gets lost.
func TestLintTellsWhatItHasNoRoomFor(t *testing.T) {
	repository(t, manyOverlays(80))
	const all = `of Deployment "web" and `
	told := map[string]struct{ before, after string }{
		"text":   {"mini-hpa lint: base/d.yaml:", " more workloads was not looked at"},
		"github": {"::error file=base/d.yaml,line=", " more workloads was not looked at"},
		"json":   {`"message": "what kustomizations make `, ` more workloads was not looked at, only what the files have: `},
		"sarif":  {`"text": "what kustomizations make `, ` more workloads was not looked at, only what the files have: `},
	}
	for output, want := range told {
		t.Run(output, func(t *testing.T) {
			code, stdout, stderr := call(t, ".", "-o", output)
			if code != cli.ExitUsage {
				t.Errorf("exit code %d", code)
			}
			text := stdout
			if output == "text" {
				text = stderr
			}
			text = strings.ReplaceAll(text, `\"`, `"`)
			if _, rest, ok := strings.Cut(text, want.before); !ok || !strings.Contains(rest, all) || strings.Count(text, want.after) != 1 {
				t.Errorf("it is not told once: %.2000s", text)
			}
			if !strings.Contains(stderr, "what they make of all workloads may have 10") || !strings.Contains(stderr, "kustomize build DIR | mini-hpa lint -") {
				t.Errorf("without the bound, or without advice: %s", stderr)
			}
			if output == "text" && strings.Count("\n"+stdout, "\nbase/d.yaml:") != 100 {
				t.Errorf("not every manifest has its error: %.2000s", stdout)
			}
		})
	}
}

// TestLintManyPatchesOfOneWorkload, and many that are for any: all of them count.
func TestLintManyPatchesOfOneWorkload(t *testing.T) {
	var named, general strings.Builder
	for i := range 120 {
		fmt.Fprintf(&named, "- patch: |-\n    apiVersion: apps/v1\n    kind: Deployment\n    metadata: {name: web, annotations: {mini-hpa/max: '%d'}}\n", i+2)
		fmt.Fprintf(&general, "- target: {kind: Deployment, name: w.*}\n  patch: |-\n    metadata: {name: x, annotations: {mini-hpa/max: '%d'}}\n", i+2)
	}
	for name, patches := range map[string]string{"named": named.String(), "general": general.String()} {
		t.Run(name, func(t *testing.T) {
			repository(t, map[string]string{"base/kustomization.yaml": "resources: [d.yaml]\n", "base/d.yaml": absoluteWeb,
				"prod/kustomization.yaml": "resources: [../base]\npatches:\n" + patches + "- patch: |-\n    apiVersion: apps/v1\n    kind: Deployment\n    metadata: {name: web, annotations: {mini-hpa/min: '300'}}\n"})
			code, stdout, stderr := call(t, ".")
			if want := `must be at least mini-hpa/min (300); so it is with base/d.yaml:1`; code != cli.ExitFailure || !strings.Contains(stdout, want) {
				t.Errorf("exit code %d, without %s: %s%s", code, want, stdout, stderr)
			}
		})
	}
}

// TestLintFormsOfAnnotationsAlone: where patches change nothing else, the object is not read anew, and there is the same to say.
func TestLintFormsOfAnnotationsAlone(t *testing.T) {
	d := absoluteWeb
	for name, patch := range map[string]string{
		"one more":     "annotations: {mini-hpa/min: '20'}",
		"one less":     "annotations: {mini-hpa/target-cpu: null, mini-hpa/min: '20', other: null}",
		"of others":    "annotations: {team: a}",
		"with labels":  "labels: {a: b}, annotations: {mini-hpa/min: '20'}",
		"no text":      "annotations: {mini-hpa/min: '20', team: 7}",
		"in its place": "annotations: {$patch: replace, mini-hpa/min: '20'}",
	} {
		t.Run(name, func(t *testing.T) {
			repository(t, map[string]string{"base/kustomization.yaml": "resources: [d.yaml]\n", "base/d.yaml": d,
				"prod/kustomization.yaml": "resources: [../base]\ncommonAnnotations: {team: b}\npatches: [{path: p.yaml}]\n", "prod/p.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, " + patch + "}\n"})
			m := newManifests("")
			found, _ := sources([]string{"."}, exclusions{})
			m.layout = layoutOf(found, m.paths)
			for _, s := range found {
				m.read(s, nil)
			}
			on, prod := m.workloads[0], m.paths.of("prod").path
			quick := m.form(prod, on)
			whole := &form{on: on, reading: on.reading}
			var changes []change
			for _, p := range quick.patches {
				changes = append(changes, p.change(on))
			}
			changes = append(changes, annotating(map[string]any{"team": "b"}))
			whole.remake(changes)
			if diff := cmp.Diff(whole.workload, quick.workload); diff != "" || whole.isUnknown != quick.isUnknown {
				t.Errorf("unknown %t and %t (-whole +quick):\n%s", whole.isUnknown, quick.isUnknown, diff)
			}
		})
	}
}

// TestPatternsTakeTheirTime: a few letters can be thousands of states, in each of which a name may be.
func TestPatternsTakeTheirTime(t *testing.T) {
	name := strings.Repeat("a", 200)
	taken := 0
	takes := func(values int) bool { taken = values; return values < 1000 }
	for pattern, want := range map[string]bool{"a+": true, "b": false, "(": false, "((a?){100}){10}": false} {
		taken = 0
		if got := (patterns{}).of(pattern).matches(name, takes); got != want {
			t.Errorf("%s: %t, want %t, after %d values", pattern, got, want, taken)
		}
	}
}
