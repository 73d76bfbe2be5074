package loadsim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	aggregator "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

const (
	serviceNamespace = metav1.NamespaceSystem
	serviceName      = "loadsim"
	apiServiceName   = "v1beta1." + metricsv1beta1.GroupName
	// managedBy marks what loadsim has registered, so that it replaces its own remains and nothing else.
	managedBy = "app.kubernetes.io/managed-by"
	// pollPeriod is the time between two looks at the API server while the registration takes effect there.
	pollPeriod = 100 * time.Millisecond
)

// registration is the entry of the metrics API in an API server: an APIService and the Service it names.
type registration struct {
	core       kubernetes.Interface
	aggregator aggregator.Interface
	port       int32
	ca         []byte

	service, apiService types.UID // once created
}

// register makes the API server pass requests for metrics to the port, and returns when it does.
func (r *registration) register(ctx context.Context) error {
	if err := r.clear(ctx); err != nil {
		return err
	}
	if err := r.createService(ctx); err != nil {
		return err
	}
	created, err := r.aggregator.ApiregistrationV1().APIServices().Create(ctx, r.newAPIService(), metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("cannot register APIService %s: %w", apiServiceName, err)
	}
	r.apiService = created.UID
	return r.await(ctx)
}

// clear removes the registration of a loadsim that is no more. One of somebody else is an error: that is a cluster
// with metrics of its own.
func (r *registration) clear(ctx context.Context) error {
	apiServices := r.aggregator.ApiregistrationV1().APIServices()
	found, err := apiServices.Get(ctx, apiServiceName, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("cannot look for APIService %s: %w", apiServiceName, err)
	}
	if err == nil && found.Labels[managedBy] != serviceName {
		return fmt.Errorf("APIService %s exists and is not loadsim's: the cluster has metrics already", apiServiceName)
	}
	return errors.Join(
		ended(apiServices.Delete(ctx, apiServiceName, metav1.DeleteOptions{})),
		ended(r.core.CoreV1().Services(serviceNamespace).Delete(ctx, serviceName, metav1.DeleteOptions{})),
	)
}

// createService waits for the namespace: an API server makes it some moments after it is ready.
func (r *registration) createService(ctx context.Context) error {
	var last error
	err := wait.PollUntilContextCancel(ctx, pollPeriod, true, func(ctx context.Context) (bool, error) {
		created, err := r.core.CoreV1().Services(serviceNamespace).Create(ctx, newService(), metav1.CreateOptions{})
		if last = err; err != nil {
			return false, unless(apierrors.IsNotFound(err), err)
		}
		r.service = created.UID
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("cannot create Service %s/%s: %w", serviceNamespace, serviceName, errors.Join(err, last))
	}
	return nil
}

func unless(tolerable bool, err error) error {
	if tolerable {
		return nil
	}
	return err
}

// newService names this machine: EndpointSlices may not hold loopback addresses, an ExternalName may.
func newService() *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: serviceName, Labels: map[string]string{managedBy: serviceName}},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "localhost"},
	}
}

// newAPIService has the priorities of metrics-server's.
func (r *registration) newAPIService() *apiregistrationv1.APIService {
	return &apiregistrationv1.APIService{
		ObjectMeta: metav1.ObjectMeta{Name: apiServiceName, Labels: map[string]string{managedBy: serviceName}},
		Spec: apiregistrationv1.APIServiceSpec{
			Service:              &apiregistrationv1.ServiceReference{Namespace: serviceNamespace, Name: serviceName, Port: &r.port},
			Group:                metricsv1beta1.GroupName,
			Version:              metricsv1beta1.SchemeGroupVersion.Version,
			CABundle:             r.ca,
			GroupPriorityMinimum: 100,
			VersionPriority:      100,
		},
	}
}

// await returns when the API server finds the API available, passes requests on and lists it in its discovery.
func (r *registration) await(ctx context.Context) error {
	var last error
	err := wait.PollUntilContextCancel(ctx, pollPeriod, true, func(ctx context.Context) (bool, error) {
		last = errors.Join(r.available(ctx), r.discovered(ctx))
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("APIService %s did not become available: %w", apiServiceName, errors.Join(err, last))
	}
	return nil
}

func (r *registration) available(ctx context.Context) error {
	found, err := r.aggregator.ApiregistrationV1().APIServices().Get(ctx, apiServiceName, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("cannot read its status: %w", err)
	}
	for _, c := range found.Status.Conditions {
		if c.Type == apiregistrationv1.Available && c.Status != apiregistrationv1.ConditionTrue {
			return fmt.Errorf("it is not available: %s: %s", c.Reason, c.Message)
		}
	}
	if len(found.Status.Conditions) == 0 {
		return errors.New("its status is not known yet")
	}
	return nil
}

// discovered looks at what kubectl and controllers see: the aggregated discovery document follows an APIService with
// some delay.
func (r *registration) discovered(ctx context.Context) error {
	client := r.core.Discovery()
	if _, err := client.ServerResourcesForGroupVersionWithContext(ctx, metricsv1beta1.SchemeGroupVersion.String()); err != nil {
		return fmt.Errorf("it does not answer through the API server: %w", err)
	}
	groups, err := client.ServerGroupsWithContext(ctx)
	if err != nil {
		return fmt.Errorf("cannot read the API groups: %w", err)
	}
	if !slices.ContainsFunc(groups.Groups, func(g metav1.APIGroup) bool { return g.Name == metricsv1beta1.GroupName }) {
		return errors.New("it is not among the API groups yet")
	}
	return nil
}

// remove takes back what register created and nobody has replaced since.
func (r *registration) remove(ctx context.Context) error {
	var apiServiceErr, serviceErr error
	if r.apiService != "" {
		apiServiceErr = r.aggregator.ApiregistrationV1().APIServices().Delete(ctx, apiServiceName, only(r.apiService))
	}
	if r.service != "" {
		serviceErr = r.core.CoreV1().Services(serviceNamespace).Delete(ctx, serviceName, only(r.service))
	}
	if err := errors.Join(ended(apiServiceErr), ended(serviceErr)); err != nil {
		return fmt.Errorf("cannot remove the registration of the metrics API: %w", err)
	}
	return nil
}

func only(uid types.UID) metav1.DeleteOptions {
	return metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(uid))}
}

// ended is the error of a deletion, unless the object is gone or is another one by now.
func ended(err error) error {
	return unless(apierrors.IsNotFound(err) || apierrors.IsConflict(err), err)
}
