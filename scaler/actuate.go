package scaler

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// act writes the decision. A conflict is not an error: somebody else has written, and the change that this brings
// through the informer makes the workload be looked at again.
func (s *Scaler) act(ctx context.Context, w *workload, d *appsv1.Deployment, p annotations.Policy, decision recommend.Decision) error {
	if decision.Desired == decision.Current || p.Mode == annotations.ModeObserve || ctx.Err() != nil {
		return nil
	}
	ctx, cancel := finish(ctx)
	defer cancel()
	err := s.Scales.Scale(ctx, d, decision.Desired)
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		s.Log.Debug("the Deployment has changed since it was decided on; looking again", zap.String("deployment", name(d)))
		return nil
	}
	if err != nil {
		s.tellFailedRescale(w, d, decision, err)
		return fmt.Errorf("scaling deployment %s from %d to %d: %w", name(d), decision.Current, decision.Desired, err)
	}
	w.history = w.history.Applied(decision)
	s.tellRescale(w, d, decision)
	return nil
}

// writeDeadline is how long a write may go on after the controller was told to stop: less than the Lease outlasts its
// renewal by (15 s - 10 s), so that it ends before another replica leads.
const writeDeadline = 4 * time.Second

// finish lets a write that has begun come to its end, when the context that it was begun under ends: a write that is
// cut off may have been carried out all the same, and nobody would tell of it.
func finish(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), writeDeadline)
}

func name(d *appsv1.Deployment) string { return d.Namespace + "/" + d.Name }

// scaleWriter writes through the scale subresource.
type scaleWriter struct{ client kubernetes.Interface }

// NewScales writes through the /scale subresource of Deployments as field manager "mini-hpa".
func NewScales(client kubernetes.Interface) Scales { return scaleWriter{client} }

// Scale sends the UID and the resourceVersion that were decided on: without them the write would be unconditional.
func (w scaleWriter) Scale(ctx context.Context, d *appsv1.Deployment, replicas int32) error {
	scale := &autoscalingv1.Scale{
		ObjectMeta: metav1.ObjectMeta{Namespace: d.Namespace, Name: d.Name, UID: d.UID, ResourceVersion: d.ResourceVersion},
		Spec:       autoscalingv1.ScaleSpec{Replicas: replicas},
	}
	_, err := w.client.AppsV1().Deployments(d.Namespace).UpdateScale(ctx, d.Name, scale, metav1.UpdateOptions{FieldManager: FieldManager})
	return err
}
