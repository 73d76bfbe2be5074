package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // a user's kubeconfig may log in by OIDC
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
	metrics "k8s.io/metrics/pkg/client/clientset/versioned"

	"github.com/mini-hpa/mini-hpa/test/controlplane"
	"github.com/mini-hpa/mini-hpa/test/controlplane/loadsim"
)

const (
	// label is on every pod of the demo and names its workload; the metrics API repeats the labels of the pods.
	label = "app"
	// ownPeriod is how often loadsim samples: three times as often as metrics-server does, so that the story stays short.
	ownPeriod = 5 * time.Second
	// wholeCPU is what a simulated pod requests, in millicores; it costs nothing. Of pods that burn CPU ten fit on one core.
	wholeCPU, tenthCPU = 1000, 100
	// cleanup bounds what closing asks of an API server, which may be gone.
	cleanup = 30 * time.Second
)

// stage is where the story is played: a cluster with a metrics API, a namespace, Deployments whose CPU usage can be set.
type stage struct {
	client                         kubernetes.Interface
	metrics                        metrics.Interface
	kubeconfig, kubectl, namespace string
	version                        string
	period                         time.Duration // between two samples
	pace                           pace
	request                        int64 // of one pod, in millicores
	simulated                      bool  // the pods' CPU usage is, and all of them are sampled at the same moments
	image                          string
	closers                        []func(context.Context) error

	mu    sync.Mutex
	loads map[string]setLoad
}

// setLoad is a load and when it was set.
type setLoad struct {
	load
	since time.Time
}

// open makes the stage. What it made is taken down by close, also after an error.
func (s *stage) open(ctx context.Context, o options, out io.Writer) error {
	s.loads, s.image = map[string]setLoad{}, o.image
	var config *rest.Config
	var err error
	if o.here {
		config, err = s.here(o)
	} else {
		config, err = s.own(ctx, out)
	}
	if err != nil {
		return err
	}
	if s.client, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	if s.metrics, err = metrics.NewForConfig(config); err != nil {
		return err
	}
	if o.here {
		s.simulated, err = s.servedByLoadsim(ctx)
	}
	version, versionErr := s.client.Discovery().ServerVersion()
	if err := errors.Join(err, versionErr); err != nil {
		return fmt.Errorf("could not ask the API server what it has: %w", err)
	}
	s.version, s.request, s.pace = version.GitVersion, tenthCPU, paceOf(s.period, s.simulated)
	if s.simulated {
		s.request = wholeCPU
	}
	wanted := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "mini-hpa-demo-"}}
	namespace, err := s.client.CoreV1().Namespaces().Create(ctx, wanted, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("could not create a namespace: %w", err)
	}
	s.namespace = namespace.Name
	s.closers = append(s.closers, func(ctx context.Context) error {
		return s.client.CoreV1().Namespaces().Delete(ctx, s.namespace, metav1.DeleteOptions{})
	})
	if !s.simulated {
		s.steer(out)
	}
	return nil
}

// close takes down what was set up, the last thing first. It works after an interrupt too.
func (s *stage) close() (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), cleanup)
	defer cancel()
	for i := len(s.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, s.closers[i](ctx))
	}
	return err
}

// own makes a control plane on loopback, with loadsim as its metrics API. What programs are missing are built first.
func (s *stage) own(ctx context.Context, out io.Writer) (*rest.Config, error) {
	fmt.Fprintln(out, "Starting a Kubernetes control plane on loopback (what is missing of it is built first, which takes some minutes once) ...")
	cluster, err := controlplane.Run(ctx, controlplane.Options{Out: out})
	if err != nil {
		return nil, fmt.Errorf("could not start a control plane: %w", err)
	}
	s.closers = append(s.closers, func(context.Context) error { return cluster.Stop() })
	s.kubeconfig, s.kubectl, s.period, s.simulated = cluster.Kubeconfig(), cluster.Kubectl(), ownPeriod, true
	simulation, err := loadsim.Start(ctx, cluster.Config(), loadsim.Options{Period: s.period, Window: s.period,
		Report: func(err error) { fmt.Fprintf(out, "   the simulated metrics API says: %v\n", err) }})
	if err != nil {
		return nil, fmt.Errorf("could not start the simulated metrics API: %w", err)
	}
	s.closers = append(s.closers, func(context.Context) error { return simulation.Close() })
	return cluster.Config(), nil
}

// here takes the current context of KUBECONFIG or ~/.kube/config, in a file of its own, so that the controller and kubectl see the same
// cluster as the demo whatever happens to the user's configuration meanwhile.
func (s *stage) here(o options) (*rest.Config, error) {
	dir, err := os.MkdirTemp("", "mini-hpa-demo-")
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, func(context.Context) error { return os.RemoveAll(dir) })
	raw, err := clientcmd.NewDefaultClientConfigLoadingRules().Load()
	if err != nil {
		return nil, fmt.Errorf("could not load the kubeconfig: %w", err)
	}
	if raw.CurrentContext == "" {
		return nil, errors.New("no current context: set KUBECONFIG to a kubeconfig that has one")
	}
	s.kubeconfig, s.period = filepath.Join(dir, "kubeconfig"), o.period
	if err := errors.Join(api.MinifyConfig(raw), api.FlattenConfig(raw), clientcmd.WriteToFile(*raw, s.kubeconfig)); err != nil {
		return nil, fmt.Errorf("could not use context %q: %w", raw.CurrentContext, err)
	}
	// Without kubectl the demo leaves out what it would show.
	s.kubectl, _ = exec.LookPath("kubectl")
	config, err := clientcmd.BuildConfigFromFlags("", s.kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst = 50, 100 // the defaults of 5 and 10 are too slow to look five times a second
	return config, nil
}

const noMetrics = `the cluster has no metrics API (metrics.k8s.io/v1beta1). Install metrics-server:
  minikube addons enable metrics-server
  kubectl apply -f https://github.com/kubernetes-sigs/metrics-server/releases/latest/download/components.yaml
(kind and other clusters whose kubelets have self-signed certificates also need its flag --kubelet-insecure-tls), then wait until "kubectl top nodes" answers`

// servedByLoadsim asks who has registered the metrics API: there the pods' CPU is simulated, everywhere else pods burn CPU.
func (s *stage) servedByLoadsim(ctx context.Context) (bool, error) {
	if _, err := s.metrics.MetricsV1beta1().PodMetricses(metav1.NamespaceDefault).List(ctx, metav1.ListOptions{}); err != nil {
		return false, fmt.Errorf("%s: %w", noMetrics, err)
	}
	const service = "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io"
	var found metav1.PartialObjectMetadata
	// Where that is forbidden, it is somebody else's cluster.
	_ = s.client.Discovery().RESTClient().Get().AbsPath(service).Do(ctx).Into(&found)
	return found.Labels["app.kubernetes.io/managed-by"] == "loadsim", nil
}

// create makes a workload's Deployment, with pods that any admission policy lets in. Replicas start at 1 and are the controller's from then on.
func (s *stage) create(ctx context.Context, w workload) error {
	labels := map[string]string{label: w.name}
	pod := corev1.PodSpec{
		AutomountServiceAccountToken: new(false),
		SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: new(true), RunAsUser: new(int64(65534)),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
		Containers: []corev1.Container{{
			Name: "app", Image: "mini-hpa.invalid/simulated", // never pulled
			Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: *resource.NewMilliQuantity(s.request, resource.DecimalSI)}},
			SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true),
				Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}},
		}},
	}
	if !s.simulated {
		burns(&pod, s.image)
	}
	_, err := s.client.AppsV1().Deployments(s.namespace).Create(ctx, &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: w.name, Annotations: w.annotations},
		Spec: appsv1.DeploymentSpec{Replicas: new(int32(1)), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: pod}},
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("could not create Deployment %s/%s: %w", s.namespace, w.name, err)
	}
	return nil
}
