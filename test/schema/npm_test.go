package schema

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// errNoNPM says how to get it.
var errNoNPM = errors.New("npm is not installed: apt-get install --no-install-recommends npm")

// languageServer is where the program is that editors ask about YAML: npm fetches it once for each version, and compares it with the checksums of
// testdata/editor/package-lock.json. The error is errNoNPM where that is missing.
var languageServer = sync.OnceValues(func() (string, error) {
	if _, err := exec.LookPath("npm"); err != nil {
		return "", errNoNPM
	}
	lock, err := os.ReadFile(filepath.Join("testdata", "editor", "package-lock.json"))
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(lock)
	folder := filepath.Join(cache, "mini-hpa", "editor-"+hex.EncodeToString(sum[:8]))
	script := filepath.Join(folder, "node_modules", "yaml-language-server", "bin", "yaml-language-server")
	if _, err := os.Stat(script); err == nil {
		return script, nil
	}
	return script, fetch(folder)
})

// fetch has npm install what the lock file says into a folder, which is there as a whole or not at all.
func fetch(folder string) error {
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		return err
	}
	part, err := os.MkdirTemp(filepath.Dir(folder), "editor-part-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(part)
	if err := os.CopyFS(part, os.DirFS(filepath.Join("testdata", "editor"))); err != nil {
		return err
	}
	cmd := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--cache", filepath.Join(part, "cache"))
	cmd.Dir = part
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w\n%s", err, out)
	}
	if err := errors.Join(os.RemoveAll(filepath.Join(part, "cache")), os.RemoveAll(folder)); err != nil {
		return err
	}
	return os.Rename(part, folder)
}
