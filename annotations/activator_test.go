package annotations

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// read is an object as somebody writes it, without what is the same for all.
func read[T any](text string) *T {
	object := new(T)
	if err := yaml.UnmarshalStrict([]byte(text), object); err != nil {
		panic(err) // the objects are written so that they are right
	}
	return object
}

func readAll[T any](texts ...string) []*T {
	all := make([]*T, len(texts))
	for i, text := range texts {
		all[i] = read[T](text)
	}
	return all
}

const (
	webService = "{metadata: {name: web}, spec: {clusterIP: 10.0.0.1, selector: {app: web}, ports: [{name: http, port: 80, targetPort: http}]}}"
	drained    = "{metadata: {labels: {app: web}}, spec: {containers: [{name: app, ports: [{name: http, containerPort: 8080}], lifecycle: {preStop: {sleep: {seconds: 10}}}}]}}"
)

// asked is a workload that requests wake, with nothing wrong.
func asked(line, template string) *Workload {
	return &Workload{Key: DeploymentKey("shop", "web"), Template: read[corev1.PodTemplateSpec](template),
		Annotations: map[string]string{Min: "0", Max: "10", SourcesKey: idleBy, WakeKey: line}}
}

// saidOf is all that is said of a workload, each with its rule.
func saidOf(w *Workload, s Surroundings) []string {
	v := DefaultDefaults().Review(w, s)
	var said []string
	for _, problem := range v.Problems {
		said = append(said, "! "+problem.Origin+" "+problem.Error())
	}
	for _, warning := range v.Warnings {
		said = append(said, "? "+warning.Rule+" "+warning.String())
	}
	return said
}

// onWake is a finding about mini-hpa/wake, as saidOf has it: "!" for a problem.
func onWake(sign, rule, line, message string) string {
	if sign == "!" {
		return "! " + rule + ` metadata.annotations[mini-hpa/wake]: Invalid value: "` + line + `": ` + message
	}
	return "? " + rule + " metadata.annotations[mini-hpa/wake]: " + message
}

func TestOnTheWayOfARequest(t *testing.T) {
	const named = "requests service=web"
	beside := func(name, line string) *Workload {
		w := asked(line, drained)
		if w.Name = name; line == "" {
			delete(w.Annotations, WakeKey)
		}
		return w
	}
	tests := map[string]struct {
		line     string
		template string
		services []string
		beside   []*Workload
		want     []string
	}{
		"nothing is wrong":              {line: "requests", services: []string{webService}},
		"nothing is known":              {line: named},
		"of several Services one fits":  {line: "requests", services: []string{webService, "{metadata: {name: db}, spec: {clusterIP: None, selector: {app: db}}}"}},
		"the named one is not there":    {line: "requests service=api,web", services: []string{webService}, want: []string{onWake("?", FoundServiceMissing, "", `there is no Service "api": until there is, its requests do not wake the workload`)}},
		"none selects the pods":         {line: "requests", services: []string{}, want: []string{onWake("?", FoundServiceMissing, "", "no Service selects the pods of the workload: until one does, no request wakes it")}},
		"a headless one":                {line: named, services: []string{"{metadata: {name: web}, spec: {clusterIP: None, selector: {app: web}, ports: [{port: 80}]}}"}, want: []string{onWake("!", FoundHeadlessService, named, `Service "web" is headless: its clients dial pods at the pods' port, where no activator listens. Give it a cluster IP, or name others with service=`)}},
		"a name in the DNS":             {line: named, services: []string{"{metadata: {name: web}, spec: {type: ExternalName, externalName: example.com, selector: {app: web}}}"}, want: []string{onWake("!", FoundNoSuchPort, named, `Service "web" is of type ExternalName: it is a name in the DNS, and nothing can be put in the way of its requests`)}},
		"UDP alone":                     {line: named, services: []string{"{metadata: {name: web}, spec: {clusterIP: 10.0.0.1, selector: {app: web}, ports: [{port: 53, protocol: UDP}]}}"}, want: []string{onWake("!", FoundNoSuchPort, named, `Service "web" has no TCP port, and only TCP can be held`)}},
		"UDP and TCP":                   {line: named, services: []string{"{metadata: {name: web}, spec: {clusterIP: 10.0.0.1, selector: {app: web}, ports: [{name: a, port: 53, protocol: UDP}, {name: b, port: 53, protocol: TCP}]}}"}},
		"somebody else's":               {line: "requests service=db", services: []string{"{metadata: {name: db}, spec: {clusterIP: 10.0.0.1, selector: {app: db}, ports: [{port: 80}]}}"}, want: []string{onWake("!", FoundServiceConsent, "requests service=db", `the selector of Service "db" does not fit the labels of the pod template: its requests are not for this workload`)}},
		"one outside of the cluster":    {line: "requests service=db", services: []string{"{metadata: {name: db}, spec: {clusterIP: 10.0.0.1, ports: [{port: 80}]}}"}, want: []string{onWake("!", FoundServiceConsent, "requests service=db", `Service "db" has no selector: its requests can only go to the workload with path=always, and if it says mini-hpa/activator: web`)}},
		"always, without consent":       {line: "requests service=db path=always", services: []string{"{metadata: {name: db}, spec: {clusterIP: 10.0.0.1, ports: [{port: 80}]}}"}, want: []string{onWake("!", FoundServiceConsent, "requests service=db path=always", `Service "db" has no selector and does not say mini-hpa/activator: web, without which nobody may lead its requests anywhere`)}},
		"always, with another's":        {line: "requests service=db path=always", services: []string{"{metadata: {name: db, annotations: {mini-hpa/activator: api}}, spec: {clusterIP: 10.0.0.1, ports: [{port: 80}]}}"}, want: []string{onWake("!", FoundServiceConsent, "requests service=db path=always", `Service "db" says mini-hpa/activator: "api", and this workload is "web"`)}},
		"always, with a selector":       {line: "requests service=web path=always", services: []string{webService}, want: []string{onWake("!", FoundServiceConsent, "requests service=web path=always", `Service "web" has a selector: with path=always it must have none, or requests would go past the activator`)}},
		"always, with consent":          {line: "requests service=db path=always target=5", services: []string{"{metadata: {name: db, annotations: {mini-hpa/activator: web}}, spec: {clusterIP: 10.0.0.1, ports: [{port: 80}]}}"}},
		"shared":                        {line: "requests", services: []string{webService}, beside: []*Workload{beside("canary", "")}, want: []string{onWake("!", FoundServiceShared, "requests", `Service "web" also selects the pods of Deployment "canary", which serve its requests while this workload sleeps. If that is meant, name it with service=`)}},
		"shared, and meant":             {line: named, services: []string{webService}, beside: []*Workload{beside("canary", "")}},
		"shared with one that sleeps":   {line: named, services: []string{webService}, beside: []*Workload{beside("canary", "requests")}, want: []string{onWake("!", FoundServiceShared, named, `Service "web" also selects the pods of Deployment "canary", which requests wake as well: it would not be known which of them a request is for`)}},
		"itself is not another one":     {line: named, services: []string{webService}, beside: []*Workload{beside("web", "requests")}},
		"it stays on its node":          {line: named, services: []string{"{metadata: {name: web}, spec: {externalTrafficPolicy: Local, selector: {app: web}, ports: [{port: 80}]}}"}, want: []string{onWake("?", FoundLocalTraffic, "", `Service "web" has externalTrafficPolicy: Local: a node sends requests to activators of its own only, and drops them if it has none. Run the activator as a DaemonSet (activator.kind of the chart)`)}},
		"it stays on its node, inside":  {line: named, services: []string{"{metadata: {name: web}, spec: {internalTrafficPolicy: Local, selector: {app: web}, ports: [{port: 80}]}}"}, want: []string{onWake("?", FoundLocalTraffic, "", `Service "web" has internalTrafficPolicy: Local: a node sends requests to activators of its own only, and drops them if it has none. Run the activator as a DaemonSet (activator.kind of the chart)`)}},
		"its clients stick":             {line: named, services: []string{"{metadata: {name: web}, spec: {sessionAffinity: ClientIP, selector: {app: web}, ports: [{port: 80}]}}"}, want: []string{onWake("?", FoundSessionAffinity, "", `Service "web" has sessionAffinity: ClientIP: while the workload sleeps, a client sticks to an activator, and goes to any pod afterwards`)}},
		"in a mesh, by a container":     {line: named, template: "{metadata: {labels: {app: web}}, spec: {containers: [{name: linkerd-proxy, lifecycle: {preStop: {exec: {command: [sleep, '10']}}}}]}}", want: []string{onWake("!", FoundMeshedTarget, named, `the pods are in a service mesh (container "linkerd-proxy"), which does not let the activator in where it demands mTLS`)}},
		"in a mesh, by an announcement": {line: named, template: strings.Replace(drained, "app: web", "app: web, sidecar.istio.io/inject: 'true'", 1), want: []string{onWake("!", FoundMeshedTarget, named, `the pods are in a service mesh (the pod template has "sidecar.istio.io/inject: true"), which does not let the activator in where it demands mTLS`)}},
		"no mesh, on purpose":           {line: named, template: strings.Replace(drained, "app: web", "app: web, sidecar.istio.io/inject: 'false'", 1)},
		"a name in colors":              {line: "requests", services: []string{"{metadata: {name: \"a\\e[31m\"}, spec: {clusterIP: None, selector: {app: web}, ports: [{port: 80}]}}"}, want: []string{onWake("!", FoundHeadlessService, "requests", "Service \"a\uFFFD[31m\" is headless: its clients dial pods at the pods' port, where no activator listens. Give it a cluster IP, or name others with service=")}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := Surroundings{Beside: tc.beside}
			if tc.services != nil {
				s.Services = readAll[corev1.Service](tc.services...)
			}
			template := tc.template
			if template == "" {
				template = drained
			}
			if diff := cmp.Diff(tc.want, saidOf(asked(tc.line, template), s)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAServiceIsHeldToTheLabelsThatAreKnown: of a custom resource without a template those of its selector, which a new one does not have yet.
func TestAServiceIsHeldToTheLabelsThatAreKnown(t *testing.T) {
	const named = "requests service=web"
	selecting := func(name string) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}}
	}
	consent := onWake("!", FoundServiceConsent, named, `the selector of Service "web" does not fit the labels of the pod template: its requests are not for this workload`)
	shared := onWake("!", FoundServiceShared, named, `Service "web" also selects the pods of Deployment "canary", which requests wake as well: it would not be known which of them a request is for`)
	for name, tc := range map[string]struct {
		own, beside *metav1.LabelSelector
		want        string
	}{
		"its own":                 {own: selecting("web")},
		"another's":               {own: selecting("db"), want: consent},
		"nothing is known yet":    {},
		"another one has it, too": {own: selecting("web"), beside: selecting("web"), want: shared},
	} {
		w, other := asked(named, drained), asked("requests", drained)
		w.Template, w.Selector = nil, tc.own
		other.Name, other.Template, other.Selector = "canary", nil, tc.beside
		said := strings.Join(saidOf(w, Surroundings{Services: readAll[corev1.Service](webService), Beside: []*Workload{other}}), "\n")
		if isSaid := strings.Contains(said, "Service \"web\""); isSaid != (tc.want != "") || !strings.Contains(said, tc.want) {
			t.Errorf("%s: said %q; want %q", name, said, tc.want)
		}
	}
}

func TestTheNamespaceIsInAMesh(t *testing.T) {
	namespace := NamespaceInjection(&metav1.ObjectMeta{Name: "shop", Labels: map[string]string{"istio-injection": "enabled"}})
	s := Surroundings{Injection: namespace}
	want := []string{onWake("!", FoundMeshedTarget, "requests", `the pods are in a service mesh (namespace "shop" has "istio-injection: enabled"), which does not let the activator in where it demands mTLS`)}
	if diff := cmp.Diff(want, saidOf(asked("requests", drained), s)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	s = Surroundings{Injection: NamespaceInjection(&metav1.ObjectMeta{Name: "shop", Labels: map[string]string{"dapr.io/enabled": "true"}})}
	if said := saidOf(asked("requests", drained), s); said != nil {
		t.Errorf("Dapr is no mesh: %v", said)
	}
}

// TestWhoGetsInWithTheActivator holds the policies to what they let in: port 8080 of the pods, which the template calls http.
func TestWhoGetsInWithTheActivator(t *testing.T) {
	const open = "spec: {podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress], ingress: "
	forbids := onWake("!", FoundNetworkPolicyForbids, "requests", `NetworkPolicy "p" forbids`)
	forbids = strings.Replace(forbids, " forbids", `: no rule lets the activator (namespace "mini-hpa") in to port "http" of the pods, so that requests which it holds never get there`, 1)
	widened := onWake("?", FoundNetworkPolicyWidened, "", `NetworkPolicy "p" lets the activator in, and with it everybody who can reach the Service: the pods take the activator for their client while it passes requests on`)
	tests := map[string]struct {
		policy string
		want   string
	}{
		"of other pods":              {"spec: {podSelector: {matchLabels: {app: db}}}", ""},
		"of what goes out":           {"spec: {podSelector: {}, policyTypes: [Egress]}", ""},
		"it denies all":              {"spec: {podSelector: {}}", forbids},
		"it lets all in":             {open + "[{}]}", ""},
		"from the namespace":         {open + "[{from: [{podSelector: {}}]}]}", forbids},
		"from mini-hpa":              {open + "[{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: mini-hpa}}}]}]}", widened},
		"from the activator alone":   {open + "[{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: mini-hpa}}, podSelector: {matchLabels: {app.kubernetes.io/component: activator}}}]}]}", widened},
		"from other pods of it":      {open + "[{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: mini-hpa}}, podSelector: {matchLabels: {app: other}}}]}]}", forbids},
		"from another namespace":     {open + "[{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ingress}}}]}]}", forbids},
		"from some, by expressions":  {open + "[{from: [{namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [ingress]}]}}]}]}", forbids},
		"from what is not known":     {open + "[{from: [{namespaceSelector: {matchLabels: {team: platform}}}]}]}", ""},
		"from everywhere inside":     {open + "[{from: [{namespaceSelector: {}}]}]}", ""},
		"from everywhere":            {open + "[{from: [{ipBlock: {cidr: 0.0.0.0/0}}]}]}", ""},
		"from addresses":             {open + "[{from: [{ipBlock: {cidr: 10.0.0.0/8}}]}]}", ""},
		"to another port":            {open + "[{ports: [{port: 9090}]}]}", forbids},
		"to the port":                {open + "[{ports: [{port: 8080}]}]}", ""},
		"to a range with it":         {open + "[{ports: [{port: 8000, endPort: 9000}]}]}", ""},
		"to a range beside it":       {open + "[{ports: [{port: 9000, endPort: 9999}]}]}", forbids},
		"to the port by its name":    {open + "[{ports: [{port: http}]}]}", ""},
		"to a name that may be it":   {open + "[{ports: [{port: web}]}]}", ""},
		"to the same number of UDP":  {open + "[{ports: [{port: 8080, protocol: UDP}]}]}", forbids},
		"by the second of two rules": {open + "[{from: [{podSelector: {}}]}, {from: [{namespaceSelector: {}}]}]}", ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := Surroundings{Services: readAll[corev1.Service](webService), NetworkPolicies: readAll[networkingv1.NetworkPolicy]("{metadata: {name: p}, " + tc.policy + "}"),
				Activator: &Activator{Namespace: "mini-hpa", Labels: map[string]string{"app.kubernetes.io/component": "activator"}}}
			var want []string
			if tc.want != "" {
				want = []string{tc.want}
			}
			if diff := cmp.Diff(want, saidOf(asked("requests", drained), s)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			s.Activator = &Activator{Namespace: "mini-hpa"}
			if said := strings.Join(saidOf(asked("requests", drained), s), ""); name == "from other pods of it" && said != "" || name == "from another namespace" && said != tc.want {
				t.Errorf("its labels are not known: %s", said)
			}
			s.Activator = nil
			if said := saidOf(asked("requests", drained), s); said != nil {
				t.Errorf("it is not known where the activator is: %v", said)
			}
		})
	}
}

// TestPodsOfWhichNothingIsKnown: without a template and a selector it is not known which Services select the pods, so that none is missed.
func TestPodsOfWhichNothingIsKnown(t *testing.T) {
	w := asked("requests", "{}")
	w.Template = nil
	if said := saidOf(w, Surroundings{Services: readAll[corev1.Service](webService)}); len(said) > 0 {
		t.Errorf("%q", said)
	}
}

func TestThereIsNoActivator(t *testing.T) {
	meshed := strings.Replace(drained, "app: web", "app: web, linkerd.io/inject: enabled", 1)
	if said := strings.Join(saidOf(asked("requests", meshed), Surroundings{Activator: &Activator{Off: true}}), "\n"); strings.Contains(said, FoundNoActivator) || !strings.Contains(said, FoundMeshedTarget) {
		t.Errorf("what is wrong comes first: %s", said)
	}
	want := []string{onWake("?", FoundNoActivator, "", "requests wake nobody: the administrator has not switched the activator on (activator.enabled of the chart)")}
	if diff := cmp.Diff(want, saidOf(asked("requests", drained), Surroundings{Activator: &Activator{Off: true}})); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func TestPodsThatEndTooEarly(t *testing.T) {
	const hook = `container "app" has no lifecycle.preStop: requests that a node sends to a pod which has been told to end are lost. Set preStop: {sleep: {seconds: 10}}`
	slow := Surroundings{Services: readAll[corev1.Service](webService), Activator: &Activator{Propagation: 40 * time.Second}}
	if said := strings.Join(saidOf(asked("requests", strings.Replace(drained, "seconds: 10", "seconds: 40", 1)), slow), "\n"); !strings.Contains(said, "terminationGracePeriodSeconds is 30: a pod that ends must go on accepting for 40s") {
		t.Errorf("the default of terminationGracePeriodSeconds is too short, and it is said: %s", said)
	}
	tests := map[string]struct{ template, line, want string }{
		"no hook":                     {template: "{metadata: {labels: {app: web}}, spec: {containers: [{name: app}]}}", want: hook},
		"a hook that is too short":    {template: strings.Replace(drained, "seconds: 10", "seconds: 5", 1), want: `container "app" sleeps for 5 s in lifecycle.preStop: a pod that ends must go on accepting for 10s, until every node knows of it. Set at least 10`},
		"a hook of unknown length":    {template: strings.Replace(drained, "sleep: {seconds: 10}", "exec: {command: [drain]}", 1)},
		"no time for it":              {template: strings.Replace(drained, "spec: {", "spec: {terminationGracePeriodSeconds: 9, ", 1), want: "terminationGracePeriodSeconds is 9: a pod that ends must go on accepting for 10s, until every node knows of it. Set at least 10"},
		"a container beside it":       {template: strings.Replace(drained, "containers: [", "containers: [{name: metrics, ports: [{containerPort: 9090}]}, ", 1)},
		"one that says nothing":       {template: strings.Replace(drained, "containers: [", "containers: [{name: other}, ", 1), want: strings.Replace(hook, "app", "other", 1)},
		"all go by way of activators": {template: "{metadata: {labels: {app: web}}, spec: {containers: [{name: app}]}}", line: "requests service=web path=always"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			w := asked("requests", tc.template)
			s := Surroundings{Services: readAll[corev1.Service](webService)}
			if tc.line != "" {
				w.Annotations[WakeKey], s.Services = tc.line, nil
			}
			var want []string
			if tc.want != "" {
				want = []string{onWake("?", FoundNoDrain, "", tc.want)}
			}
			if diff := cmp.Diff(want, saidOf(w, s)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			w.Annotations[Min] = "1"
			if tc.line == "" && strings.Contains(strings.Join(saidOf(w, s), "\n"), FoundNoDrain) {
				t.Error("what never sleeps need not drain")
			}
		})
	}
}

// TestSharedServicesAreBounded: thousands of Services may select the pods of thousands of workloads.
func TestSharedServicesAreBounded(t *testing.T) {
	var s Surroundings
	for i := range 2 * maxFindings {
		service := read[corev1.Service](webService)
		service.Name = fmt.Sprintf("web-%03d", i)
		s.Services = append(s.Services, service)
	}
	s.Beside = []*Workload{{Key: DeploymentKey("shop", "canary"), Template: read[corev1.PodTemplateSpec](drained)}}
	if n := len(DefaultDefaults().Review(asked("requests", drained), s).Problems); n != maxFindings {
		t.Errorf("%d problems, want %d", n, maxFindings)
	}
}
