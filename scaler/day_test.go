package scaler

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// days plays a workload from a moment on, looked at whenever the Scaler wants to, and says when it wrote what, by the clocks of a zone. No wait
// is longer than a sync period, and each look is due to one or to a boundary.
func days(t *testing.T, zone, from, until string, boundaries int, pairs map[string]string) []string {
	t.Helper()
	place, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	moment := func(text string) time.Time {
		at, err := time.ParseInLocation("2006-01-02 15:04", text, place)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	c := newCluster(t, pairs)
	c.now, c.milliCPU = moment(from), 50
	const period = 15*time.Second + 1500*time.Millisecond // and the key's share of a tenth
	var told []string
	looks, start := 0, c.now
	for end := moment(until); c.now.Before(end); {
		before := len(c.writes)
		at := c.now
		c.reconcile(0)
		looks++
		for _, replicas := range c.writes[before:] {
			told = append(told, fmt.Sprintf("%s %d", at.In(place).Format("Mon 15:04:05 -0700"), replicas))
		}
		if c.lastWait <= 0 || c.lastWait > period {
			t.Fatalf("at %s the next look is in %s", at, c.lastWait)
		}
		c.now = c.now.Add(c.lastWait)
	}
	if most := int(c.now.Sub(start)/(15*time.Second)) + boundaries + 1; looks > most {
		t.Errorf("%d looks, want at most %d", looks, most)
	}
	return told
}

// TestDaysOfASchedule goes through a change of the clocks, in Berlin at the end of October, and through Black Friday. CPU asks for one replica all
// the time, so that only the bounds change.
func TestDaysOfASchedule(t *testing.T) {
	office := map[string]string{"target-cpu": "50", "min": "1", "max": "40", "scale-down-stabilization": "0s",
		"schedule": "zone Europe/Berlin\nMon-Fri 07:30-20:00 min=5 max=40\nSun 02:30-03:30 min=3"}
	got := days(t, "Europe/Berlin", "2026-10-23 00:00", "2026-10-27 00:00", 8, office)
	want := []string{
		"Fri 07:30:00 +0200 5", "Fri 20:00:00 +0200 1", "Sun 02:30:00 +0200 3", // the first 02:30
		"Sun 02:00:00 +0100 1", "Sun 02:30:00 +0100 3", "Sun 03:30:00 +0100 1", // the hour that comes twice
		"Mon 07:30:00 +0100 5", "Mon 20:00:00 +0100 1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
	shop := map[string]string{"target-cpu": "50", "min": "1", "max": "10", "scale-down-stabilization": "0s",
		"schedule": "zone America/New_York\n2026-11-27..2026-11-28 00:00-24:00 min=20 max=100\nMon-Fri 07:30-20:00 min=5 max=40"}
	got = days(t, "America/New_York", "2026-11-26 06:00", "2026-11-30 12:00", 5, shop)
	want = []string{"Thu 07:30:00 -0500 5", "Thu 20:00:00 -0500 1", "Fri 00:00:00 -0500 20", "Sun 00:00:00 -0500 10", "Sun 00:00:15 -0500 2", "Sun 00:00:30 -0500 1", "Mon 07:30:00 -0500 5"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
}

// TestTheLostHour has a line that begins in the hour that does not exist on the last Sunday of March.
func TestTheLostHour(t *testing.T) {
	pairs := map[string]string{"min": "1", "max": "10", "schedule": "zone Europe/Berlin\nSun 02:15-02:45 replicas=4\nSun 02:30-04:00 min=3"}
	got := days(t, "Europe/Berlin", "2026-03-29 00:00", "2026-03-29 12:00", 2, pairs)
	if diff := cmp.Diff([]string{"Sun 03:00:00 +0200 3", "Sun 04:00:00 +0200 1"}, got); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
}
