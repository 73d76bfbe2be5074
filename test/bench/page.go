//go:build linux

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

// page is docs/benchmarks.md around the tables.
var page = template.Must(template.New("").Parse(`# Benchmarks

<!-- Written by ~make bench-hpa~. Do not edit. -->

mini-hpa and the HPA controller of Kubernetes, one after the other in one run for each number of workloads, on the same Deployments, control plane, samples and load.

The control plane is real (etcd, kube-apiserver, the other controllers and the scheduler, all on this machine), pods are
[KWOK](https://kwok.sigs.k8s.io)'s, and their CPU comes from a simulated metrics API that publishes every 15 seconds, as metrics-server does. The HPA
controller is kube-controller-manager with that one controller; "tuned" evaluates 20 at a time and may make 1,000 requests a second
(~--kube-api-qps=1000 --kube-api-burst=2000 --concurrent-horizontal-pod-autoscaler-syncs=20~), with the default period of 15 seconds; its
requests are those of its own ServiceAccount (~--use-service-account-credentials~), which the API server prefers as one of ~kube-system~; mini-hpa has its default flags
and the rights and priority of any other ServiceAccount. Neither elects a leader. The write is when a watch of Deployments shows it. At rest nothing changes; a load step is 48 % to 60 % usage, with a target of 50 %, on all workloads at once, and in the first quarter of a period of samples, so that most of the time from
the load to the write is spent waiting for the sample. The HPA controller looks at each object every 15 seconds, counted from its own start: how late after the
sample that is, from 0 to 15 seconds, is a matter of chance. So each contender is started anew in each round, at phases that are spread evenly over a period of samples; in fewer rounds where they take many minutes.
The samples of this metrics API come exactly every 15 seconds.
Requests of the HPA controller that the API server passes on to the metrics API are counted as metrics LISTs and as API requests. CPU of the API server and of etcd
is what is above the same cluster without an autoscaler just before, which is measured once: a few hundredths of a second are noise. Watches are not counted as requests,
nor is what the API server and the nodes do by themselves. An evaluation of the HPA controller is due every 15 seconds, of mini-hpa with every set of samples. Everything shares the machine's processors, also the pods' life
after a step: an API server with processors of its own is faster for both. What it means for a cluster is in [scaling.md](scaling.md).
{{if .Curve}}
![API requests, CPU, memory and reaction over the number of workloads]({{.Curve}})
{{end}}{{.Tables}}
To repeat it: ~make bench-hpa N=100,1000~, ~make bench-hpa N=5000 PODS=5~, ~make bench-fairness~, ~make bench-churn~. Each puts what it
has measured in place of the same in [benchmarks.json](benchmarks.json), which has every round, and writes this page anew.
`))

// writePage writes docs/benchmarks.md, and the picture beside it.
func writePage(path string, b *book) error {
	picture := ""
	if text := curve(b.Results); text != "" {
		picture = strings.TrimSuffix(path, filepath.Ext(path)) + ".svg"
		if err := os.WriteFile(picture, []byte(text), 0o644); err != nil {
			return err
		}
		picture = filepath.Base(picture)
	}
	var out bytes.Buffer
	err := page.Execute(&out, map[string]any{
		"Tables": tables(b), "Curve": picture,
	})
	if err != nil {
		return err
	}
	return os.WriteFile(path, bytes.ReplaceAll(out.Bytes(), []byte("~"), []byte("`")), 0o644)
}
