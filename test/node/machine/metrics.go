//go:build linux

package machine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metricsclient "k8s.io/metrics/pkg/client/clientset/versioned"

	"github.com/mini-hpa/mini-hpa/test/await"
)

// startMetrics installs metrics-server and waits for a sample of the node through the API server: by then a pod has run, the API
// server has reached a pod, and the pod the kubelet.
func (m *Machine) startMetrics(ctx context.Context) error {
	manifest, err := m.settings.write("metrics-server.yaml")
	if err != nil {
		return err
	}
	if err := run(ctx, m.Programs["kubectl"], "--kubeconfig="+m.Cluster.Kubeconfig(), "apply", "--filename="+manifest); err != nil {
		return err
	}
	client, err := metricsclient.NewForConfig(m.Cluster.Config())
	if err != nil {
		return err
	}
	err = await.Within(ctx, patience, interval, func(ctx context.Context) error {
		list, err := client.MetricsV1beta1().NodeMetricses().List(ctx, metav1.ListOptions{})
		if err == nil && len(list.Items) == 0 {
			err = errors.New("there is no sample yet")
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("%w\n%s", err, m.Describe(ctx, "kube-system"))
	}
	return nil
}

// get succeeds if the answer is 200.
func get(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %.200q", response.Status, body)
	}
	return err
}
