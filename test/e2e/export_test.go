package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// exports runs mini-hpa export for an administrator, and returns which HPAs of a namespace it writes, by what they scale.
func exports(t *testing.T, ns string, args ...string) (targets []string, code int, told string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, append([]string{"export", "--kubeconfig", adminKubeconfig(t, shared)}, args...)...)
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	_ = cmd.Run() // other tests' workloads have what is lost; the exit code says so
	for document := range strings.SplitSeq(out.String(), "\n---\n") {
		var hpa struct {
			Metadata struct{ Namespace string }
			Spec     struct{ ScaleTargetRef struct{ Kind, Name string } }
		}
		if err := yaml.Unmarshal([]byte(document), &hpa); err != nil {
			t.Fatal(err)
		}
		if hpa.Metadata.Namespace == ns {
			targets = append(targets, hpa.Spec.ScaleTargetRef.Kind+"/"+hpa.Spec.ScaleTargetRef.Name)
		}
	}
	return targets, cmd.ProcessState.ExitCode(), err.String()
}

// TestExportOfDeployments: a Deployment is one HPA, although the Deployment controller has copied its annotations to a ReplicaSet of each revision.
func TestExportOfDeployments(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	web := shared.deploy(t, ns, "web", 2, 1000, map[string]string{"target-cpu": "50", "max": "10"})
	web.patch(map[string]any{"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{"labels": map[string]any{"release": "two"}}}}})
	replicaSet := ""
	eventually(t, "there are two annotated ReplicaSets", func(ctx context.Context) (bool, string) {
		all, err := shared.client.AppsV1().ReplicaSets(ns).List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err.Error()
		}
		annotated := 0
		for i := range all.Items {
			if replicaSet = all.Items[i].Name; all.Items[i].Annotations["mini-hpa/max"] == "10" {
				annotated++
			}
		}
		return annotated == 2, fmt.Sprintf("%d of %d", annotated, len(all.Items))
	})
	for _, args := range [][]string{{"-A"}, {"deploy", "rs", "-n", ns}} {
		if targets, _, told := exports(t, ns, args...); strings.Join(targets, " ") != "Deployment/web" || strings.Contains(told, ns+"/"+replicaSet) {
			t.Errorf("export %s: %q, want the Deployment alone\n%s", strings.Join(args, " "), targets, told)
		}
	}
	if targets, code, told := exports(t, ns, "rs", "-n", ns); len(targets) > 0 || code != 2 || !strings.Contains(told, "that is scaled itself; 2 objects are annotated and part of another workload") {
		t.Errorf("export rs: %q, exit code %d\n%s", targets, code, told)
	}
	if targets, code, told := exports(t, ns, "rs/"+replicaSet, "-n", ns); len(targets) > 0 || code != 1 || !strings.Contains(told, `"Deployment web" controls it, so that mini-hpa never scales it, and no HPA is made`) {
		t.Errorf("export rs/%s: %q, exit code %d\n%s", replicaSet, targets, code, told)
	}
}

// TestExportOfCustomResources: they are named in full, or their kind is; of annotated ones that are not read it is told. What such a resource controls has no HPA of its own.
func TestExportOfCustomResources(t *testing.T) {
	t.Parallel()
	ns, group := shared.namespace(t), "export.example"
	kind := shared.define(t, trains(t, group))
	name := kind.GroupResource().String()
	annotated := map[string]any{"mini-hpa/target-cpu": "50", "mini-hpa/max": "5"}
	express := object(t, "apiVersion: "+group+"/v1\nkind: Train\nmetadata: {name: express}\nspec: {workers: {count: 1}}\n")
	_ = unstructured.SetNestedMap(express.Object, annotated, "metadata", "annotations") // it has metadata
	created, err := shared.objects.Resource(kind.GroupVersionResource()).Namespace(ns).Create(t.Context(), express, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	db := object(t, "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db}\nspec: {replicas: 0, selector: {matchLabels: {app: db}}, template: {metadata: {labels: {app: db}}, spec: {containers: [{name: app, image: app}]}}}\n")
	_ = unstructured.SetNestedMap(db.Object, annotated, "metadata", "annotations")
	db.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: group + "/v1", Kind: "Train", Name: "express", UID: created.GetUID(), Controller: new(true)}})
	if _, err := shared.objects.Resource(statefulSets.GroupVersionResource()).Namespace(ns).Create(t.Context(), db, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	const unread, inner = `"Train express" controls it, and was not read`, `"Train express" controls it and is annotated, too: mini-hpa scales that alone`
	for args, want := range map[string]struct{ targets, told, untold string }{
		"-A":                                   {"StatefulSet/db", "of " + name + " 1 object is annotated, and left out", inner},
		"-A --kinds=" + name:                   {"Train/express", "", name},
		name + "/express -n " + ns:             {"Train/express", "", "StatefulSet"},
		"train -n " + ns + " --kinds=" + name:  {"Train/express", "", "StatefulSet"},
		"sts/db -n " + ns + " --kinds=" + name: {"", inner, unread},
		"sts/db -n " + ns:                      {"StatefulSet/db", unread, inner},
		"train/express -n " + ns:               {"", "or a custom resource that is named in full", inner},
		"nothings.export.example/x -n " + ns:   {"", "cannot read the CustomResourceDefinition of nothings.export.example", inner},
	} {
		targets, _, told := exports(t, ns, strings.Fields(args)...)
		if strings.Join(targets, " ") != want.targets || !strings.Contains(told, want.told) || strings.Contains(told, want.untold) {
			t.Errorf("export %s: %q, want %q, and to be told %q and not %q\n%s", args, targets, want.targets, want.told, want.untold, told)
		}
	}
}
