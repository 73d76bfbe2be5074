//go:build linux

package main

import (
	"bytes"
	"os"
	"text/template"
)

// page is docs/benchmarks.md around the tables.
var page = template.Must(template.New("").Parse(`# Benchmarks

<!-- Written by ~make bench-hpa~. Do not edit. -->

mini-hpa and the HPA controller of Kubernetes, one after the other in one run for each number of workloads, on the same Deployments,
control plane, samples and load. What it means for a cluster is in [scaling.md](scaling.md).

- The control plane is real: etcd, kube-apiserver, the other controllers and the scheduler. Pods are [KWOK](https://kwok.sigs.k8s.io)'s,
  and their CPU comes from a simulated metrics API that publishes every 15 seconds exactly; metrics-server's default is the same.
- Everything shares the machine's processors, also the pods' life after a step: an API server with processors of its own is faster for all.
- The HPA controller is kube-controller-manager with that one controller and the default period of 15 seconds. "Tuned" evaluates 20 at a
  time and may make 1,000 requests a second (~--kube-api-qps=1000 --kube-api-burst=2000 --concurrent-horizontal-pod-autoscaler-syncs=20~).
  Its requests are those of its own ServiceAccount (~--use-service-account-credentials~), which the API server prefers as one of
  ~kube-system~. mini-hpa has its default flags and the rights and priority of any other ServiceAccount. Neither elects a leader.
- At rest nothing changes. A load step is 48 % to 60 % usage, with a target of 50 %, on all workloads at once, and in the first quarter of
  a period of samples, so that most of the time from the load to the write is spent waiting for the sample. The write is when a watch of
  Deployments shows it.
- The HPA controller looks at each object every 15 seconds, counted from its own start: how late after the sample that is, from 0 to 15
  seconds, is a matter of chance. So each contender is started anew in each round, at phases that are spread over a period of samples.
  Where rounds take many minutes there are fewer.
- Requests are those that the API server counts, without watches and without what it and the nodes ask by themselves, and the metrics
  LISTs that it passes on. CPU of the API server and of etcd is what is above the same cluster without an autoscaler just before, which is
  measured once: a tenth of a second is noise, and so is what is less than nothing.
- An evaluation of the HPA controller is due every 15 seconds, one of mini-hpa with every set of samples.
{{.Tables}}
To repeat it: ~make bench-hpa N=100,1000~, ~make bench-hpa N=5000 PODS=5 BENCH_FLAGS="--contenders=mini-hpa,hpa-tuned --rounds=2"~ (with its default
flags the HPA controller may need longer than is waited for), ~make bench-fairness~, ~make bench-churn~, ~make bench-sources~, ~make bench-fleet~. Each puts what it has measured in place of the same in [benchmarks.json](benchmarks.json), which has every round, and writes this page anew.
`))

// writePage writes docs/benchmarks.md.
func writePage(path string, b *book) error {
	var out bytes.Buffer
	if err := page.Execute(&out, map[string]string{"Tables": tables(b)}); err != nil {
		return err
	}
	return os.WriteFile(path, bytes.ReplaceAll(out.Bytes(), []byte("~"), []byte("`")), 0o644)
}
