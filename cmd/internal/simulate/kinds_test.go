package simulate

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
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
	return code, out.String(), messages.String()
}

// TestSimulateKinds: the decision is the same for each kind.
func TestSimulateKinds(t *testing.T) {
	_, want, _ := on(t, builtIn)
	for kind, manifest := range map[string]string{"StatefulSet": as("apps/v1", "StatefulSet"), "ReplicaSet": as("apps/v1", "ReplicaSet"), "Train": definition + as("example.com/v1", "Train")} {
		code, got, stderr := on(t, manifest)
		if code != cli.ExitOK || stderr != "" {
			t.Errorf("%s: exit code %d: %s", kind, code, stderr)
		}
		if diff := cmp.Diff(want, strings.Replace(got, strings.ToLower(kind)+" default/web", "deployment default/web", 1)); diff != "" {
			t.Errorf("%s (-Deployment +got):\n%s", kind, diff)
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
	if code, _, stderr := on(t, bare); code != cli.ExitUsage || !strings.Contains(stderr, `Train "db" has no spec.template with containers`) {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if _, _, stderr := on(t, as("apps/v1", "StatefulSet"), "--record", t.TempDir()+"/trace"); !strings.Contains(stderr, "--record writes traces of Deployments; the manifest on standard input has a StatefulSet") {
		t.Error(stderr)
	}
}
