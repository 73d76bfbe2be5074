package keda

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/hpa"
	"github.com/mini-hpa/mini-hpa/annotations/schedule"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
)

// object is a ScaledObject with this spec, in JSON.
func object(t *testing.T, spec string) []byte {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte("apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: web, namespace: shop}\nspec: {scaleTargetRef: {name: web}, minReplicaCount: 1, " + spec + "}"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// read reads such a ScaledObject, of which all fields are known.
func read(t *testing.T, spec string) *ScaledObject {
	t.Helper()
	o, remarks, err := Read(object(t, spec))
	if err != nil || len(remarks) > 0 {
		t.Fatal(err, remarks)
	}
	return o
}

// convert converts such a ScaledObject.
func convert(t *testing.T, spec string) (map[string]string, *File, []hpa.Remark) {
	t.Helper()
	o, remarks, err := Read(object(t, spec))
	if err != nil {
		t.Fatal(err)
	}
	file := &File{}
	all, more := Convert(o, file)
	admitted(t, all)
	return all, file, append(remarks, more...)
}

// admitted fails for what admission would refuse of annotations; nil is none.
func admitted(t *testing.T, all map[string]string) {
	t.Helper()
	for _, p := range annotations.DefaultDefaults().Review(&annotations.Workload{Annotations: all}, annotations.Surroundings{}).Problems {
		t.Errorf("%v: %v", all, p)
	}
}

// lost are the paths of what is lost.
func lost(remarks []hpa.Remark) []string {
	var paths []string
	for _, r := range remarks {
		if r.Lost {
			paths = append(paths, r.Path)
		}
	}
	return paths
}

const metadata = "spec.triggers[0].metadata."

func TestTriggers(t *testing.T) {
	for name, test := range map[string]struct {
		trigger string
		line    string
		// entry has parts of the file.
		entry []string
		lost  []string
	}{
		"kafka": {"type: kafka, metadata: {bootstrapServers: 'a:9092', consumerGroup: g, topic: t, offsetResetPolicy: earliest, allowIdleConsumers: 'true', version: 2.0.0}",
			"kafka group=g topic=t reset=earliest cap=none target=10", []string{"- a:9092"}, nil},
		"kafka, with SASL": {"type: kafka, metadata: {bootstrapServers: 'a:9092', consumerGroup: g, topic: t, sasl: scram_sha512, tls: enable, username: u, password: sesame, excludePersistentLag: 'true'}",
			"kafka group=g topic=t target=10", []string{"mechanism: SCRAM-SHA-512", "passwordFile: /etc/mini-hpa/sources/kafka/password", "caFile: /etc/mini-hpa/sources/kafka/ca.crt"}, []string{metadata + "excludePersistentLag"}},
		"kafka, credentials elsewhere": {"type: kafka, authenticationRef: {name: k}, metadata: {bootstrapServers: 'a:9092', consumerGroup: g, topic: t}",
			"kafka group=g topic=t target=10", []string{"mechanism: <PLAIN"}, nil},
		"kafka, another mechanism": {"type: apache-kafka, metadata: {bootstrapServersFromEnv: BROKERS, consumerGroup: g, topic: t, sasl: aws_msk_iam}",
			"kafka group=g topic=t target=10", []string{"<brokers, as HOST:PORT, as in BROKERS of"}, []string{metadata + "sasl"}},
		"kafka, all topics": {"type: kafka, metadata: {bootstrapServers: 'a:9092', consumerGroup: g}", "", nil, []string{"spec.triggers[0]", "spec.triggers"}},
		"rabbitmq": {"type: rabbitmq, metadata: {host: 'http://guest:sesame@mq.shop.svc:15672/orders', protocol: http, queueName: q, queueLength: '7', excludeUnacknowledged: 'true'}",
			"rabbitmq queue=q vhost=orders count=ready target=7", []string{"url: http://mq.shop.svc:15672", "userFile"}, nil},
		"rabbitmq, by AMQP": {"type: rabbitmq, metadata: {host: 'amqps://guest:sesame@mq.shop.svc/', queueName: q, activationValue: '3', value: '5'}",
			"rabbitmq queue=q target=5 active=3", []string{"url: <URL of the management API of mq.shop.svc"}, nil},
		"rabbitmq, what is no URL": {"type: rabbitmq, metadata: {host: 'amqp://guest:sesame/%zz@mq', queueName: q}",
			"rabbitmq queue=q target=20", []string{"url: <URL>"}, nil},
		"rabbitmq, a rate": {"type: rabbitmq, metadata: {host: 'http://mq:15672', mode: MessageRate, queueName: q}", "", nil, []string{metadata + "mode", "spec.triggers"}},
		"redis": {"type: redis, metadata: {host: r, port: '6379', listName: 'a b', enableTLS: 'true'}",
			`redis list="a b" target=5`, []string{"- r:6379", "caFile"}, nil},
		"redis, by sentinels": {"type: redis-sentinel, metadata: {hosts: 'a,b', ports: '1,2', sentinelMaster: m, listName: l, password: sesame, sentinelPassword: sesame, activationListLength: '1'}",
			"redis list=l target=5 active=1", []string{"- b:2", "sentinel: m", "sentinel-password"}, nil},
		"redis, a stream": {"type: redis-cluster-streams, metadata: {addresses: 'a:1, b:2', stream: s, consumerGroup: g, lagCount: '8'}",
			"redis stream=s group=g target=8", []string{"cluster: true"}, []string{metadata + "lagCount"}},
		"redis, a stream with two counts": {"type: redis-streams, metadata: {addresses: 'a:1', stream: s, consumerGroup: g, lagCount: '8', pendingEntriesCount: '9'}",
			"redis stream=s group=g target=8", nil, []string{metadata + "lagCount", metadata + "pendingEntriesCount"}},
		"redis, the length of a stream": {"type: redis-streams, metadata: {address: 'a:1', stream: s, streamLength: '8'}", "redis stream=s target=8", nil, nil},
		"nats":                          {"type: nats-jetstream, authenticationRef: {name: creds}, metadata: {natsServerMonitoringEndpoint: 'nats:8222', account: a, stream: s, consumer: c}", "nats stream=s consumer=c target=10", []string{"such as nats:4222>", "userFile"}, nil},
		"prometheus": {"type: prometheus, name: per second, metadata: {serverAddress: 'https://u:sesame@p:9090/x/?a=sesame', query: 'up{a=~\"b$\"}', threshold: '1.5', ignoreNullValues: 'false', namespace: other}",
			"prometheus per-second target=1.5", []string{"url: https://p:9090/x\n", `query: up{a=~"b$$"}`, "passwordFile"}, []string{metadata + "serverAddress", metadata + "namespace"}},
		"prometheus, with a certificate": {"type: prometheus, authenticationRef: {name: a}, metadata: {serverAddress: 'https://p', query: up, threshold: '1', authModes: tls}",
			"prometheus web target=1", []string{"certFile: /etc/mini-hpa/sources/prometheus/tls.crt", "keyFile", "caFile"}, nil},
		"prometheus, with a certificate and a user": {"type: prometheus, authenticationRef: {name: a}, metadata: {serverAddress: 'https://p', query: up, threshold: '1', authModes: 'tls,basic', unsafeSsl: 'true'}",
			"prometheus web target=1", []string{"certFile", "insecure: true", "passwordFile"}, nil},
		"prometheus, with a header": {"type: prometheus, authenticationRef: {name: a}, metadata: {serverAddress: 'https://p', query: up, threshold: '1', authModes: custom}",
			"prometheus web target=1", []string{"url: https://p\n"}, []string{metadata + "authModes"}},
		"prometheus, nothing to encrypt": {"type: prometheus, metadata: {serverAddress: 'http://p', query: up, threshold: '1', unsafeSsl: 'true'}", "prometheus web target=1", nil, nil},
		"prometheus, with a token": {"type: prometheus, authenticationRef: {name: a, kind: ClusterTriggerAuthentication}, metadata: {serverAddress: 'https://p', query: up, threshold: '1', authModes: bearer, activationThreshold: '0.5', unsafeSsl: 'true'}",
			"prometheus web target=1 active=0.5", []string{"bearerTokenFile", "insecure: true", `empty: "0"`}, nil},
		"postgresql":               {"type: postgresql, metadata: {connectionFromEnv: PG, query: 'SELECT 1;', targetQueryValue: '2', activationTargetQueryValue: '1'}", "postgresql web target=2 active=1", []string{"<address", "query: SELECT 1\n"}, nil},
		"mysql":                    {"type: mysql, metadata: {host: db, port: '3307', dbName: shop, username: u, password: sesame, query: SELECT 1, queryValue: '2'}", "mysql web target=2", []string{"address: db:3307", "database: shop"}, nil},
		"metrics-api":              {"type: metrics-api, metadata: {url: 'http://a:8/b/c?d=e', valueLocation: x.0.y, targetValue: '3'}", "http web target=3", []string{"url: http://a:8\n", "path: /b/c\n", "value: /x/0/y"}, []string{metadata + "url"}},
		"metrics-api, not JSON":    {"type: metrics-api, metadata: {url: 'http://a:8/', valueLocation: x, format: xml}", "", nil, []string{"spec.triggers[0]", "spec.triggers"}},
		"metrics-api, with a key":  {"type: metrics-api, metadata: {url: 'http://a', valueLocation: x, targetValue: '3', authMode: apiKey, apiKey: sesame}", "http web target=3", []string{"path: /\n"}, []string{metadata + "authMode"}},
		"workload":                 {"type: kubernetes-workload, metadata: {podSelector: 'app in (a), !b,c', value: '0.5', allNamespaces: 'true'}", "workload selector=app=a,!b,c phase=all target=0.5", nil, []string{metadata + "allNamespaces"}},
		"workload, two of a label": {"type: kubernetes-workload, metadata: {podSelector: 'app in (a,b)', value: '1'}", "", nil, []string{metadata + "podSelector", metadata + "value", "spec.triggers"}},
		"external": {"type: external-push, metadata: {scalerAddress: 's:1', a: b, keyFromEnv: KEY, apiKey: sesame, caCert: /x}", "keda",
			[]string{"address: s:1", "a: b", "keyFromEnv: /etc/mini-hpa/sources/keda/keyFromEnv", "apiKey: /etc/mini-hpa/sources/keda/apiKey", "caFile"}, nil},
		"sqs": {"type: aws-sqs-queue, authenticationRef: {name: a}, metadata: {queueURL: 'https://sqs.eu-central-1.amazonaws.com/123456789012/shop-jobs', awsRegion: eu-central-1, queueLength: '7', scaleOnInFlight: 'false', scaleOnDelayed: 'true', identityOwner: operator}",
			"sqs queue=shop-jobs count=visible target=7", []string{"url: https://sqs.eu-central-1.amazonaws.com\n", `account: "123456789012"`, "accessKeyIdFile"}, []string{metadata + "scaleOnDelayed"}},
		"sqs, a queue in the environment": {"type: aws-sqs-queue, metadata: {queueURLFromEnv: Q, awsRegion: eu-central-1}", "", nil, []string{metadata + "queueURL", "spec.triggers"}},
		"external, in all":                {"type: external, metricType: Value, metadata: {scalerAddress: 's:1'}", "keda", nil, []string{"spec.triggers[0].metricType"}},
		"another kind":                    {"type: aws-cloudwatch, metadata: {}", "", nil, []string{"spec.triggers[0].type", "spec.triggers"}},
		"in all":                          {"type: prometheus, metricType: Value, metadata: {serverAddress: 'http://p', query: up, threshold: '10'}", "prometheus web total=10", nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			all, file, remarks := convert(t, "triggers: [{"+test.trigger+"}]")
			if all[annotations.SourcesKey] != test.line {
				t.Errorf("line %q, want %q", all[annotations.SourcesKey], test.line)
			}
			if diff := cmp.Diff(test.lost, lost(remarks)); diff != "" {
				t.Errorf("lost (-want +got):\n%s", diff)
			}
			text := file.String()
			for _, part := range test.entry {
				if !strings.Contains(text, part) {
					t.Errorf("no %q in:\n%s", part, text)
				}
			}
			if text += fmt.Sprint(all, remarks); strings.Contains(text, "sesame") {
				t.Errorf("a password is repeated:\n%s", text)
			}
		})
	}
}

// TestEncryptionOfPostgreSQL: what was encrypted stays so, and where the entry checks more or less than sslmode does, that is told.
func TestEncryptionOfPostgreSQL(t *testing.T) {
	const verified, gap = "/etc/mini-hpa/sources/postgresql/ca.crt", "</etc/mini-hpa/sources/postgresql/ca.crt; remove all of tls, if sslmode is disable>"
	for mode, test := range map[string]struct {
		caFile any // nil is no encryption
		told   string
		lost   []string
	}{
		"disable":     {nil, "", nil},
		"verify-full": {verified, "", nil},
		"verify-ca":   {verified, "does not look at the name", nil},
		"require":     {verified, "takes anybody's certificate", nil},
		"prefer":      {verified, "encrypts only where the server does", nil},
		"allow":       {verified, "encrypts only where the server does", nil},
		"":            {gap, "does not say its sslmode", nil},
		"most":        {gap, "it is no mode of PostgreSQL", []string{metadata + "sslmode"}},
	} {
		t.Run(mode, func(t *testing.T) {
			_, file, remarks := convert(t, "triggers: [{type: postgresql, metadata: {host: db, port: '5432', dbName: shop, userName: u, query: SELECT 1, targetQueryValue: '2', sslmode: '"+mode+"'}}]")
			var got any
			if tls, ok := file.Sources[0].Settings["tls"].(map[string]any); ok {
				got = tls["caFile"]
			}
			if diff := cmp.Diff(test.caFile, got) + cmp.Diff(test.lost, lost(remarks)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			told := ""
			for _, r := range remarks {
				if strings.Contains(r.Path+r.Why, "sslmode") {
					told = r.Why
				}
			}
			if !strings.Contains(told, test.told) || (told == "") != (test.told == "") {
				t.Errorf("%q is told, want %q", told, test.told)
			}
		})
	}
}

// TestCredentialsAreNotRepeated, whatever trigger has them under whatever name that KEDA's scalers and external ones have for them.
func TestCredentialsAreNotRepeated(t *testing.T) {
	names := strings.Fields(`password passwd passphrase pwd pw dbPwd PASSWORD keyPassword saslPassword sentinelPassword sentinelUsername username userName user adminUser login token apiToken bearerToken accessToken authToken refreshToken
		personalAccessToken pat githubPAT githubPat SASToken sasToken sharedAccessSignature secret clientSecret secretKey SecretKey AccessKey accessKey accessKeyId accessKeyID awsAccessKeyID awsSecretAccessKey awsSessionToken appCredentialSecret
		apiKey appKey key tlsClientKey tlsClientCert tlsKey clientKey clientCert privateKey privateKeyPem storageAccountKey connection connectionString connStr storageConnection dsn DSN credentials credentialsFromEnvFile
		GoogleApplicationCredentials cert ca caCert Cert auth authorization basicAuth customAuthHeader customAuthValue customHeaders headers httpHeaders queryParameters endpointParams parameters cookie keytab kerberosConfig
		oauthExtensions activeDirectoryClientPassword jwt signature webhookURL licenseKey sessionId`)
	base := map[string]string{
		"cpu": "value: '50'", "memory": "value: '50'", "cron": "timezone: UTC, start: 0 8 * * *, end: 0 18 * * *, desiredReplicas: '5'",
		"kafka": "bootstrapServers: 'a:9092', consumerGroup: g, topic: t", "apache-kafka": "bootstrapServers: 'u:sesame@a:9092', consumerGroup: g, topic: t",
		"rabbitmq": "host: 'https://u:sesame@mq:15671/v?a=sesame', queueName: q", "redis": "address: 'redis://u:sesame@a:1', listName: l", "redis-cluster": "addresses: 'a:1,:sesame@b:1', listName: l",
		"redis-sentinel": "hosts: 'sesame@a', ports: '1', listName: l, sentinelMaster: m", "redis-streams": "address: 'a:1', stream: s", "redis-cluster-streams": "address: 'a:1', stream: s", "redis-sentinel-streams": "address: 'a:1', stream: s",
		"nats-jetstream": "natsServerMonitoringEndpoint: 'u:sesame@nats:8222', account: a, stream: s, consumer: c", "aws-sqs-queue": "queueURL: 'https://u:sesame@sqs/1/q?a=sesame', awsRegion: r, awsEndpoint: 'https://u:sesame@e'",
		"prometheus": "serverAddress: 'https://u:sesame@p/?a=sesame', query: up, threshold: '1'", "postgresql": "host: 'u:sesame@db', dbName: d, query: SELECT 1, targetQueryValue: '1'", "mysql": "host: db, dbName: d, query: SELECT 1, queryValue: '1'",
		"metrics-api": "url: 'https://u:sesame@a/b?token=sesame', valueLocation: x, targetValue: '1'", "kubernetes-workload": "podSelector: a=b, value: '1'", "external": "scalerAddress: 'u:sesame@s:1'", "external-push": "scalerAddress: 's:1'",
		"aws-cloudwatch": "a: b",
	}
	for kind := range kinds() {
		if base[kind] == "" {
			t.Errorf("no trigger %s", kind)
		}
	}
	var all []string
	for _, name := range names {
		all = append(all, name+": sesame-as-"+name)
	}
	for kind, rest := range base {
		_, file, remarks := convert(t, "triggers: [{type: "+kind+", metadata: {"+strings.Join(all, ", ")+", "+rest+"}}]")
		text := file.String() + fmt.Sprint(remarks)
		for _, found := range regexp.MustCompile(`sesame[a-zA-Z-]*`).FindAllString(text, -1) {
			t.Errorf("%s: %s is repeated:\n%s", kind, found, text)
		}
	}
	for _, value := range []string{"https://u:sesame@h/", "https://h/?code=sesame", "Endpoint=sb://h/;SharedAccessKey=sesame", "Bearer sesame", "Basic sesame", "u:sesame@tcp(db:3306)/shop", "host=h password=sesame", "-----BEGIN KEY----- sesame",
		"https://hooks.example.com/services/sesame1234567890sesame"} {
		all, file, remarks := convert(t, "triggers: [{type: external, metadata: {scalerAddress: 's:1', place: '"+value+"'}}]")
		if text := file.String() + fmt.Sprint(all, remarks); strings.Contains(text, "sesame") {
			t.Errorf("%q is repeated:\n%s", value, text)
		}
	}
}

// TestMetadataOfAnExternalScaler: what is no credential is in the entry, and all of it is told in one order.
func TestMetadataOfAnExternalScaler(t *testing.T) {
	for range 20 {
		_, file, remarks := convert(t, "triggers: [{type: external, metadata: {scalerAddress: 's:1', longitude: '-122.335167', databaseId: shop-prod, queue: orders.new, maxLag: '20', bFromEnv: B, aFromEnv: A, cFromEnv: C}}]")
		want := map[string]any{"address": "s:1", "metadata": map[string]any{"longitude": "-122.335167", "databaseId": "shop-prod", "queue": "orders.new", "maxLag": "20"},
			"metadataFiles": map[string]any{"aFromEnv": "/etc/mini-hpa/sources/keda/aFromEnv", "bFromEnv": "/etc/mini-hpa/sources/keda/bFromEnv", "cFromEnv": "/etc/mini-hpa/sources/keda/cFromEnv"}}
		var told []string
		for _, r := range remarks {
			told = append(told, r.Value)
		}
		if diff := cmp.Diff(want, file.Sources[0].Settings) + cmp.Diff([]string{"aFromEnv, bFromEnv, cFromEnv", "databaseId, longitude, maxLag, queue"}, told); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	}
}

// TestEncryption: a trigger that is not encrypted stays so, and where only what it names knows that, it is to be filled in.
func TestEncryption(t *testing.T) {
	for name, test := range map[string]struct {
		trigger string
		want    any // nil is no encryption
		told    []string
	}{
		"no word":                           {"type: kafka, metadata: {%s}", nil, nil},
		"on":                                {"type: kafka, metadata: {tls: enable, %s}", map[string]any{"caFile": "/etc/mini-hpa/sources/kafka/ca.crt"}, nil},
		"on, with anybody":                  {"type: kafka, metadata: {tls: enable, unsafeSsl: 'true', %s}", map[string]any{"insecure": true}, nil},
		"with anybody, but not on":          {"type: kafka, metadata: {unsafeSsl: 'true', %s}", nil, []string{metadata + "unsafeSsl"}},
		"off":                               {"type: kafka, authenticationRef: {name: a}, metadata: {tls: disable, %s}", nil, []string{"spec.triggers[0].authenticationRef"}},
		"said elsewhere":                    {"type: kafka, authenticationRef: {name: a}, metadata: {%s}", map[string]any{"caFile": "</etc/mini-hpa/sources/kafka/ca.crt; remove all of tls, unless tls of TriggerAuthentication a is enable>"}, []string{"spec.triggers[0].authenticationRef"}},
		"said elsewhere, with anybody":      {"type: kafka, authenticationRef: {name: a}, metadata: {unsafeSsl: 'true', %s}", map[string]any{"insecure": "<true; remove all of tls, unless tls of TriggerAuthentication a is enable>"}, []string{"spec.triggers[0].authenticationRef"}},
		"redis, on":                         {"type: redis, metadata: {enableTLS: 'true', %s}", map[string]any{"caFile": "/etc/mini-hpa/sources/redis/ca.crt"}, nil},
		"redis, with anybody, but not on":   {"type: redis, metadata: {unsafeSsl: 'true', %s}", nil, []string{metadata + "unsafeSsl"}},
		"a scaler, on":                      {"type: external, metadata: {enableTLS: 'true', %s}", map[string]any{"caFile": "/etc/mini-hpa/sources/keda/ca.crt"}, nil},
		"a scaler, with anybody, if at all": {"type: external, metadata: {unsafeSsl: 'true', %s}", nil, []string{metadata + "unsafeSsl"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, file, remarks := convert(t, "triggers: [{"+fmt.Sprintf(test.trigger, "bootstrapServers: 'a:9092', consumerGroup: g, topic: t, address: 'a:1', listName: l, scalerAddress: 's:1'")+"}]")
			var told []string
			for _, r := range remarks {
				if strings.HasSuffix(r.Path, "unsafeSsl") || strings.HasSuffix(r.Path, "Ref") {
					told = append(told, r.Path)
				}
			}
			if diff := cmp.Diff(test.want, file.Sources[0].Settings["tls"]) + cmp.Diff(test.told, told); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestConvert(t *testing.T) {
	const cpu = "triggers: [{type: cpu, metadata: {value: '50'}}], "
	const queue = "triggers: [{type: redis-streams, metadata: {address: 'a:1', stream: s, streamLength: '8'}}], "
	const line, sleeps = "redis stream=s target=8", "minReplicaCount: 0, advanced: {horizontalPodAutoscalerConfig: {behavior: {scaleDown: {stabilizationWindowSeconds: %s}}}}"
	for name, test := range map[string]struct {
		spec string
		want map[string]string
		lost []string
	}{
		"CPU and memory": {"triggers: [{type: cpu, metricType: AverageValue, metadata: {value: 250m, containerName: app}}, {type: memory, metadata: {type: Utilization, value: '70', containerName: app, activationValue: '0'}}]",
			map[string]string{annotations.TargetCPU: "250m", annotations.TargetMemory: "70", annotations.Container: "app", annotations.Max: "100"}, nil},
		"what is no amount": {"triggers: [{type: cpu, metadata: {value: half}}, {type: memory, metricType: AverageValue, metadata: {value: '-1'}}]",
			nil, []string{metadata + "value", "spec.triggers[1].metadata.value", "spec.triggers"}},
		"CPU alone never sleeps": {cpu + "minReplicaCount: 0", map[string]string{annotations.TargetCPU: "50", annotations.Max: "100"}, nil},
		"a queue": {queue + "minReplicaCount: 0, cooldownPeriod: 600, pollingInterval: 5, maxReplicaCount: 7",
			map[string]string{annotations.SourcesKey: line, annotations.Min: "0", annotations.Max: "7", annotations.SleepAfter: "10m", annotations.SyncPeriod: "5s"}, nil},
		"short cooldown": {queue + "minReplicaCount: 0, cooldownPeriod: 30, advanced: {horizontalPodAutoscalerConfig: {behavior: {scaleDown: {stabilizationWindowSeconds: 10}}}}",
			map[string]string{annotations.SourcesKey: line, annotations.Min: "0", annotations.Max: "100", annotations.SleepAfter: "30s", annotations.ScaleDownStabilization: "10s"}, nil},
		"usual cooldown and a short window": {queue + fmt.Sprintf(sleeps, "60"),
			map[string]string{annotations.SourcesKey: line, annotations.Min: "0", annotations.Max: "100", annotations.SleepAfter: "5m", annotations.ScaleDownStabilization: "1m"}, nil},
		"usual cooldown and a long window": {queue + fmt.Sprintf(sleeps, "600"),
			map[string]string{annotations.SourcesKey: line, annotations.Min: "0", annotations.Max: "100", annotations.ScaleDownStabilization: "10m"}, []string{"spec.cooldownPeriod"}},
		"idle": {queue + "minReplicaCount: 3, idleReplicaCount: 0, initialCooldownPeriod: 60",
			map[string]string{annotations.SourcesKey: line, annotations.Min: "0", annotations.Max: "100", annotations.WakeReplicas: "3"},
			[]string{"spec.minReplicaCount", "spec.initialCooldownPeriod"}},
		"idle, with one replica awake": {queue + "idleReplicaCount: 0", map[string]string{annotations.SourcesKey: line, annotations.Min: "0", annotations.Max: "100"}, nil},
		"idle, with CPU alone": {cpu + "minReplicaCount: 3, idleReplicaCount: 0", map[string]string{annotations.TargetCPU: "50", annotations.Min: "3", annotations.Max: "100"},
			[]string{"spec.idleReplicaCount"}},
		"idle at another number": {queue + "minReplicaCount: 3, idleReplicaCount: 1", map[string]string{annotations.SourcesKey: line, annotations.Min: "3", annotations.Max: "100"},
			[]string{"spec.idleReplicaCount"}},
		"fallback": {queue + "fallback: {failureThreshold: 4, replicas: 6, behavior: currentReplicasIfHigher}, pollingInterval: 15",
			map[string]string{annotations.SourcesKey: line, annotations.Max: "100", annotations.FallbackKey: "6 after 1m"}, nil},
		"no fallback": {queue + "fallback: {failureThreshold: 4, replicas: 6, behavior: currentReplicas}", map[string]string{annotations.SourcesKey: line, annotations.Max: "100"}, nil},
		"a fallback that lowers": {queue + "fallback: {failureThreshold: 1, replicas: 6, behavior: currentReplicasIfLower}",
			map[string]string{annotations.SourcesKey: line, annotations.Max: "100"}, []string{"spec.fallback.behavior"}},
		"a fallback of the formula": {queue + "fallback: {failureThreshold: 1, replicas: 6, behavior: scalingModifiers}",
			map[string]string{annotations.SourcesKey: line, annotations.Max: "100"}, []string{"spec.fallback.behavior"}},
		"a fallback to nothing": {queue + "fallback: {failureThreshold: 1, replicas: 0}",
			map[string]string{annotations.SourcesKey: line, annotations.Max: "100"}, []string{"spec.fallback.replicas"}},
		"advanced": {queue + "advanced: {restoreToOriginalReplicaCount: true, scalingModifiers: {formula: a + b, target: '2', activationTarget: '1', metricType: Value}, horizontalPodAutoscalerConfig: {name: x}}, unknown: 1",
			map[string]string{annotations.SourcesKey: line, annotations.Max: "100"},
			[]string{"spec.unknown", "spec.advanced.restoreToOriginalReplicaCount", "spec.advanced.scalingModifiers.formula", "spec.advanced.scalingModifiers.target", "spec.advanced.scalingModifiers.activationTarget",
				"spec.advanced.scalingModifiers.metricType"}},
		"two zones": {"triggers: [{type: cron, metadata: {timezone: Europe/Berlin, start: 0 8 * * *, end: 0 18 * * *, desiredReplicas: '500'}}, {type: cron, metadata: {timezone: UTC, start: 0 8 * * *, end: 0 18 * * *, desiredReplicas: '5'}}]",
			map[string]string{annotations.ScheduleKey: "zone Europe/Berlin\ndaily 08:00-18:00 min=100\n", annotations.Max: "100"}, []string{"spec.triggers[1].metadata.timezone"}},
		"hours with fewer than there always are": {"minReplicaCount: 5, triggers: [{type: cron, metadata: {timezone: UTC, start: 0 8 * * *, end: 0 18 * * *, desiredReplicas: '2'}}]",
			map[string]string{annotations.ScheduleKey: "daily 08:00-18:00 min=5\n", annotations.Min: "5", annotations.Max: "100"}, nil},
		"hours of what is idle at other ones": {"minReplicaCount: 5, idleReplicaCount: 0, triggers: [{type: cron, metadata: {timezone: UTC, start: 0 8 * * *, end: 0 18 * * *, desiredReplicas: '2'}}]",
			map[string]string{annotations.ScheduleKey: "daily 08:00-18:00 min=5\n", annotations.Min: "0", annotations.Max: "100", annotations.WakeReplicas: "5"}, []string{"spec.minReplicaCount"}},
	} {
		t.Run(name, func(t *testing.T) {
			all, _, remarks := convert(t, test.spec)
			if diff := cmp.Diff(test.want, all) + cmp.Diff(test.lost, lost(remarks)); diff != "" {
				t.Errorf("(-want +got):\n%s\n%+v", diff, remarks)
			}
		})
	}
}

func TestPaused(t *testing.T) {
	for name, test := range map[string]struct {
		annotations map[string]string
		set         map[string]string
		lost        int
	}{
		"paused":       {map[string]string{"paused": "true"}, map[string]string{annotations.ModeKey: "paused"}, 0},
		"not paused":   {map[string]string{"paused": "false"}, map[string]string{}, 0},
		"at 3":         {map[string]string{"paused-replicas": "3"}, map[string]string{annotations.ModeKey: "paused"}, 1},
		"awake anyway": {map[string]string{"force-activation": "true"}, map[string]string{}, 0},
		"unknown":      {map[string]string{"paused-at": "noon"}, map[string]string{}, 1},
		"scale-in":     {map[string]string{"paused-scale-in": "true"}, map[string]string{annotations.ScaleDownPolicies: "disabled"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			o := &ScaledObject{Spec: Spec{Triggers: []Trigger{{Type: "cpu", Metadata: map[string]string{"value": "50"}}}}}
			o.Annotations = map[string]string{}
			for key, value := range test.annotations {
				o.Annotations[annotations.GroupPausing+key] = value
			}
			all, remarks := Convert(o, &File{})
			delete(all, annotations.TargetCPU)
			delete(all, annotations.Max)
			if diff := cmp.Diff(test.set, all); diff != "" || len(lost(remarks)) != test.lost {
				t.Errorf("remarks %+v, annotations (-want +got):\n%s", remarks, diff)
			}
		})
	}
}

// TestPausedBesideABehavior: the policies that a pause takes the place of are told, and nothing is where there are none.
func TestPausedBesideABehavior(t *testing.T) {
	for name, test := range map[string]struct {
		pause, behavior string
		set             map[string]string
		lost            []hpa.Remark
	}{
		"policies": {"paused-scale-in", "scaleDown: {stabilizationWindowSeconds: 60, policies: [{type: Percent, value: 50, periodSeconds: 30}]}",
			map[string]string{annotations.ScaleDownPolicies: "disabled", annotations.ScaleDownStabilization: "1m"},
			[]hpa.Remark{{Path: "spec.advanced.horizontalPodAutoscalerConfig.behavior.scaleDown.policies", Value: "50%/30s", Lost: true,
				Why: "gives way to autoscaling.keda.sh/paused-scale-in, which is the same annotation here", Do: `set mini-hpa/scale-down-policies to "50%/30s" when that is over`}}},
		"those of the other direction": {"paused-scale-out", "scaleDown: {policies: [{type: Percent, value: 50, periodSeconds: 30}]}",
			map[string]string{annotations.ScaleUpPolicies: "disabled", annotations.ScaleDownPolicies: "50%/30s"}, nil},
		"disabled anyway": {"paused-scale-in", "scaleDown: {selectPolicy: Disabled}", map[string]string{annotations.ScaleDownPolicies: "disabled"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			o := read(t, "triggers: [{type: cpu, metadata: {value: '50'}}], advanced: {horizontalPodAutoscalerConfig: {behavior: {"+test.behavior+"}}}")
			o.Annotations = map[string]string{annotations.GroupPausing + test.pause: "true"}
			all, remarks := Convert(o, &File{})
			delete(all, annotations.TargetCPU)
			delete(all, annotations.Max)
			if diff := cmp.Diff(test.set, all) + cmp.Diff(test.lost, remarks); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRead(t *testing.T) {
	for _, text := range []string{"", "{}", `{"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledJob"}`, `{"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "spec": {}}`,
		`{"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "spec": {"maxReplicaCount": "x"}}`} {
		if _, _, err := Read([]byte(text)); err == nil {
			t.Errorf("%q is read", text)
		}
	}
}

// TestQuantitiesTakeNoTime: to read one of these, or to compare what was read, takes hours.
func TestQuantitiesTakeNoTime(t *testing.T) {
	for _, value := range []string{"1e999999999", "1e-999999999", "1" + strings.Repeat("0", 1000)} {
		all, _, remarks := convert(t, "triggers: [{type: memory, metricType: AverageValue, metadata: {value: '"+value+"'}}]")
		want := hpa.Remark{Path: metadata + "value", Value: value, Why: "is lost: it must be at most 500 bytes long, with an exponent of at most 3 digits", Do: "correct it", Lost: true}
		if all != nil || len(remarks) == 0 || remarks[0] != want {
			t.Errorf("%v, %v, want %v", all, remarks, want)
		}
	}
	_, _, err := Read(object(t, "triggers: [], advanced: {horizontalPodAutoscalerConfig: {behavior: {scaleUp: {tolerance: '1e-999999999'}}}}"))
	if want := "spec.advanced.horizontalPodAutoscalerConfig.behavior.scaleUp.tolerance: Invalid value: "; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %s...", err, want)
	}
}

// TestOneEntryForASystem: triggers that ask the same system share its entry, and those whose credentials may be others do not.
func TestOneEntryForASystem(t *testing.T) {
	prometheus := func(query, more string) string {
		return "{type: prometheus, metadata: {serverAddress: 'http://p', query: " + query + ", threshold: '1'}" + more + "}"
	}
	_, file, _ := convert(t, "triggers: ["+prometheus("up", "")+", "+prometheus("down", "")+", "+prometheus("up", "")+", "+prometheus("up", ", authenticationRef: {name: a}")+"]")
	var got []string
	for _, s := range file.Sources {
		for _, q := range s.Queries {
			got = append(got, s.Name+" "+q.Name+" "+q.Query)
		}
	}
	if diff := cmp.Diff([]string{"prometheus web up", "prometheus web-2 down", "prometheus-2 web up"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestManyEntries: thousands have names of their own, and each is made in the same time, whatever there is already.
func TestManyEntries(t *testing.T) {
	for name, trigger := range map[string]string{
		"entries": "{type: kafka, metadata: {bootstrapServers: 'k%d:9092', consumerGroup: g, topic: t}}",
		"queries": "{type: prometheus, name: load, metadata: {serverAddress: 'http://p', query: q%d, threshold: '1'}}",
	} {
		t.Run(name, func(t *testing.T) {
			var file *File
			clitest.Linear(t, 400, func(n int) func() {
				file = &File{}
				var all []*ScaledObject
				for i := range n {
					all = append(all, read(t, "triggers: ["+fmt.Sprintf(trigger, i)+"]"))
				}
				return func() {
					for _, o := range all {
						Convert(o, file)
					}
				}
			})
			names := map[string]bool{}
			for i, s := range file.Sources {
				names[s.Name] = true
				for k, q := range s.Queries {
					names[q.Name] = true
					if want := fmt.Sprint("q", k); q.Query != want {
						t.Errorf("query %s is %s, want %s", q.Name, q.Query, want)
					}
				}
				if i > 0 && s.Name != fmt.Sprintf("kafka-%d", i+1) {
					t.Errorf("entry %d is called %s", i, s.Name)
				}
			}
			if len(names) < 800 {
				t.Errorf("%d names of 800", len(names))
			}
		})
	}
}

// TestNamesOfQueries: those that are the same are one, those that are not have names of their own, also where one of these is somebody's.
func TestNamesOfQueries(t *testing.T) {
	s := &Source{}
	var got []string
	for _, q := range []Query{{Name: "a", Query: "1"}, {Name: "a-2", Query: "2"}, {Name: "a", Query: "3"}, {Name: "a", Query: "1"}, {Name: "a", Query: "3"}, {Name: "a-2", Query: "4"}, {Name: "a-3", Query: "3"}, {Name: "a", Query: "5"}} {
		got = append(got, s.query(q))
	}
	if diff := cmp.Diff([]string{"a", "a-2", "a-3", "a", "a-3", "a-2-2", "a-3", "a-4"}, got); diff != "" || len(s.Queries) != 5 {
		t.Errorf("%d queries (-want +got):\n%s", len(s.Queries), diff)
	}
}

// TestNoEntryIsOfTwoNamespaces: neither may ask for what the ScaledObject of the other one asks, although the system is the same.
func TestNoEntryIsOfTwoNamespaces(t *testing.T) {
	file := &File{}
	for _, namespace := range []string{"a", "b", "a"} {
		for _, trigger := range []string{"{type: redis, metadata: {address: 'r:1', listName: %s-jobs}}", "{type: prometheus, metadata: {serverAddress: 'http://p', query: '%s', threshold: '1'}}"} {
			o := read(t, "triggers: ["+fmt.Sprintf(trigger, namespace)+"]")
			o.Namespace = namespace
			Convert(o, file)
		}
	}
	var got []string
	for _, s := range file.Sources {
		got = append(got, fmt.Sprint(s.Name, " ", s.Namespaces, s.Allow, s.Queries))
	}
	want := []string{"redis [a] map[list:[a-jobs]] []", "prometheus [a] map[] [{web a   0}]", "redis-2 [b] map[list:[b-jobs]] []", "prometheus-2 [b] map[] [{web b   0}]"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestCron holds lines to the minutes that they were made of.
func TestCron(t *testing.T) {
	for name, test := range map[string]struct{ start, end, want string }{
		"office hours":     {"30 7 * * 1-5", "0 20 * * 1-5", "Mon-Fri 07:30-20:00 min=5\n"},
		"over midnight":    {"0 22 * * *", "0 6 * * *", "daily 22:00-06:00 min=5\n"},
		"until midnight":   {"0 22 * * MON,WED", "0 0 * * TUE,THU", "Mon,Wed 22:00-24:00 min=5\n"},
		"the working week": {"0 8 * * 1", "0 18 * * 5", "Mon 08:00-24:00 min=5\nTue-Thu 00:00-24:00 min=5\nFri 00:00-18:00 min=5\n"},
		"some nights":      {"0 22 * * 5,6", "0 4 * * 6,0", "Fri,Sat 22:00-04:00 min=5\n"},
		"both together":    {"0 8 * * *", "0 8 * * 1-5", "Sun 08:00-24:00 min=5\nMon-Thu 00:00-24:00 min=5\nFri 00:00-08:00 min=5\n"},
		"always":           {"0 8 * * 1-5", "0 8 * * MON-FRI", "daily 00:00-24:00 min=5\n"},
		"each hour":        {"0 8-9 * * 1", "30 8-9 * * 1", "Mon 08:00-08:30 min=5\nMon 09:00-09:30 min=5\n"},
	} {
		t.Run(name, func(t *testing.T) {
			active, err := week(test.start, test.end)
			if err != nil {
				t.Fatal(err)
			}
			text := scheduleText("", hoursOf(active, 5))
			if sorted(text) != sorted(test.want) {
				t.Errorf("%q, want %q", text, test.want)
			}
			var zones schedule.Zones
			s, err := schedule.Parse(text, &zones)
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range active {
				at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * time.Minute) // a Sunday
				if _, got := s.At(at); got != want {
					t.Fatalf("%s: counts %t, want %t\n%s", at.Format("Mon 15:04"), got, want, text)
				}
			}
		})
	}
	for _, text := range []string{"0 8 1 * *", "0 8 * 12 *", "0 8 * *", "@daily", "61 8 * * *"} {
		if _, err := week(text, "0 20 * * *"); err == nil {
			t.Errorf("%q is read", text)
		}
	}
}

func sorted(text string) string {
	lines := strings.Split(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
