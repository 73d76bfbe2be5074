package keda

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kjson "sigs.k8s.io/json"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/amount"
	"github.com/mini-hpa/mini-hpa/annotations/hpa"
)

// ScaledObject is what keda.sh/v1alpha1 has by that name, as far as it is read (apis/keda/v1alpha1/scaledobject_types.go of KEDA).
type ScaledObject struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              Spec            `json:"spec"`
	Status            json.RawMessage `json:"status"`
}

// Spec is its spec.
type Spec struct {
	ScaleTargetRef        Target    `json:"scaleTargetRef"`
	PollingInterval       *int32    `json:"pollingInterval"`
	InitialCooldownPeriod *int32    `json:"initialCooldownPeriod"`
	CooldownPeriod        *int32    `json:"cooldownPeriod"`
	IdleReplicaCount      *int32    `json:"idleReplicaCount"`
	MinReplicaCount       *int32    `json:"minReplicaCount"`
	MaxReplicaCount       *int32    `json:"maxReplicaCount"`
	Advanced              *Advanced `json:"advanced"`
	Triggers              []Trigger `json:"triggers"`
	Fallback              *Fallback `json:"fallback"`
}

// Target says what is scaled.
type Target struct {
	APIVersion             string `json:"apiVersion"`
	Kind                   string `json:"kind"`
	Name                   string `json:"name"`
	EnvSourceContainerName string `json:"envSourceContainerName"`
}

// Advanced is what few ScaledObjects say.
type Advanced struct {
	HorizontalPodAutoscalerConfig *struct {
		Name     string                                         `json:"name"`
		Behavior *autoscalingv2.HorizontalPodAutoscalerBehavior `json:"behavior"`
	} `json:"horizontalPodAutoscalerConfig"`
	RestoreToOriginalReplicaCount bool `json:"restoreToOriginalReplicaCount"`
	ScalingModifiers              struct {
		Formula          string                         `json:"formula"`
		Target           string                         `json:"target"`
		ActivationTarget string                         `json:"activationTarget"`
		MetricType       autoscalingv2.MetricTargetType `json:"metricType"`
	} `json:"scalingModifiers"`
}

// Fallback is what there is while a trigger fails.
type Fallback struct {
	FailureThreshold int32  `json:"failureThreshold"`
	Replicas         int32  `json:"replicas"`
	Behavior         string `json:"behavior"`
}

// Trigger is one thing that it is scaled on.
type Trigger struct {
	Type              string                         `json:"type"`
	Name              string                         `json:"name"`
	UseCachedMetrics  bool                           `json:"useCachedMetrics"`
	Metadata          map[string]string              `json:"metadata"`
	AuthenticationRef *Authentication                `json:"authenticationRef"`
	MetricType        autoscalingv2.MetricTargetType `json:"metricType"`
}

// Authentication names what has a trigger's credentials.
type Authentication struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
}

// Read reads the JSON of a ScaledObject. The error says that it is none, or, as a *field.Error, which of its quantities would take hours to read. Fields that it does not have are remarks.
func Read(data []byte) (*ScaledObject, []hpa.Remark, error) {
	o := &ScaledObject{}
	if err := amount.Check(data, o); err != nil {
		return nil, nil, err
	}
	unknown, err := kjson.UnmarshalStrict(data, o)
	switch {
	case err != nil:
		return nil, nil, errors.New(strings.TrimPrefix(err.Error(), "json: "))
	case !strings.HasPrefix(o.APIVersion, annotations.GroupKEDA+"/") || o.Kind != annotations.KindScaledObject:
		return nil, nil, fmt.Errorf("is a %q of %q; want a ScaledObject of keda.sh/v1alpha1", o.Kind, o.APIVersion)
	case o.Spec.ScaleTargetRef.Name == "":
		return nil, nil, errors.New("spec.scaleTargetRef.name is missing")
	}
	var remarks []hpa.Remark
	for _, problem := range unknown {
		remarks = append(remarks, hpa.Remark{Path: pathOf(problem), Why: "is not known: " + problem.Error(), Do: "compare docs/migrate.md", Lost: true})
	}
	return o, remarks, nil
}

func pathOf(problem error) string {
	if field, ok := problem.(kjson.FieldError); ok { //nolint:errorlint // UnmarshalStrict returns them as they are
		return field.FieldPath()
	}
	return ""
}
