package stage

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/mini-hpa/mini-hpa/test/demo/observe"
)

const (
	// share is the annotation on a pod that says how many millicores it is to use.
	share = "demo/millicores"
	// steering is the time between two looks at which pods are ready.
	steering = 500 * time.Millisecond
)

// burn is the shell loop in the pods.
//
//go:embed burn.sh
var burn string

// burners are pods that really use CPU. Their part of the load travels as an annotation on the pod, which the kubelet shows the
// container as a file (downward API):
//
//	load of the workload / ready pods -> annotation of each pod -> /load/millicores -> burn.sh
type burners struct {
	client    kubernetes.Interface
	namespace string
	request   int64
	name      string // of the image
	out       io.Writer

	mu      sync.Mutex
	loads   map[string]setLoad
	trouble string // what was last complained about
}

func (b *burners) image() string { return b.name }

func (b *burners) dress(p *podParts) {
	p.container.Command = []string{"sh", "-c", burn}
	p.container.VolumeMounts = []corev1.VolumeMount{{Name: "load", MountPath: "/load"}}
	p.pod.TerminationGracePeriodSeconds = new(int64(1))
	p.pod.Volumes = []corev1.Volume{{Name: "load", VolumeSource: corev1.VolumeSource{DownwardAPI: &corev1.DownwardAPIVolumeSource{
		Items: []corev1.DownwardAPIVolumeFile{{
			Path:     "millicores",
			FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.annotations['" + share + "']"},
		}},
	}}}}
}

// perform only notes the loads; run brings them to the pods, again and again, because pods come and go.
func (b *burners) perform(_ context.Context, loads map[string]setLoad) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.loads = maps.Clone(loads)
	return nil
}

// run steers until ctx ends.
func (b *burners) run(ctx context.Context) {
	wait.UntilWithContext(ctx, func(ctx context.Context) {
		if err := b.steer(ctx); err != nil && ctx.Err() == nil && err.Error() != b.trouble {
			b.trouble = err.Error()
			say(b.out, "   could not steer all pods, will try again: %v", err)
		}
	}, steering)
}

// steer gives every ready pod its part of its workload's load.
func (b *burners) steer(ctx context.Context) error {
	list, err := b.client.CoreV1().Pods(b.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("could not list the pods: %w", err)
	}
	b.mu.Lock()
	parts := shares(list.Items, b.loads, b.request, time.Now())
	b.mu.Unlock()
	var errs []error
	for i := range list.Items {
		pod := &list.Items[i]
		if milli, ready := parts[pod.Name]; ready && pod.Annotations[share] != milli {
			errs = append(errs, b.tell(ctx, pod.Name, milli))
		}
	}
	return errors.Join(errs...)
}

// shares divides the loads over the ready pods, as a Service would. Values are millicores as text.
func shares(pods []corev1.Pod, loads map[string]setLoad, request int64, now time.Time) map[string]string {
	ready := map[string][]string{}
	for _, pod := range pods {
		if workload := pod.Labels[observe.Label]; isReady(pod) {
			ready[workload] = append(ready[workload], pod.Name)
		}
	}
	parts := map[string]string{}
	for workload, names := range ready {
		milli := loads[workload].milli(now, request) / int64(len(names))
		for _, name := range names {
			parts[name] = strconv.FormatInt(milli, 10)
		}
	}
	return parts
}

func isReady(pod corev1.Pod) bool {
	if pod.DeletionTimestamp != nil {
		return false
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

func (b *burners) tell(ctx context.Context, pod, milli string) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{share: milli}}})
	if err != nil {
		return fmt.Errorf("could not write a patch: %w", err)
	}
	_, err = b.client.CoreV1().Pods(b.namespace).Patch(ctx, pod, types.MergePatchType, patch, metav1.PatchOptions{})
	if err != nil {
		return fmt.Errorf("could not tell pod %s its load: %w", pod, err)
	}
	return nil
}
