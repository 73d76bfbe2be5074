package chart

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	action3 "helm.sh/helm/v3/pkg/action"
	loader3 "helm.sh/helm/v3/pkg/chart/loader"
	chartutil3 "helm.sh/helm/v3/pkg/chartutil"
	action4 "helm.sh/helm/v4/pkg/action"
	common4 "helm.sh/helm/v4/pkg/chart/common"
	loader4 "helm.sh/helm/v4/pkg/chart/loader"
	release4 "helm.sh/helm/v4/pkg/release/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// optionalAPIs are those that some of the chart's objects belong to, by the names that Helm knows them by.
var optionalAPIs = []string{"monitoring.coreos.com/v1", "cert-manager.io/v1", "metrics.k8s.io/v1beta1"}

// order is what is to be rendered, and for which cluster.
type order struct {
	values             map[string]any
	release, namespace string
	apis               []string // what the cluster serves besides Kubernetes' own
}

// output is what Helm shows.
type output struct {
	documents []string // one object each, those of hooks last
	notes     string
}

// engine renders the chart without a cluster, as "helm template" does.
type engine func(o order) (output, error)

func engines() map[string]engine {
	return map[string]engine{"Helm 3": templateHelm3, "Helm 4": templateHelm4}
}

func templateHelm3(o order) (output, error) {
	loaded, err := loader3.LoadDir(chartPath)
	if err != nil {
		return output{}, err
	}
	install := action3.NewInstall(&action3.Configuration{})
	install.ReleaseName, install.Namespace, install.DryRun, install.ClientOnly = o.release, o.namespace, true, true
	install.APIVersions = o.apis
	install.KubeVersion = &chartutil3.KubeVersion{Version: "v1.37.2", Major: "1", Minor: "37"}
	rel, err := install.Run(loaded, o.values)
	if err != nil {
		return output{}, err
	}
	out := output{documents: documents(rel.Manifest), notes: rel.Info.Notes}
	for _, hook := range rel.Hooks {
		out.documents = append(out.documents, documents(hook.Manifest)...)
	}
	return out, nil
}

func templateHelm4(o order) (output, error) {
	loaded, err := loader4.LoadDir(chartPath)
	if err != nil {
		return output{}, err
	}
	install := action4.NewInstall(&action4.Configuration{})
	install.ReleaseName, install.Namespace, install.DryRunStrategy = o.release, o.namespace, action4.DryRunClient
	install.APIVersions = o.apis
	install.KubeVersion = &common4.KubeVersion{Version: "v1.37.2", Major: "1", Minor: "37"}
	done, err := install.Run(loaded, o.values)
	if err != nil {
		return output{}, err
	}
	rel, ok := done.(*release4.Release)
	if !ok {
		return output{}, fmt.Errorf("a release is a %T", done)
	}
	out := output{documents: documents(rel.Manifest), notes: rel.Info.Notes}
	for _, hook := range rel.Hooks {
		out.documents = append(out.documents, documents(hook.Manifest)...)
	}
	return out, nil
}

var (
	separator = regexp.MustCompile(`(?m)^---\n`)
	source    = regexp.MustCompile(`(?m)^# Source: .*\n`)
)

// documents are the YAML documents of a text, without what Helm adds to some of them, sorted: the two versions of Helm do not
// agree where a ValidatingWebhookConfiguration belongs.
func documents(text string) []string {
	var found []string
	for _, document := range separator.Split(text, -1) {
		if document = strings.TrimSpace(source.ReplaceAllString(document, "")); document != "" {
			found = append(found, document)
		}
	}
	slices.Sort(found)
	return found
}

// rendering is an order of the usual release in a cluster that has every optional API. The values become what Helm makes of
// a file with them.
func rendering(t testing.TB, values map[string]any) order {
	t.Helper()
	text, err := yaml.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	return order{values: withImage(parsed(t, text)), release: release, namespace: home, apis: optionalAPIs}
}

// parsed is a values file.
func parsed(t testing.TB, text []byte) map[string]any {
	t.Helper()
	values := map[string]any{}
	if err := yaml.Unmarshal(text, &values); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return values
}

// pushed is the tag of an image that has been pushed. It is no version's, so that a test sees where it comes from.
const pushed = "pushed"

// withImage are values that ask for an image that has been pushed: a chart that is no release refuses its default repository.
func withImage(values map[string]any) map[string]any {
	global, _ := values["global"].(map[string]any)
	image, isImage := values["image"].(map[string]any)
	if global["imageRegistry"] != nil || image["repository"] != nil || image["tag"] != nil || image["digest"] != nil || values["image"] != nil && !isImage {
		return values
	}
	return merged(values, map[string]any{"image": merged(image, map[string]any{"tag": pushed})})
}

// run renders by Helm 4.
func (o order) run(t testing.TB) output {
	t.Helper()
	out, err := templateHelm4(o)
	if err != nil {
		t.Fatalf("cannot render: %v", err)
	}
	return out
}

// objects are the objects, those of hooks included.
func (o output) objects(t testing.TB) []*unstructured.Unstructured {
	t.Helper()
	objects := make([]*unstructured.Unstructured, 0, len(o.documents))
	for _, document := range o.documents {
		object := &unstructured.Unstructured{}
		if err := yaml.UnmarshalStrict([]byte(document), &object.Object); err != nil {
			t.Fatalf("not an object: %v\n%s", err, document)
		}
		if object.GetKind() != "" { // else it is a comment
			objects = append(objects, object)
		}
	}
	return objects
}

// render renders the chart with values, as a release mini-hpa in a namespace mini-hpa, for a cluster that serves every
// optional API. The objects of hooks (the test) are among what it returns.
func render(t testing.TB, values map[string]any) []*unstructured.Unstructured {
	t.Helper()
	return rendering(t, values).run(t).objects(t)
}

// renderYAML is render with values as a file has them.
func renderYAML(t testing.TB, values string) []*unstructured.Unstructured {
	t.Helper()
	return render(t, parsed(t, []byte(values)))
}

// pick is the only object of a kind and name.
func pick(t testing.TB, objects []*unstructured.Unstructured, kind, name string) *unstructured.Unstructured {
	t.Helper()
	var found []*unstructured.Unstructured
	for _, object := range objects {
		if object.GetKind() == kind && object.GetName() == name {
			found = append(found, object)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d objects are %s %s, want 1; there are %s", len(found), kind, name, strings.Join(identities(objects), ", "))
	}
	return found[0]
}

// identities are kinds and names, sorted.
func identities(objects []*unstructured.Unstructured) []string {
	names := make([]string, 0, len(objects))
	for _, object := range objects {
		names = append(names, object.GetKind()+" "+object.GetName())
	}
	slices.Sort(names)
	return names
}

// typedAs is an object as a type of the API has it.
func typedAs[T any](t testing.TB, object *unstructured.Unstructured) *T {
	t.Helper()
	text, err := yaml.Marshal(object.Object)
	if err != nil {
		t.Fatal(err)
	}
	typed := new(T)
	if err := yaml.UnmarshalStrict(text, typed); err != nil {
		t.Fatalf("%s %s: %v", object.GetKind(), object.GetName(), err)
	}
	return typed
}

// chartDir is the directory of the chart.
func chartDir(t testing.TB) string {
	t.Helper()
	dir, err := filepath.Abs(chartPath)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
