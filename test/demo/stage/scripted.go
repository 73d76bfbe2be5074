package stage

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/mini-hpa/mini-hpa/test/controlplane/loadsim"
	"github.com/mini-hpa/mini-hpa/test/demo/story"
)

// scripted are pods without processes. What they use is written into the ConfigMap from which loadsim takes it.
type scripted struct {
	client    kubernetes.Interface
	namespace string
	request   int64
}

// image is never pulled.
func (s *scripted) image() string { return "mini-hpa.invalid/simulated" }

func (s *scripted) dress(*podParts) {}

// perform writes every load; those that did not change have the same text as before, which loadsim leaves running.
func (s *scripted) perform(ctx context.Context, loads map[string]setLoad) error {
	control := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: loadsim.ControlName}, Data: map[string]string{}}
	for name, l := range loads {
		control.Data[name] = curve(l.Load, s.request)
	}
	maps := s.client.CoreV1().ConfigMaps(s.namespace)
	_, err := maps.Update(ctx, control, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		_, err = maps.Create(ctx, control, metav1.CreateOptions{})
	}
	if err != nil {
		return fmt.Errorf("could not write ConfigMap %s/%s: %w", s.namespace, loadsim.ControlName, err)
	}
	return nil
}

// curve is a load as loadsim.ParseCurve reads it.
func curve(l story.Load, request int64) string {
	low, high := l.Low*request/100, l.High*request/100
	if l.Period == 0 {
		return fmt.Sprintf("%dm", low)
	}
	return fmt.Sprintf("burst(%dm,%dm,%s,%s)", low, high, l.Period, l.On)
}
