//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/procfs"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mini-hpa/mini-hpa/test/controlplane"
)

// views is what it costs to list a whole fleet by mini-hpa get -A.
type views struct {
	setting
	Workloads int
	// Told is asked of the controller, Computed what a client makes of what it may read.
	Told, Computed []view
}

// view is one call.
type view struct {
	Took time.Duration
	// Peak is the most memory that the client held, in bytes.
	Peak int64
	rows []string
}

// viewed is how often each view is looked at.
const viewed = 5

// measureViews has no controllers but mini-hpa, as measureChurn has it, and a workload of one pod each.
func measureViews(ctx context.Context, s settings, program string, size int, book *book) error {
	a := &arena{settings: s, size: size, program: program}
	closeAll, err := a.openBare(ctx)
	if err != nil {
		return err
	}
	defer closeAll()
	if err := a.settleDown(ctx); err != nil {
		return err
	}
	address, err := controlplane.FreeAddress()
	if err != nil {
		return err
	}
	_, port, _ := net.SplitHostPort(address)
	a.extra = append(a.extra, "--leader-elect=true", "--leader-elect-resource-namespace=default", "--state-bind-address="+address)
	m := &annotated{arena: a}
	p, err := m.start(ctx)
	if err != nil {
		return err
	}
	defer p.Kill()
	if err := a.underWay(ctx, m); err != nil {
		return err
	}
	v := &views{Workloads: size}
	if v.setting, err = a.setting(ctx); err != nil {
		return err
	}
	for range viewed {
		told, err1 := a.view(ctx, "source: leader ", "--controller=default/mini-hpa", "--state-port="+port)
		computed, err2 := a.view(ctx, "source: computed here; ", "--controller=default/none")
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		if err := sameRows(told, computed); err != nil {
			return err
		}
		say("told: %s; computed: %s", told, computed)
		v.Told, v.Computed = append(v.Told, told), append(v.Computed, computed)
	}
	book.Views = v
	return book.save()
}

// settleDown makes the workloads.
func (a *arena) settleDown(ctx context.Context) error {
	a.fleet = newFleet(a.client, a.load, a.size, 1, a.perNamespace)
	for _, namespace := range a.fleet.namespaces() {
		if _, err := a.client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	c := newCrowd(a, 0)
	return a.fleet.each(func(name types.NamespacedName) error { return c.come(ctx, name) })
}

// view lists the fleet once, as an administrator does.
func (a *arena) view(ctx context.Context, source string, args ...string) (view, error) {
	cmd := exec.CommandContext(ctx, a.program, append([]string{"get", "-A", "--kubeconfig", a.cluster.Kubeconfig()}, args...)...)
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return view{}, err
	}
	ended, peak := make(chan struct{}), make(chan int64)
	go func() { peak <- peakUntil(ended, cmd.Process.Pid) }()
	err := cmd.Wait()
	v := view{Took: time.Since(began)}
	close(ended)
	v.Peak = <-peak
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if err != nil || !strings.HasPrefix(out.String(), source) || len(lines) != a.size+3 || v.Peak == 0 {
		return view{}, fmt.Errorf("mini-hpa get -A %v: %w; %d lines, want %d, and %d bytes of memory: %.300s %s", args, err, len(lines), a.size+3, v.Peak, out.String(), complaints.String())
	}
	v.rows = rowsOf(lines[2 : len(lines)-1])
	return v, nil
}

// peakUntil is the most memory that a process has held, as it says again and again until it ends. What the kernel tells of it afterwards cannot be used: it counts
// what the process held before it was the program, and that was this one's memory.
func peakUntil(ended <-chan struct{}, pid int) int64 {
	ticks := time.NewTicker(2 * time.Millisecond)
	defer ticks.Stop()
	most := int64(0)
	for {
		if peak, err := statusOf(pid, func(s procfs.ProcStatus) uint64 { return s.VmHWM }); err == nil { // it may just have ended
			most = max(most, peak)
		}
		select {
		case <-ended:
			return most
		case <-ticks.C:
		}
	}
}

// compared are the columns, from the first on, that do not rest on what only the controller remembers.
const compared = 8

// rowsOf are the compared columns of each line.
func rowsOf(lines []string) []string {
	gap, rows := regexp.MustCompile(` {2,}`), make([]string, len(lines))
	for i, line := range lines {
		cells := gap.Split(line, -1)
		rows[i] = strings.Join(cells[:min(compared, len(cells))], "  ")
	}
	return rows
}

// sameRows says where two views of the same fleet differ.
func sameRows(told, computed view) error {
	for i := range told.rows {
		if told.rows[i] != computed.rows[i] {
			return fmt.Errorf("the controller says %q, and a client %q", told.rows[i], computed.rows[i])
		}
	}
	return nil
}

func (v view) String() string {
	return fmt.Sprintf("%s, %.1f MiB", rounded(v.Took), float64(v.Peak)/(1<<20))
}

func (v *views) table() string {
	row := func(who string, all []view) string {
		byTime := slices.SortedFunc(slices.Values(all), func(a, b view) int { return int(a.Took - b.Took) })
		peak := int64(0)
		for _, one := range all {
			peak = max(peak, one.Peak)
		}
		return fmt.Sprintf("| %s | %s | %s | %.1f MiB |\n", who, rounded(byTime[len(byTime)/2].Took), rounded(byTime[len(byTime)-1].Took), float64(peak)/(1<<20))
	}
	return fmt.Sprintf("\n### A look at %d workloads\n\n%s. What `mini-hpa get -A` takes, from the call to its end, over %d calls, and the most memory that the client has held. "+
		"Both say the same in all columns from NAMESPACE to WANTS.\n\n"+
		"| | median | longest | memory |\n| --- | ---: | ---: | ---: |\n%s%s", v.Workloads, v.setting, len(v.Told),
		row("told by the controller", v.Told), row("computed by the client", v.Computed))
}
