package guard

import (
	"log"
	"strings"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// sampled writes each message at most ten times a minute, so that a stranger can't fill the log.
func sampled(l *zap.Logger) *zap.Logger {
	const perMinute = 10
	return l.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		return zapcore.NewSamplerWithOptions(core, time.Minute, perMinute, 0)
	}))
}

// complaints takes what net/http has to say about connections, one line at a time: nearly always a failed TLS handshake.
type complaints struct {
	log     *zap.Logger
	refused func(reason string)
}

// logger returns what http.Server wants as its ErrorLog.
func (c complaints) logger() *log.Logger { return log.New(c, "", 0) }

// Write is io.Writer's. Every line has the same message, so that they are sampled together, and every line is counted.
func (c complaints) Write(line []byte) (int, error) {
	c.refused("connection")
	c.log.Warn("a connection failed", zap.String("detail", strings.TrimSpace(string(line))))
	return len(line), nil
}
