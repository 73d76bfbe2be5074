//go:build unix

package sources

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestFilesThatAreNoCredentials: whatever a path leads to, reading it ends, and no message has what it holds.
func TestFilesThatAreNoCredentials(t *testing.T) {
	env, dir := environment(), t.TempDir()
	env.ReadFile = ReadFile
	pipe, loop := filepath.Join(dir, "pipe"), filepath.Join(dir, "loop")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"a pipe that nobody writes to": pipe,
		"a link to itself":             loop,
		"a directory":                  dir,
		"what is not there":            filepath.Join(dir, "x"),
		"a file without an end":        "/dev/zero",
		"an empty file":                "/dev/null",
		"a large file":                 fileWith(t, strings.Repeat("hunter2", mostOfFile/7+1)),
		"two lines":                    fileWith(t, "hunter2\nX-Admin: yes"),
		"a NUL":                        fileWith(t, "hunter2\x00"),
		"line breaks alone":            fileWith(t, "\r\n\r\n"),
	} {
		_, err := secretFrom(env, path)
		if told(err) != "is not set up: a file of it cannot be read" || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
