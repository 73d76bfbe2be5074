//go:build linux

package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// row is one figure of every contender.
type row struct {
	name   string
	of     func(round) []float64
	format func(float64) string
}

// value is the median over a result's rounds.
func (r row) value(of result) float64 { return of.median(r.of) }

func rows() []row {
	plain := func(v float64) string { return fmt.Sprintf("%.0f", v) }
	seconds := func(v float64) string { return fmt.Sprintf("%.2f s", v) }
	mebibytes := func(v float64) string { return fmt.Sprintf("%.0f MiB", v/(1<<20)) }
	one := func(of func(round) float64) func(round) []float64 {
		return func(r round) []float64 { return []float64{of(r)} }
	}
	duration := func(of func(round) time.Duration) func(round) []float64 {
		return one(func(r round) float64 { return of(r).Seconds() })
	}
	steps := func(of func(step) time.Duration) func(round) []float64 {
		return func(r round) (all []float64) {
			for _, s := range r.Steps {
				all = append(all, of(s).Seconds())
			}
			return all
		}
	}
	return []row{
		{"API requests per minute at rest", one(func(r round) float64 { return r.Rest.total() }), plain},
		{"of them metrics LISTs", one(func(r round) float64 { return r.Rest.Lists }), plain},
		{"samples listed per minute", one(func(r round) float64 { return r.Rest.Items }), plain},
		{"controller CPU per minute", one(func(r round) float64 { return r.Rest.Controller }), seconds},
		{"API server CPU per minute above idle", one(func(r round) float64 { return r.Rest.APIServer }), seconds},
		{"etcd CPU per minute above idle", one(func(r round) float64 { return r.Rest.Etcd }), seconds},
		{"controller RSS", one(func(r round) float64 { return float64(r.RSS) }), mebibytes},
		{"controller RSS, peak", one(func(r round) float64 { return float64(r.PeakRSS) }), mebibytes},
		{"evaluations of each workload in 15 seconds", one(func(r round) float64 { return r.Evaluations }), func(v float64) string { return fmt.Sprintf("%.2f", v) }},
		{"age of the last evaluation (from their number), p50", duration(func(r round) time.Duration { return r.Age.P50 }), seconds},
		{"age of the last evaluation (from their number), p99", duration(func(r round) time.Duration { return r.Age.P99 }), seconds},
		{"readable sample to write, p50", steps(func(s step) time.Duration { return s.FromSample.P50 }), seconds},
		{"readable sample to write, p99", steps(func(s step) time.Duration { return s.FromSample.P99 }), seconds},
		{"readable sample to write, last", steps(func(s step) time.Duration { return s.FromSample.Last }), seconds},
		{"load change to write, p50", steps(func(s step) time.Duration { return s.FromLoad.P50 }), seconds},
		{"load change to write, p99", steps(func(s step) time.Duration { return s.FromLoad.P99 }), seconds},
		{"load change to write, last", steps(func(s step) time.Duration { return s.FromLoad.Last }), seconds},
	}
}

// requestRows are the requests by verb and resource, as many as the total counts besides the metrics LISTs.
func requestRows(group []result) []row {
	var found []row
	for what := range everyRequest(group) {
		r := row{"of them " + what, func(r round) []float64 { return []float64{r.Rest.Requests[what]} }, func(v float64) string { return fmt.Sprintf("%.0f", v) }}
		if slices.ContainsFunc(group, func(of result) bool { return r.value(of) >= 0.5 }) {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b row) int { return strings.Compare(a.name, b.name) })
	return found
}

func everyRequest(group []result) map[string]bool {
	all := map[string]bool{}
	for _, result := range group {
		for _, round := range result.Rounds {
			for what := range round.Rest.Requests {
				all[what] = true
			}
		}
	}
	return all
}

// tables are all that a book holds, in Markdown.
func tables(b *book) string {
	text := table(b.Results)
	if b.Fairness != nil {
		text += b.Fairness.table()
	}
	if b.Churn != nil {
		text += b.Churn.table()
	}
	if b.Backlogs != nil {
		text += b.Backlogs.table()
	}
	if b.Views != nil {
		text += b.Views.table()
	}
	return text
}

// table is all results in Markdown, one table for each number of workloads, with the ratio of mini-hpa to the tuned HPA controller.
func table(all []result) string {
	var out strings.Builder
	for _, group := range groups(all) {
		first := group[0]
		fmt.Fprintf(&out, "\n### %d workloads, %d pods\n\n%s.\n\n", first.Workloads, first.Workloads*first.Pods, provenance(group))
		writeTable(&out, group)
	}
	return out.String()
}

// provenance says when and how the results of a table were measured, and whether together.
func provenance(group []result) string {
	apart := slices.ContainsFunc(group, func(r result) bool { return !r.Run.Equal(group[0].Run) })
	var told []string
	for _, r := range group {
		text := fmt.Sprintf("medians of %d", len(r.Rounds))
		if apart {
			text = fmt.Sprintf("%s; %s", r.setting, text)
		}
		if len(r.Flags) > 0 {
			text += ", with " + strings.Join(r.Flags, " ")
		}
		told = append(told, text)
	}
	if len(slices.Compact(slices.Clone(told))) == 1 {
		told = told[:1]
	}
	for i := range told {
		if len(told) > 1 {
			told[i] = title(group[i]) + ": " + told[i]
		}
	}
	if apart {
		return strings.Join(append(told, "not in one run"), "; ")
	}
	return fmt.Sprintf("%s; %s", group[0].setting, strings.Join(told, "; "))
}

// groups puts results of equal size together, small ones first.
func groups(all []result) [][]result {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b result) int { return cmp.Or(a.Workloads-b.Workloads, a.Pods-b.Pods) })
	var found [][]result
	for _, r := range all {
		if last := len(found) - 1; last >= 0 && found[last][0].Workloads == r.Workloads && found[last][0].Pods == r.Pods {
			found[last] = append(found[last], r)
			continue
		}
		found = append(found, []result{r})
	}
	return found
}

func writeTable(out *strings.Builder, group []result) {
	header, line := "| |", "| --- |"
	for _, r := range group {
		header, line = header+" "+title(r)+" |", line+" ---: |"
	}
	ours, theirs := find(group, miniHPA), find(group, tunedHPA)
	both := ours != nil && theirs != nil
	if both {
		header, line = header+" mini-hpa : HPA tuned |", line+" ---: |"
	}
	fmt.Fprintf(out, "%s\n%s\n", header, line)
	total, rest := rows()[:1], rows()[1:]
	for _, row := range slices.Concat(total, requestRows(group), rest) {
		fmt.Fprintf(out, "| %s |", row.name)
		for _, r := range group {
			fmt.Fprintf(out, " %s |", row.format(row.value(r)))
		}
		if both {
			fmt.Fprintf(out, " %s |", ratio(row.value(*ours), row.value(*theirs)))
		}
		out.WriteString("\n")
	}
}

func find(group []result, name string) *result {
	if i := slices.IndexFunc(group, func(r result) bool { return r.Name == name }); i >= 0 {
		return &group[i]
	}
	return nil
}

func title(r result) string {
	return map[string]string{miniHPA: "mini-hpa", miniHPABefore: "mini-hpa of " + r.Program, tunedHPA: "HPA, tuned", defaultHPA: "HPA, default flags"}[r.Name]
}

// ratio is a : b, as people say it.
func ratio(a, b float64) string {
	switch {
	case a <= 0 && b > 0:
		return "none measurable"
	case a <= 0 || b <= 0:
		return ""
	case a <= b:
		return fmt.Sprintf("1 : %.1f", b/a)
	}
	return fmt.Sprintf("%.1f : 1", a/b)
}
