// Package cluster finds the cluster that a command is about, and makes the clients for it.
package cluster

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // a user's kubeconfig may log in by OIDC
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
)

// Flags say which cluster is meant.
type Flags struct{ kubeconfig, context string }

// Declare adds the flags to f; otherwise says where it is looked without them.
func (c *Flags) Declare(f *pflag.FlagSet, otherwise string) {
	f.StringVar(&c.kubeconfig, "kubeconfig", "", "`path` of the kubeconfig to use; without it "+otherwise)
	f.StringVar(&c.context, "context", "", "`name` of the kubeconfig's context; without it the current one")
}

// Args are the flags that are set, as kubectl and the other commands take them.
func (c Flags) Args() []string {
	var all []string
	for _, flag := range [][2]string{{"--kubeconfig=", c.kubeconfig}, {"--context=", c.context}} {
		if flag[1] != "" {
			all = append(all, flag[0]+flag[1])
		}
	}
	return all
}

// Target is a cluster that was found.
type Target struct {
	Config *rest.Config
	// Namespace is the pod's own, the context's, or "default".
	Namespace string
	// Source says where the configuration comes from.
	Source string
}

func newTarget(config *rest.Config, b cli.Build, namespace, source string) Target {
	config.UserAgent = b.UserAgent()
	config.Wrap(newFirstAlone().transport)
	return Target{Config: config, Namespace: namespace, Source: source}
}

// ForController looks where a process in the cluster looks: --kubeconfig, the pod's service account, the user's
// kubeconfig. A --context names an entry of a kubeconfig, hence rules the service account out.
func (c Flags) ForController(b cli.Build) (Target, error) {
	if c.kubeconfig == "" && c.context == "" {
		config, err := rest.InClusterConfig()
		if err == nil {
			return newTarget(config, b, podNamespace(), "service account of the pod"), nil
		}
		if !errors.Is(err, rest.ErrNotInCluster) {
			return Target{}, fmt.Errorf("cannot use the pod's service account (KUBERNETES_SERVICE_HOST is set): %w", err)
		}
	}
	return c.ForUser(b)
}

// ForUser looks where kubectl looks: --kubeconfig, KUBECONFIG, ~/.kube/config, the pod's service account.
func (c Flags) ForUser(b cli.Build) (Target, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.WarnIfAllMissing = false // said once, by the error below
	rules.ExplicitPath = c.kubeconfig
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: c.context})
	config, err := loader.ClientConfig()
	if clientcmd.IsEmptyConfig(err) {
		return Target{}, fmt.Errorf("no cluster configured: %s holds none, and this is not a pod with a service account; "+
			"name a kubeconfig with --kubeconfig or KUBECONFIG", c.source(rules))
	}
	if err != nil {
		return Target{}, fmt.Errorf("cannot load %s: %w", c.source(rules), err)
	}
	namespace, _, err := loader.Namespace()
	if err != nil {
		return Target{}, fmt.Errorf("cannot find the namespace in %s: %w", c.source(rules), err)
	}
	return newTarget(config, b, namespace, c.source(rules)), nil
}

// ForAnswer is ForUser for a command whose output is an answer about a namespace: that one, or the target's if none is named. What libraries log is no answer:
// it goes where messages go, and only if something is wrong.
func (c Flags) ForAnswer(s cli.Streams, namespace string) (Target, error) {
	s.LogErrors()
	t, err := c.ForUser(s.Build)
	if err == nil && namespace != "" {
		t.Namespace = namespace
	}
	return t, err
}

func (c Flags) source(rules *clientcmd.ClientConfigLoadingRules) string {
	from := "kubeconfig " + strings.Join(rules.GetLoadingPrecedence(), string(os.PathListSeparator))
	if c.context != "" {
		from += " with context " + cli.Quote(c.context)
	}
	return from
}

// Host is what this process calls itself among others: its pod's name, POD_NAME from the downward API, else the name of this host. In a pod that uses
// its node's network the host is the node.
func Host() (string, error) {
	if pod := os.Getenv("POD_NAME"); pod != "" {
		return pod, nil
	}
	return os.Hostname()
}

// podNamespace is where this pod runs: POD_NAMESPACE from the downward API, else what its service account's token says.
func podNamespace() string {
	if ns := os.Getenv("POD_NAMESPACE"); ns != "" {
		return ns
	}
	data, err := os.ReadFile("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
	if ns := strings.TrimSpace(string(data)); err == nil && ns != "" {
		return ns
	}
	return "default"
}
