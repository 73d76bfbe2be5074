package e2e

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// request is what these tests read of an audit.k8s.io/v1 Event.
type request struct {
	Verb      string    `json:"verb"`
	Received  time.Time `json:"requestReceivedTimestamp"`
	User      struct{ Username string }
	ObjectRef *struct{ Resource, Subresource, Namespace, APIGroup string }
	Response  struct{ Code int } `json:"responseStatus"`
}

// requests are what the controllers asked of the API server since a moment, by its own account, in one namespace; ""
// is cluster-wide requests.
func (w *world) requests(t *testing.T, since time.Time, namespace string) []request {
	t.Helper()
	file, err := os.Open(w.cluster.AuditLog())
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var found []request
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e request
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			continue // the last line may still be being written
		}
		if e.User.Username == user && e.ObjectRef != nil && e.ObjectRef.Namespace == namespace && e.Received.After(since) {
			found = append(found, e)
		}
	}
	return found
}

// writes are those that change something, each as "verb resource/subresource".
func writes(requests []request) []string {
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
func count(requests []request, verb, resource, group string) int {
	n := 0
	for _, e := range requests {
		if e.Verb == verb && e.ObjectRef.Resource == resource && e.ObjectRef.APIGroup == group {
			n++
		}
	}
	return n
}

// scaleTimes are when the API server received the writes of the scale that it carried out.
func (w *world) scaleTimes(t *testing.T, namespace string) []time.Time {
	t.Helper()
	var times []time.Time
	for _, r := range w.requests(t, time.Time{}, namespace) {
		if r.Verb == "update" && r.ObjectRef.Subresource == "scale" && r.Response.Code == http.StatusOK {
			times = append(times, r.Received)
		}
	}
	return times
}
