package webhook

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// maxPorts is per container. It bounds what a port takes that is written as {}.
const maxPorts = 200

// If requests wake a workload, more of its template is read: how requests reach its pods, and how its pods end.
type (
	wireWay struct {
		Metadata struct {
			Labels wireLabels `json:"labels"`
		} `json:"metadata"`
		Spec struct {
			Grace      *int64           `json:"terminationGracePeriodSeconds"`
			Containers wireWayOfRequest `json:"containers"`
		} `json:"spec"`
	}
	wireLabels       map[string]string
	wireWayOfRequest []wireEnd
	wireEnd          struct {
		Ports     wirePorts `json:"ports"`
		Lifecycle *struct {
			PreStop *struct {
				Sleep *corev1.SleepAction `json:"sleep"`
			} `json:"preStop"`
		} `json:"lifecycle"`
	}
	wirePorts []corev1.ContainerPort
)

// readWay reads that into a workload whose template was read already.
func readWay(w *annotations.Workload, template json.RawMessage) error {
	if w.Annotations[annotations.WakeKey] == "" || w.Template == nil || len(template) == 0 {
		return nil
	}
	var way wireWay
	if err := utiljson.Unmarshal(template, &way); err != nil {
		return fmt.Errorf("the pod template cannot be read: %w", err)
	}
	if way.Metadata.Labels != nil {
		w.Template.Labels = way.Metadata.Labels
	}
	w.Template.Spec.TerminationGracePeriodSeconds = way.Spec.Grace
	for i, end := range way.Spec.Containers {
		container := &w.Template.Spec.Containers[i] // of the same list
		container.Ports = end.Ports
		if end.Lifecycle != nil && end.Lifecycle.PreStop != nil {
			container.Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: end.Lifecycle.PreStop.Sleep}}
		}
	}
	return nil
}

// UnmarshalJSON keeps all labels, if they are no more than the API server takes.
func (l *wireLabels) UnmarshalJSON(raw []byte) error {
	if isNull(raw) {
		return nil
	}
	if len(raw) > maxAnnotations {
		return fmt.Errorf("its labels are %w", errTooLarge)
	}
	return utiljson.Unmarshal(raw, (*map[string]string)(l))
}

// UnmarshalJSON stops at the first container too many.
func (c *wireWayOfRequest) UnmarshalJSON(raw []byte) error {
	if isNull(raw) {
		return nil
	}
	return elements(raw, func(text json.RawMessage) error {
		if len(*c) == maxContainers {
			return fmt.Errorf("more than %d are %w", maxContainers, errTooLarge)
		}
		var one wireEnd
		if err := utiljson.Unmarshal(text, &one); err != nil {
			return err
		}
		*c = append(*c, one)
		return nil
	})
}

// UnmarshalJSON stops at the first port too many.
func (p *wirePorts) UnmarshalJSON(raw []byte) error {
	if isNull(raw) {
		return nil
	}
	return elements(raw, func(text json.RawMessage) error {
		if len(*p) == maxPorts {
			return fmt.Errorf("more than %d ports are %w", maxPorts, errTooLarge)
		}
		var one corev1.ContainerPort
		if err := utiljson.Unmarshal(text, &one); err != nil {
			return err
		}
		*p = append(*p, one)
		return nil
	})
}
