package chart

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	action3 "helm.sh/helm/v3/pkg/action"
	loader3 "helm.sh/helm/v3/pkg/chart/loader"
	action4 "helm.sh/helm/v4/pkg/action"
	loader4 "helm.sh/helm/v4/pkg/chart/loader"
	"helm.sh/helm/v4/pkg/kube"
	"k8s.io/cli-runtime/pkg/genericclioptions"
)

const (
	release = "mini-hpa"
	// home is the release's namespace.
	home = "mini-hpa"
	// patience bounds every wait. It is no assertion: what is waited for comes at once or never.
	patience = 2 * time.Minute
)

// chartPath is the chart under test.
var chartPath = filepath.Join("..", "..", "charts", "mini-hpa")

// helm is what a user does with a release, whatever the version of Helm, and waits for it as --wait does.
type helm interface {
	install(values map[string]any) error
	upgrade(values map[string]any) error
	rollback(revision int) error
	uninstall() error
}

// helms are the versions in use. Helm 4 applies on the server's side by default, Helm 3 merges on its own.
func helms() map[string]func(*testing.T, string, target) helm {
	return map[string]func(*testing.T, string, target) helm{"Helm 3": newHelm3, "Helm 4": newHelm4}
}

// target is a release.
type target struct{ chart, release, namespace string }

// product is the release of mini-hpa.
func product() target { return target{chartPath, release, home} }

// complete are values with what the chart cannot be installed without.
func (t target) complete(values map[string]any) map[string]any {
	if t.chart != chartPath {
		return values
	}
	return withImage(values)
}

func (t target) getter(kubeconfig string) *genericclioptions.ConfigFlags {
	flags := genericclioptions.NewConfigFlags(true)
	flags.KubeConfig, flags.Namespace = &kubeconfig, &t.namespace
	return flags
}

type helm3 struct {
	target
	ctx    context.Context
	config *action3.Configuration
}

func newHelm3(t *testing.T, kubeconfig string, to target) helm {
	t.Helper()
	config := &action3.Configuration{}
	if err := config.Init(to.getter(kubeconfig), to.namespace, "secret", t.Logf); err != nil {
		t.Fatal(err)
	}
	return &helm3{to, t.Context(), config}
}

func (h *helm3) install(values map[string]any) error {
	chart, err := loader3.Load(h.chart)
	if err != nil {
		return err
	}
	install := action3.NewInstall(h.config)
	install.ReleaseName, install.Namespace, install.Wait, install.Timeout = h.release, h.namespace, true, patience
	_, err = install.RunWithContext(h.ctx, chart, h.complete(values))
	return err
}

func (h *helm3) upgrade(values map[string]any) error {
	chart, err := loader3.Load(h.chart)
	if err != nil {
		return err
	}
	upgrade := action3.NewUpgrade(h.config)
	upgrade.Namespace, upgrade.Wait, upgrade.Timeout = h.namespace, true, patience
	_, err = upgrade.RunWithContext(h.ctx, h.release, chart, h.complete(values))
	return err
}

func (h *helm3) rollback(revision int) error {
	rollback := action3.NewRollback(h.config)
	rollback.Version, rollback.Wait, rollback.Timeout = revision, true, patience
	return rollback.Run(h.release)
}

func (h *helm3) uninstall() error {
	uninstall := action3.NewUninstall(h.config)
	uninstall.Wait, uninstall.Timeout = true, patience
	_, err := uninstall.Run(h.release)
	return err
}

type helm4 struct {
	target
	ctx        context.Context
	config     *action4.Configuration
	serverSide string // of an upgrade: true, false or auto (as the release was installed)
}

func newHelm4(t *testing.T, kubeconfig string, to target) helm {
	t.Helper()
	config := action4.NewConfiguration()
	if err := config.Init(to.getter(kubeconfig), to.namespace, "secret"); err != nil {
		t.Fatal(err)
	}
	return &helm4{to, t.Context(), config, "auto"}
}

func (h *helm4) install(values map[string]any) error {
	chart, err := loader4.Load(h.chart)
	if err != nil {
		return err
	}
	install := action4.NewInstall(h.config)
	install.ReleaseName, install.Namespace, install.WaitStrategy, install.Timeout = h.release, h.namespace, kube.StatusWatcherStrategy, patience
	_, err = install.RunWithContext(h.ctx, chart, h.complete(values))
	return err
}

func (h *helm4) upgrade(values map[string]any) error {
	chart, err := loader4.Load(h.chart)
	if err != nil {
		return err
	}
	upgrade := action4.NewUpgrade(h.config)
	upgrade.ServerSideApply, upgrade.Namespace, upgrade.WaitStrategy, upgrade.Timeout = h.serverSide, h.namespace, kube.StatusWatcherStrategy, patience
	_, err = upgrade.RunWithContext(h.ctx, h.release, chart, h.complete(values))
	return err
}

func (h *helm4) rollback(revision int) error {
	rollback := action4.NewRollback(h.config)
	rollback.Version, rollback.WaitStrategy, rollback.Timeout = revision, kube.StatusWatcherStrategy, patience
	return rollback.Run(h.release)
}

func (h *helm4) uninstall() error {
	uninstall := action4.NewUninstall(h.config)
	uninstall.WaitStrategy, uninstall.Timeout = kube.StatusWatcherStrategy, patience
	_, err := uninstall.Run(h.release)
	return err
}
