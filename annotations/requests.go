package annotations

import (
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// CheckRequests finds out whether the pods of a workload will have the requests that the targets of the policy are
// percentages of, and the containers that its metrics name. As in the API server:
//
//	request of the container                    counts, but not "0"
//	limit without a request                     becomes the request of each pod (SetDefaults_Pod)
//	neither, and a LimitRange with a default    becomes the request of each pod (LimitRanger)
//	resources of the pod as a whole             count instead of the containers' (KEP-2837)
//
// Containers are those that run as long as the pod: the ordinary ones, and init containers with restartPolicy Always.
func CheckRequests(w *appsv1.Deployment, p Policy, s Surroundings) ([]Warning, field.ErrorList) {
	c := requestCheck{pod: &w.Spec.Template.Spec, surroundings: s, seen: map[string]bool{}}
	sources := sourcesOf(w.Annotations)
	for i := range p.Metrics {
		m := &p.Metrics[i]
		if t := targetOf(m); t != nil {
			name, container, _ := usage(m)
			c.check(denominator{resource: name, container: container, source: sources(i), needed: t.Type == autoscalingv2.UtilizationMetricType})
		}
	}
	return c.warnings, c.errs
}

// targetOf is the target for the usage of a resource; nil if the metric is another one.
func targetOf(m *autoscalingv2.MetricSpec) *autoscalingv2.MetricTarget {
	switch {
	case m.Resource != nil:
		return &m.Resource.Target
	case m.ContainerResource != nil:
		return &m.ContainerResource.Target
	}
	return nil
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
			return source{name: short[i], container: path(Container), amount: amounts(short[i])}
		}
		i -= len(short)
		return source{name: fmt.Sprintf("%s[%d]", Metrics, i), container: path(Metrics).Index(i).Child("containerResource", "container"),
			amount: fmt.Sprintf("a target of type %s", autoscalingv2.AverageValueMetricType)}
	}
}

func amounts(key string) string {
	if key == TargetMemory {
		return `an amount such as "512Mi"`
	}
	return `an amount such as "250m"`
}

// source is where a target was asked for.
type source struct {
	name      string      // for messages
	container *field.Path // where the container is named
	amount    string      // what needs no request
}

// denominator is what a target may be a percentage of.
type denominator struct {
	resource  corev1.ResourceName
	container string // the only one that counts; empty if all do
	source    source
	needed    bool // false for an absolute target, which only needs its container
}

// what is the resource as people write it.
func (d *denominator) what() string {
	if d.resource == corev1.ResourceCPU {
		return "CPU"
	}
	return string(d.resource)
}

// requestCheck is one call of CheckRequests.
type requestCheck struct {
	pod          *corev1.PodSpec
	surroundings Surroundings
	// seen are the fields that were looked at, so that two metrics of the same resource or container do not tell the same.
	seen     map[string]bool
	warnings []Warning
	errs     field.ErrorList
}

func (c *requestCheck) check(d denominator) {
	switch {
	case d.container != "":
		c.checkOne(d)
	case d.needed && isWhole(c.pod):
		c.checkWhole(d)
	case d.needed:
		for at, container := range longRunning(c.pod) {
			c.checkContainer(d, at, container)
		}
	}
}

// checkOne is about the metric of one container.
func (c *requestCheck) checkOne(d denominator) {
	var names []string
	for at, container := range longRunning(c.pod) {
		if container.Name != d.container {
			if len(names) < maxProblems {
				names = append(names, fmt.Sprintf("%q", clean(container.Name, shown)))
			}
			continue
		}
		if d.needed {
			c.checkContainer(d, at, container)
		}
		return
	}
	if !c.first("", d.source.container) {
		return
	}
	c.errs = append(c.errs, field.Invalid(d.source.container, d.container,
		"must be a container of the pod template that runs as long as the pod: "+strings.Join(names, ", ")).WithOrigin(FoundUnknownContainer))
}

// first says whether this field was not looked at yet.
func (c *requestCheck) first(name corev1.ResourceName, at *field.Path) bool {
	key := string(name) + " " + at.String()
	known := c.seen[key]
	c.seen[key] = true
	return !known
}

// checkContainer looks for the request of one container.
func (c *requestCheck) checkContainer(d denominator, at *field.Path, container *corev1.Container) {
	if !c.first(d.resource, at) {
		return
	}
	at = at.Child("resources")
	subject := fmt.Sprintf("container %q", clean(container.Name, shown))
	if c.checkAmounts(d, at, subject, container.Resources) {
		return
	}
	if from, amount, ok := defaultRequest(c.surroundings.LimitRanges, d.resource); ok {
		c.warn(at.Child("requests").Key(string(d.resource)), FoundRequestFromLimitRange, fmt.Sprintf(
			"%s has no %s request; its pods get %s from LimitRange %q, and cannot be autoscaled without it", subject, d.what(), amount.String(), from))
		return
	}
	if c.surroundings.Unknown != "" {
		c.warn(at.Child("requests").Key(string(d.resource)), FoundUnverifiedRequest, fmt.Sprintf(
			"%s has no %s request, and it is not known whether a LimitRange gives it one: %s", subject, d.what(), c.surroundings.Unknown))
		return
	}
	c.missing(d, at, subject)
}

func (c *requestCheck) missing(d denominator, at *field.Path, subject string) {
	c.errs = append(c.errs, field.Required(at.Child("requests").Key(string(d.resource)), fmt.Sprintf(
		"%s has no %s request, and %s is a percentage of it; set its resources.requests.%s, or make the target %s",
		subject, d.what(), d.source.name, d.resource, d.source.amount)).WithOrigin(FoundMissingRequest))
}

// checkAmounts looks at the request, else at the limit. It says whether there is one, good or bad.
func (c *requestCheck) checkAmounts(d denominator, at *field.Path, subject string, r corev1.ResourceRequirements) bool {
	if request, ok := r.Requests[d.resource]; ok {
		c.checkAmount(d, at.Child("requests"), subject, request)
		return true
	}
	limit, ok := r.Limits[d.resource]
	if !ok {
		return false
	}
	if c.checkAmount(d, at.Child("limits"), subject, limit) {
		c.warn(at.Child("limits").Key(string(d.resource)), FoundRequestFromLimit, fmt.Sprintf(
			"%s has no %s request; its limit of %s counts as one, as Kubernetes copies it into the request of each pod", subject, d.what(), limit.String()))
	}
	return true
}

// checkAmount demands something that can be divided by. It compares quantities: MilliValue wraps around without an error.
func (c *requestCheck) checkAmount(d denominator, at *field.Path, subject string, amount resource.Quantity) bool {
	most := resource.NewMilliQuantity(maxMilliCPU, resource.DecimalSI)
	if d.resource == corev1.ResourceMemory {
		most = resource.NewQuantity(maxMemory, resource.BinarySI)
	}
	allowed := ""
	switch {
	case amount.Sign() <= 0:
		allowed = "must be above 0"
	case amount.Cmp(*most) > 0:
		allowed = "must be at most " + most.String()
	default:
		return true
	}
	c.errs = append(c.errs, field.Invalid(at.Key(string(d.resource)), clean(amount.String(), shown), fmt.Sprintf(
		"%s because %s is a percentage of what %s requests", allowed, d.source.name, subject)).WithOrigin(FoundInvalidRequest))
	return false
}

func (c *requestCheck) warn(at *field.Path, rule, message string) {
	c.warnings = append(c.warnings, Warning{Field: at.String(), Rule: rule, Message: message})
}

// checkWhole looks for a request of the pod as a whole, or of any container: the pod's defaults to the sum of those.
func (c *requestCheck) checkWhole(d denominator) {
	at := field.NewPath("spec", "template", "spec", "resources")
	if _, set := c.pod.Resources.Requests[d.resource]; !set && c.anyRequests(d.resource) || !c.first(d.resource, at) {
		return
	}
	if !c.checkAmounts(d, at, "the pod as a whole", *c.pod.Resources) {
		c.missing(d, at, "the pod as a whole")
	}
}

// anyRequests says whether a container of the pod will have a request.
func (c *requestCheck) anyRequests(name corev1.ResourceName) bool {
	if _, _, ok := defaultRequest(c.surroundings.LimitRanges, name); ok || c.surroundings.Unknown != "" {
		return true
	}
	for _, container := range longRunning(c.pod) {
		if amount, ok := requestOf(container, name); ok && amount.Sign() > 0 {
			return true
		}
	}
	return false
}
