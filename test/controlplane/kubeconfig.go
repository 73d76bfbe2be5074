//go:build unix

package controlplane

import (
	"errors"
	"fmt"
	"os"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// adminKubeconfig is the file with which people and tests reach the cluster as its administrator.
const adminKubeconfig = "kubeconfig"

// Config is a client configuration with the rights of cluster-admin and a rate limit that does not slow a test down. The caller
// may change it.
func (c *Cluster) Config() *rest.Config {
	return rest.CopyConfig(c.admin)
}

// Kubeconfig is the path of a kubeconfig file with the rights of cluster-admin.
func (c *Cluster) Kubeconfig() string { return c.file(adminKubeconfig) }

// KubeconfigFor writes a kubeconfig file for a user in groups, known to the API server by a client certificate, and returns its
// path. The user has the rights that RBAC gives to that name and those groups, which at first are none. The file goes when the
// cluster's directory does.
func (c *Cluster) KubeconfigFor(user string, groups ...string) (string, error) {
	if user == "" {
		return "", errors.New("write a kubeconfig: the user has no name")
	}
	file, err := os.CreateTemp(c.dir, "user-*.kubeconfig")
	if err != nil {
		return "", fmt.Errorf("make a kubeconfig file: %w", err)
	}
	if err := file.Close(); err != nil {
		return "", fmt.Errorf("make a kubeconfig file: %w", err)
	}
	return file.Name(), c.writeKubeconfig(file.Name(), user, groups...)
}

// writeKubeconfig puts everything into the one file, so that it may be copied elsewhere.
func (c *Cluster) writeKubeconfig(path, user string, groups ...string) error {
	identity, err := c.authority.client(user, groups...)
	if err != nil {
		return err
	}
	config := api.NewConfig()
	config.Clusters["mini-hpa"] = &api.Cluster{Server: c.url(c.ports.api), CertificateAuthorityData: c.authority.encoded()}
	config.AuthInfos[user] = &api.AuthInfo{ClientCertificateData: identity.certificate, ClientKeyData: identity.key}
	config.Contexts["mini-hpa"] = &api.Context{Cluster: "mini-hpa", AuthInfo: user}
	config.CurrentContext = "mini-hpa"
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		return fmt.Errorf("write the kubeconfig of %q: %w", user, err)
	}
	return nil
}

// writeKubeconfigs gives every component a name of its own, so that the audit log tells them apart.
func (c *Cluster) writeKubeconfigs() error {
	for _, component := range []Component{ControllerManager, Scheduler, KWOK} {
		if err := c.writeKubeconfig(c.componentKubeconfig(component), "system:"+string(component), adminGroup); err != nil {
			return err
		}
	}
	if err := c.writeKubeconfig(c.Kubeconfig(), "mini-hpa-test-admin", adminGroup); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
	if err != nil {
		return fmt.Errorf("read the kubeconfig back: %w", err)
	}
	config.QPS, config.Burst = clientQPS, clientBurst
	c.admin = config
	return nil
}
