package chart

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	engine3 "helm.sh/helm/v3/pkg/engine"
)

// TestValuesAreWhatTheTemplatesMakeOfThem: of the chart that "helm create" makes, mini-hpa migrate says the same of the values and of what they render. And
// what docs/migrate.md says of its Deployment is so: where autoscaling is off, the template writes replicas.
func TestValuesAreWhatTheTemplatesMakeOfThem(t *testing.T) {
	t.Parallel()
	program := build(t)
	dir, err := chartutil.Create("web", t.TempDir())
	must(t, "helm create", err)
	loaded, err := loader.Load(dir)
	must(t, "load", err)
	values, err := os.ReadFile(filepath.Join(dir, "values.yaml"))
	must(t, "read", err)
	made := func(text string) (string, error) {
		cmd := exec.Command(program, "migrate", "-f", "-")
		cmd.Stdin = strings.NewReader(text)
		out, err := cmd.Output()
		return strings.Join(regexp.MustCompile(`mini-hpa/\S+: .*`).FindAllString(string(out), -1), "\n"), err
	}
	for name, c := range map[string]struct{ section, want string }{
		"as it is":  {"enabled: true\n  minReplicas: 1\n  maxReplicas: 100\n  targetCPUUtilizationPercentage: 80", "mini-hpa/target-cpu: \"80\"\nmini-hpa/max: \"100\""},
		"memory":    {"enabled: true\n  minReplicas: 3\n  maxReplicas: 9\n  targetMemoryUtilizationPercentage: 70", "mini-hpa/target-memory: \"70\"\nmini-hpa/min: \"3\"\nmini-hpa/max: \"9\""},
		"both":      {"enabled: true\n  minReplicas: 2\n  maxReplicas: 9\n  targetCPUUtilizationPercentage: 50\n  targetMemoryUtilizationPercentage: 70", "mini-hpa/target-cpu: \"50\"\nmini-hpa/target-memory: \"70\"\nmini-hpa/min: \"2\"\nmini-hpa/max: \"9\""},
		"no target": {"enabled: true\n  minReplicas: 1\n  maxReplicas: 9", "mini-hpa/target-cpu: \"80\"\nmini-hpa/max: \"9\""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			section := regexp.MustCompile(`(?m)^autoscaling:\n(  .*\n)+`)
			if !section.Match(values) {
				t.Fatalf("the chart has no section autoscaling:\n%s", values)
			}
			text := section.ReplaceAllString(string(values), "autoscaling:\n  "+c.section+"\n")
			given, err := chartutil.ReadValues([]byte(text))
			must(t, "read values", err)
			all := func(given chartutil.Values) map[string]string {
				top, err := chartutil.ToRenderValues(loaded, given, chartutil.ReleaseOptions{Name: "web", Namespace: "shop"}, nil)
				must(t, "values", err)
				rendered, err := engine3.Render(loaded, map[string]any{"Values": given, "Chart": top["Chart"], "Capabilities": top["Capabilities"], "Release": top["Release"]})
				must(t, "render", err)
				return rendered
			}
			rendered := all(given)
			ofValues, err := made(text)
			must(t, "migrate the values", err)
			ofTemplates, err := made(rendered["web/templates/hpa.yaml"])
			must(t, "migrate what is rendered", err)
			if diff := cmp.Diff(ofTemplates, ofValues); diff != "" || ofValues != c.want {
				t.Errorf("got %s, want %s; -templates +values:\n%s", ofValues, c.want, diff)
			}
			writes := func(rendered map[string]string) bool {
				return strings.Contains(rendered["web/templates/deployment.yaml"], "\n  replicas: ")
			}
			off, err := chartutil.ReadValues([]byte(strings.Replace(text, "autoscaling:\n  enabled: true", "autoscaling:\n  enabled: false", 1)))
			must(t, "read values", err)
			if on, off := writes(rendered), writes(all(off)); on || !off {
				t.Errorf("the Deployment has replicas with autoscaling: %t, without: %t", on, off)
			}
		})
	}
}
