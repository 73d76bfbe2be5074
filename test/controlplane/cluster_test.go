//go:build unix

package controlplane

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

func TestCluster(t *testing.T) {
	c := Start(t, Options{Audit: true, Nodes: 2})
	client := clientOf(t, c.Kubeconfig())

	t.Run("a Deployment's pods run, more and fewer", func(t *testing.T) {
		create(t, client, deployment("web", 3))
		eventually(t, hasRunning(client, "web", 3))
		scale(t, client, "web", 12)
		eventually(t, hasRunning(client, "web", 12))
		scale(t, client, "web", 1)
		eventually(t, hasRunning(client, "web", 1))
	})
	t.Run("there are as many ready nodes as asked for", func(t *testing.T) {
		nodes, err := client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if len(nodes.Items) != 2 || countReady(nodes.Items) != 2 {
			t.Errorf("%d nodes, %d ready, want 2", len(nodes.Items), countReady(nodes.Items))
		}
	})
	t.Run("the programs are of the pinned version", func(t *testing.T) {
		version, err := client.Discovery().ServerVersion()
		if err != nil {
			t.Fatal(err)
		}
		if version.Major != "1" || !strings.HasPrefix(version.GitVersion, "v1."+version.Minor+".") {
			t.Errorf("the API server calls itself %s, major %q, minor %q", version.GitVersion, version.Major, version.Minor)
		}
	})
	t.Run("kubectl works with the kubeconfig", func(t *testing.T) {
		out, err := exec.CommandContext(t.Context(), c.Kubectl(), "--kubeconfig", c.Kubeconfig(), "get", "nodes", "-o", "name").Output()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff("node/node-0\nnode/node-1\n", string(out)); diff != "" {
			t.Errorf("nodes (-want +got):\n%s", diff)
		}
	})
	t.Run("a user is known, has no rights and is in the audit log", func(t *testing.T) { checkUser(t, c) })
	t.Run("a nameless user is refused", func(t *testing.T) {
		if path, err := c.KubeconfigFor(""); err == nil {
			t.Errorf("got %s", path)
		}
	})
	t.Run("the configuration is a copy", func(t *testing.T) {
		changed := c.Config()
		changed.Host = "elsewhere"
		if c.Config().Host == changed.Host {
			t.Error("a caller's change is seen by others")
		}
	})
}

func scale(t *testing.T, client kubernetes.Interface, name string, replicas int) {
	t.Helper()
	patch := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas)
	_, err := client.AppsV1().Deployments("default").Patch(t.Context(), name, types.MergePatchType, patch, metav1.PatchOptions{}, "scale")
	if err != nil {
		t.Fatal(err)
	}
}

func checkUser(t *testing.T, c *Cluster) {
	path, err := c.KubeconfigFor("system:serviceaccount/odd name", "dev", "ops")
	if err != nil {
		t.Fatal(err)
	}
	client := clientOf(t, path)
	review, err := client.AuthenticationV1().SelfSubjectReviews().Create(t.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	user := review.Status.UserInfo
	if user.Username != "system:serviceaccount/odd name" {
		t.Errorf("the user is %q", user.Username)
	}
	if diff := cmp.Diff([]string{"dev", "ops", "system:authenticated"}, user.Groups); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
	if _, err := client.CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("listing pods: %v, want forbidden", err)
	}
	eventually(t, isLogged(c.AuditLog(), auditEvent{"Metadata", "create", "system:serviceaccount/odd name", "selfsubjectreviews", 201}))
	eventually(t, isLogged(c.AuditLog(), auditEvent{"Metadata", "list", "system:serviceaccount/odd name", "pods", 403}))
}

// auditEvent is what the tests read of a line of the audit log.
type auditEvent struct {
	level, verb, user, resource string
	code                        int
}

func isLogged(path string, want auditEvent) check {
	return func(context.Context) error {
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		lines := bufio.NewScanner(file)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var line struct {
				Level, Verb    string
				User           struct{ Username string }
				ObjectRef      struct{ Resource string }
				ResponseStatus struct{ Code int }
			}
			if json.Unmarshal(lines.Bytes(), &line) != nil {
				continue // the last line may be half written
			}
			if want == (auditEvent{line.Level, line.Verb, line.User.Username, line.ObjectRef.Resource, line.ResponseStatus.Code}) {
				return nil
			}
		}
		return fmt.Errorf("the audit log lacks %+v (%w)", want, lines.Err())
	}
}

// The address need not be this machine's as long as no pod asks for it.
func TestClusterForRealNodes(t *testing.T) {
	const address = "192.0.2.7"
	// Nothing of a test listens to the network of the machine.
	c := Start(t, Options{Nodes: -1, Address: address, Args: map[Component][]string{APIServer: {"--bind-address=" + loopback}}})
	client := clientOf(t, c.Kubeconfig())

	nodes, err := client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil || len(nodes.Items) != 0 {
		t.Errorf("%d nodes, want none: %v", len(nodes.Items), err)
	}
	if err := c.Kill(KWOK); err == nil {
		t.Error("KWOK was running")
	}
	service, err := client.CoreV1().Services(metav1.NamespaceDefault).Get(t.Context(), "kubernetes", metav1.GetOptions{})
	if err != nil || service.Spec.ClusterIP != serviceAddress {
		t.Errorf("pods find the API server at %q, want %s: %v", service.Spec.ClusterIP, serviceAddress, err)
	}
	slices, err := client.DiscoveryV1().EndpointSlices(metav1.NamespaceDefault).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(slices.Items) != 1 || slices.Items[0].Endpoints[0].Addresses[0] != address {
		t.Errorf("pods are sent to %+v, want %s: %v", slices.Items, address, err)
	}
}
