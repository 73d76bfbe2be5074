//go:build linux

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Address is the node's own address inside, and Subnet the network of its bridge; nothing of either leaves the sandbox.
const (
	Address = "10.89.0.1"
	Subnet  = Address + "/24"
)

// Grace is how long a worker may take to end after SIGTERM before everything inside is killed.
const Grace = 20 * time.Second

const dirPrefix = "mini-hpa-node-"

// The environment tells a started copy of the program what it is.
const (
	roleVariable = "MINI_HPA_NODE_ROLE"
	dirVariable  = "MINI_HPA_NODE_DIR"
)

// The roles of the copies.
const (
	roleKeeper = "keeper"
	roleInit   = "init"
	roleWorker = "worker"
)

// Config is what Run needs.
type Config struct {
	Dir      string    // made by MakeDir; removed at the end
	Args     []string  // handed to the worker
	Out, Err io.Writer // the worker's output
}

// Worker is what runs inside: args are Config.Args, dir is Config.Dir. ctx ends when the caller's did.
type Worker func(ctx context.Context, dir string, args []string) error

// MakeDir makes the one directory in which everything that a sandbox writes belongs, after removing what earlier sandboxes left
// whose processes were all killed at once.
func MakeDir() (string, error) {
	sweep(os.TempDir())
	dir, err := os.MkdirTemp("", fmt.Sprintf("%s%d-", dirPrefix, os.Getpid()))
	if err != nil {
		return "", fmt.Errorf("make the sandbox's directory: %w", err)
	}
	if err := allVisible(dir); err != nil {
		return "", errors.Join(fmt.Errorf("make the sandbox's directory: %w", err), os.Remove(dir))
	}
	return dir, nil
}

// allVisible says which of the places that a worker needs would be hidden by the sandbox's own directories.
func allVisible(dir string) error {
	program, programErr := os.Executable()
	working, workingErr := os.Getwd()
	cache, cacheErr := os.UserCacheDir()
	if err := errors.Join(programErr, workingErr, cacheErr); err != nil {
		return err
	}
	for _, place := range []struct{ what, path string }{
		{"the temporary directory (TMPDIR)", dir}, {"the program", program}, {"the working directory", working},
		{"the cache directory (XDG_CACHE_HOME)", cache},
	} {
		for _, hidden := range hiddenDirs() {
			if inside, err := filepath.Rel(hidden, place.path); err == nil && filepath.IsLocal(inside) {
				return fmt.Errorf("%s is %s, which the sandbox hides by a %s of its own; it has to be elsewhere", place.what, place.path, hidden)
			}
		}
	}
	return nil
}

// Run runs the worker of Play in a new sandbox and returns when nothing of it is left. The end of ctx asks the worker to end.
func Run(ctx context.Context, c Config) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the program to start again: %w", err)
	}
	// The keeper outlives ctx: it is told by the pipe, and cleans up.
	keeper := exec.CommandContext(context.WithoutCancel(ctx), program, c.Args...)
	keeper.Env = environ(roleKeeper, c.Dir)
	keeper.Stdout, keeper.Stderr = c.Out, c.Err
	keeper.WaitDelay = Grace
	keeper.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	leash, err := keeper.StdinPipe()
	if err != nil {
		return fmt.Errorf("make the sandbox's leash: %w", err)
	}
	if err := keeper.Start(); err != nil {
		return fmt.Errorf("start the sandbox: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = leash.Close() })
	defer stop()
	ended := keeper.Wait()
	if err := remove(c.Dir); err != nil { // the keeper has done it unless it was killed
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if ended != nil {
		return fmt.Errorf("what ran in the sandbox failed: %w", ended)
	}
	return nil
}

// environ is our environment without the proxies, which do not exist inside.
func environ(role, dir string) []string {
	ours := []string{roleVariable, dirVariable, "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"}
	env := slices.DeleteFunc(os.Environ(), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.Contains(ours, name)
	})
	return append(env, roleVariable+"="+role, dirVariable+"="+dir)
}
