package sources

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

// broken is a driver with mistakes, which are made where it says so.
type broken struct{ at string }

func (b *broken) fail(at string) {
	if b.at == at {
		panic("index out of range")
	}
}

func (b *broken) connect(context.Context) (sqlConnection, error) {
	b.fail("connect")
	return b, nil
}

func (b *broken) ask(context.Context, string, []any) (*string, error) {
	b.fail("ask")
	cell := "42"
	return &cell, nil
}

func (b *broken) isIdle() bool {
	b.fail("idle")
	return true
}

func (b *broken) Close() error {
	b.fail("close")
	return nil
}

// said is what a client answers to its query.
func said(ctx context.Context, c Client) (said string) {
	c.Ask(ctx, []metrics.Question{{Metric: "q", Parameters: catalog.ParametersOf(map[string]string{catalog.OfNamespace: "shop"})}}, func(_ int, a metrics.Answer, err error) {
		switch {
		case told(err) != "":
			said = "!" + told(err)
		case err != nil:
			said = "!" + err.Error()
		default:
			said = "no value"
			for i := range a.External {
				said = a.External[i].Value.String()
			}
		}
	})
	return said
}

// sqlEntry is an entry with a query, of which one is asked at a time.
func sqlEntry(settings catalog.Settings, query string) *catalog.Entry {
	return &catalog.Entry{Concurrency: 1, Timeout: time.Minute, Settings: settings, Queries: []catalog.Query{*sqlQuery(query)}}
}

// TestADriverThatPanics costs a question its answer, and no connection that others may have.
func TestADriverThatPanics(t *testing.T) {
	t.Parallel()
	for at, want := range map[string]string{"connect": "!" + unreadableTold, "ask": "!" + unreadableTold, "idle": "!" + unreadableTold, "close": "42"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			b := &broken{at: at}
			c := newSQLClient(sqlEntry(nil, "SELECT 1"), mysqlDialect(), &sqlLogin{}, b.connect)
			c.explain = explainMySQL
			for range 3 {
				if got := said(t.Context(), c); got != want {
					t.Errorf("%q", got)
				}
			}
			c.Close()
			b.at = ""
			if got := said(t.Context(), c); got != "42" {
				t.Errorf("afterwards: %q", got)
			}
		})
	}
}

const unreadableTold = "gave an answer that cannot be read"

// TestAnEndIsWhatItIs: who has given up asking is not told that time was up.
func TestAnEndIsWhatItIs(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (&sqlLogin{}).explainSQL(ctx, errors.New("closed"), explainMySQL); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// played is a server of a database. It answers by what it is asked: at "greeting" and "login", and what else its protocol has.
type played struct {
	answers map[string][]byte
	// bad is said instead where it is not nil, and the connection ends behind it.
	at  string
	bad atomic.Pointer[[]byte]
	// tls is what follows behind a greeting; nil is the same as before.
	tls *tls.Config
}

// halfClosed is a connection of which one side can be closed: of TCP, or TLS.
type halfClosed interface {
	net.Conn
	CloseWrite() error
}

// say answers, and says whether the connection goes on.
func (p *played) say(connection halfClosed, at string) bool {
	if bad := p.bad.Load(); bad != nil && at == p.at {
		_, _ = connection.Write(*bad)
		_ = connection.CloseWrite()
		_, _ = io.Copy(io.Discard, connection)
		return false
	}
	_, err := connection.Write(p.answers[at])
	return err == nil
}

// isHostile asks a server that says bad things at a place, and then one that is as it should be.
func isHostile(t *testing.T, p *played, hostile map[string][]byte, run func(*played, halfClosed), open func(address, query string) Client) {
	t.Helper()
	for at := range p.answers {
		for name, bad := range hostile {
			t.Run(at+", "+name, func(t *testing.T) {
				t.Parallel()
				server := &played{answers: p.answers, at: at, tls: p.tls}
				server.bad.Store(&bad)
				query := "SELECT 1"
				if at == "prepare" || at == "execute" {
					query += " WHERE $namespace = 'shop'"
				}
				c := open(serve(t, func(connection net.Conn) { run(server, connection.(halfClosed)) }), query)
				defer c.Close()
				for range 2 {
					if got := said(t.Context(), c); at != "rollback" && !strings.HasPrefix(got, "!") && got != "no value" {
						t.Errorf("%q came of it", got)
					}
				}
				server.bad.Store(nil)
				if got := said(t.Context(), c); got != "7" {
					t.Errorf("afterwards: %q", got)
				}
			})
		}
	}
}

// packets are packets of MySQL's protocol.
func packets(first byte, payloads ...string) (all []byte) {
	for i, payload := range payloads {
		all = append(binary.LittleEndian.AppendUint32(all, uint32(len(payload))|uint32(first+byte(i))<<24), payload...) //nolint:gosec // short
	}
	return all
}

// playMySQL reads what a client sends, and answers it.
func playMySQL(p *played, connection halfClosed) {
	for at := "greeting"; p.say(connection, at); {
		if at == "greeting" && p.tls != nil {
			if _, err := io.ReadFull(connection, make([]byte, mysqlHeader+mysqlTLSRequest)); err != nil {
				return
			}
			connection = tls.Server(connection, p.tls)
		}
		for at = ""; at == ""; {
			number, text := readMySQL(connection)
			switch {
			case len(text) == 0:
				return
			case number > 0:
				at = "login"
			case bytes.HasPrefix(text, []byte("\x03START")):
				at = "begin"
			case bytes.HasPrefix(text, []byte("\x03ROLLBACK")):
				at = "rollback"
			default:
				at = map[byte]string{3: "query", 0x16: "prepare", 0x17: "execute"}[text[0]]
			}
		}
	}
}

// TestMySQLThatIsHostile: whatever a server says, wherever, the process goes on, and so does the client when the server is as it should be.
func TestMySQLThatIsHostile(t *testing.T) {
	t.Parallel()
	const done, end, column = "\x00\x00\x00\x02\x00\x00\x00", "\xfe\x00\x00\x02\x00\x00\x00", "\x03def\x00\x00\x00\x01x\x00\x0c\x2d\x00\x00\x01\x00\x00\xfd\x00\x00\x00\x00\x00"
	const more = "\x00\x00\x00\x0a\x00\x00\x00"
	answers := func(can string, login byte) map[string][]byte {
		return map[string][]byte{
			"greeting": packets(0, "\x0a8.0.0\x00\x01\x00\x00\x0012345678\x00"+can+"\x2d\x02\x00\x08\x01\x15"+strings.Repeat("\x00", 10)+"123456789012\x00mysql_native_password\x00"),
			"login":    packets(login, done), "begin": packets(1, done), "rollback": packets(1, done),
			"query":   packets(1, "\x01", column, "\x017", end),
			"prepare": packets(1, "\x00\x01\x00\x00\x00\x01\x00\x01\x00\x00\x00\x00", column, column),
			"execute": packets(1, "\x01", column, "\x00\x00\x017", end),
		}
	}
	hostile := map[string][]byte{"nothing": {}, "half a header": {1, 0}, "a packet of nothing": packets(1, "", ""), "a large packet": {0xff, 0xff, 0xff, 1, 0}, "packets without end": bytes.Repeat(packets(1, done), 1<<16)}
	for name, said := range map[string][]string{
		"a short OK": {"\x00"}, "another short OK": {"\x00\x00\x00\x02"}, "an OK with a short number": {"\x00\xfe\x01\x00\x00\x00\x00"}, "one with an end that is another": {"\x00\xfe\x00\xfe\x00\x00\x00\x00\x00\x00\x00"},
		"a short error": {"\xff"}, "an error with a short state": {"\xff\x01\x02#4"}, "a file, please": {"\xfb/etc/passwd"},
		"many columns": {"\xfd\xff\xff\xff"}, "columns of a TiB": {"\xfe\x00\x00\x00\x00\x01\x00\x00\x00"}, "columns above all": {"\xfe\xff\xff\xff\xff\xff\xff\xff\xff"}, "a short number of columns": {"\xfe\x01"},
		"more, with columns of a TiB": {more, "\xfe\x00\x00\x00\x00\x01\x00\x00\x00"}, "more behind a row": {"\x01", column, "\xfe\x00\x00\x0a\x00\x00\x00", "\xfe\x00\x00\x00\x00\x01\x00\x00\x00"},
		"no column": {"\x01", ""}, "a short column": {"\x01", "\x03def"}, "another short column": {"\x01", column[:13]}, "a short end": {"\x01", column, "\xfe"}, "a short row": {"\x01", column, "\x20a"}, "a short binary row": {"\x01", column, "\x00"},
		"a row above all": {"\x01", column, "\xfe\xff\xff\xff\xff\xff\xff\xff\xff"}, "a cell above all": {"\x01", column, "\x00\x00\xfe\xff\xff\xff\xff\xff\xff\xff\xff"},
		"columns of no description": {"\x01\x00", "\x00\x00\x017"}, "a statement of many": {"\x00\x01\x00\x00\x00\xff\xff\xff\xff\x00\x00\x00"}, "a short statement": {"\x00\x01\x00"},
		"a short greeting": {"\x0a8.0.0\x00\x01\x00\x00\x0012345678"}, "a greeting without a version": {"\x0a" + strings.Repeat("a", 60)}, "another way to log in": {"\xfecaching_sha2_password\x00a"}, "more to log in": {"\x01\x04"}, "an old way to log in": {"\xfe"},
	} {
		hostile[name] = packets(1, said...)
		hostile[name+", first"] = packets(0, said...)
		hostile[name+", third"] = packets(2, said...)
		hostile[name+", fourth"] = packets(3, said...)
	}
	web := httptest.NewTLSServer(nil) // which brings a certificate
	web.Close()
	for _, c := range []struct {
		played *played
		trust  *TLS
	}{
		{&played{answers: answers("\x09\xa2", 2)}, nil},
		{&played{answers: answers("\x09\xaa", 3), tls: web.TLS}, &TLS{Insecure: true}},
	} {
		isHostile(t, c.played, hostile, playMySQL, func(address, query string) Client {
			database := databaseAt(address)
			database.TLS = c.trust
			client, err := mysqlKind.Open(sqlEntry(&mysqlSettings{Database: database}, query), secretsInTests())
			if err != nil {
				t.Fatal(err)
			}
			return client
		})
	}
}

// TestMySQLIsToldAPasswordInTLSAlone: a server that has never seen a user asks for the password itself, which is sent within TLS, and otherwise only with a key of the server's.
func TestMySQLIsToldAPasswordInTLSAlone(t *testing.T) {
	t.Parallel()
	web := httptest.NewTLSServer(nil) // which brings a certificate
	web.Close()
	for name, c := range map[string]struct {
		can   string
		login byte
		tls   *TLS
		want  string
	}{
		"TLS":    {"\x09\xaa", 3, &TLS{Insecure: true}, "hunter2\x00"},
		"no TLS": {"\x09\xa2", 2, nil, "\x02"},
	} {
		told := make(chan string, 1)
		database := databaseAt(serve(t, func(connection net.Conn) {
			_, _ = connection.Write(packets(0, "\x0a8.0.0\x00\x01\x00\x00\x0012345678\x00"+c.can+"\x2d\x02\x00\x08\x01\x15"+strings.Repeat("\x00", 10)+"123456789012\x00caching_sha2_password\x00"))
			if c.tls != nil {
				_, _ = io.ReadFull(connection, make([]byte, mysqlHeader+mysqlTLSRequest))
				connection = tls.Server(connection, web.TLS)
			}
			_, _ = readMySQL(connection)
			_, _ = connection.Write(packets(c.login, "\x01\x04"))
			_, said := readMySQL(connection)
			told <- string(said)
			_ = connection.Close()
		}))
		database.TLS = c.tls
		client, err := mysqlKind.Open(sqlEntry(&mysqlSettings{Database: database}, "SELECT 1"), secretsInTests())
		if err != nil {
			t.Fatal(err)
		}
		said(t.Context(), client)
		if got := <-told; got != c.want {
			t.Errorf("%s: told %q, want %q", name, got, c.want)
		}
		client.Close()
	}
}

// readMySQL reads a packet of MySQL's protocol: its number, and what is in it; nothing at the end.
func readMySQL(connection io.Reader) (number byte, said []byte) {
	header := make([]byte, mysqlHeader)
	if _, err := io.ReadFull(connection, header); err != nil {
		return 0, nil
	}
	said = make([]byte, binary.LittleEndian.Uint32(header)&0xffffff)
	if _, err := io.ReadFull(connection, said); err != nil {
		return 0, nil
	}
	return header[3], said
}

// databaseAt says of a database what a test has to say.
func databaseAt(address string) Database {
	return Database{Address: address, Database: "work", Auth: Credentials{UserFile: "/user", PasswordFile: "/password"}}
}

// secretsInTests is an environment whose files all say the same.
func secretsInTests() Env {
	env := environment()
	env.ReadFile = func(string) ([]byte, error) { return []byte("hunter2"), nil }
	return env
}

// message is a message of PostgreSQL's protocol.
func message(kind byte, body string) string {
	return string(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)+4))) + body //nolint:gosec // short
}

// playPostgreSQL reads what a client sends, and answers it.
func playPostgreSQL(p *played, connection halfClosed) {
	header := make([]byte, 5)
	for size, at := 4, ""; ; size = 5 {
		for at = ""; at == ""; {
			if _, err := io.ReadFull(connection, header[5-size:]); err != nil {
				return
			}
			text := make([]byte, min(binary.BigEndian.Uint32(header[1:])-4, 1<<16))
			if _, err := io.ReadFull(connection, text); err != nil {
				return
			}
			switch {
			case size == 4:
				at = "greeting"
			case header[0] == 'Q' && bytes.HasPrefix(text, []byte("BEGIN")):
				at = "begin"
			case header[0] == 'Q':
				at = "rollback"
			case header[0] == 'S':
				at = "query"
			}
		}
		if !p.say(connection, at) {
			return
		}
	}
}

// TestPostgreSQLThatIsHostile: whatever a server says, wherever, the process goes on, and so does the client when the server is as it should be.
func TestPostgreSQLThatIsHostile(t *testing.T) {
	t.Parallel()
	ready := func(state string) string { return message('Z', state) }
	column := message('T', "\x00\x01x\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x19\xff\xff\xff\xff\xff\xff\x00\x00")
	row := message('D', "\x00\x01\x00\x00\x00\x017")
	done := message('C', "SELECT 1\x00")
	welcome := message('R', "\x00\x00\x00\x00") + ready("I")
	p := &played{answers: map[string][]byte{
		"greeting": []byte(welcome), "begin": []byte(strings.Repeat(message('C', "SET\x00"), 3) + ready("T")), "rollback": []byte(message('C', "ROLLBACK\x00") + ready("I")),
		"query": []byte(message('1', "") + message('2', "") + column + row + done + ready("T")),
	}}
	hostile := map[string][]byte{}
	for name, text := range map[string]string{
		"nothing": "", "half a header": "R\x00", "no PostgreSQL": "HTTP/1.1 400 Bad Request\r\n\r\n", "a message below 0": "D\xff\xff\xff\xff", "a message of nothing": "D\x00\x00\x00\x00", "a message of 2 GiB": "D\x7f\xff\xff\xff",
		"a message that breaks off": row[:8], "a row of many": message('D', "\xff\xff"), "a cell of 2 GiB": message('D', "\x00\x01\x7f\xff\xff\xff"), "a cell below 0": message('D', "\x00\x01\xff\xff\xff\xfe"),
		"columns of no description": message('T', "\xff\xff"), "a name without end": message('T', "\x00\x01xxxx"), "rows before columns": row + row + done, "columns twice": column + column, "no columns": message('T', "\x00\x00") + message('D', "\x00\x00") + done + ready("T"),
		"rows without end": column + strings.Repeat(row, 1<<16), "notices without end": strings.Repeat(message('N', "MNo\x00\x00"), 1<<16), "settings without end": strings.Repeat(message('S', "a\x00b\x00"), 1<<16),
		"a setting without end": message('S', "aaaa"), "a short key": message('K', "\x00"), "an error of nothing": message('E', ""), "an error without end": message('E', "Maaaa"), "a fatal error": message('E', "SFATAL\x00C57P01\x00Mhunter2\x00\x00"),
		"ready of nothing": message('Z', ""), "ready for nobody": message('Z', "X"), "a copy": message('G', "\x00\x00\x00") + message('H', "\x00\xff\xff"), "copied": message('d', "abc"),
		"another way to log in": message('R', "\x00\x00\x00\x0aSCRAM-SHA-256\x00"), "no way to log in": message('R', "\x00\x00\x00\x0a"), "a short way to log in": message('R', "\x00"), "an unknown way": message('R', "\x00\x00\xff\xff"), "a salt that breaks off": message('R', "\x00\x00\x00\x05a"),
		"to go on logging in": message('R', "\x00\x00\x00\x0b"), "a function's answer": message('V', ""), "told": message('A', "\x00\x00"), "another version": message('v', "\x00"), "an unknown message": message('?', "a"),
	} {
		hostile[name] = []byte(text)
	}
	for name, text := range changed(column+row+done, "RDTCZES1\x00\x01\x7f\xff", 40) {
		hostile[name] = []byte(text)
	}
	isHostile(t, p, hostile, playPostgreSQL, func(address, query string) Client {
		c, err := postgresqlKind.Open(sqlEntry(&postgresqlSettings{Database: databaseAt(address)}, query), secretsInTests())
		if err != nil {
			t.Fatal(err)
		}
		return c
	})
}
