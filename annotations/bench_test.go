package annotations

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// BenchmarkParse is what every reconcile pays.
func BenchmarkParse(b *testing.B) {
	tests := map[string]map[string]string{
		"smallest": basic(nil),
		"all": basic(map[string]string{
			TargetMemory: "512Mi", Container: "app", Min: "2", Tolerance: "5%", ScaleUpStabilization: "30s",
			ScaleDownStabilization: "2m", ScaleUpPolicies: "4 pods/15s, 100%/15s", ScaleDownPolicies: "1 pod/60s",
			WarmUp: "90s", SyncPeriod: "5s", ModeKey: "auto",
		}),
		"metrics and behavior, JSON": {Max: "10", Metrics: goodMetrics()[1].value, Behavior: goodBehaviors()[5].value},
		"metrics and behavior, YAML": {Max: "10", Metrics: exampleMetrics, Behavior: exampleBehavior},
		"wrong":                      basic(map[string]string{Min: "11", "mini-hpa/maxx": "12"}),
	}
	for name, annotations := range tests {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				parse(annotations)
			}
		})
	}
}

// TestParseAllocations keeps the usual parse cheap: the draft, the policies of both directions, the metrics and what
// they point to.
func TestParseAllocations(t *testing.T) {
	annotations := basic(nil)
	if got := testing.AllocsPerRun(100, func() { parse(annotations) }); got > 6 {
		t.Errorf("%v allocations, want no more than 6", got)
	}
}

// managed is what an API server keeps of who has set which field of an annotated Deployment, and of the ReplicaSet that its controller has made.
func managed() (deployment, replicaSet []metav1.ManagedFieldsEntry) {
	const (
		ofPod     = `"f:template":{"f:metadata":{"f:labels":{".":{},"f:app":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"app\"}":{".":{},"f:image":{},"f:name":{},"f:resources":{".":{},"f:requests":{".":{},"f:cpu":{}}}}},"f:restartPolicy":{}}}`
		ofUser    = `{"f:metadata":{"f:annotations":{".":{},"f:mini-hpa/max":{},"f:mini-hpa/target-cpu":{}},"f:labels":{".":{},"f:app":{}}},"f:spec":{"f:progressDeadlineSeconds":{},"f:replicas":{},"f:selector":{},` + ofPod + `}}`
		ofSet     = `{"f:metadata":{"f:annotations":{".":{},"f:deployment.kubernetes.io/desired-replicas":{},"f:mini-hpa/max":{},"f:mini-hpa/target-cpu":{}},"f:labels":{".":{},"f:app":{},"f:pod-template-hash":{}},"f:ownerReferences":{".":{},"k:{\"uid\":\"u1\"}":{}}},"f:spec":{"f:replicas":{},"f:selector":{},` + ofPod + `}}`
		ofStatus  = `{"f:status":{"f:availableReplicas":{},"f:conditions":{".":{},"k:{\"type\":\"Available\"}":{".":{},"f:status":{},"f:type":{}}},"f:replicas":{}}}`
		ofScaling = `{"f:spec":{"f:replicas":{}}}`
	)
	entry := func(manager, subresource, fields string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, Subresource: subresource, FieldsV1: metav1.NewFieldsV1(fields)}
	}
	const owner = "kube-controller-manager"
	return []metav1.ManagedFieldsEntry{entry("kubectl", "", ofUser), entry(FieldManager, "scale", ofScaling), entry(owner, "status", ofStatus)},
		[]metav1.ManagedFieldsEntry{entry(owner, "", ofSet), entry(owner, "status", ofStatus)}
}

// BenchmarkManagers is what every event of an annotated Deployment, and of a ReplicaSet with its annotations, pays to know who has set what.
func BenchmarkManagers(b *testing.B) {
	ofDeployment, ofSet := managed()
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Annotations: basic(nil), ManagedFields: ofDeployment}}
	set := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Annotations: basic(nil), ManagedFields: ofSet,
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: "u1", Controller: new(true)}}}}
	b.Run("deployment", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if w := OfDeployment(d); w.SetBy != "kubectl, mini-hpa" {
				b.Fatal(w.SetBy)
			}
		}
	})
	b.Run("replicaset", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if AnnotatedInVain(set) {
				b.Fatal("these are the annotations of its owner")
			}
		}
	})
}
