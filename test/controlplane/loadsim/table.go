package loadsim

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

// table is what kubectl get prints: the columns are those of metrics-server (pkg/api/table.go).
func table(object runtime.Object) runtime.Object {
	t := &metav1.Table{ColumnDefinitions: []metav1.TableColumnDefinition{
		{Name: "Name", Type: "string", Format: "name", Description: "Name of the resource"},
		{Name: "cpu", Type: "string", Format: "quantity"},
		{Name: "memory", Type: "string", Format: "quantity"},
		{Name: "Window", Type: "string", Format: "duration"},
	}}
	switch o := object.(type) {
	case *metricsv1beta1.PodMetrics:
		t.Rows = []metav1.TableRow{podRow(o)}
	case *metricsv1beta1.PodMetricsList:
		for i := range o.Items {
			t.Rows = append(t.Rows, podRow(&o.Items[i]))
		}
	case *metricsv1beta1.NodeMetrics:
		t.Rows = []metav1.TableRow{nodeRow(o)}
	case *metricsv1beta1.NodeMetricsList:
		for i := range o.Items {
			t.Rows = append(t.Rows, nodeRow(&o.Items[i]))
		}
	}
	return t
}

func podRow(m *metricsv1beta1.PodMetrics) metav1.TableRow {
	used := corev1.ResourceList{}
	for _, c := range m.Containers {
		add(used, c.Usage)
	}
	return row(m.ObjectMeta, used, m.Window)
}

func nodeRow(m *metricsv1beta1.NodeMetrics) metav1.TableRow {
	return row(m.ObjectMeta, m.Usage, m.Window)
}

func row(m metav1.ObjectMeta, used corev1.ResourceList, window metav1.Duration) metav1.TableRow {
	partial := &metav1.PartialObjectMetadata{ObjectMeta: m}
	partial.SetGroupVersionKind(metav1.SchemeGroupVersion.WithKind("PartialObjectMetadata"))
	return metav1.TableRow{
		Cells:  []any{m.Name, used.Cpu().String(), used.Memory().String(), window.Duration.String()},
		Object: runtime.RawExtension{Object: partial},
	}
}
