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
		{"create", "namespace", shop},
		{"label", "namespace", shop, "pod-security.kubernetes.io/enforce=restricted"},
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
	address, err := d.serviceAddress(ctx)
	if err != nil {
		return err
	}
	d.rate.target = "http://" + address + "/?cpu=20ms"
	d.say("%s is annotated: target-cpu 50 (of 100m), 1 to %d replicas, scale-down-stabilization 30s", web, maxPods)
	return nil
}

func (d *director) serviceAddress(ctx context.Context) (string, error) {
	service, err := d.Client.CoreV1().Services(shop).Get(ctx, web, metav1.GetOptions{})
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
	go d.watch(ctx)
	go d.rate.run(ctx)
	d.rate.set(lightLoad)
	d.say("%d requests per second, 20 ms of CPU each, to the Service of %s", lightLoad, web)
	return d.awaitReplicas(ctx, 2, maxPods-1)
}

func (d *director) scaleIn(ctx context.Context) error {
	d.rate.set(0)
	d.say("no more requests; %d were answered, %d were not", d.rate.answered.Load(), d.rate.failed.Load())
	return d.awaitReplicas(ctx, 1, 1)
}

func (d *director) describe(ctx context.Context) error {
	out, err := d.kubectl(ctx, "--namespace="+shop, "describe", "deployment", web)
	if err != nil {
		return err
	}
	d.say("kubectl describe deployment %s\n%s", web, strings.TrimSpace(out))
	return checkEvents(out)
}

// checkEvents wants to read of the growth that the new leader has answered the heavy load with, and of the end of the load.
func checkEvents(description string) error {
	for _, size := range []int{maxPods, 1} {
		line := fmt.Sprintf(`(?m)^\s+Normal\s+SuccessfulRescale\s.*\smini-hpa\s+New size: %d; reason: `, size)
		if !regexp.MustCompile(line).MatchString(description) {
			return fmt.Errorf("the description should have an Event SuccessfulRescale from mini-hpa that says New size: %d", size)
		}
	}
	return nil
}

// awaitReplicas waits until the web server has so many pods, and they are ready.
func (d *director) awaitReplicas(ctx context.Context, least, most int32) error {
	began := time.Now()
	err := d.eventually(ctx, fmt.Sprintf("%d to %d replicas of %s", least, most, web), func(ctx context.Context) error {
		found, err := d.Client.AppsV1().Deployments(shop).Get(ctx, web, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if n := *found.Spec.Replicas; n < least || n > most || found.Status.ReadyReplicas != n || found.Status.Replicas != n {
			return fmt.Errorf("there are %d, of %d pods %d are ready", n, found.Status.Replicas, found.Status.ReadyReplicas)
		}
		return nil
	})
	if err == nil {
		d.say("as expected after %s", time.Since(began).Round(time.Second/10))
	}
	return err
}

func (d *director) replicas(ctx context.Context) (int32, error) {
	found, err := d.Client.AppsV1().Deployments(shop).Get(ctx, web, metav1.GetOptions{})
	if err != nil {
		return 0, fmt.Errorf("look at the replicas of %s: %w", web, err)
	}
	return *found.Spec.Replicas, nil
}

// watch tells whenever the number of replicas changes, until ctx ends.
func (d *director) watch(ctx context.Context) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	last := int32(1)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if now, err := d.replicas(ctx); err == nil && now != last { // no answer now is one of the next time
			d.say("%s: %d -> %d replicas", web, last, now)
			last = now
		}
	}
}
