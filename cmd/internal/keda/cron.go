package keda

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// cron is from when to when there are how many replicas at least. It is what KEDA makes of its two moments (pkg/scalers/cron_scaler.go; before 2.18 the
// value at other hours was 1, which is the fewest that a HorizontalPodAutoscaler asks for anyway):
//
//	                  the trigger is   its value, at a target of 1 for each pod
//	in these hours    active           desiredReplicas
//	at other hours    not active       0
//
// While any trigger is active there is a replica, or minReplicaCount of them, whatever the value: from 0 to there it goes by RequestScale
// (pkg/scaling/executor/scale_scaledobjects.go), and the HPA that KEDA makes has as its minReplicas no less (GetHPAMinReplicas). So desiredReplicas 0,
// which KEDA took until 2.15, meant 1 in these hours. Since then it is refused, as start and end of the same text are since 2.5, and no trigger
// of that object counts (buildScalers).
func (g *given) cron() {
	zone, start, end := g.take("timezone"), g.take("start"), g.take("end")
	replicas, err := strconv.ParseInt(g.take("desiredReplicas"), 10, 32)
	if err != nil || replicas < 0 {
		g.drop(g.path+".metadata.desiredReplicas", "", "is lost, with all of the trigger: it is no number of replicas", "correct it")
		return
	}
	if start == end {
		g.drop(g.path+".metadata", start+" to "+end, "is lost, with all of the trigger: start and end are the same, which KEDA does not take", "correct one of them")
		return
	}
	if zone == "" {
		g.lost(g.path+".metadata.timezone", "", "is not set, which KEDA does not take; it is UTC here", "set it")
		zone = "UTC"
	}
	if g.zone != "" && g.zone != zone {
		g.drop(g.path+".metadata.timezone", zone, "is lost, with all of the trigger: all lines of a schedule are in one time zone, which is "+g.zone, "write it in that")
		return
	}
	active, err := week(start, end)
	if err != nil {
		g.drop(g.path+".metadata", start+" to "+end, "is lost, with all of the trigger: "+err.Error(), "write lines of "+annotations.ScheduleKey+" by hand")
		return
	}
	g.zone = zone
	g.hours = append(g.hours, hoursOf(active, int(g.desired(replicas)))...)
}

// desired is how many replicas there are at least in the hours of a trigger that asks for so many. With KEDA minReplicaCount and maxReplicaCount count at all
// times, while the min of a line counts in the place of that of the workload.
func (g *given) desired(replicas int64) int64 {
	most, fewest := int64(valueOr(g.from.Spec.MaxReplicaCount, usualMax)), int64(valueOr(g.from.Spec.MinReplicaCount, 0))
	path, value, there := g.path+".metadata.desiredReplicas", fmt.Sprint(replicas), min(max(replicas, fewest, 1), most)
	switch {
	case replicas == 0:
		g.lost(path, value, fmt.Sprintf("is %d here: KEDA until 2.15 kept so many while a cron trigger was active, and newer versions do not take 0", there),
			"if there should be none in these hours, write the other hours into "+annotations.ScheduleKey)
	case replicas > most:
		g.tell(path, value, fmt.Sprintf("is %d here, as maxReplicaCount limits it", there), "")
	case replicas < fewest:
		g.tell(path, value, fmt.Sprintf("is %d here, as there are no fewer by minReplicaCount", there), "")
	}
	return there
}

// week are the minutes of a week in which a trigger is active, from Sunday 00:00 on: those from which the next start does not come before the next end.
// Where both come together, KEDA's trigger is active until then.
func week(start, end string) ([]bool, error) {
	for _, text := range []string{start, end} {
		if fields := strings.Fields(text); len(fields) != 5 || fields[2] != "*" || fields[3] != "*" {
			return nil, fmt.Errorf("%q is not the same in each week", text)
		}
	}
	begins, err := cron.ParseStandard(start)
	if err != nil {
		return nil, fmt.Errorf("%q cannot be read: %w", start, err)
	}
	ends, err := cron.ParseStandard(end)
	if err != nil {
		return nil, fmt.Errorf("%q cannot be read: %w", end, err)
	}
	sunday := time.Date(2000, 1, 2, 0, 0, 0, 0, time.UTC)
	active := make([]bool, 7*minutesOfDay)
	nextStart, nextEnd := begins.Next(sunday), ends.Next(sunday)
	for i := range active {
		at := sunday.Add(time.Duration(i) * time.Minute)
		if !nextStart.After(at) {
			nextStart = begins.Next(at)
		}
		if !nextEnd.After(at) {
			nextEnd = ends.Next(at)
		}
		active[i] = !nextStart.Before(nextEnd)
	}
	return active, nil
}

// hoursOf are those minutes, with days of the same hours together.
func hoursOf(active []bool, replicas int) []hours {
	var all []hours
	add := func(day, from, to int) {
		if at := slices.IndexFunc(all, func(h hours) bool { return h.from == from && h.to == to }); at >= 0 {
			all[at].days[day] = true
			return
		}
		w := hours{replicas: replicas, from: from, to: to}
		w.days[day] = true
		all = append(all, w)
	}
	at := func(day, minute int) bool { return active[(day*minutesOfDay+minute)%len(active)] }
	for day := range 7 {
		for from := 0; from < minutesOfDay; from++ {
			if !at(day, from) {
				continue
			}
			to := from
			for to < minutesOfDay && at(day, to) {
				to++
			}
			// What goes on over midnight is one line, if it ends before it began the day before. Its second part is none of its own.
			switch {
			case from == 0 && to < minutesOfDay && at(day+6, minutesOfDay-1) && to < begin(at, day+6):
			case to == minutesOfDay && from > 0 && end(at, day+1) < from:
				add(day, from, cmp.Or(end(at, day+1), minutesOfDay))
			default:
				add(day, from, to)
			}
			from = to
		}
	}
	return all
}

// begin is the minute at which what lasts until midnight has begun, and end the one at which what comes from midnight ends.
func begin(at func(day, minute int) bool, day int) int {
	from := minutesOfDay
	for from > 0 && at(day, from-1) {
		from--
	}
	return from
}

func end(at func(day, minute int) bool, day int) int {
	to := 0
	for to < minutesOfDay && at(day, to) {
		to++
	}
	return to
}
