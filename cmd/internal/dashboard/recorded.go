package dashboard

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
	"github.com/mini-hpa/mini-hpa/scaler/trace"
)

// readTrace adds what a controller has recorded (--record) within the last hour to the past of its workload, by the names of keys. Files come in any order.
// What is later than now, by a clock that is fast, is left out: what is seen here comes after it.
func readTrace(path string, d *cli.DecisionFlags, now time.Time, pasts map[string]past) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	in, err := trace.NewReader(file)
	if err != nil {
		return err
	}
	w := in.Workload()
	policy, err := d.Policy(w.Annotations, func(string) {})
	if err != nil {
		return fmt.Errorf("line 1: the workload's annotations are invalid:\n%w", err)
	}
	replay, name := trace.NewReplay(policy, d.Rules), w.String()
	for {
		s, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		p := recordedPoint(&s, replay.Next(s).Decision)
		if age := now.Sub(p.at); age >= 0 && age <= remembered {
			pasts[name] = append(pasts[name], p)
		}
	}
}

// recordedPoint is what was seen and decided at a look.
func recordedPoint(s *recommend.Snapshot, d recommend.Decision) point {
	p := point{at: s.Time, replicas: s.Replicas}
	for _, pod := range s.Pods {
		if pod.Ready.Status == corev1.ConditionTrue && pod.Deleted.IsZero() {
			p.ready++
		}
	}
	for _, m := range d.Metrics {
		if m.Failed {
			m.Ratio = math.NaN()
		}
		p.ratios = append(p.ratios, m.Ratio)
	}
	return p
}
