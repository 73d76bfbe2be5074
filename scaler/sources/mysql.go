package sources

import (
	"context"
	"errors"
	"fmt"
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
	Open: openMySQL,
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

func openMySQL(e *catalog.Entry, env Env) (Client, error) {
	settings, ok := e.Settings.(*mysqlSettings)
	if !ok {
		return nil, errors.New("the entry has no settings of mysql")
	}
	d := newDialer(env, settings.TLS, false, settings.Address) // the protocol agrees upon TLS after it has begun
	login := newSQLLogin(&settings.Database, d, env)
	config := mysql.NewConfig()
	config.Net, config.Addr, config.DBName, config.Timeout = "tcp", settings.Address, settings.Database.Database, dialTimeout
	config.Logger, config.ConnectionAttributes = &mysql.NopLogger{}, "program_name:mini-hpa" // what it would log is in the errors
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		connection, err := d.dialPlain(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return newFrugal(connection), nil
	}
	_ = config.Apply(mysql.BeforeConnect(func(_ context.Context, config *mysql.Config) (err error) { // which cannot fail
		if config.User, config.Passwd, err = login.read(); err != nil || settings.TLS == nil {
			return err
		}
		config.TLS, err = d.config(settings.Address)
		return err
	}))
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	c := newSQLClient(e, mysqlDialect(), login, connector)
	c.explain, c.limited = explainMySQL, limitMySQL
	return c, nil
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
	case errors.Is(err, mysql.ErrInvalidConn):
		return &Fault{Told: "broke off the connection"}
	case errors.Is(err, mysql.ErrNoTLS):
		return &Fault{Told: "does not speak TLS"}
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
