//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"text/template"
)

// page is docs/benchmarks.md around the tables.
var page = template.Must(template.New("").Parse(`# Benchmarks

<!-- Written by ~make bench-hpa~. Do not edit. -->

mini-hpa and the HPA controller of Kubernetes {{.Kubernetes}}, one after the other in one run for each number of workloads, on the same Deployments, control plane, samples and
load. {{.Machine}}, {{.Go}}.

The control plane is real (etcd, kube-apiserver, the other controllers and the scheduler, all on this machine), pods are
[KWOK](https://kwok.sigs.k8s.io)'s, and their CPU comes from a simulated metrics API that publishes every 15 seconds, as metrics-server does. The HPA
controller is kube-controller-manager with that one controller; "tuned" evaluates 20 at a time and may make 1,000 requests a second
(~--kube-api-qps=1000 --kube-api-burst=2000 --concurrent-horizontal-pod-autoscaler-syncs=20~), with the default period of 15 seconds; its
requests have the rights and priority of its own ServiceAccount (~--use-service-account-credentials~), those of mini-hpa, which has its default flags, too. Neither
elects a leader. At rest nothing changes; a load step is 48 % to 60 % usage, with a target of 50 %, on all workloads at once, and in the first quarter of a period of samples, so that most of the time from
the load to the write is spent waiting for the sample. The HPA controller looks at each object every 15 seconds, counted from its own start: how late after the
sample that is, from 0 to 15 seconds, is a matter of chance. So each contender is started anew in each round, at phases that are spread evenly over a period of samples; in fewer rounds where they take many minutes.
The samples of this metrics API come exactly every 15 seconds.
Requests of the HPA controller that the API server passes on to the metrics API are counted as metrics LISTs and as API requests. CPU of the API server and of etcd
is what is above the same cluster without an autoscaler just before; no more than noise is shown as 0. Everything shares {{.CPUs}} processors, also the pods' life after a
step: an API server with processors of its own is faster for both. What it means for a cluster is in [scaling.md](scaling.md).
{{if .Curve}}
![API requests, CPU, memory and reaction over the number of workloads]({{.Curve}})
{{end}}{{.Tables}}
To repeat it: ~make bench-hpa N=100,1000~, ~make bench-hpa N=5000 PODS=5~, ~make bench-fairness~, ~make bench-churn~. Each adds to this page what
it has measured; what was measured before is in ~test/bench-output~.
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
		"Kubernetes": b.Kubernetes, "Machine": machine(), "Go": runtime.Version(), "CPUs": runtime.NumCPU(), "Tables": tables(b), "Curve": picture,
	})
	if err != nil {
		return err
	}
	return os.WriteFile(path, bytes.ReplaceAll(out.Bytes(), []byte("~"), []byte("`")), 0o644)
}

// machine is what a reader needs to know of it.
func machine() string {
	model, memory := "unknown processor", "unknown memory"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, rest, found := strings.Cut(string(text), "model name"); found {
			line, _, _ := strings.Cut(rest, "\n")
			model = strings.TrimSpace(strings.TrimLeft(line, "\t :"))
		}
	}
	if kib, err := fieldOf("/proc/meminfo", "MemTotal:"); err == nil {
		memory = fmt.Sprintf("%d GiB", (kib+1<<29)>>30)
	}
	return fmt.Sprintf("%d × %s, %s, %s/%s", runtime.NumCPU(), model, memory, runtime.GOOS, runtime.GOARCH)
}
