package sources

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/annotations/podspec"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

// workloadKind counts the pods of a selector in the workload's own namespace. They are those that the controller watches: nothing is requested.
var workloadKind = Kind{
	Type: catalog.Type{
		Name: "workload", Entryless: true,
		Parameters: []catalog.Parameter{
			{Name: "selector", Kind: catalog.KindWord},
			{Name: "phase", Kind: catalog.KindEnum, Values: []string{phaseRunning, phaseReady, phaseAll}, Default: phaseRunning},
		},
	},
	Open: func(_ *catalog.Entry, env Env) (Client, error) { return workloadClient(env), nil },
}

// The values of phase.
const (
	phaseRunning = "running" // its containers were started, and it is not being deleted
	phaseReady   = "ready"   // it says that it is ready, and is not being deleted
	phaseAll     = "all"     // it has not ended: also while it waits for a node, and while it is being deleted
)

type workloadClient Env

// Close has nothing to give up.
func (workloadClient) Close() {}

// Ask counts for each question.
func (c workloadClient) Ask(_ context.Context, all []metrics.Question, answer func(i int, a metrics.Answer, err error)) {
	inTurn(all, answer, c.count)
}

func (c workloadClient) count(q metrics.Question) (metrics.Answer, error) {
	if c.Pods == nil {
		return metrics.Answer{}, unanswered("has no pods to count here", errors.New("nobody watches pods"))
	}
	text, _ := q.Parameters.Get("selector")
	selector, err := labels.Parse(text)
	if err != nil {
		return metrics.Answer{}, unanswered(`was asked for a selector that is none: want labels such as "app=web,tier!=cache"`, fmt.Errorf("selector %q: %w", text, err))
	}
	if selector.Empty() {
		return metrics.Answer{}, unanswered("was asked for a selector that chooses everything", fmt.Errorf("selector %q", text))
	}
	pods, err := c.Pods(q.Namespace, selector)
	if err != nil {
		return metrics.Answer{}, err
	}
	phase, _ := q.Parameters.Get("phase")
	var counted int64
	for _, pod := range pods {
		if countsAs(phase, pod) {
			counted++
		}
	}
	return answerOf(*resource.NewQuantity(counted, resource.DecimalSI)), nil
}

// countsAs says whether a pod counts.
func countsAs(phase string, pod *podspec.Pod) bool {
	switch phase {
	case phaseAll:
		return pod.Phase != corev1.PodSucceeded && pod.Phase != corev1.PodFailed
	case phaseReady:
		return pod.Ready.Is(corev1.ConditionTrue) && pod.Deleted.IsZero()
	}
	return pod.Phase == corev1.PodRunning && pod.Deleted.IsZero()
}
