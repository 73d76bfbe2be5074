package explain

import (
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/scaler"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// explanationJSON is the machine form of an explanation. Its policy is in the words of autoscaling/v2.
type explanationJSON struct {
	Kind      string             `json:"kind"`
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
	WarmUp      string                                        `json:"warmUp"`
	SyncPeriod  string                                        `json:"syncPeriod"`
}

// warningJSON is one warning; its key is empty if it is not about an annotation.
type warningJSON struct {
	Key     string `json:"key,omitempty"`
	Field   string `json:"field"`
	Rule    string `json:"rule"`
	Message string `json:"message"`
}

func machineForm(e scaler.Explanation) explanationJSON {
	p := e.Policy
	form := explanationJSON{
		Kind: e.Key.Kind.Kind, Namespace: e.Key.Namespace, Name: e.Key.Name, Snapshot: e.Snapshot, Decision: e.Decision, Note: strings.ReplaceAll(noHistory, "\n", " "),
		Policy: policyJSON{MinReplicas: p.Min, MaxReplicas: p.Max, Mode: p.Mode, WarmUp: p.WarmUp.String(), SyncPeriod: p.SyncPeriod.String(),
			Behavior: autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleUp: &p.Up, ScaleDown: &p.Down}},
	}
	for _, m := range p.Metrics {
		form.Policy.Metrics = append(form.Policy.Metrics, m.Spec)
	}
	for _, w := range e.Warnings {
		form.Warnings = append(form.Warnings, warningJSON{Key: cli.Clean(w.Key), Field: w.Path(), Rule: w.Rule, Message: w.Message})
	}
	return form
}
