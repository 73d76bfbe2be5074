package chart

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/template"
	"github.com/prometheus/prometheus/util/teststorage"
)

// Series of the release's pods and of a workload. A story names its series by these, in the notation of promtool: value, then
// +step x times, one a minute.
const (
	leader  = `namespace="mini-hpa",pod="mini-hpa-75675f5897-7ci7o",job="mini-hpa-metrics",instance="10.0.0.1:8080"`
	standby = `namespace="mini-hpa",pod="mini-hpa-75675f5897-b2xkq",job="mini-hpa-metrics",instance="10.0.0.2:8080"`
	// stranger is somebody else's process in the same namespace.
	stranger = `namespace="mini-hpa",pod="prometheus-0",job="prometheus",instance="10.0.0.3:8080"`
	shop     = `namespace="shop",kind="Deployment",hpa_name="web",pod="mini-hpa-75675f5897-7ci7o",job="mini-hpa-metrics",instance="10.0.0.1:8080"`
	// after is the same workload as the next leader shows it.
	after = `namespace="shop",kind="Deployment",hpa_name="web",pod="mini-hpa-75675f5897-b2xkq",job="mini-hpa-metrics",instance="10.0.0.2:8080"`
	// activating is a port of a Service as an activator shows it.
	activating = `namespace="shop",slice="mini-hpa-web",port="http",pod="mini-hpa-activator-6d4b75cb6d-x7k2p",job="mini-hpa-activator-metrics",instance="10.0.0.4:8080"`
)

// plot is what happens, and which alerts come of it.
type plot struct {
	series []string
	// minutes is how long it goes on.
	minutes int
	// want are the labels of the alerts that fire in the end; none if nothing is to be told.
	want []string
}

// plots are stories for each alert: at least one in which it fires, and one in which it is close to it.
func plots() map[string]map[string]plot {
	return map[string]map[string]plot{
		"MiniHPADown": {
			"nobody is there":           {[]string{`mini_hpa_build_info{` + stranger + `} 1x20`}, 10, []string{`namespace="mini-hpa"`}},
			"one of two is there":       {[]string{`mini_hpa_build_info{` + leader + `} 1x20`}, 10, nil},
			"a restart of four minutes": {[]string{`mini_hpa_build_info{` + leader + `} 1x5 stale _x10`}, 10, nil},
		},
		"MiniHPANoLeader": {
			"two stand by": {[]string{`leader_election_master_status{name="mini-hpa",` + leader + `} 0x20`, `leader_election_master_status{name="mini-hpa",` + standby + `} 0x20`},
				10, []string{`namespace="mini-hpa"`}},
			"somebody else leads something": {[]string{`leader_election_master_status{name="mini-hpa",` + leader + `} 0x20`, `leader_election_master_status{name="other",` + stranger + `} 1x20`},
				10, []string{`namespace="mini-hpa"`}},
			"one leads": {[]string{`leader_election_master_status{name="mini-hpa",` + leader + `} 1x20`, `leader_election_master_status{name="mini-hpa",` + standby + `} 0x20`}, 10, nil},
			"they take turns": {[]string{`leader_election_master_status{name="mini-hpa",` + leader + `} 1x5 0x20`, `leader_election_master_status{name="mini-hpa",` + standby + `} 0x6 1x20`},
				10, nil},
			"the next leader is slow": {[]string{`leader_election_master_status{name="mini-hpa",` + leader + `} 1x5 0x20`, `leader_election_master_status{name="mini-hpa",` + standby + `} 0x30`},
				8, nil},
			"without an election": {[]string{`mini_hpa_build_info{` + leader + `} 1x20`}, 10, nil},
		},
		"MiniHPAMetricsStale": {
			"nothing new for ten minutes":         {[]string{`mini_hpa_metrics_age_seconds{` + leader + `} 10+60x20`}, 10, []string{`namespace="mini-hpa"`}},
			"as usual":                            {[]string{`mini_hpa_metrics_age_seconds{` + leader + `} 30x20`}, 10, nil},
			"a resolution of a minute and a half": {[]string{`mini_hpa_metrics_age_seconds{` + leader + `} 240x20`}, 10, nil},
		},
		"MiniHPANodeClockOff": {
			"ten minutes behind": {[]string{`mini_hpa_node_clock_offset_seconds{node="n1",` + leader + `} -600x20`}, 15, []string{`namespace="mini-hpa", node="n1"`}},
			"set right in time":  {[]string{`mini_hpa_node_clock_offset_seconds{node="n1",` + leader + `} 90x5 stale _x15`}, 15, nil},
			"no node is off":     {[]string{`mini_hpa_build_info{` + leader + `} 1x20`}, 15, nil},
		},
		"MiniHPAMetricsListFailing": {
			"all fail":       {[]string{`mini_hpa_metrics_lists_total{` + leader + `} 0+4x20`, `mini_hpa_metrics_list_failures_total{` + leader + `} 0+4x20`}, 15, []string{`namespace="mini-hpa"`}},
			"one in four":    {[]string{`mini_hpa_metrics_lists_total{` + leader + `} 0+4x20`, `mini_hpa_metrics_list_failures_total{` + leader + `} 0+1x20`}, 15, nil},
			"nobody asks":    {[]string{`mini_hpa_metrics_lists_total{` + leader + `} 7x20`, `mini_hpa_metrics_list_failures_total{` + leader + `} 7x20`}, 15, nil},
			"a short outage": {[]string{`mini_hpa_metrics_lists_total{` + leader + `} 0+4x20`, `mini_hpa_metrics_list_failures_total{` + leader + `} 0x5 0+4x3 12x20`}, 15, nil},
		},
		"MiniHPACustomMetricsFailing": {
			"the adapter is away": {[]string{`mini_hpa_metric_answers_total{` + leader + `} 0+40x40`, `mini_hpa_metric_answer_failures_total{` + leader + `} 0+40x40`}, 30, []string{`namespace="mini-hpa"`}},
			"one of ten metrics":  {[]string{`mini_hpa_metric_answers_total{` + leader + `} 0+40x40`, `mini_hpa_metric_answer_failures_total{` + leader + `} 0+4x40`}, 30, nil},
			"nobody asks":         {[]string{`mini_hpa_metric_answers_total{` + leader + `} 0x40`, `mini_hpa_metric_answer_failures_total{` + leader + `} 0x40`}, 30, nil},
		},
		"MiniHPASourceDown": {
			"it fails": {[]string{`mini_hpa_source_requests_total{source="prom",result="failed",` + leader + `} 0+1x20`, `mini_hpa_source_requests_total{source="prom",result="not_asked",` + leader + `} 0+9x20`},
				15, []string{`namespace="mini-hpa", source="prom"`}},
			"it has failed since it was good":       {lastGoodAtFive(), 25, []string{`namespace="mini-hpa", source="prom"`}},
			"its last answer was five minutes ago":  {lastGoodAtFive(), 10, []string{`namespace="mini-hpa", source="prom"`}},
			"its last answer was three minutes ago": {lastGoodAtFive(), 8, nil},
			"it has been asked for two minutes": {[]string{`mini_hpa_source_requests_total{source="prom",result="failed",` + leader + `} 0+1x20`, `mini_hpa_source_requests_total{source="prom",result="not_asked",` + leader + `} 0+9x20`},
				2, nil},
			"another one works": {[]string{`mini_hpa_source_requests_total{source="prom",result="failed",` + leader + `} 0+1x20`, `mini_hpa_source_requests_total{source="kafka",result="ok",` + leader + `} 0+4x20`},
				15, []string{`namespace="mini-hpa", source="prom"`}},
			"some requests fail": {[]string{`mini_hpa_source_requests_total{source="prom",result="failed",` + leader + `} 0+3x20`, `mini_hpa_source_requests_total{source="prom",result="ok",` + leader + `} 0+1x20`}, 15, nil},
			"nobody asks":        {[]string{`mini_hpa_source_requests_total{source="prom",result="failed",` + leader + `} 7x20`}, 15, nil},
		},
		"MiniHPASourcesFileWrong": {
			"a mistake":        {[]string{`mini_hpa_sources_file_error{` + leader + `} 1x20`}, 10, []string{`namespace="mini-hpa"`}},
			"repaired in time": {[]string{`mini_hpa_sources_file_error{` + leader + `} 1x3 0x20`}, 10, nil},
			"nothing is wrong": {[]string{`mini_hpa_sources_file_error{` + leader + `} 0x20`}, 10, nil},
		},
		"MiniHPAReconcileErrors": {
			"most fail": {[]string{`mini_hpa_reconciliations_total{action="none",error="internal",` + leader + `} 0+9x40`, `mini_hpa_reconciliations_total{action="none",error="none",` + leader + `} 0+3x40`},
				30, []string{`namespace="mini-hpa"`}},
			"annotations that are wrong are somebody else's": {[]string{`mini_hpa_reconciliations_total{action="none",error="spec",` + leader + `} 0+9x40`,
				`mini_hpa_reconciliations_total{action="none",error="none",` + leader + `} 0+3x40`}, 30, nil},
		},
		"MiniHPAReconcileSlow": {
			"four seconds":  {histogram("mini_hpa_reconciliation_duration_seconds", `action="none",error="none",`+leader, "2.048", "4.096"), 30, []string{`namespace="mini-hpa"`}},
			"a millisecond": {histogram("mini_hpa_reconciliation_duration_seconds", `action="none",error="none",`+leader, "0.001", "0.002"), 30, nil},
		},
		"MiniHPAQueueBacklog": {
			"ten seconds":       {histogram("workqueue_queue_duration_seconds", `name="mini-hpa",controller="mini-hpa",`+leader, "1", "10"), 30, []string{`namespace="mini-hpa"`}},
			"a tenth":           {histogram("workqueue_queue_duration_seconds", `name="mini-hpa",controller="mini-hpa",`+leader, "0.01", "0.1"), 30, nil},
			"a queue of others": {histogram("workqueue_queue_duration_seconds", `name="other",controller="other",`+stranger, "1", "10"), 30, nil},
		},
		"MiniHPAWorkerStuck": {
			"it hangs": {[]string{`workqueue_longest_running_processor_seconds{name="mini-hpa",controller="mini-hpa",` + leader + `} 0+60x20`}, 10,
				[]string{`namespace="mini-hpa", pod="mini-hpa-75675f5897-7ci7o"`}},
			"it works": {[]string{`workqueue_longest_running_processor_seconds{name="mini-hpa",controller="mini-hpa",` + leader + `} 0.2x20`}, 10, nil},
		},
		"MiniHPASecondInstallation": {
			"one more write a minute": {[]string{`mini_hpa_second_installation_writes_total{` + leader + `} 0x10 0+1x60`}, 30, []string{`namespace="mini-hpa"`}},
			"a proxy, once":           {[]string{`mini_hpa_second_installation_writes_total{` + leader + `} 0x10 1x60`}, 30, nil},
		},
		"MiniHPAAPIErrors": {
			"no answers":  {requests("GET", "<error>", "30", "PUT", "200", "30"), 30, []string{`namespace="mini-hpa"`}},
			"unavailable": {requests("GET", "503", "30", "PUT", "200", "30"), 30, []string{`namespace="mini-hpa"`}},
			"some":        {requests("GET", "503", "4", "PUT", "200", "30"), 30, nil},
			"conflicts":   {requests("PUT", "409", "30", "PUT", "200", "30"), 30, nil},
		},
		"MiniHPAWatchFailing": {
			"silent each minute":      {failingWatch("silent", "0x5 1+1x40"), 30, []string{failedWatch("silent")}},
			"silent once":             {failingWatch("silent", "0x5 1x40"), 30, nil},
			"expired each minute":     {failingWatch("expired", "0x5 1+1x40"), 30, []string{failedWatch("expired")}},
			"expired now and then":    {failingWatch("expired", "0x5 1x8 2x40"), 30, nil},
			"late for an hour":        {failingWatch("late", "0x5 1x1 2x2 3x4 4x14 5x14 6x14 7x14"), 60, []string{failedWatch("late")}},
			"late twice":              {failingWatch("late", "0x5 1x1 2x70"), 60, nil},
			"a watch is not answered": {failingWatch("unreachable", "0x5 1+1x40"), 30, []string{failedWatch("unreachable")}},
			"the API server restarts": {failingWatch("unreachable", "0x5 1+5x3 16x40"), 20, nil},
			"refused twice a minute":  {failingWatch("refused", "0x5 1+2x40"), 30, []string{failedWatch("refused")}},
			"refused for a while":     {failingWatch("refused", "0x5 1+2x4 9x40"), 20, nil},
			"a right is missing":      {failingWatch("forbidden", "0x5 1+2x40"), 30, nil},
		},
		"MiniHPAAPIForbidden": {
			"a right is missing": {requests("GET", "403", "2", "PUT", "200", "30"), 40, []string{`method="GET", namespace="mini-hpa"`}},
			"all is allowed":     {requests("GET", "200", "2", "PUT", "200", "30"), 40, nil},
			"it was missing":     {[]string{`rest_client_requests_total{method="GET",code="403",host="h",` + leader + `} 5x50`}, 40, nil},
		},
		"MiniHPAAPIThrottled": {
			"by the API server": {requests("PUT", "429", "30", "PUT", "200", "30"), 30, []string{`namespace="mini-hpa"`}},
			"by the own limit":  {histogram("rest_client_rate_limiter_duration_seconds", `verb="PUT",host="h",`+leader, "2", "4"), 30, []string{`namespace="mini-hpa"`}},
			"not at all":        {append(requests("PUT", "429", "0", "PUT", "200", "30"), histogram("rest_client_rate_limiter_duration_seconds", `verb="PUT",host="h",`+leader, "0.005", "0.025")...), 30, nil},
		},
		"MiniHPAEventsLeftOut": {
			"somebody creates and deletes without end": {[]string{`mini_hpa_events_left_out_total{cause="budget",` + leader + `} 0+3000x100`}, 90, []string{`cause="budget", namespace="mini-hpa"`}},
			"for half an hour":                         {[]string{`mini_hpa_events_left_out_total{cause="budget",` + leader + `} 0+3000x30 90000x100`}, 90, nil},
			"a few":                                    {[]string{`mini_hpa_events_left_out_total{cause="api",` + leader + `} 0+1x100`}, 90, nil},
		},
		"MiniHPAWebhookCertificateExpiring": {
			"a leaf for twelve hours": {[]string{`mini_hpa_webhook_certificate_expiry_timestamp_seconds{type="leaf",` + leader + `} 43200x40`}, 30,
				[]string{`namespace="mini-hpa", pod="mini-hpa-75675f5897-7ci7o", type="leaf"`}},
			"a CA for three days": {[]string{`mini_hpa_webhook_certificate_expiry_timestamp_seconds{type="ca",` + leader + `} 259200x40`}, 30,
				[]string{`namespace="mini-hpa", pod="mini-hpa-75675f5897-7ci7o", type="ca"`}},
			"one that has expired": {[]string{`mini_hpa_webhook_certificate_expiry_timestamp_seconds{type="leaf",` + standby + `} 60x40`}, 30,
				[]string{`namespace="mini-hpa", pod="mini-hpa-75675f5897-b2xkq", type="leaf"`}},
			"just before they are replaced": {[]string{`mini_hpa_webhook_certificate_expiry_timestamp_seconds{type="leaf",` + leader + `} 201600x40`,
				`mini_hpa_webhook_certificate_expiry_timestamp_seconds{type="ca",` + leader + `} 10512000x40`}, 30, nil},
		},
		"MiniHPAWebhookRefusing": {
			"too many":               {[]string{`mini_hpa_webhook_refused_total{reason="busy",` + leader + `} 0+60x40`}, 30, []string{`namespace="mini-hpa", reason="busy"`}},
			"a panic now and then":   {[]string{`mini_hpa_webhook_refused_total{reason="panic",` + leader + `} 0+1x40`}, 30, []string{`namespace="mini-hpa", reason="panic"`}},
			"a scanner now and then": {[]string{`mini_hpa_webhook_refused_total{reason="connection",` + leader + `} 0+1x40`}, 30, nil},
		},
		"MiniHPAWebhookSlow": {
			"two seconds":   {histogram("mini_hpa_webhook_duration_seconds", leader, "0.5", "2.5"), 30, []string{`namespace="mini-hpa"`}},
			"a millisecond": {histogram("mini_hpa_webhook_duration_seconds", leader, "0.0005", "0.001"), 30, nil},
		},
		"MiniHPAWorkloadLimited": {
			"more is asked for": {[]string{`mini_hpa_recommended_replicas{` + shop + `} 14x60`, `mini_hpa_max_replicas{` + shop + `} 10x60`}, 45, []string{`hpa_name="web", kind="Deployment", namespace="shop"`}},
			"another leader half way through": {[]string{`mini_hpa_recommended_replicas{` + shop + `} 14x20`, `mini_hpa_max_replicas{` + shop + `} 10x20`,
				`mini_hpa_recommended_replicas{` + after + `} _x20 14x60`, `mini_hpa_max_replicas{` + after + `} _x20 10x60`}, 45, []string{`hpa_name="web", kind="Deployment", namespace="shop"`}},
			"just at the maximum": {[]string{`mini_hpa_recommended_replicas{` + shop + `} 10x60`, `mini_hpa_max_replicas{` + shop + `} 10x60`}, 45, nil},
			"a peak":              {[]string{`mini_hpa_recommended_replicas{` + shop + `} 5x20 14x60`, `mini_hpa_max_replicas{` + shop + `} 10x60`}, 45, nil},
			"off for the night":   {[]string{`mini_hpa_recommended_replicas{` + shop + `} 14x60`, `mini_hpa_max_replicas{` + shop + `} 0x60`, `mini_hpa_workload_mode{mode="asleep",` + shop + `} 1x60`}, 45, nil},
			"another one has room": {[]string{`mini_hpa_recommended_replicas{` + shop + `} 14x60`, `mini_hpa_max_replicas{` + shop + `} 20x60`,
				`mini_hpa_max_replicas{namespace="shop",kind="Deployment",hpa_name="api"} 10x60`}, 45, nil},
		},
		"MiniHPAWorkloadNotActive": {
			"no metrics":  {[]string{`mini_hpa_condition{condition="ScalingActive",` + shop + `} 0x60`, `mini_hpa_workload_mode{mode="auto",` + shop + `} 1x60`}, 30, []string{`hpa_name="web", kind="Deployment", namespace="shop"`}},
			"paused":      {[]string{`mini_hpa_condition{condition="ScalingActive",` + shop + `} 0x60`, `mini_hpa_workload_mode{mode="paused",` + shop + `} 1x60`}, 30, nil},
			"no replicas": {[]string{`mini_hpa_condition{condition="ScalingActive",` + shop + `} 0x60`, `mini_hpa_workload_mode{mode="disabled",` + shop + `} 1x60`}, 30, nil},
			"asleep":      {[]string{`mini_hpa_condition{condition="ScalingActive",` + shop + `} 0x60`, `mini_hpa_workload_mode{mode="asleep",` + shop + `} 1x60`}, 30, nil},
			"pods start":  {[]string{`mini_hpa_condition{condition="ScalingActive",` + shop + `} 1x20 0x5 1x40`, `mini_hpa_workload_mode{mode="auto",` + shop + `} 1x60`}, 30, nil},
		},
		"MiniHPAAsleepAndFailing": {
			"its source is down":    {[]string{`mini_hpa_failed_metrics{` + shop + `} _x5 1x60`, `mini_hpa_asleep{` + shop + `} 1x60`}, 30, []string{`hpa_name="web", kind="Deployment", namespace="shop"`}},
			"the source came back":  {[]string{`mini_hpa_failed_metrics{` + shop + `} 1x10 stale`, `mini_hpa_asleep{` + shop + `} 1x60`}, 30, nil},
			"awake":                 {[]string{`mini_hpa_failed_metrics{` + shop + `} 1x60`, `mini_hpa_asleep{` + shop + `} 0x60`}, 30, nil},
			"it never sleeps":       {[]string{`mini_hpa_failed_metrics{` + shop + `} 1x60`}, 30, nil},
			"the fallback wakes it": {[]string{`mini_hpa_failed_metrics{` + shop + `} 1x60`, `mini_hpa_asleep{` + shop + `} 1x10 0x50`}, 30, nil},
		},
		"MiniHPANoActivator": {
			"they have gone": {[]string{`mini_hpa_activators{` + leader + `} 2x5 0x60`, `mini_hpa_wake_state{state="asleep",` + shop + `} 1x60`}, 30, []string{`namespace="mini-hpa"`}},
			"the next leader finds none either": {[]string{`mini_hpa_activators{` + leader + `} 0x10 stale`, `mini_hpa_activators{` + standby + `} _x10 0x60`,
				`mini_hpa_wake_state{state="asleep",` + shop + `} 1x10 stale`, `mini_hpa_wake_state{state="asleep",` + after + `} _x10 1x60`}, 14, []string{`namespace="mini-hpa"`}},
			"they restart":     {[]string{`mini_hpa_activators{` + leader + `} 2x10 0x4 2x60`, `mini_hpa_wake_state{state="asleep",` + shop + `} 1x60`}, 14, nil},
			"nobody asks them": {[]string{`mini_hpa_activators{` + leader + `} 0x60`}, 30, nil},
		},
		"MiniHPAActivatorPropagation": {
			"a node was slow":  {[]string{`mini_hpa_activator_propagation_seconds{` + leader + `} 0x5 12.5x60`}, 30, []string{`namespace="mini-hpa"`}},
			"just as expected": {[]string{`mini_hpa_activator_propagation_seconds{` + leader + `} 10x60`}, 30, nil},
		},
		"MiniHPARequestsRefused": {
			"each minute by one of two": {[]string{turnedAway(activating, "0+1x60"), turnedAway(strings.ReplaceAll(activating, "x7k2p", "m4c9d"), "3x60")}, 30,
				[]string{`namespace="shop", slice="mini-hpa-web"`}},
			"each five minutes":       {[]string{turnedAway(activating, "0x4 1x5 2x5 3x5 4x5 5x60")}, 29, []string{`namespace="shop", slice="mini-hpa-web"`}},
			"a crowd was turned away": {[]string{turnedAway(activating, "0x9 400x60")}, 20, nil},
			"none, for long":          {[]string{turnedAway(activating, "400x60")}, 30, nil},
		},
		"MiniHPAWorkloadInvalid": {
			"invalid":   {[]string{`mini_hpa_workload_mode{mode="invalid",` + shop + `} 1x60`}, 30, []string{`hpa_name="web", kind="Deployment", namespace="shop"`}},
			"corrected": {[]string{`mini_hpa_workload_mode{mode="invalid",` + shop + `} 1x20 stale`, `mini_hpa_workload_mode{mode="auto",` + shop + `} _x20 1x60`}, 30, nil},
		},
		"MiniHPAWorkloadNotWritten": {
			"refused": {[]string{`mini_hpa_condition{condition="AbleToScale",` + shop + `} 0x60`}, 30, []string{`hpa_name="web", kind="Deployment", namespace="shop"`}},
			"written": {[]string{`mini_hpa_condition{condition="AbleToScale",` + shop + `} 1x60`, `mini_hpa_condition{condition="ScalingLimited",` + shop + `} 0x60`}, 30, nil},
		},
		"MiniHPAWorkloadOverwritten": {
			"it is fought for":    {[]string{`mini_hpa_overwritten_pause_seconds{` + shop + `} 0x3 15x3 300x60`}, 30, []string{`hpa_name="web", kind="Deployment", namespace="shop"`}},
			"somebody is patient": {[]string{`mini_hpa_overwritten_pause_seconds{` + shop + `} 0x60`}, 30, []string{`hpa_name="web", kind="Deployment", namespace="shop"`}},
			"it was told, and stopped": {[]string{`mini_hpa_overwritten_pause_seconds{` + shop + `} 15x5 stale`, `mini_hpa_current_replicas{` + shop + `} 12x60`},
				30, nil},
		},
		"MiniHPAWorkloadNotComing": {
			"a quota":              {[]string{`mini_hpa_missing_replicas{` + shop + `} 4x60`}, 30, []string{`hpa_name="web", kind="Deployment", namespace="shop"`}},
			"a node is on its way": {[]string{`mini_hpa_missing_replicas{` + shop + `} _x10 4x8 stale`}, 30, nil},
		},
		"MiniHPAWorkloadPaused": {
			"for two days":  {[]string{`mini_hpa_workload_mode{mode="paused",` + shop + `} 1x2880`}, 2880, []string{`hpa_name="web", kind="Deployment", namespace="shop"`}},
			"for two hours": {[]string{`mini_hpa_workload_mode{mode="paused",` + shop + `} 1x120`}, 120, nil},
			"observed":      {[]string{`mini_hpa_workload_mode{mode="observe",` + shop + `} 1x2880`}, 2880, nil},
		},
	}
}

// lastGoodAtFive is a source whose last good answer comes in the fifth minute, and which fails from then on.
func lastGoodAtFive() []string {
	return []string{`mini_hpa_source_requests_total{source="prom",result="timeout",` + leader + `} 0x5 0+1x30`, `mini_hpa_source_requests_total{source="prom",result="ok",` + leader + `} 0+4x5 20x30`}
}

// failingWatch is a watch that fails in a way, and failedWatch the labels of the alert about it.
func failingWatch(reason, failures string) []string {
	return []string{fmt.Sprintf(`mini_hpa_watch_failures_total{resource="pods",reason=%q,%s} %s`, reason, leader, failures)}
}

func failedWatch(reason string) string {
	return fmt.Sprintf(`namespace="mini-hpa", pod="mini-hpa-75675f5897-7ci7o", reason=%q, resource="pods"`, reason)
}

// turnedAway are the requests that an activator has turned away.
func turnedAway(by, requests string) string {
	return fmt.Sprintf(`mini_hpa_activator_refused_total{%s} %s`, by, requests)
}

// histogram has 60 observations a minute between two of its bounds.
func histogram(name, with, low, high string) []string {
	return []string{fmt.Sprintf(`%s_bucket{le=%q,%s} 0x60`, name, low, with), fmt.Sprintf(`%s_bucket{le=%q,%s} 0+60x60`, name, high, with),
		fmt.Sprintf(`%s_bucket{le="+Inf",%s} 0+60x60`, name, with)}
}

// requests are two kinds of requests, each with so many a minute, beside those of a stranger that all fail.
func requests(method, code, each, method2, code2, each2 string) []string {
	const series = `rest_client_requests_total{method=%q,code=%q,host="h",%s} 0+%sx60`
	return []string{fmt.Sprintf(series, method, code, leader, each), fmt.Sprintf(series, method2, code2, standby, each2),
		fmt.Sprintf(series, "GET", "429", stranger, "999"), fmt.Sprintf(series, "GET", "403", stranger, "999"), fmt.Sprintf(series, "GET", "500", stranger, "999")}
}

// label is where a description names one.
var label = regexp.MustCompile(`\$labels\.([a-z_]+)`)

func TestAlertsFireWhenTheyShould(t *testing.T) {
	t.Parallel()
	engine, stories := promqltest.NewTestEngine(t, false, 5*time.Minute, 1e6), plots()
	for _, r := range alerts(rulesWith(t, nil)) {
		fires, holds := false, false
		for name, p := range stories[r.Alert] {
			fires, holds = fires || len(p.want) > 0, holds || len(p.want) == 0
			t.Run(r.Alert+" "+name, func(t *testing.T) {
				if diff := cmp.Diff(p.want, firing(t, engine, r, p)); diff != "" {
					t.Errorf("alerts that fire after %d minutes (-want +got):\n%s", p.minutes, diff)
				}
				for _, used := range label.FindAllStringSubmatch(r.Annotations["description"], -1) {
					if len(p.want) > 0 && !strings.Contains(p.want[0], used[1]+"=") {
						t.Errorf("the description has %s, which is none of the alert's labels: %s", used[0], p.want[0])
					}
				}
			})
		}
		if !fires || !holds {
			t.Errorf("%s has no story in which it fires, or none in which it does not", r.Alert)
		}
	}
}

// firing are the labels of the alerts of a rule that have been there for as long as it waits, evaluated once a minute.
func firing(t *testing.T, engine *promql.Engine, r rule, p plot) []string {
	t.Helper()
	wait, err := model.ParseDuration(r.For)
	if err != nil {
		t.Fatal(err)
	}
	end := time.Unix(int64(p.minutes)*60, 0)
	query, err := engine.NewRangeQuery(t.Context(), loaded(t, p.series), nil, r.Expr, end.Add(-time.Duration(wait)), end, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer query.Close()
	matrix, err := query.Exec(t.Context()).Matrix()
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, series := range matrix {
		if len(series.Floats) == int(time.Duration(wait)/time.Minute)+1 {
			found = append(found, strings.Trim(series.Metric.DropReserved(func(name string) bool { return name == model.MetricNameLabel }).String(), "{}"))
		}
	}
	return found
}

// loaded is a database with the series.
func loaded(t *testing.T, series []string) *teststorage.TestStorage {
	t.Helper()
	return promqltest.LoadedStorage(t, "load 1m\n  "+strings.Join(series, "\n  ")+"\n")
}

// TestTheNamesOfKubeStateMetricsSayTheSame: each mode of a workload, as a board made for HPAs sees it.
func TestTheNamesOfKubeStateMetricsSayTheSame(t *testing.T) {
	t.Parallel()
	const who = `{horizontalpodautoscaler="web", kind="Deployment", namespace="shop"}`
	bounds := []string{`mini_hpa_min_replicas{` + shop + `} 2x9`, `mini_hpa_max_replicas{` + shop + `} 10x9`, `mini_hpa_current_replicas{` + shop + `} 4x9`,
		`mini_hpa_desired_replicas{` + shop + `} 7x9`, `mini_hpa_condition{condition="ScalingActive",` + shop + `} 1x9`}
	for name, test := range map[string]struct {
		series  []string
		desired string
	}{
		"scaled":      {append(bounds, `mini_hpa_workload_mode{mode="auto",`+shop+`} 1x9`), "7"},
		"observed":    {append(bounds, `mini_hpa_workload_mode{mode="observe",`+shop+`} 1x9`), "4"},
		"asleep":      {append(bounds, `mini_hpa_workload_mode{mode="asleep",`+shop+`} 1x9`), "7"},
		"paused":      {append(bounds, `mini_hpa_workload_mode{mode="paused",`+shop+`} 1x9`), "4"},
		"two leaders": {append(bounds, `mini_hpa_workload_mode{mode="auto",`+shop+`} 1x9`, `mini_hpa_workload_mode{mode="auto",`+after+`} 1x9`, `mini_hpa_current_replicas{`+after+`} 4x9`), "7"},
	} {
		t.Run(name, func(t *testing.T) {
			got := recorded(t, test.series, rulesWith(t, map[string]any{"recordings": false}))
			const active = `{condition="ScalingActive", horizontalpodautoscaler="web", kind="Deployment", namespace="shop"}`
			want := []string{"spec_min_replicas" + who + " = 2", "spec_max_replicas" + who + " = 10", "status_current_replicas" + who + " = 4",
				"status_desired_replicas" + who + " = " + test.desired, "status_condition" + active + " true= 1", "status_condition" + active + " false= 0",
				"status_condition" + active + " unknown= 0"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("recorded (-want +got):\n%s", diff)
			}
		})
	}
}

// recorded is what the rules record of series, by their names without the prefix of kube-state-metrics.
func recorded(t *testing.T, series []string, rules []rule) []string {
	t.Helper()
	engine, storage := promqltest.NewTestEngine(t, false, 5*time.Minute, 1e6), loaded(t, series)
	var got []string
	for _, r := range recordings(rules) {
		query, err := engine.NewInstantQuery(t.Context(), storage, nil, r.Expr, time.Unix(300, 0))
		if err != nil {
			t.Fatal(err)
		}
		vector, err := query.Exec(t.Context()).Vector()
		if err != nil {
			t.Fatal(err)
		}
		for _, sample := range vector {
			got = append(got, fmt.Sprintf("%s%s %s= %v", strings.TrimPrefix(r.Record, "kube_horizontalpodautoscaler_"), sample.Metric, r.Labels["status"], sample.F))
		}
		query.Close()
	}
	return got
}

// TestMetricsAreRecordedWithTheirTargets: under the names and labels of kube-state-metrics, where container is that of the metric and not that of the
// process, which a ServiceMonitor adds; and the one divided by the other.
func TestMetricsAreRecordedWithTheirTargets(t *testing.T) {
	t.Parallel()
	const scraped = `,container="mini-hpa",` + shop + `} `
	var series []string
	for labels, numbers := range map[string][2]string{
		`metric_type="Resource",metric_name="cpu",metric_container="",metric_target_type="utilization"`:             {"75", "50"},
		`metric_type="ContainerResource",metric_name="cpu",metric_container="app",metric_target_type="utilization"`: {"20", "80"},
		`metric_type="External",metric_name="backlog",metric_container="",metric_target_type="average"`:             {"", "10"},
	} {
		series = append(series, `mini_hpa_metric_target{`+labels+scraped+numbers[1]+"x9")
		if numbers[0] != "" {
			series = append(series, `mini_hpa_metric_value{`+labels+scraped+numbers[0]+"x9")
		}
	}
	got := recorded(t, series, rulesWith(t, nil))
	slices.Sort(got)
	const of = `horizontalpodautoscaler="web", kind="Deployment", metric_name=`
	want := []string{
		`hpa_name:mini_hpa_metric_value:ratio{hpa_name="web", kind="Deployment", metric_container="app", metric_name="cpu", metric_target_type="utilization", metric_type="ContainerResource", namespace="shop"} = 0.25`,
		`hpa_name:mini_hpa_metric_value:ratio{hpa_name="web", kind="Deployment", metric_name="cpu", metric_target_type="utilization", metric_type="Resource", namespace="shop"} = 1.5`,
		`spec_target_metric{container="app", ` + of + `"cpu", metric_target_type="utilization", namespace="shop"} = 80`,
		`spec_target_metric{` + of + `"backlog", metric_target_type="average", namespace="shop"} = 10`,
		`spec_target_metric{` + of + `"cpu", metric_target_type="utilization", namespace="shop"} = 50`,
		`status_target_metric{container="app", ` + of + `"cpu", metric_target_type="utilization", namespace="shop"} = 20`,
		`status_target_metric{` + of + `"cpu", metric_target_type="utilization", namespace="shop"} = 75`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
}

// TestAnnotationsCanBeFilledIn: a mistake in a template shows only when the alert fires.
func TestAnnotationsCanBeFilledIn(t *testing.T) {
	t.Parallel()
	for _, r := range alerts(rulesWith(t, nil)) {
		values := map[string]string{"namespace": "shop", "kind": "Deployment", "hpa_name": "web", "pod": "p", "type": "leaf", "reason": "busy", "method": "GET"}
		for key, text := range r.Annotations {
			const head = "{{$labels := .Labels}}{{$value := .Value}}"
			filled, err := template.NewTemplateExpander(t.Context(), head+text, r.Alert, template.AlertTemplateData(values, nil, "", promql.Sample{F: 0.75}), 0, nil, nil, nil).Expand()
			if err != nil || strings.Contains(filled, "<no value>") || strings.Contains(filled, "{{") {
				t.Errorf("%s: %s is %q: %v", r.Alert, key, filled, err)
			}
		}
	}
}
