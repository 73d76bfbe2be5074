package observe

import (
	"regexp"
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/mini-hpa/mini-hpa/test/demo/story"
)

// rescaled is the reason of the Events that tell of a written change, and their message; client-go's recorder puts something before it
// when it combines many.
const rescaled = "SuccessfulRescale"

var message = regexp.MustCompile(`New size: (\d+); reason: (.*)$`)

// deployment notes the replicas of a Deployment, and a change if it is one.
func (o *Observer) deployment(d *appsv1.Deployment) {
	o.mu.Lock()
	defer o.mu.Unlock()
	replicas := int32(1)
	if d.Spec.Replicas != nil {
		replicas = *d.Spec.Replicas
	}
	seen, known := o.now[d.Name]
	if !known {
		o.now[d.Name] = &sight{replicas: replicas, ready: d.Status.ReadyReplicas, utilization: story.Unknown}
		o.tracks = append(o.tracks, story.Track{Workload: d.Name})
		return
	}
	from := seen.replicas
	seen.replicas, seen.ready = replicas, d.Status.ReadyReplicas
	if from == replicas {
		return
	}
	track := o.track(d.Name)
	track.Changes = append(track.Changes, story.Change{At: o.Now(), From: from, To: replicas})
	o.match()
}

// event notes the reason of a change. The Event may be seen before the change or after it.
func (o *Observer) event(before, e *corev1.Event) {
	if e.Reason != rescaled || e.InvolvedObject.Kind != "Deployment" {
		return
	}
	if before != nil && before.ResourceVersion == e.ResourceVersion {
		return
	}
	found := message.FindStringSubmatch(e.Message)
	if found == nil {
		return
	}
	size, err := strconv.ParseInt(found[1], 10, 32)
	if err != nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.untold = append(o.untold, told{e.InvolvedObject.Name, int32(size), found[2]})
	o.match()
}

// match gives every change that has no reason yet the oldest reason for that size.
func (o *Observer) match() {
	o.untold = slices.DeleteFunc(o.untold, func(t told) bool {
		track := o.track(t.workload)
		if track == nil {
			return false
		}
		for i := range track.Changes {
			if c := &track.Changes[i]; c.Reason == "" && c.To == t.size {
				c.Reason = t.reason
				return true
			}
		}
		return false
	})
}

// track is a workload's track, nil if it was never seen.
func (o *Observer) track(workload string) *story.Track {
	for i := range o.tracks {
		if o.tracks[i].Workload == workload {
			return &o.tracks[i]
		}
	}
	return nil
}
