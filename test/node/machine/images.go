//go:build linux

package machine

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/mini-hpa/mini-hpa/test/controlplane/binaries"
	"github.com/mini-hpa/mini-hpa/test/image"
)

// The images on the node beside the product's. The registry does not exist, so that nothing can be pulled by mistake.
const (
	nowhere       = "mini-hpa.invalid/"
	tag           = "node"
	BurnerImage   = nowhere + "burner:" + tag   // serves HTTP and burns CPU as the requests say
	ConsumerImage = nowhere + "consumer:" + tag // works on a queue of RabbitMQ
	AnswererImage = nowhere + "answerer:" + tag // serves requests of five kinds
	pauseImage    = nowhere + "pause:" + tag    // holds a pod's namespaces
	metricsServer = "metrics-server"            // also the name of its program and its objects
	metricsImage  = nowhere + metricsServer + ":" + tag
	nobody        = "65532:65532" // the same user as in the product's own image
	imagesDir     = "images"
)

// Patch changes a file of the product, so that it shows what a part of it is for.
type Patch struct {
	// File is its path in the module; Old is the text in it, once, in whose place New is put.
	File, Old, New string
}

// overlay writes what the patched files become, and the list of them that the go command reads; "" if there are none.
func overlay(root, dir string, patches []Patch) (string, error) {
	if len(patches) == 0 {
		return "", nil
	}
	texts := map[string]string{}
	for _, p := range patches {
		path := filepath.Join(root, p.File)
		if texts[path] == "" {
			text, err := os.ReadFile(path)
			if err != nil {
				return "", fmt.Errorf("read what is to be patched: %w", err)
			}
			texts[path] = string(text)
		}
		if n := strings.Count(texts[path], p.Old); n != 1 {
			return "", fmt.Errorf("patch %s: %q is there %d times, want once", p.File, p.Old, n)
		}
		texts[path] = strings.Replace(texts[path], p.Old, p.New, 1)
	}
	replaced := map[string]string{}
	for path, text := range texts {
		replaced[path] = filepath.Join(dir, fmt.Sprintf("patched-%d.go", len(replaced)))
		if err := os.WriteFile(replaced[path], []byte(text), 0o600); err != nil {
			return "", fmt.Errorf("write what is patched: %w", err)
		}
	}
	list, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		return "", fmt.Errorf("list what is patched: %w", err)
	}
	name := filepath.Join(dir, "overlay.json")
	return name, os.WriteFile(name, list, 0o600)
}

// recipe is an image and the Go program in it, of the tests' module; a program that is there already has a file instead.
type recipe struct{ name, pkg, file string }

// Images are those of the node. Root is the directory of the product's module, of which Patches change a copy, and Dir that of the sandbox.
type Images struct {
	Root, Dir string
	Files     binaries.Files
	Patches   []Patch
}

// Build writes the archives of all images, the programs in them, and the chart into the directory of the sandbox, which needs the go command and is
// therefore done before the sandbox starts.
func (i *Images) Build(ctx context.Context, out io.Writer) error {
	if err := os.MkdirAll(filepath.Join(i.Dir, imagesDir), 0o755); err != nil {
		return fmt.Errorf("make the directory of the images: %w", err)
	}
	for _, r := range []recipe{
		{name: pauseImage, pkg: "./node/pause"},
		{name: BurnerImage, pkg: "./node/burner"},
		{name: ConsumerImage, pkg: "./node/consumer"},
		{name: AnswererImage, pkg: "./node/answerer"},
		{name: metricsImage, file: i.Files[metricsServer]},
	} {
		if err := r.build(ctx, i.Root, filepath.Join(i.Dir, imagesDir), out); err != nil {
			return err
		}
	}
	return i.release(ctx, out)
}

func (r recipe) build(ctx context.Context, root, dir string, out io.Writer) error {
	base := filepath.Base(r.pkg + r.file)
	if r.file == "" {
		r.file = filepath.Join(dir, base)
		if err := image.Compile(ctx, image.Source{Dir: filepath.Join(root, "test"), Package: r.pkg}, platform, r.file); err != nil {
			return err
		}
	}
	_, err := pack(filepath.Join(dir, base+".tar"), r.name, image.Spec{Binaries: map[string]string{platform: r.file}, Path: "/" + base, User: nobody}, out)
	return err
}

// pack writes an image, tells so, and returns its digest.
func pack(path, name string, spec image.Spec, out io.Writer) (string, error) {
	result, err := image.Write(path, name, spec)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(out, "image %s, %d MiB\n", result.Name, result.Size>>20)
	return result.Digest, nil
}
