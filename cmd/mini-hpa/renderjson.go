package main

import (
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// explanationJSON is the machine form of an explanation. Its policy is in the words of autoscaling/v2.
type explanationJSON struct {
	Namespace string             `json:"namespace"`
	Name      string             `json:"name"`
	Policy    policyJSON         `json:"policy"`
	Warnings  []warningJSON      `json:"warnings,omitempty"`
	Snapshot  recommend.Snapshot `json:"snapshot"`
	Decision  recommend.Decision `json:"decision"`
	// Note says what cannot be seen from outside the controller.
	Note string `json:"note"`
}

type policyJSON struct {
	MinReplicas int32                                         `json:"minReplicas"`
	MaxReplicas int32                                         `json:"maxReplicas"`
	Metrics     []autoscalingv2.MetricSpec                    `json:"metrics"`
	Behavior    autoscalingv2.HorizontalPodAutoscalerBehavior `json:"behavior"`
	Mode        annotations.Mode                              `json:"mode"`
	SyncPeriod  string                                        `json:"syncPeriod"`
}

type warningJSON struct {
	Key     string `json:"key"`
	Message string `json:"message"`
}

func machineForm(e scaler.Explanation) explanationJSON {
	p := e.Policy
	form := explanationJSON{
		Namespace: e.Key.Namespace, Name: e.Key.Name, Snapshot: e.Snapshot, Decision: e.Decision, Note: strings.ReplaceAll(noHistory, "\n", " "),
		Policy: policyJSON{MinReplicas: p.Min, MaxReplicas: p.Max, Metrics: p.Metrics, Mode: p.Mode, SyncPeriod: p.SyncPeriod.String(),
			Behavior: autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleUp: &p.Up, ScaleDown: &p.Down}},
	}
	for _, w := range e.Warnings {
		form.Warnings = append(form.Warnings, warningJSON(w))
	}
	return form
}
