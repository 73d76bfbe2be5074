//go:build linux

package story

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
)

// recorder is the user and the group as which the chart's pods run.
const recorder = 65532

// traces is the directory that the volume is.
func (d *director) traces() string { return filepath.Join(d.dir, "traces") }

// installWithTraces has what is decided recorded on a volume of its own, as docs/replay.md says.
func (d *director) installWithTraces(ctx context.Context) error {
	if err := d.createNamespace(ctx, namespace); err != nil {
		return err
	}
	if err := os.Mkdir(d.traces(), 0o755); err != nil { //nolint:gosec // as a new volume is
		return fmt.Errorf("make a directory for traces: %w", err)
	}
	d.words["Traces"] = d.traces()
	manifest, err := d.file("traces.yaml")
	if err != nil {
		return err
	}
	if _, err := d.kubectl(ctx, "apply", "--filename="+manifest); err != nil {
		return err
	}
	return d.installRelease(ctx, "--set=recording.enabled=true", "--set=recording.volume.persistentVolumeClaim.claimName=traces")
}

// readTraces looks at what is on the volume, has it handed out by the pod that leads, and replays it.
func (d *director) readTraces(ctx context.Context) error {
	if err := d.checkVolume(); err != nil {
		return err
	}
	var files []string
	err := d.eventually(ctx, "a trace of each leader", func(context.Context) (err error) {
		if files, err = filepath.Glob(filepath.Join(d.traces(), shop, web+"_*.trace.jsonl")); err == nil && len(files) < 2 {
			err = fmt.Errorf("there are %q", files)
		}
		return err
	})
	if err != nil {
		return err
	}
	slices.Sort(files)
	old := files[0] // of the leader that was killed
	pod, err := d.leader(ctx)
	if err != nil {
		return err
	}
	copied, err := d.fetch(ctx, pod, "/state/traces/"+shop+"/"+filepath.Base(old))
	if err != nil {
		return err
	}
	written, err := os.ReadFile(old)
	if err != nil {
		return fmt.Errorf("read the volume: %w", err)
	}
	if !bytes.Equal(copied, written) {
		return fmt.Errorf("%s hands out %d bytes of %s, and there are %d others on the volume", pod, len(copied), old, len(written))
	}
	path := filepath.Join(d.dir, filepath.Base(old))
	if err := os.WriteFile(path, copied, 0o600); err != nil {
		return fmt.Errorf("write the trace: %w", err)
	}
	page, err := d.run(ctx, program, "replay", path)
	if err != nil {
		return err
	}
	d.say("%s hands out what the leader before it has written; mini-hpa replay\n%s", pod, strings.TrimSpace(page))
	return checkReplay(page)
}

// checkVolume wants the traces to be those of a user who is not root, whose group alone was given the volume.
func (d *director) checkVolume() error {
	var seen []string
	err := filepath.WalkDir(d.traces(), func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		owner, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return fmt.Errorf("whose %s is, is not known", path)
		}
		is := fmt.Sprintf("%s %d:%d %s", info.Mode(), owner.Uid, owner.Gid, strings.TrimPrefix(path, d.traces()))
		seen = append(seen, is)
		switch isVolume := path == d.traces(); {
		case isVolume && (owner.Uid != 0 || owner.Gid != recorder):
			return errors.New("the volume should still be root's, and its group's: " + is)
		case !isVolume && owner.Uid != recorder, !isVolume && info.Mode().Perm()&0o077 != 0:
			return fmt.Errorf("only the user %d should read traces: %s", recorder, is)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("look at the volume: %w", err)
	}
	d.say("on the volume there are\n  %s", strings.Join(seen, "\n  "))
	return nil
}

// forwarding is what kubectl says when it forwards a port.
var forwarding = regexp.MustCompile(`^Forwarding from (127\.0\.0\.1:\d+) -> 8082$`)

// fetch asks a pod for a page, as docs/replay.md says: by a port-forward, with the rights of whoever asks.
func (d *director) fetch(ctx context.Context, pod, page string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, d.Programs["kubectl"], "--namespace="+namespace, "port-forward", "pod/"+pod, ":8082")
	cmd.Env = environment(d.Cluster.Kubeconfig(), filepath.Join(d.dir, "home"))
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("forward a port: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("forward a port: %w", err)
	}
	defer func() {
		cancel()
		_ = cmd.Wait() // it was told to end
	}()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if found := forwarding.FindStringSubmatch(lines.Text()); found != nil {
			return download(ctx, "http://"+found[1]+page)
		}
	}
	return nil, fmt.Errorf("kubectl should forward a port, and says: %s", complaints.String())
}

func download(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask for a trace: %w", err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", answer.Status, text)
	}
	return text, err
}

// grown is a row of a replay in which the replicas grow, from one.
var grown = regexp.MustCompile(`(?m)^  \S+ +1 -> [2-9] .* above target 50%`)

// checkReplay wants the replay of what the first leader has seen to scale the web server out.
func checkReplay(page string) error {
	if !strings.Contains(page, "deployment "+shop+"/"+web+"\n") || !grown.MatchString(page) {
		return errors.New("the replay should scale " + web + " out")
	}
	return nil
}

// removeTraces takes the claim and the volume away, which the release has not made.
func (d *director) removeTraces(ctx context.Context) error {
	if _, err := d.kubectl(ctx, "--namespace="+namespace, "delete", "persistentvolumeclaim", "traces"); err != nil {
		return err
	}
	_, err := d.kubectl(ctx, "delete", "persistentvolume", "traces")
	return err
}
