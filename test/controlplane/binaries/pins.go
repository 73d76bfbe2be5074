//go:build unix

package binaries

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// module is the module that holds this package; Kubernetes' versions are in its directory controlplane/kubernetes.
const module = "github.com/mini-hpa/mini-hpa/test"

// The other programs, each built from the versions that its release chose for itself.
const (
	kwokVersion          = "sigs.k8s.io/kwok@v0.8.0"
	metricsServerVersion = "sigs.k8s.io/metrics-server@v0.9.0"
	helmVersion          = "helm.sh/helm/v4@v4.3.1"
)

// Stages is the name of the file of KWOK stages among the Files: what a node and a pod do by themselves.
const Stages = "stages.yaml"

// published are the checksums of what the releases of Kubernetes and KWOK publish for a platform. Kubernetes' are in its CHANGELOG, and so in a later version of its
// module, for which the checksum database vouches: those of 1.37.2 are in CHANGELOG/CHANGELOG-1.37.md of k8s.io/kubernetes@v1.38.0-beta.0. Arch Linux builds its package
// kwok-bin 0.8.0 from those of KWOK.
var (
	kubernetesPublished = publishedFor("v1.37.2", map[string]string{
		"amd64": "0956faf23fbe144f7b7d787bd3c9fa601a2916c30152d7788f4d5155168d1db353e252ee865f196c55c24b5c1e8ef9aa351ce5aa34afe2506ed5f88864f6ce0c",
		"arm64": "cd1b134bbc30a3ba07579556ee03b630412adbc443b262d5fe42527c6c316393b1cc4a58ba2fb83b030c571494dcae6a8d49818245c192efc97ffcedd90b0b41",
	}, "https://dl.k8s.io/%s/kubernetes-server-linux-%s.tar.gz", "kubernetes/server/bin")
	kwokPublished = publishedFor("v0.8.0", map[string]string{
		"amd64": "f5a4385a2ae1b9dd7f8acae18e002a75c0ebba124ae9d7259aa8dadb50711f46",
		"arm64": "628f7d277860f524a2a775c217adcc58828e7b59ab0933680315784f1b8b0e37",
	}, "https://github.com/kubernetes-sigs/kwok/releases/download/%s/kwok-linux-%s", "")
)

// publishedFor is what a version publishes for Linux.
func publishedFor(version string, sums map[string]string, url, folder string) map[string]Published {
	all := map[string]Published{}
	for machine, sum := range sums {
		all["linux/"+machine] = Published{URL: fmt.Sprintf(url, version, machine), Sum: sum, Folder: folder}
	}
	return all
}

// Pin fixes versions, and says what is made from them. They are those of a go.mod of ours or, where Dir is empty, of a release.
type Pin struct {
	Dir      string    // holds go.mod and go.sum
	Release  string    // module@version; go install refuses those with replacements, as Kubernetes has them
	Programs []Program // built from it
	Texts    []Text    // copied out of its modules
	// Published has the same programs by platform ("linux/amd64"), except for those that are Unpublished. It does not count for where they are kept.
	Published   map[string]Published
	Unpublished []string
	Stamp       string // the module whose version the programs report as Kubernetes' own; "" = no stamp
}

// Program is one main package.
type Program struct {
	Name    string // the file name of the binary
	Package string // its import path
}

// Text is a YAML stream put together from files of a module, so that a cached program never needs the module cache.
type Text struct {
	Name  string   // the file name it gets
	Parts []string // slash-separated paths in the module of the pin
}

// Pins are the pins of the control plane: Kubernetes with its etcd and kubectl, and KWOK, which plays a node that is ready at once and renews
// its lease, and pods that run and end at once.
func Pins(ctx context.Context) ([]Pin, error) {
	k, err := kubernetes(ctx)
	if err != nil {
		return nil, err
	}
	k.Programs = []Program{
		{Name: "etcd", Package: "go.etcd.io/etcd/server/v3"},
		{Name: "kube-apiserver", Package: "k8s.io/kubernetes/cmd/kube-apiserver"},
		{Name: "kube-controller-manager", Package: "k8s.io/kubernetes/cmd/kube-controller-manager"},
		{Name: "kube-scheduler", Package: "k8s.io/kubernetes/cmd/kube-scheduler"},
		{Name: "kubectl", Package: "k8s.io/kubernetes/cmd/kubectl"},
	}
	k.Unpublished = []string{"etcd"}
	return []Pin{k, {
		Release: kwokVersion, Published: kwokPublished,
		Programs: []Program{{Name: "kwok", Package: "sigs.k8s.io/kwok/cmd/kwok"}},
		Texts: []Text{{
			Name: Stages,
			Parts: []string{
				"kustomize/stage/node/fast/node-initialize.yaml",
				"kustomize/stage/node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
				"kustomize/stage/pod/fast/pod-ready.yaml",
				"kustomize/stage/pod/fast/pod-complete.yaml",
				"kustomize/stage/pod/fast/pod-delete.yaml",
			},
		}},
	}}, nil
}

// NodePins are the pins of a node that runs containers: kubelet and kube-proxy, metrics-server, and helm, which installs on it.
func NodePins(ctx context.Context) ([]Pin, error) {
	k, err := kubernetes(ctx)
	if err != nil {
		return nil, err
	}
	k.Programs = []Program{
		{Name: "kubelet", Package: "k8s.io/kubernetes/cmd/kubelet"},
		{Name: "kube-proxy", Package: "k8s.io/kubernetes/cmd/kube-proxy"},
	}
	return []Pin{
		k,
		{Release: metricsServerVersion, Programs: []Program{{Name: "metrics-server", Package: "sigs.k8s.io/metrics-server/cmd/metrics-server"}}},
		{Release: helmVersion, Programs: []Program{{Name: "helm", Package: "helm.sh/helm/v4/cmd/helm"}}},
	}, nil
}

func kubernetes(ctx context.Context) (Pin, error) {
	root, err := rootDir(ctx)
	return Pin{Dir: filepath.Join(root, "kubernetes"), Stamp: "k8s.io/kubernetes", Published: kubernetesPublished}, err
}

// rootDir finds the directory that holds the pin of Kubernetes. The compiler knows it, except under -trimpath; then the go command does, as long as
// the working directory belongs to a module that requires this one, which holds for every test.
func rootDir(ctx context.Context) (string, error) {
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		dir := filepath.Dir(filepath.Dir(file))
		if _, err := os.Stat(filepath.Join(dir, "kubernetes")); err == nil {
			return dir, nil
		}
	}
	dir, err := goCommand{}.output(ctx, "list", "-m", "-f", "{{.Dir}}", module)
	if err != nil {
		return "", fmt.Errorf("find the directory of module %s: %w", module, err)
	}
	return filepath.Join(dir, "controlplane"), nil
}
