package sources

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
)

// postgresqlKind asks PostgreSQL, and what speaks its protocol, the queries of the file.
var postgresqlKind = Kind{
	Type: catalog.Type{Name: "postgresql", Queries: true, Settings: func() catalog.Settings { return &postgresqlSettings{} }},
	Open: opens(openPostgreSQL),
}

type postgresqlSettings struct{ Database }

// Check is catalog.Settings'.
func (s *postgresqlSettings) Check(e *catalog.Entry, at *field.Path) field.ErrorList {
	return s.check(e, postgresqlDialect(), "db.postgres.svc:5432", at)
}

// postgresqlDialect sends all values as text: which type it is of, the server knows from where it stands. Only between times it does not, so that a
// duration is said to be one.
func postgresqlDialect() *sqlDialect {
	return &sqlDialect{
		nests: true, quotes: `'"`, ends: "::text, 64)",
		place: func(n int, kind catalog.Kind) string {
			if kind == catalog.KindDuration {
				return "$" + strconv.Itoa(n) + "::interval"
			}
			return "$" + strconv.Itoa(n)
		},
		value: func(text string, _ catalog.Kind) (any, error) { return text, nil },
	}
}

func openPostgreSQL(e *catalog.Entry, settings *postgresqlSettings, env Env) (Client, error) {
	p := &postgresqlServer{newSQLServer(e, &settings.Database, env)}
	c := newSQLClient(e, postgresqlDialect(), p.login, p.connect)
	c.explain = explainPostgreSQL
	return c, nil
}

// postgresqlServer is what is known of one.
type postgresqlServer struct{ *sqlServer }

// connect makes a connection.
func (p *postgresqlServer) connect(ctx context.Context) (sqlConnection, error) {
	config, err := p.config()
	if err != nil {
		return nil, err
	}
	connection, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	return &postgresqlConnection{connection, p.timeout}, nil
}

// config is that of one connection. Nothing in it is from the environment, nor from files that the entry does not name.
func (p *postgresqlServer) config() (*pgconn.Config, error) {
	user, password, err := p.login.read()
	if err != nil {
		return nil, err
	}
	// A configuration has to come from the library. It looks into the environment and the files of a home, and all that may be from there is replaced.
	config, err := pgconn.ParseConfig("host=localhost port=5432 user=none password=none dbname=none sslmode=disable servicefile=/dev/null passfile=/dev/null target_session_attrs=any")
	if err != nil {
		return nil, fault("is not set up", err)
	}
	host, port, err := net.SplitHostPort(p.Address)
	if err != nil {
		return nil, fault("is not set up", err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, fault("is not set up", err)
	}
	config.Host, config.Port, config.Database, config.User, config.Password = host, uint16(number), p.Database.Database, user, password
	config.Fallbacks, config.KerberosSrvName, config.KerberosSpn, config.OAuthTokenProvider = nil, "", "", nil
	config.ConnectTimeout, config.SSLNegotiation, config.SSLCertMode, config.ChannelBinding, config.RequireAuth = dialTimeout, "postgres", "allow", "prefer", ""
	config.MinProtocolVersion, config.MaxProtocolVersion = "3.0", "3.0"
	config.ValidateConnect, config.AfterConnect, config.AfterNetConnect, config.OnNotice, config.OnNotification = nil, nil, nil, nil, nil
	config.MaxProtocolMessageBodyLen = mostFromDatabase
	config.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil } // the dialer resolves it
	config.DialFunc = p.dialer.dialPlain
	config.TLSConfig = nil
	switch {
	case p.TLS != nil:
		if config.TLSConfig, err = p.dialer.config(p.Address); err != nil {
			return nil, err
		}
	case !p.dialer.local:
		config.RequireAuth = "!password" // whoever is between must not be told the password by asking for it
	}
	// A pooler in between refuses parameters that it does not know, so that there is no limit of time here.
	config.RuntimeParams = map[string]string{"application_name": "mini-hpa", "client_encoding": "UTF8"}
	return config, nil
}

// postgresqlConnection is a connection to one.
type postgresqlConnection struct {
	*pgconn.PgConn
	timeout time.Duration
}

// Close is sqlConnection's.
func (c *postgresqlConnection) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), sqlFarewell)
	defer cancel()
	return c.PgConn.Close(ctx)
}

// isIdle is sqlConnection's. What is left in a transaction is not used again.
func (c *postgresqlConnection) isIdle() bool { return !c.IsClosed() && c.TxStatus() == 'I' }

// ask is sqlConnection's. The statement is one of the extended protocol, of which the server takes only one.
func (c *postgresqlConnection) ask(ctx context.Context, text string, values []any) (*string, error) {
	bound := make([][]byte, len(values))
	for i := range values {
		said, ok := values[i].(string)
		if !ok {
			return nil, fmt.Errorf("value %d is no text", i+1)
		}
		bound[i] = []byte(said)
	}
	if err := c.begin(ctx); err != nil {
		return nil, err
	}
	answer := c.ExecParams(ctx, text, bound, nil, nil, nil).Read()
	farewell, cancel := context.WithTimeout(context.Background(), sqlFarewell)
	defer cancel()
	_, _ = c.Exec(farewell, "ROLLBACK").ReadAll() // isIdle says what came of it
	switch {
	case answer.Err != nil:
		return nil, answer.Err
	case len(answer.Rows) == 0:
		return nil, nil
	case len(answer.Rows[0]) != 1:
		return nil, unreadable(fmt.Errorf("%d columns", len(answer.Rows[0])))
	case answer.Rows[0][0] == nil:
		return nil, nil
	}
	cell := string(answer.Rows[0][0])
	return &cell, nil
}

// begin begins a transaction that may only read, and limits what is asked in it, with one request. The settings are those of the transaction, so
// that a pooler may give the connection to somebody else afterwards.
func (c *postgresqlConnection) begin(ctx context.Context) error {
	milliseconds := timeOfServer(ctx, c.timeout).Milliseconds()
	_, err := c.Exec(ctx, fmt.Sprintf("BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; SET LOCAL statement_timeout = %d; SET LOCAL idle_in_transaction_session_timeout = %d",
		milliseconds, milliseconds)).ReadAll()
	if err != nil && c.IsClosed() {
		return fmt.Errorf("%w: %w", errLost, err)
	}
	return err
}

// explainPostgreSQL is what the server has said, by its code (https://www.postgresql.org/docs/current/errcodes-appendix.html).
func explainPostgreSQL(err error) *Fault {
	var said *pgconn.PgError
	if !errors.As(err, &said) {
		return nil
	}
	switch code := said.Code; {
	case strings.HasPrefix(code, "28"):
		return &Fault{Told: "refused the credentials"}
	case code == "3D000":
		return &Fault{Told: "has no database of that name"}
	case code == "57014":
		return &Fault{Told: "gave up the query, which took too long", Answered: true}
	case code == "25006":
		return &Fault{Told: "has a query that writes, which is refused", Answered: true}
	case code == "42501":
		return &Fault{Told: "does not allow mini-hpa what the query reads", Answered: true}
	case code == "21000":
		return &Fault{Told: "has more than one row for it: the query has to aggregate them, such as by sum()", Answered: true}
	case strings.HasPrefix(code, "53"), strings.HasPrefix(code, "57"):
		return &Fault{Told: "has too much to do, or is going down"}
	case said.Severity == "FATAL", said.Severity == "PANIC":
		return &Fault{Told: "ended the connection"}
	case strings.HasPrefix(code, "22"):
		return &Fault{Told: "failed at the query with these values", Answered: true}
	}
	return &Fault{Told: "failed at the query", Answered: true}
}
