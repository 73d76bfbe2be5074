package clitest

import (
	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler"
)

// Statuses are what a leader knows that is asked how Deployments stand: this, and nothing else of them. It is a state.Teller.
type Statuses []scaler.Status

// Standing is state.Teller's.
func (all Statuses) Standing(wanted func(annotations.Key) bool) []annotations.Key {
	var keys []annotations.Key
	for i := range all {
		if key := annotations.DeploymentKey(all[i].Namespace, all[i].Name); wanted(key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// Status is state.Teller's.
func (all Statuses) Status(key annotations.Key) (scaler.Status, bool) {
	for i := range all {
		if all[i].Namespace == key.Namespace && all[i].Name == key.Name {
			return all[i], true
		}
	}
	return scaler.Status{}, false
}

// Chronicle is state.Teller's: none.
func (Statuses) Chronicle(annotations.Key) []scaler.Entry { return nil }

// Show is state.Teller's: nothing.
func (Statuses) Show(annotations.Key) (scaler.Shown, bool) { return scaler.Shown{}, false }

// One is what a leader knows that scales one Deployment: all of it, or nothing if its name is empty. It is a state.Teller.
type One struct{ Shown scaler.Shown }

// Standing is state.Teller's.
func (o One) Standing(wanted func(annotations.Key) bool) []annotations.Key {
	if key := annotations.DeploymentKey(o.Shown.Status.Namespace, o.Shown.Status.Name); key.Name != "" && wanted(key) {
		return []annotations.Key{key}
	}
	return nil
}

// Status is state.Teller's.
func (o One) Status(annotations.Key) (scaler.Status, bool) { return o.Shown.Status, true }

// Chronicle is state.Teller's.
func (o One) Chronicle(annotations.Key) []scaler.Entry { return o.Shown.Chronicle }

// Show is state.Teller's.
func (o One) Show(annotations.Key) (scaler.Shown, bool) { return o.Shown, true }
