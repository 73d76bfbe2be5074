package loadsim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	aggregator "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset"

	"github.com/mini-hpa/mini-hpa/test/await"
)

const (
	serviceNamespace = metav1.NamespaceSystem
	serviceName      = "loadsim"
	// managedBy marks what loadsim has registered, so that it replaces its own remains and nothing else.
	managedBy = "app.kubernetes.io/managed-by"
	// pollPeriod is the time between two looks at the API server while the registration takes effect there.
	pollPeriod = 100 * time.Millisecond
)

// apiServiceName is the name of the APIService of a version.
func apiServiceName(gv schema.GroupVersion) string { return gv.Version + "." + gv.Group }

// registration is the entry of the metrics APIs in an API server: an APIService for each and the Service that they name.
type registration struct {
	versions   []schema.GroupVersion
	core       kubernetes.Interface
	aggregator aggregator.Interface
	port       int32
	ca         []byte

	service     types.UID // once created
	mu          sync.Mutex
	apiServices map[schema.GroupVersion]types.UID // those that are created
}

// register makes the API server pass requests for metrics to the port, and returns when it does.
func (r *registration) register(ctx context.Context) error {
	for _, gv := range r.versions {
		if err := r.clear(ctx, gv); err != nil {
			return err
		}
	}
	if err := ended(r.core.CoreV1().Services(serviceNamespace).Delete(ctx, serviceName, metav1.DeleteOptions{})); err != nil {
		return fmt.Errorf("cannot remove the Service of another loadsim: %w", err)
	}
	if err := r.createService(ctx); err != nil {
		return err
	}
	for _, gv := range r.versions {
		if err := r.create(ctx, gv); err != nil {
			return err
		}
	}
	for _, gv := range r.versions {
		if err := r.await(ctx, gv); err != nil {
			return err
		}
	}
	return nil
}

// create registers one API.
func (r *registration) create(ctx context.Context, gv schema.GroupVersion) error {
	created, err := r.aggregator.ApiregistrationV1().APIServices().Create(ctx, r.newAPIService(gv), metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("cannot register APIService %s: %w", apiServiceName(gv), err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.apiServices == nil {
		r.apiServices = map[schema.GroupVersion]types.UID{}
	}
	r.apiServices[gv] = created.UID
	return nil
}

// withdraw takes back the registration of one API, unless somebody has replaced it since.
func (r *registration) withdraw(ctx context.Context, gv schema.GroupVersion) error {
	r.mu.Lock()
	uid := r.apiServices[gv]
	delete(r.apiServices, gv)
	r.mu.Unlock()
	if uid == "" {
		return nil
	}
	return ended(r.aggregator.ApiregistrationV1().APIServices().Delete(ctx, apiServiceName(gv), only(uid)))
}

// clear removes the registration that a killed loadsim has left. A registration by somebody else is an error: that cluster has metrics of its
// own.
func (r *registration) clear(ctx context.Context, gv schema.GroupVersion) error {
	apiServices, name := r.aggregator.ApiregistrationV1().APIServices(), apiServiceName(gv)
	found, err := apiServices.Get(ctx, name, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("cannot look for APIService %s: %w", name, err)
	}
	if err == nil && found.Labels[managedBy] != serviceName {
		return fmt.Errorf("APIService %s exists and is not loadsim's: the cluster has metrics already", name)
	}
	return ended(apiServices.Delete(ctx, name, metav1.DeleteOptions{}))
}

// createService waits for the namespace: an API server makes it some moments after it is ready.
func (r *registration) createService(ctx context.Context) error {
	err := await.Until(ctx, pollPeriod, func(ctx context.Context) error {
		created, err := r.core.CoreV1().Services(serviceNamespace).Create(ctx, newService(), metav1.CreateOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return err
		case err == nil:
			r.service = created.UID
		}
		return await.Final(err)
	})
	if err != nil {
		return fmt.Errorf("cannot create Service %s/%s: %w", serviceNamespace, serviceName, err)
	}
	return nil
}

// newService names this machine: EndpointSlices may not hold loopback addresses, an ExternalName may.
func newService() *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: serviceName, Labels: map[string]string{managedBy: serviceName}},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "localhost"},
	}
}

// newAPIService has the priorities of metrics-server's.
func (r *registration) newAPIService(gv schema.GroupVersion) *apiregistrationv1.APIService {
	return &apiregistrationv1.APIService{
		ObjectMeta: metav1.ObjectMeta{Name: apiServiceName(gv), Labels: map[string]string{managedBy: serviceName}},
		Spec: apiregistrationv1.APIServiceSpec{
			Service:              &apiregistrationv1.ServiceReference{Namespace: serviceNamespace, Name: serviceName, Port: &r.port},
			Group:                gv.Group,
			Version:              gv.Version,
			CABundle:             r.ca,
			GroupPriorityMinimum: 100,
			VersionPriority:      100,
		},
	}
}

// await returns when the API server finds the API available, passes requests on and lists it in its discovery.
func (r *registration) await(ctx context.Context, gv schema.GroupVersion) error {
	err := await.Until(ctx, pollPeriod, func(ctx context.Context) error { return errors.Join(r.available(ctx, gv), r.discovered(ctx, gv)) })
	if err != nil {
		return fmt.Errorf("APIService %s did not become available: %w", apiServiceName(gv), err)
	}
	return nil
}

func (r *registration) available(ctx context.Context, gv schema.GroupVersion) error {
	found, err := r.aggregator.ApiregistrationV1().APIServices().Get(ctx, apiServiceName(gv), metav1.GetOptions{})
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
func (r *registration) discovered(ctx context.Context, gv schema.GroupVersion) error {
	client := r.core.Discovery()
	if _, err := client.ServerResourcesForGroupVersionWithContext(ctx, gv.String()); err != nil {
		return fmt.Errorf("it does not answer through the API server: %w", err)
	}
	groups, err := client.ServerGroupsWithContext(ctx)
	if err != nil {
		return fmt.Errorf("cannot read the API groups: %w", err)
	}
	if !slices.ContainsFunc(groups.Groups, func(g metav1.APIGroup) bool { return g.Name == gv.Group }) {
		return errors.New("it is not among the API groups yet")
	}
	return nil
}

// remove takes back what register created and nobody has replaced since.
func (r *registration) remove(ctx context.Context) error {
	var errs []error
	for _, gv := range r.versions {
		errs = append(errs, r.withdraw(ctx, gv))
	}
	if r.service != "" {
		errs = append(errs, ended(r.core.CoreV1().Services(serviceNamespace).Delete(ctx, serviceName, only(r.service))))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("cannot remove the registration of the metrics API: %w", err)
	}
	return nil
}

func only(uid types.UID) metav1.DeleteOptions {
	return metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(uid))}
}

// ended is the error of a deletion, unless the object is gone or is another one by now.
func ended(err error) error {
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return err
}
