package chart

import (
	"context"
	"os/exec"
	"strings"
	"testing"
)

// trains is a custom resource whose replicas are where nobody else has them, and whose template is whatever somebody writes.
const trains = `{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"trains.example.com"},"spec":{"group":"example.com","scope":"Namespaced",
"names":{"plural":"trains","singular":"train","kind":"Train","listKind":"TrainList"},"versions":[{"name":"v1","served":true,"storage":true,
"subresources":{"status":{},"scale":{"specReplicasPath":".spec.workers.count","statusReplicasPath":".status.workers"}},
"schema":{"openAPIV3Schema":{"type":"object","properties":{"spec":{"type":"object","x-kubernetes-preserve-unknown-fields":true,
"properties":{"workers":{"type":"object","properties":{"count":{"type":"integer"}}}}},"status":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}}}]}}`

// TestWhichCustomResourcesTheWebhookIsAskedAbout: nobody answers, and what is not sent is stored all the same.
func TestWhichCustomResourcesTheWebhookIsAskedAbout(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	say := func(stdin string, args ...string) string {
		command := exec.CommandContext(t.Context(), s.cluster.Kubectl(), append([]string{"--kubeconfig", s.cluster.Kubeconfig(), "-n", "shop"}, args...)...)
		command.Stdin = strings.NewReader(stdin)
		out, err := command.CombinedOutput()
		if err == nil {
			return ""
		}
		return string(out)
	}
	train := func(name, annotations, spec string) string {
		return `{"apiVersion":"example.com/v1","kind":"Train","metadata":{"name":"` + name + `","annotations":` + annotations + `},"spec":` + spec + `}`
	}
	const plain, annotated, spec = `{"a":"b"}`, `{"mini-hpa/max":"3"}`, `{"workers":{"count":1},"template":"web"}`
	if said := say(trains, "create", "-f", "-"); said != "" {
		t.Fatal(said)
	}
	s.kubectl(t, "wait", "--for=condition=Established", "crd/trains.example.com")
	for name, annotations := range map[string]string{"plain": plain, "annotated": annotated} {
		if said := say(train(name, annotations, spec), "create", "-f", "-"); said != "" {
			t.Fatal(said)
		}
	}
	must(t, "install", newHelm4(t, s.cluster.Kubeconfig(), product()).install(map[string]any{
		"controller": map[string]any{"kinds": []any{"trains.example.com"}}, "webhook": map[string]any{"failurePolicy": "Fail"}}))
	eventually(t, "the API server knows the webhook", func(context.Context) (bool, string) {
		said := say(train("new", annotated, spec), "create", "--dry-run=server", "-f", "-")
		return strings.Contains(said, `failed calling webhook "custom-workloads.webhook.mini-hpa"`), said
	})
	for name, args := range map[string][]string{
		"a label": {"label", "train", "annotated", "c=d"}, "another annotation": {"annotate", "train", "annotated", "c=d"},
		"a scale": {"scale", "train", "annotated", "--replicas=2"}, "a status": {"patch", "train", "annotated", "--subresource=status", "--type=merge", "-p", `{"status":{"workers":2}}`},
		"an unannotated one": {"patch", "train", "plain", "--type=merge", "-p", `{"spec":{"template":{"metadata":3}}}`},
	} {
		if said := say("", args...); said != "" {
			t.Errorf("%s: %s", name, said)
		}
	}
	for name, args := range map[string][]string{
		"its annotations": {"annotate", "--overwrite", "train", "annotated", "mini-hpa/max=4"},
		"its spec":        {"patch", "train", "annotated", "--type=merge", "-p", `{"spec":{"workers":{"count":3}}}`},
	} {
		if said := say("", args...); !strings.Contains(said, `failed calling webhook "custom-workloads.webhook.mini-hpa"`) {
			t.Errorf("%s: the webhook was not asked: %q", name, said)
		}
	}
}
