//go:build unix

package binaries

import (
	"bytes"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestProgressReportsLongWork(t *testing.T) {
	broken := errors.New("broken")
	tests := map[string]struct {
		takes  time.Duration
		result error
		want   string
	}{
		"short": {time.Second, nil, "controlplane: building etcd (2 of 3)\ncontrolplane: built etcd in 1s\n"},
		"long": {25 * time.Second, nil, "controlplane: building etcd (2 of 3)\n" +
			"controlplane: building etcd (2 of 3): 10s, 1m10s in total\n" +
			"controlplane: building etcd (2 of 3): 20s, 1m20s in total\n" +
			"controlplane: built etcd in 25s\n"},
		"failed": {time.Second, broken, "controlplane: building etcd (2 of 3)\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				report := &progress{out: &out, began: time.Now().Add(-time.Minute), total: 3, done: 1}
				err := report.track("etcd", func() error { time.Sleep(test.takes); return test.result })
				if !errors.Is(err, test.result) {
					t.Errorf("got %v, want %v", err, test.result)
				}
				if diff := cmp.Diff(test.want, out.String()); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}
