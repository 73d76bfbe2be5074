package image

import (
	"archive/tar"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Annotations that carry the name in index.json, as BuildKit writes them: the specification's has the tag, for skopeo, and
// containerd's the whole name, for `ctr images import`, `docker load` and `podman load`.
const (
	annotationTag  = "org.opencontainers.image.ref.name"
	annotationName = "io.containerd.image.name"
)

// archive is the files of an OCI layout by their path, https://github.com/opencontainers/image-spec/blob/main/image-layout.md.
type archive map[string][]byte

func digest(content []byte) v1.Hash {
	sum := sha256.Sum256(content)
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])}
}

func blobPath(digest v1.Hash) string { return "blobs/" + digest.Algorithm + "/" + digest.Hex }

func (a archive) add(kind types.MediaType, content []byte) v1.Descriptor {
	blob := v1.Descriptor{MediaType: kind, Size: int64(len(content)), Digest: digest(content)}
	a[blobPath(blob.Digest)] = content
	return blob
}

func (a archive) addJSON(kind types.MediaType, value any) (v1.Descriptor, error) {
	content, err := json.Marshal(value)
	if err != nil {
		return v1.Descriptor{}, fmt.Errorf("encode %s: %w", kind, err)
	}
	return a.add(kind, content), nil
}

// addRoot adds what a name stands for, which it returns: an index of the images, or the only one. It also adds the files that say so.
func (a archive) addRoot(tag name.Tag, annotations map[string]string, all []built) (v1.Descriptor, error) {
	root := all[0].descriptor
	if len(all) > 1 {
		index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Annotations: annotations}
		for _, one := range all {
			index.Manifests = append(index.Manifests, one.descriptor)
		}
		var err error
		if root, err = a.addJSON(index.MediaType, index); err != nil {
			return v1.Descriptor{}, err
		}
	}
	root.Annotations = map[string]string{annotationTag: tag.TagStr(), annotationName: tag.Name()}
	return root, a.addEntrances(tag, root, all[0].manifest)
}

// addEntrances adds the files that a reader begins with. Docker's classic store knows no indexes: it gets the first platform.
func (a archive) addEntrances(tag name.Tag, root v1.Descriptor, first v1.Manifest) error {
	image := tarball.Descriptor{Config: blobPath(first.Config.Digest), RepoTags: []string{tag.Name()}}
	for _, layer := range first.Layers {
		image.Layers = append(image.Layers, blobPath(layer.Digest))
	}
	for path, value := range map[string]any{
		"oci-layout":    map[string]string{"imageLayoutVersion": "1.0.0"},
		"index.json":    v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{root}},
		"manifest.json": tarball.Manifest{image},
	} {
		content, err := json.Marshal(value)
		if err != nil {
			return fmt.Errorf("encode %s: %w", path, err)
		}
		a[path] = content
	}
	return nil
}

// save writes the files as a tar file, in the order of their names and without times, and returns its size in bytes. Whoever
// reads the path meanwhile finds the old file or the new one.
func (a archive) save(path string) (int64, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return 0, fmt.Errorf("%s is not a regular file", path)
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return 0, err
	}
	// Renamed, it is gone already.
	defer func() { _ = os.Remove(file.Name()) }()
	err = errors.Join(a.writeTo(tar.NewWriter(file)), file.Chmod(0o644))
	info, statErr := file.Stat()
	if err := cmp.Or(err, statErr, file.Close()); err != nil {
		return 0, err
	}
	return info.Size(), os.Rename(file.Name(), path)
}

func (a archive) writeTo(w *tar.Writer) error {
	epoch := time.Unix(0, 0).UTC()
	for _, folder := range []string{"blobs/", "blobs/sha256/"} {
		if err := w.WriteHeader(header(folder, 0, epoch)); err != nil {
			return err
		}
	}
	for _, path := range slices.Sorted(maps.Keys(a)) {
		if err := writeFile(w, header(path, 0o644, epoch), a[path]); err != nil {
			return err
		}
	}
	return w.Close()
}
