package scaler

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// TestAWorkloadHasItsLastEntries: and no message is longer than there is room for.
func TestAWorkloadHasItsLastEntries(t *testing.T) {
	var c chronicle
	for i := range entriesEach + 5 {
		c.add(web, Entry{Time: noon.Add(time.Duration(i) * time.Second), Reason: "X", Message: strings.Repeat("ä", 1000)})
	}
	got := c.of(web)
	if len(got) != entriesEach || !got[0].Time.Equal(noon.Add(5*time.Second)) {
		t.Fatalf("%d entries, the first of %s; want the last %d", len(got), got[0].Time, entriesEach)
	}
	if n := len(got[0].Message); n > longestOfEach {
		t.Errorf("a message of %d bytes, want at most %d", n, longestOfEach)
	}
}

// TestANamespaceUsesUpItsOwnRoom: one whose workloads have much to tell does not take the entries of others.
func TestANamespaceUsesUpItsOwnRoom(t *testing.T) {
	var c chronicle
	quiet := annotations.DeploymentKey("quiet", "web")
	c.add(quiet, Entry{Time: noon, Reason: "Quiet"})
	for i := range 2 * entriesAll {
		c.add(annotations.DeploymentKey("loud", fmt.Sprintf("web-%d", i%(entriesAll/2))), Entry{Time: noon.Add(time.Duration(i) * time.Second), Reason: "Loud"})
	}
	if c.n != entriesAll || len(c.of(quiet)) != 1 {
		t.Errorf("%d entries, of them %d of the quiet namespace; want %d and 1", c.n, len(c.of(quiet)), entriesAll)
	}
	counted := 0
	for _, own := range c.each {
		counted += len(own)
	}
	if counted != entriesAll {
		t.Errorf("%d entries by workload, want %d", counted, entriesAll)
	}
	for key := range c.each {
		c.forget(key)
	}
	if c.n != 0 || len(c.all) != 0 || len(c.each) != 0 {
		t.Errorf("%d entries are left of workloads that are forgotten", c.n)
	}
}
