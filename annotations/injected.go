package annotations

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations/podspec"
)

// PlaceholderImage is the image of a container that is written down only to say something of the one that is injected in its place
// (Istio's documentation of customized injection).
const PlaceholderImage = "auto"

// RunningIn are the names, sorted, of the containers that run as long as the newest of the pods, which those of the same ReplicaSet are: what
// older pods have, an earlier template may have had.
func RunningIn(pods []*corev1.Pod) []string {
	if len(pods) == 0 {
		return nil
	}
	newest := slices.MaxFunc(pods, func(a, b *corev1.Pod) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	var names []string
	for _, pod := range pods {
		if ownerOf(pod) == ownerOf(newest) {
			for _, container := range podspec.LongRunning(&pod.Spec) {
				names = append(names, container.Name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func ownerOf(pod *corev1.Pod) types.UID {
	if owner := metav1.GetControllerOfNoCopy(pod); owner != nil {
		return owner.UID
	}
	return ""
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
