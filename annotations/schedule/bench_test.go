package schedule

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// benchmarked are the usual schedule, and those that take the most work.
func benchmarked(b testing.TB) map[string]Schedule {
	var nights, dates strings.Builder
	for i := range 32 {
		fmt.Fprintf(&nights, "%d,%d 23:%02d-23:%02d min=1\n", 29+i%3, 31, i, i+1)
		fmt.Fprintf(&dates, "20%d-01-01 23:%02d-23:%02d min=1\n", 40+i, i, i+1)
	}
	return map[string]Schedule{
		"usual":                          mustParse(b, "zone Europe/Berlin\n2026-11-27..2026-11-30 00:00-24:00 min=20 max=200\nMon-Fri 07:30-20:00 min=5 max=40\nSat,Sun 00:00-24:00 replicas=0"),
		"32 nights at the end of months": mustParse(b, nights.String()),
		"32 dates beyond the horizon":    mustParse(b, "zone Africa/Casablanca\n"+strings.Join(strings.SplitAfter(dates.String(), "\n")[:31], "")),
		"never":                          mustParse(b, "zone Africa/Casablanca\ndaily 00:00-24:00 min=1"),
	}
}

func BenchmarkAt(b *testing.B) {
	for name, s := range benchmarked(b) {
		b.Run(name, func(b *testing.B) {
			now := time.Date(2026, 2, 1, 12, 0, 0, 0, time.UTC)
			b.ReportAllocs()
			for b.Loop() {
				s.At(now)
			}
		})
	}
}

func BenchmarkNext(b *testing.B) {
	for name, s := range benchmarked(b) {
		b.Run(name, func(b *testing.B) {
			now := time.Date(2026, 2, 1, 12, 0, 0, 0, time.UTC)
			b.ReportAllocs()
			for b.Loop() {
				s.Next(now)
			}
		})
	}
}

// BenchmarkParse is what every reconcile pays, and BenchmarkShadowed every review.
func BenchmarkParse(b *testing.B) {
	zones := &Zones{}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("zone Europe/Berlin\nMon-Fri 07:30-20:00 min=5 max=40\nSat,Sun 00:00-24:00 replicas=0", zones); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkShadowed(b *testing.B) {
	var quarters strings.Builder
	for i := range 16 { // the last ones are looked for first
		fmt.Fprintf(&quarters, "daily %02d:%02d-%02d:%02d min=1\n", (15-i)*3/2, (15-i)*3%2*30, (16-i)*3/2, (16-i)*3%2*30)
	}
	for range 16 {
		quarters.WriteString("1-30 00:00-24:00 min=1\n")
	}
	all := benchmarked(b)
	all["16 lines below 16 others"] = mustParse(b, quarters.String())
	for name, s := range all {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.Shadowed()
			}
		})
	}
}

// TestAllocations: a decision asks for both at every look.
func TestAllocations(t *testing.T) {
	now := time.Date(2026, 2, 1, 12, 0, 0, 0, time.UTC)
	for name, s := range benchmarked(t) {
		if got := testing.AllocsPerRun(100, func() { s.At(now); s.Next(now) }); got > 0 {
			t.Errorf("%s: %v allocations", name, got)
		}
	}
}
