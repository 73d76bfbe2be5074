package sources

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"net"
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

// redisOf is a client of a server that answers commands, by their first words, as RESP.
func redisOf(t *testing.T, answers map[string]string) Client {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go answerRedis(connection, answers)
		}
	}()
	c, err := openRedis(&catalog.Entry{Settings: &redisSettings{Addresses: []string{listener.Addr().String()}}, Timeout: 20 * time.Second}, environment())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// answerRedis reads commands, which are lists of texts with a length each.
func answerRedis(connection net.Conn, answers map[string]string) {
	defer func() { _ = connection.Close() }()
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
		answer, ok := answers[command[0]]
		if !ok {
			answer = "+OK\r\n"
		}
		if answer == "" {
			return
		}
		if _, err := connection.Write([]byte(answer)); err != nil {
			return
		}
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
			if diff := gocmp.Diff([]string{c.want}, answersOf(t, redisOf(t, answers), c.asked)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
