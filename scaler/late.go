package scaler

import (
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// patience is how long a pod may be without a node before that is told: a cluster autoscaler needs about as long to notice.
const patience = time.Minute

// isLate says whether replicas have not come for so long that they are not just on their way.
func isLate(d *recommend.Decision, p *annotations.Policy) bool {
	if d.Missing == nil {
		return false
	}
	wait := p.SyncPeriod
	if d.Missing.Refused == 0 {
		wait = max(p.SyncPeriod, patience)
	}
	return d.Time.Sub(d.Missing.Since) >= wait
}
