package chart

import (
	"path"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// TestSourcesAreAFile of a ConfigMap, and what its paths lead to are Secrets that the kubelet mounts.
func TestSourcesAreAFile(t *testing.T) {
	t.Parallel()
	values := examples(t)["sources"]
	objects := render(t, values)
	var file struct {
		Version string `json:"version"`
		Sources any    `json:"sources"`
	}
	if err := yaml.UnmarshalStrict([]byte(typedAs[corev1.ConfigMap](t, pick(t, objects, "ConfigMap", release+"-sources")).Data["sources.yaml"]), &file); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(values["sources"], file.Sources); diff != "" || file.Version != "v1" {
		t.Errorf("version %q, sources (-values +file):\n%s", file.Version, diff)
	}
	pod := deployed(t, objects).Spec.Template.Spec
	from := map[string]string{}
	for _, v := range pod.Volumes {
		switch {
		case v.ConfigMap != nil:
			from[v.Name] = "ConfigMap " + v.ConfigMap.Name
		case v.Secret != nil:
			from[v.Name] = "Secret " + v.Secret.SecretName
		}
		if len(v.Name) > 63 {
			t.Errorf("volume %s has %d characters", v.Name, len(v.Name))
		}
	}
	mounted := map[string]string{}
	for _, m := range pod.Containers[0].VolumeMounts {
		if source, ok := from[m.Name]; ok && m.MountPath != "/etc/mini-hpa/tls" {
			mounted[m.MountPath] = source
			if !m.ReadOnly {
				t.Errorf("%s can be written", m.MountPath)
			}
		}
	}
	const long = "a.name.that-is-longer-than-that-of-a-volume-may-be.which-has-sixty-three-characters"
	want := map[string]string{
		"/etc/mini-hpa/sources.d": "ConfigMap " + release + "-sources", "/etc/mini-hpa/sources/prom": "Secret prom", path.Join("/etc/mini-hpa/sources", long): "Secret " + long,
	}
	if diff := cmp.Diff(want, mounted); diff != "" {
		t.Errorf("mounted (-want +got):\n%s", diff)
	}
	for _, object := range render(t, nil) {
		if object.GetName() == release+"-sources" {
			t.Error("a ConfigMap of sources is rendered unasked")
		}
	}
}
