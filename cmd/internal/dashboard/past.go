package dashboard

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mini-hpa/mini-hpa/scaler"
)

// How long the past of a workload is kept, and how far apart its points are: an hour of one workload takes about 15 kB.
const (
	remembered = time.Hour
	apart      = 15 * time.Second
)

// point is how a workload stood at a moment.
type point struct {
	at time.Time
	// replicas are asked for, ready the pods of them that are ready.
	replicas, ready int32
	// ratios are what was measured divided by its target, in the order of the metrics; NaN where it is not known.
	ratios []float64
}

// pointOf is how a workload stands.
func pointOf(s *scaler.Status, at time.Time) point {
	p := point{at: at, replicas: s.Replicas, ready: s.Ready}
	for _, t := range s.Targets {
		p.ratios = append(p.ratios, number(t.Value)/number(t.Target))
	}
	return p
}

// number reads what is shown: a quantity, or percent; NaN if it is neither, or not above 0.
func number(text string) float64 {
	q, err := resource.ParseQuantity(strings.TrimSuffix(text, "%"))
	if err != nil || q.Sign() < 0 {
		return math.NaN()
	}
	return q.AsApproximateFloat64()
}

// ratio is the largest of the ratios that is a number; NaN if none is.
func (p *point) ratio() float64 {
	largest := math.NaN()
	for _, r := range p.ratios {
		if !math.IsNaN(r) && !math.IsInf(r, 0) && !(r <= largest) {
			largest = r
		}
	}
	return largest
}

// past is how a workload has stood within the last hour, the oldest first.
type past []point

// add takes the newest point. Of those that are close together the last one stays.
func (p past) add(now point) past {
	if n := len(p); n > 0 && now.at.Truncate(apart).Equal(p[n-1].at.Truncate(apart)) {
		p = p[:n-1]
	}
	for len(p) > 0 && now.at.Sub(p[0].at) > remembered {
		p = slices.Delete(p, 0, 1)
	}
	return append(p, now)
}

// ordered is the same in the order of time, as add leaves it.
func (p past) ordered() past {
	slices.SortStableFunc(p, func(a, b point) int { return a.at.Compare(b.at) })
	var all past
	for _, q := range p {
		all = all.add(q)
	}
	return all
}

// minutes is the last point of each minute, at the beginning of it, for a small picture.
func (p past) minutes() past {
	var all past
	for _, q := range p {
		q.at = q.at.Truncate(time.Minute)
		if n := len(all); n > 0 && all[n-1].at.Equal(q.at) {
			all = all[:n-1]
		}
		all = append(all, q)
	}
	return all
}

// MarshalJSON has for each point the time in seconds since 1970, the replicas, those that are ready, and the ratio; null if that is not known.
func (p past) MarshalJSON() ([]byte, error) {
	text := []byte{'['}
	for i := range p {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, '[')
		for _, n := range [...]int64{p[i].at.Unix(), int64(p[i].replicas), int64(p[i].ready)} {
			text = append(strconv.AppendInt(text, n, 10), ',')
		}
		if r := p[i].ratio(); math.IsNaN(r) {
			text = append(text, "null]"...)
		} else {
			text = append(strconv.AppendFloat(text, r, 'f', 3, 64), ']')
		}
	}
	return append(text, ']'), nil
}
