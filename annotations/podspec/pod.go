package podspec

import (
	"encoding/json"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Pod is what a decision reads of a pod. It is made once, where it is read, then shared and never changed. Its JSON form is a v1.Pod, which
// takes five times the memory.
type Pod struct {
	Namespace, Name string
	// Owner is the UID of what controls it, and Node where it runs; both are empty if that is not known, and are not in the JSON form.
	Owner types.UID
	Node  string
	// IPs are its addresses, at most one of each family, the main one first; nil while it has none. They are not in the JSON form.
	IPs []string
	// Ports are its named TCP ports. They are not in the JSON form.
	Ports Ports
	// Created is when it was made, Started when the kubelet began with it, and Deleted the end of its grace period if it is being deleted.
	// What has not happened is zero.
	Created, Started, Deleted time.Time
	Phase                     corev1.PodPhase
	// Ready and Scheduled are its conditions of these types.
	Ready, Scheduled Condition
	// Unscheduled is why no node takes it, in the scheduler's words: free text, which is not in the JSON form.
	Unscheduled string
	// Spec is shared with other pods.
	Spec *Spec
}

// Condition is what a pod's condition says, and since when; without a Status the pod has none.
type Condition struct {
	Status corev1.ConditionStatus
	Since  time.Time
}

// Is says whether the condition has this status.
func (c *Condition) Is(status corev1.ConditionStatus) bool { return c.Status == status }

// IsEqual says whether two conditions say the same, since the same moment.
func (c *Condition) IsEqual(other *Condition) bool {
	return c.Status == other.Status && c.Since.Equal(other.Since)
}

// ReadPod keeps of a pod what a decision reads. Of conditions of the same type, the first counts.
func ReadPod(in *corev1.Pod) Pod {
	out := Pod{
		Namespace: in.Namespace, Name: in.Name, Node: in.Spec.NodeName, Phase: in.Status.Phase,
		Created: in.CreationTimestamp.Time, Started: timeAt(in.Status.StartTime), Deleted: timeAt(in.DeletionTimestamp), Spec: Slim(&in.Spec), Ports: PortsOf(&in.Spec),
	}
	if owner := metav1.GetControllerOfNoCopy(in); owner != nil {
		out.Owner = owner.UID
	}
	for _, ip := range in.Status.PodIPs {
		out.IPs = append(out.IPs, ip.IP)
	}
	for i := range in.Status.Conditions {
		c := &in.Status.Conditions[i]
		switch read := (Condition{c.Status, c.LastTransitionTime.Time}); {
		case c.Type == corev1.PodReady && out.Ready.Is(""):
			out.Ready = read
		case c.Type == corev1.PodScheduled && out.Scheduled.Is(""):
			out.Scheduled, out.Unscheduled = read, c.Message
		}
	}
	return out
}

func timeAt(t *metav1.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.Time
}

// Placed is when a node was chosen for it; zero if that is not known.
func (p *Pod) Placed() time.Time {
	if p.Scheduled.Is(corev1.ConditionTrue) {
		return p.Scheduled.Since
	}
	return time.Time{}
}

// Core is the pod as the API's type, with the fields of the JSON form.
func (p *Pod) Core() *corev1.Pod {
	out := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name, CreationTimestamp: metav1.NewTime(p.Created), DeletionTimestamp: stamp(p.Deleted)},
		Spec:       p.Spec.Core(),
		Status:     corev1.PodStatus{Phase: p.Phase, StartTime: stamp(p.Started)},
	}
	add := func(kind corev1.PodConditionType, c *Condition) {
		if !c.Is("") {
			out.Status.Conditions = append(out.Status.Conditions, corev1.PodCondition{Type: kind, Status: c.Status, LastTransitionTime: metav1.NewTime(c.Since)})
		}
	}
	add(corev1.PodReady, &p.Ready)
	add(corev1.PodScheduled, &p.Scheduled)
	return out
}

func stamp(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return &metav1.Time{Time: t}
}

// MarshalJSON writes a v1.Pod. Nothing in it can hold a secret.
func (p *Pod) MarshalJSON() ([]byte, error) { return json.Marshal(p.Core()) }

// UnmarshalJSON reads a v1.Pod, which nobody may have checked; see JSON.
func (p *Pod) UnmarshalJSON(text []byte) error {
	var in struct {
		metav1.ObjectMeta `json:"metadata"`
		Spec              JSON `json:"spec"`
		Status            struct {
			Phase      corev1.PodPhase       `json:"phase"`
			StartTime  *metav1.Time          `json:"startTime"`
			Conditions []corev1.PodCondition `json:"conditions"`
		} `json:"status"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*p = ReadPod(&corev1.Pod{ObjectMeta: in.ObjectMeta, Spec: in.Spec.Spec(),
		Status: corev1.PodStatus{Phase: in.Status.Phase, StartTime: in.Status.StartTime, Conditions: in.Status.Conditions}})
	return nil
}
