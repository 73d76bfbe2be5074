package story

import (
	"fmt"
	"time"
)

// Unknown is the Utilization of a moment for which the metrics API had no sample of any of the workload's pods.
const Unknown int32 = -1

// Point is one look at a workload.
type Point struct {
	// At is counted from the start of the demo.
	At time.Duration `json:"at"`
	// Load is what was asked of the whole workload, in millicores.
	Load int64 `json:"loadMilli"`
	// Utilization is what the metrics API said of the measured pods, in percent of their requests, or Unknown.
	Utilization int32 `json:"utilization"`
	// Replicas is spec.replicas, Ready status.readyReplicas.
	Replicas int32 `json:"replicas"`
	Ready    int32 `json:"ready"`
}

// Change is one change of spec.replicas.
type Change struct {
	// At is counted from the start of the demo.
	At   time.Duration `json:"at"`
	From int32         `json:"from"`
	To   int32         `json:"to"`
	// Reason is what the Event on the Deployment said; empty where no Event has been seen (yet).
	Reason string `json:"reason"`
}

// String is the change as the table and the picture print it, "1 -> 5".
func (c Change) String() string { return fmt.Sprintf("%d -> %d", c.From, c.To) }

// Track is all that was seen of one workload, in order of time.
type Track struct {
	Workload string   `json:"workload"`
	Points   []Point  `json:"points"`
	Changes  []Change `json:"changes"`
}

// Replicas is spec.replicas as last seen; 0 where nothing has been seen.
func (t Track) Replicas() int32 {
	if len(t.Points) == 0 {
		return 0
	}
	last := t.Points[len(t.Points)-1]
	if n := len(t.Changes); n > 0 && t.Changes[n-1].At >= last.At {
		return t.Changes[n-1].To
	}
	return last.Replicas
}

// Between is the part of the track that lies in [from, to], both ends included.
func (t Track) Between(from, to time.Duration) Track {
	part := Track{Workload: t.Workload}
	for _, p := range t.Points {
		if p.At >= from && p.At <= to {
			part.Points = append(part.Points, p)
		}
	}
	for _, c := range t.Changes {
		if c.At >= from && c.At <= to {
			part.Changes = append(part.Changes, c)
		}
	}
	return part
}

// Act is a phase that was played.
type Act struct {
	Phase   Phase         `json:"phase"`
	Began   time.Duration `json:"began"`
	Ended   time.Duration `json:"ended"`
	Verdict Verdict       `json:"verdict"`
}

// Recording is a whole run of the demo: everything the picture is drawn from.
type Recording struct {
	// Facts are sentences about how it was made.
	Facts []string `json:"facts"`
	// Request is the CPU request of one pod in millicores, Target the wanted utilization in percent of it.
	Request int64 `json:"requestMilli"`
	Target  int32 `json:"target"`
	Acts    []Act `json:"acts"`
	// Tracks has one entry per workload, in the order in which they appeared.
	Tracks []Track `json:"tracks"`
	// Events are the Events sections of kubectl describe, one per workload.
	Events []string `json:"events"`
}

// Track finds a workload's track; one without points where there is none.
func (r Recording) Track(workload string) Track {
	for _, t := range r.Tracks {
		if t.Workload == workload {
			return t
		}
	}
	return Track{Workload: workload}
}
