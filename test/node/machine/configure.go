//go:build linux

package machine

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"text/template"
	"time"

	"github.com/mini-hpa/mini-hpa/test/node/sandbox"
)

const (
	nodeName = "node"
	podRange = "10.88.0.0/24"
	// Resolution is how often metrics-server has new samples.
	Resolution = 10 * time.Second
	socket     = "/run/containerd/containerd.sock"
)

//go:embed files
var files embed.FS

// settings are what the templates in files speak of.
type settings struct {
	Dir, Cluster, Cgroup, Socket, Plugins, Snapshotter    string
	Node, PodRange, Pause, MetricsServer, Address, Domain string
	Mode                                                  string
	JSON                                                  bool // for kube-proxy
	Resolution                                            time.Duration
}

func newSettings(dir string, o Options) (settings, error) {
	plugins, err := sandbox.PluginDir()
	return settings{
		Dir: dir, Cluster: filepath.Join(dir, clusterDir), Cgroup: sandbox.Cgroup(dir), Socket: socket, Plugins: plugins, Snapshotter: snapshotter(dir),
		Node: nodeName, PodRange: podRange, Pause: pauseImage, MetricsServer: metricsImage, Resolution: Resolution,
		Address: sandbox.Address, Domain: clusterDomain, Mode: cmp.Or(o.Mode, iptables), JSON: o.Late != nil,
	}, err
}

// snapshotter is containerd's overlayfs unless the directory's file system cannot be the base of one, as in some containers.
func snapshotter(dir string) string {
	trial := filepath.Join(dir, "overlay")
	options := ""
	for _, part := range []string{"lowerdir", "upperdir", "workdir"} {
		path := filepath.Join(trial, part)
		if os.MkdirAll(path, 0o755) != nil {
			return "native"
		}
		options += part + "=" + path + ","
	}
	target := filepath.Join(trial, "lowerdir")
	if syscall.Mount("overlay", target, "overlay", 0, options[:len(options)-1]) != nil {
		return "native"
	}
	_ = syscall.Unmount(target, 0) // the sandbox's end does it too
	return "overlayfs"
}

// render fills in a template of files.
func (s settings) render(name string) ([]byte, error) {
	parsed, err := template.New(name).Option("missingkey=error").ParseFS(files, "files/"+name)
	if err != nil {
		return nil, fmt.Errorf("read the template %s: %w", name, err)
	}
	var text bytes.Buffer
	if err := parsed.Execute(&text, s); err != nil {
		return nil, fmt.Errorf("fill in the template %s: %w", name, err)
	}
	return text.Bytes(), nil
}

// write renders a template into the directory and returns the path.
func (s settings) write(name string) (string, error) {
	text, err := s.render(name)
	if err != nil {
		return "", err
	}
	path := filepath.Join(s.Dir, name)
	if name == "pods.conflist" {
		path = filepath.Join(s.Dir, "cni", name)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return "", fmt.Errorf("write %s: %w", name, err)
	}
	return path, nil
}
