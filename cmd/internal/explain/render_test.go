package explain

import (
	"context"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	custommetricsv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/podspec"
	"github.com/mini-hpa/mini-hpa/annotations/serves"
	"github.com/mini-hpa/mini-hpa/scaler"
	"github.com/mini-hpa/mini-hpa/scaler/clock"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
	"github.com/mini-hpa/mini-hpa/scaler/sample"
	"github.com/mini-hpa/mini-hpa/scaler/wake"
)

func quantity(s string) resource.Quantity { return resource.MustParse(s) }

// scene is a workload to explain.
type scene struct {
	now         time.Time
	annotations map[string]string
	replicas    int32
	pods        []*podspec.Pod
	samples     []*sample.Pod
	err         string
	// refused is why no more pods can be created.
	refused string
	// answers are the values of external metrics; one that is not a quantity is an error.
	answers map[string]string
	// manager is who has set the replicas by the scale subresource.
	manager string
}

// explanations are decided by the real recommender.
func explanations(now time.Time) map[string]scaler.Explanation {
	out := scene{now: now, replicas: 2, annotations: map[string]string{annotations.TargetCPU: "50", annotations.Max: "10"}}
	out.add("web-1", "220m", "64Mi")
	out.add("web-2", "240m", "65Mi")
	rollout := scene{now: now, replicas: 4, annotations: map[string]string{annotations.TargetCPU: "50", annotations.TargetMemory: "512Mi", annotations.WarmUp: "90s",
		annotations.Max: "10", annotations.Min: "2", annotations.ModeKey: "observe", annotations.ScaleDownPolicies: "1 pods/60s", annotations.Prefix + "mox": "1"}}
	rollout.add("web-1", "10m", "64Mi")
	rollout.add("web-2", "12m", "1Gi")
	rollout.add("web-3", "", "")
	rollout.add("web-4", "9m", "80Mi")
	rollout.pods[3].Deleted = now
	hostile := scene{now: now, replicas: 1, annotations: map[string]string{annotations.TargetCPU: "50", annotations.Max: "10"},
		err: "the API server answered 500: \x1b]0;owned\a\r\nPolicy"}
	hostile.add("web-1", "", "")
	container := scene{now: now, replicas: 1, annotations: map[string]string{annotations.TargetCPU: "100m", annotations.Container: "app", annotations.Max: "3", annotations.ModeKey: "paused"}}
	container.add("web-1", "101m", "64Mi")
	stopped := scene{now: now, replicas: 0, annotations: map[string]string{annotations.TargetCPU: "50", annotations.Max: "10"}}
	quota := scene{now: now, replicas: 6, annotations: map[string]string{annotations.TargetCPU: "50", annotations.Max: "10"},
		refused: "pods \"web-3\" is forbidden: exceeded quota: small\x1b[2J\n"}
	quota.add("web-1", "220m", "64Mi")
	quota.add("web-2", "240m", "65Mi")
	sleeper := scene{now: now, replicas: 0, manager: "mini-hpa", annotations: worker(annotations.SleepAfter, "10m", annotations.WakeReplicas, "2", annotations.FallbackKey, "3 after 5m",
		annotations.ScheduleKey, "zone Europe/Berlin\nSat 00:00-24:00 min=0 max=4\nMon-Fri 07:30-20:00 min=5"), answers: map[string]string{"backlog": "0", "mails": "no route\x1b[2J"}}
	sleeping := sleeper.explain()
	sleeping.AsleepSince = now.Add(-32 * time.Minute)
	waking := scene{now: now, replicas: 0, manager: "mini-hpa", annotations: worker(), answers: map[string]string{"backlog": "873", "mails": "0"}}
	idle := scene{now: now, replicas: 1, annotations: worker(annotations.TargetCPU, "50"), answers: map[string]string{"backlog": "0", "mails": "0"}}
	idle.add("web-1", "90m", "64Mi")
	off := scene{now: now, replicas: 0, manager: "mini-hpa", annotations: map[string]string{annotations.Max: "3", annotations.ScheduleKey: "Sat,Sun 00:00-24:00 replicas=0"}}
	by := scene{now: now, replicas: 0, manager: "kubectl", annotations: worker()}
	led, ledAsleep := idle.explain(), sleeper.explain()
	led.Leads, ledAsleep.Leads = slicesOfAll(now, true), slicesOfAll(now, false)
	return map[string]scaler.Explanation{"requests": led, "requests-asleep": ledAsleep, "sleeping": sleeping, "waking": waking.explain(), "idle": idle.explain(), "off": off.explain(), "paused-by-hand": by.explain(), "asked": asked(now), "sources": sourced(now, 4), "sources-asleep": sourced(now, 0), "scale-out": out.explain(), "rollout": rollout.explain(), "hostile": hostile.explain(),
		"container": container.explain(), "stopped": stopped.explain(), "quota": quota.explain()}
}

// slicesOfAll are slices with each face, of Services all of whose requests go through the activators, or not.
func slicesOfAll(now time.Time, always bool) (all []wake.Lead) {
	s := serves.Slice{Namespace: "default", Service: "web", Family: discoveryv1.AddressTypeIPv4, Ports: []serves.Port{{Name: "http", Pair: 20000}, {Name: "grpc", Pair: 20002}},
		Face: serves.Active, Since: now.Add(-90 * time.Second), Activators: []serves.Activator{{Pod: "activator-1"}, {Pod: "activator-2"}}}
	if always {
		s.Serves.Path, s.Backends = serves.PathAlways, []serves.Backends{{Addresses: []string{"10.1.0.1", "10.1.0.2"}}, {Addresses: []string{"10.1.0.3"}}}
	}
	all = append(all, wake.LeadOf(&s))
	s.Service, s.Ports, s.Face, s.Since, s.Serves.Path, s.Backends = "admin", []serves.Port{{Pair: 20004}}, serves.Standby, time.Time{}, "", nil
	all = append(all, wake.LeadOf(&s))
	s.Service, s.Face, s.Activators = "old", serves.Out, nil
	return append(all, wake.LeadOf(&s))
}

// worker is what a workload with two queues has, and more pairs.
func worker(more ...string) map[string]string {
	const queue = "- {type: External, external: {metric: {name: %s}, target: {type: AverageValue, averageValue: 100}}}\n"
	all := map[string]string{annotations.Min: "0", annotations.Max: "40", annotations.Metrics: fmt.Sprintf(queue+queue, "backlog", "mails")}
	for pair := range slices.Chunk(more, 2) {
		all[pair[0]] = pair[1]
	}
	return all
}

// Ask is scaler.Answers'.
func (s *scene) Ask(annotations.Key, metrics.Question, time.Duration) (metrics.Answer, error) {
	return metrics.Answer{}, metrics.ErrPending
}

// Reply is scaler.Answers'.
func (s *scene) Reply(metrics.Question) (metrics.Reply, bool) { return metrics.Reply{}, false }

// Fetch is scaler.Answers'.
func (s *scene) Fetch(_ context.Context, q metrics.Question) (metrics.Answer, error) {
	value, err := resource.ParseQuantity(s.answers[q.Metric])
	if err != nil {
		return metrics.Answer{}, errText(s.answers[q.Metric])
	}
	return metrics.Answer{Asked: s.now, External: []externalmetricsv1beta1.ExternalMetricValue{{MetricName: q.Metric, Value: value}}}, nil
}

// add adds a ready pod that requests 100m and 128Mi, and its sample if it uses anything.
func (s *scene) add(name, cpu, memory string) {
	long := s.now.Add(-time.Hour)
	s.pods = append(s.pods, &podspec.Pod{Namespace: "default", Name: name, Created: long, Started: long, Phase: corev1.PodRunning,
		Ready: podspec.Condition{Status: corev1.ConditionTrue, Since: long}, Spec: &podspec.Spec{Containers: []corev1.Container{app()}}})
	if cpu == "" {
		return
	}
	s.samples = append(s.samples, &sample.Pod{Namespace: "default", Name: name, Time: s.now.Add(-4 * time.Second), Window: 15 * time.Second,
		Containers: []sample.Container{{Name: "app", Usage: sample.UsageOf(corev1.ResourceList{
			corev1.ResourceCPU: quantity(cpu), corev1.ResourceMemory: quantity(memory)})}}})
}

func (s *scene) explain() scaler.Explanation {
	e, err := scaler.Explain(context.Background(), scaler.Observer{Workloads: s, Surroundings: s, Samples: s, Answers: s, Rules: recommend.DefaultRules(), Defaults: annotations.DefaultDefaults(),
		Now: func() time.Time { return s.now }}, annotations.DeploymentKey("default", "web"))
	if err != nil {
		panic(err) // the scenes are written so that there is something to explain
	}
	return e
}

// Deployment is scaler.Workloads'.
func (s *scene) Workload(key annotations.Key) *annotations.Workload {
	status := appsv1.DeploymentStatus{Replicas: int32(len(s.pods))}
	if s.refused != "" {
		status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate", Message: s.refused}}
	}
	var managers []metav1.ManagedFieldsEntry
	if s.manager != "" {
		managers = []metav1.ManagedFieldsEntry{{Manager: s.manager, Subresource: "scale"}}
	}
	return annotations.OfDeployment(&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, Annotations: s.annotations, ManagedFields: managers},
		Spec: appsv1.DeploymentSpec{Replicas: &s.replicas, Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{app()}}}}, Status: status})
}

// app is the container of the template and of every pod.
func app() corev1.Container {
	return corev1.Container{Name: "app", Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
		corev1.ResourceCPU: quantity("100m"), corev1.ResourceMemory: quantity("128Mi")}}}
}

// Surroundings is scaler.Surroundings'.
func (s *scene) Surroundings(_, _ *annotations.Workload) annotations.Surroundings {
	return annotations.Surroundings{}
}

// Pods is scaler.Workloads'.
func (s *scene) Pods(*annotations.Workload) []*podspec.Pod { return s.pods }

// Sample is scaler.Samples'.
func (s *scene) Sample(_, name string) (*sample.Pod, *clock.Stamp) {
	for _, newest := range s.samples {
		if newest.Name == name {
			stamp := clock.First(newest.Time, s.now, clock.Believable(newest.Window))
			return newest, &stamp
		}
	}
	return nil, nil
}

// Err is scaler.Samples'.
func (s *scene) Err() error {
	if s.err == "" {
		return nil
	}
	return errText(s.err)
}

type errText string

func (e errText) Error() string { return string(e) }

// asked is a workload with metrics of every kind that is asked for by name, in a cluster without metrics-server.
func asked(now time.Time) scaler.Explanation {
	s := scene{now: now, replicas: 2, annotations: map[string]string{annotations.TargetCPU: "50", annotations.Max: "10"}, err: "there is no metrics-server"}
	s.add("web-1", "", "")
	s.add("web-2", "", "")
	e := s.explain()
	e.Policy.Metrics = annotations.MetricsOf([]autoscalingv2.MetricSpec{
		queue("backlog", "mail"), queue("backlog", "print"), queue("lost", ""), queue("shards", ""),
		{Type: autoscalingv2.PodsMetricSourceType, Pods: &autoscalingv2.PodsMetricSource{Metric: autoscalingv2.MetricIdentifier{Name: "hits"},
			Target: autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: new(quantity("100"))}}},
		{Type: autoscalingv2.ObjectMetricSourceType, Object: &autoscalingv2.ObjectMetricSource{Metric: autoscalingv2.MetricIdentifier{Name: "rate"},
			DescribedObject: autoscalingv2.CrossVersionObjectReference{Kind: "Ingress", Name: "front"},
			Target:          autoscalingv2.MetricTarget{Type: autoscalingv2.ValueMetricType, Value: new(quantity("150"))}}},
	})
	at := metav1.NewTime(now.Add(-3500 * time.Millisecond))
	value := func(kind, name, value string) custommetricsv1beta2.MetricValue {
		return custommetricsv1beta2.MetricValue{DescribedObject: corev1.ObjectReference{Kind: kind, Name: name}, Value: quantity(value), Timestamp: at}
	}
	external := func(label, value string) externalmetricsv1beta1.ExternalMetricValue {
		return externalmetricsv1beta1.ExternalMetricValue{MetricLabels: map[string]string{"queue": label}, Value: quantity(value)}
	}
	shards := make([]externalmetricsv1beta1.ExternalMetricValue, 12)
	e.Snapshot.MetricsError = s.err
	e.Snapshot.ExternalMetrics = map[string][]externalmetricsv1beta1.ExternalMetricValue{"shards": shards,
		"backlog{queue=mail}": {external("mail", "35")}, "backlog{queue=print}": {external("print\x1b[31m", "1500m")}}
	e.Snapshot.CustomMetrics = map[string][]custommetricsv1beta2.MetricValue{"hits": {value("Pod", "web-1", "180"), value("Pod", "web-2", "200")},
		"rate": {value("Ingress", "front", "300")}}
	e.Snapshot.Errors = map[string]string{"lost": "no external metrics API is registered (APIService v1beta1.external.metrics.k8s.io)"}
	e.Decision, _ = recommend.DefaultRules().Recommend(e.Policy, e.Snapshot, recommend.Unremembered(e.Policy, e.Snapshot))
	return e
}

// sourced is a workload with lines of mini-hpa/sources, in all their forms.
func sourced(now time.Time, replicas int32) scaler.Explanation {
	s := scene{now: now, replicas: replicas, manager: "mini-hpa", annotations: worker(annotations.Metrics, "", annotations.SourcesKey, "orders-kafka group=shop.orders topic=shop.orders target=100 active=5 limit=20\n"+
		"prom requests-per-second service=web total=40\n# no target\nprom ingress-requests\ncosmos container=orders\nrabbit queue=mail target=1")}
	delete(s.annotations, annotations.Metrics)
	for i := range replicas {
		s.add(fmt.Sprintf("web-%d", i+1), "90m", "64Mi")
	}
	e := s.explain()
	e.Snapshot.Errors = map[string]string{"rabbit@messages": "rabbit refused the credentials (see the controller's log, id 4f2a)"}
	e.Snapshot.ExternalMetrics = map[string][]externalmetricsv1beta1.ExternalMetricValue{}
	for id, value := range map[string]string{"orders-kafka@lag": "5200", "prom@requests-per-second": "0", "prom@ingress-requests": "7", "cosmos@value": "12"} {
		e.Snapshot.ExternalMetrics[id] = []externalmetricsv1beta1.ExternalMetricValue{{MetricName: id, Value: quantity(value), Timestamp: metav1.NewTime(now.Add(-3 * time.Second))}}
	}
	if replicas == 0 {
		e.Snapshot.ExternalMetrics["orders-kafka@lag"][0].Value = quantity("5")
		e.Snapshot.ExternalMetrics["prom@ingress-requests"][0].Value = quantity("0")
	}
	e.Snapshot.Hints = map[string]recommend.Hint{"orders-kafka@lag": {Limit: 12, Because: `12 partitions of topic "shop.orders"`}, "cosmos@value": {Active: new(replicas > 0), Target: new(quantity("5"))}}
	e.Decision, _ = recommend.DefaultRules().Recommend(e.Policy, e.Snapshot, recommend.Unremembered(e.Policy, e.Snapshot))
	return e
}

// queue wants 10 messages for each pod.
func queue(name, selector string) autoscalingv2.MetricSpec {
	id := autoscalingv2.MetricIdentifier{Name: name}
	if selector != "" {
		id.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"queue": selector}}
	}
	return autoscalingv2.MetricSpec{Type: autoscalingv2.ExternalMetricSourceType, External: &autoscalingv2.ExternalMetricSource{
		Metric: id, Target: autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: new(quantity("10"))}}}
}
