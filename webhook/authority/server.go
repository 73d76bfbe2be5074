package authority

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	admissionapply "k8s.io/client-go/applyconfigurations/admissionregistration/v1"
	coreapply "k8s.io/client-go/applyconfigurations/core/v1"
)

// fieldManager owns the caBundles and nothing else of the configuration.
const fieldManager = "mini-hpa"

// getTarget reads the configuration. That there is none is no error.
func (a *Authority) getTarget(ctx context.Context) (*target, error) {
	read, err := a.config.Client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(ctx, a.config.Configuration, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return &target{}, nil
	case err != nil:
		return nil, fmt.Errorf("cannot read the ValidatingWebhookConfiguration %s: %w", a.config.Configuration, err)
	}
	return readTarget(read), nil
}

// publish writes the bundle of every webhook, and fails if the configuration was changed or deleted since it was read.
//
// It is a strategic merge patch, which finds webhooks by name and never makes a configuration anew. Server-side apply would
// do so too, but has to own the names it finds them by: then a chart that is itself applied by the server (Helm 4) could
// neither remove nor rename a webhook, because what remained of the old one would be invalid.
func (a *Authority) publish(ctx context.Context, s *sight, bundle []byte) error {
	c := admissionapply.ValidatingWebhookConfiguration(a.config.Configuration).WithResourceVersion(s.target.version)
	for _, h := range s.target.hooks {
		c.WithWebhooks(admissionapply.ValidatingWebhook().WithName(h.name).
			WithClientConfig(admissionapply.WebhookClientConfig().WithCABundle(bundle...)))
	}
	patch, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("cannot encode the caBundles: %w", err)
	}
	written, err := a.config.Client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Patch(ctx, a.config.Configuration,
		types.StrategicMergePatchType, patch, metav1.PatchOptions{FieldManager: fieldManager})
	if err != nil {
		return fmt.Errorf("cannot write the caBundles of the ValidatingWebhookConfiguration %s: %w", a.config.Configuration, moved(err))
	}
	s.target = readTarget(written)
	s.since = s.target.since(s.since, time.Now())
	return nil
}

// getSecret reads the Secret. That there is none is no error.
func (a *Authority) getSecret(ctx context.Context) (*secret, error) {
	read, err := a.config.Client.CoreV1().Secrets(a.config.Namespace).Get(ctx, a.config.Secret, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return &secret{}, nil
	case err != nil:
		return nil, fmt.Errorf("cannot read the Secret %s: %w", a.secretName(), err)
	}
	return readSecret(read, time.Now()), nil
}

// store writes a vault into the Secret if that is still as it was read, and returns it as it is then.
func (a *Authority) store(ctx context.Context, read *secret, v vault) (*secret, error) {
	data, err := v.content()
	if err != nil {
		return nil, err
	}
	write := a.update
	if read.object == nil {
		write = a.create
	}
	written, err := write(ctx, read.object, data)
	if err != nil {
		return nil, fmt.Errorf("cannot write the Secret %s: %w", a.secretName(), moved(err))
	}
	return readSecret(written, time.Now()), nil
}

func (a *Authority) update(ctx context.Context, object *corev1.Secret, data map[string][]byte) (*corev1.Secret, error) {
	object = object.DeepCopy()
	if object.Data == nil {
		object.Data = map[string][]byte{}
	}
	for _, key := range ownKeys() {
		delete(object.Data, key)
	}
	maps.Copy(object.Data, data)
	return a.config.Client.CoreV1().Secrets(a.config.Namespace).Update(ctx, object, metav1.UpdateOptions{FieldManager: fieldManager})
}

// create makes the Secret by server-side apply: of all ways to create, it is the only one that is authorized by name. It
// is done without force and by a manager of this process alone, so that of two that create at once one gets a conflict:
// at least one of their CAs is a new one.
func (a *Authority) create(ctx context.Context, _ *corev1.Secret, data map[string][]byte) (*corev1.Secret, error) {
	s := coreapply.Secret(a.config.Secret, a.config.Namespace).WithType(corev1.SecretTypeOpaque).WithData(data)
	return a.config.Client.CoreV1().Secrets(a.config.Namespace).Apply(ctx, s, metav1.ApplyOptions{FieldManager: a.creator})
}

func (a *Authority) secretName() string { return a.config.Namespace + "/" + a.config.Secret }
