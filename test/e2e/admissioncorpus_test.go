package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// manifest is one file of the corpus: what the Deployment meets there, and the Deployment.
type manifest struct {
	name, text string
	// verdict and rules are what the first line of the file expects.
	verdict    string
	rules      []string
	companions []*unstructured.Unstructured
	deployment *unstructured.Unstructured
	once       sync.Once
	linted     linted
}

// readCorpus reads all files, in the order of their names.
func readCorpus(t *testing.T) []*manifest {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "admission", "corpus", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus: %v", err)
	}
	var all []*manifest
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, readManifest(t, strings.TrimSuffix(filepath.Base(file), ".yaml"), string(text)))
	}
	return all
}

func readManifest(t *testing.T, name, text string) *manifest {
	t.Helper()
	m := &manifest{name: name, text: text}
	first, _, _ := strings.Cut(text, "\n")
	verdict, rules, _ := strings.Cut(strings.TrimPrefix(first, "# "), ": ")
	if m.verdict = verdict; rules != "" {
		m.rules = strings.Split(rules, ", ")
	}
	for document := range strings.SplitSeq(text, "\n---\n") {
		o := object(t, document)
		if o.GetKind() == "Deployment" {
			m.deployment = o
		} else {
			m.companions = append(m.companions, o)
		}
	}
	if m.deployment == nil || !slices.Contains([]string{accepted, warned, denied}, m.verdict) || len(m.rules) == 0 != (m.verdict == accepted) {
		t.Fatalf("%s: want a Deployment, and first a line such as %q", name, "# denied: MissingRequest")
	}
	return m
}

// corpus creates every Deployment of the corpus with kubectl, and compares what kubectl says with a golden file, and the
// verdict with lint's.
func (a *admission) corpus(t *testing.T) {
	t.Parallel()
	for _, m := range a.manifests {
		a.space(t, m.name, true)
		a.store(t, m.name, m.companions...)
	}
	a.awaitNeighbors(t)
	count := map[string]int{}
	for _, m := range a.manifests {
		count[m.verdict]++
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			a.judge(t, m)
		})
	}
	t.Logf("%d manifests: %v", len(a.manifests), count)
}

func (a *admission) judge(t *testing.T, m *manifest) {
	answer := a.ask(t.Context(), t, m.name, m.deployment)
	said := a.create(t, m)
	if said.verdict() != m.verdict || answer.verdict() != m.verdict {
		t.Errorf("%s, and in a dry run %s, want %s:\n%s", said.verdict(), answer.verdict(), m.verdict, said)
	}
	golden(t, filepath.Join("corpus", m.name+".golden"), said.String())
	if isStored := a.stored(t, m.name) != nothing; isStored == (m.verdict == denied) {
		t.Errorf("stored: %t", isStored)
	}
	lint := m.lint(t)
	if diff := cmp.Diff(m.rules, lint.rules); diff != "" {
		t.Errorf("rules of lint (-want +got):\n%s", diff)
	}
	admitted := lint.admitted()
	for i, problem := range answer.problems {
		answer.problems[i] = inValue.ReplaceAllString(problem, "")
	}
	if diff := cmp.Diff(answer.problems, admitted.problems); diff != "" {
		t.Errorf("problems of admission (-) and lint (+):\n%s", diff)
	}
	if diff := cmp.Diff(answer.warnings, admitted.warnings); diff != "" {
		t.Errorf("warnings of admission (-) and lint (+):\n%s", diff)
	}
}

// create creates the Deployment with kubectl, where its companions are already.
func (a *admission) create(t *testing.T, m *manifest) said {
	t.Helper()
	if len(m.companions) == 0 {
		return a.kubectl(t, "", "-n", m.name, "create", "-f", filepath.Join("corpus", m.name+".yaml"))
	}
	documents := strings.Split(m.text, "\n---\n")
	return a.kubectl(t, documents[len(documents)-1], "-n", m.name, "create", "-f", "-")
}

// awaitNeighbors returns when the webhook knows the LimitRanges and autoscalers that were stored before: of each kind there
// is one watch, which tells in the order of the changes, so the last one to be stored is the last one to be known.
func (a *admission) awaitNeighbors(t *testing.T) {
	t.Helper()
	ns := a.somewhere(t)
	last := readManifest(t, "last", lastManifest)
	a.store(t, ns, last.companions...)
	eventually(t, "the webhook knows what is in the cluster", func(ctx context.Context) (bool, string) {
		answer := a.ask(ctx, t, ns, last.deployment)
		return len(answer.warnings) == 4, fmt.Sprint(*answer)
	})
}

// lastManifest meets one neighbor of each kind.
const lastManifest = `# warned: ConflictingAutoscaler
{apiVersion: v1, kind: LimitRange, metadata: {name: last}, spec: {limits: [{type: Container, defaultRequest: {cpu: 100m}}]}}
---
{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: last}, spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, maxReplicas: 2}}
---
{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: last}, spec: {scaleTargetRef: {name: web}}}
---
{apiVersion: autoscaling.k8s.io/v1, kind: VerticalPodAutoscaler, metadata: {name: last}, spec: {targetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, annotations: {mini-hpa/target-cpu: "50", mini-hpa/max: "3"}}
spec: {selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: app, image: app}]}}}
`
