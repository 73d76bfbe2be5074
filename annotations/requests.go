package annotations

import (
	"fmt"
	"iter"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations/podspec"
)

// checkRequests finds out whether the pods of a workload will have the requests that the targets of the policy are
// percentages of, and the containers that its metrics name. As in the API server:
//
//	request of the container                    counts, but not "0"
//	limit without a request                     becomes the request of each pod (SetDefaults_Pod)
//	neither, and a LimitRange with a default    becomes the request of each pod (LimitRanger)
//	resources of the pod as a whole             count instead of the containers' (KEP-2837)
//
// Containers are those that run as long as the pod: the ordinary ones, and init containers with restartPolicy Always. Of a workload
// without a pod template nothing is known, which is a warning.
func checkRequests(w *Workload, p Policy, s Surroundings) ([]Warning, field.ErrorList) {
	c := newRequestCheck(w, s)
	c.checkAgainst(p)
	return c.warnings, c.errs
}

func newRequestCheck(w *Workload, s Surroundings) *requestCheck {
	return &requestCheck{workload: w, template: w.template(), pod: &w.template().Spec, surroundings: s, annotations: w.Annotations,
		told: map[string]bool{}, looked: map[corev1.ResourceName]bool{}}
}

// checkAgainst is about all metrics of a policy.
func (c *requestCheck) checkAgainst(p Policy) {
	for d := range denominators(c.annotations, p) {
		c.check(d)
	}
}

// denominators are those of all targets of a policy for the usage of a resource. The annotations are those that it was made of.
func denominators(annotations map[string]string, p Policy) iter.Seq[denominator] {
	sources := sourcesOf(annotations)
	return func(yield func(denominator) bool) {
		for i := range p.Metrics {
			resource, container, target := Usage(&p.Metrics[i].Spec)
			if target != nil && !yield(denominator{resource, container, target, sources(i)}) {
				return
			}
		}
	}
}

// sourcesOf says from which annotation a metric of the policy comes; draft.metrics has the same order.
func sourcesOf(annotations map[string]string) func(i int) source {
	var short []string
	for _, key := range []string{TargetCPU, TargetMemory} {
		if _, ok := annotations[key]; ok {
			short = append(short, key)
		}
	}
	return func(i int) source {
		if i < len(short) {
			return source{name: short[i], at: Path(short[i]), container: Path(Container), amount: amounts(short[i])}
		}
		i -= len(short)
		return source{name: fmt.Sprintf("%s[%d]", Metrics, i), at: Path(Metrics).Index(i), container: Path(Metrics).Index(i).Child("containerResource", "container"),
			amount: fmt.Sprintf("use a target of type %s", autoscalingv2.AverageValueMetricType)}
	}
}

func amounts(key string) string {
	if key == TargetMemory {
		return `make the target an amount such as "512Mi"`
	}
	return `make the target an amount such as "250m"`
}

// source is where a target was asked for.
type source struct {
	name      string      // for messages
	at        *field.Path // where it is
	container *field.Path // where the container is named
	amount    string      // what needs no request
}

// denominator is what a target may be a percentage of.
type denominator struct {
	resource  corev1.ResourceName
	container string // the only one that counts; empty if all do
	target    *autoscalingv2.MetricTarget
	source    source
}

// isNeeded says whether the target is a percentage; an absolute one only needs its container.
func (d *denominator) isNeeded() bool { return d.target.Type == autoscalingv2.UtilizationMetricType }

// averageValue is the field of the list of metrics that has the amount. It is made only where there is something to say.
func (d *denominator) averageValue() *field.Path {
	kind := "resource"
	if d.container != "" {
		kind = "containerResource"
	}
	return d.source.at.Child(kind, "target", "averageValue")
}

// what is the resource as people write it. A name from a list of metrics can be any text.
func (d *denominator) what() string {
	if d.resource == corev1.ResourceCPU {
		return "CPU"
	}
	if d.resource == corev1.ResourceMemory {
		return "memory"
	}
	return fmt.Sprintf("%q", clean(string(d.resource), shown))
}

// in is the place of the resource in a list of amounts.
func (d *denominator) in(list *field.Path) *field.Path {
	return list.Key(clean(string(d.resource), shown))
}

// most is what usage can be compared with; Quantity.MilliValue wraps around without an error beyond.
func (d *denominator) most() resource.Quantity {
	if d.resource == corev1.ResourceCPU {
		return *resource.NewMilliQuantity(maxMilliCPU, resource.DecimalSI)
	}
	return *resource.NewQuantity(maxMemory, resource.BinarySI)
}

// maxFindings bounds the findings about requests: a pod template can have one for each container and resource. For an earlier form the
// bound is larger than any real number of findings.
const maxFindings, maxEarlier = 100, 2000

// requestCheck is one call of checkRequests.
type requestCheck struct {
	workload     *Workload
	template     *corev1.PodTemplateSpec
	pod          *corev1.PodSpec
	surroundings Surroundings
	annotations  map[string]string
	// behind says that a container which is not known may be any, alone or together with the others.
	behind bool
	// told has the fields that have a finding, so that two metrics of one resource do not report the same; looked has the resources
	// that were checked in all containers.
	told     map[string]bool
	looked   map[corev1.ResourceName]bool
	warnings []Warning
	errs     field.ErrorList
}

func (c *requestCheck) check(d denominator) {
	switch {
	case c.workload.Template == nil, d.container != "" && !hasContainers(c.pod):
		c.unknown(d)
	case d.container != "":
		c.checkOne(d)
	case d.isNeeded() && !c.looked[d.resource]:
		c.looked[d.resource] = true
		c.checkAll(d)
	}
}

// hasContainers is false for what is no pod template yet, as in a part of a manifest that is merged into the rest later. No API server stores it.
func hasContainers(pod *corev1.PodSpec) bool {
	for range podspec.LongRunning(pod) {
		return true
	}
	return false
}

// unknown is about a workload without a pod template.
func (c *requestCheck) unknown(d denominator) {
	switch kind := clean(c.workload.Kind.Kind, shownName); {
	case d.isNeeded():
		c.warn(d.source.at, FoundNoTemplate, fmt.Sprintf("is a percentage of the %s that pods request, and this %s has no pod template to see that in; "+
			"the controller looks for requests in its pods, and does not scale while they have none", d.what(), kind))
	case d.container != "":
		c.warn(d.source.container, FoundNoTemplate, fmt.Sprintf("names container %q, and this %s has no pod template to see in whether there is one; "+
			"there is nothing to measure in pods that lack it", clean(d.container, shown), kind))
	}
}

// checkAll is about the pod, or all of its containers.
func (c *requestCheck) checkAll(d denominator) {
	if isWhole(c.pod) {
		c.checkWhole(d)
		return
	}
	for at, container := range podspec.LongRunning(c.pod) {
		c.checkContainer(d, at, container)
	}
}

// checkOne is about the metric of one container.
func (c *requestCheck) checkOne(d denominator) {
	var names []string
	for at, container := range podspec.LongRunning(c.pod) {
		if container.Name == d.container {
			if d.isNeeded() {
				c.checkContainer(d, at, container)
			}
			return
		}
		if len(names) < maxProblems {
			names = append(names, fmt.Sprintf("%q", clean(container.Name, shown)))
		}
	}
	if why := injected(c.template, c.surroundings, d.container); why != "" {
		c.warn(d.source.container, FoundInjected, fmt.Sprintf(
			"container %q is not in the pod template, which has %s; it may be injected (%s), and there is nothing to measure in pods that lack it",
			clean(d.container, shown), strings.Join(names, ", "), why))
		return
	}
	c.problem(field.Invalid(d.source.container, d.container,
		"must be a container of the pod template that runs as long as the pod: "+strings.Join(names, ", ")), FoundUnknownContainer)
	if c.behind && d.isNeeded() && !c.looked[d.resource] {
		c.looked[d.resource] = true
		c.checkAll(d)
		for at, container := range podspec.LongRunning(c.pod) {
			c.checkContainer(d, at, container)
		}
	}
}

// checkContainer looks for the request of one container.
func (c *requestCheck) checkContainer(d denominator, place podspec.Place, container *corev1.Container) {
	amount, origin := podspec.Given(&container.Resources, d.resource)
	if origin == podspec.Own && amount.Sign() > 0 && amount.Cmp(d.most()) <= 0 || c.full() {
		return // nearly always
	}
	at, subject := pathOf(place).Child("resources"), fmt.Sprintf("container %q", clean(container.Name, shown))
	if origin != podspec.None {
		c.checkAmount(d, at, subject, amountOf{amount, origin})
		return
	}
	if from, amount, ok := defaultRequest(c.surroundings.LimitRanges, d.resource); ok {
		c.ranged(d, at, subject, from, amount)
		return
	}
	if isPlaceholder(container) {
		c.warn(d.in(at.Child("requests")), FoundInjected, fmt.Sprintf("%s has no %s request; it is a placeholder (its image is %q), and what is injected in its place needs one",
			subject, d.what(), PlaceholderImage))
		return
	}
	c.lacking(d, at, subject)
}

// ranged is about a request that a LimitRange gives.
func (c *requestCheck) ranged(d denominator, at *field.Path, subject string, from *corev1.LimitRange, amount resource.Quantity) {
	at = d.in(at.Child("requests"))
	if most := d.most(); amount.Cmp(most) > 0 {
		c.problem(field.Invalid(at, clean(amount.String(), shown), fmt.Sprintf("is what %s gives %s; must be at most %s because %s is a percentage of it",
			c.surroundings.titleOf(from), subject, most.String(), d.source.name)), FoundInvalidRequest)
		return
	}
	c.warn(at, FoundRequestFromLimitRange, fmt.Sprintf(
		"%s has no %s request; its pods get %s from %s, and cannot be autoscaled without it", subject, d.what(), amount.String(), c.surroundings.titleOf(from)))
}

// lacking is about a request that nothing supplies, as far as is known.
func (c *requestCheck) lacking(d denominator, at *field.Path, subject string) {
	at = at.Child("requests")
	if c.surroundings.Unknown != "" {
		c.warn(d.in(at), FoundUnverifiedRequest, fmt.Sprintf(
			"%s has no %s request, and it is not known whether a LimitRange gives it one: %s", subject, d.what(), c.surroundings.Unknown))
		return
	}
	c.problem(field.Required(d.in(at), fmt.Sprintf("%s has no %s request, and %s is a percentage of it; set its resources.requests.%s, or %s",
		subject, d.what(), d.source.name, clean(string(d.resource), shown), d.source.amount)), FoundMissingRequest)
}

// amountOf is an amount and where it is from.
type amountOf struct {
	resource.Quantity
	origin podspec.Origin
}

// checkAmount demands something that can be divided by, and says so where it is only there because of a limit.
func (c *requestCheck) checkAmount(d denominator, at *field.Path, subject string, amount amountOf) {
	at, allowed := d.in(at.Child(amountsOf(amount.origin))), ""
	switch most := d.most(); {
	case amount.Sign() <= 0:
		allowed = "must be above 0"
	case amount.Cmp(most) > 0:
		allowed = "must be at most " + most.String()
	case amount.origin == podspec.Limit:
		c.warn(at, FoundRequestFromLimit, fmt.Sprintf("%s has no %s request; its limit of %s counts as one, as Kubernetes copies it into the request of each pod",
			subject, d.what(), amount.String()))
		return
	default:
		return
	}
	c.problem(field.Invalid(at, clean(amount.String(), shown), fmt.Sprintf("%s because %s is a percentage of what %s requests",
		allowed, d.source.name, subject)), FoundInvalidRequest)
}

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

func (c *requestCheck) full() bool {
	most := maxFindings
	if c.surroundings.Earlier {
		most = maxEarlier
	}
	return len(c.errs)+len(c.warnings) >= most
}

// problem adds a problem, if there was none for this field yet.
func (c *requestCheck) problem(e *field.Error, rule string) {
	if !c.told[e.Field] && !c.full() {
		c.told[e.Field] = true
		c.errs = append(c.errs, e.WithOrigin(rule))
	}
}

func (c *requestCheck) warn(at *field.Path, rule, message string) {
	if field := at.String(); !c.told[field] && !c.full() {
		c.told[field] = true
		c.warnings = append(c.warnings, Warning{Field: field, Rule: rule, Message: message})
	}
}
