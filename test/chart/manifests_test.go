package chart

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mini-hpa/mini-hpa/test/chart/publish"
)

// digestOfARelease is that of some image.
var digestOfARelease = "sha256:" + strings.Repeat("0f", 32)

// published is a folder with install.yaml and kustomization.yaml, as a release has them.
func published(t *testing.T) string {
	t.Helper()
	chart, err := publish.Load(chartPath, digestOfARelease)
	must(t, "load the chart", err)
	text, err := publish.Manifests(chart)
	must(t, "render the chart", err)
	dir := t.TempDir()
	must(t, "write the manifests", os.WriteFile(filepath.Join(dir, "install.yaml"), text, 0o600))
	must(t, "write the base", os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(publish.Kustomization), 0o600))
	return dir
}

// TestPlainManifests: who has no Helm installs, changes and removes mini-hpa with kubectl, by the file or by a kustomization over it. It scales, what it
// writes itself outlives an apply, and nothing stays behind.
func TestPlainManifests(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.kubectl(t, "delete", "namespace", home) // the manifests bring their own
	dir := published(t)
	overlay := t.TempDir()
	base, err := filepath.Rel(overlay, dir)
	must(t, "lead from the overlay to the base", err)
	must(t, "write the overlay", os.WriteFile(filepath.Join(overlay, "kustomization.yaml"),
		[]byte("resources: ["+base+"]\nimages: [{name: ghcr.io/mini-hpa/mini-hpa, newName: registry.example.com/mini-hpa, newTag: v9}]\nreplicas: [{name: mini-hpa, count: 3}]\n"), 0o600))
	for name, test := range map[string]struct {
		apply, remove []string
		image         string
	}{
		"file":          {[]string{"apply", "-f", dir + "/install.yaml"}, []string{"delete", "-f", dir + "/install.yaml"}, "ghcr.io/mini-hpa/mini-hpa@" + digestOfARelease},
		"server-side":   {[]string{"apply", "--server-side", "-f", dir + "/install.yaml"}, []string{"delete", "-f", dir + "/install.yaml"}, "ghcr.io/mini-hpa/mini-hpa@" + digestOfARelease},
		"kustomization": {[]string{"apply", "-k", overlay}, []string{"delete", "-k", overlay}, "registry.example.com/mini-hpa:v9"},
	} {
		t.Run(name, func(t *testing.T) {
			before := s.list(t)
			web := s.scalable(t)
			s.kubectl(t, test.apply...)
			s.kubectl(t, "-n", home, "rollout", "status", "deployment", release, "--timeout=2m")
			d, err := s.client.AppsV1().Deployments(home).Get(t.Context(), release, metav1.GetOptions{})
			must(t, "read the Deployment", err)
			if image := d.Spec.Template.Spec.Containers[0].Image; image != test.image {
				t.Errorf("the image is %s, want %s", image, test.image)
			}
			p := s.start(t)
			s.replicas(t, web, 5)
			trust := s.trust(t)
			s.undisturbed(t, web, trust, "apply again", func() error {
				s.kubectl(t, test.apply...)
				// An Event for each witness: what is compared is what it looks like after the apply.
				s.kubectl(t, "label", "--overwrite", "validatingwebhookconfiguration/"+release, "seen=yes")
				s.kubectl(t, "-n", home, "label", "--overwrite", "secret/"+release+"-webhook-ca", "seen=yes")
				s.kubectl(t, "-n", home, "label", "--overwrite", "lease/"+release, "seen=yes")
				return nil
			})
			s.kubectl(t, test.remove...)
			p.stop()
			s.kubectl(t, "-n", "shop", "delete", "deployment", web)
			s.nothingLeft(t, before)
		})
	}
}

// TestManifestsAreTheChart: install.yaml has the objects that Helm would install, by name, and none of them speaks of Helm.
func TestManifestsAreTheChart(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(published(t), "install.yaml"))
	must(t, "read the manifests", err)
	got := identities(output{documents: documents(string(text))}.objects(t))
	var want []string
	for _, name := range append(identities(render(t, nil)), "Namespace "+home) {
		if !strings.Contains(name, "selftest") {
			want = append(want, name)
		}
	}
	if difference := difference(want, got); len(difference) > 0 {
		t.Errorf("install.yaml is not what Helm installs: %s", strings.Join(difference, ", "))
	}
	if bytes.Contains(bytes.ToLower(text), []byte("helm")) {
		t.Error("it speaks of Helm")
	}
}
