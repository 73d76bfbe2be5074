//go:build linux

package machine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
)

// ctrArgs are common to all calls of containerd's client; the kubelet's images are in the namespace k8s.io.
func ctrArgs(args ...string) []string {
	return append([]string{"--address=" + socket, "--namespace=k8s.io"}, args...)
}

func (m *Machine) startContainerd(ctx context.Context) error {
	if _, err := m.settings.write("pods.conflist"); err != nil {
		return err
	}
	config, err := m.settings.write("containerd.toml")
	if err != nil {
		return err
	}
	p, err := m.spawn("containerd", "--config="+config)
	if err != nil {
		return err
	}
	ready := func(ctx context.Context) error { return run(ctx, "ctr", ctrArgs("version")...) }
	if err := p.await(ctx, "containerd", ready); err != nil {
		return err
	}
	return m.importImages(ctx)
}

func (m *Machine) importImages(ctx context.Context) error {
	archives, err := filepath.Glob(filepath.Join(m.dir, imagesDir, "*.tar"))
	if err != nil || len(archives) == 0 {
		return errors.Join(errors.New("there are no images: they are built before the sandbox starts"), err)
	}
	for _, archive := range archives {
		if err := run(ctx, "ctr", ctrArgs("images", "import", archive)...); err != nil {
			return fmt.Errorf("import an image: %w", err)
		}
	}
	return nil
}
