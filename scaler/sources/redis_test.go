package sources

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
)

// What servers answer is played in test/sources, on servers. Here are answers that those that can be had there do not give.

func TestRedisSettings(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"addresses": ["redis-0.redis.svc:6379"]}`: "",
		`{"addresses": ["a:26379", "b:26379"], "sentinel": "mymaster", "auth": {"passwordFile": "/p"}, "sentinelAuth": {"passwordFile": "/s"}}`: "",
		`{"addresses": ["a:6379", "b:6379"], "cluster": true, "tls": {"caFile": "/ca"}, "auth": {"userFile": "/u", "passwordFile": "/p"}}`:      "",
		`{}`:                                  `addresses: Required value: such as [redis-0.redis.svc:6379]`,
		`{"addresses": ["a:6379", "b:6379"]}`: `addresses: Invalid value: want one address, or cluster: true, or the name of a master as sentinel`,
		`{"addresses": ["redis://a:6379"]}`:   `addresses[0]: Invalid value: "redis://a:6379": want HOST:PORT`,
		`{"addresses": ["/run/redis.sock"]}`:  `addresses[0]: Invalid value: "/run/redis.sock": want HOST:PORT`,
		`{"addresses": ["a:1"], "cluster": true, "sentinel": "m"}`:           `sentinel: Invalid value: "m": a cluster has no sentinels: want cluster or sentinel`,
		`{"addresses": ["a:1"], "sentinelAuth": {"passwordFile": "/p"}}`:     `sentinelAuth: Invalid value: want sentinel beside it`,
		`{"addresses": ["a:1"], "auth": {"userFile": "/u"}}`:                 `auth.passwordFile: Required value`,
		`{"addresses": ["a:1"], "auth": {"passwordFile": "p"}}`:              `auth.passwordFile: Invalid value: "p": want an absolute path without "..", such as /etc/mini-hpa/sources/NAME/password`,
		`{"addresses": ["a:1"], "tls": {"insecure": true, "caFile": "/ca"}}`: `tls: Invalid value: insecure: true accepts any certificate: want no caFile and no serverName beside it`,
	} {
		settings := redisKind.Settings()
		if err := json.Unmarshal([]byte(text), settings); err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := settings.Check(nil, nil).ToAggregate(); err != nil {
			got = err.Error()
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", text, diff)
		}
	}
}

// redisServer answers commands as RESP, by their first two words or by the first one, and returns its address. PORT in an answer is its own.
func redisServer(t *testing.T, answers map[string]string) string {
	t.Helper()
	return serve(t, func(connection net.Conn) { answerRedis(connection, answers) })
}

// redisOf is a client of such servers.
func redisOf(t *testing.T, settings *redisSettings) Client {
	t.Helper()
	c, err := redisKind.Open(&catalog.Entry{Settings: settings, Timeout: 20 * time.Second}, environment())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// answerRedis reads commands, which are lists of texts with a length each.
func answerRedis(connection net.Conn, answers map[string]string) {
	_, port, _ := net.SplitHostPort(connection.LocalAddr().String())
	read := bufio.NewReader(connection)
	for {
		var words, length int
		if _, err := fmt.Fscanf(read, "*%d\r\n", &words); err != nil {
			return
		}
		var command []string
		for range words {
			if _, err := fmt.Fscanf(read, "$%d\r\n", &length); err != nil {
				return
			}
			text := make([]byte, length+2)
			for i := range text {
				text[i], _ = read.ReadByte()
			}
			command = append(command, string(text[:length]))
		}
		answer, ok := answers[strings.Join(command[:min(2, words)], " ")]
		if !ok {
			if answer, ok = answers[command[0]]; !ok {
				answer = "+OK\r\n"
			}
		}
		if answer == "" {
			return
		}
		if _, err := connection.Write([]byte(strings.ReplaceAll(answer, "PORT", port))); err != nil {
			return
		}
	}
}

// TestRedisMembersElsewhere: what a cluster or a sentinel names is not dialled where no source can be.
func TestRedisMembersElsewhere(t *testing.T) {
	t.Parallel()
	bulk := func(text string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(text), text) }
	slots := func(host, port string) string {
		return "*1\r\n*3\r\n:0\r\n:16383\r\n*3\r\n" + bulk(host) + ":" + port + "\r\n" + bulk("id") + ""
	}
	cluster := func(s *redisSettings) { s.Cluster = true }
	for name, c := range map[string]struct {
		answers map[string]string
		set     func(*redisSettings)
		want    []string
	}{
		"slots at a cloud's credentials":     {map[string]string{"CLUSTER": slots("169.254.169.254", "80")}, cluster, []string{"!has an address that is not dialled"}},
		"slots at an address of no machine":  {map[string]string{"CLUSTER": slots("0.0.0.0", "6379")}, cluster, []string{"!has an address that is not dialled"}},
		"slots at IPv4-mapped addresses":     {map[string]string{"CLUSTER": slots("::ffff:a9fe:a9fe", "80")}, cluster, []string{"!has an address that is not dialled"}},
		"moved to a cloud's credentials":     {map[string]string{"CLUSTER": slots("127.0.0.1", "PORT"), "LLEN": "-MOVED 15495 169.254.169.254:80\r\n"}, cluster, []string{"!has an address that is not dialled"}},
		"asked for at a cloud's credentials": {map[string]string{"CLUSTER": slots("127.0.0.1", "PORT"), "LLEN": "-ASK 15495 169.254.169.254:80\r\n"}, cluster, []string{"!has an address that is not dialled"}},
		"moved where there is no cluster":    {map[string]string{"LLEN": "-MOVED 15495 169.254.169.254:80\r\n"}, func(*redisSettings) {}, []string{"!is a cluster, which the file does not say"}},
		"a master at a cloud's credentials":  {map[string]string{"SENTINEL": "*2\r\n" + bulk("169.254.169.254") + bulk("80")}, func(s *redisSettings) { s.Sentinel = "m" }, []string{"!has an address that is not dialled", "!has no master at present"}},
		"a master at an address of all":      {map[string]string{"SENTINEL": "*2\r\n" + bulk("255.255.255.255") + bulk("80")}, func(s *redisSettings) { s.Sentinel = "m" }, []string{"!has an address that is not dialled", "!has no master at present"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answers := map[string]string{"HELLO": hello3, "PING": "+PONG\r\n"}
			for command, answer := range c.answers {
				answers[command] = answer
			}
			settings := &redisSettings{Addresses: []string{redisServer(t, answers)}}
			c.set(settings)
			if got := answersOf(t, redisOf(t, settings), map[string]string{"list": "a"}); !slices.Contains(c.want, got[0]) {
				t.Errorf("%q, want one of %q", got, c.want)
			}
		})
	}
}

const hello3 = "%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:3\r\n"

// TestRedisThatAnswersOtherwise: no failure is a number, and none has the words of the server.
func TestRedisThatAnswersOtherwise(t *testing.T) {
	t.Parallel()
	group := func(fields ...string) string {
		text := fmt.Sprintf("*1\r\n%%%d\r\n", len(fields)/2)
		return text + strings.Join(fields, "\r\n") + "\r\n"
	}
	list, stream := map[string]string{"list": "a"}, map[string]string{"stream": "a", "group": "g"}
	for name, c := range map[string]struct {
		command, answer string
		asked           map[string]string
		want            string
	}{
		"loading":                {"LLEN", "-LOADING Redis is loading the dataset in memory\r\n", list, "!is still loading its data"},
		"a cluster that is down": {"LLEN", "-CLUSTERDOWN Hash slot not served\r\n", list, "!is a cluster that is down at that key"},
		"protected":              {"HELLO", "-DENIED Redis is running in protected mode\r\n", list, "!accepts no connections but from its own machine"},
		"too many clients":       {"HELLO", "-ERR max number of clients reached\r\n", list, "!has too much to do"},
		"other errors":           {"LLEN", "-ERR the password of tenant b is hunter2\r\n", list, "!answered with an error"},
		"broken off":             {"LLEN", "", list, "!broke off its answer"},
		"no RESP":                {"LLEN", "HTTP/1.1 400 Bad Request\r\n", list, "!gave an answer that cannot be read"},
		"no number":              {"LLEN", "$5\r\nhello\r\n", list, "!gave an answer that cannot be read"},
		"not chosen":             {"SELECT", "-NOPERM no permissions\r\n", list, "!does not permit its user to count that"},
		"Redis 6":                {"XINFO", group("$4\r\nname", "$1\r\ng", "$7\r\npending", ":1", "$17\r\nlast-delivered-id", "$3\r\n1-1"), stream, "!does not count what a group has left, as Redis does from version 7 on"},
		"a number below 0":       {"XINFO", group("$4\r\nname", "$1\r\ng", "$7\r\npending", ":1", "$17\r\nlast-delivered-id", "$3\r\n1-1", "$3\r\nlag", ":-7"), stream, "!gave an answer that cannot be read"},
		"no pending":             {"XINFO", group("$4\r\nname", "$1\r\ng", "$17\r\nlast-delivered-id", "$3\r\n1-1", "$3\r\nlag", ":7"), stream, "!gave an answer that cannot be read"},
		"a large one":            {"XINFO", group("$4\r\nname", "$1\r\ng", "$7\r\npending", ":9223372036854775807", "$17\r\nlast-delivered-id", "$3\r\n1-1", "$3\r\nlag", ":7"), stream, fmt.Sprint(math.MaxInt64)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answers := map[string]string{"HELLO": hello3, "PING": "+PONG\r\n"}
			answers[c.command] = c.answer
			if diff := gocmp.Diff([]string{c.want}, answersOf(t, redisOf(t, &redisSettings{Addresses: []string{redisServer(t, answers)}}), c.asked)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestRedisThatIsHostile: whatever a server says, wherever, the process goes on, and so does the client when the server is as it should be.
func TestRedisThatIsHostile(t *testing.T) {
	t.Parallel()
	list := strings.Repeat("*1\r\n", 1<<20)
	hostile := map[string]string{
		"a reply more":           ":1\r\n:2\r\n",
		"many replies more":      strings.Repeat(":1\r\n", 1<<16),
		"a push":                 ">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n",
		"a message":              ">3\r\n$7\r\nmessage\r\n$14\r\n+switch-master\r\n$1\r\na\r\n:1\r\n",
		"an attribute":           "|1\r\n+a\r\n+b\r\n",
		"a list below 0":         "*-2\r\n",
		"a text below 0":         "$-7\r\n",
		"a map below 0":          "%-1\r\n",
		"a part below 0":         "$?\r\n;-5\r\n",
		"a text above all":       "$9223372036854775807\r\n",
		"a text of a TiB":        "$1099511627776\r\n",
		"a list of a TiB":        "*999999999999\r\n",
		"maps of much in all":    strings.Repeat("%100000\r\n", 3),
		"a number above all":     ":99999999999999999999999999\r\n",
		"lists in each other":    list,
		"sets in each other":     strings.ReplaceAll(list, "*", "~"),
		"a list of nothing":      "*0\r\n",
		"a null of old":          "*-1\r\n",
		"a null with more":       "_:1\r\n",
		"a truth with more":      "#t:1\r\n",
		"a line without return":  ":1\n",
		"an empty line":          "\r\n",
		"moved to nowhere":       "-MOVED\r\n",
		"asked to go nowhere":    "-ASK 1\r\n",
		"moved by another error": "!7\r\nMOVED a\r\n",
		"no address":             "*1\r\n*3\r\n:0\r\n:16383\r\n*0\r\n",
		"slots of no number":     "*1\r\n*3\r\n+a\r\n+b\r\n*2\r\n+a\r\n+b\r\n",
		"slots above all":        "*1\r\n*3\r\n:9223372036854775807\r\n:9223372036854775807\r\n*2\r\n+127.0.0.1\r\n:1\r\n",
		"shards of nothing":      "*1\r\n%2\r\n+slots\r\n:3\r\n+nodes\r\n+x\r\n",
	}
	maps.Copy(hostile, changed("*2\r\n%1\r\n$3\r\nabc\r\n:5\r\n~2\r\n_\r\n#t\r\n+OK\r\n-ERR no\r\n", "*%$:~>|_#-?.;0129\r\n", 40))
	address := func(port string) string { return "*2\r\n$9\r\n127.0.0.1\r\n" + port + "\r\n" }
	for kind, c := range map[string]struct {
		settings redisSettings
		commands []string
	}{
		"one server": {redisSettings{}, []string{"HELLO", "LLEN bad"}},
		"sentinels":  {redisSettings{Sentinel: "m"}, []string{"SENTINEL", "ROLE", "LLEN bad"}},
		"a cluster":  {redisSettings{Cluster: true}, []string{"CLUSTER", "LLEN bad"}},
	} {
		for _, command := range c.commands {
			t.Run(kind+", "+command, func(t *testing.T) {
				t.Parallel()
				for _, answer := range hostile {
					answers := map[string]string{
						"HELLO": hello3, "PING": "+PONG\r\n", "LLEN good": ":5\r\n", "ROLE": "*1\r\n+master\r\n", "SENTINEL": address("+PORT"),
						"CLUSTER": "*1\r\n*3\r\n:0\r\n:16383\r\n" + address(":PORT"),
					}
					answers[command] = answer
					settings := c.settings
					settings.Addresses = []string{redisServer(t, answers)}
					client := redisOf(t, &settings)
					answersOf(t, client, map[string]string{"list": "bad"})
					answersOf(t, client, map[string]string{"list": "bad"})
					for end := time.Now().Add(time.Minute); command == "LLEN bad" && answersOf(t, client, map[string]string{"list": "good"})[0] != "5"; {
						if time.Now().After(end) {
							t.Fatalf("no answer after %.40q", answer)
						}
					}
					client.Close()
				}
			})
		}
	}
}

// FuzzRedisScanner: where values end does not depend on how they come.
func FuzzRedisScanner(f *testing.F) {
	for _, text := range []string{hello3, ":1\r\n:2\r\n", "*2\r\n$3\r\na\r\n\r\n*-1\r\n", "$?\r\n", "*3\r\n_\r\n"} {
		f.Add([]byte(text), byte(3))
	}
	f.Fuzz(func(t *testing.T, text []byte, step byte) {
		var whole, parts respScanner
		want, wantErr := whole.scan(text)
		got, gotErr := 0, error(nil)
		for part := range slices.Chunk(text, max(1, int(step))) {
			n := 0
			if n, gotErr = parts.scan(part); gotErr != nil {
				got += n
				break
			}
			got += n
		}
		if got != want || (gotErr == nil) != (wantErr == nil) {
			t.Errorf("%d, %v in parts, %d, %v in one", got, gotErr, want, wantErr)
		}
	})
}
