package scaler

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// Scales writes the number of replicas.
type Scales interface {
	// Scale sets the replicas of the workload as it was seen and returns the resourceVersion that this has brought about. It fails
	// with a conflict if somebody else has written since, with ErrNotLeading (ErrNotSent where that is certain) if another process may lead, and
	// with another error if something else than these replicas was stored. Of a workload without a Version it matters only that it is still the same and has as many replicas.
	Scale(ctx context.Context, w *annotations.Workload, replicas int32) (version string, err error)
}

// ErrNotLeading says that a write was not sent, or its answer not waited for, because another process may lead by now. That process then
// does and tells what there is to do.
var ErrNotLeading = errors.New("this process may no longer write: it has not renewed its lease in time")

// ErrNotSent is the ErrNotLeading of a write that was not sent at all, so that it has certainly not been carried out.
var ErrNotSent = fmt.Errorf("not sent: %w", ErrNotLeading)

// scaleWriter writes through the scale subresource.
type scaleWriter struct{ client kubernetes.Interface }

// NewScales writes through the /scale subresource of Deployments as field manager "mini-hpa".
func NewScales(client kubernetes.Interface) Scales { return scaleWriter{client} }

// Scale sends the version that was decided on, without which the write would be unconditional. If somebody on the way has changed the
// number, that is not a success, even if it was stored.
func (c scaleWriter) Scale(ctx context.Context, w *annotations.Workload, replicas int32) (string, error) {
	write := c.update
	if w.Version == "" {
		write = c.patch
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
	scale := &autoscalingv1.Scale{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: w.Name, UID: w.UID, ResourceVersion: w.Version},
		Spec:       autoscalingv1.ScaleSpec{Replicas: replicas},
	}
	return c.client.AppsV1().Deployments(w.Namespace).UpdateScale(ctx, w.Name, scale, metav1.UpdateOptions{FieldManager: annotations.FieldManager})
}

// patch is conditional on the UID and the replicas. The API server tests them together with its write, which it repeats by itself when
// others write at the same time.
func (c scaleWriter) patch(ctx context.Context, w *annotations.Workload, replicas int32) (*autoscalingv1.Scale, error) {
	was := w.Replicas
	body := fmt.Appendf(nil, `[{"op":"test","path":"/metadata/uid","value":%q},{"op":"test","path":"/spec/replicas","value":%d},{"op":"replace","path":"/spec/replicas","value":%d}]`,
		w.UID, was, replicas)
	stored := &autoscalingv1.Scale{}
	err := c.client.AppsV1().RESTClient().Patch(types.JSONPatchType).Namespace(w.Namespace).Resource("deployments").Name(w.Name).SubResource("scale").
		VersionedParams(&metav1.PatchOptions{FieldManager: annotations.FieldManager}, scheme.ParameterCodec).Body(body).Do(ctx).Into(stored)
	if testFailed(err) {
		err = apierrors.NewConflict(schema.GroupResource{Group: appsv1.GroupName, Resource: "deployments"}, w.Name, fmt.Errorf("the replicas are no longer %d: %w", was, err))
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
