// Package e2e runs the built program against a real control plane: etcd, kube-apiserver, controller-manager and
// scheduler are real, pods are KWOK's, and their CPU comes from loadsim through an aggregated metrics.k8s.io API.
package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"

	"github.com/mini-hpa/mini-hpa/test/controlplane"
	"github.com/mini-hpa/mini-hpa/test/controlplane/loadsim"
)

var (
	idleFor  = flag.Duration("idle", 10*time.Minute, "how long the idle workloads are watched; a tenth of it with -short")
	faultFor = flag.Duration("fault", 2*time.Minute, "how long each fault of the metrics API lasts; a tenth of it with -short")
	long     = flag.Bool("long", false, "play the stories about faults (TestFault...) in full")
)

// samplePeriod is how often loadsim publishes here: faster than metrics-server, so that a story takes seconds.
const samplePeriod = 2 * time.Second

// patience bounds every wait. It is no assertion: what is waited for comes at once or never, but for a failure of the metrics, which
// is told when it has lasted for 30 s, and of pods that are new after another minute.
const patience = 150 * time.Second

// user is who the controller is for the API server. It may do what its ClusterRole grants and nothing else. A group of the same name
// has the same rights, for controllers that are to be told apart.
const user = "mini-hpa"

// program is the built mini-hpa.
var program string

// shared is the control plane of all tests that break nothing.
var shared *world

// world is a control plane with simulated load.
type world struct {
	cluster    *controlplane.Cluster
	load       *loadsim.Server
	client     kubernetes.Interface
	objects    dynamic.Interface
	kubeconfig string
}

func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		*idleFor /= 10
		*faultFor /= 10
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "mini-hpa-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if program, err = build(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	w, stop, err := start(context.Background(), samplePeriod, nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	shared = w
	code := m.Run()
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop the control plane:", err)
		return 1
	}
	return code
}

// build builds the program with the race detector: a data race ends it with status 66, which the tests see.
func build(dir string) (string, error) {
	path := filepath.Join(dir, "mini-hpa")
	cmd := exec.Command("go", "build", "-tags", "grpcnotrace", "-race", "-o", path, "./cmd/mini-hpa")
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build mini-hpa: %w\n%s", err, out)
	}
	return path, nil
}

// start starts a world, whose components have these flags besides, and returns how to stop it.
func start(ctx context.Context, period time.Duration, flags map[controlplane.Component][]string) (*world, func() error, error) {
	cluster, err := controlplane.Run(ctx, controlplane.Options{Audit: true, Args: flags})
	if err != nil {
		return nil, nil, err
	}
	w := &world{cluster: cluster}
	if err := w.prepare(ctx, period); err != nil {
		cluster.Stop() // the error that matters is the one before
		return nil, nil, err
	}
	return w, func() error {
		w.load.Close() // the API server ends with the next line anyway
		return cluster.Stop()
	}, nil
}

func (w *world) prepare(ctx context.Context, period time.Duration) (err error) {
	if w.client, err = kubernetes.NewForConfig(w.cluster.Config()); err != nil {
		return err
	}
	if w.objects, err = dynamic.NewForConfig(w.cluster.Config()); err != nil {
		return err
	}
	if w.kubeconfig, err = w.cluster.KubeconfigFor(user); err != nil {
		return err
	}
	if err := grant(ctx, w.client); err != nil {
		return err
	}
	w.load, err = loadsim.Start(ctx, w.cluster.Config(), loadsim.Options{Period: period, Window: period, FirstSample: period,
		Report: func(err error) { fmt.Fprintln(os.Stderr, "loadsim:", err) }})
	return err
}

// isolated is a world of the test's own, which it may break.
func isolated(t *testing.T, period time.Duration) *world {
	t.Helper()
	return isolatedWith(t, period, nil)
}

// isolatedWith is one whose components have these flags besides.
func isolatedWith(t *testing.T, period time.Duration, flags map[controlplane.Component][]string) *world {
	t.Helper()
	w, stop, err := start(t.Context(), period, flags)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("stop the control plane: %v", err)
		}
	})
	return w
}

// grant lets the controller do what docs/rbac.yaml says, and nothing else.
func grant(ctx context.Context, client kubernetes.Interface) error {
	role, err := documentedRole()
	if err != nil {
		return err
	}
	return bind(ctx, client, role, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user},
		rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: user})
}

// documentedRole is that of docs/rbac.yaml.
func documentedRole() (*rbacv1.ClusterRole, error) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "rbac.yaml"))
	if err != nil {
		return nil, err
	}
	role := &rbacv1.ClusterRole{}
	if err := yaml.UnmarshalStrict(text, role); err != nil {
		return nil, fmt.Errorf("docs/rbac.yaml: %w", err)
	}
	return role, nil
}

// bind gives a new role to somebody, in the whole cluster.
func bind(ctx context.Context, client kubernetes.Interface, role *rbacv1.ClusterRole, subjects ...rbacv1.Subject) error {
	if _, err := client.RbacV1().ClusterRoles().Create(ctx, role, metav1.CreateOptions{}); err != nil {
		return err
	}
	binding := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: role.Name}, Subjects: subjects,
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name}}
	_, err := client.RbacV1().ClusterRoleBindings().Create(ctx, binding, metav1.CreateOptions{})
	return err
}
