package lint

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
)

// TestLintLayouts lints repositories of the kinds that there are, each as a whole: what is said of it stands beside it.
func TestLintLayouts(t *testing.T) {
	const layouts = "testdata/layouts"
	entries, err := os.ReadDir(layouts)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		seen++
		t.Run(entry.Name(), func(t *testing.T) {
			code, stdout, stderr := call(t, filepath.Join(layouts, entry.Name()))
			said := map[int]string{cli.ExitOK: "sound", cli.ExitFailure: "errors", cli.ExitUsage: "unreadable"}[code]
			text := strings.ReplaceAll(stdout+stderr, layouts+"/"+entry.Name()+"/", "")
			clitest.Golden(t, filepath.Join(layouts, entry.Name()+".txt"), text+"exit code: "+said+"\n")
		})
	}
	if seen < 10 {
		t.Errorf("%d layouts, want all of them", seen)
	}
}

// TestNearestServiceOfAName: a Service hides one of the same name that is farther away, also where it selects other pods, and workloads of any level may share one.
func TestNearestServiceOfAName(t *testing.T) {
	const (
		service  = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: %s}, ports: [{port: 80}]}\n"
		workload = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: %s, annotations: {mini-hpa/max: \"3\", mini-hpa/target-cpu: \"50\", mini-hpa/wake: requests hold-on=unready}}\n" +
			"spec: {selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: app, image: i, resources: {requests: {cpu: 1}}}]}}}\n"
	)
	for name, test := range map[string]struct {
		near, far, beside string
		want              string // nothing if the Service is the workload's alone
	}{
		"alone":           {near: fmt.Sprintf(service, "web")},
		"farther away":    {far: fmt.Sprintf(service, "web")},
		"hidden":          {near: fmt.Sprintf(service, "other"), far: fmt.Sprintf(service, "web"), want: "no Service selects the pods of the workload"},
		"hides":           {near: fmt.Sprintf(service, "web"), far: fmt.Sprintf(service, "other")},
		"shared with one": {near: fmt.Sprintf(service, "web"), beside: fmt.Sprintf(workload, "canary"), want: `Service "web" (`},
		"none is known":   {},
	} {
		t.Run(name, func(t *testing.T) {
			repository(t, map[string]string{"sub/web.yaml": fmt.Sprintf(workload, "web"), "sub/near.yaml": test.near, "far.yaml": test.far, "beside.yaml": test.beside})
			_, stdout, stderr := call(t, ".")
			said := strings.Contains(stdout, "no Service selects") || strings.Contains(stdout, "also selects the pods of")
			if said != (test.want != "") || !strings.Contains(stdout, test.want) {
				t.Errorf("no %q in:\n%s%s", test.want, stdout, stderr)
			}
		})
	}
}

// TestSurroundingsOfMany: what is around one of thousands of workloads is found without a look at what is around the others.
func TestSurroundingsOfMany(t *testing.T) {
	const each = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: w%[1]d, annotations: {mini-hpa/max: \"3\", mini-hpa/target-cpu: \"50\", mini-hpa/wake: requests path=always}}\n" +
		"spec: {selector: {matchLabels: {app: w%[1]d}}, template: {metadata: {labels: {app: w%[1]d}}}}\n---\n" +
		"apiVersion: v1\nkind: Service\nmetadata: {name: w%[1]d}\nspec: {selector: {app: w%[1]d}, ports: [{port: 80}]}\n---\n"
	clitest.Linear(t, 300, func(n int) func() {
		m := newManifests("")
		var text strings.Builder
		for i := range n {
			fmt.Fprintf(&text, each, i)
		}
		m.read(source{name: "-"}, strings.NewReader(text.String()))
		m.settle()
		if len(m.workloads) != n {
			t.Fatalf("%d workloads, want %d", len(m.workloads), n)
		}
		return func() {
			for _, d := range m.workloads {
				if s := m.surroundings(d); len(s.Services) != 1 || len(s.Beside) != 1 {
					t.Fatalf("%d Services and %d workloads around one that shares its own with none", len(s.Services), len(s.Beside))
				}
			}
		}
	})
}
