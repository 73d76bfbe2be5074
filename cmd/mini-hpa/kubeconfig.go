package main

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

// clusterFlags say which cluster is meant.
type clusterFlags struct{ kubeconfig, context string }

func (c *clusterFlags) declare(f *pflag.FlagSet, otherwise string) {
	f.StringVar(&c.kubeconfig, "kubeconfig", "", "`path` of the kubeconfig to use; without it "+otherwise)
	f.StringVar(&c.context, "context", "", "`name` of the kubeconfig's context; without it the current one")
}

// target is a cluster that was found.
type target struct {
	config *rest.Config
	// namespace is the pod's own, the context's, or "default".
	namespace string
	// source says where the configuration comes from.
	source string
}

// forController looks where a process in the cluster looks: --kubeconfig, the pod's service account, the user's
// kubeconfig. A --context names an entry of a kubeconfig, hence rules the service account out.
func (c clusterFlags) forController(b cli.Build) (target, error) {
	if c.kubeconfig == "" && c.context == "" {
		config, err := rest.InClusterConfig()
		if err == nil {
			config.UserAgent = b.UserAgent()
			return target{config: config, namespace: podNamespace(), source: "service account of the pod"}, nil
		}
		if !errors.Is(err, rest.ErrNotInCluster) {
			return target{}, fmt.Errorf("cannot use the pod's service account (KUBERNETES_SERVICE_HOST is set): %w", err)
		}
	}
	return c.forUser(b)
}

// forUser looks where kubectl looks: --kubeconfig, KUBECONFIG, ~/.kube/config, the pod's service account.
func (c clusterFlags) forUser(b cli.Build) (target, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.WarnIfAllMissing = false // said once, by the error below
	rules.ExplicitPath = c.kubeconfig
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: c.context})
	config, err := loader.ClientConfig()
	if clientcmd.IsEmptyConfig(err) {
		return target{}, fmt.Errorf("no cluster configured: %s holds none, and this is not a pod with a service account; "+
			"name a kubeconfig with --kubeconfig or KUBECONFIG", c.source(rules))
	}
	if err != nil {
		return target{}, fmt.Errorf("cannot load %s: %w", c.source(rules), err)
	}
	namespace, _, err := loader.Namespace()
	if err != nil {
		return target{}, fmt.Errorf("cannot find the namespace in %s: %w", c.source(rules), err)
	}
	config.UserAgent = b.UserAgent()
	return target{config: config, namespace: namespace, source: c.source(rules)}, nil
}

func (c clusterFlags) source(rules *clientcmd.ClientConfigLoadingRules) string {
	from := "kubeconfig " + strings.Join(rules.GetLoadingPrecedence(), string(os.PathListSeparator))
	if c.context != "" {
		from += " with context " + cli.Quote(c.context)
	}
	return from
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
