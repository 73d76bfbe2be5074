package loadsim

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// ControlName is the name of the ConfigMaps that set loads: in each namespace its data hold, for the name of a
// Deployment, the text of a curve.
const ControlName = "loadsim"

// control turns the ConfigMaps into loads. It is called from one goroutine at a time.
type control struct {
	texts  map[types.NamespacedName]string // as last seen, good or bad, so that each is read and reported once
	set    func(types.NamespacedName, Curve)
	report func(error)
}

// apply takes a ConfigMap as it is from now on.
func (c *control) apply(cm *corev1.ConfigMap) {
	for name := range c.texts {
		if _, kept := cm.Data[name.Name]; name.Namespace == cm.Namespace && !kept {
			c.end(name)
		}
	}
	for _, deployment := range slices.Sorted(maps.Keys(cm.Data)) {
		name := types.NamespacedName{Namespace: cm.Namespace, Name: deployment}
		if text, seen := c.texts[name]; !seen || text != cm.Data[deployment] {
			c.begin(name, cm.Data[deployment])
		}
	}
}

func (c *control) begin(name types.NamespacedName, text string) {
	c.texts[name] = text
	curve, err := ParseCurve(text)
	if err != nil {
		c.report(fmt.Errorf("ConfigMap %s/%s, key %s: the load stays as it was: %w",
			name.Namespace, ControlName, quote(name.Name), err))
		return
	}
	c.set(name, curve)
}

func (c *control) end(name types.NamespacedName) {
	delete(c.texts, name)
	c.set(name, nil)
}

// gone ends the loads of a deleted ConfigMap.
func (c *control) gone(cm *corev1.ConfigMap) {
	c.apply(&corev1.ConfigMap{ObjectMeta: cm.ObjectMeta})
}
