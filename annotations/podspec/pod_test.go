package podspec

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// given is a pod with much that no decision reads, and with something to hide.
func given() *corev1.Pod {
	at := func(seconds int) metav1.Time { return metav1.NewTime(noon.Add(time.Duration(seconds) * time.Second)) }
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-1-a", UID: "u", ResourceVersion: "7", Labels: map[string]string{"app": "secret"},
			Annotations: map[string]string{"last-applied": "secret"}, CreationTimestamp: at(0), DeletionTimestamp: new(at(600)),
			OwnerReferences: []metav1.OwnerReference{{Name: "other", UID: "x"}, {Kind: "ReplicaSet", Name: "web-1", UID: "rs", Controller: new(true)}}},
		Spec: corev1.PodSpec{NodeName: "node-1", Containers: list(corev1.Container{Name: "app", Image: "secret", Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}}, Resources: requirements("cpu=100m", "cpu=1")}),
			InitContainers: list(sidecar("log", "cpu=50m")), Resources: new(requirements("cpu=1", ""))},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, Message: "secret", StartTime: new(at(2)), PodIPs: []corev1.PodIP{{IP: "10.1.0.7"}, {IP: "fd00::7"}}, Conditions: []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: at(1)},
			{Type: corev1.ContainersReady, Status: corev1.ConditionTrue, LastTransitionTime: at(9)},
			{Type: corev1.PodReady, Status: corev1.ConditionFalse, LastTransitionTime: at(9), Message: "secret"},
			{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: at(10)},
		}},
	}
}

func TestReadPod(t *testing.T) {
	at := func(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }
	in := given()
	want := Pod{Namespace: "shop", Name: "web-1-a", Owner: "rs", Node: "node-1", IPs: []string{"10.1.0.7", "fd00::7"}, Ports: "http=8080", Created: at(0), Started: at(2), Deleted: at(600), Phase: corev1.PodRunning,
		Ready: Condition{corev1.ConditionFalse, at(9)}, Scheduled: Condition{corev1.ConditionTrue, at(1)}, Spec: Slim(&in.Spec)}
	if diff := cmp.Diff(want, ReadPod(in)); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Pod{Spec: &Spec{}}, ReadPod(&corev1.Pod{})); diff != "" {
		t.Errorf("nothing (-want +got):\n%s", diff)
	}
	in.Status.Conditions[0] = corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "0/3 nodes are available"}
	if got := ReadPod(in); got.Unscheduled != "0/3 nodes are available" || !got.Placed().IsZero() {
		t.Errorf("a pod that no node takes: %+v", got)
	}
}

// TestThePodsJSON: it is a v1.Pod, and has nothing to hide.
func TestThePodsJSON(t *testing.T) {
	pod := ReadPod(given())
	text, err := json.Marshal(&pod)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"metadata":{"name":"web-1-a","namespace":"shop","creationTimestamp":"2026-01-01T12:00:00Z","deletionTimestamp":"2026-01-01T12:10:00Z"},` +
		`"spec":{"initContainers":[{"name":"log","resources":{"requests":{"cpu":"50m"}},"restartPolicy":"Always"}],` +
		`"containers":[{"name":"app","resources":{"limits":{"cpu":"1"},"requests":{"cpu":"100m"}}}],"resources":{"requests":{"cpu":"1"}}},` +
		`"status":{"phase":"Running","conditions":[{"type":"Ready","status":"False","lastProbeTime":null,"lastTransitionTime":"2026-01-01T12:00:09Z"},` +
		`{"type":"PodScheduled","status":"True","lastProbeTime":null,"lastTransitionTime":"2026-01-01T12:00:01Z"}],"startTime":"2026-01-01T12:00:02Z"}}`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
	var got Pod
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	pod.Owner, pod.Node, pod.IPs, pod.Ports = "", "", nil, ""
	if diff := cmp.Diff(pod, got); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
}

// TestPorts are those of containers that run as long as the pod does, if they are of TCP and have a name.
func TestPorts(t *testing.T) {
	ports := func(all ...corev1.ContainerPort) corev1.Container { return corev1.Container{Ports: all} }
	beside, before := ports(corev1.ContainerPort{Name: "proxy", ContainerPort: 15001}), ports(corev1.ContainerPort{Name: "setup", ContainerPort: 7000})
	beside.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
	got := PortsOf(&corev1.PodSpec{InitContainers: list(before, beside), Containers: list(
		ports(corev1.ContainerPort{Name: "http", ContainerPort: 8080, Protocol: corev1.ProtocolTCP}, corev1.ContainerPort{ContainerPort: 8081}),
		ports(corev1.ContainerPort{Name: "dns", ContainerPort: 53, Protocol: corev1.ProtocolUDP}, corev1.ContainerPort{Name: "http", ContainerPort: 9090}))})
	if want := Ports("http=8080,http=9090,proxy=15001"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for name, want := range map[string]int32{"http": 8080, "proxy": 15001, "dns": 0, "setup": 0, "": 0, "8080": 0} {
		if n := got.Number(name); n != want {
			t.Errorf("%q: %d, want %d", name, n, want)
		}
	}
	if n := PortsOf(&corev1.PodSpec{}).Number("http"); n != 0 {
		t.Errorf("without ports: %d", n)
	}
}

// TestAPodsQuantitiesAreReadInBoundedTime: nobody may have checked them.
func TestAPodsQuantitiesAreReadInBoundedTime(t *testing.T) {
	var pod Pod
	err := json.Unmarshal([]byte(`{"spec":{"containers":[{"name":"app","resources":{"requests":{"cpu":"1e-999999999"}}}]}}`), &pod)
	if err != nil || pod.Spec.Containers[0].Resources.Requests.Cpu().MilliValue() != 1 { // as the API server rounds it up
		t.Errorf("error %v, pod %+v", err, pod.Spec)
	}
}
