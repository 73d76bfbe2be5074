package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
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

// decode reads the fields of a workload that the checks need. Like the API server, it takes names in their exact case only.
func decode(kind annotations.Kind, raw []byte) (*object, error) {
	if kind.Group == appsv1.GroupName {
		return decodeApps(kind, raw)
	}
	return decodeCustom(kind, raw)
}

// decodeApps reads an object of group apps, whose kinds have the fields that are read in common.
func decodeApps(kind annotations.Kind, raw []byte) (*object, error) {
	var wire wireApps
	if err := utiljson.Unmarshal(raw, &wire); err != nil {
		return nil, fmt.Errorf("the %s cannot be read: %w", kind.Kind, err)
	}
	var t wireTemplate
	if len(wire.Spec.Template) > 0 {
		if err := utiljson.Unmarshal(wire.Spec.Template, &t); err != nil {
			return nil, fmt.Errorf("the pod template cannot be read: %w", err)
		}
	}
	o := &object{workload: wire.Metadata.workload(kind), template: wire.Spec.Template}
	o.workload.Replicas, o.workload.Template = annotations.ReplicasOr1(wire.Spec.Replicas), t.core()
	o.workload.DeletesClaims = len(wire.Spec.VolumeClaimTemplates) > 0 && wire.Spec.Retention.WhenScaled == appsv1.DeletePersistentVolumeClaimRetentionPolicyType
	limit := wire.Spec.RevisionHistoryLimit
	o.keepsNoHistory = limit != nil && *limit == 0
	return o, readWay(o.workload, o.template)
}

// decodeCustom reads a custom resource, of whose fields nothing is known but the metadata and the paths of its scale subresource. As in
// annotations.Kind's Read, one of a wrong type counts as 0 or as none.
func decodeCustom(kind annotations.Kind, raw []byte) (*object, error) {
	var wire struct {
		Metadata wireMeta `json:"metadata"`
	}
	if err := utiljson.Unmarshal(raw, &wire); err != nil {
		return nil, fmt.Errorf("the %s cannot be read: %w", kind.Kind, err)
	}
	o := &object{workload: wire.Metadata.workload(kind), template: at(raw, ".spec.template")}
	if n := 0.0; utiljson.Unmarshal(at(raw, kind.ReplicasPath), &n) == nil && n == math.Trunc(n) && n > 0 && n <= math.MaxInt32 {
		o.workload.Replicas = int32(n)
	}
	selector := ""
	if utiljson.Unmarshal(at(raw, kind.SelectorPath), &selector) == nil && selector != "" {
		o.workload.Selector, _ = metav1.ParseToLabelSelector(selector) // one that cannot be read selects nothing
	}
	var t wireTemplate
	switch err := utiljson.Unmarshal(o.template, &t); {
	case errors.Is(err, errTooLarge):
		return nil, fmt.Errorf("the pod template cannot be read: %w", err)
	case err == nil && len(t.Spec.Containers) > 0:
		o.workload.Template = t.core()
	}
	return o, readWay(o.workload, o.template)
}

// The wire types have the fields of apps/v1 that are read, and their JSON names.
type (
	wireApps struct {
		Metadata wireMeta `json:"metadata"`
		Spec     struct {
			Replicas             *int32          `json:"replicas"`
			RevisionHistoryLimit *int32          `json:"revisionHistoryLimit"`
			Template             json.RawMessage `json:"template"`
			// Of a StatefulSet.
			VolumeClaimTemplates []struct{} `json:"volumeClaimTemplates"`
			Retention            struct {
				WhenScaled appsv1.PersistentVolumeClaimRetentionPolicyType `json:"whenScaled"`
			} `json:"persistentVolumeClaimRetentionPolicy"`
		} `json:"spec"`
	}
	wireMeta struct {
		Namespace         string         `json:"namespace"`
		Name              string         `json:"name"`
		UID               types.UID      `json:"uid"`
		DeletionTimestamp *metav1.Time   `json:"deletionTimestamp"`
		Annotations       ownAnnotations `json:"annotations"`
		Owner             wireOwner      `json:"ownerReferences"`
	}
	// wireOwner is, of a list of owners, the one that controls the object.
	wireOwner    struct{ *metav1.OwnerReference }
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

func (m *wireMeta) workload(kind annotations.Kind) *annotations.Workload {
	return &annotations.Workload{Key: annotations.Key{Kind: kind.GroupKind(), Namespace: m.Namespace, Name: m.Name}, APIVersion: kind.GroupVersion().String(),
		Resource: kind.Resource, UID: m.UID, Deleting: m.DeletionTimestamp != nil, Annotations: m.Annotations, Owner: m.Owner.OwnerReference}
}

// object is a workload in a request, as far as it was read.
type object struct {
	workload *annotations.Workload
	template json.RawMessage
	// keepsNoHistory says that the workload has no earlier revisions.
	keepsNoHistory bool
}

// isLeftAlone says whether the object is not checked: a deletion is never held up, and a ReplicaSet that somebody controls is never
// scaled. The Deployment controller copies annotations to those that it makes, and must be able to make them.
func (o *object) isLeftAlone() bool {
	return o.workload.Deleting || o.workload.Kind == replicaSets && o.workload.Owner != nil
}

// disown takes mini-hpa's annotations away.
func (o *object) disown() {
	maps.DeleteFunc(o.workload.Annotations, func(key, _ string) bool { return strings.HasPrefix(key, annotations.Prefix) })
}

// sameTemplate says whether two objects have the same pod template. The API server encodes both, so their bytes are equal then.
func (o *object) sameTemplate(other *object) bool {
	return string(o.template) == string(other.template)
}

// UnmarshalJSON keeps the keys that the checks read and skips all others.
func (a *ownAnnotations) UnmarshalJSON(raw []byte) error {
	if isNull(raw) {
		return nil
	}
	if len(raw) > maxAnnotations {
		return fmt.Errorf("its annotations are %w", errTooLarge)
	}
	*a = ownAnnotations{}
	err := members(raw, func(name string, text json.RawMessage) error {
		if !strings.HasPrefix(name, annotations.Prefix) && !annotations.Announces(name) {
			return nil
		}
		var value string
		if err := utiljson.Unmarshal(text, &value); err != nil {
			return err
		}
		(*a)[name] = value
		return nil
	})
	if err != nil {
		return fmt.Errorf("its annotations are no strings by name: %w", err)
	}
	return nil
}

// UnmarshalJSON stops at the first container too many.
func (c *wireContainers) UnmarshalJSON(raw []byte) error {
	if isNull(raw) {
		return nil
	}
	err := elements(raw, func(text json.RawMessage) error {
		if len(*c) == maxContainers {
			return fmt.Errorf("more than %d are %w", maxContainers, errTooLarge)
		}
		var one wireContainer
		if err := utiljson.Unmarshal(text, &one); err != nil {
			return err
		}
		*c = append(*c, one)
		return nil
	})
	if err != nil {
		return fmt.Errorf("its containers: %w", err)
	}
	return nil
}

// UnmarshalJSON keeps the first owner that controls the object, as metav1.GetControllerOf does.
func (o *wireOwner) UnmarshalJSON(raw []byte) error {
	if isNull(raw) {
		return nil
	}
	n := 0
	err := elements(raw, func(text json.RawMessage) error {
		if n++; n > maxOwners {
			return fmt.Errorf("more than %d are %w", maxOwners, errTooLarge)
		}
		var one metav1.OwnerReference
		if err := utiljson.Unmarshal(text, &one); err != nil {
			return err
		}
		if o.OwnerReference == nil && one.Controller != nil && *one.Controller {
			o.OwnerReference = &one
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("its owners: %w", err)
	}
	return nil
}

// UnmarshalJSON fails for too many resources, and for a quantity that is too long, before it parses it.
func (a *wireAmounts) UnmarshalJSON(raw []byte) error {
	if isNull(raw) {
		return nil
	}
	*a = wireAmounts{}
	n := 0
	err := members(raw, func(name string, text json.RawMessage) (err error) {
		if n++; n > maxResources || len(text) > maxQuantity {
			return fmt.Errorf("more than %d, or a quantity of more than %d bytes, are %w", maxResources, maxQuantity, errTooLarge)
		}
		(*a)[corev1.ResourceName(name)], err = wireAmount(text)
		return err
	})
	if err != nil {
		return fmt.Errorf("its resources: %w", err)
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
