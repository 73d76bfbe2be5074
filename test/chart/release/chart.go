package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"helm.sh/helm/v4/pkg/chart/v2/util"

	"github.com/mini-hpa/mini-hpa/test/chart/publish"
)

// chart adds the chart, which then knows its image, and manifests for those without Helm. It returns the name of the chart's file.
func (o options) chart(out folder, digest string) (string, error) {
	loaded, err := publish.Load(filepath.Join(o.Root, "charts", "mini-hpa"), digest)
	if err != nil {
		return "", err
	}
	if o.snapshot {
		loaded.Metadata.AppVersion, loaded.Metadata.Version = o.Version, strings.TrimPrefix(o.Version, "v")
	}
	loaded.StampModTimes(out.at)
	file, err := util.Save(loaded, out.path)
	if err != nil {
		return "", fmt.Errorf("package the chart: %w", err)
	}
	manifests, err := publish.Manifests(loaded)
	if err != nil {
		return "", fmt.Errorf("render the chart: %w", err)
	}
	if err := out.write("install.yaml", manifests); err != nil {
		return "", err
	}
	return filepath.Base(file), o.kustomize(out)
}

// kustomize adds a base: the manifests, with the file that makes them one.
func (o options) kustomize(out folder) error {
	aside, err := os.MkdirTemp("", "mini-hpa-kustomize-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(aside) }()
	base := filepath.Join(aside, "kustomization.yaml")
	if err := os.WriteFile(base, []byte(publish.Kustomization), 0o600); err != nil {
		return err
	}
	return out.tar("mini-hpa_kustomize.tar.gz", filepath.Join(out.path, "install.yaml"), base)
}
