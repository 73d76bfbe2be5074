package explain

import (
	"strings"
	"testing"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/mini-hpa/mini-hpa/annotations/serves"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
)

// slicesOf is a list of mini-hpa's slices for Deployments of these names, each active for a minute.
func slicesOf(names ...string) *discoveryv1.EndpointSliceList {
	list := &discoveryv1.EndpointSliceList{}
	list.APIVersion, list.Kind = "discovery.k8s.io/v1", "EndpointSliceList"
	for _, name := range names {
		s := serves.Slice{Namespace: "default", Service: name, ServiceUID: "u", Family: discoveryv1.AddressTypeIPv4, Serves: serves.Serves{Kind: "Deployment", Group: "apps", Name: name},
			Ports: []serves.Port{{Name: "http", Pair: 20000}}, Face: serves.Active, Since: time.Now().Add(-time.Minute),
			Activators: []serves.Activator{{Namespace: "mini-hpa", Pod: "activator-1", UID: "a", Address: "10.9.9.1"}}}
		list.Items = append(list.Items, *s.Object())
	}
	return list
}

// TestExplainShowsWhereRequestsGo by the slices that there are, and says what it cannot know.
func TestExplainShowsWhereRequestsGo(t *testing.T) {
	const path = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
	wakes := map[string]string{"mini-hpa/min": "0", "mini-hpa/max": "10", "mini-hpa/wake": "requests", "mini-hpa/metrics": `[{"type":"External","external":{"metric":{"name":"backlog"},"target":{"type":"AverageValue","averageValue":"10"}}}]`}
	for name, test := range map[string]struct {
		prepare      func(s *clitest.APIServer)
		args         []string
		want, absent []string
	}{
		"active": {func(s *clitest.APIServer) { s.Others = map[string]any{path: slicesOf("web", "other")} }, nil,
			[]string{"Requests (mini-hpa/wake)", "web      http  the activators and its pods  ", "mini-hpa-web  20001    activator-1", "(1m ago)", "only the running controller is told of requests"}, []string{"mini-hpa-other"}},
		"as JSON": {func(s *clitest.APIServer) { s.Others = map[string]any{path: slicesOf("web")} }, []string{"-o", "json"},
			[]string{`"service": "web"`, `"face": "active"`}, nil},
		"none": {func(s *clitest.APIServer) { s.Others = map[string]any{path: slicesOf()} }, nil,
			[]string{"no Service has an EndpointSlice of mini-hpa that is for this workload"}, []string{"Requests (mini-hpa/wake)"}},
		"forbidden": {func(s *clitest.APIServer) { s.Forbidden = "namespaces/default/endpointslices" }, nil,
			[]string{"it is not known where its Services lead"}, []string{"Requests (mini-hpa/wake)"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := clitest.NewAPIServer(t, wakes)
			test.prepare(s)
			_, stdout, stderr := call(t, append([]string{"explain", "web", "--kubeconfig", s.Kubeconfig()}, test.args...)...)
			for _, part := range test.want {
				if !strings.Contains(stdout+stderr, part) {
					t.Errorf("%q is not in\n%s%s", part, stdout, stderr)
				}
			}
			for _, part := range test.absent {
				if strings.Contains(stdout+stderr, part) {
					t.Errorf("%q is in\n%s%s", part, stdout, stderr)
				}
			}
		})
	}
}
