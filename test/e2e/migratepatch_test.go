package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// scaled is what migrate makes annotations of: an HPA each of a Deployment, a StatefulSet and a custom resource.
const scaled = `
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec: {maxReplicas: 5, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: db}
spec: {maxReplicas: 5, scaleTargetRef: {apiVersion: apps/v1, kind: StatefulSet, name: db}, behavior: {scaleDown: {selectPolicy: Min, policies: [{type: Pods, value: 2, periodSeconds: 60}]}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: express}
spec: {maxReplicas: 5, scaleTargetRef: {apiVersion: patch.example/v1, kind: Train, name: express}}
`

// unscaled are their workloads.
const unscaled = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, annotations: {a: b}}
spec: {replicas: 0, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: app, image: app}]}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, annotations: {a: b}}
spec: {replicas: 0, selector: {matchLabels: {app: db}}, template: {metadata: {labels: {app: db}}, spec: {containers: [{name: app, image: app}]}}}
---
apiVersion: patch.example/v1
kind: Train
metadata: {name: express, annotations: {a: b}}
spec: {workers: {count: 0}}
`

// TestPatchesOfMigrate: what migrate writes does what its help says, with a real kubectl: applied on the server's side, as patches of a kustomization, one by one with kubectl
// patch, and as the commands of -o command.
func TestPatchesOfMigrate(t *testing.T) {
	t.Parallel()
	kind := shared.define(t, trains(t, "patch.example"))
	kubeconfig := adminKubeconfig(t, shared)
	run := func(t *testing.T, in, name string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "PATH="+filepath.Dir(shared.cluster.Kubectl())+string(os.PathListSeparator)+os.Getenv("PATH"))
		cmd.Stdin = strings.NewReader(in)
		var out, told bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &told
		if err := cmd.Run(); err != nil {
			t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, told.String())
		}
		return out.String()
	}
	kubectl := shared.cluster.Kubectl()
	for name, apply := range map[string]func(t *testing.T, ns string){
		"apply": func(t *testing.T, ns string) {
			patches := run(t, scaled, program, "migrate", "-f", "-", "-n", ns)
			run(t, patches, kubectl, "apply", "--server-side", "--field-manager=mini-hpa-migrate", "-f", "-")
		},
		"kustomize": func(t *testing.T, ns string) {
			dir := t.TempDir()
			for file, text := range map[string]string{"patches.yaml": run(t, scaled, program, "migrate", "-f", "-"), "workloads.yaml": unscaled,
				"kustomization.yaml": "namespace: " + ns + "\nresources: [workloads.yaml]\npatches: [{path: patches.yaml}]\n"} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			run(t, "", kubectl, "apply", "-k", dir)
		},
		"patch": func(t *testing.T, ns string) {
			for document := range strings.SplitSeq(scaled, "\n---\n") {
				of, file := object(t, document), filepath.Join(t.TempDir(), "patch.yaml")
				if err := os.WriteFile(file, []byte(run(t, document, program, "migrate", "-f", "-")), 0o600); err != nil {
					t.Fatal(err)
				}
				ref, _, _ := unstructured.NestedStringMap(of.Object, "spec", "scaleTargetRef")
				group, _, _ := strings.Cut(ref["apiVersion"], "/")
				run(t, "", kubectl, "patch", ref["kind"]+"."+group, of.GetName(), "-n", ns, "--type=merge", "--patch-file", file)
			}
		},
		"command": func(t *testing.T, ns string) {
			run(t, run(t, scaled, program, "migrate", "-f", "-", "-n", ns, "-o", "command"), "sh", "-e")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ns := shared.namespace(t)
			run(t, unscaled, kubectl, "create", "-n", ns, "-f", "-")
			apply(t, ns)
			for name, k := range map[string]annotations.Kind{"web": deployments, "db": statefulSets, "express": kind} {
				o, err := shared.objects.Resource(k.GroupVersionResource()).Namespace(ns).Get(t.Context(), name, metav1.GetOptions{})
				if err != nil {
					t.Fatal(err)
				}
				if all := o.GetAnnotations(); all["mini-hpa/max"] != "5" || all["mini-hpa/target-cpu"] != "80" || all["a"] != "b" || (all["mini-hpa/behavior"] != "") != (name == "db") {
					t.Errorf("%s has %v", name, all)
				}
				if spec, _, _ := unstructured.NestedMap(o.Object, "spec"); len(spec) == 0 {
					t.Errorf("%s has lost its spec", name)
				}
			}
		})
	}
}
