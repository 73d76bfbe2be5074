package image

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

const fullName = "ghcr.io/mini-hpa/mini-hpa:v0.1.0"

var created = time.Date(2026, 1, 2, 3, 4, 5, 678, time.FixedZone("CET", 3600))

func TestAnArchiveIsReadBackAsTheImageOfEachPlatform(t *testing.T) {
	t.Parallel()
	spec := specification(t)
	path, result := mustWrite(t, fullName, spec)
	entrance := readLayout(t, path)
	if len(entrance.Manifests) != 1 {
		t.Fatalf("index.json has %d manifests, not the one that the name stands for", len(entrance.Manifests))
	}
	root := entrance.Manifests[0]
	want := map[string]string{"org.opencontainers.image.ref.name": "v0.1.0", "io.containerd.image.name": fullName}
	if diff := cmp.Diff(want, root.Annotations); diff != "" {
		t.Errorf("annotations in index.json (-want +got):\n%s", diff)
	}
	if result.Name != fullName || result.Digest != root.Digest.String() || root.MediaType != types.OCIImageIndex {
		t.Errorf("the result is %s %s, the archive has %s of %s", result.Name, result.Digest, root.Digest, root.MediaType)
	}
	index := readIndex(t, path, root.Digest)
	manifest := must(index.IndexManifest())(t)
	if diff := cmp.Diff(spec.Labels, manifest.Annotations); diff != "" {
		t.Errorf("annotations of the index (-want +got):\n%s", diff)
	}
	var platforms []string
	for i, descriptor := range manifest.Manifests {
		platforms = append(platforms, descriptor.Platform.String())
		if got := result.Images[i]; got.Digest != descriptor.Digest.String() || got.Platform != descriptor.Platform.String() {
			t.Errorf("the result has %+v, the index %s for %s", got, descriptor.Digest, descriptor.Platform)
		}
		checkImage(t, must(index.Image(descriptor.Digest))(t), spec, descriptor.Platform.String())
	}
	if diff := cmp.Diff([]string{"linux/amd64", "linux/arm64"}, platforms); diff != "" {
		t.Errorf("platforms (-want +got):\n%s", diff)
	}
	if size := must(os.Stat(path))(t).Size(); size != result.Size {
		t.Errorf("the result has %d bytes, the file %d", result.Size, size)
	}
}

// checkImage holds an image to what it was made from.
func checkImage(t *testing.T, image v1.Image, spec Spec, platform string) {
	t.Helper()
	if err := validate.Image(image); err != nil {
		t.Error(err)
	}
	config := must(image.ConfigFile())(t)
	if got := config.OS + "/" + config.Architecture; got != platform {
		t.Errorf("the configuration of %s says %s", platform, got)
	}
	if want := created.Truncate(time.Second); !config.Created.Equal(want) {
		t.Errorf("created at %s, want %s", config.Created, want)
	}
	want := v1.Config{
		User: spec.User, Entrypoint: spec.Entrypoint, Cmd: spec.Cmd, Labels: spec.Labels, WorkingDir: "/",
	}
	if diff := cmp.Diff(want, config.Config); diff != "" {
		t.Errorf("configuration of %s (-want +got):\n%s", platform, diff)
	}
	if diff := cmp.Diff(spec.Labels, must(image.Manifest())(t).Annotations); diff != "" {
		t.Errorf("annotations of %s (-want +got):\n%s", platform, diff)
	}
	binary := must(os.ReadFile(spec.Binaries[platform]))(t)
	checkLayers(t, must(image.Layers())(t), map[string][]byte{"opt/": nil, "opt/bin/": nil, "opt/bin/mini-hpa": binary, "NOTICE": []byte("whose it is")})
}

func checkLayers(t *testing.T, layers []v1.Layer, want map[string][]byte) {
	t.Helper()
	if len(layers) != 1 {
		t.Fatalf("%d layers, want one", len(layers))
	}
	content := must(io.ReadAll(must(layers[0].Uncompressed())(t)))(t)
	// Go reads a file without them too; other programs do not.
	if !bytes.HasSuffix(content, make([]byte, 1024)) || len(content)%512 != 0 {
		t.Errorf("the layer's %d bytes do not end with two empty blocks", len(content))
	}
	got := map[string][]byte{}
	files := tar.NewReader(bytes.NewReader(content))
	for {
		file, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		mode := int64(0o755)
		if file.Name == "NOTICE" {
			mode = 0o644
		}
		if file.Mode != mode || file.Uid != 0 || file.Gid != 0 || !file.ModTime.Equal(created.Truncate(time.Second)) {
			t.Errorf("%s has mode %o, owner %d:%d and time %s", file.Name, file.Mode, file.Uid, file.Gid, file.ModTime)
		}
		content := must(io.ReadAll(files))(t)
		got[file.Name] = append([]byte(nil), content...)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files in the layer (-want +got):\n%s", diff)
	}
}

func TestTheNameOfAnImageForOnePlatformStandsForItsManifest(t *testing.T) {
	t.Parallel()
	spec := specification(t)
	delete(spec.Binaries, "linux/amd64")
	spec.Created, spec.Entrypoint = time.Time{}, nil
	path, result := mustWrite(t, "localhost/pause:1", spec)
	root := readLayout(t, path).Manifests[0]
	if root.MediaType != types.OCIManifestSchema1 || root.Digest.String() != result.Digest || root.Platform.String() != "linux/arm64" {
		t.Errorf("index.json names %+v, the result is %+v", root, result)
	}
	image := must(tarball.ImageFromPath(path, nil))(t)
	config := must(image.ConfigFile())(t)
	if !config.Created.Equal(time.Unix(0, 0)) || !slices.Equal(config.Config.Entrypoint, []string{spec.Path}) {
		t.Errorf("without Created and Entrypoint the image has %s and %q", config.Created, config.Config.Entrypoint)
	}
}

func TestDockerLoadFindsTheFirstPlatform(t *testing.T) {
	t.Parallel()
	spec := specification(t)
	path, _ := mustWrite(t, fullName, spec)
	tag := must(name.NewTag(fullName))(t)
	for _, named := range []*name.Tag{nil, &tag} {
		image, err := tarball.ImageFromPath(path, named)
		if err != nil {
			t.Fatal(err)
		}
		config := must(image.ConfigFile())(t)
		if config.Architecture != "amd64" {
			t.Errorf("manifest.json has the image for %s", config.Architecture)
		}
		checkLayers(t, must(image.Layers())(t), map[string][]byte{
			"opt/": nil, "opt/bin/": nil, "opt/bin/mini-hpa": must(os.ReadFile(spec.Binaries["linux/amd64"]))(t), "NOTICE": []byte("whose it is"),
		})
	}
}

func TestTheSameInputsGiveTheSameBytes(t *testing.T) {
	t.Parallel()
	one, two := specification(t), specification(t)
	for _, file := range two.Binaries {
		if err := os.Chtimes(file, time.Unix(1, 0), time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
	}
	first, result := mustWrite(t, fullName, one)
	second, _ := mustWrite(t, fullName, two)
	if !bytes.Equal(must(os.ReadFile(first))(t), must(os.ReadFile(second))(t)) {
		t.Error("two archives of the same inputs differ")
	}
	changes := map[string]func(*Spec){
		"another binary": func(s *Spec) { s.Binaries["linux/arm64"] = executable(t, elf.EM_AARCH64, elf.PT_NULL) },
		"another user":   func(s *Spec) { s.User = "1000" },
		"another time":   func(s *Spec) { s.Created = s.Created.Add(time.Second) },
		"another label":  func(s *Spec) { s.Labels = map[string]string{"a": "c"} },
		"another text":   func(s *Spec) { s.Texts = nil },
		"another path":   func(s *Spec) { s.Path = "/mini-hpa" },
	}
	for name, change := range changes {
		other := specification(t)
		change(&other)
		if _, changed := mustWrite(t, fullName, other); changed.Digest == result.Digest {
			t.Errorf("%s does not change the digest", name)
		}
	}
}

func TestAnImageThatCannotRunIsRefused(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		name   string
		change func(*Spec)
		want   []string
	}{
		"the name has no tag":         {name: "ghcr.io/mini-hpa/mini-hpa", want: []string{"REGISTRY/REPOSITORY:TAG", `"ghcr.io/mini-hpa/mini-hpa"`}},
		"the name has no registry":    {name: "mini-hpa:v1", want: []string{"REGISTRY/REPOSITORY:TAG"}},
		"the name is empty":           {name: "", want: []string{"REGISTRY/REPOSITORY:TAG"}},
		"the tag has a plus sign":     {name: "ghcr.io/mini-hpa/mini-hpa:v1+2", want: []string{"REGISTRY/REPOSITORY:TAG", "v1+2"}},
		"the name has capitals":       {name: "ghcr.io/Mini-HPA/mini-hpa:v1", want: []string{"REGISTRY/REPOSITORY:TAG"}},
		"there is no binary":          {change: func(s *Spec) { s.Binaries = nil }, want: []string{"no binary"}},
		"the path is relative":        {change: func(s *Spec) { s.Path = "mini-hpa" }, want: []string{`Path "mini-hpa"`, `"/mini-hpa"`}},
		"the path is the root":        {change: func(s *Spec) { s.Path = "/" }, want: []string{`Path "/"`}},
		"the path leaves its folder":  {change: func(s *Spec) { s.Path = "/a/../b" }, want: []string{`Path "/a/../b"`}},
		"the path is empty":           {change: func(s *Spec) { s.Path = "" }, want: []string{`Path ""`}},
		"the platform is unknown":     {change: onlyBinary("windows/amd64", "x"), want: []string{`platform "windows/amd64"`, "linux/amd64, linux/arm64"}},
		"the platform is empty":       {change: onlyBinary("", "x"), want: []string{`platform ""`}},
		"the binary is missing":       {change: onlyBinary("linux/amd64", "/nowhere/x"), want: []string{"/nowhere/x", "no such file"}},
		"the binary is a script":      {change: onlyBinary("linux/amd64", script(t)), want: []string{"binary for linux/amd64", "cannot be read as a Linux binary"}},
		"the binary is for another":   {change: onlyBinary("linux/arm64", executable(t, elf.EM_X86_64, elf.PT_LOAD)), want: []string{"EM_X86_64", "EM_AARCH64"}},
		"the binary needs a C loader": {change: onlyBinary("linux/amd64", executable(t, elf.EM_X86_64, elf.PT_INTERP)), want: []string{"dynamic loader", "CGO_ENABLED=0"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec, folder := specification(t), t.TempDir()
			fullName := test.name
			if test.change != nil {
				fullName = "ghcr.io/mini-hpa/mini-hpa:v0.1.0"
				test.change(&spec)
			}
			_, err := Write(filepath.Join(folder, "image.tar"), fullName, spec)
			if err == nil {
				t.Fatal("it was written")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if left := must(os.ReadDir(folder))(t); len(left) > 0 {
				t.Errorf("%s was left behind", left[0].Name())
			}
		})
	}
}

func TestAFileThatCannotBeReplacedStays(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for path, want := range map[string]string{folder: "not a regular file", filepath.Join(folder, "none", "image.tar"): "no such file"} {
		if _, err := Write(path, fullName, specification(t)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error that says %q", path, err, want)
		}
	}
	if left := must(os.ReadDir(folder))(t); len(left) > 0 {
		t.Errorf("%s was left behind", left[0].Name())
	}
}

func TestAnOlderArchiveIsReplaced(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "image.tar")
	if err := os.WriteFile(path, bytes.Repeat([]byte("old"), 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(path, fullName, specification(t)); err != nil {
		t.Fatal(err)
	}
	must(tarball.ImageFromPath(path, nil))(t)
}

func TestAnOlderArchiveIsKeptIfNoNewOneCanBeWritten(t *testing.T) {
	t.Parallel()
	// The temporary file beside it would have a longer name than file systems allow.
	longest := strings.Repeat("i", 250)
	tests := map[string]struct {
		file, name string
		change     func(*Spec)
	}{
		"its name is wrong":              {file: "image.tar", name: "mini-hpa"},
		"there is no binary":             {file: "image.tar", name: fullName, change: func(s *Spec) { s.Binaries = nil }},
		"the last binary is missing":     {file: "image.tar", name: fullName, change: func(s *Spec) { s.Binaries["linux/arm64"] = "/nowhere/x" }},
		"there can be no file beside it": {file: longest, name: fullName},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder, old, spec := t.TempDir(), bytes.Repeat([]byte("old"), 1<<10), specification(t)
			path := filepath.Join(folder, test.file)
			if err := os.WriteFile(path, old, 0o600); err != nil {
				t.Fatal(err)
			}
			if test.change != nil {
				test.change(&spec)
			}
			if _, err := Write(path, test.name, spec); err == nil {
				t.Fatal("it was written")
			}
			if kept := must(os.ReadFile(path))(t); !bytes.Equal(kept, old) {
				t.Errorf("of %d bytes %d are left, or others", len(old), len(kept))
			}
			if left := must(os.ReadDir(folder))(t); len(left) != 1 {
				t.Errorf("%d files are there, want the old one alone", len(left))
			}
		})
	}
}

// specification has binaries of their own for two platforms.
func specification(t *testing.T) Spec {
	return Spec{
		Binaries: map[string]string{
			"linux/amd64": executable(t, elf.EM_X86_64, elf.PT_LOAD), "linux/arm64": executable(t, elf.EM_AARCH64, elf.PT_LOAD),
		},
		Path: "/opt/bin/mini-hpa", Texts: []string{text(t, "NOTICE", "whose it is")}, User: "65532:65532",
		Entrypoint: []string{"/opt/bin/mini-hpa"}, Cmd: []string{"controller"},
		Labels: map[string]string{"org.opencontainers.image.title": "mini-hpa"}, Created: created,
	}
}

// text is a file of that name.
func text(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// executable is a file with the least that a Linux binary has: a header and one segment.
func executable(t *testing.T, machine elf.Machine, segment elf.ProgType) string {
	t.Helper()
	const headerSize, segmentSize = 64, 56
	header := elf.Header64{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_EXEC), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT),
		Ehsize: headerSize, Phoff: headerSize, Phentsize: segmentSize, Phnum: 1, Shentsize: 64,
	}
	var content bytes.Buffer
	for _, part := range []any{header, elf.Prog64{Type: uint32(segment)}} {
		if err := binary.Write(&content, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	return file(t, content.Bytes())
}

func script(t *testing.T) string { return file(t, []byte("#!/bin/sh\n")) }

func file(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "binary")
	if err := os.WriteFile(path, content, 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func onlyBinary(platform, file string) func(*Spec) {
	return func(s *Spec) { s.Binaries = map[string]string{platform: file} }
}

func mustWrite(t *testing.T, name string, spec Spec) (string, Result) {
	t.Helper()
	before := maps.Clone(spec.Binaries)
	path := filepath.Join(t.TempDir(), "image.tar")
	result, err := Write(path, name, spec)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, spec.Binaries); diff != "" {
		t.Errorf("Write changed its argument:\n%s", diff)
	}
	return path, result
}

// unpack is what tools do with an OCI archive.
func unpack(t *testing.T, path string) string {
	t.Helper()
	file := must(os.Open(path))(t)
	defer file.Close()
	folder := t.TempDir()
	files := tar.NewReader(file)
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return folder
		}
		if err != nil {
			t.Fatal(err)
		}
		target := filepath.Join(folder, header.Name)
		if header.Typeflag == tar.TypeDir {
			err = os.Mkdir(target, 0o700)
		} else {
			err = os.WriteFile(target, must(io.ReadAll(files))(t), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func readLayout(t *testing.T, path string) *v1.IndexManifest {
	t.Helper()
	entrance := must(layout.ImageIndexFromPath(unpack(t, path)))(t)
	return must(entrance.IndexManifest())(t)
}

func readIndex(t *testing.T, path string, digest v1.Hash) v1.ImageIndex {
	t.Helper()
	entrance := must(layout.ImageIndexFromPath(unpack(t, path)))(t)
	index := must(entrance.ImageIndex(digest))(t)
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	return index
}

// must ends the test at an error.
func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}
