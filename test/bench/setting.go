//go:build linux

package main

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/procfs"
)

// setting is when, where and of what something was measured.
type setting struct {
	// Run is the beginning of what was measured together.
	Run time.Time
	// Commit of this repository, the Machine it was measured on, and the version of Kubernetes it was measured with.
	Commit, Machine, Kubernetes string
}

func (s setting) String() string {
	return fmt.Sprintf("%s; commit %s, Kubernetes %s; %s", s.Run.Format("2 January 2006"), s.Commit, s.Kubernetes, s.Machine)
}

// setting is that of what begins now.
func (a *arena) setting(ctx context.Context) (setting, error) {
	version, err := a.client.Discovery().ServerVersion()
	if err != nil {
		return setting{}, err
	}
	return setting{time.Now(), commit(ctx), machine(), strings.TrimPrefix(version.GitVersion, "v")}, nil
}

// commit names what is measured.
func commit(ctx context.Context) string {
	git := func(args ...string) (string, error) {
		out, err := exec.CommandContext(ctx, "git", args...).Output()
		return strings.TrimSpace(string(out)), err
	}
	name, err := git("rev-parse", "--short", "HEAD")
	if err != nil {
		return "no commit"
	}
	if changed, err := git("status", "--porcelain", "--", ":(top)*.go", ":(top)*go.mod"); err != nil || changed != "" {
		name += " with changes"
	}
	return name
}

// machine is what a reader needs to know of it.
func machine() string {
	model, memory := "unknown processor", "unknown memory"
	if fs, err := procfs.NewDefaultFS(); err == nil {
		if cpus, err := fs.CPUInfo(); err == nil && len(cpus) > 0 && cpus[0].ModelName != "" {
			model = cpus[0].ModelName
		}
		if info, err := fs.Meminfo(); err == nil && info.MemTotalBytes != nil {
			memory = fmt.Sprintf("%d GiB", (*info.MemTotalBytes+1<<29)>>30)
		}
	}
	return fmt.Sprintf("%d × %s, %s, %s/%s, %s", runtime.NumCPU(), model, memory, runtime.GOOS, runtime.GOARCH, runtime.Version())
}
