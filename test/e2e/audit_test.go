package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mini-hpa/mini-hpa/test/rig"
)

// audit is the API server's own account of all requests so far.
func (w *world) audit(t *testing.T) []rig.Record {
	t.Helper()
	records, err := rig.ReadAudit(w.cluster.AuditLog())
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// requests are what the controllers asked of the API server since a moment, by its own account, in one namespace; ""
// is cluster-wide requests.
func (w *world) requests(t *testing.T, since time.Time, namespace string) []rig.Record {
	t.Helper()
	var found []rig.Record
	for _, r := range w.audit(t) {
		if r.User.Username == user && r.ObjectRef != nil && r.ObjectRef.Namespace == namespace && r.Received.After(since) {
			found = append(found, r)
		}
	}
	return found
}

// writes are those that change something, each as "verb resource/subresource".
func writes(requests []rig.Record) []string {
	var found []string
	for _, e := range requests {
		if e.Verb == "get" || e.Verb == "list" || e.Verb == "watch" {
			continue
		}
		found = append(found, e.Verb+" "+strings.TrimSuffix(e.ObjectRef.Resource+"/"+e.ObjectRef.Subresource, "/"))
	}
	return found
}

// count counts the requests of a verb and resource.
func count(requests []rig.Record, verb, resource, group string) int {
	n := 0
	for _, e := range requests {
		if e.Verb == verb && e.ObjectRef.Resource == resource && e.ObjectRef.APIGroup == group {
			n++
		}
	}
	return n
}

// scaleTimes are when the API server received the writes of the scale that it carried out. Where a client is gone before it has its answer, that is a timeout, and
// here it counts as carried out. The log has a write some time after a watch has told of it.
func (w *world) scaleTimes(t *testing.T, namespace string) []time.Time {
	t.Helper()
	var times []time.Time
	for _, r := range w.requests(t, time.Time{}, namespace) {
		if (r.Verb == "update" || r.Verb == "patch") && r.ObjectRef.Subresource == "scale" && (r.Stored() || r.Response.Code == http.StatusGatewayTimeout) {
			times = append(times, r.Received)
		}
	}
	return times
}
