package scaler

import (
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

// TestAFailingMetricDoesNotUseUpTheScalingEvents: the usual correlator drops everything after 25 Events of one object.
func TestAFailingMetricDoesNotUseUpTheScalingEvents(t *testing.T) {
	client := fake.NewClientset()
	rescaled := make(chan struct{})
	client.PrependReactor("create", "events", func(action clienttesting.Action) (bool, runtime.Object, error) {
		event := action.(clienttesting.CreateAction).GetObject().(*corev1.Event)
		if event.Reason == EventSuccessfulRescale && event.InvolvedObject.Kind == "Deployment" && event.Source.Component == "mini-hpa" {
			close(rescaled)
		}
		return false, nil, nil
	})
	recorder, shutdown := NewRecorder(client)
	defer shutdown()
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web", UID: "u1"}}
	for i := range 60 {
		recorder.Event(d, corev1.EventTypeWarning, EventFailedGetResourceMetric, fmt.Sprintf("failure %d", i))
	}
	recorder.Event(d, corev1.EventTypeNormal, EventSuccessfulRescale, "New size: 5")
	select {
	case <-rescaled:
	case <-time.After(30 * time.Second):
		t.Fatal("the scaling Event was never written")
	}
}

// TestTheEndWaitsForTheEvents: what was recorded before is written when the end returns, and nothing else is.
func TestTheEndWaitsForTheEvents(t *testing.T) {
	client := fake.NewClientset()
	recorder, end := NewRecorder(client)
	for i := range 50 {
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprint("web-", i), UID: types.UID(fmt.Sprint(i))}}
		recorder.Event(d, corev1.EventTypeNormal, EventSuccessfulRescale, "New size: 5")
	}
	end()
	events, err := client.CoreV1().Events("default").List(t.Context(), metav1.ListOptions{})
	if err != nil || len(events.Items) != 50 {
		t.Errorf("%d Events are written at the end (%v), want 50", len(events.Items), err)
	}
}

// TestABurstOfEventsIsKept: a load step on all workloads of a big cluster tells of thousands of changes at once, faster than an API
// server takes them. One broadcaster alone keeps a thousand or two.
func TestABurstOfEventsIsKept(t *testing.T) {
	const workloads = 10_000
	client := fake.NewClientset()
	open := make(chan struct{})
	written := make(chan string, workloads)
	client.PrependReactor("create", "events", func(action clienttesting.Action) (bool, runtime.Object, error) {
		<-open
		event := action.(clienttesting.CreateAction).GetObject().(*corev1.Event)
		written <- event.InvolvedObject.Name
		return true, event, nil
	})
	recorder, end := NewRecorder(client)
	for i := range workloads {
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprint("web-", i), UID: types.UID(fmt.Sprint(i))}}
		recorder.Event(d, corev1.EventTypeNormal, EventSuccessfulRescale, "New size: 5")
	}
	close(open)
	end()
	if len(written) != workloads {
		t.Errorf("%d Events of %d were written", len(written), workloads)
	}
}
