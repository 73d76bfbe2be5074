package annotations

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mini-hpa/mini-hpa/docs"
)

// TestAdmissionPage renders what docs/admission.md shows of the table of findings.
func TestAdmissionPage(t *testing.T) {
	docs.Keep(t, "../docs/admission.md", *update, map[string]string{
		"refused": "```text\n$ kubectl annotate deployment web mini-hpa/target-cpu=50 mini-hpa/max=10\n" +
			"The Deployment \"web\" is invalid: " + said(FoundMissingRequest) + "\n```",
		"findings":  findingsBlock(),
		"injectors": injectorKeys(),
	})
}

// findingsBlock has a section for each finding: what becomes of it, when it is found, how it is mended, and its words.
func findingsBlock() string {
	var b strings.Builder
	for _, f := range Findings() {
		verdict := "*Warning.*"
		switch {
		case f.Name == FoundConflict:
			verdict = "**Not scaled,** but stored with a warning."
		case f.Name == FoundInvalidField, f.Name == FoundUnscalable:
			verdict = "**An error.**"
		case f.Denies:
			verdict = "**Refused.**"
		}
		fmt.Fprintf(&b, "### %s\n\n%s %s %s\n\n", f.Name, verdict, f.When, f.Fix)
		if words := said(f.Name); words != "" {
			fmt.Fprintf(&b, "```text\n%s\n```\n\n", words)
		}
	}
	return b.String()
}

// sample is a Deployment that leads to a finding, with what is around it. Before is what an update starts from.
type sample struct {
	before, workload *Workload
	surroundings     Surroundings
}

// samples has one for each finding that Review can come to.
func samples() map[string]sample {
	half := map[string]string{"target-cpu": "50", "max": "10"}
	with := func(key, value string) map[string]string {
		return map[string]string{"target-cpu": "50", "max": "10", key: value}
	}
	fine := box("app", "cpu=100m")
	misplaced, before, after := deploy(nil, fine), deploy(half, fine), deploy(half, fine)
	misplaced.Template.Annotations = map[string]string{Max: "10"}
	before.Replicas, after.Replicas = 5, 2
	rollout := &Workload{Key: Key{Kind: schema.GroupKind{Group: "argoproj.io", Kind: "Rollout"}}, Annotations: deploy(half, fine).Annotations}
	claims := deploy(half, fine)
	claims.Key.Kind.Kind, claims.DeletesClaims = kindStatefulSet, true
	hpa := Surroundings{Autoscalers: []Autoscaler{{Kind: "HorizontalPodAutoscaler", Name: "web"}}}
	listed := Surroundings{Sources: catalogOf(`{name: prom, type: queries, namespaces: ["*"], queries: [{name: rps, query: "rate($window)", parameters: {window: {type: duration, min: 30s, max: 10m}}}]},
		{name: orders-kafka, type: topics, namespaces: ["*"], allow: {group: ["$namespace.*"], topic: ["$namespace.*"]}}`)}
	inShop := func(line string) *Workload {
		w := deploy(with("sources", line), fine)
		w.Namespace = "shop"
		return w
	}
	ranges := Surroundings{LimitRanges: []*corev1.LimitRange{limitRange("defaults", corev1.LimitRangeItem{Type: corev1.LimitTypeContainer, DefaultRequest: cpus("100m")})}}
	woken := func(service string, policies ...string) sample {
		return sample{workload: asked("requests", drained), surroundings: Surroundings{Services: readAll[corev1.Service](service), NetworkPolicies: readAll[networkingv1.NetworkPolicy](policies...),
			Activator: &Activator{Namespace: "mini-hpa"}}}
	}
	unwatched := asked("requests", drained)
	delete(unwatched.Annotations, SourcesKey)
	unwatched.Annotations[TargetCPU] = "250m"
	return map[string]sample{
		FoundInvalid:               {workload: deploy(map[string]string{"target-cpu": "50", "min": "3", "max": "2"}, fine)},
		FoundNoMetric:              {workload: deploy(map[string]string{"max": "10"}, fine)},
		FoundNothingWakes:          {workload: deploy(with("min", "0"), fine)},
		FoundNothingSaysIdle:       {workload: unwatched},
		FoundHeadlessService:       woken("{metadata: {name: web}, spec: {clusterIP: None, selector: {app: web}, ports: [{port: 80}]}}"),
		FoundNoSuchPort:            woken("{metadata: {name: web}, spec: {selector: {app: web}, ports: [{port: 53, protocol: UDP}]}}"),
		FoundServiceShared:         {workload: asked("requests", drained), surroundings: Surroundings{Services: readAll[corev1.Service](webService), Beside: []*Workload{{Key: DeploymentKey("shop", "canary"), Template: read[corev1.PodTemplateSpec](drained)}}}},
		FoundServiceConsent:        {workload: asked("requests service=db path=always", drained), surroundings: Surroundings{Services: readAll[corev1.Service]("{metadata: {name: db}, spec: {ports: [{port: 5432}]}}")}},
		FoundMeshedTarget:          {workload: asked("requests", strings.Replace(drained, "app: web", "app: web, sidecar.istio.io/inject: 'true'", 1))},
		FoundNetworkPolicyForbids:  woken(webService, "{metadata: {name: deny}, spec: {podSelector: {}}}"),
		FoundNoActivator:           {workload: asked("requests", drained), surroundings: Surroundings{Activator: &Activator{Off: true}}},
		FoundServiceMissing:        {workload: asked("requests service=api", drained), surroundings: Surroundings{Services: []*corev1.Service{}}},
		FoundNotReadyAddresses:     woken("{metadata: {name: web}, spec: {publishNotReadyAddresses: true, selector: {app: web}, ports: [{port: 80}]}}"),
		FoundNoDrain:               {workload: asked("requests", "{metadata: {labels: {app: web}}, spec: {containers: [{name: app}]}}")},
		FoundNetworkPolicyWidened:  woken(webService, "{metadata: {name: from-mini-hpa}, spec: {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: mini-hpa}}}]}]}}"),
		FoundLocalTraffic:          woken("{metadata: {name: web}, spec: {externalTrafficPolicy: Local, selector: {app: web}, ports: [{port: 80}]}}"),
		FoundSessionAffinity:       woken("{metadata: {name: web}, spec: {sessionAffinity: ClientIP, selector: {app: web}, ports: [{port: 80}]}}"),
		FoundUnknownSource:         {workload: inShop("order-kafka group=shop.orders topic=shop.orders target=100"), surroundings: listed},
		FoundUnknownQuery:          {workload: inShop("prom requests target=40"), surroundings: listed},
		FoundSourceForbidden:       {workload: inShop("orders-kafka group=shop.orders topic=billing.invoices target=100"), surroundings: listed},
		FoundBadParameter:          {workload: inShop("prom rps window=1s target=40"), surroundings: listed},
		FoundScheduleShadowed:      {workload: deploy(with("schedule", "daily 00:00-24:00 min=2\nMon-Fri 07:30-20:00 min=5"), fine)},
		FoundMissingRequest:        {workload: deploy(half, fine, box("envoy"))},
		FoundInvalidRequest:        {workload: deploy(half, box("app", "cpu=0"))},
		FoundUnknownContainer:      {workload: deploy(with("container", "web"), fine, box("envoy"))},
		FoundConflict:              {workload: deploy(half, fine), surroundings: hpa},
		FoundUnknownAnnotation:     {workload: deploy(with("minimum", "2"), fine)},
		FoundDoubtful:              {workload: deploy(map[string]string{"target-cpu": "1500", "max": "10"}, fine)},
		FoundInjected:              {workload: deploy(with("container", "istio-proxy"), fine)},
		FoundResized:               {workload: deploy(half, fine), surroundings: Surroundings{Resizers: []*Resizer{{Name: "web"}}}},
		FoundUnreachable:           {workload: deploy(map[string]string{"target-cpu": "500", "max": "10"}, box("app", "cpu=100m", "limit cpu=200m"))},
		FoundFixedReplicas:         {workload: deploy(with("min", "10"), fine)},
		FoundMisplaced:             {workload: misplaced},
		FoundRequestFromLimit:      {workload: deploy(half, box("app", "limit cpu=500m"))},
		FoundRequestFromLimitRange: {workload: deploy(half, box("app")), surroundings: ranges},
		FoundUnverifiedRequest:     {workload: deploy(half, box("app")), surroundings: Surroundings{Unknown: "LimitRanges cannot be read"}},
		FoundNoTemplate:            {workload: rollout},
		FoundDeletedClaims:         {workload: claims},
		FoundObservedAutoscaler:    {workload: deploy(with("mode", "observe"), fine), surroundings: hpa},
		FoundReplicasOverwritten:   {before: before, workload: after},
		FoundUnchanged:             {before: deploy(half, box("app")), workload: deploy(half, box("app"))},
	}
}

// said is what Review says about the sample of a finding, in full; empty for those that are not Review's.
func said(name string) string {
	s, ok := samples()[name]
	if !ok {
		return ""
	}
	v := DefaultDefaults().Review(s.workload, s.surroundings)
	if s.before != nil {
		v = DefaultDefaults().ReviewUpdate(s.before, s.workload, s.surroundings)
	}
	var lines []string
	for _, problem := range v.Problems {
		lines = append(lines, problem.Error())
	}
	for _, w := range v.Warnings {
		lines = append(lines, "Warning: "+w.String())
	}
	return strings.Join(lines, "\n")
}

// injectorKeys are the keys of the known injectors, by what injects.
func injectorKeys() string {
	var all []string
	for _, i := range injectors {
		all = append(all, "`"+strings.Join(i.keys, "`, `")+"`")
	}
	return strings.Join(all, ", ")
}

// TestEverySampleIsOfItsFinding alone, and only those that depend on the request have none.
func TestEverySampleIsOfItsFinding(t *testing.T) {
	for _, f := range Findings() {
		s, ok := samples()[f.Name]
		if !ok {
			if !slices.Contains([]string{FoundRolledBack, FoundInner, FoundUnchecked, FoundInvalidField, FoundUnscalable, FoundSchedulePast, FoundLimitBelowMax, FoundSourceSilent}, f.Name) {
				t.Errorf("%s has no sample", f.Name)
			}
			continue
		}
		v := DefaultDefaults().Review(s.workload, s.surroundings)
		if s.before != nil {
			v = DefaultDefaults().ReviewUpdate(s.before, s.workload, s.surroundings)
		}
		isProblem := len(v.Problems) == 1 && len(v.Warnings) == 0 && v.Problems[0].Origin == f.Name
		isWarning := len(v.Problems) == 0 && len(v.Warnings) == 1 && v.Warnings[0].Rule == f.Name
		if f.Denies != isProblem || !f.Denies != isWarning {
			t.Errorf("%s: %v", f.Name, found(v))
		}
	}
}
