package webhook

import (
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
