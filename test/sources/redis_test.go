//go:build unix

package sources

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/mini-hpa/mini-hpa/scaler/metrics"
	"github.com/mini-hpa/mini-hpa/scaler/sources"
)

// redisServer is a Redis, and someone who writes there.
type redisServer struct {
	*testing.T
	*served
	dir, port string
	arguments []string
	people    rueidis.Client
}

// newRedis starts a server with more arguments such as "--cluster-enabled", "yes".
func newRedis(t *testing.T, arguments ...string) *redisServer {
	t.Helper()
	s := &redisServer{T: t, dir: t.TempDir(), port: freePorts(t, 1)[0], arguments: arguments}
	s.start()
	return s
}

// start starts it, also once more, with the same files and the same port.
func (s *redisServer) start() {
	s.Helper()
	command := exec.Command(installed(s.T, "redis-server", "redis-server"), append([]string{
		"--port", s.port, "--bind", "127.0.0.1", "--dir", s.dir, "--save", "", "--appendonly", "yes", "--appendfsync", "always",
	}, s.arguments...)...)
	s.served = launch(s.T, "redis-server", s.ready, command)
}

func (s *redisServer) address() string { return "127.0.0.1:" + s.port }

// ready says whether it answers, whatever.
func (s *redisServer) ready(ctx context.Context) error { return answersRedis(ctx, s.address()) }

func answersRedis(ctx context.Context, address string) error {
	connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer func() { _ = connection.Close() }()
	_ = connection.SetDeadline(time.Now().Add(time.Second))
	if _, err := connection.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	reply := make([]byte, 64)
	n, err := connection.Read(reply)
	if err == nil && strings.Contains(string(reply[:n]), "LOADING") {
		return errors.New("it is loading")
	}
	return err
}

// do sends commands of words, each of which has to succeed.
func (s *redisServer) do(commands ...string) {
	s.Helper()
	if s.people == nil {
		s.people = joinRedis(s.T, rueidis.ClientOption{InitAddress: []string{s.address()}, ForceSingleClient: true})
	}
	doRedis(s.T, s.people, commands...)
}

func joinRedis(t *testing.T, options rueidis.ClientOption) rueidis.Client {
	t.Helper()
	options.DisableCache, options.PipelineMultiplex, options.Dialer.Timeout, options.ConnWriteTimeout = true, -1, timeout, timeout
	people, err := rueidis.NewClient(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(people.Close)
	return people
}

func doRedis(t *testing.T, people rueidis.Client, commands ...string) {
	t.Helper()
	for _, command := range commands {
		words := strings.Fields(command)
		b := people.B().Arbitrary(words[0])
		if len(words) > 1 {
			b = b.Keys(words[1]).Args(words[2:]...)
		}
		if err := people.Do(t.Context(), b.Build()).Error(); err != nil && !rueidis.IsRedisNil(err) {
			t.Fatalf("%s: %v", command, err)
		}
	}
}

// source opens the client under test, with more settings.
func (s *redisServer) source(have *files, more ...string) sources.Client {
	s.Helper()
	return redisSource(s.T, have, []string{s.address()}, more...)
}

func redisSource(t *testing.T, have *files, addresses []string, more ...string) sources.Client {
	t.Helper()
	return open(t, "redis", strings.Join(append(more, fmt.Sprintf(`"addresses": ["%s"]`, strings.Join(addresses, `", "`))), ", "), have)
}

// of asks for a key, such as of("list", "jobs", "db", "3").
func of(words ...string) metrics.Question {
	parameters := map[string]string{}
	for i := 0; i < len(words); i += 2 {
		parameters[words[i]] = words[i+1]
	}
	return line(parameters)
}

// TestRedisCounts what is at keys, in one round for all of them, over one connection.
func TestRedisCounts(t *testing.T) {
	t.Parallel()
	s := newRedis(t)
	s.do("RPUSH jobs a b c", "SADD members a b", "ZADD scores 1 a 2 b 3 c 4 d", "SET text x",
		"XADD events 1-1 k v", "XADD events 2-1 k v", "XADD events 3-1 k v", "XGROUP CREATE events readers 0", "XGROUP CREATE events late $",
		"XREADGROUP GROUP readers r COUNT 1 STREAMS events >", "XGROUP CREATE empty none 0 MKSTREAM",
		"SELECT 3", "RPUSH jobs a", "SELECT 0")
	client := s.source(with(nil))
	questions := []metrics.Question{
		of("list", "jobs"), of("list", "jobs", "db", "3"), of("set", "members"), of("sorted-set", "scores", "db", "0"), of("stream", "events"),
		of("stream", "events", "group", "readers"), of("stream", "events", "group", "late"), of("stream", "empty"), of("stream", "empty", "group", "none"),
		of("list", "none"), of("set", "none"), of("sorted-set", "none"), of("stream", "none"), of("stream", "none", "group", "readers"), of("stream", "events", "group", "none"),
		of("list", "text"), of("set", "jobs"), of("sorted-set", "jobs"), of("stream", "jobs"), of("stream", "jobs", "group", "readers"),
		of("list", "jobs", "db", "16"), of("list", "jobs", "db", "x"), of("group", "readers"), of("list", "jobs", "set", "members"), of("list", "jobs"),
	}
	want := []result{
		"3", "1", "2", "4", "3",
		"3", "0", "0", "0",
		"0", "0", "0", "!has no stream of that name", "!has no stream of that name", "!has no group of that name",
		"!has something else than a list at that key", "!has something else than a set at that key", "!has something else than a sorted set at that key",
		"!has something else than a stream at that key", "!has something else than a stream at that key",
		"!has no database of that number", "!was asked for a database that is no number", "!was asked for no key", "!was asked for more than one key", "3",
	}
	expect(t, ask(t, client, questions...), want...)
	expect(t, ask(t, client, questions...), want...)
	if n := s.connections(); n != 2 { // with that of those who write
		t.Errorf("%d connections", n)
	}
}

// connections is how many clients the server has.
func (s *redisServer) connections() int {
	s.Helper()
	list, err := s.people.Do(s.Context(), s.people.B().ClientList().Build()).ToString()
	if err != nil {
		s.Fatal(err)
	}
	return strings.Count(list, "\n")
}

// TestRedisLagThatIsNotKnown: Redis does not count what a group has left that was made in the middle of a stream.
func TestRedisLagThatIsNotKnown(t *testing.T) {
	t.Parallel()
	s := newRedis(t)
	for i := range 300 {
		s.do(fmt.Sprintf("XADD events %d-1 k v", i+1))
	}
	s.do("XGROUP CREATE events middle 295-1", "XGROUP CREATE events early 150-1", "XGROUP CREATE events deleted 290-1", "XGROUP CREATE events end $",
		"XREADGROUP GROUP deleted r COUNT 3 STREAMS events >", "XDEL events 298-1")
	client := s.source(with(nil))
	groups := []metrics.Question{
		of("stream", "events", "group", "middle"), of("stream", "events", "group", "early"), of("stream", "events", "group", "deleted"), of("stream", "events", "group", "end"),
	}
	expect(t, ask(t, client, groups...), "4", "299", "9", "0") // "early" has 149 left
	s.do("XREADGROUP GROUP early r COUNT 1000 STREAMS events >", "XREADGROUP GROUP middle r NOACK COUNT 1000 STREAMS events >")
	expect(t, ask(t, client, groups...), "0", "149", "9", "0")
	s.do("XADD events 400-1 k v")
	expect(t, ask(t, client, groups...), "1", "150", "10", "1")
}

// TestRedisNames that look like something else are keys like others.
func TestRedisNames(t *testing.T) {
	t.Parallel()
	s := newRedis(t)
	s.do("RPUSH jobs a")
	names := []string{"*", "jobs*", "../jobs", "jobs\r\nFLUSHALL", "a b", "%2f", "", "{jobs}", "jobs\x00"}
	for _, name := range names[:5] {
		if err := s.people.Do(t.Context(), s.people.B().Rpush().Key(name).Element("a", "b").Build()).Error(); err != nil {
			t.Fatal(err)
		}
	}
	var questions []metrics.Question
	for _, name := range append(names, "jobs") {
		questions = append(questions, of("list", name))
	}
	expect(t, ask(t, s.source(with(nil)), questions...), "2", "2", "2", "2", "2", "0", "!was asked for no key", "0", "0", "1")
}

// TestRedisUsers: who may count what, and what a tenant reads of it. Credentials are read at each connection.
func TestRedisUsers(t *testing.T) {
	t.Parallel()
	s := newRedis(t)
	s.do("RPUSH jobs a b", "XADD events 1-1 k v", "XADD events 2-1 k v", "XADD events 3-1 k v", "XGROUP CREATE events middle 1-1", "RPUSH other a",
		"ACL SETUSER counter on >right ~jobs ~events -@all +select +ping +llen +scard +zcard +xlen +exists +xinfo|groups +xrange")
	have := with(map[string]string{"/user": "counter\n", "/password": "wrong-hunter2\n"})
	client := s.source(have, `"auth": {"userFile": "/user", "passwordFile": "/password"}`)
	questions := []metrics.Question{of("list", "jobs"), of("stream", "events"), of("stream", "events", "group", "middle"), of("list", "other")}
	refused := result("!refused the credentials")
	expect(t, ask(t, client, questions...), refused, refused, refused, refused)
	client.Ask(t.Context(), questions[:1], func(_ int, _ metrics.Answer, err error) {
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the password is in the error: %v", err)
		}
	})
	have.Store("/password", "right")
	want := []result{"2", "3", "2", "!does not permit its user to count that"}
	expect(t, ask(t, client, questions...), want...)
	have.Delete("/password")
	expect(t, ask(t, client, questions...), want...) // over the connection that there is
	s.do("ACL SETUSER counter resetpass >next", "CLIENT KILL USER counter")
	until(t, "the file that is missing is noticed", func() error {
		if got := ask(t, client, questions[0]); got[0] != "!is not set up: a file of it cannot be read" {
			return errors.New(string(got[0]))
		}
		return nil
	})
	have.Store("/password", "next")
	expect(t, ask(t, client, questions...), want...)
	s.do("CONFIG SET requirepass all")
	expect(t, ask(t, s.source(with(nil)), questions[0]), refused)
	expect(t, ask(t, s.source(with(map[string]string{"/p": "all"}), `"auth": {"passwordFile": "/p"}`), questions[0]), "2")
}

// TestRedisOverTLS trusts whom the file says.
func TestRedisOverTLS(t *testing.T) {
	t.Parallel()
	_, certificate, key := certified(t)
	dir := t.TempDir()
	for name, text := range map[string]string{"c": certificate, "k": key} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	port := freePorts(t, 1)[0]
	address := "127.0.0.1:" + port
	s := newRedis(t, "--tls-port", port, "--tls-cert-file", dir+"/c", "--tls-key-file", dir+"/k", "--tls-ca-cert-file", dir+"/c", "--tls-auth-clients", "no")
	s.do("RPUSH jobs a")
	have := with(map[string]string{"/ca": certificate})
	expect(t, ask(t, redisSource(t, have, []string{address}, `"tls": {"caFile": "/ca"}`), of("list", "jobs")), "1")
	expect(t, ask(t, redisSource(t, have, []string{address}, `"tls": {}`), of("list", "jobs")), "!has a certificate that is not trusted")
	plain := ask(t, redisSource(t, have, []string{address}), of("list", "jobs"))
	if plain[0] != "!broke off its answer" && plain[0] != "!cannot be reached" {
		t.Errorf("without TLS: %q", plain)
	}
}

// TestRedisGoesAndComesBack: what is not known is not 0.
func TestRedisGoesAndComesBack(t *testing.T) {
	t.Parallel()
	s := newRedis(t)
	s.do("RPUSH jobs a b", "XADD events 1-1 k v", "XGROUP CREATE events readers 0")
	client := s.source(with(nil))
	questions := []metrics.Question{of("list", "jobs"), of("stream", "events", "group", "readers")}
	want := []result{"2", "1"}
	expect(t, ask(t, client, questions...), want...)
	s.Kill()
	for range 20 {
		for _, got := range ask(t, client, questions...) {
			if !strings.HasPrefix(string(got), "!") {
				t.Errorf("of a server that is gone: %q", got)
			}
		}
	}
	expect(t, ask(t, client, questions...), "!refused the connection", "!refused the connection")
	s.start()
	expect(t, ask(t, client, questions...), want...)
}

// TestRedisThatHangs keeps nobody beyond the deadline, and is asked again when it goes on.
func TestRedisThatHangs(t *testing.T) {
	t.Parallel()
	s := newRedis(t)
	s.do("RPUSH jobs a")
	gate, address := proxy(t, s.address())
	client := redisSource(t, with(nil), []string{address})
	for name, connected := range map[string]bool{"while it connects": false, "while it asks": true} {
		if connected {
			expect(t, ask(t, client, of("list", "jobs")), "1")
		}
		gate.hang()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		answered := 0
		client.Ask(ctx, []metrics.Question{of("list", "jobs"), of("set", "x")}, func(_ int, _ metrics.Answer, err error) {
			if answered++; !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", name, err)
			}
		})
		cancel()
		if answered != 2 {
			t.Errorf("%s: %d answers", name, answered)
		}
		gate.goOn()
		until(t, "it goes on "+name, func() error {
			if got := ask(t, client, of("list", "jobs")); got[0] != "1" {
				return errors.New(string(got[0]))
			}
			return nil
		})
	}
}

// TestRedisThatIsNone is told in our own words.
func TestRedisThatIsNone(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(nil)
	defer web.Close()
	got := ask(t, redisSource(t, with(nil), []string{web.Listener.Addr().String()}), of("list", "jobs"))
	if !strings.HasPrefix(string(got[0]), "!") || strings.Contains(string(got[0]), "HTTP") {
		t.Errorf("%q", got)
	}
	s := newRedis(t)
	expect(t, ask(t, s.source(with(nil), `"cluster": true`), of("list", "jobs")), "!is no cluster, which the file says")
}

// TestRedisSentinelFailover follows the master.
func TestRedisSentinelFailover(t *testing.T) {
	t.Parallel()
	master := newRedis(t)
	master.do("RPUSH jobs a b c", "CONFIG SET requirepass data", "CONFIG SET masterauth data")
	replica := newRedis(t, "--replicaof", "127.0.0.1 "+master.port, "--masterauth", "data", "--requirepass", "data")
	sentinel := newSentinel(t, master.port)
	client := redisSource(t, with(map[string]string{"/data": "data", "/watch": "watch"}), []string{"127.0.0.1:" + sentinel},
		`"sentinel": "mymaster"`, `"auth": {"passwordFile": "/data"}`, `"sentinelAuth": {"passwordFile": "/watch"}`)
	questions := []metrics.Question{of("list", "jobs")}
	expect(t, ask(t, client, questions...), "3")
	people := joinRedis(t, rueidis.ClientOption{InitAddress: []string{replica.address()}, ForceSingleClient: true, Password: "data"})
	watch := joinRedis(t, rueidis.ClientOption{InitAddress: []string{"127.0.0.1:" + sentinel}, ForceSingleClient: true, Password: "watch"})
	until(t, "the replica has everything, and the sentinel knows it", func() error {
		n, err := people.Do(t.Context(), people.B().Llen().Key("jobs").Build()).AsInt64()
		known, _ := watch.Do(t.Context(), watch.B().SentinelReplicas().Master("mymaster").Build()).ToArray()
		if err != nil || n != 3 || len(known) != 1 {
			return fmt.Errorf("%d, %w, %d replicas", n, err, len(known))
		}
		return nil
	})
	master.Kill()
	until(t, "the new master is asked", func() error {
		switch got := ask(t, client, questions...)[0]; {
		case got == "3":
			return nil
		case strings.HasPrefix(string(got), "!"):
			return errors.New(string(got))
		default:
			t.Fatalf("%q, amid the failover", got)
			return nil
		}
	})
	other := redisSource(t, with(map[string]string{"/data": "data", "/watch": "watch"}), []string{"127.0.0.1:" + sentinel},
		`"sentinel": "none"`, `"auth": {"passwordFile": "/data"}`, `"sentinelAuth": {"passwordFile": "/watch"}`)
	expect(t, ask(t, other, questions...), "!has no master of that name")
	refused := redisSource(t, with(map[string]string{"/data": "data"}), []string{"127.0.0.1:" + sentinel},
		`"sentinel": "mymaster"`, `"auth": {"passwordFile": "/data"}`)
	expect(t, ask(t, refused, questions...), "!refused the credentials")
}

// newSentinel starts one that watches a master, and returns its port.
func newSentinel(t *testing.T, master string) string {
	t.Helper()
	port, dir := freePorts(t, 1)[0], t.TempDir()
	file := filepath.Join(dir, "sentinel.conf")
	text := fmt.Sprintf("port %s\nbind 127.0.0.1\ndir %s\nrequirepass watch\nsentinel monitor mymaster 127.0.0.1 %s 1\nsentinel auth-pass mymaster data\n"+
		"sentinel down-after-milliseconds mymaster 500\nsentinel failover-timeout mymaster 3000\n", port, dir, master)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	path := installed(t, "redis-sentinel", "redis-sentinel")
	launch(t, "redis-sentinel", func(ctx context.Context) error { return answersRedis(ctx, "127.0.0.1:"+port) }, exec.Command(path, file))
	return port
}

// TestRedisCluster asks each member for its own keys, also those that have moved, and what one of them does not answer fails no other.
func TestRedisCluster(t *testing.T) {
	t.Parallel()
	members := newRedisCluster(t)
	people := joinRedis(t, rueidis.ClientOption{InitAddress: []string{members[0].address()}})
	var questions []metrics.Question
	var want []result
	for i := range 60 {
		key := "jobs-" + strconv.Itoa(i)
		doRedis(t, people, "RPUSH "+key+strings.Repeat(" x", i+1))
		questions = append(questions, of("list", key))
		want = append(want, result(strconv.Itoa(i+1)))
	}
	questions, want = append(questions, of("list", "none"), of("list", "jobs-1", "db", "1")), append(want, "0", "!is a cluster, which has no databases but 0")
	client := redisSource(t, with(nil), []string{members[0].address(), members[1].address()}, `"cluster": true`)
	expect(t, ask(t, client, questions...), want...)
	expect(t, ask(t, client, questions...), want...)
	single := ask(t, redisSource(t, with(nil), []string{members[0].address()}), questions[:60]...)
	elsewhere := 0
	for i, got := range single {
		if got == "!is a cluster, which the file does not say" {
			elsewhere++
		} else if got != want[i] {
			t.Errorf("one member alone: %q, want %q", got, want[i])
		}
	}
	if elsewhere == 0 {
		t.Error("one member alone has all keys")
	}
	members[2].Kill()
	known := 0
	for i, got := range ask(t, client, questions[:60]...) {
		if got == want[i] {
			known++
		} else if !strings.HasPrefix(string(got), "!") {
			t.Errorf("without a member: %q, want %q or a failure", got, want[i])
		}
	}
	if known == 0 || known == 60 {
		t.Errorf("%d of 60 are known without a member", known)
	}
}

// newRedisCluster starts three members, each with a third of the slots.
func newRedisCluster(t *testing.T) []*redisServer {
	t.Helper()
	var members []*redisServer
	for range 3 {
		ports := freePorts(t, 2)
		members = append(members, newRedis(t, "--cluster-enabled", "yes", "--cluster-port", ports[1], "--cluster-require-full-coverage", "no", "--cluster-node-timeout", "60000"))
		m := members[len(members)-1]
		m.arguments = append(m.arguments, ports[1])
		m.people = joinRedis(t, rueidis.ClientOption{InitAddress: []string{m.address()}, ForceSingleClient: true})
	}
	slots := []string{"0 5460", "5461 10922", "10923 16383"}
	for i, m := range members {
		first := members[0]
		bus := first.arguments[len(first.arguments)-1]
		doRaw(t, m.people, "CLUSTER ADDSLOTSRANGE "+slots[i], "CLUSTER MEET 127.0.0.1 "+first.port+" "+bus)
	}
	for _, m := range members {
		until(t, "the cluster is whole", func() error {
			info, err := m.people.Do(t.Context(), m.people.B().ClusterInfo().Build()).ToString()
			if err != nil || !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, "cluster_slots_assigned:16384") {
				return fmt.Errorf("%w: %s", err, info)
			}
			return nil
		})
	}
	return members
}

func doRaw(t *testing.T, people rueidis.Client, commands ...string) {
	t.Helper()
	for _, command := range commands {
		words := strings.Fields(command)
		if err := people.Do(t.Context(), people.B().Arbitrary(words...).Build()).Error(); err != nil {
			t.Fatalf("%s: %v", command, err)
		}
	}
}
