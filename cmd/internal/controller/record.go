package controller

import (
	"github.com/spf13/pflag"
	"go.uber.org/zap"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
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
	f.Var(cli.Count(&r.mib, 16, 1<<20), "record-limit", "how much is kept in that directory, in MiB; where there is no room, the namespace that has the most loses its oldest files first")
}

// start begins to record; the recorder is nil if nobody asked for one, or if there is nowhere to record to: scaling goes on.
func (r *recordFlags) start(p *process) *trace.Recorder {
	if r.dir == "" {
		return nil
	}
	limits := trace.DefaultLimits()
	limits.Total = int64(r.mib) << 20
	log := p.log.Named("record")
	recorder, err := trace.NewRecorder(r.dir, limits, p.autoscaled, func(key annotations.Key, err error) {
		switch {
		case !p.budget.Take(key, "record"):
		case err != nil:
			log.Warn("cannot record; scaling goes on", zap.Stringer("workload", key), zap.Error(err))
		default:
			log.Info("recording works again", zap.Stringer("workload", key))
		}
	})
	if err != nil {
		log.Error("nothing is recorded until the next start; scaling goes on", zap.Error(err))
		return nil
	}
	return recorder
}

// autoscaled says whether there is such a workload, and it is to be scaled.
func (p *process) autoscaled(key annotations.Key) bool {
	w := p.set.Workload(key)
	return w != nil && annotations.Selected(w.Annotations)
}
