package guard

import (
	"log"
	"strings"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Sampled writes each message at most ten times a minute, so that a stranger cannot fill the log.
func Sampled(l *zap.Logger) *zap.Logger {
	const perMinute = 10
	return l.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		return zapcore.NewSamplerWithOptions(core, time.Minute, perMinute, 0)
	}))
}

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
