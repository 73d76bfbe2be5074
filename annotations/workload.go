package annotations

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mini-hpa/mini-hpa/annotations/podspec"
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

// targetKey is the object that a reference names; the zero Key if the reference is not whole.
func targetKey(namespace, apiVersion, kind, name string) Key {
	if kind == "" || name == "" {
		return Key{}
	}
	return Key{Kind: schema.GroupKind{Group: groupOf(apiVersion), Kind: kind}, Namespace: namespace, Name: name}
}

// String is the key in full, such as "deployments.apps/shop/web".
func (k Key) String() string {
	resource, _ := meta.UnsafeGuessKindToResource(k.Kind.WithVersion("")) // names for people: no request is made of it
	return resource.GroupResource().String() + "/" + k.Namespace + "/" + k.Name
}

// Title is how a sentence names it: "deployment shop/web".
func (k Key) Title() string {
	return strings.ToLower(k.Kind.Kind) + " " + k.NamespacedName().String()
}

// NamespacedName is the key without its kind, where that is said otherwise; its String is "shop/web".
func (k Key) NamespacedName() types.NamespacedName {
	return types.NamespacedName{Namespace: k.Namespace, Name: k.Name}
}

// Workload is what all kinds with a scale subresource have in common, as far as it is read. It shares memory with the object that it was
// made from and with others: it is read-only.
type Workload struct {
	Key
	// APIVersion is that of the object, such as "apps/v1", and Resource the name of its kind in the API, such as "deployments". A
	// recording has no Resource.
	APIVersion, Resource string
	UID                  types.UID
	// Version is the resourceVersion, which a write is conditional on; empty if it was not stored.
	Version string
	// Deleting says that it is being deleted.
	Deleting bool
	// Owner is the object that controls this one; nil if none does.
	Owner *metav1.OwnerReference
	// Annotations are the object's.
	Annotations map[string]string
	// Template is what its pods are made from; nil where the kind has none, or where it is not known.
	Template *corev1.PodTemplateSpec
	// Replicas are those that are asked for (spec.replicas of the scale subresource), StatusReplicas the pods that are there
	// (status.replicas).
	Replicas, StatusReplicas int32
	// Selector selects its pods, and possibly pods of others.
	Selector *metav1.LabelSelector
	// ScaledBy is the field manager that has set the replicas by the scale subresource, as mini-hpa and kubectl scale do; empty if none has, or if
	// they were 0 since and nobody has signed that: see SignsZero.
	ScaledBy string
	// ScaledByUs says that mini-hpa was the last to write the replicas.
	ScaledByUs bool
	// SetBy is the field manager that has set the replicas, in managedFields; of several, all of them, separated by commas. It is empty if that is not known.
	SetBy string
	// Refused is why its pods cannot be created; empty if they can, or if that is not known.
	Refused string
	// DeletesClaims says that the volume claims of a StatefulSet's pods are deleted when it is scaled in.
	DeletesClaims bool
}

// FieldManager is the name under which mini-hpa writes, in managedFields and for GitOps tools' ignore rules.
const FieldManager = "mini-hpa"

// SignsZero says whether it can be on record who has set 0 replicas by the scale subresource. API servers (1.36 and 1.37) forget it of an update,
// because a Scale omits a 0; they record it where it is applied, which they refuse for the scale of a custom resource.
func (w *Workload) SignsZero() bool {
	_, builtin := BuiltinOf(w.Kind)
	return builtin
}

// SleepsUnsigned says whether 0 replicas that mini-hpa has not set are a sleep where the annotations allow one: those of a manifest are, and those of a kind of which
// it is never on record who has set them, or no such workload would wake after a restart. Others are a pause.
func (w *Workload) SleepsUnsigned() bool {
	return w.SetBy != "" && w.ScaledBy == "" || w.SetBy == "" && !w.SignsZero()
}

// OfDeployment is a Deployment as a Workload, with which it shares its memory.
func OfDeployment(d *appsv1.Deployment) *Workload {
	w := ofApps(d, builtin(kindDeployment, "deployments"), d.Spec.Replicas, &d.Spec.Template, d.Spec.Selector)
	w.StatusReplicas = d.Status.Replicas
	for i := range d.Status.Conditions {
		c := &d.Status.Conditions[i]
		w.refuse(c.Type == appsv1.DeploymentReplicaFailure, c.Status, c.Reason, c.Message)
	}
	return w
}

// OfReplicaSet is a ReplicaSet as a Workload, with which it shares its memory.
func OfReplicaSet(r *appsv1.ReplicaSet) *Workload {
	w := ofApps(r, builtin(kindReplicaSet, "replicasets"), r.Spec.Replicas, &r.Spec.Template, r.Spec.Selector)
	w.StatusReplicas = r.Status.Replicas
	for i := range r.Status.Conditions {
		c := &r.Status.Conditions[i]
		w.refuse(c.Type == appsv1.ReplicaSetReplicaFailure, c.Status, c.Reason, c.Message)
	}
	return w
}

// OfStatefulSet is a StatefulSet as a Workload, with which it shares its memory. A StatefulSet has no condition that says that its pods
// are refused.
func OfStatefulSet(s *appsv1.StatefulSet) *Workload {
	w := ofApps(s, builtin(kindStatefulSet, "statefulsets"), s.Spec.Replicas, &s.Spec.Template, s.Spec.Selector)
	w.StatusReplicas = s.Status.Replicas
	retention := s.Spec.PersistentVolumeClaimRetentionPolicy
	w.DeletesClaims = len(s.Spec.VolumeClaimTemplates) > 0 && retention != nil && retention.WhenScaled == appsv1.DeletePersistentVolumeClaimRetentionPolicyType
	return w
}

// Read reads an object of this kind as a Workload, with which it shares memory. A field that is missing or of a wrong type counts as 0 or
// as none; the API server reads it like that, too (the scale subresource of custom resources).
func (k *Kind) Read(o *unstructured.Unstructured) *Workload {
	w := k.identify(o)
	w.Replicas, w.StatusReplicas = count(at(o.Object, k.ReplicasPath)), count(at(o.Object, k.StatusReplicasPath))
	if selector, _ := at(o.Object, k.SelectorPath).(string); selector != "" {
		w.Selector, _ = metav1.ParseToLabelSelector(selector) // one that cannot be read selects nothing
	}
	w.Template = podspec.ReadTemplate(at(o.Object, ".spec.template"))
	w.readManagers(o.GetManagedFields(), k.ReplicasPath)
	return w
}

// identify is a Workload with what all objects have.
func (k *Kind) identify(o metav1.Object) *Workload {
	return &Workload{
		Key:        Key{Kind: k.GroupKind(), Namespace: o.GetNamespace(), Name: o.GetName()},
		APIVersion: k.GroupVersion().String(), Resource: k.Resource, UID: o.GetUID(), Version: o.GetResourceVersion(),
		Deleting: o.GetDeletionTimestamp() != nil, Annotations: o.GetAnnotations(), Owner: metav1.GetControllerOf(o),
	}
}

// ofApps is an object of group apps, whose kinds have most fields in common.
func ofApps(o metav1.Object, k Kind, replicas *int32, template *corev1.PodTemplateSpec, selector *metav1.LabelSelector) *Workload {
	w := k.identify(o)
	w.Replicas, w.Template, w.Selector = ReplicasOr1(replicas), template, selector
	w.readManagers(o.GetManagedFields(), k.ReplicasPath)
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

// refuse reads a condition of type ReplicaFailure, which says why pods cannot be created. Other reasons of it are not about pods.
func (w *Workload) refuse(fails bool, status corev1.ConditionStatus, reason, message string) {
	const failedCreate = "FailedCreate" // the ReplicaSet controller's
	if fails && status == corev1.ConditionTrue && reason == failedCreate {
		w.Refused = cmp.Or(message, reason)
	}
}

// readManagers reads who has set the replicas. After a restart it shows whether mini-hpa was the last to write them, or the name of
// somebody else who was. API servers (1.36 and 1.37) record no time of a write to the scale subresource, so the history
// of such writes comes from the pods. The path leads to the replicas.
func (w *Workload) readManagers(entries []metav1.ManagedFieldsEntry, path string) {
	var names []string
	for i := range entries {
		e := &entries[i]
		if e.Subresource == "status" || !owns(e.FieldsV1, path) {
			continue
		}
		names = append(names, e.Manager)
		if e.Subresource == "scale" {
			w.ScaledBy = e.Manager
		}
		w.ScaledByUs = w.ScaledByUs || e.Manager == FieldManager && e.Subresource == "scale"
	}
	w.SetBy = strings.Join(names, ", ")
}

// revision is an annotation of ReplicaSets that a Deployment has made. They keep it if it is deleted without them (kubectl delete
// --cascade=orphan), as they keep the annotations that they have from it, and the next Deployment of the same selector adopts them.
const revision = "deployment.kubernetes.io/revision"

// IsLeftAlone says whether a ReplicaSet is never scaled, however it is annotated: something controls it, or a Deployment has made it.
func IsLeftAlone(replicaSet metav1.Object) bool {
	return replicaSet.GetAnnotations()[revision] != "" || metav1.GetControllerOfNoCopy(replicaSet) != nil
}

// AnnotatedInVain says whether an annotation of mini-hpa was put on an object by somebody else than what controls it, whose controller
// may have copied its own. A controller is known by the reference to what controls the object, which it has set. Where managedFields do not
// say whose the annotations are, nobody is known to have meant them.
func AnnotatedInVain(o metav1.Object) bool {
	if metav1.GetControllerOfNoCopy(o) == nil || !Selected(o.GetAnnotations()) {
		return false
	}
	return slices.ContainsFunc(o.GetManagedFields(), func(e metav1.ManagedFieldsEntry) bool {
		if e.FieldsV1 == nil || owns(e.FieldsV1, ".metadata.ownerReferences") {
			return false
		}
		for key := range o.GetAnnotations() {
			if strings.HasPrefix(key, Prefix) && owns(e.FieldsV1, ".metadata.annotations."+key) {
				return true
			}
		}
		return false
	})
}

// owns says whether the field at the path is among the fields. Where they are not listed, nothing speaks against it.
func owns(fields *metav1.FieldsV1, path string) bool {
	if fields == nil {
		return true
	}
	raw := fields.GetRawBytes()
	for step := range strings.SplitSeq(path, ".") {
		if step == "" {
			continue
		}
		if raw = under(raw, step); raw == nil {
			return false
		}
	}
	return true
}

// under returns what follows the name of a field at the top of a list of fields, or nil if it has none. The list is as API servers write it: valid JSON in which
// names have no escapes. It is read at each event of a workload, and encoding/json takes ten to twenty times as long (BenchmarkManagers).
func under(list []byte, field string) []byte {
	const space = " \t\r\n"
	if list = bytes.TrimLeft(list, space); !bytes.HasPrefix(list, []byte{'{'}) {
		return nil
	}
	depth := 0
	for i := 0; i < len(list); i++ {
		switch list[i] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return nil
			}
		case '"':
			text := list[i+1:]
			n := untilQuote(text)
			i += n + 1
			rest, isName := bytes.CutPrefix(bytes.TrimLeft(text[min(n+1, len(text)):], space), []byte{':'})
			if name, isField := bytes.CutPrefix(text[:n], []byte("f:")); depth == 1 && isName && isField && string(name) == field {
				return rest
			}
		}
	}
	return nil
}

// untilQuote is how many bytes there are before the quote that ends a string of JSON.
func untilQuote(text []byte) int {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return len(text)
}
