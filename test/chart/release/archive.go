package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
)

// mode is that of a file in an archive: of the program, which everybody may run, or of a text.
func mode(name string) os.FileMode {
	if name == "mini-hpa" || name == "mini-hpa.exe" {
		return 0o755
	}
	return 0o644
}

// tar adds a compressed archive of files.
func (f folder) tar(archive string, files ...string) error {
	var content bytes.Buffer
	compressed := gzip.NewWriter(&content)
	w := tar.NewWriter(compressed)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		name := filepath.Base(file)
		header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: int64(mode(name)), Size: int64(len(text)), ModTime: f.at, Format: tar.FormatUSTAR}
		if err := w.WriteHeader(header); err != nil {
			return err
		}
		if _, err := w.Write(text); err != nil {
			return err
		}
	}
	if err := errors.Join(w.Close(), compressed.Close()); err != nil {
		return err
	}
	return f.write(archive, content.Bytes())
}

// zip is tar for Windows.
func (f folder) zip(archive string, files ...string) error {
	var content bytes.Buffer
	w := zip.NewWriter(&content)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		header := &zip.FileHeader{Name: filepath.Base(file), Method: zip.Deflate, Modified: f.at}
		header.SetMode(mode(header.Name))
		entry, err := w.CreateHeader(header)
		if err != nil {
			return err
		}
		if _, err := entry.Write(text); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	return f.write(archive, content.Bytes())
}
