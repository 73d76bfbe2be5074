package keda

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mini-hpa/mini-hpa/annotations/hpa"
)

// outcome is what came of a ScaledObject.
type outcome struct {
	made    string
	remarks []hpa.Remark
}

func outcomeOf(t *testing.T, spec string) outcome {
	t.Helper()
	all, file, remarks := convert(t, spec)
	return outcome{fmt.Sprint(all) + file.String(), remarks}
}

// names says whether a remark that the other outcome has not is about a field of this name.
func (o outcome) names(field string, other outcome) bool {
	return slices.ContainsFunc(o.remarks, func(r hpa.Remark) bool {
		return !slices.Contains(other.remarks, r) && (strings.HasSuffix(r.Path, "."+field) || slices.Contains(strings.Split(r.Value, ", "), field))
	})
}

// fieldsOf are the fields of a type, by their paths in JSON.
func fieldsOf(of reflect.Type, path string) []string {
	switch {
	case of.Kind() == reflect.Pointer:
		return fieldsOf(of.Elem(), path)
	case of.Kind() == reflect.Slice:
		return fieldsOf(of.Elem(), path+"[]")
	case of.Kind() != reflect.Struct || strings.HasPrefix(of.PkgPath(), "k8s.io/"):
		return []string{path}
	}
	var all []string
	for i := range of.NumField() {
		name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
		all = append(all, fieldsOf(of.Field(i).Type, path+"."+name)...)
	}
	return all
}

// TestEveryFieldOfTheSpec is converted, or told by its name.
func TestEveryFieldOfTheSpec(t *testing.T) {
	const triggers = "triggers: [{type: prometheus, metadata: {serverAddress: 'http://p', query: up, threshold: '1'}%s}]"
	plain := fmt.Sprintf(triggers, "")
	trigger := func(more string) string { return "minReplicaCount: 0, " + fmt.Sprintf(triggers, more) }
	fields := map[string]string{
		"spec.pollingInterval":                                              "pollingInterval: 20, " + plain,
		"spec.initialCooldownPeriod":                                        "initialCooldownPeriod: 20, minReplicaCount: 0, " + plain,
		"spec.cooldownPeriod":                                               "cooldownPeriod: 20, minReplicaCount: 0, " + plain,
		"spec.idleReplicaCount":                                             "idleReplicaCount: 0, minReplicaCount: 2, " + plain,
		"spec.minReplicaCount":                                              "minReplicaCount: 3, " + plain,
		"spec.maxReplicaCount":                                              "maxReplicaCount: 30, " + plain,
		"spec.advanced.horizontalPodAutoscalerConfig.name":                  "advanced: {horizontalPodAutoscalerConfig: {name: x}}, " + plain,
		"spec.advanced.horizontalPodAutoscalerConfig.behavior":              "advanced: {horizontalPodAutoscalerConfig: {behavior: {scaleUp: {stabilizationWindowSeconds: 30}}}}, " + plain,
		"spec.advanced.restoreToOriginalReplicaCount":                       "advanced: {restoreToOriginalReplicaCount: true}, " + plain,
		"spec.advanced.scalingModifiers.formula":                            "advanced: {scalingModifiers: {formula: a + b}}, " + plain,
		"spec.advanced.scalingModifiers.target":                             "advanced: {scalingModifiers: {target: '2'}}, " + plain,
		"spec.advanced.scalingModifiers.activationTarget":                   "advanced: {scalingModifiers: {activationTarget: '2'}}, " + plain,
		"spec.advanced.scalingModifiers.metricType":                         "advanced: {scalingModifiers: {metricType: Value}}, " + plain,
		"spec.scaleTargetRef.envSourceContainerName":                        "scaleTargetRef: {name: web, envSourceContainerName: app}, " + plain,
		"spec.triggers[].type":                                              "triggers: [{type: solr, metadata: {}}]",
		"spec.triggers[].name":                                              trigger(", name: hits"),
		"spec.triggers[].useCachedMetrics":                                  trigger(", useCachedMetrics: true"),
		"spec.triggers[].metadata":                                          trigger(", metadata: {}"),
		"spec.triggers[].authenticationRef.name":                            trigger(", authenticationRef: {name: x}"),
		"spec.triggers[].authenticationRef.kind":                            trigger(", authenticationRef: {kind: ClusterTriggerAuthentication}"),
		"spec.triggers[].metricType":                                        trigger(", metricType: Value"),
		"spec.fallback.failureThreshold":                                    "fallback: {failureThreshold: 3, replicas: 4}, " + plain,
		"spec.fallback.replicas":                                            "fallback: {failureThreshold: 3, replicas: 5}, " + plain,
		"spec.fallback.behavior":                                            "fallback: {failureThreshold: 3, replicas: 5, behavior: currentReplicas}, " + plain,
		"spec.scaleTargetRef.name: of the workload that is annotated":       "",
		"spec.scaleTargetRef.kind: of the workload that is annotated":       "",
		"spec.scaleTargetRef.apiVersion: of the workload that is annotated": "",
	}
	var known []string
	for path, spec := range fields {
		path, _, _ = strings.Cut(path, ":")
		known = append(known, path)
		if spec == "" {
			continue
		}
		before, after := outcomeOf(t, plain), outcomeOf(t, spec)
		if field := path[strings.LastIndexByte(path, '.')+1:]; before.made == after.made && !after.names(field, before) {
			t.Errorf("%s is neither converted nor told:\n%s\n%+v", path, after.made, after.remarks)
		}
	}
	slices.Sort(known)
	want := fieldsOf(reflect.TypeFor[Spec](), "spec")
	slices.Sort(want)
	if diff := cmp.Diff(want, known); diff != "" {
		t.Errorf("fields of the type (-), and here (+):\n%s", diff)
	}
}

// metadataOf is what the metadata of triggers may say, as the structs of pkg/scalers of KEDA have it in August 2026, with what they once had and
// others still write; "FromEnv" belongs to those that KEDA reads from the environment.
var metadataOf = map[string]struct{ base, each string }{
	"cpu":    {"value: '50'", "containerName: app, value: '60', type: AverageValue, activationValue: '5'"},
	"memory": {"value: '50'", "containerName: app, value: '60', type: AverageValue, activationValue: '5'"},
	"cron":   {"timezone: UTC, start: 0 8 * * *, end: 0 18 * * *, desiredReplicas: '5'", "timezone: Asia/Kolkata, start: 0 9 * * *, end: 0 19 * * *, desiredReplicas: '6'"},
	"kafka": {"bootstrapServers: 'a:9092', consumerGroup: g, topic: t", "bootstrapServers: 'b:9092', bootstrapServersFromEnv: B, consumerGroup: h, consumerGroupFromEnv: G, topic: u, topicFromEnv: T, partitionLimitation: 1-3, lagThreshold: '5', " +
		"activationLagThreshold: '5', offsetResetPolicy: earliest, allowIdleConsumers: 'true', excludePersistentLag: 'true', scaleToZeroOnInvalidOffset: 'true', limitToPartitionsWithLag: 'true', " +
		"ensureEvenDistributionOfPartitions: 'true', fullMetadata: 'false', version: 2.0.0, tls: enable, unsafeSsl: 'true', ca: c, cert: c, key: c, keyPassword: c, sasl: plaintext, username: u, usernameFromEnv: U, password: p, passwordFromEnv: P, " +
		"saslTokenProvider: aws_msk_iam, scopes: s, oauthTokenEndpointUri: o, oauthExtensions: o, keytab: k, realm: r, kerberosConfig: k, kerberosServiceName: k, kerberosDisableFAST: 'true', awsRegion: r"},
	"apache-kafka": {"bootstrapServers: 'a:9092', consumerGroup: g, topic: t", "partitionLimitation: '1', sasl: aws_msk_iam, awsRegion: r, version: 2.0.0"},
	"rabbitmq": {"host: 'https://mq:15671', queueName: q", "host: 'https://mq:15672/v?a=b', hostFromEnv: H, queueName: r, mode: MessageRate, queueLength: '3', value: '3', activationValue: '3', protocol: amqp, vhostName: v, useRegex: 'true', " +
		"excludeUnacknowledged: 'true', pageSize: '5', operation: max, timeout: 3s, username: u, usernameFromEnv: U, password: p, passwordFromEnv: P, ca: c, cert: c, key: c, keyPassword: c, tls: enable, unsafeSsl: 'true', " +
		"workloadIdentityResource: w, metricName: m"},
	"redis": {"host: a, port: '1', listName: l", "host: h, hostFromEnv: H, port: '3', portFromEnv: P, username: u, usernameFromEnv: U, password: p, passwordFromEnv: P, listName: m, listLength: '3', " +
		"activationListLength: '3', databaseIndex: '3', enableTLS: 'true', unsafeSsl: 'true', metricName: m"},
	"redis-cluster": {"addresses: 'a:1', listName: l", "addresses: 'b:1', addressesFromEnv: A, hostsFromEnv: H, portsFromEnv: P, databaseIndex: '3', enableTLS: 'true'"},
	"redis-sentinel": {"hosts: a, ports: '1', listName: l, sentinelMaster: m", "hosts: b, ports: '2', sentinelMaster: o, sentinelMasterFromEnv: M, sentinelUsername: u, sentinelUsernameFromEnv: U, sentinelPassword: p, sentinelPasswordFromEnv: P, " +
		"hostsFromEnv: H, portsFromEnv: P"},
	"redis-streams":          {"address: 'a:1', stream: s, consumerGroup: g", "address: 'b:1', addressFromEnv: A, stream: t, consumerGroup: h, pendingEntriesCount: '3', lagCount: '3', streamLength: '3', activationLagCount: '3', databaseIndex: '3', password: p, enableTLS: 'true'"},
	"redis-cluster-streams":  {"addresses: 'a:1', stream: s", "stream: t, pendingEntriesCount: '3', lagCount: '3', streamLength: '3', activationLagCount: '3'"},
	"redis-sentinel-streams": {"addresses: 'a:1', stream: s, sentinelMaster: m", "sentinelMaster: o, sentinelPassword: p"},
	"nats-jetstream": {"natsServerMonitoringEndpoint: 'nats:8222', stream: s, consumer: c", "natsServerMonitoringEndpoint: 'other:8222', account: a, accountID: b, stream: t, consumer: d, lagThreshold: '3', activationLagThreshold: '3', " +
		"useHttps: 'true'"},
	"prometheus": {"serverAddress: 'https://p', query: up, threshold: '1'", "serverAddress: 'https://p?a=b', query: down, queryParameters: a=b, threshold: '3', activationThreshold: '3', namespace: ns, customHeaders: a=b, ignoreNullValues: 'false', " +
		"unsafeSsl: 'true', awsRegion: r, timeout: '3', identityOwner: operator, authModes: 'tls', authMode: oauth, apiKey: a, method: query, keyParamName: k, metricName: m, cortexOrgID: c"},
	"postgresql": {"host: h, port: '1', dbName: d, query: SELECT 1, targetQueryValue: '1', sslmode: disable", "host: i, port: '2', dbName: e, userName: v, query: SELECT 2, targetQueryValue: '2', activationTargetQueryValue: '2', " +
		"sslmode: require, password: p, passwordFromEnv: P, connection: c, connectionFromEnv: C, metricName: m"},
	"mysql": {"host: h, port: '1', dbName: d, query: SELECT 1, queryValue: '1'", "host: i, port: '2', dbName: e, username: v, usernameFromEnv: U, query: SELECT 2, queryValue: '2', activationQueryValue: '2', password: p, passwordFromEnv: P, " +
		"connectionString: c, connectionStringFromEnv: C, metricName: m"},
	"metrics-api": {"url: 'https://a/b', valueLocation: x, targetValue: '1'", "url: 'https://a/b?c=d', valueLocation: z, targetValue: '2', activationTargetValue: '2', format: xml, unsafeSsl: 'true', aggregateFromKubeServiceEndpoints: 'true', " +
		"aggregationType: max, timeout: 3s, authMode: apiKey, authModes: bearer, apiKey: a, method: query, keyParamName: k, username: u, password: p, token: t"},
	"kubernetes-workload": {"podSelector: a=b, value: '1'", "podSelector: a=c, value: '2', activationValue: '2', groupByNode: 'true', allNamespaces: 'true'"},
	"aws-sqs-queue": {"queueURL: 'https://sqs/1/q', awsRegion: r", "queueURL: 'https://sqs/1/r', queueURLFromEnv: Q, awsRegion: s, awsEndpoint: 'https://e', queueLength: '3', activationQueueLength: '3', scaleOnInFlight: 'false', " +
		"scaleOnDelayed: 'true', identityOwner: operator, awsAccessKeyIDFromEnv: A, awsSecretAccessKeyFromEnv: S"},
	"external":      {"scalerAddress: 's:1'", "scalerAddress: 's:2', enableTLS: 'true', unsafeSsl: 'true', caCert: c, tlsClientCert: c, tlsClientKey: c, anything: a, anythingFromEnv: A, apiKey: k"},
	"external-push": {"scalerAddress: 's:1'", "enableTLS: 'true', anything: a"},
}

// TestEveryFieldOfATrigger is converted, or told by its name.
func TestEveryFieldOfATrigger(t *testing.T) {
	if diff := cmp.Diff(slices.Sorted(maps.Keys(kinds())), slices.Sorted(maps.Keys(metadataOf))); diff != "" {
		t.Errorf("triggers that are converted (-), and here (+):\n%s", diff)
	}
	// These say what counts anyway, or what another field of the base says already.
	told := map[string]string{
		"rabbitmq useRegex": "mode", "kafka topicFromEnv": "triggers[0]", "kafka consumerGroupFromEnv": "triggers[0]", "metrics-api format": "triggers[0]",
	}
	for kind, metadata := range metadataOf {
		base := strings.Split(metadata.base, ", ")
		trigger := func(more ...string) string {
			return "triggers: [{type: " + kind + ", metadata: {" + strings.Join(slices.Concat(base, more), ", ") + "}}]"
		}
		before := outcomeOf(t, trigger())
		for field := range strings.SplitSeq(metadata.each, ", ") {
			name, _, _ := strings.Cut(field, ":")
			// What is from the environment counts where nothing else says the same.
			base = slices.DeleteFunc(strings.Split(metadata.base, ", "), func(known string) bool { return strings.HasPrefix(known, strings.TrimSuffix(name, "FromEnv")+":") })
			after := outcomeOf(t, trigger(field))
			if before.made == after.made && !after.names(name, before) || told[kind+" "+name] != "" && !slices.ContainsFunc(after.remarks, func(r hpa.Remark) bool { return r.Lost && strings.HasSuffix(r.Path, told[kind+" "+name]) }) {
				t.Errorf("%s: %s is neither converted nor told:\n%s\n%+v", kind, name, after.made, after.remarks)
			}
		}
		base = strings.Split(metadata.base, ", ")
		for _, more := range []string{"useCachedMetrics: true", "authenticationRef: {name: x}", "metricType: Value"} {
			name, _, _ := strings.Cut(more, ":")
			after := outcomeOf(t, strings.Replace(trigger(), "{type", "{"+more+", type", 1))
			if before.made == after.made && !after.names(name, before) {
				t.Errorf("%s: %s is neither converted nor told:\n%s\n%+v", kind, name, after.made, after.remarks)
			}
		}
	}
}
