package annotations

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations/podspec"
)

// copyOf shares nothing that a review could write to.
func copyOf(w *Workload) *Workload {
	own := *w
	own.Annotations, own.Template = maps.Clone(w.Annotations), w.Template.DeepCopy()
	return &own
}

// deploy makes a Deployment of containers with annotations, whose keys lack the prefix.
func deploy(pairs map[string]string, containers ...corev1.Container) *Workload {
	d := OfDeployment(&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", Annotations: map[string]string{}}})
	for key, value := range pairs {
		d.Annotations[Prefix+key] = value
	}
	d.Template.Spec.Containers = containers
	return d
}

// box makes a container; amounts are "cpu=1", "limit memory=1Gi" and so on.
func box(name string, amounts ...string) corev1.Container {
	c := corev1.Container{Name: name, Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{}, Limits: corev1.ResourceList{}}}
	for _, amount := range amounts {
		list := c.Resources.Requests
		if rest, ok := strings.CutPrefix(amount, "limit "); ok {
			list, amount = c.Resources.Limits, rest
		}
		what, value, _ := strings.Cut(amount, "=")
		list[corev1.ResourceName(what)] = resource.MustParse(value)
	}
	return c
}

func sidecar(c corev1.Container) corev1.Container {
	always := corev1.ContainerRestartPolicyAlways
	c.RestartPolicy = &always
	return c
}

// whole gives the pod amounts as a whole.
func whole(d *Workload, amounts ...string) *Workload {
	r := box("", amounts...).Resources
	d.Template.Spec.Resources = &r
	return d
}

func initially(d *Workload, containers ...corev1.Container) *Workload {
	d.Template.Spec.InitContainers = containers
	return d
}

func limitRange(name string, item corev1.LimitRangeItem) *corev1.LimitRange {
	return &corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{item}}}
}

func cpus(amount string) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(amount)}
}

// found renders a verdict as "Rule field", problems first.
func found(v Verdict) []string {
	var all []string
	for _, e := range v.Problems {
		all = append(all, e.Origin+" "+e.Field)
	}
	for _, w := range v.Warnings {
		all = append(all, "("+w.Rule+") "+w.Path())
	}
	return all
}

const (
	cpuOf0 = "spec.template.spec.containers[0].resources.requests[cpu]"
	cpuOf1 = "spec.template.spec.containers[1].resources.requests[cpu]"
)

func TestRequests(t *testing.T) {
	half := map[string]string{"target-cpu": "50", "max": "10"}
	with := func(pairs ...string) map[string]string {
		all := map[string]string{"max": "10"}
		for i := 0; i < len(pairs); i += 2 {
			all[pairs[i]] = pairs[i+1]
		}
		return all
	}
	ofContainer := corev1.LimitTypeContainer
	tests := map[string]struct {
		workload *Workload
		ranges   []*corev1.LimitRange
		want     []string
	}{
		"a request":                               {deploy(half, box("app", "cpu=100m")), nil, nil},
		"no request":                              {deploy(half, box("app")), nil, []string{"MissingRequest " + cpuOf0}},
		"one of two":                              {deploy(half, box("app", "cpu=1"), box("envoy")), nil, []string{"MissingRequest " + cpuOf1}},
		"the other resource":                      {deploy(half, box("app", "memory=1Gi")), nil, []string{"MissingRequest " + cpuOf0}},
		"an amount needs none":                    {deploy(with("target-cpu", "250m"), box("app")), nil, nil},
		"memory":                                  {deploy(with("target-memory", "70"), box("app", "cpu=1")), nil, []string{"MissingRequest spec.template.spec.containers[0].resources.requests[memory]"}},
		"both":                                    {deploy(with("target-memory", "70", "target-cpu", "50"), box("app")), nil, []string{"MissingRequest " + cpuOf0, "MissingRequest spec.template.spec.containers[0].resources.requests[memory]"}},
		"a sidecar without":                       {initially(deploy(half, box("app", "cpu=1")), sidecar(box("log"))), nil, []string{"MissingRequest spec.template.spec.initContainers[0].resources.requests[cpu]"}},
		"a sidecar with":                          {initially(deploy(half, box("app", "cpu=1")), sidecar(box("log", "cpu=1m"))), nil, nil},
		"an init container":                       {initially(deploy(half, box("app", "cpu=1")), box("setup")), nil, nil},
		"a limit only":                            {deploy(half, box("app", "limit cpu=1")), nil, []string{"(RequestFromLimit) spec.template.spec.containers[0].resources.limits[cpu]"}},
		"zero":                                    {deploy(half, box("app", "cpu=0")), nil, []string{"InvalidRequest " + cpuOf0}},
		"zero with a limit":                       {deploy(half, box("app", "cpu=0", "limit cpu=1")), nil, []string{"InvalidRequest " + cpuOf0}},
		"a limit of zero":                         {deploy(half, box("app", "limit cpu=0")), nil, []string{"InvalidRequest spec.template.spec.containers[0].resources.limits[cpu]"}},
		"1e20 wraps to 0":                         {deploy(half, box("app", "cpu=1e20")), nil, []string{"InvalidRequest " + cpuOf0}},
		"8Ei wraps below 0":                       {deploy(half, box("app", "cpu=8Ei")), nil, []string{"InvalidRequest " + cpuOf0}},
		"a million is the most":                   {deploy(half, box("app", "cpu=1M")), nil, nil},
		"more than a million":                     {deploy(half, box("app", "cpu=1000001")), nil, []string{"InvalidRequest " + cpuOf0}},
		"8Ei of memory":                           {deploy(with("target-memory", "70"), box("app", "memory=8Ei")), nil, []string{"InvalidRequest spec.template.spec.containers[0].resources.requests[memory]"}},
		"a LimitRange":                            {deploy(half, box("app")), []*corev1.LimitRange{limitRange("all", corev1.LimitRangeItem{Type: ofContainer, DefaultRequest: cpus("100m")})}, []string{"(RequestFromLimitRange) " + cpuOf0}},
		"a LimitRange's default":                  {deploy(half, box("app")), []*corev1.LimitRange{limitRange("all", corev1.LimitRangeItem{Type: ofContainer, Default: cpus("100m")})}, []string{"(RequestFromLimitRange) " + cpuOf0}},
		"a LimitRange's max":                      {deploy(half, box("app")), []*corev1.LimitRange{limitRange("all", corev1.LimitRangeItem{Type: ofContainer, Max: cpus("100m")})}, []string{"(RequestFromLimitRange) " + cpuOf0}},
		"a LimitRange for pods":                   {deploy(half, box("app")), []*corev1.LimitRange{limitRange("all", corev1.LimitRangeItem{Type: corev1.LimitTypePod, Max: cpus("1")})}, []string{"MissingRequest " + cpuOf0}},
		"a LimitRange of zero":                    {deploy(half, box("app")), []*corev1.LimitRange{limitRange("all", corev1.LimitRangeItem{Type: ofContainer, DefaultRequest: cpus("0"), Max: cpus("1")})}, []string{"MissingRequest " + cpuOf0}},
		"a LimitRange replaces no zero":           {deploy(half, box("app", "cpu=0")), []*corev1.LimitRange{limitRange("all", corev1.LimitRangeItem{Type: ofContainer, DefaultRequest: cpus("1")})}, []string{"InvalidRequest " + cpuOf0}},
		"the pod as a whole":                      {whole(deploy(half, box("app")), "cpu=1"), nil, nil},
		"a limit of the whole":                    {whole(deploy(half, box("app")), "limit cpu=1"), nil, []string{"(RequestFromLimit) spec.template.spec.resources.limits[cpu]"}},
		"the whole and some":                      {whole(deploy(half, box("app", "cpu=1"), box("envoy")), "limit cpu=2"), nil, nil},
		"zero as a whole":                         {whole(deploy(half, box("app")), "cpu=0"), nil, []string{"InvalidRequest spec.template.spec.resources.requests[cpu]"}},
		"the whole has only memory":               {whole(deploy(half, box("app")), "memory=1Gi"), nil, []string{"MissingRequest spec.template.spec.resources.requests[cpu]"}},
		"only memory as a whole, and":             {whole(deploy(half, box("app", "cpu=1"), box("envoy")), "memory=1Gi"), nil, nil},
		"the whole, and a container of zero":      {whole(deploy(half, box("app", "cpu=0")), "limit cpu=2"), nil, []string{"InvalidRequest " + cpuOf0}},
		"the whole, and too much":                 {whole(deploy(half, box("app", "cpu=1e20")), "memory=1Gi"), nil, []string{"InvalidRequest " + cpuOf0}},
		"the whole, and an init container":        {initially(whole(deploy(half, box("app")), "memory=1Gi"), box("setup", "cpu=100m")), nil, nil},
		"the whole, and a LimitRange":             {whole(deploy(half, box("app")), "memory=1Gi"), []*corev1.LimitRange{limitRange("all", corev1.LimitRangeItem{Type: ofContainer, DefaultRequest: cpus("100m")})}, []string{"(RequestFromLimitRange) " + cpuOf0}},
		"the whole, and a LimitRange of too much": {whole(deploy(half, box("app")), "memory=1Gi"), []*corev1.LimitRange{limitRange("all", corev1.LimitRangeItem{Type: ofContainer, DefaultRequest: cpus("1e20")})}, []string{"InvalidRequest " + cpuOf0}},
		"a LimitRange of too much":                {deploy(half, box("app")), []*corev1.LimitRange{limitRange("all", corev1.LimitRangeItem{Type: ofContainer, DefaultRequest: cpus("1e20")})}, []string{"InvalidRequest " + cpuOf0}},
		"storage":                                 {deploy(with("metrics", `[{type: Resource, resource: {name: ephemeral-storage, target: {type: Utilization, averageUtilization: 50}}}]`), box("app", "ephemeral-storage=2Gi")), nil, nil},
		"one container":                           {deploy(with("target-cpu", "50", "container", "app"), box("app", "cpu=1"), box("envoy")), nil, nil},
		"one container without":                   {deploy(with("target-cpu", "50", "container", "envoy"), box("app", "cpu=1"), box("envoy")), nil, []string{"MissingRequest " + cpuOf1}},
		"one container beside the whole":          {whole(deploy(with("target-cpu", "50", "container", "app"), box("app")), "cpu=1"), nil, []string{"MissingRequest " + cpuOf0}},
		"a container that is not there":           {deploy(with("target-cpu", "50", "container", "ap"), box("app", "cpu=1")), nil, []string{"UnknownContainer metadata.annotations[mini-hpa/container]"}},
		"nor for an amount":                       {deploy(with("target-cpu", "250m", "target-memory", "1Gi", "container", "ap"), box("app", "cpu=1")), nil, []string{"UnknownContainer metadata.annotations[mini-hpa/container]"}},
		"an init container is none":               {initially(deploy(with("target-cpu", "250m", "container", "setup"), box("app")), box("setup")), nil, []string{"UnknownContainer metadata.annotations[mini-hpa/container]"}},
		"the list": {deploy(with("metrics", `[{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}},
			{type: ContainerResource, containerResource: {container: x, name: cpu, target: {type: AverageValue, averageValue: 1}}}]`), box("app")), nil,
			[]string{"MissingRequest " + cpuOf0, "UnknownContainer metadata.annotations[mini-hpa/metrics][1].containerResource.container"}},
		"told once for two metrics": {deploy(with("target-cpu", "50", "metrics", `[{type: ContainerResource, containerResource: {container: app, name: cpu, target: {type: Utilization, averageUtilization: 50}}}]`), box("app")), nil,
			[]string{"MissingRequest " + cpuOf0}},
		"with other problems":        {deploy(map[string]string{"target-cpu": "50", "max": "none"}, box("app")), nil, []string{"InvalidAnnotations metadata.annotations[mini-hpa/max]", "MissingRequest " + cpuOf0}},
		"not for a target of nobody": {deploy(map[string]string{"target-cpu": "half", "max": "1"}, box("app")), nil, []string{"InvalidAnnotations metadata.annotations[mini-hpa/target-cpu]", "(FixedReplicas) metadata.annotations[mini-hpa/max]"}},
		"without annotations":        {deploy(nil, box("app")), nil, nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			before := copyOf(tc.workload)
			v := DefaultDefaults().Review(tc.workload, Surroundings{LimitRanges: tc.ranges})
			if diff := cmp.Diff(tc.want, found(v)); diff != "" {
				t.Errorf("(-want +got):\n%s\n%v %v", diff, v.Problems, v.Warnings)
			}
			if diff := cmp.Diff(before, tc.workload); diff != "" {
				t.Errorf("the workload was written to:\n%s", diff)
			}
			if hasPolicy := v.Policy.Max > 0; hasPolicy != (len(v.Problems) == 0 && Selected(tc.workload.Annotations)) {
				t.Errorf("policy %+v with problems %v", v.Policy, v.Problems)
			}
		})
	}
}

func TestMessagesSayWhatToDo(t *testing.T) {
	hpa := Surroundings{Autoscalers: []Autoscaler{{Kind: "HorizontalPodAutoscaler", Name: "web"}}}
	tests := map[string]struct {
		workload *Workload
		s        Surroundings
		want     string
	}{
		"missing": {deploy(map[string]string{"target-cpu": "50", "max": "9"}, box("app")), Surroundings{},
			`spec.template.spec.containers[0].resources.requests[cpu]: Required value: container "app" has no CPU request, and mini-hpa/target-cpu is a ` +
				`percentage of it; set its resources.requests.cpu, or make the target an amount such as "250m"`},
		"list": {deploy(map[string]string{"metrics": `[{type: Resource, resource: {name: memory, target: {type: Utilization, averageUtilization: 50}}}]`, "max": "9"}, box("app")), Surroundings{},
			`spec.template.spec.containers[0].resources.requests[memory]: Required value: container "app" has no memory request, and mini-hpa/metrics[0] is a ` +
				`percentage of it; set its resources.requests.memory, or use a target of type AverageValue`},
		"zero": {deploy(map[string]string{"target-cpu": "50", "max": "9"}, box("app", "cpu=0")), Surroundings{},
			`spec.template.spec.containers[0].resources.requests[cpu]: Invalid value: "0": must be above 0 because mini-hpa/target-cpu is a percentage of what container "app" requests`},
		"too much": {deploy(map[string]string{"target-cpu": "50", "max": "9"}, box("app", "cpu=8Ei")), Surroundings{},
			`spec.template.spec.containers[0].resources.requests[cpu]: Invalid value: "9223372036854775807": must be at most 1M because mini-hpa/target-cpu is a percentage of what container "app" requests`},
		"container": {deploy(map[string]string{"target-cpu": "50", "max": "9", "container": "web"}, box("app", "cpu=1"), box("envoy")), Surroundings{},
			`metadata.annotations[mini-hpa/container]: Invalid value: "web": must be a container of the pod template that runs as long as the pod: "app", "envoy"`},
		"conflict": {deploy(map[string]string{"target-cpu": "50", "max": "9"}, box("app", "cpu=1")), hpa,
			`metadata.annotations: Forbidden: HorizontalPodAutoscaler "web" already scales this Deployment, and two autoscalers would undo each other's changes: ` +
				`mini-hpa leaves the Deployment alone until that is gone; delete it, or set mini-hpa/mode to "observe" to only compare`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			v := DefaultDefaults().Review(tc.workload, tc.s)
			if len(v.Problems) != 1 {
				t.Fatalf("problems %v, want one", v.Problems)
			}
			if got := v.Problems[0].Error(); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestWhatIsNotKnownOnlyWarns(t *testing.T) {
	d := deploy(map[string]string{"target-cpu": "50", "max": "9"}, box("app"))
	v := DefaultDefaults().Review(d, Surroundings{Unknown: "LimitRanges cannot be read"})
	if diff := cmp.Diff([]string{"(UnverifiedRequest) " + cpuOf0}, found(v)); diff != "" {
		t.Error(diff)
	}
}

func TestOtherAutoscalersBesideAWatcher(t *testing.T) {
	for mode, want := range map[string]string{"auto": FoundConflict + " metadata.annotations", "observe": "(ObservedAutoscaler) metadata.annotations", "paused": "(ObservedAutoscaler) metadata.annotations"} {
		d := deploy(map[string]string{"target-cpu": "50", "max": "9", "mode": mode}, box("app", "cpu=1"))
		v := DefaultDefaults().Review(d, Surroundings{Autoscalers: []Autoscaler{{Kind: "ScaledObject", Name: "web"}}})
		if diff := cmp.Diff([]string{want}, found(v)); diff != "" {
			t.Errorf("%s: %s", mode, diff)
		}
	}
}

func TestMisplacedWithoutAnyOther(t *testing.T) {
	d := deploy(nil, box("app"))
	d.Template.Annotations = map[string]string{Max: "3"}
	if diff := cmp.Diff([]string{"(MisplacedAnnotation) spec.template.metadata.annotations"}, found(DefaultDefaults().Review(d, Surroundings{}))); diff != "" {
		t.Error(diff)
	}
}

func TestCopiesOnTheTemplateAreNotMisplaced(t *testing.T) {
	for value, want := range map[string][]string{"9": nil, "8": {"(MisplacedAnnotation) spec.template.metadata.annotations"}} {
		d := deploy(map[string]string{"target-cpu": "50", "max": "9"}, box("app", "cpu=1"))
		d.Template.Annotations = map[string]string{Max: value, "other": "x"}
		if diff := cmp.Diff(want, found(DefaultDefaults().Review(d, Surroundings{}))); diff != "" {
			t.Errorf("%s: %s", value, diff)
		}
	}
}

// TestInjectedContainers: a container may be named that the template lacks, where something says that it will be there.
func TestInjectedContainers(t *testing.T) {
	const unknown, warned = "UnknownContainer metadata.annotations[mini-hpa/container]", "(InjectedContainer) metadata.annotations[mini-hpa/container]"
	tests := map[string]struct {
		container           string
		labels, annotations map[string]string
		s                   Surroundings
		want                string
	}{
		"a slip":                            {container: "ap", want: unknown},
		"Istio's":                           {container: "istio-proxy", want: warned},
		"announced by a label":              {container: "proxy", labels: map[string]string{"sidecar.istio.io/inject": "true"}, want: warned},
		"announced by a revision":           {container: "proxy", labels: map[string]string{"istio.io/rev": "canary"}, want: warned},
		"announced by an annotation":        {container: "proxy", annotations: map[string]string{"linkerd.io/inject": "enabled"}, want: warned},
		"Vault's":                           {container: "vault", annotations: map[string]string{"vault.hashicorp.com/agent-inject": "true"}, want: warned},
		"Dapr's":                            {container: "sidecar", annotations: map[string]string{"dapr.io/enabled": "true"}, want: warned},
		"OpenTelemetry's":                   {container: "collector", annotations: map[string]string{"sidecar.opentelemetry.io/inject": "shop"}, want: warned},
		"kept out":                          {container: "istio-proxy", labels: map[string]string{"sidecar.istio.io/inject": "false"}, want: unknown},
		"kept out by an annotation":         {container: "linkerd-proxy", annotations: map[string]string{"linkerd.io/inject": "disabled"}, want: unknown},
		"the namespace announces it":        {container: "proxy", s: Surroundings{Injection: "the namespace says so"}, want: warned},
		"the namespace does, the pod not":   {container: "proxy", labels: map[string]string{"sidecar.istio.io/inject": "false"}, s: Surroundings{Injection: "x"}, want: unknown},
		"the pods have it":                  {container: "proxy", s: Surroundings{Containers: []string{"proxy"}}, want: warned},
		"the pods have another":             {container: "proxy", s: Surroundings{Containers: []string{"log"}}, want: unknown},
		"another label of the same company": {container: "proxy", labels: map[string]string{"istio.io/dataplane-mode": "ambient"}, want: unknown},
		"Datadog's":                         {container: "agent", labels: map[string]string{"agent.datadoghq.com/sidecar": "fargate"}, want: warned},
		"Kuma's":                            {container: "proxy", labels: map[string]string{"kuma.io/sidecar-injection": "enabled"}, want: warned},
		"Consul's":                          {container: "proxy", annotations: map[string]string{"consul.hashicorp.com/connect-inject": "true"}, want: warned},
		"only the word":                     {container: "proxy", labels: map[string]string{"shop.example.com/injected-by": "us", "team": "injection"}, want: unknown},
		"of what ends":                      {container: "java", annotations: map[string]string{"instrumentation.opentelemetry.io/inject-java": "true"}, want: unknown},
		"of what runs":                      {container: "go", annotations: map[string]string{"instrumentation.opentelemetry.io/inject-go": "true"}, want: warned},
		"what goes with a secret":           {container: "vault", annotations: map[string]string{"vault.hashicorp.com/agent-inject-secret-db": "db"}, want: unknown},
		"only at the start":                 {container: "vault-agent", annotations: map[string]string{"vault.hashicorp.com/agent-inject": "true", "vault.hashicorp.com/agent-pre-populate-only": "true"}, want: unknown},
		"not only at the start":             {container: "vault-agent", annotations: map[string]string{"vault.hashicorp.com/agent-inject": "true", "vault.hashicorp.com/agent-pre-populate-only": "false"}, want: warned},
		"kept out, another one comes":       {container: "istio-proxy", labels: map[string]string{"sidecar.istio.io/inject": "false"}, annotations: map[string]string{"dapr.io/enabled": "true"}, want: unknown},
		"another one is kept out":           {container: "istio-proxy", annotations: map[string]string{"linkerd.io/inject": "disabled"}, want: warned},
		"kept out of a revision":            {container: "istio-proxy", labels: map[string]string{"istio.io/rev": "canary", "sidecar.istio.io/inject": "false"}, want: unknown},
		"a label before an annotation":      {container: "istio-proxy", labels: map[string]string{"sidecar.istio.io/inject": "false"}, annotations: map[string]string{"sidecar.istio.io/inject": "true"}, want: unknown},
		"the namespace, and kept out":       {container: "istio-proxy", annotations: map[string]string{"sidecar.istio.io/inject": "False"}, s: Surroundings{Injection: "x"}, want: unknown},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			for _, target := range []string{"50", "250m"} {
				d := deploy(map[string]string{"target-cpu": target, "max": "9", "container": tc.container}, box("app", "cpu=1"))
				d.Template.Labels, d.Template.Annotations = tc.labels, tc.annotations
				if diff := cmp.Diff([]string{tc.want}, found(DefaultDefaults().Review(d, tc.s))); diff != "" {
					t.Errorf("%s: %s", target, diff)
				}
			}
		})
	}
	setup := initially(deploy(map[string]string{"target-cpu": "50", "max": "9", "container": "proxy"}, box("app", "cpu=1")), box("proxy"))
	setup.Template.Labels = map[string]string{"sidecar.istio.io/inject": "true"}
	if diff := cmp.Diff([]string{unknown}, found(DefaultDefaults().Review(setup, Surroundings{Injection: "x", Containers: []string{"proxy"}}))); diff != "" {
		t.Errorf("an init container that ends: %s", diff)
	}
	placeholder := box("istio-proxy")
	placeholder.Image = PlaceholderImage
	d := deploy(map[string]string{"target-cpu": "50", "max": "9"}, box("app", "cpu=1"), placeholder)
	if diff := cmp.Diff([]string{"(InjectedContainer) " + cpuOf1}, found(DefaultDefaults().Review(d, Surroundings{}))); diff != "" {
		t.Errorf("a placeholder: %s", diff)
	}
}

// TestRunningIn: what only older pods have, or what ends before the others start, is not injected.
func TestRunningIn(t *testing.T) {
	pod := func(set types.UID, age int64, containers ...string) *podspec.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.Unix(-age, 0), OwnerReferences: []metav1.OwnerReference{{UID: set, Controller: new(true)}}}}
		for _, name := range containers {
			p.Spec.Containers = append(p.Spec.Containers, box(name))
		}
		p.Spec.InitContainers = []corev1.Container{sidecar(box("log")), box("setup")}
		return new(podspec.ReadPod(p))
	}
	for name, tc := range map[string]struct {
		pods []*podspec.Pod
		want []string
	}{
		"none":                     {},
		"one":                      {[]*podspec.Pod{pod("a", 1, "app", "proxy")}, []string{"app", "log", "proxy"}},
		"those of one template":    {[]*podspec.Pod{pod("a", 1, "app"), pod("a", 2, "app", "proxy")}, []string{"app", "log", "proxy"}},
		"those of an earlier one":  {[]*podspec.Pod{pod("a", 2, "app", "proxy"), pod("b", 1, "app")}, []string{"app", "log"}},
		"the others come later on": {[]*podspec.Pod{pod("b", 1, "app"), pod("a", 2, "app", "proxy")}, []string{"app", "log"}},
	} {
		if diff := cmp.Diff(tc.want, RunningIn(tc.pods)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestResizers: a VerticalPodAutoscaler is told where it changes what a target is a percentage of.
func TestResizers(t *testing.T) {
	type object = map[string]any
	target := object{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
	mode := func(value any) object {
		return object{"targetRef": target, "updatePolicy": object{"updateMode": value}}
	}
	policies := func(all ...any) object {
		return object{"targetRef": target, "resourcePolicy": object{"containerPolicies": all}}
	}
	memoryOnly := object{"containerName": "*", "controlledResources": []any{"memory"}}
	half := map[string]string{"target-cpu": "50", "max": "9"}
	tests := map[string]struct {
		spec  object
		pairs map[string]string
		want  bool
	}{
		"Auto":                        {mode("Auto"), half, true},
		"by default":                  {object{"targetRef": target}, half, true},
		"Initial":                     {mode("Initial"), half, true},
		"in place":                    {mode("InPlaceOrRecreate"), half, true},
		"Off":                         {mode("Off"), half, false},
		"memory only":                 {policies(memoryOnly), half, false},
		"memory only, and its target": {policies(memoryOnly), map[string]string{"target-memory": "50", "max": "9"}, true},
		"no resource":                 {policies(object{"controlledResources": []any{}}), half, false},
		"not this container":          {policies(object{"containerName": "app", "mode": "Off"}, object{"containerName": "log", "mode": "Off"}), half, false},
		"one of two":                  {policies(object{"containerName": "app", "mode": "Off"}), half, true},
		"not the one that counts":     {policies(object{"containerName": "app", "mode": "Off"}), map[string]string{"target-cpu": "50", "max": "9", "container": "app"}, false},
		"an amount":                   {mode("Auto"), map[string]string{"target-cpu": "50m", "max": "9"}, false},
		"in the list":                 {mode("Auto"), map[string]string{"max": "9", "metrics": "[{type: ContainerResource, containerResource: {name: cpu, container: app, target: {type: Utilization, averageUtilization: 50}}}]"}, true},
		"of another Deployment":       {object{"targetRef": object{"apiVersion": "apps/v1", "kind": "Deployment", "name": "api"}}, half, false},
		"of a StatefulSet":            {object{"targetRef": object{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web"}}, half, false},
		"of another group":            {object{"targetRef": object{"apiVersion": "x.io/v1", "kind": "Deployment", "name": "web"}}, half, false},
		"fields of another type":      {object{"targetRef": target, "updatePolicy": 1, "resourcePolicy": []any{}}, half, true},
		"nothing at all":              {nil, half, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var s Surroundings
			if r, of := ReadResizer("shop", "vpa", object{"spec": tc.spec}); of == DeploymentKey("shop", "web") {
				s.Resizers = []*Resizer{r}
			}
			v := DefaultDefaults().Review(deploy(tc.pairs, box("app", "cpu=1", "memory=1Gi"), box("log", "cpu=1", "memory=1Gi")), s)
			if got := strings.Contains(strings.Join(found(v), " "), "(ResizedRequest)"); got != tc.want || len(v.Problems) > 0 {
				t.Errorf("%v, want a warning: %t", found(v), tc.want)
			}
		})
	}
}

// TestReach: what is said of a target depends on how far usage can go.
func TestReach(t *testing.T) {
	with := func(pairs ...string) map[string]string {
		all := map[string]string{"max": "10"}
		for i := 0; i < len(pairs); i += 2 {
			all[pairs[i]] = pairs[i+1]
		}
		return all
	}
	limited := []*corev1.LimitRange{limitRange("all", corev1.LimitRangeItem{Type: corev1.LimitTypeContainer, Default: cpus("200m")})}
	tests := map[string]struct {
		workload *Workload
		ranges   []*corev1.LimitRange
		want     string
	}{
		"above the limit":          {deploy(with("target-cpu", "500"), box("app", "cpu=100m", "limit cpu=200m")), nil, "[mini-hpa/target-cpu]: 500% of the 100m that the pod requests is 500m, above its limit of 200m"},
		"an amount":                {deploy(with("target-cpu", "500m"), box("app", "cpu=100m", "limit cpu=200m")), nil, "the target is 500m, above its limit of 200m"},
		"an amount, no request":    {deploy(with("target-cpu", "500m"), box("app", "limit cpu=200m")), nil, "the target is 500m, above its limit of 200m"},
		"memory":                   {deploy(with("target-memory", "200%"), box("app", "memory=128Mi", "limit memory=192Mi")), nil, "200% of the 128Mi that the pod requests is 256Mi, above its limit of 192Mi"},
		"an amount of memory":      {deploy(with("target-memory", "1Gi"), box("app", "memory=128Mi", "limit memory=192Mi")), nil, "the target is 1Gi, above its limit of 192Mi"},
		"below":                    {deploy(with("target-cpu", "150"), box("app", "cpu=100m", "limit cpu=200m")), nil, ""},
		"no limit":                 {deploy(with("target-cpu", "500"), box("app", "cpu=100m")), nil, ""},
		"at the limit":             {deploy(with("target-cpu", "100"), box("app", "limit cpu=200m")), nil, "100% of the 200m that the pod requests is 200m, and replicas are only added above 220m (mini-hpa/tolerance): usage cannot get there, because the limit is 200m"},
		"within the tolerance":     {deploy(with("target-cpu", "95"), box("app", "cpu=1", "limit cpu=1")), nil, "only added above 1045m"},
		"with a smaller tolerance": {deploy(with("target-cpu", "95", "tolerance", "1%"), box("app", "cpu=1", "limit cpu=1")), nil, ""},
		"all containers":           {deploy(with("target-cpu", "300"), box("app", "cpu=100m", "limit cpu=200m"), box("log", "cpu=100m", "limit cpu=300m")), nil, "300% of the 200m that the pod requests is 600m, above its limit of 500m"},
		"one without a limit":      {deploy(with("target-cpu", "300"), box("app", "cpu=100m", "limit cpu=200m"), box("log", "cpu=100m")), nil, ""},
		"one container":            {deploy(with("target-cpu", "300", "container", "app"), box("app", "cpu=100m", "limit cpu=200m"), box("log", "cpu=100m")), nil, `300% of the 100m that container "app" requests is 300m, above its limit of 200m`},
		"a limit by default":       {deploy(with("target-cpu", "300"), box("app", "cpu=100m")), limited, "above its limit of 200m"},
		"of the pod as a whole":    {whole(deploy(with("target-cpu", "300"), box("app"), box("log")), "cpu=100m", "limit cpu=200m"), nil, "above its limit of 200m"},
		"a sidecar counts":         {initially(deploy(with("target-cpu", "150"), box("app", "cpu=100m", "limit cpu=100m")), sidecar(box("log", "cpu=100m", "limit cpu=100m"))), nil, "above its limit of 200m"},
		"in the list": {deploy(with("metrics", `[{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 500}}}]`), box("app", "cpu=100m", "limit cpu=200m")), nil,
			"[mini-hpa/metrics][0]: 500% of the 100m that the pod requests is 500m, above its limit of 200m"},
		"beyond any number":     {deploy(with("target-cpu", "500"), box("app", "cpu=100m", "limit cpu=1e30")), nil, ""},
		"a container too few":   {deploy(with("target-cpu", "500m", "container", "ap"), box("app", "cpu=100m", "limit cpu=200m")), nil, ""},
		"an exponent":           {deploy(with("target-cpu", "500"), box("app", "cpu=1e-1", "limit cpu=2e-1")), nil, "is 500m, above its limit of 200m"},
		"a large exponent":      {deploy(with("target-memory", "200"), box("app", "memory=1e3", "limit memory=15e2")), nil, "200% of the 1k that the pod requests is 2k, above its limit of 1500"},
		"decimal megabytes":     {deploy(with("target-memory", "1000000M"), box("app", "memory=100M", "limit memory=200M")), nil, "the target is 1T, above its limit of 200M"},
		"a fraction":            {deploy(with("target-cpu", "300"), box("app", "cpu=0.5", "limit cpu=1")), nil, "300% of the 500m that the pod requests is 1500m, above its limit of 1"},
		"thousandths":           {deploy(with("target-cpu", "2000m"), box("app", "cpu=1", "limit cpu=1500m")), nil, "the target is 2, above its limit of 1500m"},
		"other units":           {deploy(with("target-memory", "2Gi"), box("app", "memory=1G", "limit memory=1Gi")), nil, "the target is 2Gi, above its limit of 1Gi"},
		"what is injected":      {toIstio(deploy(with("target-cpu", "500"), box("app", "cpu=100m", "limit cpu=200m")), "true"), nil, ""},
		"what is kept out":      {toIstio(deploy(with("target-cpu", "500"), box("app", "cpu=100m", "limit cpu=200m")), "false"), nil, "above its limit of 200m"},
		"injected, one counts":  {toIstio(deploy(with("target-cpu", "500", "container", "app"), box("app", "cpu=100m", "limit cpu=200m")), "true"), nil, "above its limit of 200m"},
		"injected into a whole": {toIstio(whole(deploy(with("target-cpu", "300"), box("app")), "cpu=100m", "limit cpu=200m"), "true"), nil, "above its limit of 200m"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, w := range DefaultDefaults().Review(tc.workload, Surroundings{LimitRanges: tc.ranges}).Warnings {
				if w.Rule == FoundUnreachable {
					got = append(got, w.String())
				}
			}
			if want := tc.want != ""; len(got) > 1 || want != (len(got) == 1) || want && !strings.Contains(got[0], tc.want) {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

// TestCores: an amount of CPU is doubted where it is many cores, far above the request, and without a limit that says how far usage may go.
func TestCores(t *testing.T) {
	of := func(container, value string, boxes ...corev1.Container) *Workload {
		source := "{type: Resource, resource: {name: cpu, "
		if container != "" {
			source = "{type: ContainerResource, containerResource: {name: cpu, container: " + container + ", "
		}
		return deploy(map[string]string{"max": "9", "metrics": "[" + source + "target: {type: AverageValue, averageValue: '" + value + "'}}}]"}, boxes...)
	}
	small := box("app", "cpu=100m")
	limited := []*corev1.LimitRange{limitRange("all", corev1.LimitRangeItem{Type: corev1.LimitTypeContainer, Default: cpus("64")})}
	const at = "metadata.annotations[mini-hpa/metrics][0]."
	for name, tc := range map[string]struct {
		workload *Workload
		ranges   []*corev1.LimitRange
		want     string
	}{
		"as a percentage is written": {of("", "50", small), nil, at + "resource.target.averageValue: is 50 cores, and the pod requests 100m: replicas are only added above that; " +
			`for millicores write "50m", for a percentage of the request type: Utilization with averageUtilization: 50`},
		"as millicores are written":   {of("app", "250", small, box("log", "cpu=64")), nil, at + `containerResource.target.averageValue: is 250 cores, and container "app" requests 100m`},
		"millicores":                  {of("", "50m", small), nil, ""},
		"a few cores":                 {of("", "4", small), nil, ""},
		"many, and as many requested": {of("", "60", box("app", "cpu=64")), nil, ""},
		"ten times the request":       {of("", "10", box("app", "cpu=1")), nil, ""},
		"more than that":              {of("", "11", box("app", "cpu=1")), nil, "is 11 cores, and the pod requests 1: "},
		"no request":                  {of("", "50", box("app")), nil, ""},
		"a limit that allows it":      {of("", "50", box("app", "cpu=100m", "limit cpu=64")), nil, ""},
		"a limit by default":          {of("", "50", small), limited, ""},
		"what is injected":            {toIstio(of("", "50", small), "true"), nil, ""},
		"no such container":           {of("ap", "50", small), nil, ""},
		"with its unit":               {deploy(map[string]string{"target-cpu": "50000m", "max": "9"}, small), nil, ""},
		"memory":                      {deploy(map[string]string{"target-memory": "50Gi", "max": "9"}, box("app", "memory=1Mi")), nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, w := range DefaultDefaults().Review(tc.workload, Surroundings{LimitRanges: tc.ranges}).Warnings {
				if w.Rule == FoundDoubtful {
					got = append(got, w.String())
				}
			}
			if want := tc.want != ""; len(got) > 1 || want != (len(got) == 1) || want && !strings.Contains(got[0], tc.want) {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

// toIstio says whether it may inject its container.
func toIstio(d *Workload, value string) *Workload {
	d.Template.Labels = map[string]string{"sidecar.istio.io/inject": value}
	return d
}

// TestBytes: a fraction of a byte is told wherever it is, beside whatever else is wrong.
func TestBytes(t *testing.T) {
	of := func(container, name, value string) string {
		kind := "Resource"
		if container != "" {
			kind = "ContainerResource"
			container = "container: " + container + ", "
		}
		return "{type: " + kind + ", " + strings.ToLower(kind[:1]) + kind[1:] + ": {name: " + name + ", " + container + "target: {type: AverageValue, averageValue: " + value + "}}}"
	}
	const at, list = "metadata.annotations[mini-hpa/metrics]", "spec.template.spec."
	for name, tc := range map[string]struct {
		pairs map[string]string
		box   corev1.Container
		want  []string
	}{
		"none":                {map[string]string{"target-cpu": "50m", "max": "9"}, box("app", "memory=500Mi", "cpu=500m"), nil},
		"a request":           {map[string]string{"target-cpu": "50m", "max": "9"}, box("app", "memory=500m"), []string{list + "containers[0].resources.requests[memory]"}},
		"a limit":             {map[string]string{"target-cpu": "50m", "max": "ten"}, box("app", "limit memory=500m"), []string{list + "containers[0].resources.limits[memory]"}},
		"a target":            {map[string]string{"target-cpu": "50m", "max": "9", "metrics": "[" + of("", "memory", "500m") + "]"}, box("app"), []string{at + "[0].resource.target.averageValue"}},
		"of a container":      {map[string]string{"max": "9", "metrics": "[" + of("app", "cpu", "500m") + "," + of("app", "memory", "500m") + "]"}, box("app"), []string{at + "[1].containerResource.target.averageValue"}},
		"beside a problem":    {map[string]string{"max": "ten", "metrics": "[" + of("app", "memory", "500m") + "]"}, box("app"), []string{at + "[0].containerResource.target.averageValue"}},
		"of another resource": {map[string]string{"target-cpu": "50m", "max": "9"}, box("app", "ephemeral-storage=1500m"), []string{list + "containers[0].resources.requests[ephemeral-storage]"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, w := range DefaultDefaults().Review(deploy(tc.pairs, tc.box), Surroundings{}).Warnings {
				if strings.Contains(w.Message, "no whole number of bytes") {
					got = append(got, w.Path())
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestReplicasThatGo: what is said has the numbers, and what to do.
func TestReplicasThatGo(t *testing.T) {
	good := map[string]string{"target-cpu": "50", "max": "9"}
	fine := box("app", "cpu=1")
	of := func(d *Workload, n int32) *Workload {
		d.Replicas = n
		return d
	}
	for name, tc := range map[string]struct {
		before, after *Workload
		want          []string
	}{
		"with the first annotations": {of(deploy(nil, fine), 3), deploy(good, fine), []string{"goes from 3 to 1 with this change, and mini-hpa goes on from 1; the API server sets 1 once when the field disappears", `"kubectl scale deployment web --replicas=3" brings the replicas back`}},
		"later":                      {of(deploy(good, fine), 4), deploy(good, fine), []string{"changed from 4 to 1, but mini-hpa scales this Deployment and will change it again; the API server sets 1 once", "--replicas=4"}},
		"another number":             {of(deploy(nil, fine), 5), of(deploy(good, fine), 2), []string{"goes from 5 to 2 with this change, and mini-hpa goes on from 2; leave spec.replicas out of the manifest"}},
	} {
		tc.after.Name = "web"
		v := DefaultDefaults().ReviewUpdate(tc.before, tc.after, Surroundings{})
		for _, want := range tc.want {
			if len(v.Warnings) != 1 || !strings.Contains(v.Warnings[0].Message, want) {
				t.Errorf("%s: %v, want %q", name, v.Warnings, want)
			}
		}
	}
}

// TestAPausedRivalIsNone, as long as KEDA would take it for paused.
func TestAPausedRivalIsNone(t *testing.T) {
	const isRival, isPaused = FoundConflict + " metadata.annotations", "(" + FoundObservedAutoscaler + ") metadata.annotations"
	for pairs, want := range map[[2]string]string{
		{"autoscaling.keda.sh/paused", "true"}: isPaused, {"autoscaling.keda.sh/paused", "false"}: isRival, {"autoscaling.keda.sh/paused", "yes"}: isPaused,
		{"autoscaling.keda.sh/paused", ""}: isPaused, {"autoscaling.keda.sh/paused-replicas", "3"}: isPaused, {"autoscaling.keda.sh/paused-scale-in", "true"}: isRival, {"paused", "true"}: isRival,
	} {
		is, target := Scales(KindScaledObject, &metav1.ObjectMeta{Namespace: "shop", Name: "q", Annotations: map[string]string{pairs[0]: pairs[1]}}, autoscalingv2.CrossVersionObjectReference{Name: "web"})
		d := deploy(map[string]string{"target-cpu": "50", "max": "9"}, box("app", "cpu=1"))
		if diff := cmp.Diff([]string{want}, found(DefaultDefaults().Review(d, Surroundings{Autoscalers: []Autoscaler{is}}))); target != DeploymentKey("shop", "web") || diff != "" {
			t.Errorf("%q: %s", pairs, diff)
		}
	}
}

// TestRivalsAreBounded: a manifest may hold thousands that all name one Deployment.
func TestRivalsAreBounded(t *testing.T) {
	v := DefaultDefaults().Review(deploy(map[string]string{"target-cpu": "50", "max": "9"}, box("app", "cpu=1")), Surroundings{Autoscalers: make([]Autoscaler, 5000)})
	if len(v.Problems) != mostReported {
		t.Errorf("%d problems, want %d", len(v.Problems), mostReported)
	}
}

// TestAnUpdateAnswersForWhatItBrings: each case is a Deployment before and after.
func TestAnUpdateAnswersForWhatItBrings(t *testing.T) {
	good := map[string]string{"target-cpu": "50", "max": "10"}
	bad := map[string]string{"target-cpu": "50", "max": "none"}
	replicas := func(d *Workload, n int32) *Workload { d.Replicas = n; return d }
	with := func(key, value string) map[string]string {
		return map[string]string{"target-cpu": "50", "max": "10", key: value}
	}
	listed := func(container string) map[string]string {
		return map[string]string{"max": "10", "metrics": "[{type: ContainerResource, containerResource: {name: cpu, container: " + container + ", target: {type: Utilization, averageUtilization: 50}}}]"}
	}
	hpa := Surroundings{Autoscalers: []Autoscaler{{Kind: "HorizontalPodAutoscaler", Name: "web"}}}
	tests := map[string]struct {
		before, after *Workload
		s             Surroundings
		want          []string
	}{
		"the first annotations":               {deploy(nil, box("app")), deploy(good, box("app")), Surroundings{}, []string{"MissingRequest " + cpuOf0}},
		"a request is removed":                {deploy(good, box("app", "cpu=1")), deploy(good, box("app")), Surroundings{}, []string{"MissingRequest " + cpuOf0}},
		"nothing of it":                       {deploy(good, box("app")), deploy(good, box("app")), Surroundings{}, []string{"(UnchangedProblem) " + cpuOf0}},
		"another target":                      {deploy(good, box("app")), deploy(with("target-cpu", "60"), box("app")), Surroundings{}, []string{"(UnchangedProblem) " + cpuOf0}},
		"a container in front":                {deploy(good, box("app")), deploy(good, box("new", "cpu=1"), box("app")), Surroundings{}, []string{"(UnchangedProblem) " + cpuOf1}},
		"another without":                     {deploy(good, box("app")), deploy(good, box("app"), box("new")), Surroundings{}, []string{"MissingRequest " + cpuOf1, "(UnchangedProblem) " + cpuOf0}},
		"zero instead of none":                {deploy(good, box("app")), deploy(good, box("app", "cpu=0")), Surroundings{}, []string{"InvalidRequest " + cpuOf0}},
		"a bad value stays":                   {deploy(bad, box("app", "cpu=1")), deploy(bad, box("app", "cpu=2")), Surroundings{}, []string{"(UnchangedProblem) metadata.annotations[mini-hpa/max]"}},
		"a worse value":                       {deploy(bad, box("app", "cpu=1")), deploy(with("max", "any"), box("app", "cpu=1")), Surroundings{}, []string{"InvalidAnnotations metadata.annotations[mini-hpa/max]"}},
		"repaired":                            {deploy(bad, box("app", "cpu=1")), deploy(good, box("app", "cpu=1")), Surroundings{}, nil},
		"an HPA was there":                    {deploy(nil, box("app", "cpu=1")), deploy(good, box("app", "cpu=1")), hpa, []string{"(ConflictingAutoscaler) metadata.annotations"}},
		"an HPA came later":                   {deploy(good, box("app", "cpu=1")), deploy(with("max", "20"), box("app", "cpu=1")), hpa, []string{"(ConflictingAutoscaler) metadata.annotations"}},
		"another bad document":                {deploy(with("metrics", strings.Repeat("x", 100)+"a"), box("app", "cpu=1")), deploy(with("metrics", strings.Repeat("x", 100)+"b"), box("app", "cpu=1")), Surroundings{}, []string{"InvalidAnnotations metadata.annotations[mini-hpa/metrics]"}},
		"a metric before a bad one":           {deploy(with("metrics", "[{type: Odd}]"), box("app", "cpu=1")), deploy(with("metrics", "[{type: External, external: {metric: {name: q}, target: {type: Value, value: 1}}}, {type: Odd}]"), box("app", "cpu=1")), Surroundings{}, []string{"(UnchangedProblem) metadata.annotations[mini-hpa/metrics][1].type"}},
		"memory of the whole":                 {deploy(good, box("app")), whole(deploy(good, box("app")), "memory=1Gi"), Surroundings{}, []string{"(UnchangedProblem) spec.template.spec.resources.requests[cpu]"}},
		"no longer of the whole":              {whole(deploy(good, box("app")), "memory=1Gi"), deploy(good, box("app")), Surroundings{}, []string{"(UnchangedProblem) " + cpuOf0}},
		"a sidecar becomes one of the others": {initially(deploy(good, box("app", "cpu=1")), sidecar(box("log"))), deploy(good, box("app", "cpu=1"), box("log")), Surroundings{}, []string{"(UnchangedProblem) " + cpuOf1}},
		"observe becomes auto":                {deploy(with("mode", "observe"), box("app", "cpu=1")), deploy(good, box("app", "cpu=1")), hpa, []string{"(ConflictingAutoscaler) metadata.annotations"}},
		"replicas are set":                    {replicas(deploy(good, box("app", "cpu=1")), 5), replicas(deploy(good, box("app", "cpu=1")), 2), Surroundings{}, []string{"(ReplicasOverwritten) spec.replicas"}},
		"replicas are left out":               {replicas(deploy(good, box("app", "cpu=1")), 5), deploy(good, box("app", "cpu=1")), Surroundings{}, []string{"(ReplicasOverwritten) spec.replicas"}},
		"paused by 0":                         {replicas(deploy(good, box("app", "cpu=1")), 5), replicas(deploy(good, box("app", "cpu=1")), 0), Surroundings{}, nil},
		"resumed from 0":                      {replicas(deploy(good, box("app", "cpu=1")), 0), replicas(deploy(good, box("app", "cpu=1")), 5), Surroundings{}, nil},
		"replicas of a watcher":               {replicas(deploy(with("mode", "observe"), box("app", "cpu=1")), 5), replicas(deploy(with("mode", "observe"), box("app", "cpu=1")), 2), Surroundings{}, nil},
		"replicas at the start":               {replicas(deploy(nil, box("app", "cpu=1")), 5), replicas(deploy(good, box("app", "cpu=1")), 2), Surroundings{}, []string{"(ReplicasOverwritten) spec.replicas"}},
		"replicas go at the start":            {replicas(deploy(nil, box("app", "cpu=1")), 3), deploy(good, box("app", "cpu=1")), Surroundings{}, []string{"(ReplicasOverwritten) spec.replicas"}},
		"replicas go where an HPA was":        {replicas(deploy(nil, box("app", "cpu=1")), 3), deploy(good, box("app", "cpu=1")), hpa, []string{"(ConflictingAutoscaler) metadata.annotations", "(ReplicasOverwritten) spec.replicas"}},
		"replicas are left alone":             {replicas(deploy(nil, box("app", "cpu=1")), 3), replicas(deploy(good, box("app", "cpu=1")), 3), Surroundings{}, nil},
		"another problem hid it":              {deploy(with("target-cpu", "half"), box("app")), deploy(good, box("app")), Surroundings{}, []string{"(UnchangedProblem) " + cpuOf0}},
		"a zero was hidden":                   {deploy(with("metrics", "[{type: Odd}]"), box("app", "cpu=0")), deploy(good, box("app", "cpu=0")), Surroundings{}, []string{"(UnchangedProblem) " + cpuOf0}},
		"no metric hid it":                    {deploy(map[string]string{"max": "10"}, box("app")), deploy(good, box("app")), Surroundings{}, []string{"(UnchangedProblem) " + cpuOf0}},
		"an amount hid nothing":               {deploy(with("target-cpu", "250m"), box("app")), deploy(good, box("app")), Surroundings{}, []string{"MissingRequest " + cpuOf0}},
		"hidden, and a bad value comes":       {deploy(with("target-cpu", "half"), box("app")), deploy(with("max", "ten"), box("app")), Surroundings{}, []string{"InvalidAnnotations metadata.annotations[mini-hpa/max]", "(UnchangedProblem) " + cpuOf0}},
		"hidden, and another goes missing":    {deploy(with("target-cpu", "half"), box("app"), box("log", "cpu=1")), deploy(good, box("app"), box("log")), Surroundings{}, []string{"MissingRequest " + cpuOf1, "(UnchangedProblem) " + cpuOf0}},
		"hidden, and a wrong container comes": {deploy(with("target-cpu", "half"), box("app", "cpu=1")), deploy(with("container", "ap"), box("app", "cpu=1")), Surroundings{}, []string{"UnknownContainer metadata.annotations[mini-hpa/container]"}},
		"a wrong container hid it":            {deploy(with("container", "ap"), box("app")), deploy(with("container", "app"), box("app")), Surroundings{}, []string{"(UnchangedProblem) " + cpuOf0}},
		"it hid it, and goes":                 {deploy(with("container", "ap"), box("app")), deploy(good, box("app")), Surroundings{}, []string{"(UnchangedProblem) " + cpuOf0}},
		"it hid it, and is there now":         {deploy(with("container", "ap"), box("app")), deploy(with("container", "ap"), box("ap")), Surroundings{}, []string{"(UnchangedProblem) " + cpuOf0}},
		"it hid a zero":                       {deploy(with("container", "ap"), box("app", "cpu=0")), deploy(with("container", "app"), box("app", "cpu=0")), Surroundings{}, []string{"(UnchangedProblem) " + cpuOf0}},
		"it hid one of two":                   {deploy(with("container", "ap"), box("app", "cpu=1"), box("log")), deploy(good, box("app", "cpu=1"), box("log")), Surroundings{}, []string{"(UnchangedProblem) " + cpuOf1}},
		"it hid one of the list":              {deploy(listed("ap"), box("app")), deploy(listed("app"), box("app")), Surroundings{}, []string{"(UnchangedProblem) " + cpuOf0}},
		"it hid one of a whole":               {whole(deploy(with("container", "ap"), box("app")), "cpu=1"), whole(deploy(with("container", "app"), box("app")), "cpu=1"), Surroundings{}, []string{"(UnchangedProblem) " + cpuOf0}},
		"it hid a whole":                      {whole(deploy(with("container", "ap"), box("app")), "cpu=0"), whole(deploy(good, box("app")), "cpu=0"), Surroundings{}, []string{"(UnchangedProblem) spec.template.spec.resources.requests[cpu]"}},
		"it hid no request that goes":         {deploy(with("container", "ap"), box("app", "cpu=1")), deploy(with("container", "app"), box("app")), Surroundings{}, []string{"MissingRequest " + cpuOf0}},
		"it hid no new container":             {deploy(with("container", "ap"), box("app")), deploy(good, box("app"), box("log")), Surroundings{}, []string{"MissingRequest " + cpuOf1, "(UnchangedProblem) " + cpuOf0}},
		"it hid nothing of an amount":         {deploy(map[string]string{"target-cpu": "250m", "max": "10", "container": "ap"}, box("app")), deploy(with("container", "app"), box("app")), Surroundings{}, []string{"MissingRequest " + cpuOf0}},
		"another wrong container":             {deploy(with("container", "ap"), box("app")), deploy(with("container", "ab"), box("app")), Surroundings{}, []string{"UnknownContainer metadata.annotations[mini-hpa/container]"}},
		"a wrong container was hidden":        {deploy(map[string]string{"target-cpu": "half", "max": "10", "container": "ap"}, box("app")), deploy(with("container", "ap"), box("app")), Surroundings{}, []string{"(UnchangedProblem) metadata.annotations[mini-hpa/container]"}},
		"hidden twice":                        {deploy(map[string]string{"target-cpu": "half", "max": "10", "container": "ap"}, box("app")), deploy(with("container", "ap"), box("ap")), Surroundings{}, []string{"(UnchangedProblem) " + cpuOf0}},
		"renamed":                             {deploy(good, box("app")), deploy(good, box("web")), Surroundings{}, []string{"(UnchangedProblem) " + cpuOf0}},
		"renamed, and moved":                  {deploy(good, box("app"), box("log", "cpu=1")), deploy(good, box("log", "cpu=1"), box("web")), Surroundings{}, []string{"(UnchangedProblem) " + cpuOf1}},
		"renamed into a sidecar":              {deploy(good, box("app", "cpu=1"), box("log")), initially(deploy(good, box("app", "cpu=1")), sidecar(box("logs"))), Surroundings{}, []string{"(UnchangedProblem) spec.template.spec.initContainers[0].resources.requests[cpu]"}},
		"one for two":                         {deploy(good, box("app")), deploy(good, box("web"), box("log")), Surroundings{}, []string{"MissingRequest " + cpuOf1, "(UnchangedProblem) " + cpuOf0}},
		"renamed, and now zero":               {deploy(good, box("app")), deploy(good, box("web", "cpu=0")), Surroundings{}, []string{"InvalidRequest " + cpuOf0}},
		"renamed, and the request goes":       {deploy(good, box("app", "cpu=1")), deploy(good, box("web")), Surroundings{}, []string{"MissingRequest " + cpuOf0}},
		"paused":                              {deploy(nil, box("app")), deploy(with("mode", "paused"), box("app")), Surroundings{}, []string{"(MissingRequest) " + cpuOf0}},
		"no longer paused":                    {deploy(with("mode", "paused"), box("app")), deploy(good, box("app")), Surroundings{}, []string{"MissingRequest " + cpuOf0}},
		"no longer autoscaled":                {deploy(bad, box("app")), deploy(nil, box("app")), Surroundings{}, nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			v := DefaultDefaults().ReviewUpdate(tc.before, tc.after, tc.s)
			if diff := cmp.Diff(tc.want, found(v)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestExcuse(t *testing.T) {
	v := DefaultDefaults().Review(deploy(map[string]string{"target-cpu": "50", "max": "0"}, box("app")), Surroundings{}).Excuse(Excuse{FoundRolledBack, "a rollback"})
	want := []string{"(RolledBackProblem) metadata.annotations[mini-hpa/max]", "(RolledBackProblem) " + cpuOf0}
	if diff := cmp.Diff(want, found(v)); diff != "" {
		t.Error(diff)
	}
	if !strings.HasSuffix(v.Warnings[0].Message, "(a rollback)") {
		t.Errorf("warning %q, want the reason at its end", v.Warnings[0])
	}
}

// TestFindingsAreBounded, whatever a template and a list of metrics can do together.
func TestFindingsAreBounded(t *testing.T) {
	var metrics []string
	for i := range 150 {
		metrics = append(metrics, fmt.Sprintf(`{"type":"Resource","resource":{"name":"r%d","target":{"type":"Utilization","averageUtilization":1}}}`, i))
	}
	containers := make([]corev1.Container, 1000)
	for i := range containers {
		containers[i] = box(fmt.Sprint("c", i))
	}
	d := deploy(map[string]string{"max": "10", "metrics": "[" + strings.Join(metrics, ",") + "]"}, containers...)
	v := DefaultDefaults().Review(d, Surroundings{})
	if n := len(v.Problems); n != maxFindings {
		t.Errorf("%d problems, want %d", n, maxFindings)
	}
	update := DefaultDefaults().ReviewUpdate(d, d, Surroundings{})
	if len(update.Problems) > 0 || len(update.Warnings) != maxFindings {
		t.Errorf("an update that changes nothing: %d problems, %d warnings", len(update.Problems), len(update.Warnings))
	}
	d = deploy(map[string]string{"target-cpu": "50", "max": "10", "container": "none"}, containers...)
	if text := DefaultDefaults().Review(d, Surroundings{}).Problems[0].Error(); len(text) > 1000 {
		t.Errorf("%d characters of names", len(text))
	}
}

// TestARepairBringsNoOtherProblems, however many requests are still missing.
func TestARepairBringsNoOtherProblems(t *testing.T) {
	containers := make([]corev1.Container, 300)
	for i := range containers {
		containers[i] = box(fmt.Sprint("c", i))
	}
	pairs := map[string]string{"target-cpu": "50", "max": "10"}
	before, after := deploy(pairs, containers...), deploy(pairs, append([]corev1.Container{}, containers...)...)
	for i := range 50 {
		after.Template.Spec.Containers[i] = box(fmt.Sprint("c", i), "cpu=1")
	}
	v := DefaultDefaults().ReviewUpdate(before, after, Surroundings{})
	if len(v.Problems) > 0 || len(v.Warnings) != maxFindings {
		t.Errorf("%d problems, %d warnings; the first problem is %v", len(v.Problems), len(v.Warnings), v.Problems[:min(1, len(v.Problems))])
	}
}

// TestNamesOfResourcesAreQuoted: in a list of metrics they can be any text.
func TestNamesOfResourcesAreQuoted(t *testing.T) {
	d := deploy(map[string]string{"max": "10", "metrics": `[{"type":"Resource","resource":{"name":"x y: ` + strings.Repeat("z", 9000) + `","target":{"type":"Utilization","averageUtilization":1}}}]`}, box("app"))
	v := DefaultDefaults().Review(d, Surroundings{})
	if text := v.Problems.ToAggregate().Error(); len(v.Problems) != 1 || len(text) > 600 || !strings.Contains(text, `has no "x y: zzz`) {
		t.Errorf("%d problems in %d characters: %.200s", len(v.Problems), len(text), text)
	}
}

// TestEveryFindingHasARow, and is found by the name of one.
func TestEveryFindingHasARow(t *testing.T) {
	rows := map[string]bool{}
	for _, f := range Findings() {
		if f.When == "" || f.Fix == "" || strings.ContainsAny(f.When+f.Fix, "\n|") || rows[f.Name] {
			t.Errorf("row %q is incomplete, breaks the table or is there twice", f.Name)
		}
		rows[f.Name] = true
	}
	_, warnings, errs := parse(map[string]string{TargetCPU: " 5000 ", Min: "x", Metrics: "[{type: Odd}, {type: Pods, pods: {metric: {name: a, selector: {matchLabels: {\"-\": b}}}, target: {type: AverageValue, averageValue: 1}}}]", Behavior: "{scaleUp: {selectPolicy: Odd}}",
		Container: "A", "mini-hpa/maxi": "1", Tolerance: "1"})
	_, _, none := parse(map[string]string{Max: "1"})
	all := append(field.ErrorList{}, errs...)
	for _, e := range append(all, none...) {
		if !rows[e.Origin] {
			t.Errorf("problem %v has the origin %q, which has no row", e, e.Origin)
		}
	}
	for _, w := range warnings {
		if !rows[w.Rule] {
			t.Errorf("warning %v has the rule %q, which has no row", w, w.Rule)
		}
	}
}

// TestClaimsThatAreDeletedAreAWarning where replicas are written.
func TestClaimsThatAreDeletedAreAWarning(t *testing.T) {
	for mode, want := range map[string][]string{"auto": {"(DeletedClaims) spec.persistentVolumeClaimRetentionPolicy.whenScaled"}, "observe": nil, "paused": nil} {
		w := deploy(map[string]string{"target-cpu": "50", "max": "10", "mode": mode}, box("app", "cpu=100m"))
		if diff := cmp.Diff([]string(nil), found(DefaultDefaults().Review(w, Surroundings{}))); diff != "" {
			t.Errorf("%s, claims are kept (-want +got):\n%s", mode, diff)
		}
		w.DeletesClaims = true
		if diff := cmp.Diff(want, found(DefaultDefaults().Review(w, Surroundings{}))); diff != "" {
			t.Errorf("%s, claims are deleted (-want +got):\n%s", mode, diff)
		}
	}
}

// TestWithoutAPodTemplateNothingIsKnownOfRequests: an amount needs none, and nothing is refused. A template without containers is another
// thing.
func TestWithoutAPodTemplateNothingIsKnownOfRequests(t *testing.T) {
	const cpu, memory = "(NoPodTemplate) metadata.annotations[mini-hpa/target-cpu]", "(NoPodTemplate) metadata.annotations[mini-hpa/target-memory]"
	const container = "(NoPodTemplate) metadata.annotations[mini-hpa/container]"
	for name, tc := range map[string]struct {
		pairs map[string]string
		want  []string
	}{
		"a percentage":                  {map[string]string{"target-cpu": "50", "max": "10"}, []string{cpu}},
		"two":                           {map[string]string{"target-cpu": "50", "target-memory": "80", "max": "10"}, []string{cpu, memory}},
		"an amount":                     {map[string]string{"target-cpu": "250m", "max": "10"}, nil},
		"an amount of one container":    {map[string]string{"target-cpu": "250m", "container": "app", "max": "10"}, []string{container}},
		"a percentage of one container": {map[string]string{"target-cpu": "50", "container": "app", "max": "10"}, []string{cpu}},
		"external metrics":              {map[string]string{"max": "10", "metrics": `[{type: External, external: {metric: {name: queue}, target: {type: AverageValue, averageValue: 10}}}]`}, nil},
		"resource metrics": {map[string]string{"max": "10", "metrics": `[{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}]`},
			[]string{"(NoPodTemplate) metadata.annotations[mini-hpa/metrics][0]"}},
	} {
		w := deploy(tc.pairs)
		w.Template = nil
		v := DefaultDefaults().Review(w, Surroundings{})
		if diff := cmp.Diff(tc.want, found(v)); diff != "" || len(v.Problems) > 0 {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	before, after := deploy(map[string]string{"target-cpu": "50", "max": "10"}), deploy(map[string]string{"target-cpu": "50", "max": "10"}, box("app"))
	before.Template = nil
	if v := DefaultDefaults().ReviewUpdate(before, after, Surroundings{}); len(v.Problems) != 1 {
		t.Errorf("a template that comes without a request: %v, want it refused: the update brings it", found(v))
	}
}
