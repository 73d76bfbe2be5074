package main

import (
	"cmp"
	"maps"
	"slices"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// neighborhood is what in one namespace bears on whether its Deployments can be scaled.
type neighborhood struct {
	limitRanges map[string]*corev1.LimitRange
	// scalers are the names of the Deployments that an autoscaler scales.
	scalers map[annotations.Autoscaler][]string
	// unknown says why the LimitRanges could not be read, hidden what else could not, for whoever asked.
	unknown string
	hidden  []error
}

func newNeighborhood() neighborhood {
	return neighborhood{limitRanges: map[string]*corev1.LimitRange{}, scalers: map[annotations.Autoscaler][]string{}}
}

// scalerObject is what an HPA of any version and a ScaledObject have in common.
type scalerObject struct {
	Metadata metav1.ObjectMeta `json:"metadata"`
	Spec     struct {
		ScaleTargetRef autoscalingv2.CrossVersionObjectReference `json:"scaleTargetRef"`
	} `json:"spec"`
}

// addScaler adds an object that scales something. One that scales something else takes the place of one in the cluster, too.
func (n neighborhood) addScaler(kind string, s scalerObject) {
	scaler, deployment := annotations.Scales(kind, &s.Metadata, s.Spec.ScaleTargetRef)
	targets := n.scalers[scaler]
	if deployment != "" {
		targets = append(targets, deployment)
	}
	n.scalers[scaler] = targets
}

// over is the neighborhood with what another one has besides.
func (n neighborhood) over(other neighborhood) neighborhood {
	maps.Copy(other.limitRanges, n.limitRanges)
	maps.Copy(other.scalers, n.scalers)
	return other
}

// of is what the neighborhood is for one Deployment.
func (n neighborhood) of(deployment string) annotations.Surroundings {
	s := annotations.Surroundings{Unknown: n.unknown}
	for _, name := range slices.Sorted(maps.Keys(n.limitRanges)) {
		s.LimitRanges = append(s.LimitRanges, n.limitRanges[name])
	}
	for scaler, targets := range n.scalers {
		if slices.Contains(targets, deployment) {
			s.Autoscalers = append(s.Autoscalers, scaler)
		}
	}
	slices.SortFunc(s.Autoscalers, func(a, b annotations.Autoscaler) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return s
}
