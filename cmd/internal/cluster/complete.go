package cluster

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
)

// mostCompleted is how many objects of a kind are offered to a shell.
const mostCompleted = 500

// Complete is cli.Command's Complete of commands about workloads: the annotated ones of the built-in kinds in the namespace, the namespaces, and the contexts
// of the kubeconfig. What may not be listed is left out.
func Complete(ctx context.Context, f *pflag.FlagSet, flag, word string) []string {
	text := func(name string) string {
		if flag := f.Lookup(name); flag != nil {
			return flag.Value.String()
		}
		return ""
	}
	flags := Flags{kubeconfig: text("kubeconfig"), context: text("context")}
	switch flag {
	case "context":
		rules := clientcmd.NewDefaultClientConfigLoadingRules()
		rules.ExplicitPath = flags.kubeconfig
		config, err := rules.Load()
		if err != nil {
			return nil
		}
		return slices.Sorted(maps.Keys(config.Contexts))
	case "namespace", "":
	default:
		return nil
	}
	target, err := flags.ForUser(cli.Build{})
	if err != nil {
		return nil
	}
	api := DefaultAPIFlags()
	client, err := metadata.NewForConfig(api.Config(target.Config, api.Timeout))
	if err != nil {
		return nil
	}
	list := func(resource schema.GroupVersionResource, namespace string) []metav1.PartialObjectMetadata {
		page, err := client.Resource(resource).Namespace(namespace).List(ctx, metav1.ListOptions{Limit: mostCompleted})
		if err != nil {
			return nil
		}
		return page.Items
	}
	if flag == "namespace" {
		var all []string
		for _, object := range list(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}, "") {
			all = append(all, object.Name)
		}
		return all
	}
	return workloads(word, func(resource schema.GroupVersionResource) []metav1.PartialObjectMetadata {
		return list(resource, cmp.Or(text("namespace"), target.Namespace))
	})
}

// workloads are those that a word may become.
func workloads(word string, list func(resource schema.GroupVersionResource) []metav1.PartialObjectMetadata) []string {
	var all []string
	for _, kind := range annotations.Builtin() {
		prefix := map[string]string{"deployments": "deploy/", "statefulsets": "sts/", "replicasets": "rs/"}[kind.Resource]
		if of, _, typed := strings.Cut(word, "/"); typed { // as it is typed
			if w, err := cli.OneWorkload([]string{of + "/x"}, ""); err != nil || w.Resource != kind.GroupResource() {
				continue
			}
			prefix = of + "/"
		}
		for _, object := range list(kind.GroupVersionResource()) {
			if !annotations.Selected(object.Annotations) || metav1.GetControllerOf(&object) != nil { // a ReplicaSet has the annotations of its Deployment
				continue
			}
			if all = append(all, prefix+object.Name); word != "" && kind.Resource == "deployments" {
				all = append(all, object.Name)
			}
		}
	}
	return all
}
