// Package image writes container images without a container engine: one static binary and texts about it, as in FROM scratch, for one or several
// platforms. The file is an OCI archive that is at the same time one of `docker save`:
//
//	index.json ── name ──> image index ──┬─ linux/amd64 ──> manifest ──> config, layer with the binary
//	                                     └─ linux/arm64 ──> manifest ──> config, layer with the binary
//	manifest.json ── name ───────────────── the first of them, for docker load with its classic image store
//
// It is read by `docker load`, `podman load`, `ctr -n k8s.io images import`, `skopeo copy oci-archive:FILE` and `kind load
// image-archive`. The same inputs give the same bytes with the same release of Go.
package image

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
)

// Spec is what an image holds and how it starts.
type Spec struct {
	// Binaries maps a platform of Platforms ("linux/amd64") to the file of a static binary for it.
	Binaries map[string]string
	// Path is where the binary is in the image, absolute: "/mini-hpa".
	Path string
	// Texts are files that everybody may read: they are in the image's root, by the names that they have.
	Texts []string
	// User is who runs it, "UID:GID" or "UID"; Kubernetes verifies runAsNonRoot by numbers only. "" = root.
	User string
	// Entrypoint and Cmd are those of the image's configuration; no Entrypoint = Path.
	Entrypoint, Cmd []string
	// Labels are the configuration's labels and, since registries show those, annotations of all manifests.
	Labels map[string]string
	// Created is the time of the image and of the files in it, in whole seconds; the zero value = 1970-01-01.
	Created time.Time
}

// Result is what Write wrote.
type Result struct {
	// Name is the image's full name with its tag.
	Name string
	// Digest ("sha256:...") is that of what the name stands for: the index, or with one platform its manifest.
	Digest string
	// Size is that of the archive in bytes.
	Size int64
	// Images are the platforms' images in the order of their names.
	Images []Image
}

// Image is one platform's part of a Result.
type Image struct {
	// Platform is the key in Spec.Binaries.
	Platform string
	// Digest ("sha256:...") is that of the manifest.
	Digest string
	// Size is what has to be pulled, in bytes: the manifest, the configuration and the compressed layer.
	Size int64
}

// Write writes the image to the file path; what is there is replaced, or kept if something fails. The name has a registry and
// a tag, as in "ghcr.io/mini-hpa/mini-hpa:v0.1.0" or "localhost/pause:1": a shorter one means different images to different
// tools. It returns an error if the name or the specification is not valid, if a binary cannot be read or would not run on
// its platform without a C library, or if the file cannot be written.
func Write(path, name string, spec Spec) (Result, error) {
	result, err := write(path, name, spec)
	if err != nil {
		return Result{}, fmt.Errorf("write the image %q: %w", name, err)
	}
	return result, nil
}

func write(path, fullName string, spec Spec) (Result, error) {
	tag, err := name.NewTag(fullName, name.StrictValidation)
	if err != nil {
		return Result{}, fmt.Errorf("its name is not REGISTRY/REPOSITORY:TAG: %w", err)
	}
	if err := spec.check(); err != nil {
		return Result{}, err
	}
	files := archive{}
	var all []built
	for _, platform := range slices.Sorted(maps.Keys(spec.Binaries)) {
		one, err := spec.build(files, platform)
		if err != nil {
			return Result{}, fmt.Errorf("for %s: %w", platform, err)
		}
		all = append(all, one)
	}
	root, err := files.addRoot(tag, spec.Labels, all)
	if err != nil {
		return Result{}, err
	}
	size, err := files.save(path)
	if err != nil {
		return Result{}, err
	}
	return Result{Name: tag.Name(), Digest: root.Digest.String(), Size: size, Images: summarize(all)}, nil
}

func summarize(all []built) []Image {
	var images []Image
	for _, one := range all {
		size := one.descriptor.Size + one.manifest.Config.Size
		for _, layer := range one.manifest.Layers {
			size += layer.Size
		}
		images = append(images, Image{Platform: one.descriptor.Platform.String(), Digest: one.descriptor.Digest.String(), Size: size})
	}
	return images
}
