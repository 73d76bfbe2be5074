//go:build linux

package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// sweep removes directories and cgroups of sandboxes that no process works for any more. It is a courtesy: what it cannot remove stays.
func sweep(base string) {
	working := owned()
	dirs, _ := filepath.Glob(filepath.Join(base, dirPrefix+"*"))
	for _, dir := range dirs {
		if !working[dir] && !prepared(dir) {
			_ = remove(dir)
		}
	}
}

// prepared says whether the process lives that has made the directory: it may not have started the sandbox yet.
func prepared(dir string) bool {
	var pid int
	if _, err := fmt.Sscanf(filepath.Base(dir), dirPrefix+"%d-", &pid); err != nil {
		return true // not a name of ours
	}
	_, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
	return err == nil
}

// owned are the directories that running sandboxes have in their environment.
func owned() map[string]bool {
	dirs := map[string]bool{}
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		content, _ := os.ReadFile(file) // a process may have ended
		for line := range strings.SplitSeq(string(content), "\x00") {
			if dir, ok := strings.CutPrefix(line, dirVariable+"="); ok {
				dirs[dir] = true
			}
		}
	}
	return dirs
}
