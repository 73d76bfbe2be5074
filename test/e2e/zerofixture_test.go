package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mini-hpa/mini-hpa/scaler/recommend"
	"github.com/mini-hpa/mini-hpa/test/controlplane"
	"github.com/mini-hpa/mini-hpa/test/rig"
)

// sleepy are annotations of a workload that takes 100 of an External metric for each pod, sleeps, and does so within seconds.
func sleepy(metric string, more map[string]string) map[string]string {
	pairs := asking(external(metric, "100"), map[string]string{"min": "0", "max": "40", "scale-down-stabilization": "1s"})
	for key, value := range more {
		pairs[key] = value
	}
	return pairs
}

// hpaToZero lets the HPA of the control plane, which scales to zero by default, evaluate often.
func hpaToZero() map[controlplane.Component][]string {
	return map[controlplane.Component][]string{controlplane.ControllerManager: {"--horizontal-pod-autoscaler-sync-period=2s"}}
}

// look is one look at the workload by mini-hpa explain.
type look struct {
	Policy   struct{ Mode string }
	Snapshot recommend.Snapshot
	Decision struct {
		Current, Desired int32
		Active           string
		Asleep           bool
		Reason           json.RawMessage
	}
}

// String is what state the workload is in: "awake", "asleep", or by whom it is paused.
func (l *look) String() string {
	switch {
	case l.Policy.Mode == "paused":
		return "paused by its mode"
	case l.Decision.Active == recommend.ActiveDisabled:
		return fmt.Sprintf("paused by %q", l.Snapshot.Paused)
	case l.Snapshot.Replicas > 0:
		return "awake"
	case l.Decision.Asleep:
		return "asleep"
	}
	return fmt.Sprintf("at %d replicas, wanting %d: %s", l.Decision.Current, l.Decision.Desired, l.Decision.Reason)
}

// explain is what mini-hpa explain says, with these flags.
func (d *workload) explain(ctx context.Context, flags ...string) (string, error) {
	args := append([]string{"explain", "--kubeconfig", d.w.cluster.Kubeconfig(), "-n", d.namespace}, flags...)
	cmd := exec.CommandContext(ctx, program, append(args, d.kind.GroupResource().String()+"/"+d.name)...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("explain %s: %w: %s", d.title(), err, said.String())
	}
	return string(out), nil
}

// awaitState returns when explain says that the workload is in a state.
func (d *workload) awaitState(want string, flags ...string) {
	d.t.Helper()
	d.eventually(d.title()+" is "+want, func(ctx context.Context) (bool, string) {
		text, err := d.explain(ctx, append(flags, "-o", "json")...)
		if err != nil {
			return false, err.Error()
		}
		var l look
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			return false, err.Error()
		}
		return strings.HasPrefix(l.String(), want), l.String()
	})
}

// kubectl runs it in the workload's namespace.
func (d *workload) kubectl(stdin string, args ...string) {
	d.t.Helper()
	if out, err := d.tryKubectl(stdin, args...); err != nil {
		d.t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func (d *workload) tryKubectl(stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(d.t.Context(), d.w.cluster.Kubectl(), append([]string{"--kubeconfig", d.w.cluster.Kubeconfig(), "-n", d.namespace}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// scaleBy does what kubectl scale does.
func (d *workload) scaleBy(replicas int32) {
	d.t.Helper()
	d.kubectl("", "scale", d.kind.GroupResource().String()+"/"+d.name, fmt.Sprint("--replicas=", replicas))
}

// scaleAs writes the scale subresource under the name of another program.
func (d *workload) scaleAs(manager string, replicas int32) {
	d.t.Helper()
	body := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas)
	if _, err := d.objects().Patch(d.t.Context(), d.name, types.MergePatchType, body, metav1.PatchOptions{FieldManager: manager}, "scale"); err != nil {
		d.t.Fatal(err)
	}
}

// overwrite has somebody else write so many replicas, and returns when the controller has written what it was before. How long they last is the controller's: it may
// be shorter than a look at them.
func (d *workload) overwrite(replicas int32, write func(replicas int32)) {
	d.t.Helper()
	before := d.history()
	write(replicas)
	d.eventually(fmt.Sprintf("%s: %d replicas, and then what was before", d.name, replicas), func(context.Context) (bool, string) {
		now := d.history()[len(before):]
		last := len(now) - 1
		return last > 0 && now[0].replicas == replicas && now[last].replicas == before[len(before)-1].replicas, fmt.Sprint(now)
	})
}

// ownWrites are those of mini-hpa to the workload's scale that were stored.
func (d *workload) ownWrites() []rig.Write {
	d.t.Helper()
	own, _ := d.w.stored(d.t, d.namespace)
	var found []rig.Write
	for _, write := range own {
		if write.Name == d.name {
			found = append(found, write)
		}
	}
	return found
}

// ofMetric matches questions about an External metric.
func ofMetric(metric string) rig.Match {
	return func(r rig.Request) bool {
		return strings.HasPrefix(r.Group, "external.metrics") && r.Resource == metric
	}
}

// externalAnswer is an answer of the external metrics API with these items.
func externalAnswer(items string) http.HandlerFunc {
	return answering("application/json", "", []byte(`{"kind":"ExternalMetricValueList","apiVersion":"external.metrics.k8s.io/v1beta1","metadata":{},"items":[`+items+`]}`))
}

// externalValue is one item whose value is this JSON.
func externalValue(metric, value string) string {
	return fmt.Sprintf(`{"metricName":%q,"metricLabels":{},"timestamp":%q,"value":%s}`, metric, time.Now().UTC().Format(time.RFC3339), value)
}

// toWake is how long after the last question about a metric each write reached the API server that woke the workload. That is more than from
// the answer.
func (d *workload) toWake(proxy *rig.Proxy, metric string) []time.Duration {
	d.t.Helper()
	var took []time.Duration
	for _, write := range d.ownWrites() {
		if asked := proxy.Seen(ofMetric(metric).Before(write.At)); write.From == 0 && len(asked) > 0 {
			took = append(took, write.At.Sub(asked[len(asked)-1].At).Round(time.Millisecond))
		}
	}
	return took
}
