package stage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/metadata"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // a user's kubeconfig may log in by OIDC
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/mini-hpa/mini-hpa/test/demo/story"
)

// tenthCPU is what a pod that really burns CPU requests, in millicores: ten of them fit on one core.
const tenthCPU = 100

// The rate limits of the demo's own client; the defaults of 5 and 10 are too slow to look five times a second.
const (
	hereQPS   = 50
	hereBurst = 100
)

const noMetrics = `the cluster of context %q has no metrics API (metrics.k8s.io/v1beta1). Install metrics-server:
  minikube addons enable metrics-server
  kubectl apply -f https://github.com/kubernetes-sigs/metrics-server/releases/latest/download/components.yaml
(kind and other clusters whose kubelets have self-signed certificates also need its flag --kubelet-insecure-tls), then wait until "kubectl top nodes" answers`

// Here uses the cluster of the current context of KUBECONFIG or ~/.kube/config, in a namespace of its own. Where loadsim serves the metrics
// API the pods' CPU is simulated, everywhere else pods of the image burn CPU.
func Here(ctx context.Context, image string, out io.Writer) (*Stage, error) {
	dir, err := os.MkdirTemp("", "mini-hpa-demo-")
	if err != nil {
		return nil, fmt.Errorf("could not make a temporary directory: %w", err)
	}
	gone := func(context.Context) error { return os.RemoveAll(dir) }
	s, err := here(ctx, dir, image, out)
	if err != nil {
		return nil, closed(err, func() error { return gone(context.Background()) })
	}
	s.closers = append([]func(context.Context) error{gone}, s.closers...)
	return s, nil
}

func here(ctx context.Context, dir, image string, out io.Writer) (*Stage, error) {
	kubeconfig := filepath.Join(dir, "kubeconfig")
	current, err := extract(clientcmd.NewDefaultClientConfigLoadingRules(), kubeconfig)
	if err != nil {
		return nil, err
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("could not read context %q: %w", current, err)
	}
	config.QPS, config.Burst = hereQPS, hereBurst
	s, err := connect(config)
	if err != nil {
		return nil, err
	}
	s.Kubeconfig = kubeconfig
	// Without kubectl the demo leaves out what it would show.
	s.Kubectl, _ = exec.LookPath("kubectl")
	if err := s.inspect(ctx, config, current, out); err != nil {
		return nil, err
	}
	if err := s.furnish(ctx); err != nil {
		return nil, err
	}
	s.later(s.deleteNamespace)
	s.cast(ctx, image, out)
	say(out, "Kubernetes %s, context %q, namespace %s, which is deleted at the end.", s.Version, current, s.Namespace)
	return s, nil
}

// extract writes the current context alone into a file of its own, so that the controller and kubectl see the same cluster as the demo
// whatever happens to the user's configuration meanwhile. It returns the name of the context.
func extract(rules *clientcmd.ClientConfigLoadingRules, path string) (string, error) {
	raw, err := rules.Load()
	if err != nil {
		return "", fmt.Errorf("could not load the kubeconfig: %w", err)
	}
	if raw.CurrentContext == "" {
		return "", errors.New("no current context: set KUBECONFIG to a kubeconfig that has one")
	}
	if err := api.MinifyConfig(raw); err != nil {
		return "", fmt.Errorf("could not use context %q: %w", raw.CurrentContext, err)
	}
	if err := api.FlattenConfig(raw); err != nil {
		return "", fmt.Errorf("could not read the certificates of context %q: %w", raw.CurrentContext, err)
	}
	if err := clientcmd.WriteToFile(*raw, path); err != nil {
		return "", fmt.Errorf("could not write a kubeconfig: %w", err)
	}
	return raw.CurrentContext, nil
}

// inspect finds out what kind of metrics the cluster has.
func (s *Stage) inspect(ctx context.Context, config *rest.Config, current string, out io.Writer) error {
	if _, err := s.Metrics.MetricsV1beta1().PodMetricses(metav1.NamespaceDefault).List(ctx, metav1.ListOptions{}); err != nil {
		return errors.Join(fmt.Errorf(noMetrics, current), err)
	}
	simulated, err := servedByLoadsim(ctx, config)
	if err != nil {
		return err
	}
	say(out, "Measuring how often the metrics API of context %q has a new sample ...", current)
	period, err := s.measurePeriod(ctx)
	if err != nil {
		return err
	}
	say(out, "Every %s.", period)
	s.Period, s.Simulated = period, simulated
	s.Request, s.Pace = tenthCPU, story.Real(period)
	if simulated {
		s.Request, s.Pace = wholeCPU, story.Simulated(period)
	}
	return nil
}

// servedByLoadsim asks who has registered the metrics API.
func servedByLoadsim(ctx context.Context, config *rest.Config) (bool, error) {
	client, err := metadata.NewForConfig(config)
	if err != nil {
		return false, fmt.Errorf("could not make a metadata client: %w", err)
	}
	services := schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"}
	found, err := client.Resource(services).Get(ctx, "v1beta1.metrics.k8s.io", metav1.GetOptions{})
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("could not ask who serves the metrics API: %w", err)
	}
	return found.Labels["app.kubernetes.io/managed-by"] == "loadsim", nil
}

// cast chooses the actors and starts what steers them.
func (s *Stage) cast(ctx context.Context, image string, out io.Writer) {
	if s.Simulated {
		s.actors = &scripted{client: s.Client, namespace: s.Namespace, request: s.Request}
		return
	}
	pods := &burners{client: s.Client, namespace: s.Namespace, request: s.Request, name: image, out: out}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var steering sync.WaitGroup
	steering.Go(func() { pods.run(ctx) })
	s.later(func(context.Context) error {
		cancel()
		steering.Wait()
		return nil
	})
	s.actors = pods
}

// closed takes back what was begun before err came up.
func closed(err error, closer func() error) error { return errors.Join(err, closer()) }
