package lint

import (
	"cmp"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// candidate is a workload that is looked at.
type candidate struct {
	object
	reading
	// problems are those of the manifest that its API object cannot have.
	problems field.ErrorList
	// isUnfit says that there are some in its fields.
	isUnfit bool
	// cost is what a form of it counts as; 0 until it is asked for.
	cost int
}

// target is what patches of the workload are for.
func (d *candidate) target() target { return target{d.kind.Kind, d.GetName()} }

// isFromCluster says whether a cluster has written the manifest. An empty status does not show that, because clients write one as well.
func (d *candidate) isFromCluster() bool {
	return len(d.mapping("status")) > 0 || d.workload.UID != "" || d.workload.Version != ""
}

// target is what patches are for: a kind of workloads, or any if it is empty, and a name, which is empty for patches for more than one name.
type target struct{ kind, name string }

// scaled is the kind of the object, and whether objects of it are scaled. What another object controls is scaled with that.
func (o object) scaled() (annotations.Kind, bool) {
	kind, ok := o.kinds.known[o.GroupVersionKind().GroupKind()]
	return kind, ok && (kind.GroupVersionKind == o.GroupVersionKind() || kind.Group != appsv1.GroupName) && !o.isControlled()
}

func (o object) isScaled() bool {
	_, ok := o.scaled()
	return ok
}

// isControlled says whether it is a ReplicaSet that something controls, as a Deployment does, which copies its annotations to it.
func (o object) isControlled() bool {
	return o.GroupVersionKind() == appsv1.SchemeGroupVersion.WithKind("ReplicaSet") && metav1.GetControllerOfNoCopy(&o) != nil
}

// reading is an object as a workload.
type reading struct {
	kind     annotations.Kind
	workload *annotations.Workload
	// replicas are those that the manifest gives; nil if it gives none.
	replicas *int32
	// strategy is how its pods are replaced, in the words of a Deployment; nil if they are not, or if that is not known.
	strategy *appsv1.DeploymentStrategy
	// orderedReady says that its pods come one after another, each when the one before is ready.
	orderedReady bool
}

// read reads an object of a kind. Where its fields are known it tells those that the API server would refuse.
func (o object) read(kind annotations.Kind) (r reading, problems field.ErrorList, err error) {
	r.kind = kind
	switch {
	case kind.Group != appsv1.GroupName:
		return o.readCustom(kind)
	case kind.Kind == "StatefulSet":
		s := &appsv1.StatefulSet{}
		problems, err = o.decode(s)
		r.workload, r.replicas = annotations.OfStatefulSet(s), s.Spec.Replicas
		r.strategy, r.orderedReady = ordered(s.Spec.UpdateStrategy), s.Spec.PodManagementPolicy != appsv1.ParallelPodManagement
	case kind.Kind == "ReplicaSet":
		s := &appsv1.ReplicaSet{}
		problems, err = o.decode(s)
		r.workload, r.replicas = annotations.OfReplicaSet(s), s.Spec.Replicas
	default:
		d := &appsv1.Deployment{}
		problems, err = o.decode(d)
		r.workload, r.replicas = annotations.OfDeployment(d), d.Spec.Replicas
		r.strategy = &d.Spec.Strategy
	}
	if o.mapping("spec", "template") == nil {
		r.workload.Template = nil // an object of the API always has one, and that would be an empty one here
	}
	if n := r.replicas; err == nil && n != nil && *n < 0 {
		problems = append(problems, field.Invalid(field.NewPath("spec", "replicas"), *n, "must be at least 0").WithOrigin(annotations.FoundInvalidField))
		r.replicas, r.workload.Replicas = nil, annotations.ReplicasOr1(nil)
	}
	return r, problems, err
}

// ordered is how the pods of a StatefulSet are replaced: without any more than its replicas, and one by one unless it says otherwise.
func ordered(s appsv1.StatefulSetUpdateStrategy) *appsv1.DeploymentStrategy {
	if s.Type == appsv1.OnDeleteStatefulSetStrategyType {
		return nil
	}
	none, unavailable := intstr.FromInt32(0), intstr.FromInt32(1)
	if s.RollingUpdate != nil && s.RollingUpdate.MaxUnavailable != nil {
		unavailable = *s.RollingUpdate.MaxUnavailable
	}
	return &appsv1.DeploymentStrategy{RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: &none, MaxUnavailable: &unavailable}}
}

// readCustom reads an object by the paths of its kind. Of its fields only the metadata are known.
func (o object) readCustom(kind annotations.Kind) (reading, field.ErrorList, error) {
	var known struct {
		Metadata metav1.ObjectMeta `json:"metadata"`
	}
	problems, err := o.decode(&known)
	r := reading{kind: kind, workload: kind.Read(&o.Unstructured)}
	r.workload.Annotations = known.Metadata.Annotations
	if n, ok := o.part(annotations.Steps(kind.ReplicasPath)...).(int64); ok && int64(int32(n)) == n {
		given := int32(n)
		r.replicas = &given
	}
	return r, problems, err
}

// replicasPath is where the replicas are, as findings name it.
func (r reading) replicasPath() string { return pathOfReplicas(r.kind) }

func pathOfReplicas(kind annotations.Kind) string {
	return cmp.Or(strings.TrimPrefix(kind.ReplicasPath, "."), "spec.replicas")
}

// versionOf is the version in which API servers have the workloads of a kind.
func (o object) versionOf(kind string) string {
	if known, ok := o.kinds.custom[kind]; ok {
		return known.GroupVersion().String()
	}
	return workloadVersions[kind]
}

// wouldBe is what a workload is called that the object is, or should be.
func (o object) wouldBe() string {
	if kind, ok := o.scaled(); ok {
		return kind.Kind
	}
	return "workload"
}
