package explain

import (
	"strings"
	"time"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
)

// moment is a time as users write it: as a whole, as a time of the day, which is the last such one, or as how long ago it was. The zero value is none.
type moment struct {
	text string
	// of is the time, if it is now that.
	of func(now time.Time) time.Time
}

// layouts are those of a whole time; without a zone it is in that of this host.
var layouts = []string{time.RFC3339, "2006-01-02T15:04:05", time.DateTime, "2006-01-02 15:04"}

func momentOf(text string) (moment, bool) {
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return moment{text, func(now time.Time) time.Time { return now.Add(-ago) }}, true
	}
	for _, layout := range layouts {
		if at, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return moment{text, func(time.Time) time.Time { return at }}, true
		}
	}
	if strings.Count(text, ":") == 1 {
		text += ":00"
	}
	of, err := time.Parse(time.TimeOnly, text)
	return moment{text, func(now time.Time) time.Time {
		now = now.Local()
		at := time.Date(now.Year(), now.Month(), now.Day(), of.Hour(), of.Minute(), of.Second(), 0, time.Local)
		if at.After(now) {
			at = at.AddDate(0, 0, -1)
		}
		return at
	}}, err == nil
}

func momentFlag(m *moment) cli.Value[moment] {
	return cli.Value[moment]{Var: m, Kind: "time", Format: func(m moment) string { return m.text }, Parse: momentOf,
		Want: `a time such as 2026-11-29T03:14:00Z, "2026-11-29 03:14", 03:14 or 03:14:07 (the last one), or 20m (ago)`}
}
