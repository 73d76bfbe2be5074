//go:build unix

package sources

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	_ "github.com/go-sql-driver/mysql" // for the administrator

	"github.com/mini-hpa/mini-hpa/scaler/sources"
)

// mariadb is a server, and its administrator.
type mariadb struct {
	*testing.T
	*served
	dir, port string
	authority *authority
	people    *sql.DB
}

// newMariaDB starts a server with a database work. Its users are named for how they say who they are, and all have the password right-hunter2.
func newMariaDB(t *testing.T) *mariadb {
	t.Helper()
	m := &mariadb{T: t, dir: t.TempDir(), port: freePorts(t, 1)[0], authority: newAuthority(t)}
	m.authority.servers(m.dir)
	if err := os.WriteFile(m.dir+"/first.sql", []byte("CREATE OR REPLACE USER people@'%';\nGRANT ALL ON *.* TO people@'%' WITH GRANT OPTION;\n"), 0o644); err != nil { //nolint:gosec // the server reads it as another user
		t.Fatal(err)
	}
	install := exec.Command(installed(t, "mariadb-server", "mariadb-install-db"), "--no-defaults", "--datadir="+m.dir+"/data", "--tmpdir="+m.dir,
		"--auth-root-authentication-method=normal", "--skip-test-db") // two servers that share /tmp remove each other's temporary tables
	run(t, runAs(t, "mysql", m.dir, install))
	m.start()
	people, err := sql.Open("mysql", "people@tcp("+m.address()+")/?multiStatements=true")
	if err != nil {
		t.Fatal(err)
	}
	m.people = people
	t.Cleanup(func() { _ = people.Close() })
	m.do(`CREATE DATABASE work; CREATE USER native@'%' IDENTIFIED BY 'right-hunter2'; CREATE USER cert@'%' REQUIRE SUBJECT '/CN=cert';
		INSTALL SONAME 'auth_ed25519'; CREATE USER ed25519@'%' IDENTIFIED VIA ed25519 USING PASSWORD('right-hunter2');
		GRANT USAGE ON *.* TO cert@'%'; GRANT SELECT, CREATE TEMPORARY TABLES ON work.* TO cert@'%', ed25519@'%'`)
	return m
}

// start starts it, also once more, with the same files and the same port.
func (m *mariadb) start() {
	m.Helper()
	command := exec.Command(installed(m.T, "mariadb-server", "mariadbd", "/usr/sbin/mariadbd"), "--no-defaults", "--datadir="+m.dir+"/data", "--tmpdir="+m.dir, "--bind-address=127.0.0.1", "--port="+m.port,
		"--socket=socket", "--skip-name-resolve", "--init-file="+m.dir+"/first.sql", "--ssl-cert="+m.dir+"/tls.crt", "--ssl-key="+m.dir+"/tls.key", "--ssl-ca="+m.dir+"/ca.crt",
		"--innodb-flush-log-at-trx-commit=0", "--innodb-log-file-size=4M", "--secure-file-priv="+m.dir+"/data", "--pid-file="+m.dir+"/data/pid")
	m.served = launch(m.T, "mariadbd", func(ctx context.Context) error {
		people, err := sql.Open("mysql", "people@tcp("+m.address()+")/")
		if err != nil {
			return err
		}
		return errors.Join(people.PingContext(ctx), people.Close())
	}, runAs(m.T, "mysql", m.dir, command))
	server := m.served
	m.Cleanup(func() { server.end(syscall.SIGTERM) }) // it writes nothing any more when the folder is removed
}

func (m *mariadb) address() string { return "127.0.0.1:" + m.port }

// do has the administrator say something.
func (m *mariadb) do(text string, values ...any) {
	m.Helper()
	if _, err := m.people.ExecContext(m.Context(), text, values...); err != nil {
		m.Fatalf("%s: %v", text, err)
	}
}

// get is what the administrator reads.
func (m *mariadb) get(text string) (cell string) {
	m.Helper()
	if err := m.people.QueryRowContext(m.Context(), text).Scan(&cell); err != nil {
		m.Fatalf("%s: %v", text, err)
	}
	return cell
}

// as are the files of an entry for a user.
func (m *mariadb) as(name string) *files { return with(m.authority.client(name)) }

func (m *mariadb) source(name string, more ...string) sources.Client {
	m.Helper()
	return sqlSource(m.T, "mysql", m.address(), m.as(name), more...)
}

// TestMySQLCounts one number, and nothing that it is asked changes anything.
func TestMySQLCounts(t *testing.T) {
	t.Parallel()
	m := newMariaDB(t)
	m.do(`USE work; CREATE TABLE jobs (id int, tenant text, kind varchar(20), cost decimal(10, 2), at timestamp) ENGINE=InnoDB;
		INSERT INTO jobs VALUES (1, 'shop', 'invoice', 1.25, now()), (2, 'shop', 'mail', 2, now() - interval 1 hour), (3, 'bank', 'invoice', 3, now());
		CREATE DATABASE secret; CREATE TABLE secret.a (a int); CREATE TABLE wrote (a int) ENGINE=InnoDB; CREATE TABLE old (a int) ENGINE=MyISAM; CREATE SEQUENCE numbers;
		CREATE TABLE texts (value varchar(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin);
		CREATE FUNCTION writes() RETURNS int MODIFIES SQL DATA BEGIN INSERT INTO wrote VALUES (1); RETURN 1; END;
		CREATE FUNCTION writes_old() RETURNS int MODIFIES SQL DATA BEGIN INSERT INTO old VALUES (1); RETURN 1; END;
		GRANT FILE ON *.* TO native@'%'; GRANT ALL ON work.* TO native@'%'`)
	const writes = result("!has a query that writes, which is refused")
	cases := map[string]sqlCase{
		"of-a-tenant":      {query: "SELECT COUNT(*) FROM jobs WHERE tenant = $namespace", want: "2"},
		"of-a-kind":        {query: "SELECT COUNT(*) FROM jobs WHERE kind = $word AND tenant = $namespace", given: map[string]string{"word": "invoice"}, want: "1"},
		"an-int":           {query: "SELECT cost FROM jobs WHERE id = $n", given: map[string]string{"n": "1"}, want: "1250m"},
		"a-limit":          {query: "SELECT COUNT(*) FROM (SELECT 1 FROM jobs LIMIT $n) x", given: map[string]string{"n": "2"}, want: "2"},
		"arithmetic":       {query: "SELECT COUNT(*) * $n FROM jobs", given: map[string]string{"n": "5"}, want: "15"},
		"a-window":         {query: "SELECT COUNT(*) FROM jobs WHERE at > NOW() - INTERVAL $window SECOND", given: map[string]string{"window": "90s"}, want: "2"},
		"a-sum":            {query: "SELECT SUM(cost) FROM jobs", want: "6250m"},
		"a-float":          {query: "SELECT 1.5e6", want: "1500k"},
		"a-text":           {query: "SELECT ' 7 ' # seven", want: "7"},
		"a-large-one":      {query: "SELECT 18446744073709551615", want: "!has no finite number for it"},
		"two-lines":        {query: "WITH x AS (SELECT 3 AS n)\nSELECT n FROM x", want: "3"},
		"no-row":           {query: "SELECT id FROM jobs WHERE id = 99", want: "0 values"},
		"null":             {query: "SELECT SUM(id) FROM jobs WHERE id = 99", want: "0 values"},
		"no-row-with":      {query: "SELECT id FROM jobs WHERE id = $n", given: map[string]string{"n": "99"}, want: "0 values"},
		"a-division-by-0":  {query: "SELECT 1 / 0", want: "0 values"},
		"below-0":          {query: "SELECT -1", want: "!has a negative number for it"},
		"a-time":           {query: "SELECT NOW()", want: "!has no number for it"},
		"no-text":          {query: "SELECT 'hunter2'", want: "!has no number for it"},
		"two-rows":         {query: "SELECT id FROM jobs", want: "!has more than one row for it: the query has to aggregate them, such as by SUM()"},
		"two-columns":      {query: "SELECT 1, 2", want: "!failed at the query"},
		"no-table":         {query: "SELECT COUNT(*) FROM nothing", want: "!failed at the query"},
		"no-right":         {query: "SELECT COUNT(*) FROM secret.a", want: "!does not allow mini-hpa what the query reads"},
		"much":             {query: "SELECT REPEAT('9', 100000)", want: "!has no finite number for it"},
		"a-function":       {query: "SELECT writes()", want: writes},
		"an-old-table":     {query: "SELECT writes_old()", want: writes},
		"a-sequence":       {query: "SELECT NEXT VALUE FOR numbers", want: writes},
		"a-lock":           {query: "SELECT id FROM jobs WHERE id = 1 FOR UPDATE", want: writes},
		"a-file":           {query: "SELECT 1 INTO OUTFILE '" + m.dir + "/data/out'", want: "!failed at the query"},
		"a-dumped-file":    {query: "SELECT COUNT(*) INTO DUMPFILE '" + m.dir + "/data/out' FROM jobs", want: "!failed at the query"},
		"a-variable":       {query: "SELECT 1 INTO @a", want: "!failed at the query"},
		"an-executed-hint": {query: "SELECT /*+ a */ 1", want: "1"},
	}
	client := m.source("native", sqlPassword, sqlQueries(t, cases))
	sameCases(t, client, cases)
	sameCases(t, client, cases) // what has failed leaves nothing behind

	t.Run("values stay values", func(t *testing.T) {
		for _, mode := range []string{"", "ANSI_QUOTES,NO_BACKSLASH_ESCAPES", "ORACLE"} {
			m.do("TRUNCATE work.texts")
			m.do("SET GLOBAL sql_mode = ?", mode)
			valuesStayValues(t, func(value string) { m.do("INSERT INTO work.texts VALUES (?)", value) }, m.source("native", sqlPassword, sqlQueries(t, valueCases())))
		}
	})
	if got := m.get("SELECT CONCAT((SELECT COUNT(*) FROM work.jobs), ' ', (SELECT COUNT(*) FROM work.wrote), ' ', (SELECT COUNT(*) FROM work.old))"); got != "3 0 0" {
		t.Errorf("after all that: %s", got)
	}
	if _, err := os.Stat(m.dir + "/data/out"); err == nil {
		t.Error("a query has written a file")
	}

	t.Run("what takes too long ends on the server", func(t *testing.T) {
		slow := m.source("native", sqlPassword, `"queries": [{"name": "slow", "query": "SELECT COUNT(*) FROM seq_1_to_1000000 a, seq_1_to_1000000 b"},
			{"name": "bound", "query": "SELECT COUNT(*) FROM seq_1_to_1000000 a, seq_1_to_1000000 b WHERE a.seq <> $n", "parameters": {"n": {"type": "integer"}}}, {"name": "count", "query": "SELECT 42"}]`)
		givesUp(t, slow, sqlQuestion("slow", nil))
		givesUp(t, slow, sqlQuestion("bound", map[string]string{"n": "60"}))
		expect(t, ask(t, slow, count()), "42")
		until(t, "nobody works for nobody", func() error {
			if n := m.get("SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'native' AND command <> 'Sleep'"); n != "0" {
				return fmt.Errorf("%s still do", n)
			}
			return nil
		})
	})
}

// TestMySQLIsAskedByWhom the file says, and whatever keeps a question from an answer has words of ours.
func TestMySQLIsAskedByWhom(t *testing.T) {
	t.Parallel()
	m := newMariaDB(t)
	m.do("GRANT SELECT ON work.* TO native@'%'")
	for name, tt := range map[string]struct {
		client sources.Client
		want   result
	}{
		"a password":               {m.source("native", sqlPassword), "42"},
		"a password and TLS":       {m.source("native", sqlPassword, sqlTrust), "42"},
		"Ed25519":                  {m.source("ed25519", sqlPassword), "42"},
		"a certificate":            {m.source("cert", sqlShow), "42"},
		"none where one is wanted": {m.source("cert", `"auth": {"userFile": "/user"}`, sqlTrust), refused},
		"nobody":                   {m.source("stranger", sqlPassword), refused},
		"a database that is not":   {m.source("native", sqlPassword, `"database": "none"`), refused}, // who may not see it is not told
		"an authority of no trust": {m.source("native", sqlPassword, `"tls": {}`), "!has a certificate that is not trusted"},
		"another server's name":    {m.source("native", sqlPassword, `"tls": {"caFile": "/ca", "serverName": "elsewhere"}`), "!has a certificate that is not trusted"},
		"no file":                  {sqlSource(t, "mysql", m.address(), with(nil), sqlPassword), "!is not set up: a file of it cannot be read"},
	} {
		if got := ask(t, tt.client, count()); got[0] != tt.want {
			t.Errorf("%s: %q, want %q", name, got[0], tt.want)
		}
	}
	m.do("GRANT ALL ON *.* TO native@'%'")
	expect(t, ask(t, m.source("native", sqlPassword, `"database": "none"`), count()), "!has no database of that name")
	wantsTheNewPassword(t, "mysql", m.address(), m.as("native"))
}

// TestMySQLKeepsConnections, no more than it may have, and is not held up by those that were lost.
func TestMySQLKeepsConnections(t *testing.T) {
	t.Parallel()
	m := newMariaDB(t)
	m.do("GRANT SELECT ON work.* TO native@'%'")
	gate, address := proxy(t, m.address())
	client := sqlSource(t, "mysql", address, m.as("native"), sqlPassword, `"concurrency": 3`)
	keepsConnections(t, gate, client, m.source("native", sqlPassword, sqlTrust), func() { m.end(syscall.SIGTERM) }, m.start)
}
