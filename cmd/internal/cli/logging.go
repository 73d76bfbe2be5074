package cli

import (
	"io"

	"github.com/spf13/pflag"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// LogFlags say how much is logged, and in which form.
type LogFlags struct{ Level, Format string }

// DefaultLogFlags are those of a process that runs on.
func DefaultLogFlags() LogFlags { return LogFlags{Level: "info", Format: "json"} }

// Declare adds the flags to f.
func (l *LogFlags) Declare(f *pflag.FlagSet) {
	f.Var(OneOf(&l.Level, "debug", "info", "warn", "error"), "log-level", "log lines of this level and above")
	f.Var(OneOf(&l.Format, "json", "console"), "log-format", "json (one object per line) or console (for people)")
}

// Logger writes to w. It does not sample: where thousands of lines come in a second, each of them was asked for.
func (l LogFlags) Logger(w io.Writer) *zap.Logger {
	level, err := zapcore.ParseLevel(l.Level)
	if err != nil {
		level = zapcore.InfoLevel // the flag lets no other word through
	}
	config := zap.NewProductionEncoderConfig()
	config.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	config.EncodeDuration = zapcore.StringDurationEncoder
	encoder := zapcore.NewJSONEncoder(config)
	if l.Format == "console" {
		encoder = zapcore.NewConsoleEncoder(config)
	}
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(w)), level), zap.ErrorOutput(zapcore.AddSync(w)))
}

// Live is the life of a process that logs. From here on failures are log lines, so that whatever reads the logs finds them there.
func (l LogFlags) Live(s Streams, name string, work func(log *zap.Logger) error) error {
	log := l.Logger(s.Err)
	s.Bridge(log)
	b := s.Build
	log.Info("mini-hpa "+name+" starts", zap.String("version", b.Version), zap.String("commit", b.Commit), zap.String("go", b.GoVersion))
	if err := work(log); err != nil {
		log.Error("mini-hpa "+name+" failed", zap.Error(err))
		return ErrReported
	}
	log.Info("mini-hpa " + name + " has ended")
	return nil
}

// LogErrors lets libraries log errors to err: what they log is no answer of a command, and nothing is wrong with a warning.
func (s Streams) LogErrors() { s.Bridge(LogFlags{Level: "error", Format: "console"}.Logger(s.Err)) }
