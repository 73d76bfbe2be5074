package simulate

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
	"github.com/mini-hpa/mini-hpa/scaler/trace"
)

const definition = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: trains.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Train, plural: trains}
  versions: [{name: v1, served: true, storage: true, subresources: {scale: {specReplicasPath: .spec.cars, statusReplicasPath: .status.cars}}}]
---
`

// as is the built-in manifest as one of another kind.
func as(version, kind string) string {
	return strings.Replace(builtIn, "apiVersion: apps/v1\nkind: Deployment", "apiVersion: "+version+"\nkind: "+kind, 1)
}

// on runs the command with a manifest on standard input.
func on(t *testing.T, manifest string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, messages strings.Builder
	code = clitest.Run(t.Context(), Command(), append([]string{"-f", "-", "--load", "step"}, args...), cli.Streams{In: strings.NewReader(manifest), Out: &out, Err: &messages})
	return code, out.String(), withoutProgress(messages.String())
}

// ofKinds are the built-in manifest as one of each kind.
func ofKinds() map[string]string {
	return map[string]string{"Deployment": builtIn, "StatefulSet": as("apps/v1", "StatefulSet"), "ReplicaSet": as("apps/v1", "ReplicaSet"), "Train": definition + as("example.com/v1", "Train")}
}

// TestSimulateKinds: the decision is the same for each kind, if pods come together.
func TestSimulateKinds(t *testing.T) {
	_, want, _ := on(t, builtIn)
	for kind, manifest := range ofKinds() {
		if kind == "StatefulSet" {
			manifest = strings.Replace(manifest, "spec:\n", "spec:\n  podManagementPolicy: Parallel\n", 1)
		}
		code, got, stderr := on(t, manifest)
		if code != cli.ExitOK || stderr != "" {
			t.Errorf("%s: exit code %d: %s", kind, code, stderr)
		}
		if diff := cmp.Diff(want, strings.Replace(got, strings.ToLower(kind)+" default/web", "deployment default/web", 1)); diff != "" {
			t.Errorf("%s (-Deployment +got):\n%s", kind, diff)
		}
	}
}

// TestSimulatedKindsAreRecorded: the trace is of the workload, and comes to what was decided.
func TestSimulatedKindsAreRecorded(t *testing.T) {
	for kind, manifest := range ofKinds() {
		path := filepath.Join(t.TempDir(), "trace.jsonl")
		code, simulated, stderr := on(t, manifest, "-o", "json", "--record", path)
		file, err := os.Open(path)
		if code != cli.ExitOK || err != nil {
			t.Fatalf("%s: exit code %d: %s, error %v", kind, code, stderr, err)
		}
		defer file.Close()
		r, err := trace.NewReader(file)
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		if got := r.Workload(); got.Kind.Kind != kind || got.Name != "web" || got.Replicas != 1 {
			t.Errorf("the trace of a %s is of %s with %d replicas", kind, got.Key, got.Replicas)
		}
		flags := cli.DefaultDecisionFlags()
		policy, err := flags.Policy(r.Workload().Annotations, func(string) {})
		if err != nil {
			t.Fatal(err)
		}
		replay, changes := trace.NewReplay(policy, flags.Rules), 0
		for line := range strings.Lines(simulated) {
			var want trace.Outcome
			if strings.HasPrefix(line, `{"summary":`) {
				break
			}
			seen, err := r.Next()
			if err := errors.Join(err, json.Unmarshal([]byte(line), &want)); err != nil {
				t.Fatalf("%s: %v", kind, err)
			}
			got := replay.Next(seen)
			if diff := cmp.Diff(want.Steps, got.Steps); diff != "" || got.Desired != want.Desired {
				t.Fatalf("%s: %d was decided, and the replay says %d (-simulated +replayed):\n%s", kind, want.Desired, got.Desired, diff)
			}
			if got.Desired != got.Current {
				changes++
			}
		}
		if changes == 0 {
			t.Errorf("%s: nothing was decided", kind)
		}
	}
}

// TestSimulateOrderedReady: pods of a StatefulSet come one after another, unless it says otherwise.
func TestSimulateOrderedReady(t *testing.T) {
	for name, tt := range map[string]struct {
		policy, told string
		ready        []string
	}{
		"not said":     {"", "Pods are ready 1m after their creation, and come one after another; ", []string{"1", "2", "3", "4", "5", "6", "7", "8"}},
		"OrderedReady": {"  podManagementPolicy: OrderedReady\n", "after their creation, and come one after another; ", []string{"1", "2", "3", "4", "5", "6", "7", "8"}},
		"Parallel":     {"  podManagementPolicy: Parallel\n", "Pods are ready 1m after their creation; ", []string{"1", "4", "8"}},
	} {
		manifest := strings.Replace(as("apps/v1", "StatefulSet"), "spec:\n", "spec:\n"+tt.policy, 1)
		args := []string{"--load", "step:from=400,to=4000,at=1m", "--startup", "1m", "--set", "mini-hpa/scale-up-policies=10 pods/15s"}
		if _, told, _ := on(t, manifest, args...); !strings.Contains(told, tt.told) {
			t.Errorf("%s: it is not said how pods come:\n%s", name, told)
		}
		_, lines, stderr := on(t, manifest, append(args, "-o", "json")...)
		var ready []string
		for line := range strings.Lines(lines) {
			var e struct{ Ready json.Number }
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatal(err)
			}
			if e.Ready != "" { // as at the sums
				ready = append(ready, e.Ready.String())
			}
		}
		if diff := cmp.Diff(tt.ready, slices.Compact(ready)); diff != "" {
			t.Errorf("%s: pods that are ready (-want +got):\n%s%s", name, diff, stderr)
		}
	}
}

// TestSimulateTheirRollouts: each kind replaces its pods in its own way, or says that it does not.
func TestSimulateTheirRollouts(t *testing.T) {
	set := as("apps/v1", "StatefulSet")
	for name, tt := range map[string]struct{ manifest, rollout, want string }{
		"a StatefulSet":            {set, "at=5m", "a rollout begins: surge 0, unavailable 1."},
		"more at once":             {strings.Replace(set, "spec:\n", "spec:\n  updateStrategy: {rollingUpdate: {maxUnavailable: 2}}\n", 1), "at=5m", "surge 0, unavailable 2."},
		"more than its replicas":   {set, "at=5m,surge=1", "surge is 1; a StatefulSet has no pods beyond its replicas, so that it can only be 0"},
		"only when they are gone":  {strings.Replace(set, "spec:\n", "spec:\n  updateStrategy: {type: OnDelete}\n", 1), "at=5m", "this StatefulSet does not replace its pods when its template changes"},
		"a ReplicaSet":             {as("apps/v1", "ReplicaSet"), "at=5m", "this ReplicaSet does not replace its pods"},
		"a kind that is not known": {definition + as("example.com/v1", "Train"), "at=5m", "it is not known how a Train replaces its pods"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, stdout, stderr := on(t, tt.manifest, "--rollout", tt.rollout); !strings.Contains(stdout+stderr, tt.want) {
				t.Errorf("%s%s lacks %q", stdout, stderr, tt.want)
			}
		})
	}
}

// TestSimulateNeedsATemplate: without one nothing is known of the pods.
func TestSimulateNeedsATemplate(t *testing.T) {
	bare := definition + "apiVersion: example.com/v1\nkind: Train\nmetadata: {name: db, annotations: {mini-hpa/target-cpu: 250m, mini-hpa/max: '9'}}\n"
	for kind, manifest := range map[string]string{"Train": bare, "Deployment": strings.Replace(strings.TrimPrefix(bare, definition), "example.com/v1\nkind: Train", "apps/v1\nkind: Deployment", 1),
		"StatefulSet": strings.Replace(strings.TrimPrefix(bare, definition), "example.com/v1\nkind: Train", "apps/v1\nkind: StatefulSet", 1) + "spec: {template: {metadata: {labels: {app: db}}}}\n"} {
		if code, _, stderr := on(t, manifest); code != cli.ExitUsage || !strings.Contains(stderr, kind+` "db" has no spec.template with containers`) {
			t.Errorf("exit code %d: %s", code, stderr)
		}
	}
}
