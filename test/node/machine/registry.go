//go:build linux

package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// Registry is that of the node, as an administrator has one where that of the releases is out of reach. Whatever is pushed ends with the sandbox.
const Registry = "127.0.0.1:5000"

const (
	// ImageRepository is where Registry has the product's image, and the path that it has in the registry of the releases.
	ImageRepository = Registry + "/" + imagePath
	imagePath       = "mini-hpa/mini-hpa"
)

// startRegistry serves the blobs of the release's image, whose archive is an OCI layout, and has the registry know its manifest.
func (m *Machine) startRegistry(ctx context.Context) error {
	dir := filepath.Join(m.dir, registryDir)
	if err := run(ctx, "tar", "--extract", "--file="+filepath.Join(m.dir, imageFile), "--directory="+dir); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", Registry)
	if err != nil {
		return err
	}
	blobs := registry.NewDiskBlobHandler(filepath.Join(dir, "blobs"))
	server := registry.New(registry.WithBlobHandler(blobs), registry.Logger(log.New(io.Discard, "", 0)))
	go func() { _ = http.Serve(listener, server) }() //nolint:gosec // it ends with the sandbox
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return err
	}
	content, err := index.IndexManifest()
	if err != nil {
		return err
	}
	image, err := index.Image(content.Manifests[0].Digest) // of the node's platform, and no other
	if err != nil {
		return err
	}
	manifest, err := image.RawManifest()
	if err != nil {
		return err
	}
	return putManifest(ctx, string(content.Manifests[0].MediaType), manifest)
}

func putManifest(ctx context.Context, mediaType string, manifest []byte) error {
	address := "http://" + Registry + "/v2/" + imagePath + "/manifests/v" + Version
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, address, bytes.NewReader(manifest))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", mediaType)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusCreated {
		err = fmt.Errorf("push the image's manifest: %s", response.Status)
	}
	return errors.Join(err, response.Body.Close())
}
