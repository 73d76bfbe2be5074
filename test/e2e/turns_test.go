package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// spamRate is how many Deployments a second somebody creates and deletes: more than Events are written.
const spamRate = 60

// TestFaultOneNamespaceHasMuchToTell: somebody creates and deletes bad Deployments without end. Another namespace's Events are written in
// time all the same, the log stays short, and it says how much was left out.
func TestFaultOneNamespaceHasMuchToTell(t *testing.T) {
	t.Parallel()
	w := isolated(t, samplePeriod)
	noisy, quiet := w.namespace(t, "-noisy"), w.namespace(t, "-quiet")
	d := w.deploy(t, quiet, "web", 1, loadFor(1), map[string]string{"target-cpu": "50", "max": "100", "scale-down-stabilization": "0s"})
	c := newController(t)
	c.lead(w, "--leader-elect-resource-namespace", quiet)
	w.awaitLeader(t, quiet)
	w.samples(t, 3)

	ctx, stop := context.WithCancel(t.Context())
	var spamming sync.WaitGroup
	var made int
	spamming.Go(func() { made = w.spam(ctx, t, noisy) })
	defer spamming.Wait()
	defer stop()
	var delays []time.Duration
	began, size := time.Now(), int32(1)
	for time.Since(began) < *faultFor {
		time.Sleep(*faultFor / 8)
		size++
		d.setLoad(loadFor(size))
		scaled := d.await(size)
		d.eventually(fmt.Sprintf("the Event of %d replicas", size), func(context.Context) (bool, string) {
			events := d.events()
			return bytes.Contains([]byte(fmt.Sprint(events)), fmt.Appendf(nil, "New size: %d;", size)), fmt.Sprint(events)
		})
		took := time.Since(scaled.at)
		t.Logf("%3.0f s: %d replicas, told after %s", time.Since(began).Seconds(), size, took.Round(time.Millisecond))
		delays = append(delays, took)
	}
	slices.Sort(delays)
	if usual := delays[len(delays)/2]; usual > 2*time.Second {
		t.Errorf("Events were written %s after the replicas, want most of them within 2s", delays)
	}
	stop()
	spamming.Wait()
	c.terminate()
	lines, leftOut := about(t, c.logFile, noisy)
	t.Logf("%d bad Deployments in %s: %d log lines, which say that %d are left out", made, time.Since(began).Round(time.Second), lines, leftOut)
	if lines > 2000 || leftOut == 0 { // 700 or so, and more where the machine is so busy that Events wait
		t.Errorf("%d log lines about %d bad Deployments, %d left out by their own account", lines, made, leftOut)
	}
}

// spam creates bad Deployments, each of which it deletes a second later, and returns how many.
func (w *world) spam(ctx context.Context, t *testing.T, namespace string) (made int) {
	deployments := w.client.AppsV1().Deployments(namespace)
	name := func(i int) string { return fmt.Sprintf("bad-%05d", i) }
	tick := time.NewTicker(time.Second / spamRate)
	defer tick.Stop()
	var requests sync.WaitGroup
	defer requests.Wait()
	for ; ctx.Err() == nil; made++ {
		made := made
		requests.Go(func() {
			zero, labels := int32(0), map[string]string{"app": "bad"}
			_, err := deployments.Create(ctx, &appsv1.Deployment{
				ObjectMeta: metav1.ObjectMeta{Name: name(made), Annotations: map[string]string{"mini-hpa/max": "many", "mini-hpa/target-cpu": "50"}},
				Spec: appsv1.DeploymentSpec{Replicas: &zero, Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: corev1.PodTemplateSpec{
					ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app"}}}}},
			}, metav1.CreateOptions{})
			if err != nil && ctx.Err() == nil {
				t.Logf("spam: %v", err) // of all that there is, one more or less
			}
			if made >= spamRate {
				_ = deployments.Delete(ctx, name(made-spamRate), metav1.DeleteOptions{}) // which is not what is tested
			}
		})
		<-tick.C
	}
	return made
}

// about counts the log's lines that name a namespace, and how many they say are left out.
func about(t *testing.T, logFile, namespace string) (lines, leftOut int) {
	t.Helper()
	log, err := os.ReadFile(logFile)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(log) {
		if !bytes.Contains(line, []byte(namespace)) {
			continue
		}
		var said struct{ LeftOut int }
		_ = json.Unmarshal(line, &said) // a race detector's report is no JSON
		lines++
		leftOut += said.LeftOut
	}
	return lines, leftOut
}
