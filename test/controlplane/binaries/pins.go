//go:build unix

package binaries

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// module is the module that holds this package; the pinned versions are in its directory controlplane/pins.
const module = "github.com/mini-hpa/mini-hpa/test"

// Stages is the name of the file of KWOK stages among the Files: what a node and a pod do by themselves.
const Stages = "stages.yaml"

// Pin is a directory whose go.mod fixes versions, and what is made from them.
type Pin struct {
	Dir      string    // holds go.mod and go.sum
	Programs []Program // built from it
	Texts    []Text    // copied out of its modules
	Stamp    string    // the module whose version the programs report as Kubernetes' own; "" = no stamp
}

// Program is one main package.
type Program struct {
	Name    string // the file name of the binary
	Package string // its import path
}

// Text is a YAML stream put together from files of a module, so that a cached program never needs the module cache.
type Text struct {
	Name    string   // the file name it gets
	Package string   // any package of the module that holds the parts
	Parts   []string // slash-separated paths in the module
}

// Pins are the pins of the control plane: Kubernetes with its etcd and kubectl, and KWOK.
func Pins(ctx context.Context) ([]Pin, error) {
	root, err := rootDir(ctx)
	if err != nil {
		return nil, err
	}
	return []Pin{kubernetes(filepath.Join(root, "pins", "kubernetes")), kwok(filepath.Join(root, "pins", "kwok"))}, nil
}

// NodePins are the pins of a node that runs containers: kubelet and kube-proxy, metrics-server, and helm, which installs on it.
func NodePins(ctx context.Context) ([]Pin, error) {
	root, err := rootDir(ctx)
	if err != nil {
		return nil, err
	}
	dir := func(name string) string { return filepath.Join(root, "pins", name) }
	return []Pin{
		{
			Dir:   dir("node"),
			Stamp: "k8s.io/kubernetes",
			Programs: []Program{
				{Name: "kubelet", Package: "k8s.io/kubernetes/cmd/kubelet"},
				{Name: "kube-proxy", Package: "k8s.io/kubernetes/cmd/kube-proxy"},
			},
		},
		{
			Dir: dir("metrics-server"), Programs: []Program{{Name: "metrics-server", Package: "sigs.k8s.io/metrics-server/cmd/metrics-server"}},
		},
		{Dir: dir("helm"), Programs: []Program{{Name: "helm", Package: "helm.sh/helm/v4/cmd/helm"}}},
	}, nil
}

func kubernetes(dir string) Pin {
	return Pin{
		Dir:   dir,
		Stamp: "k8s.io/kubernetes",
		Programs: []Program{
			{Name: "etcd", Package: "go.etcd.io/etcd/server/v3"},
			{Name: "kube-apiserver", Package: "k8s.io/kubernetes/cmd/kube-apiserver"},
			{Name: "kube-controller-manager", Package: "k8s.io/kubernetes/cmd/kube-controller-manager"},
			{Name: "kube-scheduler", Package: "k8s.io/kubernetes/cmd/kube-scheduler"},
			{Name: "kubectl", Package: "k8s.io/kubernetes/cmd/kubectl"},
		},
	}
}

// kwok plays a node that is ready at once and renews its lease, and pods that run and end at once.
func kwok(dir string) Pin {
	return Pin{
		Dir:      dir,
		Programs: []Program{{Name: "kwok", Package: "sigs.k8s.io/kwok/cmd/kwok"}},
		Texts: []Text{{
			Name:    Stages,
			Package: "sigs.k8s.io/kwok/cmd/kwok",
			Parts: []string{
				"kustomize/stage/node/fast/node-initialize.yaml",
				"kustomize/stage/node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
				"kustomize/stage/pod/fast/pod-ready.yaml",
				"kustomize/stage/pod/fast/pod-complete.yaml",
				"kustomize/stage/pod/fast/pod-delete.yaml",
			},
		}},
	}
}

// rootDir finds the directory that holds pins. The compiler knows it, except under -trimpath; then the go command does, as long as
// the working directory belongs to a module that requires this one, which holds for every test.
func rootDir(ctx context.Context) (string, error) {
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		dir := filepath.Dir(filepath.Dir(file))
		if _, err := os.Stat(filepath.Join(dir, "pins")); err == nil {
			return dir, nil
		}
	}
	dir, err := goCommand{}.output(ctx, "list", "-m", "-f", "{{.Dir}}", module)
	if err != nil {
		return "", fmt.Errorf("find the directory of module %s: %w", module, err)
	}
	return filepath.Join(dir, "controlplane"), nil
}
