package main

import (
	"context"
	"time"

	"github.com/spf13/pflag"
	"go.uber.org/zap"

	"github.com/mini-hpa/mini-hpa/scaler/trace"
)

// recordFlags say where traces go.
type recordFlags struct {
	dir string
	mib int // all that is kept
}

func defaultRecordFlags() recordFlags {
	return recordFlags{mib: int(trace.DefaultLimits().Total >> 20)}
}

func (r *recordFlags) declare(f *pflag.FlagSet) {
	f.StringVar(&r.dir, "record", "", "`directory` to write what is decided on to, a trace for each workload, for \"mini-hpa replay\"; without it nothing is recorded")
	f.Var(count(&r.mib, 16, 1<<20), "record-limit", "how much is kept in that directory, in MiB; the oldest files go first")
}

// start begins to record; the recorder is nil if nobody asked for one.
func (r *recordFlags) start(log *zap.Logger) (*trace.Recorder, error) {
	if r.dir == "" {
		return nil, nil
	}
	limits := trace.DefaultLimits()
	limits.Total = int64(r.mib) << 20
	return trace.NewRecorder(r.dir, limits, func(workload string, err error) {
		if err != nil {
			log.Warn("cannot record; scaling goes on", zap.String("deployment", workload), zap.Error(err))
		} else {
			log.Info("recording works again", zap.String("deployment", workload))
		}
	})
}

// recordingGrace is how long what has been seen may take to be written when the process ends.
const recordingGrace = 2 * time.Second

// endRecording writes what is left to be written.
func (p *process) endRecording() {
	if p.traces == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), recordingGrace)
	defer cancel()
	if err := p.traces.Close(ctx); err != nil {
		p.log.Warn("the end of the traces is missing", zap.Error(err))
	}
}
