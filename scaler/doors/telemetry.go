package doors

import (
	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// Telemetry is the Prometheus metrics of a Keeper. Those of workloads are there while this process leads.
type Telemetry struct {
	keeper                                         *Keeper
	activators, propagation, held, inFlight, state *prometheus.Desc
}

// NewTelemetry makes the metrics and registers them; it panics if they are registered already.
func NewTelemetry(k *Keeper, r prometheus.Registerer) {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("mini_hpa_"+name, help, labels, nil)
	}
	workload := []string{"namespace", "kind", "hpa_name"}
	r.MustRegister(&Telemetry{keeper: k,
		activators:  desc("activators", "Activators that tell their state to this process; absent in a standby."),
		propagation: desc("activator_propagation_seconds", "How late a node was at most within the last hour to know that a Service leads to its pods again; 0 if none was late. Moves wait for twice as long, and for two minutes at most."),
		held:        desc("requests_held", "Requests and connections that wait at activators for a pod of the workload.", workload...),
		inFlight:    desc("requests_in_flight", "Requests and connections that activators have passed on to a pod of the workload and that have not ended.", workload...),
		state:       desc("wake_state", "A constant 1, labeled with where the workload stands: direct, closing (it is to sleep, and nodes are being told), asleep or waking.", append(workload, "state")...),
	})
}

// Describe is prometheus.Collector's.
func (t *Telemetry) Describe(c chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{t.activators, t.propagation, t.held, t.inFlight, t.state} {
		c <- desc
	}
}

// Collect is prometheus.Collector's.
func (t *Telemetry) Collect(c chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		c <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	k := t.keeper
	k.mu.Lock()
	leads, late, synced := !k.began.IsZero(), k.propagation.Latest(k.Now()), 0
	states := map[annotations.Key]string{}
	for key, s := range k.sleepers {
		states[key] = string(s.state)
	}
	for _, r := range k.reports {
		if r.synced {
			synced++
		}
	}
	k.mu.Unlock()
	if !leads {
		return
	}
	gauge(t.activators, float64(synced))
	gauge(t.propagation, late.Seconds())
	for key, state := range states {
		kind := key.Kind.String()
		if key.Kind.Group == appsv1.GroupName {
			kind = key.Kind.Kind
		}
		labels := []string{key.Namespace, kind, key.Name}
		if state != "" {
			gauge(t.state, 1, append(labels, state)...)
		}
		if all, err := k.Requests(key); err == nil {
			gauge(t.held, float64(all.Held), labels...)
			gauge(t.inFlight, float64(all.InFlight), labels...)
		}
	}
}
