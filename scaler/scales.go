package scaler

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// Scales writes the number of replicas.
type Scales interface {
	// Scale sets the replicas of the workload as it was seen and returns the resourceVersion that this has brought about. It fails
	// with a conflict if somebody else has written since, with ErrNotLeading (ErrNotSent where that is certain) if another process may lead, and
	// with another error if something else than these replicas was stored. Of a workload without a Version it matters only that it is still the same and has as many replicas,
	// which have to be above 0: a Scale omits 0, so that a patch cannot test for it.
	Scale(ctx context.Context, w *annotations.Workload, replicas int32) (version string, err error)
}

// ErrNotLeading says that a write was not sent, or its answer not waited for, because another process may lead by now. That process then
// does and tells what there is to do.
var ErrNotLeading = errors.New("this process may no longer write: it has not renewed its lease in time")

// ErrNotSent is the ErrNotLeading of a write that was not sent at all, so that it has certainly not been carried out.
var ErrNotSent = fmt.Errorf("not sent: %w", ErrNotLeading)

// scaleWriter writes through the scale subresource. The scale of a custom resource has no encoding but JSON; that of all others costs half as much in protobuf.
type scaleWriter struct{ builtin, custom rest.Interface }

// NewScales writes through the /scale subresource of any kind as field manager "mini-hpa". The config stays as it is, but its encodings do not
// count; an error says why there is no client for it.
func NewScales(config *rest.Config) (Scales, error) {
	builtin, err := scaleClient(config, runtime.ContentTypeProtobuf)
	if err != nil {
		return nil, err
	}
	custom, err := scaleClient(config, runtime.ContentTypeJSON)
	if err != nil {
		return nil, err
	}
	return scaleWriter{builtin, custom}, nil
}

func scaleClient(config *rest.Config, encoding string) (rest.Interface, error) {
	own := rest.CopyConfig(config)
	own.ContentType, own.AcceptContentTypes = encoding, "" // which accepts the same, and anything else where there is no such answer
	own.GroupVersion, own.NegotiatedSerializer = &autoscalingv1.SchemeGroupVersion, scheme.Codecs.WithoutConversion()
	client, err := rest.RESTClientFor(own)
	if err != nil {
		return nil, fmt.Errorf("cannot make the client that writes scales: %w", err)
	}
	return client, nil
}

// of is the client for a workload.
func (c scaleWriter) of(w *annotations.Workload) rest.Interface {
	if _, builtin := annotations.BuiltinOf(w.Kind); builtin {
		return c.builtin
	}
	return c.custom
}

// send sends a request to the scale of a workload, and returns what was stored.
func send(ctx context.Context, r *rest.Request, w *annotations.Workload, options runtime.Object, body any) (*autoscalingv1.Scale, error) {
	stored := &autoscalingv1.Scale{}
	err := r.AbsPath("apis", w.APIVersion).Namespace(w.Namespace).Resource(w.Resource).Name(w.Name).SubResource("scale").
		SpecificallyVersionedParams(options, scheme.ParameterCodec, metav1.Unversioned).Body(body).Do(ctx).Into(stored)
	return stored, err
}

// Scale sends the version that was decided on, without which the write would be unconditional. If somebody on the way has changed the
// number, that is not a success, even if it was stored.
func (c scaleWriter) Scale(ctx context.Context, w *annotations.Workload, replicas int32) (string, error) {
	write := c.update
	switch {
	case w.Version == "":
		write = c.patch
	case w.SignsZero() && (replicas == 0 || w.SetBy == ""):
		write = c.apply
	}
	stored, err := write(ctx, w, replicas)
	if err != nil {
		return "", err
	}
	if stored.Spec.Replicas != replicas {
		return "", fmt.Errorf("the API server has stored %d replicas instead of %d: an admission policy or webhook changes the scale", stored.Spec.Replicas, replicas)
	}
	return stored.ResourceVersion, nil
}

// update is conditional on the version.
func (c scaleWriter) update(ctx context.Context, w *annotations.Workload, replicas int32) (*autoscalingv1.Scale, error) {
	asked := &autoscalingv1.Scale{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: w.Name, UID: w.UID, ResourceVersion: w.Version},
		Spec:       autoscalingv1.ScaleSpec{Replicas: replicas},
	}
	return send(ctx, c.of(w).Put(), w, &metav1.UpdateOptions{FieldManager: annotations.FieldManager}, asked)
}

// apply is update where that would not be recorded as mini-hpa's: API servers record no update to 0, and after that no further one. Where a
// role or a policy refuses patches, an update takes its place. The version is that of one object, so that its UID need not be tested.
func (c scaleWriter) apply(ctx context.Context, w *annotations.Workload, replicas int32) (*autoscalingv1.Scale, error) {
	body := fmt.Appendf(nil, `{"apiVersion":"autoscaling/v1","kind":"Scale","metadata":{"name":%q,"resourceVersion":%q},"spec":{"replicas":%d}}`, w.Name, w.Version, replicas)
	stored, err := send(ctx, c.of(w).Patch(types.ApplyPatchType), w, &metav1.PatchOptions{FieldManager: annotations.FieldManager, Force: new(true)}, body)
	if refused(err) && !passes(err) && !apierrors.IsNotFound(err) {
		return c.update(ctx, w, replicas)
	}
	return stored, err
}

// patch is conditional on the UID and the replicas. The API server tests them together with its write, which it repeats by itself when
// others write at the same time.
func (c scaleWriter) patch(ctx context.Context, w *annotations.Workload, replicas int32) (*autoscalingv1.Scale, error) {
	was := w.Replicas
	body := fmt.Appendf(nil, `[{"op":"test","path":"/metadata/uid","value":%q},{"op":"test","path":"/spec/replicas","value":%d},{"op":"replace","path":"/spec/replicas","value":%d}]`,
		w.UID, was, replicas)
	stored, err := send(ctx, c.of(w).Patch(types.JSONPatchType), w, &metav1.PatchOptions{FieldManager: annotations.FieldManager}, body)
	if testFailed(err) {
		err = apierrors.NewConflict(schema.GroupResource{Group: w.Kind.Group, Resource: w.Resource}, w.Name, fmt.Errorf("the replicas are no longer %d: %w", was, err))
	}
	return stored, err
}

// failedTest is the message of an API server about a JSON patch that does not apply, such as one with a failed test: it depends on the
// code alone. Policies and validation answer with the same code and reason, but with other messages.
var failedTest = apierrors.NewGenericServerResponse(http.StatusUnprocessableEntity, "", schema.GroupResource{}, "", "", 0, false).Status().Message

// testFailed says whether a patch was not carried out because something it tests is no longer so.
func testFailed(err error) bool {
	var status apierrors.APIStatus
	return apierrors.IsInvalid(err) && errors.As(err, &status) && status.Status().Message == failedTest
}
