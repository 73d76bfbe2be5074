package sources

import (
	"context"
	"crypto/tls"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
)

// mysqlKind asks MySQL, MariaDB, and what speaks their protocol, the queries of the file.
var mysqlKind = Kind{
	Type: catalog.Type{Name: "mysql", Queries: true, Settings: func() catalog.Settings { return &mysqlSettings{} }},
	Open: opens(openMySQL),
}

type mysqlSettings struct{ Database }

// Check is catalog.Settings'.
func (s *mysqlSettings) Check(e *catalog.Entry, at *field.Path) field.ErrorList {
	return s.check(e, mysqlDialect(), "db.mysql.svc:3306", at)
}

// mysqlDialect sends numbers as numbers, because LIMIT takes no text, and durations as a number of seconds, because there is no type of them.
func mysqlDialect() *sqlDialect {
	return &sqlDialect{
		hasHashes: true, quotes: "'\"`", ends: ", 64)",
		place: func(int, catalog.Kind) string { return "?" },
		value: func(text string, kind catalog.Kind) (any, error) {
			if kind == catalog.KindInteger || kind == catalog.KindDuration {
				return strconv.ParseInt(strings.TrimSuffix(text, "s"), 10, 64)
			}
			return text, nil
		},
	}
}

func openMySQL(e *catalog.Entry, settings *mysqlSettings, env Env) (Client, error) {
	m := &mysqlServer{newSQLServer(e, &settings.Database, env)}
	c := newSQLClient(e, mysqlDialect(), m.login, m.connect)
	c.explain, c.limited = explainMySQL, limitMySQL
	return c, nil
}

// mysqlServer is what is known of one.
type mysqlServer struct{ *sqlServer }

// mysqlDriver is what the driver's connections can do.
type mysqlDriver interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.QueryerContext
	driver.Validator
}

// connect makes a connection.
func (m *mysqlServer) connect(ctx context.Context) (made sqlConnection, err error) {
	config := mysql.NewConfig()
	if config.User, config.Passwd, err = m.login.read(); err != nil {
		return nil, err
	}
	var encryption *tls.Config
	config.Net = "tcp"
	if m.TLS != nil {
		if encryption, err = m.dialer.config(m.Address); err != nil {
			return nil, err
		}
		config.Net = "unix" // of which the driver knows, other than of TLS by somebody else, that nobody can listen to it
	}
	config.Addr, config.DBName, config.Timeout = m.Address, m.Database.Database, dialTimeout
	config.Logger, config.ConnectionAttributes = &mysql.NopLogger{}, "program_name:mini-hpa" // what it would log is in the errors
	c := &mysqlConnection{}
	config.DialFunc = func(ctx context.Context, _, address string) (net.Conn, error) {
		connection, err := m.dialer.dialPlain(ctx, "tcp", address)
		if err != nil {
			return nil, err
		}
		c.below = newGuardedMySQL(connection, encryption, m.dialer.env.secrets)
		return c.below, nil
	}
	defer func() {
		if made == nil && c.below != nil { // after a panic, too
			_ = c.below.Close()
		}
	}()
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	connection, err := connector.Connect(ctx)
	if err != nil {
		return nil, c.why(err)
	}
	var ok bool
	if c.mysqlDriver, ok = connection.(mysqlDriver); !ok {
		return nil, fmt.Errorf("a connection of the driver is a %T", connection)
	}
	return c, nil
}

// mysqlConnection is a connection to one.
type mysqlConnection struct {
	mysqlDriver
	below *guardedMySQL
	// isRolledBack says that the last transaction is.
	isRolledBack bool
}

// why is the reason of a failure: of what its connection says the driver makes a broken connection.
func (c *mysqlConnection) why(err error) error {
	if err != nil && c.below != nil && c.below.broken != nil {
		return c.below.broken
	}
	return err
}

// Close is sqlConnection's.
func (c *mysqlConnection) Close() error {
	defer func() { _ = c.below.Close() }() // after a panic, too
	_ = c.below.SetDeadline(time.Now().Add(sqlFarewell))
	return c.mysqlDriver.Close()
}

// isIdle is sqlConnection's.
func (c *mysqlConnection) isIdle() bool { return c.isRolledBack && c.IsValid() }

// ask is sqlConnection's.
func (c *mysqlConnection) ask(ctx context.Context, text string, values []any) (*string, error) {
	c.isRolledBack = false
	transaction, err := c.BeginTx(ctx, driver.TxOptions{ReadOnly: true})
	switch {
	case err != nil && c.below.broken == nil && !c.IsValid():
		return nil, fmt.Errorf("%w: %w", errLost, err)
	case err != nil:
		return nil, c.why(err)
	}
	cell, err := c.query(ctx, text, values)
	if said := (*mysql.MySQLError)(nil); err != nil && !errors.As(err, &said) { // whatever follows may not be the answer to what is asked
		return nil, c.why(err)
	}
	_ = c.below.SetDeadline(time.Now().Add(sqlFarewell)) // the driver waits for this without an end
	c.isRolledBack = transaction.Rollback() == nil && c.below.SetDeadline(time.Time{}) == nil
	return cell, err
}

// query is the only cell of the first row.
func (c *mysqlConnection) query(ctx context.Context, text string, values []any) (cell *string, err error) {
	named := make([]driver.NamedValue, len(values))
	for i, value := range values {
		named[i] = driver.NamedValue{Ordinal: i + 1, Value: value}
	}
	rows, err := c.QueryContext(ctx, text, named)
	if errors.Is(err, driver.ErrSkip) { // values have to be bound to a statement
		statement, err := c.PrepareContext(ctx, text)
		if err != nil {
			return nil, err
		}
		defer func() { _ = statement.Close() }()
		bound, ok := statement.(driver.StmtQueryContext)
		if !ok {
			return nil, fmt.Errorf("a statement of the driver is a %T", statement)
		}
		if rows, err = bound.QueryContext(ctx, named); err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	}
	cell, err = firstOf(rows)
	return cell, errors.Join(err, rows.Close())
}

// firstOf is the only cell of the first row; nil if it is NULL, or there is none.
func firstOf(rows driver.Rows) (*string, error) {
	row := make([]driver.Value, len(rows.Columns()))
	if len(row) != 1 {
		return nil, unreadable(fmt.Errorf("%d columns", len(row)))
	}
	switch err := rows.Next(row); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, err
	case row[0] == nil:
		return nil, nil
	}
	said, ok := row[0].([]byte)
	if !ok {
		return nil, unreadable(fmt.Errorf("a cell that is no text but a %T", row[0]))
	}
	cell := string(said)
	return &cell, nil
}

// limitMySQL says it twice: MySQL takes the hint behind SELECT, and MariaDB what is within the comment in front.
func limitMySQL(text string, limit time.Duration) string {
	return fmt.Sprintf("/*M!100101 SET STATEMENT max_statement_time=%.3f FOR */ SELECT /*+ MAX_EXECUTION_TIME(%d) */ %s",
		limit.Seconds(), limit.Milliseconds(), strings.TrimPrefix(text, "SELECT "))
}

// explainMySQL is what the server has said, by its number
// (https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html, https://mariadb.com/kb/en/mariadb-error-code-reference/).
func explainMySQL(err error) *Fault {
	var said *mysql.MySQLError
	switch {
	case errors.Is(err, mysql.ErrInvalidConn), errors.Is(err, driver.ErrBadConn):
		return &Fault{Told: "broke off the connection"}
	case errors.Is(err, mysql.ErrCleartextPassword), errors.Is(err, mysql.ErrOldPassword), errors.Is(err, mysql.ErrUnknownPlugin):
		return &Fault{Told: "wants the password in a way that mini-hpa does not give it"}
	case !errors.As(err, &said):
		return nil
	}
	switch said.Number {
	case 1044, 1045, 1698, 3118, 3955:
		return &Fault{Told: "refused the credentials"}
	case 1049:
		return &Fault{Told: "has no database of that name"}
	case 1040, 1053, 1203, 1226:
		return &Fault{Told: "has too much to do, or is going down"}
	case 1129, 1130, 3159:
		return &Fault{Told: "refused the connection"}
	case 1317, 1969, 3024:
		return &Fault{Told: "gave up the query, which took too long", Answered: true}
	case 1290, 1792, 1836:
		return &Fault{Told: "has a query that writes, which is refused", Answered: true}
	case 1142, 1143, 1227, 1370:
		return &Fault{Told: "does not allow mini-hpa what the query reads", Answered: true}
	case 1242:
		return &Fault{Told: "has more than one row for it: the query has to aggregate them, such as by SUM()", Answered: true}
	}
	return &Fault{Told: "failed at the query", Answered: true}
}
