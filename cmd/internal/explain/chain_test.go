package explain

import (
	"maps"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
)

// customs are what an API server has of custom kinds of example.com, by plural and kind, and of the only object of each, "ice".
type customs map[[2]string]map[string]any

func (c customs) byPath() map[string]any {
	const definitions, objects = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", "/apis/example.com/v1/namespaces/default/"
	paths := map[string]any{}
	list := func(apiVersion, kind string, items ...any) map[string]any {
		return map[string]any{"apiVersion": apiVersion, "kind": kind + "List", "metadata": map[string]any{"resourceVersion": "7"}, "items": items}
	}
	var all []any
	for names, object := range c {
		plural, kind := names[0], names[1]
		definition := map[string]any{
			"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": map[string]any{"name": plural + ".example.com", "resourceVersion": "7"},
			"spec": map[string]any{"group": "example.com", "scope": "Namespaced", "names": map[string]any{"plural": plural, "kind": kind},
				"versions": []any{map[string]any{"name": "v1", "served": true, "storage": true, "subresources": map[string]any{"scale": map[string]any{
					"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas", "labelSelectorPath": ".status.selector"}}}}},
			"status": map[string]any{"conditions": []any{map[string]any{"type": "Established", "status": "True"}}},
		}
		all = append(all, definition)
		object["apiVersion"], object["kind"] = "example.com/v1", kind
		maps.Copy(object["metadata"].(map[string]any), map[string]any{"namespace": "default", "name": "ice", "uid": "uid-" + kind, "resourceVersion": "7"})
		paths[definitions+"/"+plural+".example.com"] = definition
		paths[objects+plural+"/ice"] = object
		paths[objects+plural] = list("example.com/v1", kind, object)
	}
	paths[definitions] = list("apiextensions.k8s.io/v1", "CustomResourceDefinition", all...)
	return paths
}

// by is a reference to the object of a custom kind.
func by(kind string) []metav1.OwnerReference {
	return []metav1.OwnerReference{{APIVersion: "example.com/v1", Kind: kind, Name: "ice", UID: types.UID("uid-" + kind), Controller: new(true)}}
}

// TestExplainKnowsTheKindsOfTheController: it sees, as the controller does, what controls a workload and its pods over objects of custom
// kinds, and tells where it does not follow.
func TestExplainKnowsTheKindsOfTheController(t *testing.T) {
	good := map[string]string{"mini-hpa/target-cpu": "50", "mini-hpa/max": "10"}
	annotated := func() map[string]any {
		return map[string]any{
			"metadata": map[string]any{"annotations": map[string]any{"mini-hpa/target-cpu": "50", "mini-hpa/max": "20"}},
			"spec":     map[string]any{"replicas": int64(2)}, "status": map[string]any{"replicas": int64(2), "selector": "app=ice"},
		}
	}
	trains, cars := [2]string{"trains", "Train"}, [2]string{"cars", "Car"}
	trainAbove := func(s *clitest.APIServer) {
		s.Others = customs{trains: annotated()}.byPath()
		s.Deployment.OwnerReferences = by("Train")
	}
	carBetween := func(s *clitest.APIServer) {
		s.Others = customs{trains: annotated(), cars: {"metadata": map[string]any{"ownerReferences": []any{
			map[string]any{"apiVersion": "example.com/v1", "kind": "Train", "name": "ice", "uid": "uid-Train", "controller": true}}}}}.byPath()
		for i := range s.Pods {
			s.Pods[i].OwnerReferences, s.Pods[i].Labels = by("Car"), map[string]string{"app": "ice"}
		}
	}
	const (
		above     = `warning: metadata.ownerReferences: what controls the Deployment leads to a "Train.example.com", which is not followed: `
		selected  = "warning: status.selector: of the scale: its pods are those that this selects, "
		aboveItsP = `warning: status.selector: of the scale: what controls a pod leads to a "Car.example.com", which is not followed: `
		scaled    = "train default/ice: scale from 2 to 6 replicas\n"
	)
	for name, test := range map[string]struct {
		annotations    map[string]string
		prepare        func(s *clitest.APIServer)
		args           []string
		code           int
		stdout, absent []string
		stderr         string
	}{
		"an inner one": {
			annotations: good, prepare: trainAbove, args: []string{"web", "--kinds=trains.example.com"}, code: cli.ExitFailure,
			stderr: "mini-hpa explain: deployment default/web is not scaled by its own annotations: train default/ice controls it and is annotated, too, and the outer one is scaled; explain that one\n",
		},
		"an inner one with a mistake, which nobody reads": {
			annotations: map[string]string{"mini-hpa/max": "ten"}, prepare: trainAbove, args: []string{"web", "--kinds=trains.example.com"}, code: cli.ExitFailure,
			stderr: "mini-hpa explain: deployment default/web is not scaled by its own annotations: ",
		},
		"without the kind above": {
			annotations: good, prepare: trainAbove, args: []string{"web"},
			stdout: []string{"deployment default/web: scale from 2 to 6 replicas\n", above},
		},
		"pods over a kind between": {
			prepare: carBetween, args: []string{"trains.example.com/ice", "--kinds=trains.example.com,cars.example.com"},
			stdout: []string{scaled}, absent: []string{"not followed", "status.selector"},
		},
		"without the kind between": {
			prepare: carBetween, args: []string{"trains.example.com/ice"},
			stdout: []string{scaled, selected, aboveItsP}, absent: []string{"ownerReferences"},
		},
		"a kind that is not there": {
			annotations: good, args: []string{"web", "--kinds=ships.example.com"},
			stdout: []string{"deployment default/web: scale from 2 to 6 replicas\n", "warning: --kinds: ships.example.com are not followed: cannot read the CustomResourceDefinition of ships.example.com: "},
		},
		"a kind whose objects may not be listed": {
			annotations: good, prepare: func(s *clitest.APIServer) { trainAbove(s); s.Forbidden = "namespaces/default/trains" }, args: []string{"web", "--kinds=trains.example.com"},
			stdout: []string{"warning: --kinds: trains.example.com are not followed: cannot list trains", above},
		},
		"no name of a kind": {
			annotations: good, args: []string{"web", "--kinds=deployments.apps"}, code: cli.ExitUsage,
			stderr: `mini-hpa explain: invalid value "deployments.apps" for --kinds: `,
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := clitest.NewAPIServer(t, test.annotations)
			if test.prepare != nil {
				test.prepare(server)
			}
			code, stdout, stderr := call(t, append([]string{"explain", "--kubeconfig", server.Kubeconfig()}, test.args...)...)
			if code != test.code || !strings.HasPrefix(stderr, test.stderr) || test.stderr == "" && stderr != "" {
				t.Errorf("exit code %d, want %d; standard error\n%s\nwant\n%s", code, test.code, stderr, test.stderr)
			}
			for _, part := range test.stdout {
				if !strings.Contains(stdout, part) {
					t.Errorf("standard output lacks %q:\n%s", part, stdout)
				}
			}
			for _, part := range test.absent {
				if strings.Contains(stdout, part) {
					t.Errorf("standard output has %q:\n%s", part, stdout)
				}
			}
		})
	}
}
