package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/mini-hpa/mini-hpa/test/controlplane/loadsim"
)

// setLoad sets the load of each of the workloads from now on. Simulated pods have it in the ConfigMap from which loadsim takes it; a load
// whose text is the same as before goes on. To pods that burn CPU steer brings it, again and again, because they come and go.
func (s *stage) setLoad(ctx context.Context, workloads []string, l load) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range workloads {
		s.loads[name] = setLoad{l, time.Now()}
	}
	if !s.simulated {
		return nil
	}
	control := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: loadsim.ControlName}, Data: map[string]string{}}
	for name, l := range s.loads {
		control.Data[name] = curve(l.load, s.request)
	}
	maps := s.client.CoreV1().ConfigMaps(s.namespace)
	_, err := maps.Update(ctx, control, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		_, err = maps.Create(ctx, control, metav1.CreateOptions{})
	}
	if err != nil {
		return fmt.Errorf("could not set the load of %v: %w", workloads, err)
	}
	return nil
}

// curve is a load as loadsim.ParseCurve reads it.
func curve(l load, request int64) string {
	low, high := l.low*request/100, l.high*request/100
	if l.period == 0 {
		return fmt.Sprintf("%dm", low)
	}
	return fmt.Sprintf("burst(%dm,%dm,%s,%s)", low, high, l.period, l.period/2)
}

// burn is the shell loop in pods that really use CPU. Their part of the load travels as an annotation on the pod, which the kubelet shows
// the container as a file (downward API):
//
//	load of the workload / ready pods -> annotation of each pod -> /load/millicores -> burn.sh
//
//go:embed burn.sh
var burn string

// share is the annotation on a pod that says how many millicores it is to use.
const share = "demo/millicores"

// burns completes a pod that burns CPU.
func burns(pod *corev1.PodSpec, image string) {
	c := &pod.Containers[0]
	c.Image, c.Command = image, []string{"sh", "-c", burn}
	c.VolumeMounts = []corev1.VolumeMount{{Name: "load", MountPath: "/load"}}
	pod.TerminationGracePeriodSeconds = new(int64(1))
	pod.Volumes = []corev1.Volume{{Name: "load", VolumeSource: corev1.VolumeSource{DownwardAPI: &corev1.DownwardAPIVolumeSource{
		Items: []corev1.DownwardAPIVolumeFile{{Path: "millicores", FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.annotations['" + share + "']"}}},
	}}}}
}

// steer gives every ready pod its part of its workload's load, until the stage is closed.
func (s *stage) steer(out io.Writer) {
	ctx, cancel := context.WithCancel(context.Background())
	var steering sync.WaitGroup
	var trouble string
	steering.Go(func() {
		wait.UntilWithContext(ctx, func(ctx context.Context) {
			if err := s.steerOnce(ctx); err != nil && ctx.Err() == nil && err.Error() != trouble {
				trouble = err.Error()
				fmt.Fprintf(out, "   could not steer all pods, will try again: %v\n", err)
			}
		}, time.Second/2)
	})
	s.closers = append(s.closers, func(context.Context) error {
		cancel()
		steering.Wait()
		return nil
	})
}

func (s *stage) steerOnce(ctx context.Context) error {
	list, err := s.client.CoreV1().Pods(s.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("could not list the pods: %w", err)
	}
	s.mu.Lock()
	parts := s.shares(list.Items)
	s.mu.Unlock()
	var errs []error
	for i := range list.Items {
		pod := &list.Items[i]
		if milli, ready := parts[pod.Name]; ready && pod.Annotations[share] != milli {
			patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, share, milli)
			_, err := s.client.CoreV1().Pods(s.namespace).Patch(ctx, pod.Name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// shares divides the loads over the ready pods, as a Service would. Values are millicores as text.
func (s *stage) shares(pods []corev1.Pod) map[string]string {
	carry := map[string][]string{}
	for _, pod := range ready(pods) {
		carry[pod.Labels[label]] = append(carry[pod.Labels[label]], pod.Name)
	}
	parts := map[string]string{}
	for workload, names := range carry {
		l := s.loads[workload]
		for _, name := range names {
			parts[name] = strconv.FormatInt(l.at(time.Since(l.since), s.request)/int64(len(names)), 10)
		}
	}
	return parts
}

// ready are the pods that are ready and not on their way out.
func ready(pods []corev1.Pod) []corev1.Pod {
	return slices.DeleteFunc(slices.Clone(pods), func(pod corev1.Pod) bool {
		return pod.DeletionTimestamp != nil || !slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
		})
	})
}
