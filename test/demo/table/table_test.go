package table

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mini-hpa/mini-hpa/test/demo/story"
)

func TestTableOfOne(t *testing.T) {
	var out strings.Builder
	web := New(&out, []string{"web"})
	rows := []Row{
		{At: 400 * time.Millisecond, Load: 200, Cells: []Cell{{Utilization: story.Unknown}}},
		{At: 5 * time.Second, Load: 200, Cells: []Cell{{Utilization: 20, From: 1, Replicas: 1}}},
		{At: 21 * time.Second, Load: 2200, Cells: []Cell{{Utilization: 220, From: 1, Replicas: 5}}, Reason: "cpu utilization 220% above target 50%"},
		{At: 65*time.Second + 600*time.Millisecond, Load: 4800, Cells: []Cell{{Utilization: 96, From: 5, Replicas: 10}}},
		{At: 11 * time.Minute, Load: 4800, Cells: []Cell{{Utilization: 0, From: 12, Replicas: 12}}},
	}
	write(t, web, rows)
	want := `
  TIME    LOAD  UTILIZATION  REPLICAS              REASON
  0:00    200m            -         0
  0:05    200m          20%         1  #
  0:21   2200m         220%    1 -> 5  #####       cpu utilization 220% above target 50%
  1:06   4800m          96%   5 -> 10  ##########
 11:00   4800m           0%        12  ##########
`
	if diff := cmp.Diff(want[1:], out.String()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

func TestTableOfTwo(t *testing.T) {
	var out strings.Builder
	both := New(&out, []string{"flappy", "steady"})
	write(t, both, []Row{
		{At: 2 * time.Second, Load: 1900, Cells: []Cell{{Utilization: 190, From: 1, Replicas: 4, Changes: 1}, {Utilization: 190, From: 1, Replicas: 1}}, Reason: "flappy: up"},
		{At: 12 * time.Second, Load: 200, Cells: []Cell{{Utilization: 5, From: 4, Replicas: 1, Changes: 10}, {Utilization: 5, From: 4, Replicas: 4, Changes: 1}}},
	})
	want := `
                FLAPPY                               STEADY
  TIME    LOAD  UTIL  REPLICAS              CHANGES  UTIL  REPLICAS              CHANGES  REASON
  0:02   1900m  190%    1 -> 4  ####              1  190%         1  #                 0  flappy: up
  0:12    200m    5%    4 -> 1  #                10    5%         4  ####              1
`
	if diff := cmp.Diff(want[1:], out.String()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

func write(t *testing.T, table *Table, rows []Row) {
	t.Helper()
	if err := table.Head(); err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if err := table.Write(row); err != nil {
			t.Fatal(err)
		}
	}
}

type broken struct{ err error }

func (b broken) Write([]byte) (int, error) { return 0, b.err }

func TestWriteSaysWhatFailed(t *testing.T) {
	full := errors.New("disk full")
	table := New(broken{full}, []string{"web"})
	if err := table.Head(); !errors.Is(err, full) {
		t.Errorf("Head: %v", err)
	}
	if err := table.Write(Row{Cells: []Cell{{}}}); !errors.Is(err, full) {
		t.Errorf("Write: %v", err)
	}
}

func TestClock(t *testing.T) {
	for at, want := range map[time.Duration]string{
		0:                                     "0:00",
		59*time.Second + 499*time.Millisecond: "0:59",
		59*time.Second + 500*time.Millisecond: "1:00",
		61 * time.Minute:                      "61:00",
	} {
		if got := Clock(at); got != want {
			t.Errorf("Clock(%s) = %q, want %q", at, got, want)
		}
	}
}
