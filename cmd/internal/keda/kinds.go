package keda

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"

	"github.com/mini-hpa/mini-hpa/annotations/amount"
)

// kinds are the triggers that can be converted, by the name that KEDA has for them.
func kinds() map[string]func(*given) {
	return map[string]func(*given){
		"cpu":                    func(g *given) { g.usage(corev1.ResourceCPU) },
		"memory":                 func(g *given) { g.usage(corev1.ResourceMemory) },
		"cron":                   (*given).cron,
		"kafka":                  (*given).kafka,
		"apache-kafka":           (*given).kafka,
		"rabbitmq":               (*given).rabbitmq,
		"redis":                  (*given).redisList,
		"redis-cluster":          (*given).redisList,
		"redis-sentinel":         (*given).redisList,
		"redis-streams":          (*given).redisStream,
		"redis-cluster-streams":  (*given).redisStream,
		"redis-sentinel-streams": (*given).redisStream,
		"nats-jetstream":         (*given).nats,
		"aws-sqs-queue":          (*given).sqs,
		"prometheus":             (*given).prometheus,
		"postgresql":             (*given).postgresql,
		"mysql":                  (*given).mysql,
		"metrics-api":            (*given).http,
		"kubernetes-workload":    (*given).workload,
		"external":               (*given).external,
		"external-push":          (*given).external,
	}
}

// usage is CPU and memory.
func (g *given) usage(name corev1.ResourceName) {
	kind, value, container := cmp.Or(string(g.trigger.MetricType), g.left["type"]), g.take("value"), g.take("containerName")
	delete(g.left, "type")
	if active := g.take("activationValue"); active != "" && active != "0" {
		g.lost(g.path+".metadata.activationValue", active, "is lost: usage neither wakes a workload nor puts it to sleep", "")
	}
	target := autoscalingv2.MetricTarget{Type: autoscalingv2.MetricTargetType(cmp.Or(kind, string(autoscalingv2.UtilizationMetricType)))}
	g.isTyped = target.Type != autoscalingv2.ValueMetricType // KEDA does not take that either
	if target.Type == autoscalingv2.ValueMetricType {
		target.Type = autoscalingv2.AverageValueMetricType
	}
	if target.Type == autoscalingv2.UtilizationMetricType {
		percent, err := strconv.ParseInt(value, 10, 32)
		if err != nil || percent <= 0 {
			g.lost(g.path+".metadata.value", value, "is lost: it is no whole percent above 0", "correct it")
			return
		}
		target.AverageUtilization = new(int32(percent))
	} else {
		if err := amount.CheckText(value); err != nil {
			g.lost(g.path+".metadata.value", value, "is lost: it "+err.Error(), "correct it")
			return
		}
		each, err := resource.ParseQuantity(value)
		if err != nil || each.Sign() <= 0 || len(value) > 64 {
			g.lost(g.path+".metadata.value", value, "is lost: it is no amount above 0", "correct it")
			return
		}
		target.AverageValue = &each
	}
	m := autoscalingv2.MetricSpec{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{Name: name, Target: target}}
	if container != "" {
		m = autoscalingv2.MetricSpec{Type: autoscalingv2.ContainerResourceMetricSourceType,
			ContainerResource: &autoscalingv2.ContainerResourceMetricSource{Name: name, Container: container, Target: target}}
	}
	g.metrics = append(g.metrics, m)
}

func (g *given) kafka() {
	topic, group := g.take("topic"), g.take("consumerGroup")
	if topic == "" || group == "" || g.left["topicFromEnv"]+g.left["consumerGroupFromEnv"] != "" {
		g.drop(g.path, g.trigger.Type, "is lost: a line names one group and one topic, and this trigger does not say both", "write a line for each topic by hand")
		return
	}
	brokers := g.wanted("brokers, as HOST:PORT", "bootstrapServers")
	sasl := g.take("sasl")
	mechanism, known := map[string]string{"plaintext": "PLAIN", "scram_sha256": "SCRAM-SHA-256", "scram_sha512": "SCRAM-SHA-512"}[sasl]
	if sasl != "" && sasl != "none" && !known {
		g.lost(g.path+".metadata.sasl", sasl, "is lost: there are PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512", "choose one of them, and write it into the entry")
	}
	if g.hasCredentials("username", "password", "ca", "cert", "key", "keyPassword") && mechanism == "" {
		mechanism = "<PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; without a password remove all of sasl>"
	}
	encrypted := g.take("tls")
	tls := g.tls(encrypted == "enable", encrypted != "", g.isTrue("unsafeSsl"))
	s := g.entry("kafka", func(name string) map[string]any {
		settings := map[string]any{"brokers": split(brokers)}
		if tls != nil {
			settings["tls"] = tls(name)
		}
		if mechanism != "" {
			settings["sasl"] = map[string]any{"mechanism": mechanism, "userFile": directory + name + "/user", "passwordFile": directory + name + "/password"}
		}
		return settings
	})
	s.allow("group", group)
	s.allow("topic", topic)
	words := []string{parameter("group", group), parameter("topic", topic)}
	if g.take("offsetResetPolicy") == "earliest" {
		words = append(words, " reset=earliest")
	}
	switch lagging, idle := g.isTrue("limitToPartitionsWithLag"), g.isTrue("allowIdleConsumers"); {
	case lagging:
		words = append(words, " cap=lagging")
	case idle:
		words = append(words, " cap=none")
	}
	g.needless("version", "is not needed: client and brokers find it out", "")
	g.line(s, append(words, g.target("10", "activationLagThreshold", "lagThreshold"))...)
}

func (g *given) rabbitmq() {
	queue := g.take("queueName")
	if mode := g.take("mode"); mode != "" && mode != "QueueLength" || g.isTrue("useRegex") || queue == "" {
		g.drop(g.path+".metadata.mode", mode, "is lost: the messages of one queue are counted", "let a Prometheus ask RabbitMQ for the rate, and name a query of it")
		return
	}
	host, vhost, protocol := g.wanted("URL of the management API, such as https://rabbitmq.mq.svc:15671", "host"), g.take("vhostName"), g.take("protocol")
	isUser := g.hasUser("host", host)
	who := login{user: g.hasCredentials("username", "password", "ca", "cert", "key", "keyPassword") || isUser}
	if u, err := url.Parse(host); err == nil && u.Host != "" {
		if path, err := url.PathUnescape(strings.TrimPrefix(u.EscapedPath(), "/")); vhost == "" && err == nil {
			vhost = path
		}
		u.Path, u.RawPath = "", ""
		if host = bare(u.String()); !strings.HasPrefix(u.Scheme, "http") || protocol == "amqp" {
			host = fmt.Sprintf("<URL of the management API of %s, such as https://%s:15671>", u.Hostname(), u.Hostname())
			g.tell(g.path+".metadata.host", "", "is an address of AMQP; here the management API is asked", "fill in its URL where the entry of the file has it in angle brackets")
		}
	} else {
		host = bare(host)
	}
	insecure := g.isTrue("unsafeSsl")
	s := g.entry("rabbitmq", func(name string) map[string]any { return who.web(host, name, insecure) })
	s.allow("queue", queue)
	vhost = cmp.Or(vhost, "/")
	s.allow("vhost", vhost)
	words := []string{parameter("queue", queue)}
	if vhost != "/" {
		words = append(words, parameter("vhost", vhost))
	}
	if g.isTrue("excludeUnacknowledged") {
		words = append(words, " count=ready")
	}
	g.passing()
	g.line(s, append(words, g.target("20", "activationValue", "value", "queueLength"))...)
}

// redis returns the entry of a server, cluster or master.
func (g *given) redis() *Source {
	cluster, sentinel := strings.Contains(g.trigger.Type, "-cluster"), g.take("sentinelMaster")
	var addresses []string
	hosts, ports := split(g.take("hosts", "host")), split(g.take("ports", "port"))
	for i := range min(len(hosts), len(ports)) {
		addresses = append(addresses, net.JoinHostPort(hosts[i], ports[i]))
	}
	if len(addresses) == 0 {
		addresses = split(g.wanted("addresses, as HOST:PORT", "address", "addresses"))
	}
	isTrusted := g.trigger.AuthenticationRef != nil
	hasUser, isKnown := isTrusted || g.says("username"), isTrusted || g.says("username", "password")
	ofSentinel, hasSentinelUser := g.says("sentinelUsername", "sentinelPassword"), g.says("sentinelUsername")
	g.hasCredentials("username", "password", "sentinelUsername", "sentinelPassword")
	encrypted := g.take("enableTLS")
	isTLS, _ := strconv.ParseBool(encrypted)
	tls := g.tls(isTLS, encrypted != "", g.isTrue("unsafeSsl"))
	return g.entry("redis", func(name string) map[string]any {
		settings := map[string]any{"addresses": addresses}
		if cluster {
			settings["cluster"] = true
		}
		if sentinel != "" {
			settings["sentinel"] = sentinel
		}
		if tls != nil {
			settings["tls"] = tls(name)
		}
		if isKnown {
			settings["auth"] = credentials(name, "", hasUser)
		}
		if ofSentinel {
			settings["sentinelAuth"] = credentials(name, "sentinel-", hasSentinelUser)
		}
		return settings
	})
}

// credentials are the files of a password, and of a user who may be none.
func credentials(name, of string, hasUser bool) map[string]any {
	auth := map[string]any{"passwordFile": directory + name + "/" + of + "password"}
	if hasUser {
		auth["userFile"] = directory + name + "/" + of + "user"
	}
	return auth
}

func (g *given) database() string {
	if db := g.take("databaseIndex"); db != "" && db != "0" {
		return parameter("db", db)
	}
	return ""
}

func (g *given) redisList() {
	list := g.take("listName")
	s := g.redis()
	s.allow("list", list)
	g.line(s, parameter("list", list), g.database(), g.target("5", "activationListLength", "listLength"))
}

func (g *given) redisStream() {
	stream, group := g.take("stream"), g.take("consumerGroup")
	// Which of them counts KEDA takes by what there is; the others are left over, and told.
	counts := "streamLength"
	switch {
	case group != "" && g.left["lagCount"] != "":
		counts = "lagCount"
	case group != "":
		counts = "pendingEntriesCount"
	}
	count := g.take(counts)
	s := g.redis()
	s.allow("stream", stream)
	words := []string{parameter("stream", stream)}
	if group != "" {
		s.allow("group", group)
		words = append(words, parameter("group", group))
		only := map[string]string{"lagCount": "read", "pendingEntriesCount": "acknowledged"}[counts]
		g.lost(g.path+".metadata."+counts, count, "is the target of what is neither read nor acknowledged; KEDA counts only what is not "+only, "")
	}
	g.left["target"] = count
	g.line(s, append(words, g.database(), g.target("5", "activationLagCount", "target"))...)
}

func (g *given) nats() {
	stream, consumer, monitoring := g.take("stream"), g.take("consumer"), withoutUser(g.take("natsServerMonitoringEndpoint"))
	g.needless("account", "is not asked for: the servers say what is in the account of the user of the entry", "name files of a user of that account")
	g.needless("accountID", "is not asked for: the servers say what is in the account of the user of the entry", "name files of a user of that account")
	g.needless("useHttps", "is about the monitoring endpoint, which is not asked", "add tls to the entry, if the servers want it")
	g.take("natsServerMonitoringEndpointFromEnv")
	g.tell(g.path+".metadata.natsServerMonitoringEndpoint", monitoring, "is not asked: the servers themselves are, with a user of the account", "fill in their addresses where the entry of the file has them in angle brackets")
	host, _, _ := net.SplitHostPort(monitoring)
	credentials := g.hasCredentials()
	s := g.entry("nats", func(name string) map[string]any {
		settings := map[string]any{"servers": []string{fmt.Sprintf("<servers of %s, as HOST:PORT such as %s:4222>", cmp.Or(monitoring, "NATS"), cmp.Or(host, "nats.nats.svc"))}}
		if credentials {
			settings["auth"] = map[string]any{"userFile": directory + name + "/user", "passwordFile": directory + name + "/password"}
		}
		return settings
	})
	s.allow("stream", stream)
	s.allow("consumer", consumer)
	g.line(s, parameter("stream", stream), parameter("consumer", consumer), g.target("10", "activationLagThreshold", "lagThreshold"))
}

func (g *given) prometheus() {
	address, query := g.wanted("URL of the Prometheus", "serverAddress"), g.take("query")
	insecure, ignores := g.isTrue("unsafeSsl"), g.take("ignoreNullValues") != "false"
	who := g.login(g.hasUser("serverAddress", address))
	g.passing()
	s := g.entry("prometheus", func(name string) map[string]any { return who.web(address, name, insecure) })
	q := Query{Name: g.queryName(), Query: literal(query)}
	if ignores {
		q.Empty = "0"
	}
	g.line(s, " "+s.query(q), g.target("", "activationThreshold", "threshold"))
}

// sql is a query in SQL. tls is what the entry says of encryption; nil is none.
func (g *given) sql(kind, port, userKey string, tls func(name string) map[string]any, target func() string) {
	host, query := withoutUser(g.take("host")), g.take("query")
	port = cmp.Or(g.take("port"), port)
	database := g.take("dbName")
	g.hasCredentials(userKey, "password", "connection", "connectionString")
	address := net.JoinHostPort(host, port)
	if host == "" {
		address = "<address, as HOST:PORT>"
		database = cmp.Or(database, "<name of the database>")
		g.tell(g.path, kind, "has its address in a connection string, which is not read", "fill it in where the entry of the file has it in angle brackets")
	}
	s := g.entry(kind, func(name string) map[string]any {
		settings := map[string]any{"address": address, "database": database,
			"auth": map[string]any{"userFile": directory + name + "/user", "passwordFile": directory + name + "/password"}}
		if tls != nil {
			settings["tls"] = tls(name)
		}
		return settings
	})
	g.line(s, " "+s.query(Query{Name: g.queryName(), Query: literal(strings.TrimSuffix(strings.TrimSpace(query), ";"))}), target())
}

// sslMode is what sslmode says of encryption. An entry has two modes where PostgreSQL has six: none, and one that checks the server's certificate. So
// that nothing that was encrypted is not any more, each mode that may encrypt is the second one.
func (g *given) sslMode() func(name string) map[string]any {
	authority := func(name string) map[string]any { return map[string]any{"caFile": directory + name + "/ca.crt"} }
	const key = ".metadata.sslmode"
	switch mode := g.take("sslmode"); mode {
	case "disable":
		return nil
	case "verify-full":
	case "verify-ca":
		g.tell(g.path+key, mode, "does not look at the name in the server's certificate, which the entry does", "set serverName in its tls, if that is not the name of the address")
	case "require":
		g.tell(g.path+key, mode, "takes anybody's certificate; the entry checks it by the authority in its caFile", "put that there, or insecure: true in the place of caFile, to check as little as before")
	case "prefer", "allow":
		g.tell(g.path+key, mode, "encrypts only where the server does, and takes anybody's certificate; the entry always encrypts, and checks the certificate by the authority in its caFile",
			"put that there, or remove tls from the entry, if the server does not encrypt")
	default:
		if mode == "" {
			g.tell(g.path, g.trigger.Type, "does not say its sslmode", "fill in its tls where the entry of the file has that in angle brackets")
		} else {
			g.lost(g.path+key, mode, "is lost: it is no mode of PostgreSQL", "fill in tls where the entry of the file has it in angle brackets")
		}
		return func(name string) map[string]any {
			return map[string]any{"caFile": "<" + directory + name + "/ca.crt; remove all of tls, if sslmode is disable>"}
		}
	}
	return authority
}

func (g *given) postgresql() {
	g.sql("postgresql", "5432", "userName", g.sslMode(), func() string { return g.target("", "activationTargetQueryValue", "targetQueryValue") })
}

func (g *given) mysql() {
	g.sql("mysql", "3306", "username", nil, func() string { return g.target("", "activationQueryValue", "queryValue") })
}

func (g *given) http() {
	address, value := g.wanted("URL", "url"), g.take("valueLocation")
	if format := g.take("format"); format != "" && format != "json" || strings.ContainsAny(value, "#@|*?{}[]()!\\\"") {
		g.drop(g.path, "metrics-api", "is lost: the answer has to be JSON, and the place of the number a plain path", "let a Prometheus read it, and name a query of it")
		return
	}
	u, err := url.Parse(address)
	path, isUser := "/", g.hasUser("url", address)
	if err == nil && u.Host != "" {
		path = cmp.Or(u.EscapedPath(), "/")
		u.Path, u.RawPath = "", ""
		address = bare(u.String())
	}
	insecure, who := g.isTrue("unsafeSsl"), g.login(isUser)
	g.passing()
	s := g.entry("http", func(name string) map[string]any { return who.web(address, name, insecure) })
	g.line(s, " "+s.query(Query{Name: g.queryName(), Path: literal(path), Value: "/" + strings.ReplaceAll(value, ".", "/")}), g.target("", "activationTargetValue", "targetValue"))
}

func (g *given) sqs() {
	address, region := g.wanted("URL of the queue", "queueURL"), g.take("awsRegion")
	u, err := url.Parse(address)
	parts := strings.Split(strings.Trim(cmp.Or(path(u), "/"), "/"), "/")
	if err != nil || u.Host == "" || len(parts) != 2 {
		g.drop(g.path+".metadata.queueURL", "", "is lost: a line names the queue itself, and no URL with an account and a queue is said here", "write the line by hand, such as sqs queue=NAME target=5")
		return
	}
	g.hasUser("queueURL", address)
	if endpoint := g.take("awsEndpoint"); endpoint != "" {
		g.hasUser("awsEndpoint", endpoint)
		address = endpoint
	} else {
		u.Path = ""
		address = u.String()
	}
	g.needless("identityOwner", "is not read: the entry says who asks", "")
	at, what := g.path, g.trigger.Type
	if g.trigger.AuthenticationRef != nil {
		at, what, g.isTrusted = g.path+".authenticationRef", g.authentication(), true
	}
	g.tell(at, what, "has credentials of its own, or those of a pod, which are not read: the entry of the file names the files of an access key", "put them into a Secret of the name that its paths have, and mount it (sourceSecrets of the chart), or write a role (docs/sources.md)")
	s := g.entry("sqs", func(name string) map[string]any {
		return map[string]any{"url": bare(address), "region": region, "account": parts[0],
			"auth": map[string]any{"accessKeyIdFile": directory + name + "/id", "secretAccessKeyFile": directory + name + "/secret"}}
	})
	s.allow("queue", parts[1])
	words := []string{parameter("queue", parts[1])}
	if inFlight := g.take("scaleOnInFlight"); inFlight == "false" {
		words = append(words, " count=visible")
	}
	if g.isTrue("scaleOnDelayed") {
		g.lost(g.path+".metadata.scaleOnDelayed", "true", "is lost: messages with a delay count when it is over", "")
	}
	g.line(s, append(words, g.target("5", "activationQueueLength", "queueLength"))...)
}

// path is that of a URL that may be none.
func path(u *url.URL) string {
	if u == nil {
		return ""
	}
	return u.Path
}

func (g *given) workload() {
	text := g.take("podSelector")
	selector, err := plainSelector(text)
	if err != nil {
		g.lost(g.path+".metadata.podSelector", text, "is lost: "+err.Error(), "give the pods that count a label of their own")
		return
	}
	if g.isTrue("allNamespaces") {
		g.lost(g.path+".metadata.allNamespaces", "true", "is lost: pods of the same namespace are counted", "")
	}
	s := &Source{Name: "workload"} // it needs no entry
	g.line(s, parameter("selector", selector), " phase=all", g.target("", "activationValue", "value"))
}

// plainSelector writes a selector without blanks, as a line wants it.
func plainSelector(text string) (string, error) {
	selector, err := labels.Parse(text)
	if err != nil {
		return "", err
	}
	requirements, _ := selector.Requirements()
	var parts []string
	for _, r := range requirements {
		values := r.ValuesUnsorted()
		switch op := r.Operator(); {
		case op == selection.Exists:
			parts = append(parts, r.Key())
		case op == selection.DoesNotExist:
			parts = append(parts, "!"+r.Key())
		case len(values) == 1 && (op == selection.In || op == selection.Equals || op == selection.DoubleEquals):
			parts = append(parts, r.Key()+"="+values[0])
		case len(values) == 1 && (op == selection.NotIn || op == selection.NotEquals):
			parts = append(parts, r.Key()+"!="+values[0])
		default:
			return "", fmt.Errorf("%q can only be written with blanks, and a line has none", r.String())
		}
	}
	return strings.Join(parts, ","), nil
}

func (g *given) external() {
	address := withoutUser(g.wanted("address, as HOST:PORT", "scalerAddress"))
	isTLS, insecure := g.isTrue("enableTLS"), g.isTrue("unsafeSsl")
	if g.hasCredentials("caCert", "tlsClientCert", "tlsClientKey") {
		isTLS = true
	}
	tls := g.tls(isTLS, true, insecure)
	if g.trigger.MetricType == autoscalingv2.ValueMetricType {
		g.isTyped = true
		g.lost(g.path+".metricType", string(g.trigger.MetricType), "is lost: the target that the scaler has is that of each replica here", "add total=NUMBER to the line, for one of all replicas together")
	}
	// A scaler is told what is from the environment under the whole name, "FromEnv" included (pkg/scalers/external_scaler.go of KEDA).
	metadata, copied, fromEnv, secret := map[string]any{}, []string{}, []string{}, []string{}
	for _, key := range slices.Sorted(maps.Keys(g.left)) {
		switch value := g.left[key]; {
		case strings.HasSuffix(key, "FromEnv"):
			fromEnv = append(fromEnv, key)
		case isSecret(key, value):
			secret = append(secret, key)
		default:
			metadata[key], copied = value, append(copied, key)
		}
	}
	files := slices.Sorted(slices.Values(slices.Concat(fromEnv, secret)))
	g.left = nil
	s := g.entry("keda", func(name string) map[string]any {
		settings := map[string]any{"address": address}
		if tls != nil {
			settings["tls"] = tls(name)
		}
		if len(metadata) > 0 {
			settings["metadata"] = metadata
		}
		if len(files) > 0 {
			paths := map[string]any{}
			for _, key := range files {
				paths[key] = directory + name + "/" + key
			}
			settings["metadataFiles"] = paths
		}
		return settings
	})
	if len(fromEnv) > 0 {
		g.tell(g.path+".metadata", strings.Join(fromEnv, ", "), "comes from the workload's environment; the entry of the file names files in its place", mountThem)
	}
	if len(secret) > 0 {
		g.tell(g.path+".metadata", strings.Join(secret, ", "), "may be a credential, which is not repeated; the entry of the file names files in its place", mountThem+", or write what is none into metadata of the entry")
	}
	if len(copied) > 0 {
		g.tell(g.path+".metadata", strings.Join(copied, ", "), "is in metadata of the entry as it stands here", "where it is a credential after all, name a file of it in metadataFiles instead")
	}
	g.line(s)
}
