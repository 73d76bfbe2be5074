//go:build unix

package sources

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
	"github.com/mini-hpa/mini-hpa/scaler/sources"
)

// hostile are values that would be something else if they became text of a statement.
var hostile = []string{
	`'; DROP TABLE jobs; --`, `" OR 1=1 --`, `' OR ''='`, `\`, `\'; DROP TABLE jobs; #`, `$1`, `?`, `:x`, `/* `, `*/`, "`", `%s`, `$$`, "a\nb", `ä"ö`, `x') UNION SELECT (9`, `0x27`,
}

// sqlCase is a query of the file, and what is asked.
type sqlCase struct {
	query string
	// isZero is `empty: "0"`.
	isZero bool
	given  map[string]string
	want   result
}

// sqlQueries are the queries of the cases as the file has them, each with the name of its case.
func sqlQueries(t *testing.T, cases map[string]sqlCase) string {
	t.Helper()
	types := map[string]map[string]string{
		"word": {"type": "word"}, "n": {"type": "integer"}, "window": {"type": "duration"},
	}
	var all []map[string]any
	for name, c := range cases {
		q, parameters := map[string]any{"name": name, "query": c.query}, map[string]any{}
		for parameter, said := range types {
			if regexp.MustCompile(`\$` + parameter + `\b`).MatchString(c.query) {
				parameters[parameter] = said
			}
		}
		if q["parameters"] = parameters; c.isZero {
			q["empty"] = "0"
		}
		all = append(all, q)
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return `"queries": ` + string(text)
}

// sameCases asks all cases.
func sameCases(t *testing.T, client sources.Client, cases map[string]sqlCase) {
	t.Helper()
	var questions []metrics.Question
	names := slices.Sorted(maps.Keys(cases))
	for _, name := range names {
		questions = append(questions, sqlQuestion(name, cases[name].given))
	}
	for i, got := range ask(t, client, questions...) {
		if want := cases[names[i]].want; got != want {
			t.Errorf("%s: %q, want %q", names[i], got, want)
		}
	}
}

// sqlQuestion asks one query as a workload of namespace shop.
func sqlQuestion(name string, given map[string]string) metrics.Question {
	values := map[string]string{catalog.OfNamespace: "shop"}
	maps.Copy(values, given)
	q := line(values)
	q.Metric = name
	return q
}

// valueCases ask for values that a table texts has.
func valueCases() map[string]sqlCase {
	return map[string]sqlCase{
		"value":  {query: "SELECT count(*) FROM texts WHERE value = $word"},
		"beside": {query: "SELECT count(*) FROM texts WHERE value <> '?$$1' /* ? $$1 '' */ AND value = $word AND 1 = $n -- ' ?"},
	}
}

// valuesStayValues keeps each hostile value in the table texts, and finds each by itself, and nothing else.
func valuesStayValues(t *testing.T, keep func(value string), client sources.Client) {
	t.Helper()
	for _, value := range hostile {
		given := map[string]string{"word": value, "n": "1"}
		expect(t, ask(t, client, sqlQuestion("value", given), sqlQuestion("beside", given)), "0", "0")
		keep(value)
		expect(t, ask(t, client, sqlQuestion("value", given), sqlQuestion("beside", given)), "1", "1")
	}
}

// crowd asks a question by so many at a time, so often each, and returns what came.
func crowd(t *testing.T, client sources.Client, people, often int, q metrics.Question) map[result]int {
	t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	came := map[result]int{}
	for range people {
		all.Go(func() {
			for range often {
				got := ask(t, client, q)
				mu.Lock()
				came[got[0]]++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return came
}

// keepsConnections asks a server over no more than three connections, and is not held up by those that hang, nor by a server that starts anew: between
// they go through the gate, and directly past it.
func keepsConnections(t *testing.T, gate *gate, between, directly sources.Client, stop, start func()) {
	t.Helper()
	if got := crowd(t, between, 8, 20, count()); got["42"] != 160 {
		t.Errorf("%v", got)
	}
	if n := gate.count(); n == 0 || n > 3 {
		t.Errorf("%d connections for 160 questions of 8 at a time", n)
	}
	t.Run("they hang", func(t *testing.T) {
		gate.hang()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		between.Ask(ctx, []metrics.Question{count()}, func(_ int, a metrics.Answer, err error) {
			if err != context.DeadlineExceeded { //nolint:errorlint // as it is
				t.Errorf("%v, %v", a, err)
			}
		})
		gate.goOn()
		expect(t, ask(t, between, count()), "42")
	})
	t.Run("the server starts anew", func(t *testing.T) {
		expect(t, ask(t, directly, count()), "42")
		stop()
		expect(t, ask(t, directly, count()), "!refused the connection")
		start()
		expect(t, ask(t, directly, count()), "42")
	})
}

// givesUp asks what takes a minute and has a second: whoever notices it first, the server or the client, nobody waits for it.
func givesUp(t *testing.T, client sources.Client, q metrics.Question) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	client.Ask(ctx, []metrics.Question{q}, func(_ int, a metrics.Answer, err error) {
		if got := resultOf(a, err); !errors.Is(err, context.DeadlineExceeded) && got != "!gave up the query, which took too long" {
			t.Errorf("of what takes too long: %q", got)
		}
	})
}

// runAs has a command run as a user who owns a folder, where this is root: databases refuse to be that.
func runAs(t *testing.T, name, dir string, command *exec.Cmd) *exec.Cmd {
	t.Helper()
	if os.Getuid() != 0 {
		return command
	}
	who, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	id, _ := strconv.Atoi(who.Uid)
	group, _ := strconv.Atoi(who.Gid)
	if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o711), filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error { //nolint:gosec // the user has to find its folder
		return errors.Join(err, os.Lchown(path, id, group))
	})); err != nil {
		t.Fatal(err)
	}
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(id), Gid: uint32(group)}} //nolint:gosec // ids of the system
	return command
}

// run runs a command to its end.
func run(t *testing.T, command *exec.Cmd) {
	t.Helper()
	if said, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, said)
	}
}

// end has a server that has not ended do so, as its administrator would.
func (s *served) end(signal syscall.Signal) {
	if s.Alive() {
		_ = syscall.Kill(s.PID(), signal)
	}
	s.Stop(time.Minute)
}

// authority makes certificates.
type authority struct {
	*testing.T
	key         *ecdsa.PrivateKey
	certificate *x509.Certificate
	pem         string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{T: t}
	a.pem, _ = a.issue("ca", nil)
	return a
}

// issue makes a certificate for a name, and for 127.0.0.1, and its key, in PEM. The first one is that of the authority.
func (a *authority) issue(name string, usage []x509.ExtKeyUsage) (certificate, key string) {
	a.Helper()
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: usage, BasicConstraintsValid: true, IsCA: a.key == nil, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	parent, signer := a.certificate, a.key
	if signer == nil {
		parent, signer = template, own
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &own.PublicKey, signer)
	if err != nil {
		a.Fatal(err)
	}
	if a.key == nil {
		a.key = own
		if a.certificate, err = x509.ParseCertificate(der); err != nil {
			a.Fatal(err)
		}
	}
	text, err := x509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		a.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text}))
}

// servers writes the files that a server needs for TLS into a folder.
func (a *authority) servers(dir string) {
	a.Helper()
	certificate, key := a.issue("server", []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth})
	for name, text := range map[string]string{"ca.crt": a.pem, "tls.crt": certificate, "tls.key": key} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			a.Fatal(err)
		}
	}
}

// client are the files of an entry that knows the authority, and shows a certificate of a user's.
func (a *authority) client(name string) map[string]string {
	a.Helper()
	certificate, key := a.issue(name, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth})
	return map[string]string{"/ca": a.pem, "/crt": certificate, "/key": key, "/user": name, "/password": "right-hunter2"}
}

// How an entry of a test says it.
const (
	sqlPassword = `"auth": {"userFile": "/user", "passwordFile": "/password"}`
	sqlTrust    = `"tls": {"caFile": "/ca"}`
	sqlShow     = `"tls": {"caFile": "/ca", "certFile": "/crt", "keyFile": "/key"}, "auth": {"userFile": "/user"}`
)

// sqlSource opens a client under test of one query, count, that anybody can answer.
func sqlSource(t *testing.T, kind, address string, have *files, more ...string) sources.Client {
	t.Helper()
	settings := append([]string{fmt.Sprintf(`"address": %q`, address)}, more...)
	if !slices.ContainsFunc(more, func(s string) bool { return strings.HasPrefix(s, `"queries"`) }) {
		settings = append(settings, `"queries": [{"name": "count", "query": "SELECT 42"}]`)
	}
	if !slices.ContainsFunc(more, func(s string) bool { return strings.HasPrefix(s, `"database"`) }) {
		settings = append(settings, `"database": "work"`)
	}
	return open(t, kind, strings.Join(settings, ", "), have)
}

// count is the question that sqlSource can be asked.
func count() metrics.Question { return sqlQuestion("count", nil) }

// refused is what a source says whose password, certificate or user is wrong.
const refused = "!refused the credentials"

// wantsTheNewPassword: after a wrong password the source asks with the one that the file has then, and says neither.
func wantsTheNewPassword(t *testing.T, kind, address string, have *files) {
	t.Helper()
	have.Store("/password", "wrong-hunter2")
	client := sqlSource(t, kind, address, have, sqlPassword)
	expect(t, ask(t, client, count()), refused)
	client.Ask(t.Context(), []metrics.Question{count()}, func(_ int, _ metrics.Answer, err error) {
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the password is in the error: %v", err)
		}
	})
	have.Store("/password", "right-hunter2")
	expect(t, ask(t, client, count()), "42")
}
