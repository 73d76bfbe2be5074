package recommend

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/mini-hpa/mini-hpa/annotations/podspec"
)

// unscheduledFor is a pod that no node takes.
func unscheduledFor(ago time.Duration, message string) option {
	return func(f *fixture, now time.Time) {
		pending(f, now)
		f.pod.Created = now.Add(-ago)
		f.pod.Scheduled, f.pod.Unscheduled = podspec.Condition{Status: corev1.ConditionFalse, Since: now.Add(-ago)}, message
	}
}

func TestReplicasThatDoNotCome(t *testing.T) {
	quota := refusing(Snapshot{}).Refused
	for name, c := range map[string]struct {
		seen Snapshot
		// raised is how long ago the replicas were raised by 3; 0 is never.
		raised time.Duration
		// changed is how long ago they were changed from 6 by so many; 0 is never.
		changed time.Duration
		by      int32
		missing *Missing
		want    int32
	}{
		"they are on their way": {surging(snapshot(noon, 6, pods(noon, 3, "4")), 3), time.Minute, 0, 0, nil, 24},
		"refused since a minute": {refusing(surging(snapshot(noon, 6, pods(noon, 3, "4")), 3)), time.Minute, 0, 0,
			&Missing{Refused: 3, Words: quota, Since: noon.Add(-time.Minute)}, 6},
		"refused since a moment": {refusing(surging(snapshot(noon, 6, pods(noon, 3, "4")), 3)), 10 * time.Second, 0, 0,
			&Missing{Refused: 3, Words: quota, Since: noon.Add(-10 * time.Second)}, 6},
		"refused, and pods are made anew": {refusing(surging(snapshot(noon, 6, pods(noon, 1, "4"), pods(noon, 2, "0", created(5*time.Second), pending)), 3)), time.Minute, 0, 0,
			&Missing{Refused: 3, Words: quota, Since: noon.Add(-time.Minute)}, 6},
		"one has come a moment ago": {refusing(surging(snapshot(noon, 6, pods(noon, 3, "4"), pods(noon, 1, "0", created(5*time.Second), pending)), 4)), time.Minute, 0, 0,
			&Missing{Refused: 2, Words: quota, Since: noon.Add(-5 * time.Second)}, 24},
		"somebody else asks for them": {refusing(surging(snapshot(noon, 6, pods(noon, 3, "4")), 3)), 0, 0, 0,
			&Missing{Refused: 3, Words: quota, Since: noon.Add(-time.Hour)}, 6},
		"refused, and less load": {refusing(surging(snapshot(noon, 6, pods(noon, 3, "10m")), 3)), time.Minute, 0, 0,
			&Missing{Refused: 3, Words: quota, Since: noon.Add(-time.Minute)}, 1},
		"raised again a moment ago, while some were refused": {refusing(surging(snapshot(noon, 9, pods(noon, 3, "4")), 3)), time.Minute, 10 * time.Second, 3,
			&Missing{Refused: 6, Words: quota, Since: noon.Add(-time.Minute)}, 9},
		"raised again a moment ago, when all had come": {refusing(surging(snapshot(noon, 9, pods(noon, 6, "4")), 6)), time.Minute, 10 * time.Second, 3,
			&Missing{Refused: 3, Words: quota, Since: noon.Add(-10 * time.Second)}, 9},
		"lowered a moment ago, to more than there may be": {refusing(surging(snapshot(noon, 5, pods(noon, 3, "4")), 3)), time.Minute, 10 * time.Second, -1,
			&Missing{Refused: 2, Words: quota, Since: noon.Add(-time.Minute)}, 5},
		"raised again while one had come before": {refusing(surging(snapshot(noon, 9, pods(noon, 3, "4"), pods(noon, 1, "0", created(30*time.Second), pending)), 4)), time.Minute, 10 * time.Second, 3,
			&Missing{Refused: 5, Words: quota, Since: noon.Add(-30 * time.Second)}, 9},
		"only the surge of a rollout is refused": {refusing(snapshot(noon, 3, pods(noon, 3, "4"))), time.Minute, 0, 0, nil, 24},
		"no node takes them, which is what brings one": {snapshot(noon, 6, pods(noon, 3, "4"), pods(noon, 1, "0", unscheduledFor(time.Minute, "0/3 nodes")),
			pods(noon, 2, "0", unscheduledFor(2*time.Minute, "0/2 nodes"))), 2 * time.Minute, 0, 0,
			&Missing{Unscheduled: 3, Words: "0/2 nodes", Since: noon.Add(-2 * time.Minute)}, 24},
		"only the surge of a rollout finds no node":     {snapshot(noon, 3, pods(noon, 3, "4"), pods(noon, 1, "0", unscheduledFor(time.Hour, "0/3 nodes"))), time.Hour, 0, 0, nil, 24},
		"a pod that is being deleted waits for nothing": {snapshot(noon, 3, pods(noon, 3, "4"), pods(noon, 1, "0", unscheduledFor(time.Hour, ""), deleted)), time.Hour, 0, 0, nil, 24},
	} {
		t.Run(name, func(t *testing.T) {
			p, h := eager(t, "target-cpu=50"), History{}
			if c.raised > 0 {
				h.Changes = []Change{{noon.Add(-c.raised), 3, 3}}
			}
			if c.changed > 0 {
				h.Changes = append(h.Changes, Change{noon.Add(-c.changed), c.by, 6})
			}
			d, _ := recommend(p, c.seen, h)
			if diff := cmp.Diff(c.missing, d.Missing); diff != "" || d.Desired != c.want {
				t.Errorf("desired = %d, want %d; missing (-want +got):\n%s\n%s", d.Desired, c.want, diff, steps(d))
			}
		})
	}
}

// TestAQuotaEndsTheRaises at the first that brings nothing, however fast the policies grant the next one and however long the sync
// period is; where pods are evicted and made anew under the quota, too. Once the quota is raised nothing holds them.
func TestAQuotaEndsTheRaises(t *testing.T) {
	for name, c := range map[string]struct {
		pairs       []string
		first       int32
		every, anew time.Duration
	}{
		"by default":                      {nil, 7, 15 * time.Second, 0},
		"policies faster than the period": {[]string{"scale-up-policies=20 pods/5s"}, 23, 5 * time.Second, 0},
		"a period longer than policies":   {[]string{"sync-period=5m"}, 7, 15 * time.Second, 0},
		"the fastest, and the longest":    {[]string{"sync-period=10m", "scale-up-policies=100%/1s"}, 6, time.Second, 0},
		"pods made anew":                  {nil, 7, 15 * time.Second, 10 * time.Second},
		"pods made anew now and then":     {[]string{"sync-period=60s"}, 7, 15 * time.Second, 50 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorkload(t, 3, append(c.pairs, "target-cpu=50", "max=600")...)
			for range 100 {
				groups := [][]fixture{pods(w.now, 3, "4")}
				if c.anew > 0 {
					groups = [][]fixture{pods(w.now, 2, "4"), pods(w.now, 1, "4", started(w.now.Sub(noon)%c.anew))}
				}
				s := surging(snapshot(w.now, w.replicas, groups...), 3)
				if w.replicas > 3 {
					s = refusing(s)
				}
				w.see(s, c.every).want(c.first)
			}
			w.see(snapshot(w.now, c.first, pods(w.now, int(c.first), "4")), c.every)
			if w.replicas <= c.first {
				t.Errorf("%d replicas after the quota was raised, want more than %d", w.replicas, c.first)
			}
		})
	}
}
