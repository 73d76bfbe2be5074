package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/amount"
)

// The webhook answers anyone who reaches its port. Decoded into the API's own types, a body of a few MiB takes gigabytes: each
// "{}," in a list of containers is three bytes of text, but a Container of nearly a kilobyte. Parsing a quantity takes more than
// linear time. So only the fields that the checks read are decoded, into types that are as small as their text, and an object
// that no cluster could run is refused before it is decoded.
const (
	// maxContainers is per list. Real lists are far shorter; by default, a kubelet runs at most 110 pods.
	maxContainers = 1000
	// maxAnnotations is in bytes of JSON. The API server allows 256 KiB in all (TotalAnnotationSizeLimitB), of which each byte
	// may take six in JSON.
	maxAnnotations = 6 * 256 << 10
	// maxResources is per container, of requests and of limits.
	maxResources = 20
	// maxQuantity is in bytes. The API server sends quantities in their shortest form.
	maxQuantity = 128
)

// decode reads the fields of a Deployment that the checks need. Like the API server, it takes names in their exact case only.
func decode(raw []byte) (*object, error) {
	var o wireDeployment
	if err := utiljson.Unmarshal(raw, &o); err != nil {
		return nil, fmt.Errorf("the Deployment cannot be read: %w", err)
	}
	var t wireTemplate
	if len(o.Spec.Template) > 0 {
		if err := utiljson.Unmarshal(o.Spec.Template, &t); err != nil {
			return nil, fmt.Errorf("the pod template cannot be read: %w", err)
		}
	}
	w := &annotations.Workload{Key: annotations.DeploymentKey(o.Metadata.Namespace, o.Metadata.Name), APIVersion: appsv1.SchemeGroupVersion.String(),
		UID: o.Metadata.UID, Deleting: o.Metadata.DeletionTimestamp != nil, Annotations: o.Metadata.Annotations,
		Replicas: annotations.ReplicasOr1(o.Spec.Replicas), Template: t.core()}
	limit := o.Spec.RevisionHistoryLimit
	return &object{workload: w, template: o.Spec.Template, keepsNoHistory: limit != nil && *limit == 0}, nil
}

// The wire types have the fields of apps/v1 that are read, and their JSON names.
type (
	wireDeployment struct {
		Metadata wireMeta `json:"metadata"`
		Spec     struct {
			Replicas             *int32          `json:"replicas"`
			RevisionHistoryLimit *int32          `json:"revisionHistoryLimit"`
			Template             json.RawMessage `json:"template"`
		} `json:"spec"`
	}
	wireMeta struct {
		Namespace         string         `json:"namespace"`
		Name              string         `json:"name"`
		UID               types.UID      `json:"uid"`
		DeletionTimestamp *metav1.Time   `json:"deletionTimestamp"`
		Annotations       ownAnnotations `json:"annotations"`
	}
	wireTemplate struct {
		Metadata struct {
			Labels      ownAnnotations `json:"labels"`
			Annotations ownAnnotations `json:"annotations"`
		} `json:"metadata"`
		Spec struct {
			Containers     wireContainers `json:"containers"`
			InitContainers wireContainers `json:"initContainers"`
			Resources      *wireResources `json:"resources"`
		} `json:"spec"`
	}
	wireContainer struct {
		Name          string                         `json:"name"`
		Image         string                         `json:"image"`
		Resources     wireResources                  `json:"resources"`
		RestartPolicy *corev1.ContainerRestartPolicy `json:"restartPolicy"`
	}
	wireResources struct {
		Requests wireAmounts `json:"requests"`
		Limits   wireAmounts `json:"limits"`
	}
	wireAmounts    corev1.ResourceList
	wireContainers []wireContainer
	// ownAnnotations are the annotations with mini-hpa's prefix, and the labels or annotations that announce an injected container.
	ownAnnotations map[string]string
)

// object is a Deployment in a request, as far as it was read.
type object struct {
	workload *annotations.Workload
	template json.RawMessage
	// keepsNoHistory says that the Deployment has no earlier revisions.
	keepsNoHistory bool
}

// sameTemplate says whether two objects have the same pod template. The API server encodes both, so their bytes are equal then.
func (o *object) sameTemplate(other *object) bool {
	return string(o.template) == string(other.template)
}

// errTooLarge is the error for an object that no cluster could run, or that was made to exhaust memory.
var errTooLarge = errors.New("too large")

// isNull says whether a value is null, which counts as absent.
func isNull(raw []byte) bool { return string(raw) == "null" }

// enter reads the beginning of an object or a list.
func enter(decoder *json.Decoder, begin json.Delim) error {
	token, err := decoder.Token()
	if err == nil && token != begin {
		err = fmt.Errorf("it begins with %v", token)
	}
	return err
}

// UnmarshalJSON keeps the keys that the checks read and skips all others.
func (a *ownAnnotations) UnmarshalJSON(raw []byte) error {
	if isNull(raw) {
		return nil
	}
	if len(raw) > maxAnnotations {
		return fmt.Errorf("its annotations are %w", errTooLarge)
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if err := enter(decoder, '{'); err != nil {
		return fmt.Errorf("its annotations are no object: %w", err)
	}
	*a = ownAnnotations{}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return err
		}
		var value string
		if err := decoder.Decode(&value); err != nil {
			return fmt.Errorf("its annotations are no strings: %w", err)
		}
		if name, _ := key.(string); strings.HasPrefix(name, annotations.Prefix) || annotations.Announces(name) {
			(*a)[name] = value
		}
	}
	return nil
}

// UnmarshalJSON stops at the first container too many.
func (c *wireContainers) UnmarshalJSON(raw []byte) error {
	if isNull(raw) {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if err := enter(decoder, '['); err != nil {
		return fmt.Errorf("its containers are no list: %w", err)
	}
	for decoder.More() {
		if len(*c) == maxContainers {
			return fmt.Errorf("its list of more than %d containers is %w", maxContainers, errTooLarge)
		}
		var text json.RawMessage
		if err := decoder.Decode(&text); err != nil {
			return err
		}
		var one wireContainer
		if err := utiljson.Unmarshal(text, &one); err != nil {
			return err
		}
		*c = append(*c, one)
	}
	return nil
}

// UnmarshalJSON fails for too many resources, and for a quantity that is too long, before it parses it.
func (a *wireAmounts) UnmarshalJSON(raw []byte) error {
	if isNull(raw) {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if err := enter(decoder, '{'); err != nil {
		return fmt.Errorf("its resources are no object: %w", err)
	}
	*a = wireAmounts{}
	for n := 0; decoder.More(); n++ {
		key, err := decoder.Token()
		if err != nil {
			return err
		}
		var text json.RawMessage
		if err := decoder.Decode(&text); err != nil {
			return err
		}
		if n == maxResources || len(text) > maxQuantity {
			return fmt.Errorf("its list of more than %d resources, or one of their quantities, is %w", maxResources, errTooLarge)
		}
		name, _ := key.(string)
		if (*a)[corev1.ResourceName(name)], err = wireAmount(text); err != nil {
			return err
		}
	}
	return nil
}

// wireAmount reads what resource.Quantity's UnmarshalJSON does, but only quantities that take bounded time.
func wireAmount(raw json.RawMessage) (resource.Quantity, error) {
	if isNull(raw) {
		return resource.Quantity{}, nil
	}
	text := strings.TrimSuffix(strings.TrimPrefix(string(raw), `"`), `"`)
	return amount.Read(strings.TrimSpace(text))
}

func (t *wireTemplate) core() *corev1.PodTemplateSpec {
	template := &corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: t.Metadata.Labels, Annotations: t.Metadata.Annotations},
		Spec: corev1.PodSpec{Containers: t.Spec.Containers.core(), InitContainers: t.Spec.InitContainers.core()}}
	if t.Spec.Resources != nil {
		whole := t.Spec.Resources.core()
		template.Spec.Resources = &whole
	}
	return template
}

func (c wireContainers) core() []corev1.Container {
	if len(c) == 0 {
		return nil
	}
	containers := make([]corev1.Container, len(c))
	for i := range c {
		containers[i] = corev1.Container{Name: c[i].Name, Image: c[i].Image, Resources: c[i].Resources.core(), RestartPolicy: c[i].RestartPolicy}
	}
	return containers
}

func (r wireResources) core() corev1.ResourceRequirements {
	return corev1.ResourceRequirements{Requests: corev1.ResourceList(r.Requests), Limits: corev1.ResourceList(r.Limits)}
}
