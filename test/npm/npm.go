// Package npm fetches programs of others that tests ask for their judgement.
package npm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// ErrMissing says how to get npm.
var ErrMissing = errors.New("npm is not installed: apt-get install --no-install-recommends npm")

// Modules is the node_modules of what dir, which holds a package.json and a package-lock.json, asks for. npm fetches it once for each lock file, into the user's
// cache directory, and compares it with the checksums there. The error is ErrMissing where there is no npm.
func Modules(ctx context.Context, dir string) (string, error) {
	if _, err := exec.LookPath("npm"); err != nil {
		return "", ErrMissing
	}
	lock, err := os.ReadFile(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(lock)
	folder := filepath.Join(cache, "mini-hpa", filepath.Base(dir)+"-"+hex.EncodeToString(sum[:8]))
	modules := filepath.Join(folder, "node_modules")
	if _, err := os.Stat(modules); err == nil {
		return modules, nil
	}
	return modules, fetch(ctx, dir, folder)
}

// fetch has npm install what the lock file says into a folder, which is there as a whole or not at all.
func fetch(ctx context.Context, dir, folder string) (err error) {
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		return err
	}
	part, err := os.MkdirTemp(filepath.Dir(folder), "npm-part-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(part)) }() // which is gone where it became the folder
	if err := os.CopyFS(part, os.DirFS(dir)); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--cache", filepath.Join(part, "cache"))
	cmd.Dir = part
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w\n%s", err, out)
	}
	if err := errors.Join(os.RemoveAll(filepath.Join(part, "cache")), os.RemoveAll(folder)); err != nil {
		return err
	}
	return os.Rename(part, folder)
}
