//go:build linux

package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mini-hpa/mini-hpa/test/controlplane"
)

// usage is what a minute costs.
type usage struct {
	// Requests are those that the API server has answered, by verb and resource.
	Requests map[string]float64
	// Lists and Items are requests for lists of pod metrics, and the samples in their answers.
	Lists, Items float64
	// Evaluations is how often the contender looked at a workload, and Own its requests by its own count, which has watches and whatever
	// else the API server's count leaves out.
	Evaluations, Own float64
	// Controller, APIServer and Etcd are CPU seconds.
	Controller, APIServer, Etcd float64
}

// reading is the state of all counters at one time.
type reading struct {
	at       time.Time
	requests map[string]float64
	cpu      map[string]float64
	lists    int64
	items    int64
	// evaluations and own are 0 without a contender.
	evaluations, own float64
}

// usage measures for as long as one state is measured; without a contender c and p are nil.
func (a *arena) usage(ctx context.Context, c contender, p *process) (usage, error) {
	// From the middle between two sets of samples on, every period that is measured has one of them.
	if _, err := a.load.AwaitSample(ctx, a.load.LastSample().Timestamp); err != nil {
		return usage{}, err
	}
	if err := pause(ctx, period/2); err != nil {
		return usage{}, err
	}
	// The pages of metrics cost processor time, which nobody else would ask for: it is not in between.
	before, err := a.read(ctx, c)
	if err != nil {
		return usage{}, err
	}
	before.at = time.Now()
	if before.cpu, err = a.processors(p); err != nil {
		return usage{}, err
	}
	if err := pause(ctx, a.rest); err != nil {
		return usage{}, err
	}
	at := time.Now()
	cpu, err := a.processors(p)
	if err != nil {
		return usage{}, err
	}
	after, err := a.read(ctx, c)
	if err != nil {
		return usage{}, err
	}
	after.at, after.cpu = at, cpu
	return between(before, after), nil
}

// processors are the CPU seconds that the programs have used, that of p if there is one.
func (a *arena) processors(p *process) (map[string]float64, error) {
	pids := map[string]int{}
	for _, component := range []controlplane.Component{controlplane.APIServer, controlplane.Etcd} {
		pid, err := a.cluster.PID(component)
		if err != nil {
			return nil, err
		}
		pids[string(component)] = pid
	}
	if p != nil {
		pids["controller"] = p.PID()
	}
	used := map[string]float64{}
	for name, pid := range pids {
		cpu, err := cpuOf(pid)
		if err != nil {
			return nil, err
		}
		used[name] = cpu
	}
	return used, nil
}

// read reads the counters of requests.
func (a *arena) read(ctx context.Context, c contender) (reading, error) {
	r := reading{lists: a.load.Lists(), items: a.load.Listed()}
	var err error
	if c != nil {
		if r.evaluations, err = c.evaluations(ctx); err != nil {
			return r, err
		}
		if r.own, err = c.requests(ctx); err != nil {
			return r, err
		}
	}
	r.requests, err = a.requests(ctx)
	return r, err
}

// others are resources of the API server itself and of the nodes, which are asked for now and then and are no autoscaler's.
var others = []string{"leases", "nodes", "services", "endpoints", "endpointslices", "ipaddresses", "servicecidrs"}

// requests are the API server's own counters.
func (a *arena) requests(ctx context.Context) (map[string]float64, error) {
	text, err := a.client.Discovery().RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return nil, err
	}
	series, err := seriesOf(string(text), "apiserver_request_total")
	if err != nil {
		return nil, err
	}
	found := map[string]float64{}
	for _, s := range series {
		if verb := s.labels["verb"]; s.labels["resource"] == "" || verb == "WATCH" || verb == "CONNECT" || slices.Contains(others, s.labels["resource"]) {
			continue // health checks, discovery and the like; and watches, of which each counts once in the minutes that it lasts
		}
		what := strings.Trim(s.labels["resource"]+"/"+s.labels["subresource"], "/")
		if group := s.labels["group"]; group != "" {
			what += "." + group
		}
		found[s.labels["verb"]+" "+what] += s.value
	}
	return found, nil
}

func between(before, after reading) usage {
	perMinute := 1 / after.at.Sub(before.at).Minutes()
	u := usage{Requests: map[string]float64{}, Lists: float64(after.lists-before.lists) * perMinute, Items: float64(after.items-before.items) * perMinute,
		Evaluations: (after.evaluations - before.evaluations) * perMinute, Own: (after.own - before.own) * perMinute}
	for what, n := range after.requests {
		if d := (n - before.requests[what]) * perMinute; d > 0 {
			u.Requests[what] = d
		}
	}
	cpu := func(name string) float64 { return (after.cpu[name] - before.cpu[name]) * perMinute }
	u.Controller, u.APIServer, u.Etcd = cpu("controller"), cpu(string(controlplane.APIServer)), cpu(string(controlplane.Etcd))
	return u
}

// above is what is more than in an idle cluster.
func (u usage) above(idle usage) usage {
	d := usage{Requests: map[string]float64{}, Lists: u.Lists, Items: u.Items, Evaluations: u.Evaluations, Own: u.Own, Controller: u.Controller,
		APIServer: u.APIServer - idle.APIServer, Etcd: u.Etcd - idle.Etcd}
	for what, n := range u.Requests {
		if more := n - idle.Requests[what]; more >= 0.5 {
			d.Requests[what] = more
		}
	}
	return d
}

// total is all requests. The API server passes those for pod metrics on without counting them by resource.
func (u usage) total() float64 {
	sum := u.Lists
	for _, n := range u.Requests {
		sum += n
	}
	return sum
}

func (u usage) String() string {
	var parts []string
	for _, what := range slices.Sorted(maps.Keys(u.Requests)) {
		parts = append(parts, fmt.Sprintf("%s %.0f", what, u.Requests[what]))
	}
	return fmt.Sprintf("%.0f requests/min (%s), %.0f by its own count, %.0f metrics LISTs/min of %.0f samples, CPU s/min: controller %.2f, API server %.2f, etcd %.2f",
		u.total(), strings.Join(parts, ", "), u.Own, u.Lists, u.Items, u.Controller, u.APIServer, u.Etcd)
}
