package annotations

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations/podspec"
)

// checkBytes warns of targets of a few bytes, and of amounts with a fraction of a byte in targets and in the pod template: 128m is an
// eighth of a byte, where 128Mi was meant. The API server accepts them, and also warns of those in a template.
func checkBytes(w *Workload, p Policy) []Warning {
	var c byteCheck
	for at, container := range podspec.All(&w.template().Spec) {
		c.checkResources(container.Resources, func() *field.Path { return pathOf(at).Child("resources") })
	}
	if whole := w.template().Spec.Resources; whole != nil {
		c.checkResources(*whole, func() *field.Path { return field.NewPath("spec", "template", "spec", "resources") })
	}
	for d := range denominators(w.Annotations, p) {
		if d.target.AverageValue == nil {
			continue
		}
		c.check(d.resource, *d.target.AverageValue, d.averageValue)
		c.checkUnit(d.resource, *d.target.AverageValue, d.averageValue)
	}
	return c.warnings
}

// byteCheck is one call of checkBytes.
type byteCheck struct{ warnings []Warning }

func (c *byteCheck) checkResources(r corev1.ResourceRequirements, at func() *field.Path) {
	for _, name := range countedInBytes {
		c.check(name, r.Limits[name], func() *field.Path { return at().Child("limits").Key(string(name)) })
		c.check(name, r.Requests[name], func() *field.Path { return at().Child("requests").Key(string(name)) })
	}
}

// checkUnit warns of a target of a few bytes without a unit, as of those in short form.
func (c *byteCheck) checkUnit(name corev1.ResourceName, amount resource.Quantity, at func() *field.Path) {
	const tooFew = 1 << 20 // bytes, which no process does with
	text := amount.String()
	if len(c.warnings) >= maxFindings || name != corev1.ResourceMemory || amount.CmpInt64(tooFew) >= 0 || strings.Trim(text, "0123456789") != "" {
		return
	}
	c.warnings = append(c.warnings, Warning{Field: at().String(), Rule: FoundDoubtful, Message: fmt.Sprintf(
		"is read as %s bytes; an amount needs a unit, such as %q", text, text+"Mi")})
}

// check looks at one amount; its path is made only where there is something to say.
func (c *byteCheck) check(name corev1.ResourceName, amount resource.Quantity, at func() *field.Path) {
	if whole := amount.DeepCopy(); len(c.warnings) >= maxFindings || !slices.Contains(countedInBytes[:], name) || whole.RoundUp(0) {
		return
	}
	c.warnings = append(c.warnings, Warning{Field: at().String(), Rule: FoundDoubtful, Message: fmt.Sprintf(
		"%q of %s is no whole number of bytes, since m stands for thousandths; for mega- or mebibytes write M or Mi", clean(amount.String(), shown), name)})
}
