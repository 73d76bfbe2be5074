package annotations

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations/podspec"
)

// isWhole says whether the pod has resources as a whole (KEP-2837). Then the HPA controller reads the request of the pod and not
// those of its containers (calculatePodLevelRequests).
func isWhole(pod *corev1.PodSpec) bool {
	return pod.Resources != nil && len(pod.Resources.Requests)+len(pod.Resources.Limits) > 0
}

// checkWhole looks for the request of a pod that has resources as a whole:
//
//	its own request                               counts, but not "0"
//	else what its containers request together     init containers too: more may be needed at the start (AggregateContainerRequests)
//	else its own limit                            becomes the request (defaultPodRequests)
func (c *requestCheck) checkWhole(d denominator) {
	const subject = "the pod as a whole"
	at := field.NewPath("spec", "template", "spec", "resources")
	if amount, ok := c.pod.Resources.Requests[d.resource]; ok {
		c.checkAmount(d, at, subject, amountOf{amount, podspec.Own})
		return
	}
	if c.checkTogether(d) {
		return
	}
	if amount, ok := c.pod.Resources.Limits[d.resource]; ok {
		c.checkAmount(d, at, subject, amountOf{amount, podspec.Limit})
		return
	}
	c.lacking(d, at, subject)
}

// checkTogether checks the sum of the containers' requests, and says whether it counts: it does if any of them has a request, good or bad.
// Only the finding of the container that says most about the sum is reported, and none if the sum is good.
func (c *requestCheck) checkTogether(d denominator) bool {
	telling, most := func() {}, noSay
	for at, container := range podspec.All(c.pod) {
		if say := c.sayOf(d, container); say > most {
			telling, most = func() { c.checkContainer(d, at, container) }, say
		}
	}
	if most != good {
		telling()
	}
	return most != noSay
}

// say is what the request of one container says about the sum of all; a later value says more.
type say int

const (
	noSay   say = iota // it has none
	zero               // the sum is zero unless another one has more
	ranged             // the sum is above zero for as long as there is a LimitRange
	good               // the sum is above zero
	tooMuch            // and too much for any sum
)

func (c *requestCheck) sayOf(d denominator, container *corev1.Container) say {
	amount, origin := podspec.Given(&container.Resources, d.resource)
	above := good
	if origin == podspec.None {
		_, given, ok := defaultRequest(c.surroundings.LimitRanges, d.resource)
		if !ok {
			return noSay
		}
		amount, above = given, ranged
	}
	switch {
	case amount.Cmp(d.most()) > 0:
		return tooMuch
	case amount.Sign() > 0:
		return above
	}
	return zero
}
