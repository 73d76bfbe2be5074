package picture

import (
	"time"

	"github.com/mini-hpa/mini-hpa/test/demo/story"
)

const s = time.Second

// fixture is a recording as a good run leaves it.
func fixture() story.Recording {
	r := story.Recording{
		Facts:   []string{"Kubernetes v1.36.3 on loopback; a sample every 5s; everything but the pods' CPU is real"},
		Request: 1000, Target: story.Target,
		Events: []string{"Events:\n  Type    Reason             Age  From      Message\n  Normal  SuccessfulRescale  3m   mini-hpa  New size: 5; reason: <b>bold</b>\n"},
	}
	ends := []time.Duration{20 * s, 46 * s, 78 * s, 122 * s, 222 * s}
	at := 2 * s
	for i, phase := range story.Workshop(story.Simulated(5 * s)) {
		r.Acts = append(r.Acts, story.Act{Phase: phase, Began: at, Ended: ends[i], Verdict: story.Verdict{State: story.Held, Says: "as <expected>"}})
		at = ends[i]
	}
	var flaps []story.Change
	for i := range int32(9) {
		flaps = append(flaps, story.Change{At: (128 + 10*time.Duration(i)) * s, From: 1 + 3*(i%2), To: 4 - 3*(i%2), Reason: "cpu"})
	}
	r.Tracks = []story.Track{
		follow("web", r.Acts[:4], []story.Change{
			{At: 27 * s, From: 1, To: 5, Reason: "cpu utilization 220% above target 50% (1 of 1 pods, sample 2s old)"},
			{At: 53 * s, From: 5, To: 10, Reason: `cpu "utilization" <96%> & more`},
			{At: 111 * s, From: 10, To: 1, Reason: "all metrics below target"},
		}),
		follow("flappy", r.Acts[4:], flaps),
		follow("steady", r.Acts[4:], flaps[:1]),
	}
	return r
}

// follow is a track of one point per second under the loads of these acts, sampled every 5 s, with these changes.
func follow(name string, acts []story.Act, changes []story.Change) story.Track {
	track := story.Track{Workload: name, Changes: changes}
	replicas, sample := int32(1), story.Unknown
	for _, act := range acts {
		for at := act.Began; at < act.Ended; at += s {
			for _, c := range changes {
				if c.At == at {
					replicas = c.To
				}
			}
			load := act.Phase.Load.Milli(at-act.Began, 1000)
			if at%(5*s) == 0 {
				sample = int32(load / int64(replicas) / 10)
			}
			track.Points = append(track.Points, story.Point{At: at, Load: load, Utilization: sample, Replicas: replicas, Ready: replicas})
		}
	}
	return track
}
