//go:build linux

package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mini-hpa/mini-hpa/test/controlplane/loadsim"
)

// crowdNamespaces is among how many namespaces the churn is spread.
const crowdNamespaces = 10

// crowd makes workloads and takes them away.
type crowd struct {
	*arena
	perSecond int

	mu      sync.Mutex
	created int
	lasted  time.Duration
	failed  error
}

func newCrowd(a *arena, perSecond int) *crowd { return &crowd{arena: a, perSecond: perSecond} }

// first makes the namespaces, and a workload that stays.
func (c *crowd) first(ctx context.Context) error {
	for i := range crowdNamespaces {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("churn-%d", i)}}
		if _, err := c.client.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	return c.come(ctx, types.NamespacedName{Namespace: "churn-0", Name: "stays"})
}

// run lets so many come each second, and go after their lifetime, and returns when all are gone. It stops at the first failure.
func (c *crowd) run(ctx context.Context, while time.Duration) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var alive sync.WaitGroup
	began := time.Now()
	for n := 0; ; n++ {
		due := began.Add(time.Duration(n) * time.Second / time.Duration(c.perSecond))
		if due.Sub(began) >= while {
			break
		}
		if err := pause(ctx, time.Until(due)); err != nil {
			break
		}
		name := types.NamespacedName{Namespace: fmt.Sprintf("churn-%d", n%crowdNamespaces), Name: fmt.Sprintf("web-%d", n)}
		alive.Go(func() { c.note(c.live(ctx, name), cancel) })
	}
	alive.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lasted = time.Since(began)
	return c.failed
}

func (c *crowd) note(err error, cancel context.CancelFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.created++
	if err != nil && c.failed == nil {
		c.failed = err
		cancel()
	}
}

// live is the life of one workload.
func (c *crowd) live(ctx context.Context, name types.NamespacedName) error {
	if err := c.come(ctx, name); err != nil {
		return fmt.Errorf("%s does not come: %w", name, err)
	}
	if err := pause(ctx, lifetime); err != nil {
		return err
	}
	if err := c.goAway(ctx, name); err != nil {
		return fmt.Errorf("%s does not go: %w", name, err)
	}
	return nil
}

// come makes a Deployment with what Kubernetes' controllers would make of it. Its load asks for more replicas.
func (c *crowd) come(ctx context.Context, name types.NamespacedName) error {
	c.load.SetLoad(name.Namespace, name.Name, loadsim.Constant(2*target))
	d := deployment(name, 1)
	d.Annotations = map[string]string{"mini-hpa/target-cpu": fmt.Sprint(target), "mini-hpa/min": "1", "mini-hpa/max": "10"}
	d, err := c.client.AppsV1().Deployments(name.Namespace).Create(ctx, d, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	rs := &appsv1.ReplicaSet{
		ObjectMeta: owned(name, d.Labels, metav1.NewControllerRef(d, appsv1.SchemeGroupVersion.WithKind("Deployment"))),
		Spec:       appsv1.ReplicaSetSpec{Replicas: d.Spec.Replicas, Selector: d.Spec.Selector, Template: d.Spec.Template},
	}
	if rs, err = c.client.AppsV1().ReplicaSets(name.Namespace).Create(ctx, rs, metav1.CreateOptions{}); err != nil {
		return err
	}
	pod := &corev1.Pod{
		ObjectMeta: owned(name, rs.Spec.Template.Labels, metav1.NewControllerRef(rs, appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))),
		Spec:       rs.Spec.Template.Spec,
	}
	pod.Spec.NodeName = "none" // or the scheduler would look for one
	if pod, err = c.client.CoreV1().Pods(name.Namespace).Create(ctx, pod, metav1.CreateOptions{}); err != nil {
		return err
	}
	now := metav1.Now()
	pod.Status = corev1.PodStatus{Phase: corev1.PodRunning, StartTime: &now, Conditions: []corev1.PodCondition{
		{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: now}}}
	_, err = c.client.CoreV1().Pods(name.Namespace).UpdateStatus(ctx, pod, metav1.UpdateOptions{})
	return err
}

func owned(name types.NamespacedName, labels map[string]string, by *metav1.OwnerReference) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name, Labels: labels, OwnerReferences: []metav1.OwnerReference{*by}}
}

// goAway deletes all three, in the order in which Kubernetes' garbage collector does.
func (c *crowd) goAway(ctx context.Context, name types.NamespacedName) error {
	now := metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))}
	if err := c.client.AppsV1().Deployments(name.Namespace).Delete(ctx, name.Name, now); err != nil {
		return err
	}
	if err := c.client.AppsV1().ReplicaSets(name.Namespace).Delete(ctx, name.Name, now); err != nil {
		return err
	}
	return c.client.CoreV1().Pods(name.Namespace).Delete(ctx, name.Name, now)
}
