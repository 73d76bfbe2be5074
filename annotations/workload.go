package annotations

import (
	"bytes"
	"cmp"
	"encoding/json"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// Key names one workload of a cluster. It is what travels through queue, memory, budget and log.
type Key struct {
	// Kind is the kind of object that is scaled, such as Deployment in group apps.
	Kind schema.GroupKind
	// Namespace and Name are the object's.
	Namespace, Name string
}

// DeploymentKey is the Key of a Deployment.
func DeploymentKey(namespace, name string) Key {
	return Key{Kind: schema.GroupKind{Group: appsv1.GroupName, Kind: kindDeployment}, Namespace: namespace, Name: name}
}

const kindDeployment = "Deployment"

// String is the key in full, such as "deployments.apps/shop/web".
func (k Key) String() string {
	resource, _ := meta.UnsafeGuessKindToResource(k.Kind.WithVersion("")) // names for people: no request is made of it
	return resource.GroupResource().String() + "/" + k.Namespace + "/" + k.Name
}

// NamespacedName is the key without its kind, where that is said otherwise; its String is "shop/web".
func (k Key) NamespacedName() types.NamespacedName {
	return types.NamespacedName{Namespace: k.Namespace, Name: k.Name}
}

// Workload is what all kinds with a scale subresource have in common, as far as it is read. It shares memory with the object that it was
// made from and with others: it is read-only.
type Workload struct {
	Key
	// APIVersion is that of the object, such as "apps/v1".
	APIVersion string
	UID        types.UID
	// Version is the resourceVersion, which a write is conditional on; empty if it was not stored.
	Version string
	// Deleting says that it is being deleted.
	Deleting bool
	// Annotations are the object's.
	Annotations map[string]string
	// Template is what its pods are made from; nil where the kind has none, or where it is not known.
	Template *corev1.PodTemplateSpec
	// Replicas are those that are asked for (spec.replicas of the scale subresource), StatusReplicas the pods that are there
	// (status.replicas).
	Replicas, StatusReplicas int32
	// Selector selects its pods, and possibly pods of others.
	Selector *metav1.LabelSelector
	// ScaledByUs says that mini-hpa was the last to write the replicas.
	ScaledByUs bool
	// SetBy is the field manager that has set the replicas, in managedFields; of several, all of them, separated by commas. It is empty if that is not known.
	SetBy string
	// Refused is why its pods cannot be created; empty if they can.
	Refused string
}

// FieldManager is the name under which mini-hpa writes, in managedFields and for GitOps tools' ignore rules.
const FieldManager = "mini-hpa"

// OfDeployment is a Deployment as a Workload, with which it shares its memory.
func OfDeployment(d *appsv1.Deployment) *Workload {
	w := &Workload{
		Key: DeploymentKey(d.Namespace, d.Name), APIVersion: appsv1.SchemeGroupVersion.String(), UID: d.UID, Version: d.ResourceVersion,
		Deleting: d.DeletionTimestamp != nil, Annotations: d.Annotations, Template: &d.Spec.Template,
		Replicas: ReplicasOr1(d.Spec.Replicas), StatusReplicas: d.Status.Replicas, Selector: d.Spec.Selector, Refused: refusal(d.Status.Conditions),
	}
	w.readManagers(d.ManagedFields)
	return w
}

// ReplicasOr1 are the replicas of an object that may not say how many: the API server stores 1 then (SetDefaults_Deployment).
func ReplicasOr1(given *int32) int32 {
	if given == nil {
		return 1
	}
	return *given
}

// Reference is what an Event about the workload refers to.
func (w *Workload) Reference() *corev1.ObjectReference {
	return &corev1.ObjectReference{APIVersion: w.APIVersion, Kind: w.Kind.Kind, Namespace: w.Namespace, Name: w.Name, UID: w.UID, ResourceVersion: w.Version}
}

// template is the pod template, or an empty one.
func (w *Workload) template() *corev1.PodTemplateSpec {
	if w.Template == nil {
		return &corev1.PodTemplateSpec{}
	}
	return w.Template
}

// refusal is why the pods of a Deployment cannot be created. Other reasons of the same condition are not about pods.
func refusal(conditions []appsv1.DeploymentCondition) string {
	const failedCreate = "FailedCreate" // the ReplicaSet controller's
	for i := range conditions {
		c := &conditions[i]
		if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue && c.Reason == failedCreate {
			return cmp.Or(c.Message, c.Reason)
		}
	}
	return ""
}

// readManagers reads who has set the replicas. After a restart it shows whether mini-hpa was the last to write them, or the name of
// somebody else who was. API servers (1.36, and 1.37 by its source) record no time of a write to the scale subresource, so the history
// of such writes comes from the pods.
func (w *Workload) readManagers(entries []metav1.ManagedFieldsEntry) {
	var names []string
	for i := range entries {
		e := &entries[i]
		if e.Subresource == "status" || !ownsReplicas(e.FieldsV1) {
			continue
		}
		names = append(names, e.Manager)
		w.ScaledByUs = w.ScaledByUs || e.Manager == FieldManager && e.Subresource == "scale"
	}
	w.SetBy = strings.Join(names, ", ")
}

// ownsReplicas says whether spec.replicas is among the fields. Where they are not listed, nothing speaks against it.
func ownsReplicas(fields *metav1.FieldsV1) bool {
	if fields == nil {
		return true
	}
	raw := fields.GetRawBytes()
	if !bytes.Contains(raw, []byte(`"f:replicas"`)) {
		return false // most lists are long, and to look for a word is cheap; labels and the status have it too
	}
	var owned struct {
		Spec struct {
			Replicas json.RawMessage `json:"f:replicas"`
		} `json:"f:spec"`
	}
	return json.Unmarshal(raw, &owned) == nil && owned.Spec.Replicas != nil
}
