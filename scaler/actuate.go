package scaler

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// act writes the decision. A conflict comes back as an error too, so that the workload is looked at again soon.
func (s *Scaler) act(ctx context.Context, st *state, w *annotations.Workload, p annotations.Policy, decision recommend.Decision) error {
	if decision.Desired == decision.Current {
		st.told[topicWrite], st.conflicts = "", conflicts{}
		return nil
	}
	if p.Mode == annotations.ModeObserve || ctx.Err() != nil || s.yields(st, w, p, decision) {
		st.conflicts = conflicts{} // no write is being tried any more
		return nil
	}
	ctx, cancel := finish(ctx)
	defer cancel()
	stored, err := s.scales.Scale(ctx, st.conflicts.condition(w), decision.Desired)
	if err != nil {
		return s.failed(st, w, decision, err)
	}
	if st.conflicts.patches(w.Version) {
		st.told[topicPatch] = ""
	}
	st.conflicts = conflicts{}
	st.version.replace(w.Version)
	if stored != "" {
		st.version.meet(stored)
	}
	s.applied(st, w, decision)
	return nil
}

// applied remembers and reports a write.
func (s *Scaler) applied(st *state, w *annotations.Workload, decision recommend.Decision) {
	st.history, st.past.Unwritten = st.history.Applied(decision), false
	st.replicas, st.stand, st.attempt = decision.Desired, written(decision), nil
	s.tellRescale(st, w, decision)
}

// failed remembers a write without a good answer. Unless it was refused or not sent at all, it may have been carried out, because the
// answer may be lost. After a conflict it was not, though a retry on the way may have conflicted with its own first try: see namesake.
func (s *Scaler) failed(st *state, w *annotations.Workload, decision recommend.Decision, err error) error {
	if apierrors.IsNotFound(err) {
		return nil // deleted meanwhile: a normal end
	}
	conflict, patched := apierrors.IsConflict(err), st.conflicts.patches(w.Version)
	if (conflict || !refused(err) && !errors.Is(err, ErrNotSent)) && (st.attempt == nil || st.attempt.version != w.Version && !conflict) {
		st.attempt = &attempt{version: w.Version, decision: decision, at: s.now(), patched: patched, conflict: conflict}
	}
	switch {
	case passes(err):
		err = st.conflicts.add(err, w.Version, s.now())
	case refused(err):
		st.conflicts.refuse(w.Version)
	}
	if conflict {
		s.telemetry.conflicts.Inc()
	}
	if !st.conflicts.passing(err, s.now()) && !errors.Is(err, ErrNotLeading) {
		s.tellFailedRescale(st, w, decision, err, patched)
	}
	return fmt.Errorf("scaling deployment %s from %d to %d: %w", w.NamespacedName(), decision.Current, decision.Desired, err)
}

// refused says that the API server has answered, and that the answer is no.
func refused(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && status.Status().Code >= 400 && status.Status().Code < 500 && !apierrors.IsTimeout(err)
}

// settle finds out what became of a write without an answer, once another resourceVersion is seen than the one that was decided on. An
// update depends on that version, so it either has been carried out, which the replicas show, or never will be. A patch may still be
// carried out while an API server works on it and the replicas have not changed. If there is a newer decision by then, it was not
// the last decision that was carried out, and the history takes it as a change of its own, see witness.
func (s *Scaler) settle(st *state, w *annotations.Workload) {
	a := st.attempt
	if a == nil || a.version == w.Version {
		return
	}
	carriedOut := w.Replicas == a.decision.Desired && w.ScaledByUs && !a.conflict
	switch {
	case !carriedOut && a.patched && !a.conflict && w.Replicas == a.decision.Current && s.now().Sub(a.at) < mostLate:
		a.outlived = true
		return
	case carriedOut && a.outlived:
		st.stand = written(a.decision)
		s.tellRescale(st, w, a.decision)
	case carriedOut:
		s.applied(st, w, a.decision)
	}
	st.attempt = nil
}

// mostLate is how long an API server works on a request (kube-apiserver --request-timeout).
const mostLate = time.Minute

// writeGrace is how long a write may go on after the controller was told to stop. Scales ends it earlier where another replica may lead
// by then.
const writeGrace = time.Second

// finish lets a write that has begun come to its end even if its context ends: a write that is cut off may still be carried out, and
// no Event would report it.
func finish(ctx context.Context) (context.Context, context.CancelFunc) {
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(writeGrace, cancel) })
	return late, func() { stop(); cancel() }
}

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
