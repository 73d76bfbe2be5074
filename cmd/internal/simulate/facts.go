package simulate

import (
	"fmt"
	"strings"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/picture"
)

// facts say what was simulated, the same for all variants.
func facts(variants []*variant) []string {
	s := variants[0].setup
	inTurn := ""
	if s.OrderedReady {
		inTurn = ", and come one after another"
	}
	pods := fmt.Sprintf("Pods are ready %s after their creation%s; a sample every %s, read %s later.", cli.Short(s.Startup), inTurn, cli.Short(s.MetricsPeriod), cli.Short(s.MetricsDelay))
	what, of := "under the load", s.Load.Name
	if a := s.Arrivals; a != nil {
		pods = fmt.Sprintf("Pods are ready %s after their creation%s, and each serves %s messages per second; how many wait is read %s later.", cli.Short(s.Startup), inTurn, number(a.Rate), cli.Short(a.Delay))
		what, of = "with the arrivals", a.Name
	}
	if s.StartupMilli > 0 {
		pods += fmt.Sprintf(" Starting takes %.0fm.", s.StartupMilli)
	}
	if s.WarmUpMilli > 0 {
		pods += fmt.Sprintf(" Warming up takes %.0fm more for %s.", s.WarmUpMilli, cli.Short(s.WarmUp))
	}
	if r := s.Rollout; r != nil {
		pods += fmt.Sprintf(" At %s a rollout begins: surge %s, unavailable %s.", picture.Clock(r.At), r.Surge.String(), r.Unavailable.String())
	}
	if o := s.Outage; o != nil {
		pods += fmt.Sprintf(" From %s to %s the metrics fail.", picture.Clock(o.At), picture.Clock(o.At+o.For))
	}
	if per := s.PerReplica(); per > 0 && s.Arrivals == nil {
		pods += fmt.Sprintf(" At its target a pod carries %.0fm.", per)
	}
	if s.Rules.Compat {
		pods += " Decided as the HPA controller does."
	}
	return []string{fmt.Sprintf("%s %s/%s %s %s for %s%s", strings.ToLower(s.Workload.Kind.Kind), s.Workload.Namespace, s.Workload.Name, what, of, cli.Short(s.Duration), clockOf(variants).from()), pods}
}
