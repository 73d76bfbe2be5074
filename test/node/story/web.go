//go:build linux

package story

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The load in requests per second; each takes 20 ms of CPU time, so ten of them are 200m, and the target is 50m per pod.
const (
	lightLoad = 5  // 100m: two or three pods
	heavyLoad = 12 // 240m: more than the allowed four pods
	maxPods   = 4
)

func (d *director) deploy(ctx context.Context) error {
	manifest, err := d.file("web.yaml")
	if err != nil {
		return err
	}
	for _, args := range [][]string{
		{"apply", "--filename=" + manifest},
		{"--namespace=" + shop, "rollout", "status", "deployment", web, "--timeout=" + patience.String()},
		{
			"--namespace=" + shop, "annotate", "deployment", web, "mini-hpa/target-cpu=50", "mini-hpa/min=1",
			fmt.Sprintf("mini-hpa/max=%d", maxPods), "mini-hpa/scale-down-stabilization=30s",
		},
	} {
		if _, err := d.kubectl(ctx, args...); err != nil {
			return err
		}
	}
	address, err := d.serviceAddress(ctx, web)
	if err != nil {
		return err
	}
	d.rate.target = "http://" + address + "/?cpu=20ms"
	d.say("%s is annotated: target-cpu 50 (of 100m), 1 to %d replicas, scale-down-stabilization 30s", web, maxPods)
	return nil
}

func (d *director) serviceAddress(ctx context.Context, name string) (string, error) {
	service, err := d.Client.CoreV1().Services(shop).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("look for the address of the Service: %w", err)
	}
	return service.Spec.ClusterIP, nil
}

// refuse expects the webhook's own words, which come through its Service: while nobody answers, everything is refused in others.
func (d *director) refuse(ctx context.Context) error {
	manifest, err := d.file("unrequested.yaml")
	if err != nil {
		return err
	}
	_, err = d.kubectl(ctx, "apply", "--filename="+manifest)
	if err == nil {
		return errors.New("the Deployment without a CPU request was let through; the API server has not reached the webhook")
	}
	for _, want := range []string{"spec.template.spec.containers[0].resources.requests[cpu]", "mini-hpa/target-cpu is a percentage"} {
		if !strings.Contains(err.Error(), want) {
			return fmt.Errorf("the refusal should speak of %s, it is: %w", want, err)
		}
	}
	_, said, _ := strings.Cut(err.Error(), "exit status 1: ")
	d.say("kubectl apply: %s", said)
	return nil
}

func (d *director) scaleOut(ctx context.Context) error {
	for name, load := range map[string]*throttle{web: &d.rate, db: &d.queries} {
		go d.watch(ctx, name)
		go load.run(ctx)
	}
	d.rate.set(lightLoad)
	d.queries.set(queryLoad)
	d.say("%d requests per second, 20 ms of CPU each, to the Service of %s; %d of 25 ms to that of %s", lightLoad, web, queryLoad, db)
	if err := d.awaitTurns(ctx); err != nil {
		return err
	}
	return d.awaitReplicas(ctx, web, 2, maxPods-1)
}

func (d *director) scaleIn(ctx context.Context) error {
	// The window of five minutes is the only thing about the database that nobody wants to wait for.
	if _, err := d.kubectl(ctx, "--namespace="+shop, "annotate", "statefulset", db, "mini-hpa/scale-down-stabilization=30s"); err != nil {
		return err
	}
	for name, load := range map[string]*throttle{web: &d.rate, db: &d.queries} {
		load.set(0)
		d.say("no more requests to %s; %d were answered, %d were not", name, load.answered.Load(), load.failed.Load())
	}
	if err := d.awaitReplicas(ctx, web, 1, 1); err != nil {
		return err
	}
	return d.awaitReplicas(ctx, db, 1, 1)
}

func (d *director) describe(ctx context.Context) error {
	out, err := d.kubectl(ctx, "--namespace="+shop, "describe", "deployment", web)
	if err != nil {
		return err
	}
	d.say("kubectl describe deployment %s\n%s", web, strings.TrimSpace(out))
	return checkEvents(out, maxPods, 1)
}

// checkEvents wants to read that mini-hpa has made the workload so large.
func checkEvents(description string, sizes ...int) error {
	for _, size := range sizes {
		line := fmt.Sprintf(`(?m)^\s+Normal\s+SuccessfulRescale\s.*\smini-hpa\s+New size: %d; reason: `, size)
		if !regexp.MustCompile(line).MatchString(description) {
			return fmt.Errorf("the description should have an Event SuccessfulRescale from mini-hpa that says New size: %d", size)
		}
	}
	return nil
}

// awaitReplicas waits until a workload has so many pods, and they are ready.
func (d *director) awaitReplicas(ctx context.Context, name string, least, most int32) error {
	began := time.Now()
	err := d.eventually(ctx, fmt.Sprintf("%d to %d replicas of %s", least, most, name), func(ctx context.Context) error {
		n, err := d.size(ctx, name)
		if err != nil {
			return err
		}
		if n.asked < least || n.asked > most || n.made != n.asked || n.ready != n.asked {
			return errors.New(n.String())
		}
		return nil
	})
	if err == nil {
		d.say("%s is as expected after %s", name, time.Since(began).Round(time.Second/10))
	}
	return err
}

// size is how many replicas of a workload are asked for, how many pods there are, and how many of them are ready.
type size struct{ asked, made, ready int32 }

func (d *director) size(ctx context.Context, name string) (size, error) {
	if name == db {
		found, err := d.Client.AppsV1().StatefulSets(shop).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return size{}, fmt.Errorf("look at the replicas of %s: %w", name, err)
		}
		return size{*found.Spec.Replicas, found.Status.Replicas, found.Status.ReadyReplicas}, nil
	}
	found, err := d.Client.AppsV1().Deployments(shop).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return size{}, fmt.Errorf("look at the replicas of %s: %w", name, err)
	}
	return size{*found.Spec.Replicas, found.Status.Replicas, found.Status.ReadyReplicas}, nil
}

func (s size) String() string {
	return fmt.Sprintf("%d replicas are asked for, of %d pods %d are ready", s.asked, s.made, s.ready)
}

// note remembers how many replicas were asked for, one after the other.
func (d *director) note(name string, asked int32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if h := d.history[name]; len(h) == 0 || h[len(h)-1] != asked {
		d.history[name] = append(h, asked)
	}
}

// watch tells whenever the size changes, until ctx ends.
func (d *director) watch(ctx context.Context, name string) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	last := size{1, 1, 1}
	d.note(name, last.asked)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if now, err := d.size(ctx, name); err == nil && now != last { // no answer now is one of the next time
			d.say("%s: %s", name, now)
			d.note(name, now.asked)
			last = now
		}
	}
}
