package sources

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
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
	login   *sqlLogin
	// connect makes a connection.
	connect func(ctx context.Context) (sqlConnection, error)
	// explain puts what the server has said into words; nil if it has said nothing.
	explain func(err error) *Fault
	// limited adds to a statement that the server has to give it up after a time. It may be nil.
	limited func(text string, limit time.Duration) string

	// turns has room for as many as may ask at a time.
	turns  chan struct{}
	mu     sync.Mutex
	idle   []*keptSQL
	closed bool
}

// sqlConnection is a connection to a database. One goroutine uses it at a time, so that a panic of its driver, which a hostile server may cause, can be
// caught: it costs the connection.
type sqlConnection interface {
	// ask asks one statement in a transaction that may only read and is rolled back; nil is NULL, or no row. errLost is that the connection was lost before.
	ask(ctx context.Context, text string, values []any) (cell *string, err error)
	// isIdle says whether something else may be asked.
	isIdle() bool
	// Close gives it up, within sqlFarewell.
	Close() error
}

// errLost is that a connection was lost before anything was asked over it, so that another one may do.
var errLost = errors.New("the connection was lost")

// keptSQL is a connection that may be used again.
type keptSQL struct {
	sqlConnection
	until  time.Time
	expiry *time.Timer
}

// end gives it up.
func (k *keptSQL) end() { _ = caught(k.Close) }

// sqlServer is what is known of a database.
type sqlServer struct {
	*Database
	timeout time.Duration
	dialer  *dialer
	login   *sqlLogin
}

func newSQLServer(e *catalog.Entry, d *Database, env Env) *sqlServer {
	dialer := newDialer(env, d.TLS, false, d.Address) // the protocols agree upon TLS after they have begun
	dialer.most = mostFromDatabase
	return &sqlServer{Database: d, timeout: e.Timeout, dialer: dialer, login: newSQLLogin(d, dialer, env)}
}

// newSQLClient makes a client whose connections connect makes.
func newSQLClient(e *catalog.Entry, d *sqlDialect, login *sqlLogin, connect func(context.Context) (sqlConnection, error)) *sqlClient {
	return &sqlClient{entry: e, dialect: d, login: login, connect: connect, turns: make(chan struct{}, e.Concurrency)}
}

// Close is Client's.
func (c *sqlClient) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	for k := c.take(); k != nil; k = c.take() {
		k.end()
	}
}

// take takes the connection that was kept last; nil is none.
func (c *sqlClient) take() *keptSQL {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := len(c.idle) - 1
	if last < 0 {
		return nil
	}
	k := c.idle[last]
	c.idle = c.idle[:last]
	k.expiry.Stop()
	return k
}

// keep keeps a connection for the next question, and says whether it does.
func (c *sqlClient) keep(k *keptSQL) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || time.Now().After(k.until) {
		return false
	}
	c.idle = append(c.idle, k)
	k.expiry = time.AfterFunc(sqlIdle, func() { c.giveUp(k) })
	return true
}

// giveUp ends a connection that nobody has used for long.
func (c *sqlClient) giveUp(k *keptSQL) {
	c.mu.Lock()
	i := slices.Index(c.idle, k)
	if i >= 0 {
		c.idle = slices.Delete(c.idle, i, i+1)
	}
	c.mu.Unlock()
	if i >= 0 {
		k.end()
	}
}

// Ask is Client's.
func (c *sqlClient) Ask(ctx context.Context, all []metrics.Question, answer func(i int, a metrics.Answer, err error)) {
	inTurn(all, answer, func(q metrics.Question) (metrics.Answer, error) { return c.ask(ctx, q) })
}

// ask asks one query.
func (c *sqlClient) ask(ctx context.Context, q metrics.Question) (metrics.Answer, error) {
	query := queryOf(c.entry, q)
	if query == nil {
		return metrics.Answer{}, unanswered("has no such query", fmt.Errorf("there is no query %q", q.Metric))
	}
	text, values, err := c.dialect.statement(query, func(variable string) (string, error) { return valueIn(q.Parameters, variable) })
	if err != nil {
		return metrics.Answer{}, err
	}
	select {
	case c.turns <- struct{}{}:
		defer func() { <-c.turns }()
	case <-ctx.Done():
		return metrics.Answer{}, ctx.Err()
	}
	cell, err := c.cell(ctx, text, values)
	if err != nil {
		return metrics.Answer{}, c.login.explainSQL(ctx, err, c.explain)
	}
	if cell == nil {
		return metrics.Answer{}, nil
	}
	value, err := readNumber(strings.TrimSpace(*cell))
	if err != nil {
		return metrics.Answer{}, unanswered("has no number for it", err)
	}
	return counted(value)
}

// cell asks over a connection that is kept, or a new one where none is, or those were lost.
func (c *sqlClient) cell(ctx context.Context, text string, values []any) (*string, error) {
	for {
		k := c.take()
		if k == nil {
			return c.cellOf(ctx, nil, text, values)
		}
		if cell, err := c.cellOf(ctx, k, text, values); !errors.Is(err, errLost) {
			return cell, err
		}
	}
}

// cellOf asks over a connection, of which nil is a new one.
func (c *sqlClient) cellOf(ctx context.Context, k *keptSQL, text string, values []any) (cell *string, err error) {
	isIdle := false
	err = caught(func() error {
		if k == nil {
			connection, err := c.connect(ctx)
			if err != nil {
				return err
			}
			k = &keptSQL{sqlConnection: connection, until: time.Now().Add(sqlLifetime)}
		}
		if c.limited != nil {
			text = c.limited(text, timeOfServer(ctx, c.entry.Timeout))
		}
		var err error
		cell, err = k.ask(ctx, text, values)
		isIdle = k.isIdle()
		return err
	})
	if k != nil && !(isIdle && c.keep(k)) {
		k.end()
	}
	return cell, err
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

// explainSQL is a Fault that says why there is no answer, with the password hidden. The end of ctx stays what it is.
func (l *sqlLogin) explainSQL(ctx context.Context, err error, said func(error) *Fault) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
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
	if errors.Is(err, errLost) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, net.ErrClosed) {
		return fault("broke off the connection", cause)
	}
	var explained *Fault
	if errors.As(explainRequest(err), &explained) {
		return &Fault{Told: explained.Told, Err: cause}
	}
	return fault("cannot be reached", cause)
}
