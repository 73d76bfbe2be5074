package sources

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/mini-hpa/mini-hpa/scaler/metrics"
	"github.com/mini-hpa/mini-hpa/scaler/sources"
)

// startNATS starts a server with JetStream; set makes it other than usual.
func startNATS(t *testing.T, set func(*server.Options)) *server.Server {
	t.Helper()
	options := &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true,
		AuthTimeout: timeout.Seconds(), TLSTimeout: timeout.Seconds()}
	if set != nil {
		set(options)
	}
	started, err := server.NewServer(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		started.Shutdown()
		started.WaitForShutdown()
	})
	started.Start()
	if !started.ReadyForConnections(timeout) {
		t.Fatal("the server is not ready")
	}
	return started
}

// addressOf is host:port of a server.
func addressOf(s *server.Server) string { return s.Addr().String() }

// natsPeople are those who write and read.
func natsPeople(t *testing.T, s *server.Server, options ...nats.Option) nats.JetStreamContext {
	t.Helper()
	connection, err := nats.Connect("nats://"+addressOf(s), append(options, nats.Timeout(timeout))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(connection.Close)
	stream, err := connection.JetStream(nats.MaxWait(timeout))
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// fill makes a stream with so many messages, and a consumer that has fetched some and acknowledged fewer.
func fill(t *testing.T, people nats.JetStreamContext, name string, written, fetched, acknowledged int) {
	t.Helper()
	if _, err := people.AddStream(&nats.StreamConfig{Name: name, Subjects: []string{name + ".>"}, Storage: nats.MemoryStorage}); err != nil {
		t.Fatal(err)
	}
	if _, err := people.AddConsumer(name, &nats.ConsumerConfig{Durable: "worker", AckPolicy: nats.AckExplicitPolicy, AckWait: time.Hour}); err != nil {
		t.Fatal(err)
	}
	for range written {
		if _, err := people.Publish(name+".x", []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	reader, err := people.PullSubscribe("", "worker", nats.Bind(name, "worker"))
	if err != nil {
		t.Fatal(err)
	}
	if fetched == 0 {
		return
	}
	messages, err := reader.Fetch(fetched)
	if err != nil {
		t.Fatal(err)
	}
	for _, message := range messages[:acknowledged] {
		if err := message.AckSync(); err != nil {
			t.Fatal(err)
		}
	}
}

func natsSource(t *testing.T, have *files, addresses []string, more ...string) sources.Client {
	t.Helper()
	return open(t, "nats", listed("servers", addresses, more), have)
}

func pendingOf(stream, consumer string) metrics.Question {
	return line(map[string]string{"stream": stream, "consumer": consumer})
}

// TestNATSPending: what is not delivered counts, and what is in work; what is not there is a failure.
func TestNATSPending(t *testing.T) {
	t.Parallel()
	s := startNATS(t, nil)
	people := natsPeople(t, s)
	fill(t, people, "orders", 10, 4, 1)
	fill(t, people, "idle", 3, 3, 3)
	client := natsSource(t, with(nil), []string{addressOf(s)})
	got := ask(t, client,
		pendingOf("orders", "worker"),
		pendingOf("idle", "worker"),
		pendingOf("orders", "nobody"),
		pendingOf("absent", "worker"),
		pendingOf("orders", "*"),
		pendingOf("orders", ">"),
		pendingOf("orders.worker", "x"),
		pendingOf("orders", "wor\r\nPUB x 1"),
		pendingOf("", "worker"),
		pendingOf("ORDERS", "worker"),
	)
	expect(t, got, "9", "0",
		`!has no consumer "nobody" of stream "orders"`,
		`!has no stream "absent"`,
		`!cannot have a consumer "*"`,
		`!cannot have a consumer ">"`,
		`!cannot have a stream "orders.worker"`,
		`!cannot have a consumer "wor\r\nPUB x 1"`,
		`!cannot have a stream ""`,
		`!has no stream "ORDERS"`,
	)
	if err := people.DeleteConsumer("orders", "worker"); err != nil {
		t.Fatal(err)
	}
	expect(t, ask(t, client, pendingOf("orders", "worker")), `!has no consumer "worker" of stream "orders"`)
}

// TestNATSManyConsumers: hundreds are asked over one connection, each answered as its own.
func TestNATSManyConsumers(t *testing.T) {
	t.Parallel()
	const consumers = 800
	s := startNATS(t, nil)
	people := natsPeople(t, s)
	fill(t, people, "orders", 5, 0, 0)
	var questions []metrics.Question
	var want []result
	for i := range consumers {
		name := fmt.Sprint("worker-", i)
		if _, err := people.AddConsumer("orders", &nats.ConsumerConfig{
			Durable: name, AckPolicy: nats.AckExplicitPolicy, DeliverPolicy: nats.DeliverByStartSequencePolicy, OptStartSeq: uint64(1 + i%5), MemoryStorage: true,
		}); err != nil {
			t.Fatal(err)
		}
		questions, want = append(questions, pendingOf("orders", name)), append(want, result(fmt.Sprint(5-i%5)))
	}
	client := natsSource(t, with(nil), []string{addressOf(s)})
	before := s.NumClients()
	expect(t, ask(t, client, questions...), want...)
	if after := s.NumClients(); after != before+1 {
		t.Errorf("%d connections", after-before)
	}
}

// TestNATSCredentials: each way to say who one is, read for each connection.
func TestNATSCredentials(t *testing.T) {
	t.Parallel()
	user, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	public, err := user.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := user.Seed()
	if err != nil {
		t.Fatal(err)
	}
	other, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	wrongSeed, err := other.Seed()
	if err != nil {
		t.Fatal(err)
	}
	trusted, credentials, wrongCredentials := operatorMode(t)
	for name, c := range map[string]struct {
		set          func(*server.Options)
		auth         string
		path         string
		right, wrong string
	}{
		"password": {func(o *server.Options) { o.Username, o.Password = "scaler", "right" },
			`{"userFile": "/user", "passwordFile": "/secret"}`, "/secret", "right\n", wrongPassword},
		"token":       {func(o *server.Options) { o.Authorization = "right" }, `{"tokenFile": "/secret"}`, "/secret", "right\n", wrongPassword},
		"nkey":        {func(o *server.Options) { o.Nkeys = []*server.NkeyUser{{Nkey: public}} }, `{"nkeyFile": "/secret"}`, "/secret", string(seed) + "\n", string(wrongSeed)},
		"credentials": {trusted, `{"credentialsFile": "/secret"}`, "/secret", credentials, wrongCredentials},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startNATS(t, c.set)
			have := with(map[string]string{"/user": "scaler", c.path: c.wrong})
			client := natsSource(t, have, []string{addressOf(s)}, `"auth": `+c.auth)
			asked := pendingOf("absent", "worker")
			expect(t, ask(t, client, asked), "!refused the credentials")
			tellsNoneOf(t, "nats", listed("servers", []string{addressOf(s)}, []string{`"auth": ` + c.auth}), have, asked, keysOf(c.wrong)...)
			have.Store(c.path, c.right)
			expect(t, ask(t, client, asked), `!has no stream "absent"`)
			have.Store(c.path, c.wrong)
			expect(t, ask(t, client, asked), `!has no stream "absent"`) // the connection is there
			have.Delete(c.path)
			fresh := natsSource(t, have, []string{addressOf(s)}, `"auth": `+c.auth)
			expect(t, ask(t, fresh, asked), "!is not set up: a file of it cannot be read")
			if name == "nkey" {
				have.Store(c.path, "no seed")
				expect(t, ask(t, fresh, asked), "!is not set up: a file of it cannot be read")
			}
			expect(t, ask(t, natsSource(t, have, []string{addressOf(s)}), asked), "!refused the credentials")
		})
	}
}

// keysOf are the credentials of a file, which may stand between lines for people.
func keysOf(file string) []string {
	return slices.DeleteFunc(strings.Fields(file), func(word string) bool { return len(word) < len(wrongPassword) || strings.Trim(word, "-*") != word })
}

// operatorMode sets up a server that trusts an operator, and returns a user's credentials, and those of a user of an operator that it does not trust.
func operatorMode(t *testing.T) (set func(*server.Options), right, wrong string) {
	t.Helper()
	invent := func() (operator *jwt.OperatorClaims, account, accountJWT, system, systemJWT, credentials string) {
		operatorKey, err := nkeys.CreateOperator()
		if err != nil {
			t.Fatal(err)
		}
		systemKey, err := nkeys.CreateAccount()
		if err != nil {
			t.Fatal(err)
		}
		accountKey, err := nkeys.CreateAccount()
		if err != nil {
			t.Fatal(err)
		}
		userKey, err := nkeys.CreateUser()
		if err != nil {
			t.Fatal(err)
		}
		name := func(key nkeys.KeyPair) string {
			public, err := key.PublicKey()
			if err != nil {
				t.Fatal(err)
			}
			return public
		}
		operator = jwt.NewOperatorClaims(name(operatorKey))
		claims := jwt.NewAccountClaims(name(accountKey))
		claims.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: -1, Streams: -1, Consumer: -1}
		if accountJWT, err = claims.Encode(operatorKey); err != nil {
			t.Fatal(err)
		}
		if systemJWT, err = jwt.NewAccountClaims(name(systemKey)).Encode(operatorKey); err != nil {
			t.Fatal(err)
		}
		userJWT, err := jwt.NewUserClaims(name(userKey)).Encode(accountKey)
		if err != nil {
			t.Fatal(err)
		}
		seed, err := userKey.Seed()
		if err != nil {
			t.Fatal(err)
		}
		text, err := jwt.FormatUserConfig(userJWT, seed)
		if err != nil {
			t.Fatal(err)
		}
		return operator, name(accountKey), accountJWT, name(systemKey), systemJWT, string(text)
	}
	operator, account, accountJWT, system, systemJWT, right := invent()
	_, _, _, _, _, wrong = invent()
	resolver := &server.MemAccResolver{}
	if err := resolver.Store(account, accountJWT); err != nil {
		t.Fatal(err)
	}
	// JetStream needs an account of the system's own.
	if err := resolver.Store(system, systemJWT); err != nil {
		t.Fatal(err)
	}
	return func(o *server.Options) {
		o.TrustedOperators, o.AccountResolver, o.SystemAccount = []*jwt.OperatorClaims{operator}, resolver, system
	}, right, wrong
}

// TestNATSMayNot: what a user may not ask is told at once, though the server does not answer it.
func TestNATSMayNot(t *testing.T) {
	t.Parallel()
	s := startNATS(t, func(o *server.Options) {
		o.Users = []*server.User{
			{Username: "people", Password: "people"},
			{Username: "scaler", Password: "right", Permissions: &server.Permissions{Publish: &server.SubjectPermission{Allow: []string{"$JS.API.CONSUMER.INFO.orders.*"}}}},
		}
	})
	people := natsPeople(t, s, nats.UserInfo("people", "people"))
	fill(t, people, "orders", 2, 0, 0)
	fill(t, people, "secret", 2, 0, 0)
	client := natsSource(t, with(map[string]string{"/user": "scaler", "/password": "right"}), []string{addressOf(s)},
		`"auth": {"userFile": "/user", "passwordFile": "/password"}`)
	expect(t, ask(t, client, pendingOf("orders", "worker"), pendingOf("secret", "worker")),
		"2", `!does not allow mini-hpa to see consumer "worker" of stream "secret"`)
}

// TestNATSNoJetStream: a server without it is not empty.
func TestNATSNoJetStream(t *testing.T) {
	t.Parallel()
	s := startNATS(t, func(o *server.Options) { o.JetStream = false })
	expect(t, ask(t, natsSource(t, with(nil), []string{addressOf(s)}), pendingOf("orders", "worker")), "!has no JetStream for this user")
}

// TestNATSServersGo: another server is asked when one is gone or hangs, and a connection is made again.
func TestNATSServersGo(t *testing.T) {
	t.Parallel()
	first, second := startNATS(t, nil), startNATS(t, nil)
	for _, s := range []*server.Server{first, second} {
		fill(t, natsPeople(t, s), "orders", 4, 0, 0)
	}
	client := natsSource(t, with(nil), []string{addressOf(first), addressOf(second)})
	asked := pendingOf("orders", "worker")
	expect(t, ask(t, client, asked), "4")
	first.Shutdown()
	first.WaitForShutdown()
	for range 3 {
		// At the first look the connection may be the one that was lost a moment ago.
		if got := ask(t, client, asked)[0]; got != "4" && got != `!broke off the connection when it was asked for consumer "worker" of stream "orders"` {
			t.Errorf("with one server: %q", got)
		}
	}
	expect(t, ask(t, client, asked), "4")
	second.Shutdown()
	second.WaitForShutdown()
	ask(t, client, asked)
	expect(t, ask(t, client, asked), "!refused the connection")
}

// TestNATSServersElsewhere: a server may say that others are somewhere else. Only those of the file are dialled.
func TestNATSServersElsewhere(t *testing.T) {
	t.Parallel()
	elsewhere := startNATS(t, nil)
	fill(t, natsPeople(t, elsewhere), "orders", 4, 0, 0)
	connections := func() uint64 {
		state, err := elsewhere.Varz(nil)
		if err != nil {
			t.Fatal(err)
		}
		return state.TotalConnections
	}
	before := connections()
	s := startNATS(t, func(o *server.Options) {
		o.ClientAdvertise = addressOf(elsewhere)
		o.Cluster = server.ClusterOpts{Name: "c", Host: "127.0.0.1", Port: server.RANDOM_PORT}
		o.JetStream = false
	})
	client, asked := natsSource(t, with(nil), []string{addressOf(s)}), pendingOf("orders", "worker")
	expect(t, ask(t, client, asked), "!has no JetStream for this user")
	s.Shutdown()
	s.WaitForShutdown()
	ask(t, client, asked)
	expect(t, ask(t, client, asked), "!refused the connection")
	if after := connections(); after != before {
		t.Errorf("%d connections to a server that the file does not have", after-before)
	}
}

// TestNATSAnswersOtherwise: what is no consumer is no number, and what a tenant reads has no words of whoever answers.
func TestNATSAnswersOtherwise(t *testing.T) {
	t.Parallel()
	s := startNATS(t, func(o *server.Options) { o.JetStream, o.MaxPayload = false, 32<<20 })
	people, err := nats.Connect("nats://" + addressOf(s))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(people.Close)
	info := func(fields string) string {
		return `{"type": "io.nats.jetstream.api.v1.consumer_info_response", ` + fields + `}`
	}
	for name, c := range map[string]struct{ answer, want string }{
		"nothing":               {``, ""},
		"null":                  {`null`, ""},
		"a list":                {`[]`, ""},
		"HTML":                  {`<html>hunter2`, ""},
		"no consumer":           {`{}`, ""},
		"another consumer":      {info(`"stream_name": "secret", "name": "worker", "num_pending": 7`), ""},
		"less than none":        {info(`"stream_name": "orders", "name": "worker", "num_ack_pending": -5`), ""},
		"less than none, too":   {info(`"stream_name": "orders", "name": "worker", "num_pending": -5`), ""},
		"more than there is":    {info(`"stream_name": "orders", "name": "worker", "num_pending": 1e30`), ""},
		"text":                  {info(`"stream_name": "orders", "name": "worker", "num_pending": "hunter2"`), ""},
		"an error":              {info(`"error": {"code": 500, "err_code": 12345, "description": "hunter2"}`), ""},
		"an error of no number": {info(`"error": {"code": -1, "description": "hunter2"}`), ""},
		"very much":             {info(`"x": "` + strings.Repeat("x", 20<<20) + `"`), ""},
		"all that can be":       {info(`"stream_name": "orders", "name": "worker", "num_pending": 18446744073709551615, "num_ack_pending": 9`), "9223372036854775807"},
		"a number":              {info(`"stream_name": "orders", "name": "worker", "num_pending": 3, "num_ack_pending": 2`), "5"},
	} {
		replies, err := people.Subscribe("$JS.API.CONSUMER.INFO.>", func(m *nats.Msg) { _ = m.Respond([]byte(c.answer)) })
		if err != nil {
			t.Fatal(err)
		}
		if err := people.Flush(); err != nil {
			t.Fatal(err)
		}
		got := string(ask(t, natsSource(t, with(nil), []string{addressOf(s)}), pendingOf("orders", "worker"))[0])
		if c.want != "" && got != c.want || c.want == "" && !strings.HasPrefix(got, "!") || strings.Contains(got, "hunter2") {
			t.Errorf("%s: %q, want %q, or a failure", name, got, c.want)
		}
		if err := replies.Unsubscribe(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNATSHangsAndRestarts: a server that is slow, and one that ends and begins again, with what it had.
func TestNATSHangsAndRestarts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	port, _ := strconv.Atoi(freePorts(t, 1)[0])
	lasting := func(o *server.Options) { o.StoreDir, o.Port = dir, port }
	s := startNATS(t, lasting)
	people := natsPeople(t, s)
	if _, err := people.AddStream(&nats.StreamConfig{Name: "orders", Subjects: []string{"orders.>"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := people.AddConsumer("orders", &nats.ConsumerConfig{Durable: "worker", AckPolicy: nats.AckExplicitPolicy}); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		if _, err := people.Publish("orders.x", []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	gate, address := proxy(t, addressOf(s))
	client, asked := natsSource(t, with(nil), []string{address}), pendingOf("orders", "worker")
	expect(t, ask(t, client, asked), "4")
	gate.hang()
	under := begin(client, []metrics.Question{asked})
	under.stop()
	if got := under.end(t)[0]; !strings.HasPrefix(string(got), "!did not answer") {
		t.Errorf("of a server that hangs: %q", got)
	}
	gate.goOn()
	back := func() error {
		switch got := ask(t, client, asked)[0]; {
		case got == "4":
			return nil
		case strings.HasPrefix(string(got), "!"):
			return errors.New(string(got))
		default:
			t.Fatalf("amid it: %q", got)
			return nil
		}
	}
	until(t, "it goes on", back)
	s.Shutdown()
	s.WaitForShutdown()
	if got := ask(t, client, asked)[0]; !strings.HasPrefix(string(got), "!") {
		t.Errorf("of a server that is gone: %q", got)
	}
	startNATS(t, lasting)
	until(t, "it is back", back)
}

// TestNATSTLS: the connection is encrypted, and only a server whose certificate is from the authority of the file is asked.
func TestNATSTLS(t *testing.T) {
	t.Parallel()
	known, authority, _ := certified(t)
	s := startNATS(t, func(o *server.Options) {
		o.TLS, o.TLSConfig = true, &tls.Config{Certificates: []tls.Certificate{known}, MinVersion: tls.VersionTLS13}
	})
	asked := pendingOf("absent", "worker")
	have := with(map[string]string{"/ca.crt": authority})
	servers := []string{addressOf(s)}
	expect(t, ask(t, natsSource(t, have, servers, `"tls": {"caFile": "/ca.crt"}`), asked), `!has no stream "absent"`)
	expect(t, ask(t, natsSource(t, have, servers, `"tls": {"insecure": true}`), asked), `!has no stream "absent"`)
	expect(t, ask(t, natsSource(t, have, servers, `"tls": {}`), asked), "!has a certificate that is not trusted")
	expect(t, ask(t, natsSource(t, have, servers, `"tls": {"caFile": "/other"}`), asked), "!is not set up: a file of it cannot be read")
	plain := startNATS(t, nil)
	expect(t, ask(t, natsSource(t, have, []string{addressOf(plain)}, `"tls": {"caFile": "/ca.crt"}`), asked), "!does not speak TLS")
}
