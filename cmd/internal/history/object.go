package history

import (
	"context"
	"fmt"
	"sort"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
	"github.com/mini-hpa/mini-hpa/scaler"
)

// object is the workload that is asked about, which may be gone.
type object struct {
	cli.Workload
	namespace string
	config    *rest.Config
}

// missing is the error that there is no such workload, or not even its namespace. It is nil where there is one, and where that may not be known.
// It takes a list of that name alone: who may list, such as the controller in its own pod, need not have the right to get as well.
func (o object) missing(ctx context.Context) error {
	resource, err := cluster.Served(o.config, o.Resource)
	if err != nil {
		return err
	}
	client, err := metadata.NewForConfig(o.config)
	if err != nil {
		return fmt.Errorf("cannot make a client for the API server: %w", err)
	}
	list, err := client.Resource(resource).Namespace(o.namespace).List(ctx, metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, o.Name).String()})
	if err != nil && !apierrors.IsNotFound(err) { // the kind may not be there
		return nil // whoever may not know it is told what is known
	}
	if err == nil {
		for i := range list.Items {
			if list.Items[i].Name == o.Name {
				return nil
			}
		}
	}
	const nothing = "nothing is known to have happened to %s in namespace %s, and it is not there: %w"
	if _, err := client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}).Get(ctx, o.namespace, metav1.GetOptions{}); apierrors.IsNotFound(err) {
		return fmt.Errorf(nothing, o, cli.Quote(o.namespace), apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, o.namespace))
	}
	return fmt.Errorf(nothing, o, cli.Quote(o.namespace), apierrors.NewNotFound(o.Resource, o.Name))
}

// events are those that mini-hpa has told of the workload before a moment.
func (o object) events(ctx context.Context, before time.Time) ([]line, error) {
	client, err := kubernetes.NewForConfig(o.config)
	if err != nil {
		return nil, fmt.Errorf("cannot make a client for the API server: %w", err)
	}
	list, err := client.CoreV1().Events(o.namespace).List(ctx, metav1.ListOptions{FieldSelector: fields.Set{"involvedObject.name": o.Name, "source": annotations.FieldManager}.String()})
	if err != nil {
		return nil, err
	}
	var all []line
	for i := range list.Items {
		e := &list.Items[i]
		resource, _ := meta.UnsafeGuessKindToResource(e.InvolvedObject.GroupVersionKind()) // as the leader names it, too
		if at := e.LastTimestamp.Time; e.InvolvedObject.Name == o.Name && e.Source.Component == annotations.FieldManager && resource.GroupResource() == o.Resource && at.Before(before) {
			all = append(all, line{scaler.Entry{Time: at, Reason: e.Reason, Message: messageOf(e), To: sizeOf(e)}, byEvent})
		}
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].Time.Before(all[j].Time) }) // a sort of package slices for this type is 6 kB of the program
	return all, nil
}

// sizeOf is how many replicas an Event says were written; 0 if it says nothing of that.
func sizeOf(e *corev1.Event) int32 {
	if e.Reason != scaler.EventSuccessfulRescale {
		return 0
	}
	size, _ := scaler.NewSize(e.Message)
	return size
}

// messageOf is an Event's message, and how often it was told.
func messageOf(e *corev1.Event) string {
	if e.Count < 2 {
		return e.Message
	}
	return fmt.Sprintf("%s (%d times since %s)", e.Message, e.Count, stamp(e.FirstTimestamp.Time))
}
