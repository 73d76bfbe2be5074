//go:build linux

package story

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mini-hpa/mini-hpa/annotations/serves"
	"github.com/mini-hpa/mini-hpa/test/node/calls"
)

// known is how long after something has happened to a pod requests may still be led to it. It is long for kube-proxy alone, as the machine may be busy.
const known = 10 * time.Second

// anyLoss excuses everything: what is told then is what something buys.
func anyLoss(*callbook, loss) bool { return true }

// atReadyPod excuses what was refused by a pod that is ready: kube-proxy leads there, as to any pod.
func atReadyPod(b *callbook, l loss) bool {
	if !strings.Contains(l.err.Error(), "connection refused") {
		return false
	}
	for _, ready := range b.ready {
		if l.begun.After(ready.at.Add(-time.Second)) && l.begun.Before(ready.at.Add(refusal+known)) {
			return true
		}
	}
	return false
}

// atCrash excuses what was at a pod that crashed, or was sent there before nodes knew.
func atCrash(b *callbook, l loss) bool {
	for _, crash := range b.crashes {
		if l.ended.After(crash) && l.begun.Before(crash.Add(known)) {
			return true
		}
	}
	return false
}

// crashing is how long after it was told to a pod may crash, ending how long after that its clients know.
const crashing, ending = time.Second, 2 * time.Second

// atWork excuses what a pod was working on when it crashed. What it has been given is given to no other one, as it may have been done. That a
// pod refuses, or an activator does (503), is no excuse.
func atWork(b *callbook, l loss) bool {
	if slices.Contains([]string{"connection refused", "503"}, l.reason()) {
		return false
	}
	return slices.ContainsFunc(b.crashes, func(crash time.Time) bool {
		return l.begun.Before(crash.Add(crashing)) && l.ended.After(crash) && l.ended.Before(crash.Add(crashing+ending))
	})
}

// rest waits for a time that is not longer than that.
func rest(ctx context.Context, most time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Duration(rand.Int64N(int64(most)))):
		return nil
	}
}

// rollActivators rolls them in the second cycle, at whose beginning the workload sleeps, and in the third.
func rollActivators(ctx context.Context, d *director, cycle int) error {
	if cycle != 1 && cycle != 2 {
		return nil
	}
	if err := rest(ctx, d.variant.burst/4); err != nil {
		return err
	}
	d.say("the activators are rolled")
	for _, args := range [][]string{{"restart"}, {"status", "--timeout=" + patience.String()}} {
		if _, err := d.kubectl(ctx, append([]string{"--namespace=" + namespace, "rollout", args[0], "deployment/" + activators}, args[1:]...)...); err != nil {
			return err
		}
	}
	d.say("the activators are new")
	return nil
}

// killLeader kills its process in each of five cycles, so that it cannot give its Lease back: while requests come, and every second time before, so that
// nobody leads when they do.
func killLeader(ctx context.Context, d *director, cycle int) error {
	if cycle >= 5 {
		return nil
	}
	if cycle%2 == 0 {
		if err := rest(ctx, d.variant.burst); err != nil {
			return err
		}
	}
	old, err := d.holder(ctx)
	if err != nil {
		return err
	}
	name, _, _ := strings.Cut(old, "_")
	pod, err := d.Client.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if err := killIn(string(pod.UID), program); err != nil {
		return err
	}
	d.say("the leader %s is killed", old)
	killed := time.Now()
	return d.eventually(ctx, "another leader", func(ctx context.Context) error {
		now, err := d.holder(ctx)
		switch {
		case err != nil:
			return err
		case now == old:
			return fmt.Errorf("the Lease still names %s", old)
		}
		d.say("%s leads, %s after the kill", now, time.Since(killed).Round(time.Second/10))
		return nil
	})
}

// killIn kills the processes of a name in a pod.
func killIn(uid, name string) error {
	found := false
	files, _ := filepath.Glob("/proc/[0-9]*/cgroup")
	for _, file := range files {
		groups, _ := os.ReadFile(file) // a process may have ended
		comm, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "comm"))
		if !strings.Contains(string(groups), "pod"+uid) || strings.TrimSpace(string(comm)) != name {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			return err
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			return fmt.Errorf("kill %s: %w", name, err)
		}
		found = true
	}
	if !found {
		return fmt.Errorf("pod %s has no process %s", uid, name)
	}
	return nil
}

// crashPods has all pods crash, twice, once requests are led to them alone: after the second time the kubelet lets ten seconds pass before it starts their
// containers again.
func crashPods(ctx context.Context, d *director, _ int) error {
	err := d.eventually(ctx, "requests that are led to pods alone", func(ctx context.Context) error {
		slice, err := d.Client.DiscoveryV1().EndpointSlices(shop).Get(ctx, serves.SliceName(answers, discoveryv1.AddressTypeIPv4), metav1.GetOptions{})
		if err == nil && len(readyOf(slice)) > 0 && !d.variant.isAlways() {
			err = errors.New("the activators are among the endpoints")
		}
		return err
	})
	if err != nil {
		return err
	}
	for range 2 {
		if err := crashTogether(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// crashTogether has all pods crash once one of them is ready, and returns when the cluster says that their containers have ended.
func crashTogether(ctx context.Context, d *director) error {
	err := d.eventually(ctx, "a pod that is ready", func(ctx context.Context) error {
		n, err := d.size(ctx, answers)
		if err == nil && n.ready == 0 {
			err = fmt.Errorf("%s", n)
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := rest(ctx, 2*time.Second); err != nil {
		return err
	}
	pods, err := d.Client.CoreV1().Pods(shop).List(ctx, metav1.ListOptions{LabelSelector: "app=" + answers})
	if err != nil {
		return err
	}
	d.calls.mu.Lock()
	d.calls.crashes = append(d.calls.crashes, time.Now())
	d.calls.mu.Unlock()
	for i := range pods.Items {
		if err := crash(ctx, pods.Items[i].Status.PodIP); err != nil {
			return err
		}
	}
	d.say("all pods crash")
	return d.eventually(ctx, "the end of all containers", func(ctx context.Context) error {
		now, err := d.Client.CoreV1().Pods(shop).List(ctx, metav1.ListOptions{LabelSelector: "app=" + answers})
		if err == nil && !ended(pods.Items, now.Items) {
			err = errors.New("a container goes on")
		}
		return err
	})
}

// ended says whether the containers of all these pods have ended since. They may run again by now.
func ended(before, now []corev1.Pod) bool {
	for i := range before {
		at := slices.IndexFunc(now, func(p corev1.Pod) bool { return p.UID == before[i].UID })
		if at >= 0 && running(&now[at]) && restarts(&now[at]) == restarts(&before[i]) {
			return false
		}
	}
	return true
}

func running(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.ContainerStatuses, func(c corev1.ContainerStatus) bool { return c.State.Running != nil })
}

func restarts(p *corev1.Pod) (n int32) {
	for i := range p.Status.ContainerStatuses {
		n += p.Status.ContainerStatuses[i].RestartCount
	}
	return n
}

// crash has the pod at an address crash.
func crash(ctx context.Context, ip string) error {
	address := net.JoinHostPort(ip, strconv.Itoa(calls.PortHealth))
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+calls.PathCrash, nil)
	if err != nil {
		return err
	}
	if answer, err := http.DefaultClient.Do(request); err == nil { // or it had no time to answer
		_ = answer.Body.Close()
	}
	return nil
}
