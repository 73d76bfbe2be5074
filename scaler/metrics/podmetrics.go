package metrics

import (
	"cmp"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"github.com/mini-hpa/mini-hpa/annotations/amount"
	"github.com/mini-hpa/mini-hpa/scaler/sample"
)

// A PodMetrics is decoded here because its own decoders take hours for a quantity such as 1e-999999999, for which the samples of the whole
// cluster would wait.

// jsonItem is a PodMetrics in JSON whose quantities, which hide those of the embedded one, are bounded.
type jsonItem struct {
	metricsv1beta1.PodMetrics
	Containers []struct {
		Name  string          `json:"name"`
		Usage amount.ListJSON `json:"usage"`
	} `json:"containers"`
}

func (j *jsonItem) whole() *metricsv1beta1.PodMetrics {
	if j.Containers != nil {
		j.PodMetrics.Containers = make([]metricsv1beta1.ContainerMetrics, len(j.Containers))
	}
	for i, c := range j.Containers {
		j.PodMetrics.Containers[i] = metricsv1beta1.ContainerMetrics{Name: c.Name, Usage: c.Usage.List()}
	}
	return &j.PodMetrics
}

// unmarshal decodes a PodMetrics in protobuf into the memory of an earlier one, with the strings that are known. All that is read of its messages are texts and messages:
//
//	PodMetrics 1 metadata, 2 timestamp, 3 window, 4 containers
//	ObjectMeta 1 name, 3 namespace
//	ContainerMetrics 1 name, 2 usage, a map: 1 key, 2 value
//	Quantity 1 text
func unmarshal(item *metricsv1beta1.PodMetrics, text []byte, known names) error {
	*item = metricsv1beta1.PodMetrics{Containers: item.Containers[:0]}
	return fields(text, func(field int32, value []byte) error {
		switch field {
		case 1:
			return unmarshalName(&item.ObjectMeta, value, known)
		case 2:
			return item.Timestamp.Unmarshal(value)
		case 3:
			return item.Window.Unmarshal(value)
		case 4:
			n := len(item.Containers)
			item.Containers = slices.Grow(item.Containers, 1)[:n+1]
			return unmarshalContainer(&item.Containers[n], value, known)
		}
		return nil
	})
}

func unmarshalName(meta *metav1.ObjectMeta, text []byte, known names) error {
	return fields(text, func(field int32, value []byte) error {
		switch field {
		case 1:
			meta.Name = string(value)
		case 3:
			meta.Namespace = known.text(value)
		}
		return nil
	})
}

func unmarshalContainer(c *metricsv1beta1.ContainerMetrics, text []byte, known names) error {
	const few = 16
	if c.Name = ""; len(c.Usage) > few {
		c.Usage = nil // clearing it again and again would take as long as it is large
	}
	clear(c.Usage)
	return fields(text, func(field int32, value []byte) error {
		switch field {
		case 1:
			c.Name = known.text(value)
		case 2:
			return unmarshalUsage(c, value, known)
		}
		return nil
	})
}

func unmarshalUsage(c *metricsv1beta1.ContainerMetrics, entry []byte, known names) error {
	var name corev1.ResourceName
	var used resource.Quantity
	err := fields(entry, func(field int32, value []byte) (err error) {
		switch field {
		case 1:
			name = corev1.ResourceName(known.text(value))
		case 2:
			used, err = unmarshalQuantity(value)
		}
		return err
	})
	if c.Usage == nil {
		c.Usage = corev1.ResourceList{}
	}
	c.Usage[name] = used
	return err
}

func unmarshalQuantity(text []byte) (q resource.Quantity, err error) {
	return q, fields(text, func(field int32, value []byte) error {
		if field != 1 {
			return nil
		}
		if q, err = amount.Read(string(value)); err != nil {
			return fmt.Errorf("quantity %.40q: %w", value, err)
		}
		return nil
	})
}

// sampleOf copies what is read, so that nothing of the item stays in memory but its pod's name and the digits of its amounts.
func sampleOf(item *metricsv1beta1.PodMetrics, known names) sample.Pod {
	s := sample.Pod{Namespace: known.same(item.Namespace), Name: item.Name, Time: item.Timestamp.Time, Window: item.Window.Duration}
	if len(item.Containers) == 0 {
		return s
	}
	n := 0
	for i := range item.Containers {
		n += len(item.Containers[i].Usage)
	}
	s.Containers = make([]sample.Container, len(item.Containers))
	amounts := make(sample.Usage, 0, n) // one array for all
	for i := range item.Containers {
		in, first := &item.Containers[i], len(amounts)
		for name, quantity := range in.Usage {
			amounts = append(amounts, sample.Amount{Resource: corev1.ResourceName(known.same(string(name))), Quantity: quantity})
		}
		usage := amounts[first:len(amounts):len(amounts)]
		slices.SortFunc(usage, func(a, b sample.Amount) int { return cmp.Compare(a.Resource, b.Resource) })
		s.Containers[i] = sample.Container{Name: known.same(in.Name), Usage: usage}
	}
	return s
}

// sizeOf is what a sample takes in memory, about: with what a growing list of them takes beside it.
func sizeOf(s *sample.Pod) int {
	const each, ofContainer, ofAmount = 200, 40, 80
	n := each + len(s.Name) + len(s.Containers)*ofContainer
	for i := range s.Containers {
		n += len(s.Containers[i].Usage) * ofAmount
	}
	return n
}

// names lets the samples of a LIST share the few strings that most of them have in common.
type names map[string]string

func (n names) same(name string) string {
	if known, found := n[name]; found {
		return known
	}
	n[name] = name
	return name
}

// text is the string of a text, which is made only where it is not known. It does not become known by that: an item may be one that cannot
// be read, and of those nothing stays.
func (n names) text(name []byte) string {
	if known, found := n[string(name)]; found {
		return known
	}
	return string(name)
}
