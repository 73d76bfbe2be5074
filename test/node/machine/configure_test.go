//go:build linux

package machine

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

func TestTemplatesAreFilledIn(t *testing.T) {
	t.Parallel()
	s := settings{
		Dir: "/tmp/x", Cluster: "/tmp/x/cluster", Cgroup: "/x", Socket: socket, Plugins: "/usr/lib/cni", Snapshotter: "native",
		Node: nodeName, PodRange: podRange, Pause: pauseImage, MetricsServer: metricsImage, Resolution: 10 * time.Second,
		Address: "192.0.2.1", Domain: clusterDomain, Mode: iptables,
	}
	for name, want := range map[string]string{
		"containerd.toml":     `sandbox_image = "mini-hpa.invalid/pause:node"`,
		"kubelet.yaml":        "cgroupRoot: /x\n",
		"metrics-server.yaml": "--metric-resolution=10s\n",
		"pods.conflist":       `"subnet": "10.88.0.0/24"`,
		"proxy.yaml":          "mode: iptables\nhostnameOverride: node\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := s.render(name)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Contains(text, []byte(want)) || bytes.Contains(text, []byte("{{")) || bytes.Contains(text, []byte("<no value>")) {
				t.Errorf("no %q in\n%s", want, text)
			}
			for part := range strings.SplitSeq(string(text), "\n---\n") {
				assertSyntax(t, name, part)
			}
		})
	}
}

func assertSyntax(t *testing.T, name, text string) {
	t.Helper()
	var into map[string]any
	var err error
	switch {
	case strings.HasSuffix(name, ".yaml"):
		err = yaml.UnmarshalStrict([]byte(text), &into)
	case strings.HasSuffix(name, ".conflist"):
		err = json.Unmarshal([]byte(text), &into)
	}
	if err != nil {
		t.Errorf("%v in\n%s", err, text)
	}
}

func TestEveryTemplateHasASetting(t *testing.T) {
	t.Parallel()
	entries, err := files.ReadDir("files")
	if err != nil || len(entries) != 5 {
		t.Errorf("%d templates, the test above knows 5: %v", len(entries), err)
	}
}
