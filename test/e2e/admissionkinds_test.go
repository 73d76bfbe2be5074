package e2e

import (
	"strings"
	"testing"
)

// kinds: what holds for Deployments holds for StatefulSets and ReplicaSets, except for ReplicaSets that a Deployment has.
func (a *admission) kinds(t *testing.T, c *controller) {
	const selector = `"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"app","image":"app"`
	of := func(kind, annotations, resources string) string {
		return `{"apiVersion":"apps/v1","kind":"` + kind + `","metadata":{"name":"web","annotations":{` + annotations + `}},"spec":{` + selector + `,"resources":{` + resources + `}}]}}}}`
	}
	const scaled, requests = `"mini-hpa/target-cpu":"50","mini-hpa/max":"3"`, `"requests":{"cpu":"1"}`
	for _, kind := range []string{"StatefulSet", "ReplicaSet"} {
		ns := a.somewhere(t)
		if said := a.kubectl(t, of(kind, scaled, ""), "-n", ns, "create", "-f", "-"); said.verdict() != denied || !strings.Contains(said.err, `The `+kind+` "web" is invalid: spec.template.spec.containers[0].resources.requests[cpu]`) {
			t.Errorf("a %s without a request: %s", kind, said)
		}
		a.must(t, of(kind, scaled, requests), "-n", ns, "create", "-f", "-")
		if said := a.kubectl(t, of(kind, scaled, `"requests":{"memory":"1Gi"}`), "-n", ns, "replace", "-f", "-"); said.verdict() != denied {
			t.Errorf("a %s that loses its request: %s", kind, said)
		}
		if said := a.kubectl(t, "", "-n", ns, "scale", kind, "web", "--replicas=2"); said.verdict() != accepted {
			t.Errorf("a %s that is scaled: %s", kind, said)
		}
	}
	ns := a.somewhere(t)
	a.must(t, of("StatefulSet", `"a":"b"`, ""), "-n", ns, "create", "-f", "-")
	a.must(t, "", "-n", ns, "rollout", "status", "statefulset", "web", "--timeout=60s")
	a.must(t, "", "-n", ns, "set", "resources", "statefulset", "web", "--requests=cpu=1")
	a.must(t, "", "-n", ns, "rollout", "status", "statefulset", "web", "--timeout=60s")
	a.must(t, "", "-n", ns, "annotate", "statefulset", "web", "mini-hpa/target-cpu=50", "mini-hpa/max=3")
	if said := a.kubectl(t, "", "-n", ns, "rollout", "undo", "statefulset", "web"); said.code != 0 {
		t.Errorf("a StatefulSet that is rolled back: %s", said)
	}
	ns = a.somewhere(t)
	before := a.counts(t, c)
	a.must(t, of("Deployment", scaled, requests), "-n", ns, "create", "-f", "-")
	a.settle(t, ns)
	if after := a.counts(t, c); after.sent-before.sent != 1 {
		t.Errorf("%d calls for a Deployment that has its ReplicaSet, want 1", after.sent-before.sent)
	}
}
