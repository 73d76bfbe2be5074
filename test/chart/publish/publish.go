// Package publish makes of the chart what a release publishes: the chart that knows its image, and manifests for those without Helm.
package publish

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	released "helm.sh/helm/v4/pkg/release/v1"
)

// digestAnnotation tells the chart which image it was released with; without it the chart refuses its default repository.
const digestAnnotation = "mini-hpa/image-digest"

// Load reads the chart of a folder and has it ask for the image with a digest ("sha256:...").
func Load(folder, digest string) (*chart.Chart, error) {
	loaded, err := loader.LoadDir(folder)
	if err != nil {
		return nil, err
	}
	loaded.Metadata.Annotations[digestAnnotation] = digest
	return loaded, nil
}

// Kustomization makes a base for overlays of the manifests, which are install.yaml beside it.
const Kustomization = `# The base for overlays. The namespace is written in the webhook's selectors, too: for another one, or other values, render the chart.
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [install.yaml]
`

// namespace is where the manifests install, and refuses pods that have more rights than mini-hpa's need.
const namespace = `---
apiVersion: v1
kind: Namespace
metadata:
  name: mini-hpa
  labels:
    app.kubernetes.io/name: mini-hpa
    pod-security.kubernetes.io/enforce: restricted
`

// helms are lines by which Helm knows its own. They would be wrong without it.
var helms = regexp.MustCompile(`(?m)^(# Source: .*| +helm[.]sh/chart: .*| +app[.]kubernetes[.]io/managed-by: Helm)\n`)

// Manifests are what Helm would install with the chart's own values, without the test, and the namespace.
func Manifests(loaded *chart.Chart) ([]byte, error) {
	install := action.NewInstall(&action.Configuration{})
	install.ReleaseName, install.Namespace, install.DryRunStrategy = "mini-hpa", "mini-hpa", action.DryRunClient
	install.KubeVersion = &common.KubeVersion{Version: "v1.37.2", Major: "1", Minor: "37"}
	done, err := install.Run(loaded, nil)
	if err != nil {
		return nil, err
	}
	release, ok := done.(*released.Release)
	if !ok {
		return nil, fmt.Errorf("a release is a %T", done)
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, "# mini-hpa %s, as its chart %s installs it: kubectl apply -f install.yaml\n", loaded.Metadata.AppVersion, loaded.Metadata.Version)
	text.WriteString(namespace)
	text.WriteString(helms.ReplaceAllString(strings.TrimSpace(release.Manifest)+"\n", ""))
	return text.Bytes(), nil
}
