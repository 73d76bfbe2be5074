package explain

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/serves"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
	"github.com/mini-hpa/mini-hpa/scaler"
	"github.com/mini-hpa/mini-hpa/scaler/wake"
)

// unasked is why nothing is known from here of the requests of mini-hpa/wake.
type unasked struct{}

// Requests is scaler.Requests'.
func (unasked) Requests(annotations.Key) (wake.Requests, error) {
	return wake.Requests{}, errors.New("only the running controller is told of requests by the activators; its metrics mini_hpa_requests_held and _in_flight have them")
}

// Look is scaler.Requests'.
func (u unasked) Look(key annotations.Key) (wake.Requests, error) { return u.Requests(key) }

// Stranded is scaler.Requests'.
func (unasked) Stranded(annotations.Key) string { return "" }

// leads are the EndpointSlices by which mini-hpa leads requests to the activators. A warning says that they could not be read.
func leads(ctx context.Context, api cluster.Clients, w *annotations.Workload) ([]wake.Lead, []annotations.Warning) {
	if w.Annotations[annotations.WakeKey] == "" {
		return nil, nil
	}
	list, err := api.Act.DiscoveryV1().EndpointSlices(w.Namespace).List(ctx, metav1.ListOptions{LabelSelector: serves.Ours().String()})
	if err != nil {
		return nil, []annotations.Warning{{Key: annotations.WakeKey, Rule: annotations.FoundUnchecked, Message: fmt.Sprintf("it is not known where its Services lead: %v", err)}}
	}
	var all []wake.Lead
	for i := range list.Items {
		says, err := serves.Read(&list.Items[i])
		if err != nil || says.Serves.Kind != w.Kind.Kind || says.Serves.Group != w.Kind.Group || says.Serves.Name != w.Name {
			continue
		}
		all = append(all, wake.LeadOf(&says))
	}
	if len(all) == 0 {
		return nil, []annotations.Warning{{Key: annotations.WakeKey, Rule: annotations.FoundUnchecked,
			Message: "no Service has an EndpointSlice of mini-hpa that is for this workload: the controller works without --activator, or no Service selects its pods"}}
	}
	return all, nil
}

// leads are where the requests to each Service go, one line for each port of a slice.
func (p page) leads(e scaler.Explanation) {
	if len(e.Leads) == 0 {
		return
	}
	p.Title("Requests (%s)", annotations.WakeKey)
	p.Row("SERVICE", "PORT", "LEADS TO", "SINCE", "BY SLICE", "AT PORT", "OF ACTIVATORS")
	for _, l := range e.Leads {
		since := "-"
		if !l.Since.IsZero() {
			since = fmt.Sprintf("%s (%s ago)", l.Since.Local().Format("15:04:05"), cli.Short(max(e.Snapshot.Time.Sub(l.Since), 0).Truncate(time.Second)))
		}
		for _, port := range l.Ports {
			p.Row(l.Service, cmp.Or(port.Name, "-"), leadsTo(l, e.Snapshot.Replicas), since, l.Slice, strconv.Itoa(int(port.Port)), cmp.Or(strings.Join(l.Activators, ", "), "-"))
		}
	}
}

// leadsTo is whom requests reach by a slice, or by Kubernetes' own beside it.
func leadsTo(l wake.Lead, replicas int32) string {
	switch {
	case l.Always && l.Face == serves.Active.String():
		return fmt.Sprintf("the activators, which are told of %s", cli.Plural(l.Pods, "pod"))
	case l.Always:
		return "nobody"
	case l.Face == serves.Active.String() && replicas > 0:
		return "the activators and its pods"
	case l.Face == serves.Active.String():
		return "the activators"
	case l.Face == serves.Standby.String():
		return "its pods, and the activators while none is ready"
	}
	return "its pods"
}

// requests are those that activators know of, and how long it took to wake the workload for some.
func (p page) requests(r *scaler.RequestsShown) {
	if r == nil {
		return
	}
	p.Title("Requests at the activators")
	if r.Unknown != "" {
		p.Row("unknown", r.Unknown)
	}
	p.Row("held", strconv.Itoa(r.Held))
	p.Row("in flight", strconv.Itoa(r.InFlight))
	if r.AtATime != nil {
		p.Row("at a time", fmt.Sprintf("%.4g, of late", *r.AtATime))
	}
	p.Title("Wakes for requests")
	p.Row("FROM", "TO", "TIMES", "P50", "P99")
	for _, part := range []struct {
		from, to string
		took     scaler.Times
	}{
		{"the first request", "replicas are written", r.Reaction}, {"replicas are written", "a pod is ready", r.Start}, {"a pod is ready", "the first answer begins", r.First},
		{"each request that waited", "a pod has it", r.Wait},
	} {
		row := []string{part.from, part.to, strconv.FormatUint(part.took.Count, 10), "-", "-"}
		if part.took.Count > 0 {
			row[3], row[4] = "<="+cli.Short(part.took.P50.Duration), "<="+cli.Short(part.took.P99.Duration)
		}
		p.Row(row...)
	}
}
