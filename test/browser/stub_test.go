package browser

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
	"github.com/mini-hpa/mini-hpa/scaler/simulate"
	"github.com/mini-hpa/mini-hpa/scaler/trace"
)

// stub is a leader that always says the same, and as much of an API server as it takes to find it: pages can be held to pictures of them.
type stub struct {
	// mu is for rows, which a test may change when servers run.
	mu         sync.Mutex
	kubeconfig string
	flags      []string
	host       string
	rows       []scaler.Status
	web        scaler.Shown
	// web's annotations, and what was recorded of some workloads.
	annotations map[string]string
	traces      map[string][]byte
}

// newStub has so many workloads, or with 0 a shop in which each is in another state.
func newStub(t *testing.T, n int) *stub {
	t.Helper()
	needChromium(t)
	host, err := os.Hostname()
	must(t, err)
	s := &stub{host: host, traces: map[string][]byte{}}
	for i := range n {
		s.rows = append(s.rows, status("shop", fmt.Sprintf("web-%d", i), scaler.StateOK, "", "34%", [2]int32{1, 10}, 3, 3, 3))
	}
	if n == 0 {
		s.shop(t)
	}
	leader := httptest.NewServer(http.HandlerFunc(s.lead))
	t.Cleanup(leader.Close)
	_, port, err := net.SplitHostPort(leader.Listener.Addr().String())
	must(t, err)
	api := httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(api.Close)
	s.kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	must(t, os.WriteFile(s.kubeconfig, fmt.Appendf(nil, `{"apiVersion": "v1", "kind": "Config", "current-context": "it", "clusters": [{"name": "it", "cluster": {"server": %q}}],
"users": [{"name": "it", "user": {}}], "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}]}`, api.URL), 0o600))
	s.flags = []string{"-A", "--state-port", port}
	return s
}

// flagsWithTraces let the dashboard read what was recorded, too.
func (s *stub) flagsWithTraces(t *testing.T) []string {
	t.Helper()
	var paths []string
	for name, text := range s.traces {
		path := filepath.Join(t.TempDir(), name)
		must(t, os.WriteFile(path, text, 0o600))
		paths = append(paths, path)
	}
	return append(s.flags, "--traces", strings.Join(paths, ","))
}

// status is a row; wants is -1 where it is not known.
func status(namespace, name string, state scaler.State, why, cpu string, bounds [2]int32, replicas, ready, wants int32) scaler.Status {
	s := scaler.Status{Kind: "Deployment", Group: "apps", Namespace: namespace, Name: name, State: state, Why: why, Min: &bounds[0], Max: &bounds[1], Replicas: replicas, Ready: ready,
		Targets: []scaler.Target{{Metric: "cpu", Value: cpu, Target: "50%"}}}
	if wants >= 0 {
		s.Wants = &wants
	}
	return s
}

// scaled is a row whose replicas have changed some time ago.
func scaled(s scaler.Status, before time.Duration, from, to int32) scaler.Status {
	s.LastScale = &scaler.Rescale{Time: time.Now().Add(-before), From: from, To: to}
	return s
}

// shop is the workloads of a shop, of which five have a past of an hour.
func (s *stub) shop(t *testing.T) {
	t.Helper()
	invalid := status("shop", "api", scaler.StateInvalid, `container "app" has no CPU request, and mini-hpa/target-cpu is a percentage of it`, "?", [2]int32{1, 10}, 1, 1, -1)
	invalid.Min, invalid.Max = nil, nil
	pay := status("shop", "pay", scaler.StateOK, "", "52%", [2]int32{1, 10}, 4, 4, 4)
	pay.Targets = append(pay.Targets, scaler.Target{Metric: "requests_per_second", Value: "40", Target: "40"})
	db := status("data", "db", scaler.StateHolding, "needs 2; 3 is the highest recommendation of the last 5m, until 03:14:07", "28%", [2]int32{2, 6}, 3, 3, 2)
	db.Kind = "StatefulSet"
	s.rows = []scaler.Status{
		db,
		status("night", "batch", scaler.StateStarved, `5 of 8 replicas do not come, because their pods cannot be created: "exceeded quota: q, requested: pods=1, used: pods=3, limited: pods=3"`, "133%", [2]int32{1, 10}, 8, 3, 8),
		status("night", "report", scaler.StateAsleep, "", "?", [2]int32{0, 5}, 0, 0, 0),
		invalid,
		status("shop", "cart", scaler.StateConflict, `HorizontalPodAutoscaler "cart" scales it, too`, "34%", [2]int32{1, 5}, 1, 1, -1),
		scaled(status("shop", "geo", scaler.StateLimited, "needs 8, mini-hpa/max is 5", "96%", [2]int32{1, 5}, 5, 5, 8), 4*time.Minute, 4, 5),
		status("shop", "mail", scaler.StatePaused, "", "11%", [2]int32{1, 4}, 2, 2, -1),
		scaled(pay, 95*time.Second, 3, 4),
		status("shop", "search", scaler.StateObserve, "would set 3 replicas", "61%", [2]int32{1, 8}, 2, 2, 3),
	}
	for name, load := range map[string]string{"data/db": "sine:low=700,high=1500,period=40m", "night/batch": "ramp:from=800,to=4000,at=20m,over=20m", "shop/geo": "step:from=1000,to=3000,at=40m", "shop/pay": "noise:load=1900,by=400,every=90s,seed=3"} {
		namespace, workload, _ := strings.Cut(name, "/")
		s.record(t, namespace, workload, load, map[string]string{annotations.TargetCPU: "50", annotations.Max: "10"})
	}
	s.annotations = map[string]string{annotations.TargetCPU: "50", annotations.Min: "2", annotations.Max: "10"}
	run := s.record(t, "shop", "web", "sine:low=600,high=3600,period=28m", s.annotations)
	s.web = shown(t, s.annotations, run, s.traces["shop_web"])
	s.rows = append(s.rows, s.web.Status)
}

// record makes the trace of an hour that ends now.
func (s *stub) record(t *testing.T, namespace, name, shape string, pairs map[string]string) *simulate.Run {
	t.Helper()
	load, err := simulate.ParseShape(shape, simulate.Millicores)
	must(t, err)
	policy, _, problems := annotations.DefaultDefaults().Parse(pairs)
	must(t, problems.ToAggregate())
	w := &annotations.Workload{Key: annotations.DeploymentKey(namespace, name), APIVersion: "apps/v1", Annotations: pairs, Replicas: 2, Template: &corev1.PodTemplateSpec{Spec: corev1.PodSpec{
		Containers: []corev1.Container{{Name: "app", Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}}}}}}}
	var text bytes.Buffer
	setup := simulate.DefaultSetup()
	setup.Record, err = trace.NewWriter(&text, w)
	must(t, err)
	setup.Workload, setup.Policy, setup.Load, setup.Duration = w, policy, load, time.Hour-10*time.Second
	setup.Start = time.Now().UTC().Add(-setup.Duration).Truncate(time.Second)
	run, err := simulate.Simulate(t.Context(), setup)
	must(t, err)
	s.traces[namespace+"_"+name] = text.Bytes()
	return run
}

// shown is what a leader shows that has played the run, which was recorded.
func shown(t *testing.T, pairs map[string]string, run *simulate.Run, recorded []byte) scaler.Shown {
	t.Helper()
	policy, _, problems := annotations.DefaultDefaults().Parse(pairs)
	must(t, problems.ToAggregate())
	last := run.Evaluations[len(run.Evaluations)-1]
	in, err := trace.NewReader(bytes.NewReader(recorded))
	must(t, err)
	var snapshot recommend.Snapshot
	for range run.Evaluations {
		snapshot, err = in.Next()
		must(t, err)
	}
	decision := last.Decision
	w := &annotations.Workload{Key: annotations.DeploymentKey("shop", "web"), Annotations: pairs, Replicas: decision.Current, StatusReplicas: decision.Current}
	out := scaler.Shown{Annotations: pairs, Snapshot: &snapshot, Decision: &decision, Status: scaler.StatusOf(scaler.Explanation{Policy: policy, Snapshot: snapshot, Decision: decision}, w, snapshot.Pods, nil, last.Time)}
	for _, e := range run.Evaluations {
		if e.Desired == e.Current {
			continue
		}
		out.Status.LastScale = &scaler.Rescale{Time: e.Time, From: e.Current, To: e.Desired}
		out.Chronicle = append(out.Chronicle, scaler.Entry{Time: e.Time, Reason: scaler.EventSuccessfulRescale, Message: fmt.Sprintf("New size: %d; reason: %s", e.Desired, e.Because()), From: e.Current, To: e.Desired})
	}
	out.Chronicle = out.Chronicle[max(0, len(out.Chronicle)-8):]
	return out
}

// head is what the leader says of itself.
func (s *stub) head() map[string]any {
	now := time.Now()
	return map[string]any{"time": now, "version": "v0.2.0", "identity": s.host + "_1", "leading": true, "defaults": annotations.DefaultDefaults(), "rules": recommend.DefaultRules(), "newest": now.Add(-9 * time.Second)}
}

// lead answers as the controller that leads does.
func (s *stub) lead(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer := s.head()
	switch path := r.URL.Path; {
	case path == "/state":
		const size = 500
		from := 0
		_, _ = fmt.Sscan(r.URL.Query().Get("continue"), &from)
		to := min(from+size, len(s.rows))
		if answer["items"] = s.rows[from:to]; to < len(s.rows) {
			answer["continue"] = fmt.Sprint(to)
		}
	case path == "/state/explain/shop/deployments.apps/web" && s.web.Decision != nil:
		answer["status"], answer["annotations"], answer["snapshot"], answer["decision"], answer["history"] = s.web.Status, s.web.Annotations, s.web.Snapshot, s.web.Decision, s.web.Chronicle
	default:
		w.WriteHeader(http.StatusNotFound)
		answer["error"] = "it is not scaled"
	}
	_ = json.NewEncoder(w).Encode(answer) // who has gone away needs no answer
}

// serve answers as an API server with a Lease and one Deployment.
func (s *stub) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	var answer any = metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure, Code: http.StatusNotFound, Reason: metav1.StatusReasonNotFound, Message: "it is not there"}
	switch {
	case strings.HasSuffix(r.URL.Path, "/leases/mini-hpa"):
		holder := s.host + "_1"
		answer = coordinationv1.Lease{TypeMeta: metav1.TypeMeta{APIVersion: "coordination.k8s.io/v1", Kind: "Lease"}, Spec: coordinationv1.LeaseSpec{
			HolderIdentity: &holder, LeaseDurationSeconds: new(int32(15)), RenewTime: new(metav1.NewMicroTime(time.Now()))}}
	case strings.HasSuffix(r.URL.Path, "/shop/deployments") && r.URL.Query().Get("fieldSelector") == "metadata.name=web":
		answer = appsv1.DeploymentList{TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "DeploymentList"},
			Items: []appsv1.Deployment{{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", Annotations: s.annotations}}}}
	default:
		w.WriteHeader(http.StatusNotFound)
	}
	_ = json.NewEncoder(w).Encode(answer) // who has gone away needs no answer
}
