package metrics

import (
	"runtime"
	"testing"
	"time"
	"weak"

	gocmp "github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

// sample is a pod's timestamp in seconds since epoch.
type listedPod struct {
	name string
	at   float64
}

// page is one LIST of a story and what it must change.
type page struct {
	// after is how much later than the LIST before it was made; 15 s if not set.
	after time.Duration
	list  []listedPod
	// changed is what is reported, in order, kept is what can be read afterwards.
	changed []string
	kept    map[string]float64
	// comparable, advanced and repeated are checked where counted.
	counted                        bool
	comparable, advanced, repeated int
	// begins says that the schedule took this LIST for the beginning of a set.
	begins bool
}

func items(list []listedPod) (ps []metricsv1beta1.PodMetrics) {
	for _, p := range list {
		ps = append(ps, pod("shop", p.name, epoch.Add(time.Duration(p.at*float64(time.Second))), "app"))
	}
	return ps
}

func TestSnapshotStories(t *testing.T) {
	stories := map[string]struct {
		keep func(namespace, name string) bool
		book []page
	}{
		"the first LIST is all new": {book: []page{
			{list: []listedPod{{"a", 0}, {"b", 0}}, changed: []string{"a", "b"}, kept: map[string]float64{"a": 0, "b": 0}},
		}},
		"an identical LIST changes nothing": {book: []page{
			{list: []listedPod{{"a", 0}, {"b", 0}}, changed: []string{"a", "b"}},
			{list: []listedPod{{"a", 0}, {"b", 0}}, kept: map[string]float64{"a": 0, "b": 0}, counted: true, comparable: 2},
		}},
		"a new set whose nodes were scraped at different moments": {book: []page{
			{list: []listedPod{{"a", 0}, {"b", 0.4}, {"c", 1.2}}, changed: []string{"a", "b", "c"}, begins: true},
			{
				list: []listedPod{{"a", 15.1}, {"b", 15.3}, {"c", 16.5}}, changed: []string{"a", "b", "c"}, begins: true,
				kept: map[string]float64{"a": 15.1, "b": 15.3, "c": 16.5}, counted: true, comparable: 3, advanced: 3, repeated: 3,
			},
		}},
		"half of a set, then the other half": {book: []page{
			{list: []listedPod{{"a", 0}, {"b", 0}}, changed: []string{"a", "b"}, begins: true},
			{list: []listedPod{{"a", 15}, {"b", 0}}, changed: []string{"a"}, begins: true, counted: true, comparable: 2, advanced: 1, repeated: 1},
			{
				list: []listedPod{{"a", 15}, {"b", 15}}, after: 2 * time.Second, changed: []string{"b"},
				counted: true, comparable: 2, advanced: 1,
			},
			{list: []listedPod{{"a", 30}, {"b", 15}}, changed: []string{"a"}, counted: true, comparable: 2, advanced: 1, repeated: 1},
		}},
		"a pod appears": {book: []page{
			{list: []listedPod{{"a", 0}}, changed: []string{"a"}},
			{list: []listedPod{{"a", 0}, {"b", 3}}, changed: []string{"b"}, counted: true, comparable: 1, kept: map[string]float64{"a": 0, "b": 3}},
		}},
		"pods vanish and are told once": {book: []page{
			{list: []listedPod{{"c", 0}, {"a", 0}, {"b", 0}}, changed: []string{"c", "a", "b"}},
			{list: []listedPod{{"b", 15}}, changed: []string{"b", "a", "c"}, kept: map[string]float64{"b": 15}},
			{list: []listedPod{{"b", 15}}},
		}},
		"an empty LIST drops every sample": {book: []page{
			{list: []listedPod{{"a", 0}, {"b", 0}}, changed: []string{"a", "b"}},
			{changed: []string{"a", "b"}, kept: map[string]float64{}},
			{},
			{list: []listedPod{{"a", 0}}, changed: []string{"a"}},
		}},
		"the other replica of the publisher is behind": {book: []page{
			{list: []listedPod{{"a", 20}}, changed: []string{"a"}},
			{list: []listedPod{{"a", 13}}, after: 5 * time.Second, kept: map[string]float64{"a": 20}, counted: true, comparable: 1},
			{list: []listedPod{{"a", 20}}, after: 5 * time.Second},
			{list: []listedPod{{"a", 28}}, after: 5 * time.Second, changed: []string{"a"}, kept: map[string]float64{"a": 28}},
		}},
		"a node's clock was set back": {book: []page{
			{list: []listedPod{{"a", 3600}, {"b", 0}}, changed: []string{"a", "b"}},
			{list: []listedPod{{"a", 15}, {"b", 15}}, changed: []string{"b"}},
			{list: []listedPod{{"a", 30}, {"b", 30}}, changed: []string{"b"}, kept: map[string]float64{"a": 3600, "b": 30}},
			{
				list: []listedPod{{"a", 45}, {"b", 45}}, changed: []string{"a", "b"}, kept: map[string]float64{"a": 45, "b": 45},
				counted: true, comparable: 2, advanced: 1, repeated: 1,
			},
			{list: []listedPod{{"a", 60}, {"b", 60}}, changed: []string{"a", "b"}},
		}},
		"a pod listed twice counts once": {book: []page{
			{list: []listedPod{{"a", 0}, {"a", 0}}, changed: []string{"a"}},
			{list: []listedPod{{"a", 15}, {"a", 15}}, changed: []string{"a"}, counted: true, comparable: 1, advanced: 1, repeated: 1},
		}},
		"pods nobody wants are counted and not kept": {
			keep: func(namespace, name string) bool { return namespace == "shop" && name == "a" },
			book: []page{
				{list: []listedPod{{"a", 0}, {"b", 0}}, changed: []string{"a"}, kept: map[string]float64{"a": 0}},
				{list: []listedPod{{"a", 15}, {"b", 15}}, changed: []string{"a"}, counted: true, comparable: 2, advanced: 2, repeated: 2},
				{list: []listedPod{{"a", 15}}, kept: map[string]float64{"a": 15}},
			},
		},
	}
	for name, story := range stories {
		t.Run(name, func(t *testing.T) {
			f, now := NewFeed(Config{Keep: story.keep}), epoch.Add(-time.Hour)
			for i, p := range story.book {
				now = now.Add(max(p.after, 0))
				if p.after == 0 {
					now = now.Add(15 * time.Second)
				}
				r := f.take(samplesOf(items(p.list)), listed(now))
				if p.begins {
					f.schedule.set.began = now
				}
				p.check(t, i, f, r)
			}
		})
	}
}

func (p page) check(t *testing.T, i int, f *Feed, r reading) {
	t.Helper()
	var changed []string
	for _, pod := range r.changed {
		changed = append(changed, pod.Name)
	}
	if diff := gocmp.Diff(p.changed, changed); diff != "" {
		t.Errorf("LIST %d: changed (-want +got):\n%s", i, diff)
	}
	if p.kept != nil {
		kept := map[string]float64{}
		for pod := range *f.latest.Load() {
			if s := newest(f, pod.Namespace, pod.Name); s != nil {
				kept[pod.Name] = s.Time.Sub(epoch).Seconds()
			}
		}
		if diff := gocmp.Diff(p.kept, kept); diff != "" {
			t.Errorf("LIST %d: kept (-want +got):\n%s", i, diff)
		}
	}
	got, want := [3]int{r.comparable, r.advanced, r.repeated}, [3]int{p.comparable, p.advanced, p.repeated}
	if p.counted && got != want {
		t.Errorf("LIST %d: comparable, advanced, repeated = %v, want %v", i, got, want)
	}
}

// TestSnapshotWantedLater is a pod of a workload that is selected after its sample was first listed.
func TestSnapshotWantedLater(t *testing.T) {
	wanted := false
	f := NewFeed(Config{Keep: func(string, string) bool { return wanted }})
	list := []listedPod{{"a", 0}}
	if r := f.take(samplesOf(items(list)), listed(epoch)); len(r.changed) > 0 || newest(f, "shop", "a") != nil {
		t.Fatalf("kept a pod nobody wants: %v", r.changed)
	}
	wanted = true
	r := f.take(samplesOf(items(list)), listed(epoch.Add(time.Second)))
	want := []types.NamespacedName{{Namespace: "shop", Name: "a"}}
	if diff := gocmp.Diff(want, r.changed); diff != "" || newest(f, "shop", "a") == nil || r.advanced != 0 {
		t.Errorf("wanted now: %d advanced, changed (-want +got):\n%s", r.advanced, diff)
	}
	wanted = false
	r = f.take(samplesOf(items([]listedPod{{"a", 15}})), listed(epoch.Add(15*time.Second)))
	if len(r.changed) > 0 || newest(f, "shop", "a") != nil || r.advanced != 1 {
		t.Errorf("still kept when nobody wants it any more: %v", r.changed)
	}
}

// TestSnapshotsBeforeAreFreed: only the newest samples stay in memory.
func TestSnapshotsBeforeAreFreed(t *testing.T) {
	f := NewFeed(Config{})
	f.take(samplesOf(items([]listedPod{{"a", 0}})), listed(epoch))
	before := weak.Make((*f.latest.Load())[types.NamespacedName{Namespace: "shop", Name: "a"}].sample)
	f.take(samplesOf(items([]listedPod{{"a", 15}})), listed(epoch.Add(15*time.Second)))
	runtime.GC()
	if before.Value() != nil {
		t.Error("the sample before the newest one is still in memory")
	}
	runtime.KeepAlive(f)
}

// TestSnapshotKeepsWhatIsRead is what stays of an item, and that it is no part of the list it came with.
func TestSnapshotKeepsWhatIsRead(t *testing.T) {
	item := pod("shop", "a", epoch, "app", "proxy")
	item.Labels = map[string]string{"app": "shop"}
	list := []metricsv1beta1.PodMetrics{item}
	f := NewFeed(Config{})
	f.take(samplesOf(list), listed(epoch))
	list[0].Containers = nil

	want := samplesOf([]metricsv1beta1.PodMetrics{pod("shop", "a", epoch, "app", "proxy")})[0]
	if diff := gocmp.Diff(&want, newest(f, "shop", "a")); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	if got := f.Status(); got.Pods != 1 || !got.Newest.Equal(epoch) {
		t.Errorf("status %+v", got)
	}
}

// TestASampleThatComesBackIsAsOldAsBefore: it is told again, and it is no younger for having been missing from a LIST.
func TestASampleThatComesBackIsAsOldAsBefore(t *testing.T) {
	for name, at := range map[string]float64{"right": -5, "ahead": 600, "behind": -3600} {
		t.Run(name, func(t *testing.T) {
			f, list := NewFeed(Config{}), []listedPod{{"a", at}}
			f.take(samplesOf(items(list)), listed(epoch))
			_, first := f.Sample("shop", "a")
			for i := 1; i < 40; i++ {
				now, served := epoch.Add(time.Duration(i)*15*time.Second), list
				if i%3 != 0 {
					served = nil
				}
				r := f.take(samplesOf(items(served)), listed(now))
				newest, stamp := f.Sample("shop", "a")
				switch {
				case (newest != nil) != (served != nil):
					t.Fatalf("after %s there is a sample: %t", now.Sub(epoch), newest != nil)
				case newest != nil && (!stamp.Taken.Equal(first.Taken) || len(r.changed) != 1 || r.comparable != 0):
					t.Fatalf("after %s it was taken at %s, at first %s; told %v, compared %d", now.Sub(epoch), stamp.Taken, first.Taken, r.changed, r.comparable)
				}
			}
			if f.take(nil, listed(epoch.Add(time.Hour))); len(f.vanished) > 0 {
				t.Errorf("it is still remembered: %v", f.vanished)
			}
		})
	}
}

// TestASampleWantedLaterIsAsOldAsItSays: a replica of the server that is behind answers first when a pod's sample is wanted.
func TestASampleWantedLaterIsAsOldAsItSays(t *testing.T) {
	wanted := false
	f := NewFeed(Config{Keep: func(string, string) bool { return wanted }})
	f.take(samplesOf(items([]listedPod{{"a", 15}})), listed(epoch.Add(15*time.Second)))
	wanted = true
	for i, timestamp := range []float64{0, 0, 15, 0} {
		r := f.take(samplesOf(items([]listedPod{{"a", timestamp}})), listed(epoch.Add(time.Duration(16+i)*time.Second)))
		newest, stamp := f.Sample("shop", "a")
		if newest == nil || !newest.Time.Equal(stamp.Timestamp) || !stamp.Taken.Equal(newest.Time) {
			t.Fatalf("LIST %d: sample %v with stamp %v", i, newest, stamp)
		}
		if told := i == 0 || i == 2; (len(r.changed) == 1) != told {
			t.Errorf("LIST %d: told of %v", i, r.changed)
		}
	}
	if newest, _ := f.Sample("shop", "a"); !newest.Time.Equal(epoch.Add(15 * time.Second)) {
		t.Errorf("the newest sample is of %v", newest.Time)
	}
}
