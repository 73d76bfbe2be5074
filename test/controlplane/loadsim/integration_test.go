//go:build unix

package loadsim_test

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	aggregator "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
	metricsclient "k8s.io/metrics/pkg/client/clientset/versioned"

	"github.com/mini-hpa/mini-hpa/test/controlplane"
	"github.com/mini-hpa/mini-hpa/test/controlplane/loadsim"
)

// patience bounds every wait for the cluster.
const patience = 90 * time.Second

// realServer is a real control plane with a loadsim and the Deployment default/web.
type realServer struct {
	*loadsim.Server
	cluster *controlplane.Cluster
	core    kubernetes.Interface
	options loadsim.Options

	mu      sync.Mutex
	reports []string
}

func TestOnARealAPIServer(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a control plane, which -short leaves out")
	}
	r := begin(t)
	t.Run("a load is divided over the ready pods", r.dividesTheLoad)
	t.Run("every encoding passes the API server", r.servesEveryEncoding)
	t.Run("kubectl understands it", r.servesKubectl)
	t.Run("a limit throttles", r.throttles)
	t.Run("a ConfigMap sets the load", r.obeysConfigMaps)
	t.Run("a fault reaches the clients and ends at once", r.fails)
	t.Run("custom and external metrics answer", r.servesNamedMetrics)
	t.Run("it outlives the API server", r.outlives)
	t.Run("a successor takes over, and Close leaves nothing", r.isSucceeded)
	t.Run("metrics of somebody else are left alone", r.leavesOthersAlone)
}

func begin(t *testing.T) *realServer {
	r := &realServer{cluster: controlplane.Start(t, controlplane.Options{Out: t.Output()})}
	r.options = loadsim.Options{Period: time.Second, Report: r.report}
	r.core = connect(t, r.cluster.Config(), kubernetes.NewForConfigAndClient)
	if _, err := r.core.AppsV1().Deployments("default").Create(t.Context(), web(), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	r.Server = r.start(t)
	return r
}

func (r *realServer) start(t *testing.T) *loadsim.Server {
	t.Helper()
	began := time.Now()
	s, err := loadsim.Start(t.Context(), r.cluster.Config(), r.options)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the metrics API was available after %s", time.Since(began))
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (r *realServer) report(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reports = append(r.reports, err.Error())
}

// connect makes a client whose connections end with the test.
func connect[C any](t *testing.T, config *rest.Config, construct func(*rest.Config, *http.Client) (C, error)) C {
	t.Helper()
	shared, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(shared.CloseIdleConnections)
	client, err := construct(config, shared)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func web() *appsv1.Deployment {
	labels := map[string]string{"app": "web"}
	list := func(cpu string) corev1.ResourceList {
		return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)}
	}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(2)), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{
					Name: "web", Image: "example.com/web", Resources: corev1.ResourceRequirements{Requests: list("500m"), Limits: list("1500m")},
				}}},
			},
		},
	}
}

// until waits for sample sets until the workload's samples, as the API server passes them on, are as wanted.
func (r *realServer) until(t *testing.T, s *loadsim.Server, wanted func([]metricsv1beta1.PodMetrics) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		list, listErr := r.list(t, runtime.ContentTypeProtobuf) // a new API server has to find the API available first
		if listErr == nil && wanted(list.Items) {
			return
		}
		if _, err := s.AwaitSample(ctx, s.LastSample().Timestamp); err != nil {
			t.Fatalf("%v; last seen %+v, %v", err, list, listErr)
		}
	}
}

// each tells whether there are so many sampled pods, each with that usage.
func each(pods int, milli int64) func([]metricsv1beta1.PodMetrics) bool {
	return func(seen []metricsv1beta1.PodMetrics) bool {
		return len(seen) == pods && !slices.ContainsFunc(seen, func(p metricsv1beta1.PodMetrics) bool { return p.Containers[0].Usage.Cpu().MilliValue() != milli })
	}
}

func (r *realServer) scale(t *testing.T, replicas int) {
	t.Helper()
	patch := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas)
	_, err := r.core.AppsV1().Deployments("default").Patch(t.Context(), "web", types.MergePatchType, patch, metav1.PatchOptions{}, "scale")
	if err != nil {
		t.Fatal(err)
	}
}

func (r *realServer) metrics(t *testing.T, mediaType string) metricsclient.Interface {
	config := r.cluster.Config()
	config.ContentType, config.AcceptContentTypes = mediaType, mediaType
	return connect(t, config, metricsclient.NewForConfigAndClient)
}

func (r *realServer) list(t *testing.T, mediaType string) (*metricsv1beta1.PodMetricsList, error) {
	return r.metrics(t, mediaType).MetricsV1beta1().PodMetricses("default").List(t.Context(), metav1.ListOptions{LabelSelector: "app=web"})
}

func (r *realServer) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), r.cluster.Kubectl(), append([]string{"--kubeconfig", r.cluster.Kubeconfig()}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("kubectl %v: %v: %s", args, err, out)
	}
	return string(out)
}

func (r *realServer) dividesTheLoad(t *testing.T) {
	r.SetLoad("default", "web", loadsim.Constant(900))
	r.until(t, r.Server, each(2, 450))
	r.scale(t, 4)
	r.until(t, r.Server, each(4, 225))
	r.scale(t, 3)
	r.until(t, r.Server, each(3, 300))
	// Usage is rounded up, so that set may still hold a moment of the fourth pod; the window of the next one does not.
	if _, err := r.AwaitSample(t.Context(), r.LastSample().Timestamp); err != nil {
		t.Fatal(err)
	}
}

func (r *realServer) servesEveryEncoding(t *testing.T) {
	for _, mediaType := range []string{runtime.ContentTypeJSON, runtime.ContentTypeProtobuf} {
		before := r.Lists()
		list, err := r.list(t, mediaType)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Lists() - before; got != 1 {
			t.Errorf("%d lists were counted, want 1", got)
		}
		var got []string
		for _, p := range list.Items {
			got = append(got, p.Containers[0].Name+" "+p.Containers[0].Usage.Cpu().String()+" "+p.Window.Duration.String())
			if age := time.Since(p.Timestamp.Time); age < 0 || age > patience {
				t.Errorf("%s: the sample of %s is %s old", mediaType, p.Name, age)
			}
		}
		if diff := cmp.Diff([]string{"web 300m 1s", "web 300m 1s", "web 300m 1s"}, got); diff != "" {
			t.Errorf("%s: samples (-want +got):\n%s", mediaType, diff)
		}
	}
}

func (r *realServer) servesKubectl(t *testing.T) {
	for name, story := range map[string]struct {
		args []string
		want []string
	}{
		"top pods":        {[]string{"top", "pods", "-l", "app=web"}, []string{"NAME CPU(cores) MEMORY(bytes)", "300m 64Mi"}},
		"top one pod":     {[]string{"top", "pod", "-n", "default", "--field-selector=metadata.namespace=default"}, []string{"300m 64Mi"}},
		"top everywhere":  {[]string{"top", "pods", "-A", "--containers"}, []string{"default web-", "web 300m 64Mi"}},
		"top nodes":       {[]string{"top", "nodes"}, []string{"node-0 900m"}},
		"get pods":        {[]string{"get", "pods.metrics.k8s.io", "-A"}, []string{"NAMESPACE NAME CPU MEMORY WINDOW", "300m 64Mi 1s"}},
		"get nodes":       {[]string{"get", "nodes.metrics.k8s.io"}, []string{"node-0 900m 192Mi 1s"}},
		"api-resources":   {[]string{"api-resources", "--api-group=metrics.k8s.io", "--no-headers"}, []string{"nodes metrics.k8s.io/v1beta1 false NodeMetrics", "pods metrics.k8s.io/v1beta1 true PodMetrics"}},
		"other resources": {[]string{"get", "deployments,pods", "-o", "name"}, []string{"deployment.apps/web", "pod/web-"}},
	} {
		t.Run(name, func(t *testing.T) {
			out := strings.Join(strings.Fields(r.kubectl(t, story.args...)), " ")
			for _, want := range story.want {
				if !strings.Contains(out, want) {
					t.Errorf("%q does not hold %q", out, want)
				}
			}
		})
	}
}

func (r *realServer) throttles(t *testing.T) {
	r.SetLoad("default", "web", loadsim.Constant(9000))
	r.until(t, r.Server, each(3, 1500))
}

func (r *realServer) obeysConfigMaps(t *testing.T) {
	r.kubectl(t, "create", "configmap", loadsim.ControlName, "--from-literal=web=burst(600m,600m,1s,1s)")
	r.until(t, r.Server, each(3, 200))
	r.kubectl(t, "patch", "configmap", loadsim.ControlName, "-p", `{"data":{"web":"plenty","db":"1"}}`)
	reported := func([]metricsv1beta1.PodMetrics) bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return slices.ContainsFunc(r.reports, func(s string) bool {
			return strings.HasPrefix(s, `ConfigMap default/loadsim, key "web": the load stays as it was: load "plenty": `)
		})
	}
	r.until(t, r.Server, reported)
	r.until(t, r.Server, each(3, 200))
	r.kubectl(t, "delete", "configmap", loadsim.ControlName)
	r.until(t, r.Server, each(3, 0))
}

func (r *realServer) fails(t *testing.T) {
	r.SetFault(loadsim.Fault{Error: 500})
	if _, err := r.list(t, runtime.ContentTypeProtobuf); !apierrors.IsInternalError(err) {
		t.Errorf("error = %v, want an internal error", err)
	}
	r.SetFault(loadsim.Fault{Delay: time.Hour})
	config := r.cluster.Config()
	config.Timeout = 100 * time.Millisecond
	impatient := connect(t, config, metricsclient.NewForConfigAndClient)
	if list, err := impatient.MetricsV1beta1().PodMetricses("").List(t.Context(), metav1.ListOptions{}); err == nil {
		t.Errorf("%d pods were listed in spite of the delay", len(list.Items))
	}
	r.SetFault(loadsim.Fault{Empty: true})
	if list, err := r.list(t, runtime.ContentTypeProtobuf); err != nil || len(list.Items) != 0 {
		t.Errorf("list = %v, %v, want an empty one", list, err)
	}
	r.SetFault(loadsim.Fault{Partial: 0.34})
	if list, err := r.list(t, runtime.ContentTypeProtobuf); err != nil || len(list.Items) != 2 {
		t.Errorf("list = %v, %v, want two of three", list, err)
	}
	r.SetFault(loadsim.Fault{})
	if list, err := r.list(t, runtime.ContentTypeProtobuf); err != nil || len(list.Items) != 3 {
		t.Errorf("list = %v, %v, want three", list, err)
	}
}

func (r *realServer) servesNamedMetrics(t *testing.T) {
	r.SetExternal("backlog", map[string]string{"queue": "mail"}, loadsim.Constant(40_000))
	r.SetPodsMetric("default", "web", "hits", loadsim.Constant(900_000))
	r.SetObjectMetric(loadsim.Object{Namespace: "default", Resource: "services", Kind: "Service", Name: "kubernetes"}, "rate", loadsim.Constant(1_500))
	const custom, external = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/default/", "/apis/external.metrics.k8s.io/v1beta1/namespaces/default/"
	for path, want := range map[string]string{
		external + "backlog":                            `"metricName":"backlog","metricLabels":{"queue":"mail"}`,
		external + "backlog?labelSelector=queue%3Dmail": `"value":"40"`,
		custom + "pods/*/hits?labelSelector=app%3Dweb":  `"value":"300"`,
		custom + "services/kubernetes/rate":             `"value":"1500m"`,
	} {
		if out := r.kubectl(t, "get", "--raw", path); !strings.Contains(out, want) {
			t.Errorf("%s: %s does not hold %s", path, out, want)
		}
	}
	if err := r.Withdraw(t.Context(), loadsim.ExternalAPI); err != nil {
		t.Fatal(err)
	}
	var groups string
	r.until(t, r.Server, func([]metricsv1beta1.PodMetrics) bool { // the API server may notice only after the deletion
		groups = r.kubectl(t, "get", "--raw", "/apis")
		return !strings.Contains(groups, "external.metrics.k8s.io")
	})
	if !strings.Contains(groups, "custom.metrics.k8s.io") {
		t.Errorf("API groups after the external one was withdrawn: %s", groups)
	}
	if err := r.Offer(t.Context(), loadsim.ExternalAPI); err != nil {
		t.Fatal(err)
	}
	if out := r.kubectl(t, "get", "--raw", external+"backlog"); !strings.Contains(out, `"value":"40"`) {
		t.Errorf("after it was offered again: %s", out)
	}
}

func (r *realServer) outlives(t *testing.T) {
	if err := r.cluster.Kill(controlplane.APIServer); err != nil {
		t.Fatal(err)
	}
	meanwhile := r.LastSample()
	if _, err := r.AwaitSample(t.Context(), meanwhile.Timestamp); err != nil {
		t.Fatal(err)
	}
	if err := r.cluster.Restart(controlplane.APIServer); err != nil {
		t.Fatal(err)
	}
	r.scale(t, 1)
	r.SetLoad("default", "web", loadsim.Constant(700))
	r.until(t, r.Server, each(1, 700))
}

func (r *realServer) isSucceeded(t *testing.T) {
	r.kubectl(t, "create", "configmap", loadsim.ControlName, "--from-literal=web=800m")
	successor := r.start(t)
	if err := r.Close(); err != nil {
		t.Errorf("closing the predecessor: %v", err)
	}
	r.until(t, successor, each(1, 800))
	if list, err := r.list(t, runtime.ContentTypeProtobuf); err != nil || len(list.Items) != 1 {
		t.Errorf("list = %v, %v, want one pod", list, err)
	}
	for range 2 {
		if err := successor.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	_, err := r.core.CoreV1().Services("kube-system").Get(t.Context(), "loadsim", metav1.GetOptions{})
	if !apierrors.IsNotFound(err) {
		t.Errorf("the Service: %v, want that it is gone", err)
	}
	_, err = connect(t, r.cluster.Config(), aggregator.NewForConfigAndClient).ApiregistrationV1().APIServices().
		Get(t.Context(), "v1beta1.metrics.k8s.io", metav1.GetOptions{})
	if !apierrors.IsNotFound(err) {
		t.Errorf("the APIService: %v, want that it is gone", err)
	}
}

func (r *realServer) leavesOthersAlone(t *testing.T) {
	services := connect(t, r.cluster.Config(), aggregator.NewForConfigAndClient).ApiregistrationV1().APIServices()
	_, err := services.Create(t.Context(), &apiregistrationv1.APIService{
		ObjectMeta: metav1.ObjectMeta{Name: "v1beta1.metrics.k8s.io"},
		Spec: apiregistrationv1.APIServiceSpec{
			Group: "metrics.k8s.io", Version: "v1beta1", GroupPriorityMinimum: 100, VersionPriority: 100, InsecureSkipTLSVerify: true,
			Service: &apiregistrationv1.ServiceReference{Namespace: "kube-system", Name: "metrics-server"},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := loadsim.Start(t.Context(), r.cluster.Config(), r.options); err == nil || !strings.Contains(err.Error(), "the cluster has metrics already") {
		t.Errorf("error = %v, want that there are metrics", err)
	}
	if _, err := services.Get(t.Context(), "v1beta1.metrics.k8s.io", metav1.GetOptions{}); err != nil {
		t.Errorf("the APIService of metrics-server: %v", err)
	}
}
