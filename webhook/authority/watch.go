package authority

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	admissioninformers "k8s.io/client-go/informers/admissionregistration/v1"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/tools/cache"
)

// bell wakes the one who waits for it. Ringing it twice wakes once.
type bell chan struct{}

func (b bell) ring() {
	select {
	case b <- struct{}{}:
	default: // it rings already
	}
}

// watches are what rings the bell at every change of the Secret or the configuration, once they run. Each is watched by its name, which
// is what makes a right by name suffice. What is decided on is not what the watches bring but what is read then: it is
// never older than what another replica has seen.
func (a *Authority) watches() ([]cache.SharedIndexInformer, error) {
	var informers []cache.SharedIndexInformer
	for what, informer := range map[string]cache.SharedIndexInformer{
		"watching the Secret " + a.secretName(): coreinformers.NewFilteredSecretInformer(
			a.config.Client, a.config.Namespace, 0, nil, named(a.config.Secret)),
		"watching the ValidatingWebhookConfiguration " + a.config.Configuration: admissioninformers.NewFilteredValidatingWebhookConfigurationInformer(
			a.config.Client, 0, nil, named(a.config.Configuration)),
	} {
		if err := a.listen(what, informer); err != nil {
			return nil, err
		}
		informers = append(informers, informer)
	}
	return informers, nil
}

// listen prepares an informer that has not been started. Everything about an object but its identity is dropped, so that
// no copy of a private key lies in a cache.
func (a *Authority) listen(what string, informer cache.SharedIndexInformer) error {
	o := &outage{what: what, log: a.config.Log}
	ring := func(any) { a.bell.ring() }
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: ring, UpdateFunc: func(_, changed any) { ring(changed) }, DeleteFunc: ring})
	if err == nil {
		err = informer.SetTransform(identity)
	}
	if err == nil {
		err = informer.SetWatchErrorHandlerWithContext(o.watchFailed)
	}
	if err != nil {
		return fmt.Errorf("cannot prepare %s: %w", what, err)
	}
	return nil
}

// identity is what remains of an object in a cache.
func identity(object any) (any, error) {
	o, ok := object.(metav1.Object)
	if !ok {
		return object, nil // a tombstone
	}
	slim := &metav1.PartialObjectMetadata{}
	slim.Name, slim.Namespace, slim.UID, slim.ResourceVersion = o.GetName(), o.GetNamespace(), o.GetUID(), o.GetResourceVersion()
	return slim, nil
}

func named(name string) func(*metav1.ListOptions) {
	selector := fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()
	return func(o *metav1.ListOptions) { o.FieldSelector = selector }
}
