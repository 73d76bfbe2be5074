package sources

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

// Database is what an entry says of a database that is asked in SQL. The settings of its type embed it.
type Database struct {
	// Address is its HOST:PORT.
	Address  string      `json:"address"`
	Database string      `json:"database"`
	TLS      *TLS        `json:"tls,omitempty"`
	Auth     Credentials `json:"auth"`
}

// check says what is wrong with it, and with the queries.
func (d *Database) check(e *catalog.Entry, dialect *sqlDialect, example string, at *field.Path) field.ErrorList {
	problems := append(checkAddress(d.Address, example, at.Child("address")), d.TLS.check(at.Child("tls"))...)
	problems = append(problems, d.Auth.check(at.Child("auth"))...)
	if d.Database == "" {
		problems = append(problems, field.Required(at.Child("database"), "the name of one"))
	}
	if d.Auth.UserFile == "" {
		problems = append(problems, field.Required(at.Child("auth", "userFile"), "a file with the name of who asks"))
	}
	for i := range e.Queries {
		q, at := &e.Queries[i], at.Child("queries").Index(i)
		if q.Path != "" || q.Value != "" {
			problems = append(problems, field.Forbidden(at, fmt.Sprintf("type %q has query instead of path and value", e.Type.Name)))
		}
		if strings.TrimSpace(q.Query) == "" {
			problems = append(problems, field.Required(at.Child("query"), "such as SELECT count(*) FROM jobs WHERE tenant = $namespace"))
		} else if _, _, err := dialect.statement(q, func(string) (string, error) { return "0", nil }); err != nil {
			problems = append(problems, field.Invalid(at.Child("query"), q.Query, err.Error()))
		}
	}
	return problems
}

const (
	// mostFromDatabase is how many bytes may come for what was sent last: one number, and what the server says beside it.
	mostFromDatabase = 64 << 10
	// sqlIdle is after what time without a question a connection is given up, sqlLifetime after what time anyway, so that
	// renewed credentials and another server behind the same name count.
	sqlIdle, sqlLifetime = time.Minute, 10 * time.Minute
	// sqlFarewell is how long the end of a transaction or connection may take.
	sqlFarewell = time.Second
)

// sqlClient asks a database, over at most as many connections as questions may be asked at a time. They are kept from one question to the next:
// a new one costs the server a process or thread, a TLS handshake and the check of a password, far more than the question (ADR 0017).
type sqlClient struct {
	entry   *catalog.Entry
	dialect *sqlDialect
	db      *sql.DB
	login   *sqlLogin
	// explain puts what the server has said into words; nil if it has said nothing.
	explain func(err error) *Fault
	// limited adds to a statement that the server has to give it up after a time. It may be nil.
	limited func(text string, limit time.Duration) string
}

// newSQLClient makes a client whose connections are those of a connector.
func newSQLClient(e *catalog.Entry, d *sqlDialect, login *sqlLogin, connector driver.Connector) *sqlClient {
	db := sql.OpenDB(guarded{connector})
	db.SetMaxOpenConns(e.Concurrency)
	db.SetMaxIdleConns(e.Concurrency)
	db.SetConnMaxIdleTime(sqlIdle)
	db.SetConnMaxLifetime(sqlLifetime)
	return &sqlClient{entry: e, dialect: d, login: login, db: db}
}

// guarded makes a panic of a driver, which a hostile server may cause, an error: package database/sql also connects in goroutines of its own, and would go on
// counting a connection that nobody has.
type guarded struct{ driver.Connector }

// Connect is driver.Connector's.
func (g guarded) Connect(ctx context.Context) (connection driver.Conn, err error) {
	defer func() {
		if p := recover(); p != nil {
			connection, err = nil, fault("gave an answer that cannot be read", fmt.Errorf("panic: %.300q", fmt.Sprint(p)))
		}
	}()
	return g.Connector.Connect(ctx)
}

// Close is Client's.
func (c *sqlClient) Close() { _ = c.db.Close() }

// Ask is Client's.
func (c *sqlClient) Ask(ctx context.Context, all []metrics.Question, answer func(i int, a metrics.Answer, err error)) {
	for i, q := range all {
		a, err := c.ask(ctx, q)
		answer(i, a, err)
	}
}

// ask asks one query, in a transaction that may only read and is always rolled back.
func (c *sqlClient) ask(ctx context.Context, q metrics.Question) (metrics.Answer, error) {
	query := queryOf(c.entry, q)
	if query == nil {
		return metrics.Answer{}, unanswered("has no such query", fmt.Errorf("there is no query %q", q.Metric))
	}
	text, values, err := c.dialect.statement(query, func(variable string) (string, error) { return valueIn(q.Parameters, variable) })
	if err != nil {
		return metrics.Answer{}, err
	}
	transaction, err := c.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return metrics.Answer{}, c.login.explainSQL(ctx, err, c.explain)
	}
	defer func() { _ = transaction.Rollback() }()
	if c.limited != nil {
		text = c.limited(text, timeOfServer(ctx, c.entry.Timeout))
	}
	var cell sql.NullString
	if err := transaction.QueryRowContext(ctx, text, values...).Scan(&cell); err != nil {
		return metrics.Answer{}, c.login.explainSQL(ctx, err, c.explain)
	}
	if !cell.Valid { // no row, or NULL
		return metrics.Answer{}, nil
	}
	value, err := readNumber(strings.TrimSpace(cell.String))
	if err != nil {
		return metrics.Answer{}, unanswered("has no number for it", err)
	}
	return counted(value)
}

// timeOfServer is how long a server may work on a statement: a little less than what is left, so that it says itself that it has given up, and does not
// go on for nobody.
func timeOfServer(ctx context.Context, most time.Duration) time.Duration {
	if end, ok := ctx.Deadline(); ok {
		most = min(most, time.Until(end))
	}
	return max(most*9/10, time.Millisecond)
}

// sqlLogin is who asks.
type sqlLogin struct {
	auth Credentials
	env  Env
	// secret is the password that was read last, which a server might repeat.
	secret atomic.Pointer[string]
}

// newSQLLogin warns of what is not safe.
func newSQLLogin(d *Database, dialer *dialer, env Env) *sqlLogin {
	if d.TLS == nil && !dialer.local {
		env.Log.Warn("credentials are sent without encryption: there is no tls")
	}
	return &sqlLogin{auth: d.Auth, env: env}
}

// read reads the files.
func (l *sqlLogin) read() (user, password string, err error) {
	user, password, err = l.auth.read(l.env)
	l.secret.Store(&password)
	return user, password, err
}

// explainSQL is a Fault that says why there is no answer, with the password hidden. A deadline stays what it is.
func (l *sqlLogin) explainSQL(ctx context.Context, err error, said func(error) *Fault) error {
	if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) {
		return context.DeadlineExceeded
	}
	var already *Fault
	if errors.As(err, &already) {
		return already
	}
	cause := err
	if secret := l.secret.Load(); secret != nil {
		cause = errors.New(hide(err.Error(), *secret))
	}
	if f := said(err); f != nil {
		f.Err = cause
		return f
	}
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, net.ErrClosed) {
		return fault("broke off the connection", cause)
	}
	var explained *Fault
	if errors.As(explainRequest(err), &explained) {
		return &Fault{Told: explained.Told, Err: cause}
	}
	return fault("cannot be reached", cause)
}

// frugal is a connection on which no more comes than an answer may have, counted from what was sent last.
type frugal struct {
	net.Conn
	left atomic.Int64
}

// newFrugal is the connection for a protocol in which one side speaks at a time.
func newFrugal(connection net.Conn) *frugal {
	f := &frugal{Conn: connection}
	f.left.Store(mostFromDatabase)
	return f
}

// Write is net.Conn's.
func (f *frugal) Write(p []byte) (int, error) {
	f.left.Store(mostFromDatabase)
	return f.Conn.Write(p)
}

// Read is net.Conn's.
func (f *frugal) Read(p []byte) (int, error) {
	left := f.left.Load()
	if left <= 0 {
		return 0, tooMuch(mostFromDatabase)
	}
	n, err := f.Conn.Read(p[:min(len(p), int(left))])
	f.left.Add(-int64(n))
	return n, err
}

// SyscallConn lets a driver see whether the other side has closed an idle connection.
func (f *frugal) SyscallConn() (syscall.RawConn, error) {
	below, ok := f.Conn.(syscall.Conn)
	if !ok {
		return nil, errors.New("the connection has no descriptor")
	}
	return below.SyscallConn()
}
