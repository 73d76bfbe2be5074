package stage

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/mini-hpa/mini-hpa/test/demo/observe"
	"github.com/mini-hpa/mini-hpa/test/demo/story"
)

func pod(name, workload string, edits ...func(*corev1.Pod)) corev1.Pod {
	p := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: map[string]string{observe.Label: workload}},
		Status:     corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}},
	}
	for _, edit := range edits {
		edit(&p)
	}
	return p
}

func unready(p *corev1.Pod)  { p.Status.Conditions[0].Status = corev1.ConditionFalse }
func starting(p *corev1.Pod) { p.Status.Conditions = nil }
func leaving(p *corev1.Pod)  { p.DeletionTimestamp = new(metav1.Now()) }
func told(milli string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Annotations = map[string]string{share: milli} }
}

func TestShares(t *testing.T) {
	now := time.Now()
	bursts := story.Load{Low: 20, High: 190, Period: 20 * time.Second, On: 10 * time.Second}
	loads := map[string]setLoad{
		"web":    {story.Steady(220), now},
		"flappy": {bursts, now.Add(-3 * time.Second)},
		"steady": {bursts, now.Add(-13 * time.Second)},
	}
	tests := map[string]struct {
		pods []corev1.Pod
		want map[string]string
	}{
		"nobody":                      {want: map[string]string{}},
		"one takes everything":        {pods: []corev1.Pod{pod("a", "web")}, want: map[string]string{"a": "220"}},
		"five share":                  {pods: []corev1.Pod{pod("a", "web"), pod("b", "web"), pod("c", "web"), pod("d", "web"), pod("e", "web")}, want: map[string]string{"a": "44", "b": "44", "c": "44", "d": "44", "e": "44"}},
		"only the ready ones":         {pods: []corev1.Pod{pod("a", "web"), pod("b", "web", unready), pod("c", "web", starting), pod("d", "web", leaving)}, want: map[string]string{"a": "220"}},
		"each workload its own":       {pods: []corev1.Pod{pod("a", "web"), pod("b", "flappy"), pod("c", "steady"), pod("d", "steady")}, want: map[string]string{"a": "220", "b": "190", "c": "10", "d": "10"}},
		"a pod that is not the demos": {pods: []corev1.Pod{pod("a", "")}, want: map[string]string{"a": "0"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, shares(tt.pods, loads, 100, now)); diff != "" {
				t.Errorf("millicores (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSteerTellsOnlyWhatIsNew(t *testing.T) {
	a, b, c := pod("a", "web"), pod("b", "web", told("110")), pod("c", "web", unready)
	client := fake.NewClientset(&a, &b, &c)
	pods := &burners{client: client, namespace: namespace, request: 100}
	if err := pods.perform(t.Context(), map[string]setLoad{"web": {story.Steady(220), time.Now()}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := pods.steer(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var patched []string
	for _, action := range client.Actions() {
		if patch, ok := action.(interface{ GetPatch() []byte }); ok {
			patched = append(patched, string(patch.GetPatch()))
		}
	}
	if diff := cmp.Diff([]string{`{"metadata":{"annotations":{"demo/millicores":"110"}}}`}, patched); diff != "" {
		t.Errorf("patches (-want +got):\n%s", diff)
	}
	after, err := client.CoreV1().Pods(namespace).Get(t.Context(), "a", metav1.GetOptions{})
	if err != nil || after.Annotations[share] != "110" {
		t.Errorf("pod a is told %q, %v", after.Annotations[share], err)
	}
}

// The script reads the file in which the kubelet shows the annotation, and any POSIX shell can run it.
func TestBurnersRunTheScript(t *testing.T) {
	s := &Stage{Request: 100, actors: &burners{name: "busybox:1.37"}}
	spec := s.pod()
	container, volume := spec.Containers[0], spec.Volumes[0]
	file := container.VolumeMounts[0].MountPath + "/" + volume.DownwardAPI.Items[0].Path
	if script := container.Command[2]; !strings.Contains(script, "<"+file) {
		t.Errorf("the script does not read %s", file)
	}
	if container.VolumeMounts[0].Name != volume.Name || container.Image != "busybox:1.37" {
		t.Errorf("container %+v, volume %+v", container, volume)
	}
	if strings.Contains(container.Command[2], "$$") {
		t.Error("the kubelet would make one $ of two in a command")
	}
	if out, err := exec.Command("sh", "-n", "-c", container.Command[2]).CombinedOutput(); err != nil {
		t.Errorf("the shell refuses the script: %v: %s", err, out)
	}
}
