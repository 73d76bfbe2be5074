package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// built is one platform's image: its manifest and what an index says about that.
type built struct {
	manifest   v1.Manifest
	descriptor v1.Descriptor
}

// build adds a platform's layer, configuration and manifest to the files.
func (s Spec) build(files archive, platform string) (built, error) {
	content, err := s.layer(s.Binaries[platform])
	if err != nil {
		return built{}, err
	}
	compressed, err := compress(content)
	if err != nil {
		return built{}, err
	}
	config, err := files.addJSON(types.OCIConfigJSON, s.configuration(platform, digest(content)))
	if err != nil {
		return built{}, err
	}
	manifest := v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Annotations: s.Labels,
		Config: config, Layers: []v1.Descriptor{files.add(types.OCILayer, compressed)},
	}
	descriptor, err := files.addJSON(manifest.MediaType, manifest)
	if err != nil {
		return built{}, err
	}
	descriptor.Platform, err = v1.ParsePlatform(platform)
	return built{manifest: manifest, descriptor: descriptor}, err
}

func (s Spec) configuration(platform string, layer v1.Hash) v1.ConfigFile {
	system, architecture, _ := strings.Cut(platform, "/")
	entrypoint := s.Entrypoint
	if len(entrypoint) == 0 {
		entrypoint = []string{s.Path}
	}
	created := v1.Time{Time: s.created()}
	return v1.ConfigFile{
		OS: system, Architecture: architecture, Created: created,
		RootFS:  v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{layer}},
		History: []v1.History{{Created: created, CreatedBy: "COPY " + s.Path}},
		Config:  v1.Config{User: s.User, Entrypoint: entrypoint, Cmd: s.Cmd, Labels: s.Labels, WorkingDir: "/"},
	}
}

// created has whole seconds, as the header of a file in the layer.
func (s Spec) created() time.Time {
	if s.Created.IsZero() {
		return time.Unix(0, 0).UTC()
	}
	return s.Created.UTC().Truncate(time.Second)
}

// layer returns a tar file of the binary, the folders above it, and the texts.
func (s Spec) layer(file string) ([]byte, error) {
	binary, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var folders []string
	for folder := path.Dir(s.Path); folder != "/"; folder = path.Dir(folder) {
		folders = append(folders, strings.TrimPrefix(folder, "/")+"/")
	}
	var content bytes.Buffer
	w := tar.NewWriter(&content)
	for _, folder := range slices.Backward(folders) {
		if err := w.WriteHeader(header(folder, 0, s.created())); err != nil {
			return nil, err
		}
	}
	if err := writeFile(w, header(strings.TrimPrefix(s.Path, "/"), 0o755, s.created()), binary); err != nil {
		return nil, err
	}
	for _, file := range s.Texts {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if err := writeFile(w, header(filepath.Base(file), 0o644, s.created()), text); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return content.Bytes(), nil
}

func writeFile(w *tar.Writer, header *tar.Header, content []byte) error {
	header.Size = int64(len(content))
	if err := w.WriteHeader(header); err != nil {
		return err
	}
	_, err := w.Write(content)
	return err
}

// header is that of a file of root, or of a folder if the name ends with a slash, which everybody may enter.
func header(name string, mode int64, at time.Time) *tar.Header {
	if strings.HasSuffix(name, "/") {
		return &tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755, ModTime: at, Format: tar.FormatUSTAR}
	}
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, ModTime: at, Format: tar.FormatUSTAR}
}

func compress(content []byte) ([]byte, error) {
	var compressed bytes.Buffer
	w := gzip.NewWriter(&compressed)
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return compressed.Bytes(), nil
}
