package chart

import (
	"bytes"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// TestWrongValuesAreRefused: whatever is wrong, both versions of Helm say where.
func TestWrongValuesAreRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ values, want string }{
		"a key that there is not":         {"replicaCount: 3", "'replicaCount' not allowed"},
		"a slip in a nested key":          {"webhook: {failurepolicy: Fail}", "at '/webhook': additional properties 'failurepolicy' not allowed"},
		"a section that is a value":       {"controller: 5", "at '/controller'"},
		"text for a number":               {"replicas: two", "at '/replicas'"},
		"a negative number of replicas":   {"replicas: -1", "at '/replicas'"},
		"half a replica":                  {"replicas: 1.5", "at '/replicas'"},
		"text for a truth":                {"webhook: {enabled: 'yes'}", "at '/webhook/enabled'"},
		"a policy that there is not":      {"webhook: {failurePolicy: fail}", "at '/webhook/failurePolicy'"},
		"a privileged port":               {"webhook: {port: 443}", "at '/webhook/port'"},
		"a port beyond ports":             {"healthPort: 70000", "at '/healthPort'"},
		"an endless timeout":              {"webhook: {timeoutSeconds: 30}", "at '/webhook/timeoutSeconds'"},
		"a mode that there is not":        {"webhook: {tls: {mode: self}}", "at '/webhook/tls/mode'"},
		"a duration without a unit":       {"controller: {syncPeriod: '15'}", "at '/controller/syncPeriod'"},
		"a duration in days":              {"webhook: {tls: {caDuration: 365d}}", "at '/webhook/tls/caDuration'"},
		"a tolerance above all":           {"controller: {tolerance: 1.5}", "at '/controller/tolerance'"},
		"a tolerance in words":            {"controller: {tolerance: ten percent}", "at '/controller/tolerance'"},
		"no workers":                      {"controller: {workers: 0}", "at '/controller/workers'"},
		"no requests":                     {"controller: {kubeApiQPS: 0}", "at '/controller/kubeApiQPS'"},
		"a log level that there is not":   {"controller: {logLevel: trace}", "at '/controller/logLevel'"},
		"an argument that is no flag":     {"controller: {extraArgs: [explain]}", "at '/controller/extraArgs/0'"},
		"a short flag":                    {"controller: {extraArgs: [-n=shop]}", "at '/controller/extraArgs/0'"},
		"half of a token":                 {"metrics: {secure: {token: {name: a}}}", "at '/metrics/secure/token'"},
		"a class that cannot be":          {"controller: {class: Batch}", "at '/controller/class'"},
		"a namespace that cannot be":      {"controller: {watchNamespace: Shop}", "at '/controller/watchNamespace'"},
		"a source without a type":         {"sources: [{name: prom}]", "at '/sources/0'"},
		"a source with a name of another": {"sources: [{name: Prom, type: http}]", "at '/sources/0/name'"},
		"sources by name":                 {"sources: {prom: {type: http}}", "at '/sources'"},
		"a Secret that leads elsewhere":   {"sourceSecrets: [../tls]", "at '/sourceSecrets/0'"},
		"a Secret twice":                  {"sourceSecrets: [prom, prom]", "at '/sourceSecrets'"},
		"a kind without its group":        {"controller: {kinds: [rollouts]}", "at '/controller/kinds/0'"},
		"a kind by its Go name":           {"controller: {kinds: [Rollout.argoproj.io]}", "at '/controller/kinds/0'"},
		"a kind twice":                    {"controller: {kinds: [a.example.com, a.example.com]}", "at '/controller/kinds'"},
		"a kind that is built in":         {"controller: {kinds: [statefulsets.apps]}", "at '/controller/kinds/0'"},
		"kinds as one text":               {"controller: {kinds: 'a.example.com'}", "at '/controller/kinds'"},
		"a digest of another kind":        {"image: {digest: 'md5:00'}", "at '/image/digest'"},
		"a tag with a blank":              {"image: {tag: 'v1 '}", "at '/image/tag'"},
		"a pull policy that there is not": {"image: {pullPolicy: Sometimes}", "at '/image/pullPolicy'"},
		"a secret by its name alone":      {"global: {imagePullSecrets: [login]}", "at '/global/imagePullSecrets/0'"},
		"a name that is too long":         {"fullnameOverride: " + strings.Repeat("a", 53), "at '/fullnameOverride'"},
		"a label that the chart sets":     {"commonLabels: {app.kubernetes.io/name: other}", "at '/commonLabels/app.kubernetes.io~1name'"},
		"a label that is a number":        {"podLabels: {version: 3}", "at '/podLabels/version'"},
		"an annotation that is a truth":   {"podAnnotations: {injected: false}", "at '/podAnnotations/injected'"},
		"a peer that there is not":        {"networkPolicy: {webhookFrom: [{cidr: 10.0.0.0/8}]}", "at '/networkPolicy/webhookFrom/0'"},
		"no way to the API server":        {"networkPolicy: {apiServerPorts: []}", "at '/networkPolicy/apiServerPorts'"},
		"a budget of none":                {"podDisruptionBudget: {maxUnavailable: 0}", "at '/podDisruptionBudget/maxUnavailable'"},
		"a budget of no percent":          {"podDisruptionBudget: {maxUnavailable: 0%}", "at '/podDisruptionBudget/maxUnavailable'"},
		"resources one level too high":    {"resources: {cpu: 1}", "at '/resources'"},
		"a variable without a name":       {"extraEnv: [{value: a}]", "at '/extraEnv/0'"},
		"a render mode that there is not": {"metrics: {serviceMonitor: {renderMode: auto}}", "at '/metrics/serviceMonitor/renderMode'"},
		"an interval without a unit":      {"metrics: {podMonitor: {interval: '15'}}", "at '/metrics/podMonitor/interval'"},
		"a page that is no address":       {"prometheusRule: {runbookURL: docs/runbooks.md}", "at '/prometheusRule/runbookURL'"},
		"an issuer without a name":        {"webhook: {tls: {mode: cert-manager, certManager: {issuerRef: {kind: ClusterIssuer}}}}", "at '/webhook/tls/certManager/issuerRef'"},
		"a constraint without a key":      {"topologySpreadConstraints: [{maxSkew: 1}]", "at '/topologySpreadConstraints/0'"},
		"two volumes for traces":          {"recording: {volume: {emptyDir: {}, hostPath: {path: /}}}", "at '/recording/volume'"},
		"traces of nothing":               {"recording: {limit: 1}", "at '/recording/limit'"},
		"an object without a name":        {"extraObjects: [{kind: ConfigMap, apiVersion: v1}]", "at '/extraObjects/0'"},
		"a user of another kind":          {"rbac: {users: [{kind: Role, name: dev}]}", "at '/rbac/users/0/kind'"},
		"a user without a name":           {"rbac: {users: [{kind: User}]}", "at '/rbac/users/0'"},
		"ports that are no range":         {"activator: {ports: '20000'}", "at '/activator/ports'"},
		"an activator of another kind":    {"activator: {kind: StatefulSet}", "at '/activator/kind'"},
		"no activators":                   {"activator: {replicas: 0}", "at '/activator/replicas'"},

		"ports that begin with an odd one":   {"activator: {enabled: true, ports: 20001-29999}", `activator.ports: "20001-29999": must be two ports from 1024 to 65535, an even one and a larger odd one`},
		"ports that end before they begin":   {"activator: {enabled: true, ports: 30000-20001}", `activator.ports: "30000-20001": must be`},
		"a port among those of activators":   {"{metrics: {port: 20080}, activator: {enabled: true}}", "metrics.port: 20080, which is among activator.ports (20000-29999): must be another port"},
		"a propagation beyond all":           {"activator: {enabled: true, propagation: 10m}", "activator.propagation: 10m: must be from 1s to 2m"},
		"activators without a leader":        {"{replicas: 1, controller: {leaderElection: false}, activator: {enabled: true}}", "activator.enabled: true, while controller.leaderElection is false"},
		"leaders without an election":        {"controller: {leaderElection: false}", "replicas: 2, while controller.leaderElection is false: must be at most 1"},
		"failing closed with one replica":    {"{replicas: 1, webhook: {failurePolicy: Fail}}", "webhook.failurePolicy: Fail, while replicas is 1: must be Ignore, or replicas at least 2"},
		"failing closed with none":           {"{replicas: 0, webhook: {failurePolicy: Fail}}", "webhook.failurePolicy: Fail, while replicas is 0"},
		"an account without a name":          {"serviceAccount: {create: false}", "serviceAccount.name: empty, while serviceAccount.create is false"},
		"two ports that are one":             {"metrics: {port: 8081}", "metrics.port: 8081, which is healthPort too"},
		"the webhook's port twice":           {"webhook: {port: 8080}", "webhook.port: 8080, which is metrics.port too"},
		"looks without a pause":              {"controller: {syncPeriod: 1ms}", "controller.syncPeriod: 1ms: must be from 100ms to 1h"},
		"a resolution of a moment":           {"controller: {metricsResolution: 1ms}", "controller.metricsResolution: 1ms: must be from 1s to 10m"},
		"an endless window":                  {"controller: {downscaleStabilization: 1000h}", "controller.downscaleStabilization: 1000h: must be from 0s to 1h"},
		"an endless warm-up":                 {"controller: {defaultWarmUp: 31m}", "controller.defaultWarmUp: 31m: must be from 0s to 30m"},
		"a window of half seconds":           {"controller: {downscaleStabilization: 1500ms}", "controller.downscaleStabilization: 1500ms: must be whole seconds"},
		"a CA for a moment":                  {"webhook: {tls: {caDuration: 1s}}", "webhook.tls.caDuration: 1s: must be from 10s to 87600h"},
		"a certificate of more than a year":  {"webhook: {tls: {certificateDuration: 8761h, caDuration: 87600h}}", "webhook.tls.certificateDuration: 8761h: must be from 10s to 8760h"},
		"a certificate that outlives its CA": {"webhook: {tls: {caDuration: 50h30m, certificateDuration: 50h31m}}", "webhook.tls.certificateDuration: 50h31m: must be at most webhook.tls.caDuration (50h30m)"},
		"hosts of somebody's certificate":    {"webhook: {hosts: [a.example.com], tls: {mode: existing-secret, existingSecret: {name: tls}}}", "webhook.hosts: set, while webhook.tls.mode is existing-secret"},
		"a dashboard of nothing":             {"{metrics: {enabled: false}, dashboard: {enabled: true}}", "dashboard.enabled: true, while metrics.enabled is false"},
		"the kubelet's port":                 {"hostNetwork: true", "webhook.port: 10250, while hostNetwork is true"},
		"a user namespace of the host's":     {"{hostNetwork: true, hostUsers: false, webhook: {port: 10260}}", "hostUsers: false, while hostNetwork is true"},
		"a variable that the chart sets":     {"extraEnv: [{name: POD_NAMESPACE, value: x}]", "extraEnv: has POD_NAMESPACE"},
		"the pod's name, which it sets, too": {"extraEnv: [{name: POD_NAME, value: x}]", "extraEnv: has POD_NAME, which"},
		"users without a Lease":              {"{replicas: 1, controller: {leaderElection: false}, rbac: {users: [{kind: Group, name: dev}]}}", "rbac.users: set, while controller.leaderElection is false: must be empty"},
		"users without roles":                {"rbac: {create: false, users: [{kind: Group, name: dev}]}", "rbac.users: set, while rbac.create is false: must be empty"},
		"a user of a namespace":              {"rbac: {users: [{kind: User, name: dev, namespace: shop}]}", "rbac.users[0].namespace: \"shop\", while its kind is User: must be empty"},
		"an account of no namespace":         {"rbac: {users: [{kind: ServiceAccount, name: dev}]}", "rbac.users[0].namespace: empty, while its kind is ServiceAccount: must be"},
		"a limit that is no amount":          {"resources: {limits: {memory: 256MB}}", `resources.limits.memory: "256MB": must be an amount such as 256Mi`},
		"a flag that a value sets":           {"controller: {extraArgs: [--hpa-compat, --log-level=debug]}", "controller.extraArgs: has --log-level: must be set by controller.logLevel"},
		"a flag that there is not":           {"controller: {extraArgs: [--no-such-flag=1]}", "controller.extraArgs: has --no-such-flag, which the program does not know: must be of context, "},
		"a flag of the recording":            {"controller: {extraArgs: [--record=/tmp]}", "controller.extraArgs: has --record: must be set by recording.enabled"},
		"an image that nobody has published": {"image: {tag: ''}", `image.repository: ghcr.io/mini-hpa/mini-hpa, where no image of this chart is published, because it is not from a release: must be the registry`},
		"a repository with a tag":            {"image: {repository: 'my/reg:v1'}", `image.repository: "my/reg:v1": must be without a tag, which is image.tag`},
		"a flag of the sources":              {"controller: {extraArgs: [--sources=/a]}", "controller.extraArgs: has --sources: must be set by sources"},
		"a flag of the kinds":                {"controller: {extraArgs: [--kinds=a.example.com]}", "controller.extraArgs: has --kinds: must be set by controller.kinds"},
		"a flag that a name sets":            {"controller: {extraArgs: [--webhook-service=other]}", "controller.extraArgs: has --webhook-service: must be set by fullnameOverride"},
		"watching the release's namespace":   {"controller: {watchNamespace: mini-hpa}", `controller.watchNamespace: "mini-hpa": must not be the release's namespace`},
		"watching an excluded namespace":     {"controller: {watchNamespace: kube-system}", `controller.watchNamespace: "kube-system": must not be`},
		"testing in the release's namespace": {"tests: {namespace: mini-hpa}", `tests.namespace: "mini-hpa": must be one about which the webhook is asked`},
		"testing where nothing is asked":     {"webhook: {excludedNamespaces: [default]}", `tests.namespace: "default": must be one about which the webhook is asked`},
		"a flag of the class":                {"controller: {extraArgs: [--class=a]}", "controller.extraArgs: has --class: must be set by controller.class"},
		"requests of a class":                {"{controller: {class: batch}, activator: {enabled: true}}", `activator.enabled: true, while controller.class is "batch": must be false`},
		"testing where nobody watches":       {"{controller: {watchNamespace: shop}, tests: {namespace: default}}", `tests.namespace: "default": must be controller.watchNamespace ("shop")`},
		"a secret without a name":            {"webhook: {tls: {mode: existing-secret}}", "webhook.tls.existingSecret.name: empty"},
		"a secret that nobody reads":         {"webhook: {tls: {existingSecret: {name: c}}}", `webhook.tls.existingSecret.name: "c", while webhook.tls.mode is self-signed`},
		"an issuer that nobody asks":         {"webhook: {tls: {certManager: {issuerRef: {name: ca}}}}", "webhook.tls.certManager.issuerRef: set, while webhook.tls.mode is self-signed"},
		"a PodMonitor without a token":       {"metrics: {secure: {enabled: true}, podMonitor: {enabled: true}}", "metrics.secure.token: empty, while metrics.podMonitor.enabled is true: must name a Secret"},
		"readers of what anybody may read":   {"metrics: {secure: {readers: [{kind: Group, name: sre}]}}", "metrics.secure.readers: set, while rbac.create, metrics.enabled or metrics.secure.enabled is false"},
		"a reader of no namespace":           {"metrics: {secure: {enabled: true, readers: [{kind: ServiceAccount, name: prom}]}}", "metrics.secure.readers[0].namespace: empty, while its kind is ServiceAccount"},
		"a flag of secure metrics":           {"controller: {extraArgs: [--metrics-secure]}", "controller.extraArgs: has --metrics-secure: must be set by metrics.secure.enabled"},
		"two monitors":                       {"metrics: {serviceMonitor: {enabled: true}, podMonitor: {enabled: true}}", "metrics.podMonitor.enabled: true, while metrics.serviceMonitor.enabled is"},
		"a monitor without metrics":          {"metrics: {enabled: false, podMonitor: {enabled: true}}", "metrics.podMonitor.enabled: true, while metrics.enabled is false"},
		"alerts without metrics":             {"{metrics: {enabled: false}, prometheusRule: {enabled: true}}", "prometheusRule.enabled: true, while metrics.enabled is false"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for helm, render := range engines() {
				_, err := render(rendering(t, parsed(t, []byte(test.values))))
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("%s with %s:\ngot  %v\nwant %s", helm, test.values, err, test.want)
				}
			}
		})
	}
}

func TestAllContradictionsAreToldAtOnce(t *testing.T) {
	t.Parallel()
	_, err := templateHelm4(rendering(t, parsed(t, []byte("{controller: {leaderElection: false}, serviceAccount: {create: false}, metrics: {port: 10250}}"))))
	for _, want := range []string{"\nreplicas: 2", "\nserviceAccount.name: empty", "\nwebhook.port: 10250, which is metrics.port too"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestValuesThatLookWrongAndAreNot(t *testing.T) {
	t.Parallel()
	for name, values := range map[string]string{
		"no replicas at all, for a pause":      "replicas: 0",
		"failing closed with one, on purpose":  "{replicas: 1, webhook: {failurePolicy: Fail, acceptFailClosedWithOneReplica: true}}",
		"the same port, of which one is shut":  "{metrics: {enabled: false, port: 10250}}",
		"watching one's own, without webhook":  "{controller: {watchNamespace: mini-hpa}, webhook: {enabled: false}}",
		"no excluded namespaces":               "webhook: {excludedNamespaces: []}",
		"excluded namespaces that are null":    "webhook: {excludedNamespaces: null}",
		"a tolerance in percent":               "controller: {tolerance: 10%}",
		"a port that the kubelet does not use": "{hostNetwork: true, webhook: {port: 10260}}",
		"a repository with a port":             "image: {repository: 'registry.example.com:5000/team/mini-hpa'}",
		"durations of several units":           "{controller: {syncPeriod: 59m60s, downscaleStabilization: 0s, metricsResolution: 1.5s}, webhook: {tls: {caDuration: 87600h, certificateDuration: 8760h}}}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for helm, render := range engines() {
				if _, err := render(rendering(t, parsed(t, []byte(values)))); err != nil {
					t.Errorf("%s with %s: %v", helm, values, err)
				}
			}
		})
	}
}

// TestTheDefaultNamespaceCanBeTheReleases: nobody who leaves out --namespace is told that values contradict each other.
func TestTheDefaultNamespaceCanBeTheReleases(t *testing.T) {
	t.Parallel()
	o := rendering(t, nil)
	o.namespace = "default"
	if args := selftest(t, o.run(t).objects(t)).Spec.Containers[0].Args; !slices.Contains(args, "--namespace=kube-public") {
		t.Errorf("the test tries out in a namespace about which nobody is asked: %q", args)
	}
}

// key is a line of values.yaml that begins a value.
type key struct {
	path        string
	description string // from its "# --" comment, without backquotes; empty if it has none
}

// keys are those of values.yaml, in its order. Below one that is documented, they are part of its value.
func keys(t testing.TB) []key {
	t.Helper()
	line := regexp.MustCompile(`^( *)([A-Za-z]\w*):`)
	var found []key
	var stack []string
	var comment []string
	for text := range strings.Lines(string(read(t, "values.yaml"))) {
		text = strings.TrimRight(text, "\n")
		trimmed := strings.TrimSpace(text)
		match := line.FindStringSubmatch(text)
		switch {
		case strings.HasPrefix(trimmed, "# -- "):
			comment = []string{strings.TrimPrefix(trimmed, "# -- ")}
		case strings.HasPrefix(trimmed, "# @"):
		case strings.HasPrefix(trimmed, "# ") && comment != nil:
			comment = append(comment, strings.TrimPrefix(trimmed, "# "))
		case match != nil:
			stack = append(stack[:len(match[1])/2], match[2])
			found = append(found, key{strings.Join(stack, "."), strings.ReplaceAll(strings.Join(comment, " "), "`", "")})
			comment = nil
		default:
			comment = nil
		}
	}
	return found
}

// TestEveryValueIsDocumentedAndInTheSchema walks values.yaml and the schema together: a value has a comment, the schema says the
// same of it, and neither has what the other has not.
func TestEveryValueIsDocumentedAndInTheSchema(t *testing.T) {
	t.Parallel()
	var schema map[string]any
	if err := json.Unmarshal(read(t, "values.schema.json"), &schema); err != nil {
		t.Fatal(err)
	}
	documented, sections := map[string]string{}, map[string]bool{"": true}
	for _, k := range keys(t) {
		parent, _, _ := cutLast(k.path)
		switch {
		case !sections[parent]: // part of a value
		case k.description != "":
			documented[k.path] = k.description
		default:
			sections[k.path] = true
		}
	}
	described := map[string]string{}
	for path := range sections {
		part := at(schema, path)
		if part["additionalProperties"] != false && path != "global" { // a parent chart has globals of its own
			t.Errorf("%q is open for keys that nobody knows", path)
		}
		properties, _ := part["properties"].(map[string]any)
		for name, property := range properties {
			child := strings.TrimPrefix(path+"."+name, ".")
			if !sections[child] {
				text, _ := property.(map[string]any)["description"].(string)
				described[child] = text
			}
		}
	}
	if len(documented) < 80 {
		t.Errorf("%d values are documented", len(documented))
	}
	for path := range maps.Keys(documented) {
		if described[path] != documented[path] {
			t.Errorf("%s: values.yaml says %q, the schema %q", path, documented[path], described[path])
		}
	}
	for path := range maps.Keys(described) {
		if _, ok := documented[path]; !ok {
			t.Errorf("%s is in the schema, and not documented in values.yaml", path)
		}
	}
}

func cutLast(path string) (before, after string, found bool) {
	i := strings.LastIndex(path, ".")
	if i < 0 {
		return "", path, false
	}
	return path[:i], path[i+1:], true
}

// at is the part of a schema that is about a path, or nil.
func at(schema map[string]any, path string) map[string]any {
	if path == "" {
		return schema
	}
	for name := range strings.SplitSeq(path, ".") {
		properties, _ := schema["properties"].(map[string]any)
		schema, _ = properties[name].(map[string]any)
	}
	return schema
}

func TestTheSchemaIsOne(t *testing.T) {
	t.Parallel()
	text, err := jsonschema.UnmarshalJSON(bytes.NewReader(read(t, "values.schema.json")))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("values.schema.json", text); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("values.schema.json") // checks it against the draft that it names
	if err != nil {
		t.Fatal(err)
	}
	if schema.DraftVersion != 7 {
		t.Errorf("draft %d, want 7, which both versions of Helm know", schema.DraftVersion)
	}
}

func TestValuesAreFew(t *testing.T) {
	t.Parallel()
	if n := bytes.Count(read(t, "values.yaml"), []byte("\n")); n >= 340 {
		t.Errorf("values.yaml has %d lines, want fewer than 340", n)
	}
}
