package chart

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/mini-hpa/mini-hpa/test/chart/publish"
)

// deployed is the controller's Deployment, whatever its name.
func deployed(t testing.TB, objects []*unstructured.Unstructured) *appsv1.Deployment {
	t.Helper()
	for _, object := range objects {
		if object.GetKind() == "Deployment" && object.GetLabels()["app.kubernetes.io/component"] == "controller" {
			return typedAs[appsv1.Deployment](t, object)
		}
	}
	t.Fatalf("there is no Deployment among %s", identities(objects))
	return nil
}

// selftest is the pod of helm test, or nil.
func selftest(t testing.TB, objects []*unstructured.Unstructured) *corev1.Pod {
	t.Helper()
	for _, object := range objects {
		if object.GetKind() == "Pod" {
			return typedAs[corev1.Pod](t, object)
		}
	}
	return nil
}

func TestArguments(t *testing.T) {
	t.Parallel()
	own := []string{"--webhook-configuration=mini-hpa", "--webhook-service=mini-hpa-webhook", "--webhook-ca-secret=mini-hpa-webhook-ca"}
	files := []string{"--tls-cert-file=/etc/mini-hpa/tls/tls.crt", "--tls-private-key-file=/etc/mini-hpa/tls/tls.key"}
	webhook := append([]string{"--webhook-bind-address=:10250"}, own...)
	leads := "--leader-elect-resource-name=mini-hpa"
	for name, test := range map[string]struct {
		values string
		want   []string
	}{
		"defaults of the program are left out":     {want: append([]string{leads}, webhook...)},
		"nothing is said of a webhook that is off": {values: "webhook: {enabled: false, drainSeconds: 60}", want: []string{leads}},
		"every setting of the controller is a flag": {values: `
webhook: {enabled: false}
metrics: {port: 9080}
healthPort: 9081
controller: {watchNamespace: shop, class: batch, syncPeriod: 30s, tolerance: 5%, downscaleStabilization: 1h, defaultWarmUp: 90s, metricsResolution: 1m, workers: 1000, kubeApiQPS: 50,
  kubeApiBurst: 100000, logLevel: warn, logFormat: console, extraArgs: [--hpa-compat, --min-sync-period=2s]}
recording: {enabled: true, limit: 128}`,
			want: []string{"--namespace=shop", "--class=batch", leads, "--sync-period=30s", "--tolerance=5%", "--downscale-stabilization=1h", "--default-warm-up=90s", "--metrics-resolution=1m", "--workers=1000",
				"--kube-api-qps=50", "--kube-api-burst=100000", "--log-level=warn", "--log-format=console", "--metrics-bind-address=:9080",
				"--health-probe-bind-address=:9081", "--record=/var/lib/mini-hpa/traces", "--record-limit=128", "--hpa-compat", "--min-sync-period=2s"}},
		"sources are a file": {values: "{sources: [{name: prom, type: prometheus}], webhook: {enabled: false}}", want: []string{leads, "--sources=/etc/mini-hpa/sources.d/sources.yaml"}},
		"zero is a value": {values: "{controller: {tolerance: 0, downscaleStabilization: 0s}, webhook: {enabled: false}}",
			want: []string{leads, "--tolerance=0", "--downscale-stabilization=0s"}},
		"null is the default": {values: "{controller: {tolerance: null, workers: null, logLevel: null}, webhook: {enabled: false}}", want: []string{leads}},
		"without metrics none are served": {values: "{metrics: {enabled: false}, webhook: {enabled: false}}",
			want: []string{leads, "--metrics-bind-address=0"}},
		"without an election none is held": {values: "{replicas: 1, controller: {leaderElection: false}, webhook: {enabled: false}}",
			want: []string{"--leader-elect=false"}},
		"every setting of the webhook is a flag": {values: `
webhook: {port: 9443, drainSeconds: 0, hosts: [a.example.com, 10.0.0.1], tls: {caDuration: 100h, certificateDuration: 10h}}`,
			want: slices.Concat([]string{leads, "--webhook-bind-address=:9443", "--shutdown-delay-duration=0s"}, own,
				[]string{"--webhook-hosts=a.example.com,10.0.0.1", "--webhook-ca-duration=100h", "--webhook-certificate-duration=10h"})},
		"cert-manager's certificates are files": {values: "webhook: {hosts: [a.example.com], tls: {mode: cert-manager, caDuration: 100h, certificateDuration: 50h}}",
			want: append([]string{leads, "--webhook-bind-address=:10250"}, files...)},
		"somebody's certificates are files": {values: "webhook: {tls: {mode: existing-secret, existingSecret: {name: c}}}",
			want: append([]string{leads, "--webhook-bind-address=:10250"}, files...)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := deployed(t, renderYAML(t, test.values)).Spec.Template.Spec.Containers[0].Args
			if diff := cmp.Diff(append([]string{"controller"}, test.want...), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestTheProgramTakesTheArguments has the program read the flags of every example: with --help at the end it reads those
// before and does nothing.
func TestTheProgramTakesTheArguments(t *testing.T) {
	t.Parallel()
	program := build(t)
	for name, values := range examples(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			objects := render(t, values)
			calls := [][]string{deployed(t, objects).Spec.Template.Spec.Containers[0].Args}
			if test := selftest(t, objects); test != nil {
				calls = append(calls, test.Spec.Containers[0].Args)
			}
			for _, args := range calls {
				// What it ends with is that there is no cluster: all checks of the flags come before.
				out, err := exec.Command(program, append(args, "--kubeconfig=/nonexistent")...).CombinedOutput()
				if err == nil || !strings.Contains(string(out), "/nonexistent") {
					t.Errorf("mini-hpa %q: %v, want the missing kubeconfig\n%s", args, err, out)
				}
			}
		})
	}
}

// cliDefaults are the controller's flags and their defaults, by docs/cli.md.
func cliDefaults(t testing.TB) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "cli.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## mini-hpa controller\n")
	section, _, _ = strings.Cut(section, "\n## ")
	section = strings.ReplaceAll(section, `\|`, "/") // a bar in a cell
	defaults := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\|[^|]*`--([a-z-]+)[^|]*\\| *`?([^`|]*?)`? *\\|").FindAllStringSubmatch(section, -1) {
		defaults[row[1]] = row[2]
	}
	if len(defaults) < 30 {
		t.Fatalf("docs/cli.md has %d flags of the controller: %v", len(defaults), defaults)
	}
	return defaults
}

func TestDefaultsAreTheProgramsDefaults(t *testing.T) {
	t.Parallel()
	defaults, values := cliDefaults(t), parsed(t, read(t, "values.yaml"))
	for flag, path := range map[string]string{
		"sync-period": "controller.syncPeriod", "tolerance": "controller.tolerance", "downscale-stabilization": "controller.downscaleStabilization", "default-warm-up": "controller.defaultWarmUp",
		"metrics-resolution": "controller.metricsResolution", "workers": "controller.workers", "kube-api-qps": "controller.kubeApiQPS",
		"kube-api-burst": "controller.kubeApiBurst", "log-level": "controller.logLevel", "log-format": "controller.logFormat",
		"leader-elect": "controller.leaderElection", "metrics-bind-address": "metrics.port", "health-probe-bind-address": "healthPort",
		"webhook-ca-duration": "webhook.tls.caDuration", "webhook-certificate-duration": "webhook.tls.certificateDuration",
		"shutdown-delay-duration": "webhook.drainSeconds", "namespace": "controller.watchNamespace", "class": "controller.class",
		"activator-ports": "activator.ports", "activator-propagation": "activator.propagation",
	} {
		value, ok, err := unstructured.NestedFieldNoCopy(values, strings.Split(path, ".")...)
		if !ok || err != nil {
			t.Errorf("%s is not in values.yaml: %v", path, err)
			continue
		}
		want, known := defaults[flag]
		if got := fmt.Sprint(value); !known || got != strings.TrimPrefix(strings.TrimSuffix(want, suffixOf(flag)), ":") {
			t.Errorf("%s is %s, --%s is %q by default", path, got, flag, want)
		}
	}
}

// suffixOf is the unit that a flag has and the value has not.
func suffixOf(flag string) string {
	if flag == "shutdown-delay-duration" {
		return "s"
	}
	return ""
}

// TestFlagsThatTheChartSets holds the list that extraArgs is checked against to the program's flags.
func TestFlagsThatTheChartSets(t *testing.T) {
	t.Parallel()
	_, list, _ := strings.Cut(string(read(t, "templates", "_problems.tpl")), `{{- define "mini-hpa.flagValues" -}}`)
	list, _, _ = strings.Cut(list, "{{- end -}}")
	set, defaults := parsed(t, []byte(list)), cliDefaults(t)
	for flag := range set {
		if _, ok := defaults[flag]; !ok {
			t.Errorf("docs/cli.md has no flag --%s", flag)
		}
	}
	_, others, _ := strings.Cut(string(read(t, "templates", "_problems.tpl")), `{{- define "mini-hpa.otherFlags" -}}`)
	others, _, _ = strings.Cut(others, "{{- end -}}")
	extra := map[string]bool{}
	for _, flag := range strings.Fields(others) {
		extra["--"+flag] = true
		if _, ok := set[flag]; ok {
			t.Errorf("a value sets --%s, and extraArgs may have it", flag)
		}
	}
	for flag := range defaults {
		if _, ok := set[flag]; !ok && !extra["--"+flag] {
			t.Errorf("--%s is in neither list, so that extraArgs refuses it as unknown", flag)
		}
	}
	if len(set)+len(extra) != len(defaults) {
		t.Errorf("%d and %d flags are in the lists, the program has %d", len(set), len(extra), len(defaults))
	}
	for name, values := range examples(t) {
		for _, arg := range deployed(t, render(t, values)).Spec.Template.Spec.Containers[0].Args[1:] {
			flag, _, _ := strings.Cut(arg, "=")
			if _, ok := set[strings.TrimPrefix(flag, "--")]; !ok && !extra[flag] {
				t.Errorf("%s: the chart sets %s, which the list does not have", name, flag)
			}
		}
	}
}

func TestImage(t *testing.T) {
	t.Parallel()
	version := chartVersion(t)
	digest := "sha256:" + strings.Repeat("0f", 32)
	for name, test := range map[string]struct{ values, want string }{
		"the chart's version":              {"image: {repository: r.example.com/scaler}", "r.example.com/scaler:" + version},
		"a tag":                            {"image: {tag: v9}", "ghcr.io/mini-hpa/mini-hpa:v9"},
		"a digest wins":                    {"image: {tag: v9, digest: '" + digest + "'}", "ghcr.io/mini-hpa/mini-hpa@" + digest},
		"another registry":                 {"global: {imageRegistry: r.example.com:5000}", "r.example.com:5000/mini-hpa/mini-hpa:" + version},
		"another registry with a path":     {"global: {imageRegistry: r.example.com/mirror/}", "r.example.com/mirror/mini-hpa/mini-hpa:" + version},
		"a repository without a registry":  {"{global: {imageRegistry: r.example.com}, image: {repository: team/scaler}}", "r.example.com/team/scaler:" + version},
		"a registry with a port":           {"{global: {imageRegistry: r.example.com}, image: {repository: 'old:5000/scaler'}}", "r.example.com/scaler:" + version},
		"the registry of this machine":     {"{global: {imageRegistry: r.example.com}, image: {repository: localhost/scaler}}", "r.example.com/scaler:" + version},
		"globals of a parent chart are ok": {"global: {other: {thing: true}}", "ghcr.io/mini-hpa/mini-hpa:" + pushed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			objects := renderYAML(t, test.values)
			if got := deployed(t, objects).Spec.Template.Spec.Containers[0].Image; got != test.want {
				t.Errorf("the controller's image is %q, want %q", got, test.want)
			}
			if got := selftest(t, objects).Spec.Containers[0].Image; got != test.want {
				t.Errorf("the test's image is %q, want %q", got, test.want)
			}
		})
	}
	for registry, repository := range map[string]string{"": "ghcr.io/mini-hpa/mini-hpa", "r.example.com": "r.example.com/mini-hpa/mini-hpa"} {
		released, err := publish.Load(chartPath, digest)
		must(t, "load the chart", err)
		released.Values["global"] = map[string]any{"imageRegistry": registry}
		text, err := publish.Manifests(released)
		must(t, "render the chart of a release", err)
		if want := `image: "` + repository + "@" + digest + `"`; !strings.Contains(string(text), want) {
			t.Errorf("with the registry %q the chart of a release does not ask for its image by the digest: no %s", registry, want)
		}
	}
	if about := string(read(t, "Chart.yaml")); !strings.Contains(about, "image: ghcr.io/mini-hpa/mini-hpa:"+version+"\n") {
		t.Errorf("Chart.yaml names another image:\n%s", about)
	}
}

// chartVersion is the version of the program that the chart installs.
func chartVersion(t *testing.T) string {
	t.Helper()
	var about struct{ AppVersion string }
	must(t, "read Chart.yaml", yaml.Unmarshal(read(t, "Chart.yaml"), &about))
	if about.AppVersion == "" {
		t.Fatal("Chart.yaml has no appVersion")
	}
	return about.AppVersion
}

// TestThePodKnowsItsName: the Lease has it, also where the host's name is the node's.
func TestThePodKnowsItsName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"default", "host-network"} {
		env := deployed(t, render(t, examples(t)[name])).Spec.Template.Spec.Containers[0].Env
		for variable, field := range map[string]string{"POD_NAME": "metadata.name", "POD_NAMESPACE": "metadata.namespace"} {
			if !slices.ContainsFunc(env, func(v corev1.EnvVar) bool {
				return v.Name == variable && v.ValueFrom != nil && v.ValueFrom.FieldRef != nil && v.ValueFrom.FieldRef.FieldPath == field
			}) {
				t.Errorf("%s: %s is not %s: %v", name, variable, field, env)
			}
		}
	}
}

func TestMemoryOfTheGoRuntime(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ values, want string }{
		"80 % of the default limit":    {"", "214748364"},
		"mebibytes":                    {"resources: {limits: {memory: 100Mi}}", "83886080"},
		"a fraction of gibibytes":      {"resources: {limits: {memory: 1.5Gi}}", "1288490188"},
		"megabytes":                    {"resources: {limits: {memory: 500M}}", "400000000"},
		"bytes":                        {"resources: {limits: {memory: 100000000}}", "80000000"},
		"bytes as text":                {"resources: {limits: {memory: '100000000'}}", "80000000"},
		"an exponent":                  {"resources: {limits: {memory: 1e9}}", "800000000"},
		"an exponent as text":          {"resources: {limits: {memory: '1e9'}}", "800000000"},
		"thousandths":                  {"resources: {limits: {memory: 100000000000m}}", "80000000"},
		"without a limit":              {"resources: {limits: {memory: null}}", ""},
		"without resources":            {"resources: null", ""},
		"somebody else's own variable": {"extraEnv: [{name: GOMEMLIMIT, value: 1GiB}]", "1GiB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, variable := range deployed(t, renderYAML(t, test.values)).Spec.Template.Spec.Containers[0].Env {
				if variable.Name == "GOMEMLIMIT" {
					got = append(got, variable.Value)
				}
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("GOMEMLIMIT is %q, want %q", got, test.want)
			}
		})
	}
}

// TestPodsHaveNoPrivileges: Pod Security "restricted", which the API server checks in another test, and a file system that cannot
// be written.
func TestPodsHaveNoPrivileges(t *testing.T) {
	t.Parallel()
	for name, values := range examples(t) {
		objects := render(t, values)
		specs := []*corev1.PodSpec{&deployed(t, objects).Spec.Template.Spec}
		if test := selftest(t, objects); test != nil {
			specs = append(specs, &test.Spec)
		}
		for _, spec := range specs {
			pod, container := spec.SecurityContext, spec.Containers[0].SecurityContext
			if !*pod.RunAsNonRoot || pod.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault || (pod.RunAsUser == nil) != (name == "openshift") {
				t.Errorf("%s: the pod has %v", name, pod)
			}
			if *container.AllowPrivilegeEscalation || !*container.ReadOnlyRootFilesystem || !slices.Equal(container.Capabilities.Drop, []corev1.Capability{"ALL"}) {
				t.Errorf("%s: the container has %v", name, container)
			}
			if *spec.EnableServiceLinks {
				t.Errorf("%s: the environment tells of every Service", name)
			}
		}
	}
}

// TestAVolumeOfOnesOwnCanBeWritten: a new volume is root's, unless the pod names a group.
func TestAVolumeOfOnesOwnCanBeWritten(t *testing.T) {
	t.Parallel()
	const own = "recording: {enabled: true, volume: {persistentVolumeClaim: {claimName: traces}}}"
	group := func(gid int64) *int64 { return &gid }
	for name, test := range map[string]struct {
		values string
		want   *int64
	}{
		"the pods' group":         {own, group(65532)},
		"the group that is named": {"{" + own + ", podSecurityContext: {fsGroup: 1000}}", group(1000)},
		"what OpenShift chooses":  {"{" + own + ", podSecurityContext: {runAsUser: null, runAsGroup: null}}", nil},
		"the volume of the pod":   {"recording: {enabled: true}", nil},
		"a volume without traces": {"recording: {volume: {persistentVolumeClaim: {claimName: traces}}}", nil},
	} {
		if diff := cmp.Diff(test.want, deployed(t, renderYAML(t, test.values)).Spec.Template.Spec.SecurityContext.FSGroup); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestProbesAskWhatTheyAreFor(t *testing.T) {
	t.Parallel()
	c := deployed(t, renderYAML(t, "healthPort: 9081")).Spec.Template.Spec.Containers[0]
	for path, probe := range map[string]*corev1.Probe{"/healthz": c.LivenessProbe, "/readyz": c.ReadinessProbe} {
		if get := probe.HTTPGet; get.Path != path || get.Port.String() != "health" {
			t.Errorf("got %s on %s, want %s on health", get.Path, get.Port.String(), path)
		}
	}
	if get := c.StartupProbe.HTTPGet; get.Path != "/healthz" || get.Port.String() != "health" {
		t.Errorf("the startup probe asks %s on %s", get.Path, get.Port.String())
	}
	if c.Ports[0].Name != "health" || c.Ports[0].ContainerPort != 9081 {
		t.Errorf("ports are %v", c.Ports)
	}
}

func TestPodsEndInTime(t *testing.T) {
	t.Parallel()
	for values, want := range map[string]int64{"": 30, "webhook: {drainSeconds: 95}": 115, "webhook: {drainSeconds: 0}": 20, "webhook: {enabled: false}": 30} {
		if got := *deployed(t, renderYAML(t, values)).Spec.Template.Spec.TerminationGracePeriodSeconds; got != want {
			t.Errorf("%q: %d s, want %d s", values, got, want)
		}
	}
}

func TestWithoutAnElectionThereAreNeverTwo(t *testing.T) {
	t.Parallel()
	strategy := deployed(t, renderYAML(t, "{replicas: 1, controller: {leaderElection: false}}")).Spec.Strategy
	if strategy.Type != appsv1.RecreateDeploymentStrategyType {
		t.Errorf("the strategy is %v, want Recreate", strategy)
	}
}

// TestTokensExpire: no pod mounts the token that Kubernetes would mount, each has one of its own, unless a value says otherwise.
func TestTokensExpire(t *testing.T) {
	t.Parallel()
	expiring := func(spec *corev1.PodSpec) bool {
		return slices.ContainsFunc(spec.Volumes, func(v corev1.Volume) bool {
			return v.Projected != nil && v.Projected.Sources[0].ServiceAccountToken != nil && *v.Projected.Sources[0].ServiceAccountToken.ExpirationSeconds == 3607
		})
	}
	objects := render(t, nil)
	for name, spec := range map[string]*corev1.PodSpec{"controller": &deployed(t, objects).Spec.Template.Spec, "selftest": &selftest(t, objects).Spec} {
		if *spec.AutomountServiceAccountToken || !expiring(spec) {
			t.Errorf("%s: automount %t, volumes %v", name, *spec.AutomountServiceAccountToken, spec.Volumes)
		}
	}
	spec := deployed(t, renderYAML(t, "serviceAccount: {automount: true}")).Spec.Template.Spec
	if !*spec.AutomountServiceAccountToken || expiring(&spec) {
		t.Errorf("automount %t, volumes %v", *spec.AutomountServiceAccountToken, spec.Volumes)
	}
}

func TestSpreadIsOverTheReleasesOwnPods(t *testing.T) {
	t.Parallel()
	own := deployed(t, render(t, nil)).Spec.Selector.MatchLabels
	for _, c := range deployed(t, render(t, nil)).Spec.Template.Spec.TopologySpreadConstraints {
		if diff := cmp.Diff(own, c.LabelSelector.MatchLabels); diff != "" || c.WhenUnsatisfiable != corev1.ScheduleAnyway {
			t.Errorf("%s: %s %s", c.TopologyKey, c.WhenUnsatisfiable, diff)
		}
	}
	given := renderYAML(t, "topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchExpressions: [{key: a, operator: Exists}]}}]")
	if got := deployed(t, given).Spec.Template.Spec.TopologySpreadConstraints[0].LabelSelector; len(got.MatchLabels) != 0 || len(got.MatchExpressions) != 1 {
		t.Errorf("a selector that was given became %v", got)
	}
}

func TestNamesFollowTheRelease(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ release, values, want string }{
		"a release that is called so":    {"mini-hpa", "", "mini-hpa"},
		"a release with it in its name":  {"my-mini-hpa", "", "my-mini-hpa"},
		"another release":                {"scaler", "", "scaler-mini-hpa"},
		"another name":                   {"scaler", "nameOverride: auto", "scaler-auto"},
		"the whole name":                 {"scaler", "fullnameOverride: auto", "auto"},
		"a name as long as Helm permits": {strings.Repeat("a", 53), "", strings.Repeat("a", 52)},
		"a long name with it":            {"mini-hpa-" + strings.Repeat("a", 44), "", "mini-hpa-" + strings.Repeat("a", 43)},
		"no hyphen at the end":           {strings.Repeat("a", 51) + "-b", "", strings.Repeat("a", 51)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := rendering(t, parsed(t, []byte(test.values)))
			o.release = test.release
			objects := o.run(t).objects(t)
			for kind, suffix := range map[string]string{"Deployment": "", "Lease": "", "ServiceAccount": "", "ClusterRole": "", "ValidatingWebhookConfiguration": "",
				"Secret": "-webhook-ca", "Service": "-webhook", "Pod": "-selftest"} {
				if got := pick(t, objects, kind, test.want+suffix).GetName(); len(got) > 63 {
					t.Errorf("%s %s is too long", kind, got)
				}
			}
			args := deployed(t, objects).Spec.Template.Spec.Containers[0].Args
			for _, arg := range []string{"--leader-elect-resource-name=" + test.want, "--webhook-configuration=" + test.want,
				"--webhook-service=" + test.want + "-webhook", "--webhook-ca-secret=" + test.want + "-webhook-ca"} {
				if !slices.Contains(args, arg) {
					t.Errorf("%q lacks %s", args, arg)
				}
			}
		})
	}
}

// read is a file of the chart.
func read(t testing.TB, path ...string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{chartDir(t)}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestRollout: on the host's network a surplus pod would find the node's ports taken, and without a lease there are never two.
func TestRollout(t *testing.T) {
	t.Parallel()
	for values, want := range map[string]string{
		"": "RollingUpdate 0 1",
		"{hostNetwork: true, webhook: {port: 10260}}":        "RollingUpdate 1 0",
		"{replicas: 1, controller: {leaderElection: false}}": "Recreate",
	} {
		strategy := deployed(t, render(t, parsed(t, []byte(values)))).Spec.Strategy
		got := string(strategy.Type)
		if r := strategy.RollingUpdate; r != nil {
			got += " " + r.MaxUnavailable.String() + " " + r.MaxSurge.String()
		}
		if got != want {
			t.Errorf("%s: %s, want %s", values, got, want)
		}
	}
}
