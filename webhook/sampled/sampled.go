// Package sampled is a log that strangers cannot fill. The webhook's handler and the guard in front of it write to one, as anybody who reaches
// the port can be refused as often as he likes.
package sampled

import (
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// perMinute is how often a message is written in a minute.
const perMinute = 10

// Logger writes each message at most ten times a minute, whatever its fields are.
func Logger(l *zap.Logger) *zap.Logger {
	return l.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		return zapcore.NewSamplerWithOptions(core, time.Minute, perMinute, 0)
	}))
}
