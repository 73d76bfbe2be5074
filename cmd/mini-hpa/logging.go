package main

import (
	"io"

	"github.com/go-logr/zapr"
	"github.com/spf13/pflag"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"k8s.io/klog/v2"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
)

// logFlags say how much is logged, and in which form.
type logFlags struct{ level, format string }

func defaultLogFlags() logFlags { return logFlags{level: "info", format: "json"} }

func (l *logFlags) declare(f *pflag.FlagSet) {
	f.Var(oneOf(&l.level, "debug", "info", "warn", "error"), "log-level", "log lines of this level and above")
	f.Var(oneOf(&l.format, "json", "console"), "log-format", "json (one object per line) or console (for people)")
}

// logger writes to w. It does not sample: where thousands of lines come in a second, each of them was asked for.
func (l logFlags) logger(w io.Writer) *zap.Logger {
	level, err := zapcore.ParseLevel(l.level)
	if err != nil {
		level = zapcore.InfoLevel // the flag lets no other word through
	}
	config := zap.NewProductionEncoderConfig()
	config.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	config.EncodeDuration = zapcore.StringDurationEncoder
	encoder := zapcore.NewJSONEncoder(config)
	if l.format == "console" {
		encoder = zapcore.NewConsoleEncoder(config)
	}
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(w)), level), zap.ErrorOutput(zapcore.AddSync(w)))
}

// live is the life of a process that logs. From here on failures are log lines, so that whatever reads the logs finds them there.
func (l logFlags) live(s streams, name string, work func(log *zap.Logger) error) error {
	log := l.logger(s.err)
	s.bridge(log)
	b := s.build
	log.Info("mini-hpa "+name+" starts", zap.String("version", b.Version), zap.String("commit", b.Commit), zap.String("go", b.GoVersion))
	if err := work(log); err != nil {
		log.Error("mini-hpa "+name+" failed", zap.Error(err))
		return errReported
	}
	log.Info("mini-hpa " + name + " has ended")
	return nil
}

// logErrors lets libraries log errors to err: what they log is no answer of a command, and nothing is wrong with a warning.
func (s streams) logErrors() { s.bridge(logFlags{level: "error", format: "console"}.logger(s.err)) }

// bridge sends what libraries log there too, for as long as the process lives: klog, hence client-go, controller-runtime, and Go's
// own log.
func bridge(log *zap.Logger) {
	ctrllog.SetLogger(zapr.NewLogger(log.Named("controller-runtime")))
	klog.SetLoggerWithOptions(zapr.NewLogger(log.Named("client-go")), klog.ContextualLogger(true))
	zap.RedirectStdLog(log.Named("log"))
}
