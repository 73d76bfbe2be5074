package history

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
	"github.com/mini-hpa/mini-hpa/cmd/internal/state"
	"github.com/mini-hpa/mini-hpa/scaler"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// memory is what a leader remembers of Deployment default/web.
type memory []scaler.Entry

func (memory) Standing(wanted func(annotations.Key) bool) []annotations.Key {
	if key := annotations.DeploymentKey("default", "web"); wanted(key) {
		return []annotations.Key{key}
	}
	return nil
}

func (memory) Status(annotations.Key) (scaler.Status, bool) { return scaler.Status{}, true }
func (memory) Show(annotations.Key) (scaler.Shown, bool)    { return scaler.Shown{}, false }
func (m memory) Chronicle(annotations.Key) []scaler.Entry   { return m }

// told is an Event on Deployment default/web.
func told(ago time.Duration, reason, message string, count int32) corev1.Event {
	return corev1.Event{InvolvedObject: corev1.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "default", Name: "web"},
		Source: corev1.EventSource{Component: "mini-hpa"}, Reason: reason, Message: message, Count: count,
		FirstTimestamp: metav1.NewTime(noon.Add(-2 * ago)), LastTimestamp: metav1.NewTime(noon.Add(-ago))}
}

// besides is what the API server has, too.
var besides = map[string]any{"/api/v1/namespaces/default": corev1.Namespace{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}, ObjectMeta: metav1.ObjectMeta{Name: "default"}}}

// allEvents has what mini-hpa has told, and what others have.
func allEvents() []corev1.Event {
	other := told(20*time.Minute, "ScalingReplicaSet", "Scaled up", 1)
	other.Source.Component = "deployment-controller"
	set := told(20*time.Minute, scaler.EventScalingLimited, "of a StatefulSet", 1)
	set.InvolvedObject.Kind = "StatefulSet"
	return []corev1.Event{told(30*time.Minute, scaler.EventScalingLimited, "the load\x1b[2J asks for more", 3), other, set,
		told(40*time.Minute, scaler.EventSuccessfulRescale, "New size: 3; reason: cpu", 1), told(time.Minute, scaler.EventSuccessfulRescale, "New size: 5; reason: cpu", 1)}
}

// remembered is what a leader knows that has led for less long than there are Events.
func remembered() memory {
	return memory{
		{Time: noon.Add(-5 * time.Minute), Reason: scaler.EntryOverwritten, Message: "replicas were set by kubectl\x1b[2J", From: 4, To: 1},
		{Time: noon.Add(-time.Minute), Reason: scaler.EventSuccessfulRescale, Message: "New size: 5; reason: cpu", From: 1, To: 5},
		{Time: noon, Reason: scaler.EventFailedGetResourceMetric, Message: "no samples"},
	}
}

// lines are those of a table, each without its first two columns, and without paddings.
func lines(table string) []string {
	var all []string
	for i, line := range strings.Split(strings.TrimSpace(table), "\n") {
		if cells := strings.Fields(line); i > 1 {
			line = strings.Join(cells[3:], " ")
		}
		all = append(all, line)
	}
	return all
}

func TestTheLeaderTellsAndEventsTellWhatWasBefore(t *testing.T) {
	server := clitest.NewAPIServer(t, nil)
	server.Events, server.Others = allEvents(), besides
	port := server.Lead(state.Head{Time: noon}, remembered())
	server.Lease.Spec.AcquireTime = new(metav1.NewMicroTime(noon.Add(-6 * time.Minute)))
	call := func(args ...string) (int, string, string) {
		return clitest.Call(t, Command(), append([]string{"--kubeconfig", server.Kubeconfig(), "--controller=default/mini-hpa", "--state-port=" + port}, args...)...)
	}
	code, stdout, stderr := call("deploy/web")
	host, _ := os.Hostname()
	want := []string{
		"source: leader " + host + ", which leads since " + stamp(noon.Add(-6*time.Minute)) + "; what it does not remember is from Events",
		"  TIME                 AGO    WHAT                     REPLICAS  BY      MESSAGE",
		"SuccessfulRescale -> 3 Event New size: 3; reason: cpu",
		`ScalingLimited - Event the load\x1b[2J asks for more (3 times since ` + stamp(noon.Add(-time.Hour)) + ")",
		`ReplicasSet 4 -> 1 leader replicas were set by kubectl\x1b[2J`,
		"SuccessfulRescale 1 -> 5 leader New size: 5; reason: cpu",
		"FailedGetResourceMetric - leader no samples",
	}
	if got := lines(stdout); code != cli.ExitOK || stderr != "" || strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("exit code %d, %s\n%s\nwant\n%s", code, stderr, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	code, stdout, _ = call("deploy/web", "--since=10m", "-o", "json")
	var form struct {
		Source  string
		Entries []struct {
			By       string
			From, To int32
		}
	}
	if err := json.Unmarshal([]byte(stdout), &form); err != nil || code != cli.ExitOK || len(form.Entries) != 3 || form.Entries[0].From != 4 || form.Entries[2].By != byLeader {
		t.Errorf("exit code %d, %v\n%s", code, err, stdout)
	}
	if code, stdout, stderr := call("sts/web"); code != cli.ExitOK || !strings.HasPrefix(stdout, "source: Events; the leader "+host+" does not scale it\n") || strings.Count(stdout, " Event ") != 1 {
		t.Errorf("one that is gone: exit code %d\n%s%s", code, stdout, stderr)
	}
	if code, stdout, stderr := call("sts/db"); code != cli.ExitFailure || stdout != "" || !strings.Contains(stderr, `and it is not there: statefulsets.apps "db" not found`) {
		t.Errorf("one that never was: exit code %d\n%s%s", code, stdout, stderr)
	}
	server.Forbidden = "api/v1/namespaces/default/events"
	if code, _, stderr := call("sts/web"); code != cli.ExitFailure || !strings.Contains(stderr, `the controller does not scale it: statefulsets.apps/web in namespace "default"; Events cannot be read: `) {
		t.Errorf("one that is not scaled, and Events are forbidden: exit code %d\n%s", code, stderr)
	}
	if code, stdout, _ := call("web"); code != cli.ExitOK || !strings.Contains(stdout, "\nEvents could not be read: ") || !strings.Contains(stdout, "1 -> 5") || strings.Contains(stdout, "\x1b") {
		t.Errorf("Events are forbidden: exit code %d\n%s", code, stdout)
	}
}

// TestEventsTellWhatALeaderHasForgotten of a workload, as others have filled its memory since.
func TestEventsTellWhatALeaderHasForgotten(t *testing.T) {
	server := clitest.NewAPIServer(t, nil)
	server.Events, server.Others = allEvents(), besides
	port := server.Lead(state.Head{Time: noon}, memory{})
	server.Lease.Spec.AcquireTime = new(metav1.NewMicroTime(noon.Add(-time.Hour)))
	code, stdout, stderr := clitest.Call(t, Command(), "web", "--kubeconfig", server.Kubeconfig(), "--controller=default/mini-hpa", "--state-port="+port)
	if code != cli.ExitOK || strings.Count(stdout, " Event ") != 3 || !strings.Contains(stdout, "New size: 5; reason: cpu") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}

func TestWithoutALeaderEventsTell(t *testing.T) {
	server := clitest.NewAPIServer(t, nil)
	server.Events, server.Others = allEvents(), besides
	server.Hold("", noon)
	call := func(args ...string) (int, string, string) {
		return clitest.Call(t, Command(), append([]string{"--kubeconfig", server.Kubeconfig(), "--controller=default/mini-hpa"}, args...)...)
	}
	code, stdout, stderr := call("web")
	if code != cli.ExitOK || !strings.HasPrefix(stdout, "source: Events; no controller leads since ") || strings.Count(stdout, " Event ") != 3 || strings.Contains(stdout, "\x1b") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	const nothing = "nothing is known to have happened to statefulsets.apps/db in namespace \"default\""
	if code, stdout, stderr := call("sts/db"); code != cli.ExitFailure || stdout != "" || stderr != "mini-hpa history: "+nothing+", and it is not there: statefulsets.apps \"db\" not found\n" {
		t.Errorf("what is not there: exit code %d\n%s%s", code, stdout, stderr)
	}
	server.Forbidden = "apps/v1/namespaces/default/statefulsets"
	if code, stdout, _ := call("sts/db"); code != cli.ExitOK || !strings.HasSuffix(stdout, nothing+"\n") {
		t.Errorf("it may not be known whether it is there: exit code %d\n%s", code, stdout)
	}
	server.Forbidden = "api/v1/namespaces/default/events"
	if code, _, stderr := call("web"); code != cli.ExitFailure || !strings.Contains(stderr, "Events cannot be read: ") {
		t.Errorf("Events are forbidden: exit code %d\n%s", code, stderr)
	}
}

// TestWhatIsThereAndHasNoHistory: nothing has happened yet, or the controller does not scale it.
func TestWhatIsThereAndHasNoHistory(t *testing.T) {
	server := clitest.NewAPIServer(t, nil)
	call := func(args ...string) (int, string, string) {
		return clitest.Call(t, Command(), append([]string{"web", "--kubeconfig", server.Kubeconfig(), "--controller=default/mini-hpa"}, args...)...)
	}
	if code, stdout, stderr := call(); code != cli.ExitOK || !strings.HasSuffix(stdout, "nothing is known to have happened to deployments.apps/web in namespace \"default\"\n") {
		t.Errorf("nobody leads: exit code %d\n%s%s", code, stdout, stderr)
	}
	port := server.Lead(state.Head{Time: noon}, nobody{})
	if code, stdout, stderr := call("--state-port=" + port); code != cli.ExitFailure || stdout != "" || !strings.Contains(stderr, `the controller does not scale it: deployments.apps/web in namespace "default"`) {
		t.Errorf("nobody scales it: exit code %d\n%s%s", code, stdout, stderr)
	}
}

// nobody is scaled.
type nobody struct{ memory }

func (nobody) Standing(func(annotations.Key) bool) []annotations.Key { return nil }

// empty is a cluster without workloads, in which there is a namespace shop. As a real one it answers a list in a namespace that is not there.
func empty(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	answer := map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404, "message": "not here"}
	switch kind := path.Base(r.URL.Path); {
	case kind == "events":
		answer = map[string]any{"kind": "EventList", "apiVersion": "v1", "items": []any{}}
	case kind == "deployments":
		answer = map[string]any{"kind": "DeploymentList", "apiVersion": "apps/v1", "items": []any{}}
	case r.URL.Path == "/api/v1/namespaces/shop":
		answer = map[string]any{"kind": "Namespace", "apiVersion": "v1", "metadata": map[string]any{"name": "shop"}}
	case r.URL.Path == "/api":
		answer = map[string]any{"kind": "APIVersions", "versions": []any{"v1"}}
	case r.URL.Path == "/apis":
		answer = map[string]any{"kind": "APIGroupList", "apiVersion": "v1", "groups": []any{map[string]any{"name": "argoproj.io",
			"versions": []any{map[string]any{"groupVersion": "argoproj.io/v1", "version": "v1"}}, "preferredVersion": map[string]any{"groupVersion": "argoproj.io/v1", "version": "v1"}}}}
	default:
		w.WriteHeader(http.StatusNotFound)
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// TestWhatIsNotThere is told with what is missing: the workload, its kind or its namespace.
func TestWhatIsNotThere(t *testing.T) {
	served := httptest.NewServer(http.HandlerFunc(empty))
	defer served.Close()
	kubeconfig := (&clitest.APIServer{Server: served, T: t}).Kubeconfig()
	for args, want := range map[string]string{
		"web -n shop":                      `nothing is known to have happened to deployments.apps/web in namespace "shop", and it is not there: deployments.apps "web" not found`,
		"web -n nope":                      `nothing is known to have happened to deployments.apps/web in namespace "nope", and it is not there: namespaces "nope" not found`,
		"rollouts.argoproj.io/web -n shop": `nothing is known to have happened to rollouts.argoproj.io/web in namespace "shop", and it is not there: rollouts.argoproj.io "web" not found`,
		"trains.example.com/web -n shop":   `the API server knows no group "example.com"`,
	} {
		for _, output := range []string{"table", "json"} {
			code, stdout, stderr := clitest.Call(t, Command(), append(strings.Fields(args), "-o", output, "--kubeconfig", kubeconfig)...)
			if code != cli.ExitFailure || stdout != "" || stderr != "mini-hpa history: "+want+"\n" {
				t.Errorf("%s: exit code %d\n%s%s", args, code, stdout, stderr)
			}
		}
	}
}
