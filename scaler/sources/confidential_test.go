package sources

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nkeys"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

const (
	// somebody and confidential are the credentials that all sources here have, and inBase64 how a client of HTTP writes them.
	somebody, confidential, inBase64 = "somebody", "Hunter2-of-Everybody", "c29tZWJvZHk6SHVudGVyMi1vZi1FdmVyeWJvZHk="
	// repeated is what servers say, who know them.
	repeated = "what is " + confidential + "?"
)

// confidence is a source whose server refuses it, or fails, and repeats the credentials.
type confidence struct {
	// settings are those of its entry. SERVER is where the server is; the files are /user, /secret and /own.
	settings string
	own      string
	server   func(t *testing.T) string
	query    string
	given    map[string]string
	// isDropped says that the log does not even have what the server says.
	isDropped bool
}

// confidences are all ways in which an entry has credentials, by its kind and the way.
func confidences(t *testing.T) map[string]confidence {
	const ofUser, ofToken = `{userFile: /user, passwordFile: /secret}`, `{bearerTokenFile: /secret}`
	all := map[string]confidence{
		"sqs, a key": {settings: `url: "http://SERVER", region: eu-central-1, account: "111122223333", auth: {accessKeyIdFile: /user, secretAccessKeyFile: /secret, sessionTokenFile: /secret}`,
			server: repeatedByHTTP(http.StatusForbidden), given: map[string]string{"queue": "q"}},
		"sqs, a role": {settings: `url: "http://SERVER", region: eu-central-1, account: "111122223333", auth: {role: {arn: "arn:aws:iam::111122223333:role/mini-hpa", tokenFile: /secret, url: "http://SERVER"}}`,
			server: repeatedByHTTP(http.StatusForbidden), given: map[string]string{"queue": "q"}},
		"keda, metadata": {settings: `address: "SERVER", metadata: {password: ` + confidential + `}`, server: repeatedByGRPC(codes.Internal)},
		"keda, a file":   {settings: `address: "SERVER", metadataFiles: {password: /secret}`, server: repeatedByGRPC(codes.Unauthenticated)},
	}
	for way, auth := range map[string]string{"a user": ofUser, "a token": ofToken} {
		for code, outcome := range map[int]string{http.StatusUnauthorized: "refused", http.StatusInternalServerError: "failed", http.StatusFound: "led elsewhere"} {
			settings, name := `url: "http://SERVER", auth: `+auth, ", "+way+", "+outcome
			all["http"+name] = confidence{settings: settings + `, queries: [{name: q, path: /q}]`, server: repeatedByHTTP(code), query: "q"}
			all["prometheus"+name] = confidence{settings: settings + `, queries: [{name: q, query: up}]`, server: repeatedByHTTP(code), query: "q"}
			all["rabbitmq"+name] = confidence{settings: settings, server: repeatedByHTTP(code), given: map[string]string{"queue": "q"}}
		}
	}
	for at, answers := range map[string]map[string]string{
		"refused": {"HELLO": "-WRONGPASS " + repeated + "\r\n"},
		"failed":  {"HELLO": hello3, "PING": "+PONG\r\n", "LLEN": "-ERR " + repeated + "\r\n"},
	} {
		all["redis, "+at] = confidence{settings: `addresses: ["SERVER"], auth: ` + ofUser, server: func(t *testing.T) string { return redisServer(t, answers) }, given: map[string]string{"list": "l"}}
	}
	all["redis, sentinels"] = confidence{settings: `addresses: ["SERVER"], sentinel: m, sentinelAuth: ` + ofUser, given: map[string]string{"list": "l"},
		server: func(t *testing.T) string {
			return redisServer(t, map[string]string{"HELLO": "-WRONGPASS " + repeated + "\r\n"})
		}}
	for _, mechanism := range []string{mechanismPlain, mechanismScramSHA256, mechanismScramSHA512} {
		all["kafka, "+mechanism] = confidence{settings: `brokers: ["SERVER"], sasl: {mechanism: ` + mechanism + `, userFile: /user, passwordFile: /secret}`,
			server: func(t *testing.T) string { return serve(t, refuseKafka) }, given: map[string]string{"group": "g", "topic": "t"}, isDropped: true}
	}
	user, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := user.Seed()
	if err != nil {
		t.Fatal(err)
	}
	for way, c := range map[string]struct{ auth, own string }{
		"a user":        {ofUser, ""},
		"a token":       {`{tokenFile: /secret}`, ""},
		"a key":         {`{nkeyFile: /own}`, string(seed)},
		"a JWT and key": {`{credentialsFile: /own}`, "-----BEGIN NATS USER JWT-----\n" + confidential + "\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n" + string(seed) + "\n------END USER NKEY SEED------\n"},
	} {
		all["nats, "+way] = confidence{settings: `servers: ["SERVER"], auth: ` + c.auth, own: c.own, given: map[string]string{"stream": "s", "consumer": "c"},
			server: func(t *testing.T) string {
				return serve(t, func(connection net.Conn) { refuseNATS(connection, cmp.Or(c.own, repeated)) })
			}}
	}
	for kind, c := range map[string]struct {
		run      func(*played, halfClosed)
		answers  map[string][]byte
		failures map[string][]byte // by where they are said
	}{
		"postgresql": {playPostgreSQL, map[string][]byte{"greeting": []byte(message('R', "\x00\x00\x00\x00") + message('Z', "I"))}, map[string][]byte{
			"greeting": []byte(message('E', "SFATAL\x00C28P01\x00M"+repeated+"\x00\x00")), "begin": []byte(message('E', "SERROR\x00CXX000\x00M"+repeated+"\x00\x00") + message('Z', "I")),
		}},
		"mysql": {playMySQL, map[string][]byte{
			"greeting": packets(0, "\x0a8.0.0\x00\x01\x00\x00\x0012345678\x00\x09\xa2\x2d\x02\x00\x08\x01\x15"+strings.Repeat("\x00", 10)+"123456789012\x00mysql_native_password\x00"),
			"login":    packets(2, "\x00\x00\x00\x02\x00\x00\x00"),
		}, map[string][]byte{"login": packets(2, "\xff\x15\x04#28000"+repeated), "begin": packets(1, "\xff\x28\x04#42000"+repeated)}},
	} {
		for at, bad := range c.failures {
			all[kind+", at "+at] = confidence{settings: `address: "SERVER", database: d, auth: ` + ofUser + `, queries: [{name: q, query: SELECT 1}]`, query: "q", server: func(t *testing.T) string {
				server := &played{answers: c.answers, at: at}
				server.bad.Store(&bad)
				return serve(t, func(connection net.Conn) { c.run(server, connection.(halfClosed)) })
			}}
		}
	}
	return all
}

// TestNoSourceBringsACredentialToLight: whatever a server repeats, neither the log nor the tenant nor the administrator who asks how the source stands sees the
// credentials. Each kind of source that has settings is here.
func TestNoSourceBringsACredentialToLight(t *testing.T) {
	t.Parallel()
	all := confidences(t)
	for _, k := range Kinds() {
		if k.Settings == nil {
			continue // it asks nobody
		}
		isHere := false
		for name := range all {
			isHere = isHere || strings.HasPrefix(name, k.Name+", ")
		}
		if !isHere {
			t.Errorf("kind %q is not tested", k.Name)
		}
	}
	for name, c := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.ask(t, name[:strings.Index(name, ",")])
		})
	}
}

// ask asks such a source once, and looks at all that can be seen of it.
func (c confidence) ask(t *testing.T, kind string) {
	t.Helper()
	allow := map[string][]string{}
	for _, k := range Kinds() {
		for _, p := range k.Parameters {
			if p.Allowed && k.Name == kind {
				allow[p.Name] = []string{"*"}
			}
		}
	}
	pinned, _ := json.Marshal(allow) // of texts alone
	settings := strings.ReplaceAll(c.settings, "SERVER", c.server(t))
	listed, err := catalog.Parse(fmt.Appendf(nil, "version: v1\nsources: [{name: it, type: %s, namespaces: ['*'], allow: %s, %s}]\n", kind, pinned, settings), Types())
	if err != nil {
		t.Fatal(err)
	}
	parameters, problems := listed.Resolve(catalog.Workload{Namespace: "shop", Kind: "Deployment", Name: "web"}, catalog.Asked{Source: "it", Query: c.query, Given: c.given})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	core, logged := observer.New(zapcore.DebugLevel)
	env := environment()
	env.Log = zap.New(core)
	env.ReadFile = func(path string) ([]byte, error) {
		return []byte(map[string]string{"/user": somebody, "/secret": confidential, "/own": c.own}[path]), nil
	}
	entry := *listed.Entry("it")
	entry.Timeout = time.Minute // nothing waits for its end
	s, err := Open(&entry, env, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, err = s.Ask(t.Context(), metrics.Question{Source: "it", Namespace: "shop", Metric: c.query, Parameters: parameters})
	var log strings.Builder
	for _, line := range logged.All() {
		fmt.Fprintf(&log, "%s %s %v\n", line.Level, line.Message, line.ContextMap())
	}
	stands, _ := json.Marshal(s.(interface{ status() Status }).status()) // of texts and numbers alone
	if err == nil || log.Len() == 0 {
		t.Errorf("the source should have failed, and the log should say why: %v", err)
	}
	if repeats := strings.Contains(log.String(), "***"); repeats == c.isDropped {
		t.Errorf("the log has a credential's place: %t; want that there is one which could be seen:\n%s", repeats, &log)
	}
	for where, text := range map[string]string{"the log": log.String(), "what the tenant reads": fmt.Sprint(err), "how the source stands": string(stands)} {
		if seen := credentialIn(text, c.own); seen != "" {
			t.Errorf("%s has %q: %s", where, seen, text)
		}
	}
}

// credentialIn is the beginning of a credential that a text has, in whatever letters; "" if it has none.
func credentialIn(text, own string) string {
	all := []string{confidential, inBase64}
	for word := range strings.FieldsSeq(own) {
		if strings.Trim(word, "-") == word && len(word) > 20 {
			all = append(all, word)
		}
	}
	text = strings.ToLower(text)
	for _, secret := range all {
		if begin := secret[:8]; strings.Contains(text, strings.ToLower(begin)) {
			return begin
		}
	}
	return ""
}

// repeatedByHTTP is a server that answers with a code, and with what it was asked.
func repeatedByHTTP(code int) func(*testing.T) string {
	return func(t *testing.T) string {
		t.Helper()
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			w.Header().Set("Location", "/"+r.Header.Get("Authorization"))
			w.WriteHeader(code)
			_ = json.NewEncoder(w).Encode(map[string]string{"__type": "InvalidSignatureException", "status": "error", "error": repeated, "message": fmt.Sprint(r.Header, string(body))})
		}))
		t.Cleanup(server.Close)
		return server.Listener.Addr().String()
	}
}

// repeatedByGRPC is one that does so to all calls.
func repeatedByGRPC(code codes.Code) func(*testing.T) string {
	return func(t *testing.T) string {
		t.Helper()
		server := grpc.NewServer(grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error { return status.Error(code, repeated) }))
		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() { _ = server.Serve(listener) }()
		t.Cleanup(server.Stop)
		return listener.Addr().String()
	}
}

// refuseNATS is a server that takes nobody, and repeats what is known of everybody and what everybody says.
func refuseNATS(connection net.Conn, known string) {
	_, _ = io.WriteString(connection, `INFO {"server_id":"a","version":"2.10.0","headers":true,"jetstream":true,"max_payload":1048576,"auth_required":true,"nonce":"abcdefgh"}`+"\r\n")
	said := make([]byte, 1<<16)
	for all := ""; !strings.Contains(all, "PING"); {
		n, err := connection.Read(said)
		if err != nil {
			return
		}
		all += string(said[:n])
		if connect, _, found := strings.Cut(all, "\r\n"); found {
			_, _ = fmt.Fprintf(connection, "-ERR '%s %s'\r\n", strings.Join(strings.Fields(known), " "), connect)
			return
		}
	}
}

// refuseKafka is a broker that takes nobody, and repeats what everybody says.
func refuseKafka(connection net.Conn) {
	for {
		head := make([]byte, 12) // length, key, version and number
		if _, err := io.ReadFull(connection, head); err != nil {
			return
		}
		said, err := io.ReadAll(io.LimitReader(connection, int64(binary.BigEndian.Uint32(head))-8))
		if err != nil {
			return
		}
		version := int16(binary.BigEndian.Uint16(head[6:])) //nolint:gosec // it is one
		answer := slices.Clone(head[8:])
		switch kmsg.Key(binary.BigEndian.Uint16(head[4:])) { //nolint:gosec // as above
		case kmsg.ApiVersions:
			r := kmsg.NewPtrApiVersionsResponse()
			r.Version = version
			for _, key := range []kmsg.Key{kmsg.Metadata, kmsg.FindCoordinator, kmsg.OffsetFetch, kmsg.ListOffsets, kmsg.ApiVersions, kmsg.SASLHandshake, kmsg.SASLAuthenticate} {
				r.ApiKeys = append(r.ApiKeys, kmsg.ApiVersionsResponseApiKey{ApiKey: int16(key), MaxVersion: 1})
			}
			answer = r.AppendTo(answer)
		case kmsg.SASLHandshake:
			r := kmsg.NewPtrSASLHandshakeResponse()
			r.Version, r.SupportedMechanisms = version, []string{mechanismPlain, mechanismScramSHA256, mechanismScramSHA512}
			answer = r.AppendTo(answer)
		case kmsg.SASLAuthenticate:
			r := kmsg.NewPtrSASLAuthenticateResponse()
			r.Version, r.ErrorCode, r.ErrorMessage = version, kerr.SaslAuthenticationFailed.Code, kmsg.StringPtr(repeated+fmt.Sprintf(" %q", said))
			answer = r.AppendTo(answer)
		default:
			return
		}
		if _, err := connection.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(answer))), answer...)); err != nil { //nolint:gosec // short
			return
		}
	}
}
