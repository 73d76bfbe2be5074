package informer

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"

	"github.com/mini-hpa/mini-hpa/annotations"
)

var (
	trainsV1  = schema.GroupVersionResource{Group: "example.com", Version: "v1", Resource: "trains"}
	trainsV2  = schema.GroupVersionResource{Group: "example.com", Version: "v2", Resource: "trains"}
	trainKind = schema.GroupKind{Group: "example.com", Kind: "Train"}
	train1    = trainKind.WithVersion("v1")
	cars      = trainsV1.GroupVersion().WithResource("cars")
	car1      = trainsV1.GroupVersion().WithKind("Car")

	trainsAndCars = []schema.GroupResource{trainsV1.GroupResource(), cars.GroupResource()}
)

const noTrains = "trains.example.com: there is no CustomResourceDefinition of this name"

// crd makes the CustomResourceDefinition of trains, whose stored version has these paths of the scale subresource.
func crd(version, replicas string, edits ...func(spec map[string]any)) *unstructured.Unstructured {
	spec := map[string]any{"group": "example.com", "scope": "Namespaced", "names": map[string]any{"plural": "trains", "kind": "Train"},
		"versions": []any{map[string]any{"name": version, "served": true, "storage": true, "subresources": map[string]any{"scale": map[string]any{
			"specReplicasPath": replicas, "statusReplicasPath": ".status.workers", "labelSelectorPath": ".status.selector"}}}}}
	for _, edit := range edits {
		edit(spec)
	}
	return &unstructured.Unstructured{Object: map[string]any{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{"name": "trains.example.com"}, "spec": spec,
		"status": map[string]any{"conditions": []any{map[string]any{"type": "Established", "status": "True"}}}}}
}

// carCRD makes the CustomResourceDefinition of cars.
func carCRD() *unstructured.Unstructured {
	o := crd("v1", ".spec.cars", func(spec map[string]any) { spec["names"] = map[string]any{"plural": "cars", "kind": "Car"} })
	o.SetName("cars.example.com")
	return o
}

// car makes a custom resource of another kind without annotations; edits change it.
func car(name string, edits ...func(*unstructured.Unstructured)) *unstructured.Unstructured {
	return train(name, append([]func(*unstructured.Unstructured){func(o *unstructured.Unstructured) {
		o.SetKind("Car")
		o.SetUID("car-" + o.GetUID())
		o.SetAnnotations(nil)
	}}, edits...)...)
}

func unscalable(spec map[string]any) {
	delete(spec["versions"].([]any)[0].(map[string]any), "subresources")
}

// train makes an annotated custom resource with 3 workers, or 4 by the path of the second version; edits change it.
func train(name string, edits ...func(*unstructured.Unstructured)) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "example.com/v1", "kind": "Train",
		"metadata": map[string]any{"namespace": "shop", "name": name, "uid": "train-" + name, "annotations": map[string]any{"mini-hpa/target-cpu": "50", "mini-hpa/max": "9"}},
		"spec":     map[string]any{"workers": map[string]any{"count": int64(3)}, "cars": int64(4)}}}
	for _, edit := range edits {
		edit(o)
	}
	return o
}

func running(selector string) func(*unstructured.Unstructured) {
	return func(o *unstructured.Unstructured) {
		o.Object["status"] = map[string]any{"workers": int64(3), "selector": selector}
	}
}

func inVersion2(o *unstructured.Unstructured) { o.SetAPIVersion("example.com/v2") }

const ofTrain = "trains.example.com/shop/ice"

func TestWhoseThePodsOfCustomResourcesAre(t *testing.T) {
	ice := train("ice")
	rs := controlledByObject(alone("ice-1"), ice, train1)
	sts := controlledByObject(statefulSet("ice-group", bare), ice, train1)
	inner := controlledByObject(statefulSet("ice-group"), ice, train1)
	reborn := train("ice", func(o *unstructured.Unstructured) { o.SetUID("another") })
	a, b := train("a"), train("b")
	circle := []runtime.Object{controlledByObject(train("a"), b, train1), controlledByObject(train("b"), a, train1), podOf(a, train1, "p")}

	for name, c := range map[string]struct {
		world    []runtime.Object
		pods     []string // of the train "ice"
		selected []string
	}{
		"its own":                           {[]runtime.Object{ice, podOf(ice, train1, "p")}, []string{"p"}, []string{ofTrain}},
		"of a ReplicaSet with annotations":  {[]runtime.Object{ice, rs, pod(rs, "p")}, []string{"p"}, []string{ofTrain}},
		"of a StatefulSet":                  {[]runtime.Object{ice, sts, podOf(sts, statefulSetVersion, "p")}, []string{"p"}, []string{ofTrain}},
		"of a StatefulSet with annotations": {[]runtime.Object{ice, inner, podOf(inner, statefulSetVersion, "p")}, []string{"p"}, []string{ofTrain}},
		"of one with another UID":           {[]runtime.Object{reborn, podOf(ice, train1, "p")}, nil, []string{ofTrain}},
		"of a kind with another group":      {[]runtime.Object{ice, podOf(ice, schema.GroupVersionKind{Group: "example.org", Version: "v1", Kind: "Train"}, "p")}, nil, []string{ofTrain}},
		"in a circle":                       {circle, nil, nil},
		"its own, in a circle of one":       {[]runtime.Object{controlledByObject(train("ice"), ice, train1), podOf(ice, train1, "p")}, []string{"p"}, []string{ofTrain}},
		"the same name in two kinds":        {[]runtime.Object{ice, podOf(ice, train1, "p"), statefulSet("ice"), podOf(statefulSet("ice"), statefulSetVersion, "q")}, []string{"p"}, []string{"statefulsets.apps/shop/ice", ofTrain}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newCluster(t, append([]runtime.Object{crd("v1", ".spec.workers.count")}, c.world...)...)
				w.start()
				var selected []string
				for _, key := range w.set.Selected() {
					selected = append(selected, key.String())
				}
				check(t, "selected", selected, c.selected)
				check(t, "lists of pods", w.listed("pods"), 1)
				if ice := w.set.Workload(keyOf(trainKind, "ice")); ice != nil {
					check(t, "pods", names(w.set.Pods(ice)), c.pods)
					check(t, "replicas", ice.Replicas, int32(3))
					check(t, "by selector", w.set.BySelector(ice), false)
				}
				for _, p := range []string{"p", "q"} {
					check(t, "owned is "+p, w.set.Owns("shop", p), slices.Contains(c.pods, p) || p == "q" && len(c.selected) == 2)
				}
				w.stop()
				w.set.Wait()
				w.kinds.Wait()
			})
		})
	}
}

// TestTheOuterOneOfTwoIsScaled, and when it is no longer annotated, the inner one is.
func TestTheOuterOneOfTwoIsScaled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ice := train("ice")
		inner := controlledByObject(statefulSet("ice-group"), ice, train1)
		c := newCluster(t, crd("v1", ".spec.workers.count"), ice, inner, podOf(inner, statefulSetVersion, "p"))
		c.start()
		end := c.lead(1, c.reconcile)
		check(t, "looks at first", c.looked(), []string{ofTrain})
		key := keyOf(statefulSetKind, "ice-group")
		outer, copied, found := c.set.Outer(key)
		check(t, "outer", []any{outer, copied, found}, []any{keyOf(trainKind, "ice"), false, true})
		if _, _, found := c.set.Outer(keyOf(trainKind, "ice")); found {
			t.Error("there is one beyond the outer one")
		}
		check(t, "the inner one as a workload", c.set.Workload(key), &annotations.Workload{Key: key, APIVersion: "apps/v1", UID: "sts-ice-group", Version: c.set.Workload(key).Version})

		c.put(controlledByObject(statefulSet("ice-group", func(s *appsv1.StatefulSet) { s.Annotations = ice.GetAnnotations() }), ice, train1))
		check(t, "looks after the annotations were copied", c.looked(), []string{"statefulsets.apps/shop/ice-group"})
		if _, copied, found := c.set.Outer(key); !copied || !found {
			t.Errorf("copied: %t, found: %t", copied, found)
		}
		c.put(train("ice", func(o *unstructured.Unstructured) { o.SetAnnotations(nil) }))
		check(t, "looks after the outer one has lost its annotations", c.looked(), []string{"statefulsets.apps/shop/ice-group", ofTrain})
		check(t, "selected", c.set.Selected(), []annotations.Key{key})
		check(t, "pods", names(c.set.Pods(c.set.Workload(key))), []string{"p"})
		c.put(ice)
		check(t, "looks after it has got them again", slices.Compact(c.looked()), []string{"statefulsets.apps/shop/ice-group", ofTrain})
		check(t, "selected again", c.set.Selected(), []annotations.Key{keyOf(trainKind, "ice")})
		end()
		c.stop()
		c.set.Wait()
	})
}

// TestAnInnerOneWaitsForItsOuterOne: while it is not known what controls it, it is not scaled. Nor does it remain an inner one for ever.
func TestAnInnerOneWaitsForItsOuterOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ice := train("ice")
		inner := controlledByObject(statefulSet("ice-group"), ice, train1)
		c := newCluster(t, ice, inner, podOf(inner, statefulSetVersion, "p"))
		c.start()
		end := c.lead(1, c.reconcile)
		const group = "statefulsets.apps/shop/ice-group"
		ofIce, ofGroup := []annotations.Key{keyOf(trainKind, "ice")}, []annotations.Key{keyOf(statefulSetKind, "ice-group")}
		isScaled := func() bool { return c.set.Workload(ofGroup[0]).Annotations != nil }
		check(t, "selected before there is a definition", c.set.Selected(), ofGroup)
		listing := make(chan struct{})
		c.dynamic.PrependReactor("list", "trains", func(clienttesting.Action) (bool, runtime.Object, error) {
			<-listing
			return false, nil, nil
		})
		c.put(crd("v1", ".spec.workers.count"))
		synctest.Wait()
		check(t, "selected while trains are listed", c.set.Selected(), []annotations.Key(nil))
		check(t, "scaled while trains are listed", isScaled(), false)
		check(t, "owned", c.set.Owns("shop", "p"), false)
		c.looked()
		close(listing)
		check(t, "looks when they are known", slices.Compact(c.looked()), []string{group, ofTrain})
		check(t, "selected when they are known", c.set.Selected(), ofIce)
		c.put(crd("v1", "", unscalable))
		check(t, "looks when they cannot be scaled", c.looked(), []string{group, ofTrain})
		check(t, "selected when they cannot be scaled", c.set.Selected(), []annotations.Key(nil))
		c.put(train("ice", unannotated))
		c.put(crd("v1", ".spec.workers.count"))
		check(t, "looks when the outer one is not annotated", slices.Compact(c.looked()), []string{group})
		check(t, "selected when the outer one is not annotated", c.set.Selected(), ofGroup)
		check(t, "scaled when the outer one is not annotated", isScaled(), true)
		end()
		c.stop()
		c.set.Wait()
		c.kinds.Wait()
	})
}

// TestAnInnerOneIsObscured: while what controls it may not be listed, an annotated object is looked at once, to tell so.
func TestAnInnerOneIsObscured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ice := train("ice", unannotated)
		inner := controlledByObject(statefulSet("ice-group"), ice, train1)
		c := newCluster(t, crd("v1", ".spec.workers.count"), ice, inner, podOf(inner, statefulSetVersion, "p"), statefulSet("db"))
		forbidden := true
		c.dynamic.PrependReactor("list", "trains", func(clienttesting.Action) (bool, runtime.Object, error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			return forbidden, nil, apierrors.NewForbidden(trainsV1.GroupResource(), "", nil)
		})
		key := keyOf(statefulSetKind, "ice-group")
		c.start()
		end := c.lead(1, c.reconcile)
		check(t, "looks in a term", c.looked(), []string{"statefulsets.apps/shop/db", "statefulsets.apps/shop/ice-group"})
		check(t, "why", c.set.Obscured(key), "trains.example.com: its objects cannot be listed")
		check(t, "why, of another", c.set.Obscured(keyOf(statefulSetKind, "db")), "")
		inDoubt := func() string {
			switch w := c.set.Doubtful(key); {
			case w == nil:
				return "no"
			case w.UID == "" && w.Annotations == nil:
				return "nothing is known of it"
			default:
				return fmt.Sprintf("%s %v", w.UID, annotations.Selected(w.Annotations))
			}
		}
		check(t, "in doubt", inDoubt(), "sts-ice-group true")
		check(t, "in doubt, another", c.set.Doubtful(keyOf(statefulSetKind, "db")), (*annotations.Workload)(nil))
		time.Sleep(10 * time.Minute)
		check(t, "looks later", c.looked(), []string(nil))
		c.mu.Lock()
		forbidden = false
		c.mu.Unlock()
		time.Sleep(2 * time.Minute)
		check(t, "looks when it may be listed", slices.Compact(c.looked()), []string{"statefulsets.apps/shop/ice-group"})
		check(t, "why, when it may be listed", c.set.Obscured(key), "")
		check(t, "in doubt, when it may be listed", inDoubt(), "no")

		c.put(crd("v1", "", unscalable))
		check(t, "looks when it cannot be scaled", slices.Compact(c.looked()), []string{"statefulsets.apps/shop/ice-group"})
		if why := c.set.Obscured(key); !strings.HasPrefix(why, "trains.example.com: version \"v1\" of trains.example.com has no scale subresource") {
			t.Errorf("why, when it cannot be scaled: %q", why)
		}
		check(t, "in doubt, when it cannot be scaled", inDoubt(), "sts-ice-group true")
		c.put(controlledByObject(statefulSet("ice-group", func(s *appsv1.StatefulSet) { s.DeletionTimestamp = new(metav1.Now()) }), ice, train1))
		synctest.Wait()
		check(t, "in doubt, when it is to be deleted", inDoubt(), "no")
		c.put(controlledByObject(statefulSet("ice-group", bare), ice, train1))
		synctest.Wait()
		check(t, "in doubt, when it has lost its annotations", inDoubt(), "no")
		end()
		c.stop()
		c.set.Wait()
		c.kinds.Wait()
	})
}

// TestADefinitionIsFollowed: it comes late, changes its paths and its version, loses its scale subresource, and goes.
func TestADefinitionIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ice := train("ice")
		c := newCluster(t, ice, train("ice", inVersion2), podOf(ice, train1, "p"), deployment("web"))
		c.start()
		end := c.lead(1, c.reconcile)
		check(t, "looks at first", c.looked(), []string{"shop/web"})
		check(t, "told at first", c.heard(), []string{noTrains})
		const listedAgain = "pods are listed once more, to keep more of the pods of each StatefulSet.apps, the pods of each Train.example.com"
		for _, s := range []struct {
			what     string
			do       func()
			told     []string
			replicas int32 // 0 if it is not known
		}{
			{"it comes", func() { c.put(crd("v1", ".spec.workers.count")) }, []string{"trains.example.com: v1 .spec.workers.count", listedAgain}, 3},
			{"nothing changes", func() { c.put(crd("v1", ".spec.workers.count")) }, nil, 3},
			{"other paths", func() { c.put(crd("v1", ".spec.cars")) }, []string{"trains.example.com: v1 .spec.cars"}, 4},
			{"another version", func() { c.put(crd("v2", ".spec.workers.count")) }, []string{"trains.example.com: v2 .spec.workers.count"}, 3},
			{"no scale subresource", func() { c.put(crd("v2", "", unscalable)) },
				[]string{`trains.example.com: version "v2" of trains.example.com has no scale subresource (subresources.scale with specReplicasPath and statusReplicasPath)`}, 0},
			{"it has one again", func() { c.put(crd("v1", ".spec.workers.count")) }, []string{"trains.example.com: v1 .spec.workers.count"}, 3},
			{"cluster-scoped", func() {
				c.put(crd("v1", ".spec.workers.count", func(spec map[string]any) { spec["scope"] = "Cluster" }))
			}, []string{`trains.example.com: spec.scope of trains.example.com is "Cluster"; only objects in a namespace ("Namespaced") are scaled`}, 0},
			{"back", func() { c.put(crd("v1", ".spec.workers.count")) }, []string{"trains.example.com: v1 .spec.workers.count"}, 3},
			{"it goes", func() { c.remove(crd("v1", ".spec.workers.count")) }, []string{noTrains}, 0},
			{"it comes back", func() { c.put(crd("v1", ".spec.workers.count")) }, []string{"trains.example.com: v1 .spec.workers.count"}, 3},
		} {
			s.do()
			looks := slices.DeleteFunc(c.looked(), func(look string) bool { return look == "shop/web" })
			if len(s.told) > 0 != slices.Contains(looks, ofTrain) {
				t.Errorf("%s: looks at %v", s.what, looks)
			}
			check(t, s.what+": told", c.heard(), s.told)
			for _, name := range []string{"ice", "other"} {
				key, want := keyOf(trainKind, name), (*annotations.Workload)(nil)
				if s.replicas == 0 {
					want = &annotations.Workload{Key: key}
				}
				check(t, s.what+": in doubt", c.set.Doubtful(key), want)
			}
			w := c.set.Workload(keyOf(trainKind, "ice"))
			if _, served := c.kinds.Of(trainKind); served != (s.replicas > 0) || (w != nil) != served {
				t.Errorf("%s: served %t, workload %v", s.what, served, w)
				continue
			}
			if w != nil {
				check(t, s.what+": replicas", w.Replicas, s.replicas)
				check(t, s.what+": pods", names(c.set.Pods(w)), []string{"p"})
			}
		}
		every := func(*annotations.Workload) bool { return true }
		if beside := c.set.Beside("shop", every); len(beside) != 2 || beside[0].Name != "web" || beside[1].Name != "ice" || len(c.set.Beside("other", every)) > 0 {
			t.Errorf("beside each other: %v", beside)
		}
		if builtin, served := c.kinds.Of(deploymentKind); !served || builtin.Resource != "deployments" {
			t.Errorf("Deployments are %v", builtin)
		}
		check(t, "errors", c.told(), []string(nil))
		end()
		c.stop()
		c.set.Wait()
		c.kinds.Wait()
	})
}

// TestADefinitionThatMayNotBeRead is told once, and followed when it may.
func TestADefinitionThatMayNotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, crd("v1", ".spec.workers.count"), train("ice"), deployment("web"))
		forbidden := true
		c.dynamic.PrependReactor("list", "customresourcedefinitions", func(clienttesting.Action) (bool, runtime.Object, error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			return forbidden, nil, apierrors.NewForbidden(definitions.GroupResource(), "trains.example.com", nil)
		})
		c.start()
		end := c.lead(1, c.reconcile)
		check(t, "looks", c.looked(), []string{"shop/web"})
		time.Sleep(10 * time.Minute)
		if told := c.heard(); len(told) != 1 || !strings.HasPrefix(told[0], "trains.example.com: its CustomResourceDefinition cannot be read: ") {
			t.Errorf("told %q", told)
		}
		c.mu.Lock()
		forbidden = false
		c.mu.Unlock()
		time.Sleep(2 * time.Minute)
		check(t, "looks when it may be read", slices.Compact(c.looked()), []string{"shop/web", ofTrain})
		check(t, "errors", c.told(), []string(nil))
		end()
		c.stop()
		c.set.Wait()
		c.kinds.Wait()
	})
}

// TestADefinitionThatCannotBeReadHoldsNothingUp: other workloads are scaled meanwhile, and its own when it can be read.
func TestADefinitionThatCannotBeReadHoldsNothingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, crd("v1", ".spec.workers.count"), train("ice"), deployment("web"))
		broken := true
		c.dynamic.PrependReactor("list", "customresourcedefinitions", func(clienttesting.Action) (bool, runtime.Object, error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			return broken, nil, apierrors.NewInternalError(errDown)
		})
		begun := time.Now()
		timeout := time.AfterFunc(time.Hour, func() { t.Error("the start is held up"); c.stop() })
		c.start()
		timeout.Stop()
		check(t, "started after", time.Since(begun), optional)
		if err := c.kinds.Fill(t.Context()); err != nil {
			t.Error(err)
		}
		end := c.lead(1, c.reconcile)
		check(t, "looks", c.looked(), []string{"shop/web"})
		if len(c.told()) == 0 {
			t.Error("nothing was told")
		}
		c.mu.Lock()
		broken = false
		c.mu.Unlock()
		time.Sleep(2 * time.Minute)
		check(t, "looks when it can be read", slices.Compact(c.looked()), []string{"shop/web", ofTrain})
		end()
		c.stop()
		c.set.Wait()
		c.kinds.Wait()
	})
}

func labeled(train string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Labels = map[string]string{"train": train} }
}

// TestOfItsOwnPodsThoseCountThatAreSelected, as for the HPA: an operator may run others for the same custom resource.
func TestOfItsOwnPodsThoseCountThatAreSelected(t *testing.T) {
	ice := train("ice", running("train=ice"))
	group := controlledByObject(statefulSet("ice-group", bare), ice, train1)
	coordinator := podOf(ice, train1, "coordinator", labeled("none"))
	for name, c := range map[string]struct {
		world []runtime.Object
		want  []string
	}{
		"all are":                     {[]runtime.Object{podOf(ice, train1, "p", labeled("ice"))}, []string{"p"}},
		"some are":                    {[]runtime.Object{coordinator, podOf(group, statefulSetVersion, "p", labeled("ice")), podOf(group, statefulSetVersion, "q", labeled("ice"))}, []string{"p", "q"}},
		"none are":                    {[]runtime.Object{coordinator}, nil},
		"none are, and others' are":   {[]runtime.Object{coordinator, podOf(car("x"), car1, "p", labeled("ice"))}, []string{"p"}},
		"some are, and others' are":   {[]runtime.Object{podOf(ice, train1, "p", labeled("ice")), podOf(car("x"), car1, "q", labeled("ice"))}, []string{"p"}},
		"those of an unlabeled group": {[]runtime.Object{podOf(group, statefulSetVersion, "p", labeled(""))}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newCluster(t, append(c.world, crd("v1", ".spec.workers.count"), ice, group)...)
				w.start()
				ice := w.set.Workload(keyOf(trainKind, "ice"))
				check(t, "pods", names(w.set.Pods(ice)), c.want)
				for _, p := range []string{"coordinator", "p", "q"} {
					check(t, "owned is "+p, w.set.Owns("shop", p), slices.Contains(c.want, p))
				}
				w.stop()
				w.set.Wait()
			})
		})
	}
}

// TestWhatLabelsCost: those of pods are kept only where a custom resource may select them, and the pods of one owner share them.
func TestWhatLabelsCost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		web := deployment("web")
		rs := replicaSet(web, "web-1")
		c := newCluster(t, crd("v1", ".spec.workers.count"), train("ice", unannotated), web, rs, pod(rs, "a"), pod(rs, "b"))
		labelsOf := func(name string) map[string]string {
			return named[*keptPod](c.set.pods.Load().informer.GetStore(), cache.NewObjectName("shop", name)).facts.labels
		}
		c.start()
		if kept := labelsOf("a"); kept != nil {
			t.Errorf("kept without custom resources: %v", kept)
		}
		c.put(train("ice"))
		synctest.Wait()
		a, b := labelsOf("a"), labelsOf("b")
		check(t, "kept", a, map[string]string{"app": "web"})
		if reflect.ValueOf(a).Pointer() != reflect.ValueOf(b).Pointer() {
			t.Error("two pods of one ReplicaSet do not share their labels")
		}
		c.stop()
		c.set.Wait()
	})
}

// TestASelectorSaysWhichPods, if what leads to them is not watched. Pods of which it is known whose they are do not count.
func TestASelectorSaysWhichPods(t *testing.T) {
	operated := func(name string) runtime.Object {
		p := pod(&appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: "shop"}}, name, controlledBy("example.com/v1", "Car"))
		p.Labels = map[string]string{"train": "ice"}
		return p
	}
	web := deployment("web", unselected)
	webPod := pod(replicaSet(web, "web-1"), "web-1-a")
	webPod.Labels = map[string]string{"train": "ice"}
	ice := train("ice", running("train=ice"))
	world := []runtime.Object{crd("v1", ".spec.workers.count"), web, replicaSet(web, "web-1"), webPod, operated("b"), operated("a")}
	t.Run("known from the start", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t, append(world, ice)...)
			c.start()
			w := c.set.Workload(keyOf(trainKind, "ice"))
			check(t, "pods", names(c.set.Pods(w)), []string{"a", "b"})
			check(t, "by selector", c.set.BySelector(w), true)
			above, abovePods := c.set.Unfollowed(w)
			check(t, "unfollowed above it", above, schema.GroupKind{})
			check(t, "unfollowed above its pods", abovePods, []schema.GroupKind{{Group: "example.com", Kind: "Car"}})
			check(t, "owned", []bool{c.set.Owns("shop", "a"), c.set.Owns("shop", "web-1-a")}, []bool{true, false})
			c.stop()
			c.set.Wait()
		})
	})
	t.Run("another custom resource owns pods", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			tgv := train("tgv", running("train=ice"))
			c := newCluster(t, append(world, ice, tgv, podOf(tgv, train1, "c", labeled("ice")), inNamespace("bank", train("ice", running("train=ice"))))...)
			c.start()
			pod := named[*keptPod](c.set.pods.Load().informer.GetStore(), cache.NewObjectName("shop", "a"))
			check(t, "workloads of a pod that nothing is known to control", c.set.workloadsOf(pod), []annotations.Key{keyOf(trainKind, "ice")})
			c.stop()
			c.set.Wait()
		})
	})
	t.Run("annotated while it runs", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t, append(world, train("ice", running("train=ice"), func(o *unstructured.Unstructured) { o.SetAnnotations(nil) }))...)
			c.start()
			end := c.lead(1, c.reconcile)
			c.heard()
			c.put(ice)
			time.Sleep(25 * time.Second)
			synctest.Wait()
			check(t, "told", c.heard(), []string{"pods are listed once more, to keep more of the pods of each StatefulSet.apps, the pods of each Train.example.com",
				`pods are listed once more, to keep more of the labels of pods in namespace "shop"`})
			check(t, "pods", names(c.set.Pods(c.set.Workload(keyOf(trainKind, "ice")))), []string{"a", "b"})
			c.looked()
			c.put(operated("c"))
			check(t, "looks after another pod came", c.looked(), []string{ofTrain})
			check(t, "pods then", names(c.set.Pods(c.set.Workload(keyOf(trainKind, "ice")))), []string{"a", "b", "c"})
			end()
			c.stop()
			c.set.Wait()
		})
	})
}
