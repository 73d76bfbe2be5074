package annotations

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
)

func TestDefaultsAreUsed(t *testing.T) {
	d := Defaults{
		Tolerance:              resource.MustParse("0.2"),
		ScaleDownStabilization: 90 * time.Second,
		WarmUp:                 time.Minute,
		SyncPeriod:             30 * time.Second,
		MinSyncPeriod:          10 * time.Second,
	}
	want := basicPolicy(func(p *Policy) {
		tolerance("0.2")(p)
		*p.Down.StabilizationWindowSeconds = 90
		p.WarmUp = time.Minute
		p.SyncPeriod = 30 * time.Second
	})
	got, _, errs := d.Parse(basic(nil))
	if diff := cmp.Diff(want, got); diff != "" || len(errs) > 0 {
		t.Errorf("errors %v, policy (-want +got):\n%s", errs, diff)
	}

	_, _, errs = d.Parse(basic(map[string]string{SyncPeriod: "9999ms"}))
	refused := []string{`metadata.annotations[mini-hpa/sync-period]: Invalid value: "9999ms": ` +
		`must be a duration from "10s" to "1h", with a unit, such as "10s"`}
	if diff := cmp.Diff(refused, texts(errs)); diff != "" {
		t.Errorf("below the administrator's floor (-want +got):\n%s", diff)
	}
}

func TestDefaultsAreOverridden(t *testing.T) {
	d := Defaults{Tolerance: resource.MustParse("0.2"), ScaleDownStabilization: time.Minute, WarmUp: time.Minute, SyncPeriod: time.Minute, MinSyncPeriod: time.Second}
	all := basic(nil)
	for _, key := range Rows() {
		if key.Default != "" {
			all[key.Name] = key.Default
		}
	}
	got, _, errs := d.Parse(all)
	if diff := cmp.Diff(basicPolicy(nil), got); diff != "" || len(errs) > 0 {
		t.Errorf("errors %v, policy (-want +got):\n%s", errs, diff)
	}
}

func TestDefaultsValidate(t *testing.T) {
	tests := map[string]struct {
		change func(d *Defaults)
		want   string
	}{
		"the default ones":    {func(*Defaults) {}, ""},
		"no stabilization":    {func(d *Defaults) { d.ScaleDownStabilization = 0 }, ""},
		"longest window":      {func(d *Defaults) { d.ScaleDownStabilization = time.Hour }, ""},
		"negative tolerance":  {func(d *Defaults) { d.Tolerance = resource.MustParse("-0.1") }, "tolerance -100m must not be negative"},
		"window too long":     {func(d *Defaults) { d.ScaleDownStabilization = time.Hour + time.Second }, "scale-down stabilization 1h0m1s must be in whole seconds from 0s to 1h0m0s"},
		"negative window":     {func(d *Defaults) { d.ScaleDownStabilization = -time.Second }, "scale-down stabilization -1s must be in whole seconds from 0s to 1h0m0s"},
		"part of a second":    {func(d *Defaults) { d.ScaleDownStabilization = 1500 * time.Millisecond }, "scale-down stabilization 1.5s must be in whole seconds from 0s to 1h0m0s"},
		"longest warm-up":     {func(d *Defaults) { d.WarmUp = 30 * time.Minute }, ""},
		"negative warm-up":    {func(d *Defaults) { d.WarmUp = -time.Second }, "warm-up -1s must be from 0s to 30m0s"},
		"too long a warm-up":  {func(d *Defaults) { d.WarmUp = 31 * time.Minute }, "warm-up 31m0s must be from 0s to 30m0s"},
		"no floor":            {func(d *Defaults) { d.MinSyncPeriod = 0 }, "shortest sync period 0s must be above 0s"},
		"below its own floor": {func(d *Defaults) { d.SyncPeriod = time.Millisecond }, "sync period 1ms must be from 1s to 1h0m0s"},
		"too long a period":   {func(d *Defaults) { d.SyncPeriod = 2 * time.Hour }, "sync period 2h0m0s must be from 1s to 1h0m0s"},
		"two at once": {
			func(d *Defaults) { d.Tolerance, d.SyncPeriod = resource.MustParse("-1"), 2*time.Hour },
			"tolerance -1 must not be negative\nsync period 2h0m0s must be from 1s to 1h0m0s",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			d := DefaultDefaults()
			tc.change(&d)
			got := ""
			if err := d.Validate(); err != nil {
				got = err.Error()
			}
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// TestRememberingReadsEachDocumentOnce, and hands nobody what another one has.
func TestRememberingReadsEachDocumentOnce(t *testing.T) {
	pairs := map[string]string{Max: "9", Metrics: `[{type: Resource, resource: {name: cpu, target: {type: AverageValue, averageValue: 1}}}]`,
		Behavior: `{scaleUp: {policies: [{type: Pods, value: 1, periodSeconds: 60}]}}`}
	d := DefaultDefaults().Remembering()
	want, _, problems := DefaultDefaults().Parse(pairs)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for range 3 {
		got, _, _ := d.Parse(pairs)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		got.Metrics[0].Spec.Resource.Target.AverageValue.Set(7)
		got.Up.Policies[0].Value = 7
	}
	if n := len(d.documents.known); n != 2 {
		t.Errorf("%d documents are remembered, want 2", n)
	}
	pairs[Metrics] += strings.Repeat(" ", maxRemembered)
	_, _, _ = d.Parse(pairs)
	if n := len(d.documents.known); n > 2 || d.documents.size > maxRemembered+1000 {
		t.Errorf("%d documents of %d bytes are remembered", n, d.documents.size)
	}
}
