package guard

import (
	"log"
	"strings"

	"go.uber.org/zap"
)

// connectionErrors is the http.Server's ErrorLog. Nearly all of its lines are about failed TLS handshakes.
type connectionErrors struct {
	log     *zap.Logger
	refused func(reason string)
}

// logger wraps it in the type of http.Server's ErrorLog.
func (c connectionErrors) logger() *log.Logger { return log.New(c, "", 0) }

// Write implements io.Writer for one line. All lines get the same message, so that they are sampled together; each is counted.
func (c connectionErrors) Write(line []byte) (int, error) {
	c.refused("connection")
	c.log.Warn("a connection failed", zap.String("detail", strings.TrimSpace(string(line))))
	return len(line), nil
}
