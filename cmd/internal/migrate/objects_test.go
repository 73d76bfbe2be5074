package migrate

import (
	"fmt"
	"testing"
)

// TestObjectsAreFoundByWhatTheyAre, and not by a look at all of them: files have thousands.
func TestObjectsAreFoundByWhatTheyAre(t *testing.T) {
	r := objects{texts: map[string]string{}}
	const of = "---\napiVersion: %s\nkind: %s\nmetadata: {name: %s, namespace: %s}\n"
	for _, o := range [][4]string{
		{"apps/v1", "Deployment", "web", "shop"},
		{"apps/v1beta1", "Deployment", "web", "shop"}, // the same as the first
		{"apps/v1", "Deployment", "web", "other"},
		{"apps/v1", "StatefulSet", "web", "shop"},
		{"argoproj.io/v1alpha1", "Rollout", "web", "shop"},
		{"a/b/c", "Deployment", "web", "shop"}, // no version
	} {
		r.readText("m.yaml", fmt.Sprintf(of, o[0], o[1], o[2], o[3]))
	}
	known := r.byIdentity()
	if len(r.objects) != 6 || len(known) != 4 {
		t.Fatalf("%d objects are %d, want 6 and 4", len(r.objects), len(known))
	}
	for at, want := range map[reference]*object{
		{APIVersion: "apps/v1", Kind: "Deployment", Name: "web", Namespace: "shop"}:                r.objects[0],
		{APIVersion: "apps/v1", Kind: "Deployment", Name: "web", Namespace: "other"}:               r.objects[2],
		{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "web", Namespace: "shop"}:               r.objects[3],
		{APIVersion: "argoproj.io/v1beta1", Kind: "Rollout", Name: "web", Namespace: "shop"}:       r.objects[4],
		{APIVersion: "apps/v1", Kind: "Deployment", Name: "web", Namespace: "shop", File: "other"}: r.objects[0],
		{APIVersion: "apps/v1", Kind: "Deployment", Name: "api", Namespace: "shop"}:                nil,
	} {
		is, _ := at.identity()
		if known[is] != want {
			t.Errorf("%s is not found where it is", at.title())
		}
		m := migration{objects: &r}
		if got := m.workload(&result{Workload: &at}); got != want || len(m.known) != len(known) {
			t.Errorf("the workload %s is not found by the index", at.title())
		}
	}
}

// TestTheFirstOfManyScales: each of the others is told which one that is, also where it is not the one before.
func TestTheFirstOfManyScales(t *testing.T) {
	text := ""
	for i, most := range []string{"0", "3", "4", "5"} { // the first is refused, so that the second counts
		text += "---\n" + hpaOf(fmt.Sprint("a", i), most, "apps/v1", "Deployment")
	}
	results, _ := made(t, "-f", fileOf(t, text))
	for i, r := range results {
		said := ""
		for _, remark := range r.Remarks {
			if remark.Path == "spec.scaleTargetRef" {
				said += remark.Why
			}
		}
		want := ""
		if i > 1 {
			want = `is what HorizontalPodAutoscaler "a1" scales, too: of these two only that is converted`
		}
		if said != want || (r.Annotations != nil) != (i == 1) {
			t.Errorf("%s: %v, %q, want %q", r.From.Name, r.Annotations, said, want)
		}
	}
}
