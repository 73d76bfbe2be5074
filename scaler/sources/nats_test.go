package sources

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

// What servers answer is played in test/sources, on servers.

func TestNATSSettings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want string
	}{
		"plain":         {`{"servers": ["nats.nats.svc:4222", "[::1]:4222"]}`, ""},
		"credentials":   {`{"servers": ["n:4222"], "tls": {}, "auth": {"credentialsFile": "/c"}}`, ""},
		"password":      {`{"servers": ["n:4222"], "auth": {"userFile": "/u", "passwordFile": "/p"}}`, ""},
		"no servers":    {`{}`, `servers: Required value: such as [nats.nats.svc:4222]`},
		"a URL":         {`{"servers": ["nats://n:4222"]}`, `servers[0]: Invalid value: "nats://n:4222": want HOST:PORT`},
		"nobody":        {`{"servers": ["n:4222"], "auth": {}}`, `auth: Invalid value: want one of userFile with passwordFile, tokenFile, nkeyFile and credentialsFile`},
		"two ways":      {`{"servers": ["n:4222"], "auth": {"tokenFile": "/t", "nkeyFile": "/n"}}`, `auth: Invalid value: want one of userFile with passwordFile, tokenFile, nkeyFile and credentialsFile`},
		"no password":   {`{"servers": ["n:4222"], "auth": {"userFile": "/u"}}`, `auth: Invalid value: userFile and passwordFile belong together: want both`},
		"relative path": {`{"servers": ["n:4222"], "auth": {"nkeyFile": "n"}}`, `auth.nkeyFile: Invalid value: "n": want an absolute path without "..", such as /etc/mini-hpa/sources/NAME/password`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := natsKind.Settings()
			if err := json.Unmarshal([]byte(c.text), settings); err != nil {
				t.Fatal(err)
			}
			got := ""
			if err := settings.Check(nil, nil).ToAggregate(); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// serve answers each connection, and returns where.
func serve(t *testing.T, answer func(connection net.Conn)) string {
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
			go func() {
				defer func() { _ = connection.Close() }()
				answer(connection)
			}()
		}
	}()
	return listener.Addr().String()
}

// changed are texts of which some bytes are others, which mean something in its protocol; the same ones each time.
func changed(text, signs string, count int) map[string]string {
	all, seed := map[string]string{}, rand.New(rand.NewPCG(1, 2))
	for n := range count {
		other := []byte(text)
		for range 1 + n%4 {
			other[seed.IntN(len(other))] = signs[seed.IntN(len(signs))]
		}
		all[fmt.Sprintf("changed %d", n)] = string(other)
	}
	return all
}

// TestNATSThatIsHostile: whatever a server says, first or instead of an answer, the process goes on.
func TestNATSThatIsHostile(t *testing.T) {
	t.Parallel()
	const info = `INFO {"server_id":"a","version":"2.10.0","headers":true,"jetstream":true,"max_payload":1048576}` + "\r\n"
	hostile := map[string]string{
		"a message of a TiB":          "MSG a 1 1099511627776\r\nx",
		"a message above all":         "MSG a 1 9223372036854775807\r\nx",
		"a message of a TiB, headers": "HMSG a 1 0 1099511627776\r\nx",
		"one behind a message":        "MSG a 1 1\r\nxMSG b 1 40\r\nyy\r\nMSG a 1 1099511627776\r\nx",
		"one in an empty line":        "MSG \r\nMSG a 1 40\r\nyy\r\nMSG a 1 1099511627776\r\nx",
		"one behind an empty error":   "-ERR \r\nMSG a 1 40\r\nyy\r\nMSG a 1 1099511627776\r\nx",
		"one behind an empty info":    "INFO \r\nMSG a 1 40\r\nyy\r\nMSG a 1 1099511627776\r\nx",
		"one in small letters":        "msg a 1 1099511627776\r\nx",
		"a line without an end":       "MSG " + strings.Repeat("a", 1<<20),
		"headers that are none":       "HMSG REPLY 1 9 9\r\nNATS/1.0\r\r\n",
		"a status that is none":       "HMSG REPLY 1 12 12\r\nNATS/1.0\r\n\r\n\r\n",
		"JSON that is none":           "MSG REPLY 1 2\r\n{]\r\n",
		"JSON of nothing":             "MSG REPLY 1 4\r\nnull\r\n",
		"JSON in each other":          fmt.Sprintf("MSG REPLY 1 %d\r\n%s\r\n", 1<<19, strings.Repeat("[", 1<<19)),
		"info of another":             `INFO {"tls_required":true,"nonce":7,"connect_urls":["",":","[::1"]}` + "\r\n",
		"info in each other":          "INFO " + strings.Repeat("[", 200_000) + "\r\n",
		"an error":                    "-ERR 'Permissions Violation for Publish to \"$JS\"'\r\n",
		"many pongs":                  strings.Repeat("PONG\r\n", 1000),
	}
	maps.Copy(hostile, changed("HMSG REPLY 1 16 20\r\nNATS/1.0 503\r\n\r\n{\"\":1}\r\nMSG REPLY 1 2\r\n{}\r\n-ERR 'a'\r\n", "MHSGPINO+-ERK 019\r\n{[\t\"", 60))
	for name, text := range hostile {
		for _, first := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, first %t", name, first), func(t *testing.T) {
				t.Parallel()
				address := serve(t, func(connection net.Conn) {
					if first {
						_, _ = connection.Write([]byte(text))
					}
					answerNATS(connection, info, text)
				})
				c, err := natsKind.Open(&catalog.Entry{Settings: &natsSettings{Servers: []string{address}}, Timeout: time.Second}, environment())
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				for range 2 {
					ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond) // many of them leave the question open
					answers := 0
					c.Ask(ctx, []metrics.Question{{Parameters: catalog.ParametersOf(map[string]string{"stream": "s", "consumer": "c"})}}, func(_ int, _ metrics.Answer, err error) {
						if answers++; err == nil {
							t.Error("a number came of it")
						}
					})
					if cancel(); answers != 1 {
						t.Errorf("%d answers", answers)
					}
				}
			})
		}
	}
}

// TestNATSWithoutTheTLSOfTheFile: whatever is said first, by whoever is between, no credentials are sent as they are.
func TestNATSWithoutTheTLSOfTheFile(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]string{
		"no TLS":                "INFO {}\r\n",
		"TLS":                   `INFO {"tls_required":true}` + "\r\n",
		"none, said so":         `INFO {"tls_required":false,"tls_available":false}` + "\r\n",
		"a tab":                 "INFO\t" + ` {"tls_required":true}` + "\r\n",
		"a tab behind a blank":  "INFO \t" + `{"tls_required":true}` + "\r\n",
		"a blank before it":     ` INFO {"tls_required":true}` + "\r\n",
		"a tab before it":       "\tINFO" + ` {"tls_required":true}` + "\r\n",
		"two blanks":            `INFO  {"tls_required":true}` + "\r\n",
		"small letters":         `info {"tls_required":true}` + "\r\n",
		"nothing":               "INFO\r\n",
		"nothing but blanks":    "INFO   \r\n",
		"null":                  "INFO null\r\n",
		"JSON that is broken":   `INFO {"tls_required":true` + "\r\n",
		"JSON of another type":  `INFO {"tls_required":1}` + "\r\n",
		"TLS that is taken off": `INFO {"tls_required":true,"TLS_REQUIRED":false}` + "\r\n",
		"another end":           `INFO {"tls_required":true}` + "\n",
		"PING":                  "PING\r\n" + `INFO {"tls_required":true}` + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			came := make(chan string, 1)
			address := serve(t, func(connection net.Conn) {
				_, _ = connection.Write([]byte(first + "PONG\r\n"))
				_ = connection.SetReadDeadline(time.Now().Add(time.Minute))
				all, _ := io.ReadAll(io.LimitReader(connection, 5)) // of TLS, that is the header of a record
				came <- string(all)
			})
			env := environment()
			env.ReadFile = func(string) ([]byte, error) { return []byte("hunter2"), nil }
			settings := &natsSettings{Servers: []string{address}, TLS: &TLS{Insecure: true}, Auth: &natsAuth{TokenFile: "/token"}}
			c, err := natsKind.Open(&catalog.Entry{Settings: settings, Timeout: time.Minute}, env)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.Ask(t.Context(), []metrics.Question{{Parameters: catalog.ParametersOf(map[string]string{"stream": "s", "consumer": "c"})}}, func(_ int, _ metrics.Answer, err error) {
				if told(err) == "" {
					t.Errorf("%v", err)
				}
			})
			if got := <-came; got != "" && got[0] != 22 {
				t.Errorf("%q was sent", got)
			}
		})
	}
}

// answerNATS answers as a server does, up to what is asked of JetStream. REPLY in the answer to that is where it is wanted.
func answerNATS(connection net.Conn, info, answer string) {
	_, _ = connection.Write([]byte(info))
	for lines := bufio.NewScanner(connection); lines.Scan(); {
		switch words := strings.Fields(lines.Text()); {
		case len(words) == 0:
		case words[0] == "PING":
			_, _ = connection.Write([]byte("PONG\r\n"))
		case strings.HasSuffix(words[0], "PUB") && len(words) > 2:
			_, _ = connection.Write([]byte(strings.ReplaceAll(answer, "REPLY", words[2])))
		}
	}
}
