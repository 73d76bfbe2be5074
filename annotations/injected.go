package annotations

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations/podspec"
)

// PlaceholderImage is the image of a container that is written down only to say something of the one that is injected in its place
// (Istio's documentation of customized injection).
const PlaceholderImage = "auto"

// RunningIn are the names, sorted, of the containers that run as long as the newest of the pods, which those of the same ReplicaSet are: what
// older pods have, an earlier template may have had.
func RunningIn(pods []*podspec.Pod) []string {
	if len(pods) == 0 {
		return nil
	}
	newest := slices.MaxFunc(pods, func(a, b *podspec.Pod) int { return a.Created.Compare(b.Created) })
	var names []string
	for _, pod := range pods {
		if pod.Owner == newest.Owner {
			for _, container := range pod.Spec.LongRunning() {
				names = append(names, container.Name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// withoutThoseOf are the surroundings without those containers of pods that come of a template.
func (s Surroundings) withoutThoseOf(t *corev1.PodTemplateSpec) Surroundings {
	s.Containers = slices.DeleteFunc(slices.Clone(s.Containers), func(name string) bool {
		return podspec.Has(&t.Spec, name)
	})
	return s
}

func isPlaceholder(container *corev1.Container) bool { return container.Image == PlaceholderImage }

// LacksContainer says whether a problem is a container that is not known. It may be injected.
func LacksContainer(e *field.Error) bool { return e.Origin == FoundUnknownContainer }
