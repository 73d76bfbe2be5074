//go:build unix

package sources

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/mini-hpa/mini-hpa/scaler/sources"
)

// postgres is a server, and its administrator.
type postgres struct {
	*testing.T
	*served
	bin, dir, port string
	authority      *authority
}

// newPostgres starts a server with a database work. Its users are named for how they say who they are, and all have the password right-hunter2.
func newPostgres(t *testing.T) *postgres {
	t.Helper()
	p := &postgres{T: t, bin: filepath.Dir(installed(t, "postgresql", "/usr/lib/postgresql/*/bin/postgres")), dir: t.TempDir(), port: freePorts(t, 1)[0], authority: newAuthority(t)}
	p.authority.servers(p.dir)
	run(t, p.command("initdb", "-D", p.dir+"/data", "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"))
	rules := "host all postgres 127.0.0.1/32 trust\nhost replication postgres 127.0.0.1/32 trust\nhostssl all cert 127.0.0.1/32 cert\n" +
		"host all scram 127.0.0.1/32 scram-sha-256\nhost all md5 127.0.0.1/32 md5\nhost all clear 127.0.0.1/32 password\n"
	if err := os.WriteFile(p.dir+"/data/pg_hba.conf", []byte(rules), 0o644); err != nil { //nolint:gosec // the server reads it as another user
		t.Fatal(err)
	}
	p.start()
	p.do("CREATE DATABASE work")
	p.do(`CREATE ROLE scram LOGIN PASSWORD 'right-hunter2'; CREATE ROLE clear LOGIN PASSWORD 'right-hunter2'; CREATE ROLE cert LOGIN;
		SET password_encryption = 'md5'; CREATE ROLE md5 LOGIN PASSWORD 'right-hunter2'`)
	return p
}

// command is a program of the server's, run as the user who owns its files.
func (p *postgres) command(name string, arguments ...string) *exec.Cmd {
	p.Helper()
	command := exec.Command(filepath.Join(p.bin, name), arguments...)
	command.Dir = p.dir
	return runAs(p.T, "postgres", p.dir, command)
}

// start starts it, also once more, with the same files and the same port.
func (p *postgres) start() { p.serve(p.dir+"/data", p.port) }

func (p *postgres) serve(data, port string) {
	p.Helper()
	p.served = launch(p.T, "postgres", func(ctx context.Context) error {
		connection, err := pgconn.Connect(ctx, "host=127.0.0.1 sslmode=disable user=postgres dbname=postgres port="+port)
		if err != nil {
			return err
		}
		return connection.Close(ctx)
	}, p.command("postgres", "-D", data, "-p", port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off",
		"-c", "ssl=on", "-c", "ssl_cert_file="+p.dir+"/tls.crt", "-c", "ssl_key_file="+p.dir+"/tls.key", "-c", "ssl_ca_file="+p.dir+"/ca.crt"))
	server := p.served
	p.Cleanup(func() { server.end(syscall.SIGINT) }) // its processes are gone before the folder is
}

func (p *postgres) address() string { return "127.0.0.1:" + p.port }

// do has the administrator say something in database work, or in postgres before there is one, and returns the first cell of the last answer.
func (p *postgres) do(text string) string {
	p.Helper()
	database := "work"
	if strings.HasPrefix(text, "CREATE DATABASE") || strings.HasPrefix(text, "CREATE ROLE") {
		database = "postgres"
	}
	connection, err := pgconn.Connect(p.Context(), "host=127.0.0.1 sslmode=disable user=postgres application_name=people dbname="+database+" port="+p.port)
	if err != nil {
		p.Fatal(err)
	}
	defer func() { _ = connection.Close(context.WithoutCancel(p.Context())) }()
	results, err := connection.Exec(p.Context(), text).ReadAll()
	if err != nil {
		p.Fatalf("%s: %v", text, err)
	}
	if last := results[len(results)-1]; len(last.Rows) > 0 {
		return string(last.Rows[0][0])
	}
	return ""
}

// as are the files of an entry for a user.
func (p *postgres) as(name string) *files { return with(p.authority.client(name)) }

func (p *postgres) source(name string, more ...string) sources.Client {
	p.Helper()
	return sqlSource(p.T, "postgresql", p.address(), p.as(name), more...)
}

// TestPostgreSQLCounts one number, and nothing that it is asked changes anything.
func TestPostgreSQLCounts(t *testing.T) {
	t.Parallel()
	p := newPostgres(t)
	p.do(`CREATE TABLE jobs (id int, tenant text, kind varchar(20), cost numeric, at timestamptz);
		INSERT INTO jobs VALUES (1, 'shop', 'invoice', 1.25, now()), (2, 'shop', 'mail', 2, now() - interval '1 hour'), (3, 'bank', 'invoice', 3, now());
		CREATE TABLE secret (a int); CREATE TABLE wrote (a int); CREATE SEQUENCE numbers; CREATE TABLE texts (value text);
		CREATE FUNCTION writes() RETURNS int LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS 'BEGIN INSERT INTO wrote VALUES (1); RETURN 1; END';
		GRANT SELECT, INSERT, UPDATE, DELETE ON jobs, wrote, texts TO scram; GRANT ALL ON SEQUENCE numbers TO scram`)
	const writes = result("!has a query that writes, which is refused")
	cases := map[string]sqlCase{
		"of-a-tenant":     {query: "SELECT count(*) FROM jobs WHERE tenant = $namespace", want: "2"},
		"of-a-kind":       {query: "SELECT count(*) FROM jobs WHERE kind = $word AND tenant = $namespace", given: map[string]string{"word": "invoice"}, want: "1"},
		"an-int":          {query: "SELECT cost FROM jobs WHERE id = $n", given: map[string]string{"n": "1"}, want: "1250m"},
		"a-limit":         {query: "SELECT count(*) FROM (SELECT 1 FROM jobs LIMIT $n) x", given: map[string]string{"n": "2"}, want: "2"},
		"arithmetic":      {query: "SELECT count(*) * $n FROM jobs", given: map[string]string{"n": "5"}, want: "15"},
		"a-window":        {query: "SELECT count(*) FROM jobs WHERE at > now() - $window", given: map[string]string{"window": "90s"}, want: "2"},
		"a-numeric":       {query: "SELECT sum(cost) FROM jobs", want: "6250m"},
		"a-float":         {query: "SELECT 1.5e6::float8", want: "1500k"},
		"a-text":          {query: "SELECT ' 7 '::text -- seven", want: "7"},
		"two-lines":       {query: "WITH x AS (SELECT 3 AS n)\nSELECT n FROM x", want: "3"},
		"no-row":          {query: "SELECT id FROM jobs WHERE id = 99", want: "0 values"},
		"null":            {query: "SELECT sum(id) FROM jobs WHERE id = 99", want: "0 values"},
		"nan":             {query: "SELECT 'NaN'::float8", want: "!has no number for it"},
		"infinity":        {query: "SELECT 'Infinity'::float8", want: "!has no number for it"},
		"below-0":         {query: "SELECT -1", want: "!has a negative number for it"},
		"a-boolean":       {query: "SELECT true", want: "!has no number for it"},
		"a-time":          {query: "SELECT now()", want: "!has no number for it"},
		"no-text":         {query: "SELECT 'hunter2'", want: "!has no number for it"},
		"two-rows":        {query: "SELECT id FROM jobs", want: "!has more than one row for it: the query has to aggregate them, such as by sum()"},
		"two-columns":     {query: "SELECT 1, 2", want: "!failed at the query"},
		"no-table":        {query: "SELECT count(*) FROM nothing", want: "!failed at the query"},
		"no-right":        {query: "SELECT count(*) FROM secret", want: "!does not allow mini-hpa what the query reads"},
		"no-integer":      {query: "SELECT count(*) FROM jobs WHERE id = $word", given: map[string]string{"word": "x"}, want: "!failed at the query with these values"},
		"much":            {query: "SELECT repeat('9', 100000)", want: "!has no finite number for it"},
		"a-division":      {query: "SELECT 1 / (count(*) - 3) FROM jobs", want: "!failed at the query with these values"},
		"a-function":      {query: "SELECT writes()", want: writes},
		"a-lock":          {query: "SELECT id FROM jobs WHERE id = 1 FOR UPDATE", want: writes},
		"a-sequence":      {query: "SELECT nextval('numbers')", want: writes},
		"a-way-out":       {query: "SELECT writes() FROM (SELECT set_config('transaction_read_only', 'off', true)) x", want: "!failed at the query"},
		"another-way-out": {query: "SELECT count(set_config('default_transaction_read_only', 'off', false)) + writes() FROM jobs", want: writes},
		"an-insertion":    {query: "WITH x AS (INSERT INTO wrote VALUES (1) RETURNING a) SELECT count(*) FROM x", want: "!failed at the query"},
		"a-new-table":     {query: "SELECT 1 AS a INTO made", want: "!failed at the query"},
	}
	client := p.source("scram", sqlPassword, sqlQueries(t, cases))
	sameCases(t, client, cases)
	sameCases(t, client, cases) // what has failed leaves nothing behind

	t.Run("values stay values", func(t *testing.T) {
		valuesStayValues(t, func(value string) { p.do("INSERT INTO texts VALUES ($v$" + value + "$v$)") },
			p.source("scram", sqlPassword, sqlQueries(t, valueCases())))
		impossible := map[string]sqlCase{"value": {query: "SELECT count(*) FROM texts WHERE value = $word", given: map[string]string{"word": "a\x00b"}, want: "!failed at the query with these values"}}
		sameCases(t, p.source("scram", sqlPassword, sqlQueries(t, impossible)), impossible)
	})
	if got := p.do("SELECT (SELECT count(*) FROM jobs) || ' ' || (SELECT count(*) FROM wrote) || ' ' || (SELECT is_called FROM numbers) || ' ' || (SELECT count(*) FROM pg_class WHERE relname = 'made')"); got != "3 0 false 0" {
		t.Errorf("after all that: %s", got)
	}

	t.Run("what takes too long ends on the server", func(t *testing.T) {
		slow := p.source("scram", sqlPassword, `"queries": [{"name": "slow", "query": "SELECT count(pg_sleep(60))"}, {"name": "count", "query": "SELECT 42"}]`)
		givesUp(t, slow, sqlQuestion("slow", nil))
		expect(t, ask(t, slow, count()), "42")
		until(t, "nobody works for nobody", func() error {
			if n := p.do("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'mini-hpa' AND state <> 'idle'"); n != "0" {
				return fmt.Errorf("%s still do", n)
			}
			return nil
		})
	})
}

// TestPostgreSQLIsAskedByWhom the file says, and whatever keeps a question from an answer has words of ours.
func TestPostgreSQLIsAskedByWhom(t *testing.T) {
	t.Parallel()
	p := newPostgres(t)
	for name, tt := range map[string]struct {
		client sources.Client
		want   result
	}{
		"SCRAM":                    {p.source("scram", sqlPassword), "42"},
		"SCRAM and TLS":            {p.source("scram", sqlPassword, sqlTrust), "42"},
		"MD5":                      {p.source("md5", sqlPassword), "42"},
		"a password":               {p.source("clear", sqlPassword, sqlTrust), "42"},
		"a certificate":            {p.source("cert", sqlShow), "42"},
		"somebody else's":          {sqlSource(t, "postgresql", p.address(), func() *files { f := p.as("scram"); f.Store("/user", "cert"); return f }(), sqlShow), refused},
		"nobody":                   {p.source("stranger", sqlPassword), refused},
		"a database that is not":   {p.source("scram", sqlPassword, `"database": "none"`), "!has no database of that name"},
		"an authority of no trust": {p.source("scram", sqlPassword, `"tls": {}`), "!has a certificate that is not trusted"},
		"another server's name":    {p.source("scram", sqlPassword, `"tls": {"caFile": "/ca", "serverName": "elsewhere"}`), "!has a certificate that is not trusted"},
		"no file":                  {sqlSource(t, "postgresql", p.address(), with(nil), sqlPassword), "!is not set up: a file of it cannot be read"},
	} {
		if got := ask(t, tt.client, count()); got[0] != tt.want {
			t.Errorf("%s: %q, want %q", name, got[0], tt.want)
		}
	}
	wantsTheNewPassword(t, "postgresql", p.address(), p.as("scram"))
}

// TestPostgreSQLQueriesThatFail keep nobody from asking the others.
func TestPostgreSQLQueriesThatFail(t *testing.T) {
	t.Parallel()
	p := newPostgres(t)
	dir := t.TempDir()
	for path, text := range p.authority.client("scram") {
		if err := os.WriteFile(dir+path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a := newAsker(t, fmt.Sprintf(`
version: v1
sources:
- name: pg
  type: postgresql
  address: %s
  database: work
  timeout: 1m
  auth: {userFile: %s/user, passwordFile: %s/password}
  namespaces: ["*"]
  queries: [{name: broken, query: SELECT count(*) FROM nothing}, {name: count, query: SELECT 42}]
`, p.address(), dir, dir))
	for range 10 {
		if _, err := a.ask(t.Context(), "broken", nil); err == nil || !strings.HasPrefix(err.Error(), "pg failed at the query (see the controller's log") {
			t.Fatal(err)
		}
	}
	if got, err := a.ask(t.Context(), "count", nil); err != nil || got != "42" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestPostgreSQLKeepsConnections, no more than it may have, and is not held up by those that were lost.
func TestPostgreSQLKeepsConnections(t *testing.T) {
	t.Parallel()
	p := newPostgres(t)
	gate, address := proxy(t, p.address())
	client := sqlSource(t, "postgresql", address, p.as("scram"), sqlPassword, `"concurrency": 3`)
	keepsConnections(t, gate, client, p.source("scram", sqlPassword), func() { p.end(syscall.SIGINT) }, p.start)
	t.Run("the server ends one", func(t *testing.T) {
		expect(t, ask(t, client, count()), "42")
		p.do("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mini-hpa'")
		expect(t, ask(t, client, count()), "42")
	})
}

// TestPostgreSQLStandby: a server that follows another one can be asked.
func TestPostgreSQLStandby(t *testing.T) {
	t.Parallel()
	p := newPostgres(t)
	p.do("CREATE TABLE jobs AS SELECT 1 AS id; GRANT SELECT ON jobs TO scram")
	run(t, p.command("pg_basebackup", "-h", "127.0.0.1", "-p", p.port, "-U", "postgres", "-D", p.dir+"/standby", "-R", "-X", "stream", "-c", "fast", "--no-sync"))
	standby := *p
	standby.port = freePorts(t, 1)[0]
	standby.serve(p.dir+"/standby", standby.port)
	client := standby.source("scram", sqlPassword, `"queries": [{"name": "count", "query": "SELECT count(*) FROM jobs WHERE pg_is_in_recovery()"}]`)
	expect(t, ask(t, client, count()), "1")
}

// TestPostgreSQLThroughAPooler that lends a connection for a transaction, and leaves nothing on it for who comes next.
func TestPostgreSQLThroughAPooler(t *testing.T) {
	t.Parallel()
	path := installed(t, "pgbouncer", "pgbouncer", "/usr/sbin/pgbouncer")
	p := newPostgres(t)
	port := freePorts(t, 1)[0]
	for name, text := range map[string]string{
		"pool.ini": fmt.Sprintf("[databases]\nwork = host=127.0.0.1 port=%s dbname=work\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %s\nunix_socket_dir =\n"+
			"auth_type = plain\nauth_file = %s/users\npool_mode = transaction\ndefault_pool_size = 1\n", p.port, port, p.dir),
		"users": `"scram" "right-hunter2"` + "\n",
	} {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.Command(path, p.dir+"/pool.ini")
	launch(t, "pgbouncer", func(ctx context.Context) error { return accepts(ctx, "127.0.0.1:"+port) }, runAs(t, "postgres", p.dir, command))
	client := sqlSource(t, "postgresql", "127.0.0.1:"+port, p.as("scram"), sqlPassword, `"queries": [{"name": "count", "query": "SELECT 42"}, {"name": "broken", "query": "SELECT 1 / 0"}]`)
	if got := crowd(t, client, 4, 20, count()); got["42"] != 80 {
		t.Errorf("%v", got)
	}
	expect(t, ask(t, client, sqlQuestion("broken", nil)), "!failed at the query with these values")
	people, err := pgconn.Connect(t.Context(), "host=127.0.0.1 sslmode=disable user=scram password=right-hunter2 dbname=work port="+port)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = people.Close(context.WithoutCancel(t.Context())) }()
	results, err := people.Exec(t.Context(), "SELECT current_setting('statement_timeout') || ' ' || current_setting('transaction_read_only')").ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if got := string(results[0].Rows[0][0]); got != "0 off" {
		t.Errorf("who comes next has %q", got)
	}
}
