package sources

import (
	"context"
	"database/sql/driver"
	"testing"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

// broken is a driver with a mistake.
type broken struct{}

func (broken) Connect(context.Context) (driver.Conn, error) { panic("index out of range") }

func (broken) Driver() driver.Driver { return nil }

// TestADriverThatPanics costs a question its answer, and no connection that others may have.
func TestADriverThatPanics(t *testing.T) {
	entry := &catalog.Entry{Concurrency: 1, Timeout: time.Minute, Queries: []catalog.Query{*sqlQuery("SELECT 1")}}
	c := newSQLClient(entry, mysqlDialect(), &sqlLogin{}, broken{})
	defer c.Close()
	c.explain = explainMySQL
	for range 3 {
		c.Ask(t.Context(), []metrics.Question{{Metric: "q"}}, func(_ int, _ metrics.Answer, err error) {
			if got := told(err); got != "gave an answer that cannot be read" {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}
