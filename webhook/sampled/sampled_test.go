package sampled

import (
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// TestNobodyFillsTheLog: a message that is written again and again is, whatever it says beside, at most ten times a minute in the log; others are
// not left out for it.
func TestNobodyFillsTheLog(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zap.InfoLevel)
	log := Logger(zap.New(core))
	for i := range 1000 {
		log.Info("refused", zap.Int("number", i))
	}
	log.Info("serving")
	// A minute may end in between.
	if n := logs.FilterMessage("refused").Len(); n < perMinute || n > 2*perMinute {
		t.Errorf("%d lines of one kind", n)
	}
	if logs.FilterMessage("serving").Len() != 1 {
		t.Error("another line was left out")
	}
}
