package schedule

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mini-hpa/mini-hpa/annotations/lines"
)

func mustParse(t testing.TB, text string) Schedule {
	t.Helper()
	s, err := Parse(text, &Zones{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// moments renders what counts at an instant and after each of the next changes, as "2026-03-29 01:00 +01:00: line 2".
func moments(s Schedule, from time.Time, changes int) []string {
	const layout = "2006-01-02 15:04 -07:00"
	said := func(t time.Time) string {
		w, _ := s.At(t)
		return fmt.Sprintf("%s: line %d", t.In(s.zone).Format(layout), w.Number)
	}
	all := []string{said(from)}
	for range changes {
		if from = s.Next(from); from.IsZero() {
			return append(all, "never")
		}
		all = append(all, said(from))
	}
	return all
}

// TestStories are those that schedules of other autoscalers get wrong. The first line is the zone.
func TestStories(t *testing.T) {
	tests := map[string]struct {
		text, from string
		want       []string
	}{
		"office hours are over on Friday night": { // KEDA's cron is active until Sunday 22:10
			"zone Europe/Berlin\nMon-Fri 06:30-22:10 min=5", "2026-11-20T23:00:00+01:00",
			[]string{"2026-11-20 23:00 +01:00: line 0", "2026-11-23 06:30 +01:00: line 2", "2026-11-23 22:10 +01:00: line 0"},
		},
		"an hour that is skipped": {
			"zone Europe/Berlin\ndaily 02:15-02:45 min=5", "2026-03-28T12:00:00+01:00",
			[]string{"2026-03-28 12:00 +01:00: line 0", "2026-03-30 02:15 +02:00: line 2", "2026-03-30 02:45 +02:00: line 0"},
		},
		"an hour that is skipped on the only day": {
			"zone Europe/Berlin\n2026-03-29 02:15-02:45 min=5", "2026-03-28T12:00:00+01:00",
			[]string{"2026-03-28 12:00 +01:00: line 0", "never"},
		},
		"an hour that is skipped, Sundays only": { // three weeks without one
			"zone Europe/Berlin\nSun 02:15-02:45 min=5", "2026-03-22T03:00:00+01:00",
			[]string{"2026-03-22 03:00 +01:00: line 0", "2026-04-05 02:15 +02:00: line 2", "2026-04-05 02:45 +02:00: line 0"},
		},
		"into the hour that is skipped": {
			"zone Europe/Berlin\ndaily 01:30-02:30 min=5", "2026-03-29T00:00:00+01:00",
			[]string{"2026-03-29 00:00 +01:00: line 0", "2026-03-29 01:30 +01:00: line 2", "2026-03-29 03:00 +02:00: line 0"},
		},
		"out of the hour that is skipped": {
			"zone Europe/Berlin\ndaily 02:30-03:30 min=5", "2026-03-29T00:00:00+01:00",
			[]string{"2026-03-29 00:00 +01:00: line 0", "2026-03-29 03:00 +02:00: line 2", "2026-03-29 03:30 +02:00: line 0"},
		},
		"an hour that comes twice": {
			"zone Europe/Berlin\ndaily 02:15-02:45 min=5", "2026-10-25T00:00:00+02:00",
			[]string{"2026-10-25 00:00 +02:00: line 0", "2026-10-25 02:15 +02:00: line 2", "2026-10-25 02:45 +02:00: line 0",
				"2026-10-25 02:15 +01:00: line 2", "2026-10-25 02:45 +01:00: line 0", "2026-10-26 02:15 +01:00: line 2"},
		},
		"through the hour that comes twice": {
			"zone Europe/Berlin\ndaily 01:30-03:30 min=5", "2026-10-25T00:00:00+02:00",
			[]string{"2026-10-25 00:00 +02:00: line 0", "2026-10-25 01:30 +02:00: line 2", "2026-10-25 03:30 +01:00: line 0"},
		},
		"into the hour that comes twice": {
			"zone Europe/Berlin\ndaily 01:30-02:30 min=5", "2026-10-25T00:00:00+02:00",
			[]string{"2026-10-25 00:00 +02:00: line 0", "2026-10-25 01:30 +02:00: line 2", "2026-10-25 02:30 +02:00: line 0",
				"2026-10-25 02:00 +01:00: line 2", "2026-10-25 02:30 +01:00: line 0"},
		},
		"over midnight, out of summer": {
			"zone Europe/Berlin\ndaily 22:00-06:00 min=5", "2026-10-24T12:00:00+02:00",
			[]string{"2026-10-24 12:00 +02:00: line 0", "2026-10-24 22:00 +02:00: line 2", "2026-10-25 06:00 +01:00: line 0"},
		},
		"half an hour that comes twice": {
			"zone Australia/Lord_Howe\ndaily 01:45-02:15 min=5", "2026-04-04T12:00:00+11:00",
			[]string{"2026-04-04 12:00 +11:00: line 0", "2026-04-05 01:45 +11:00: line 2", "2026-04-05 01:30 +10:30: line 0", "2026-04-05 01:45 +10:30: line 2", "2026-04-05 02:15 +10:30: line 0"},
		},
		"a midnight that is skipped": {
			"zone America/Sao_Paulo\n2018-11-04 00:00-24:00 min=5", "2018-11-03T12:00:00-03:00",
			[]string{"2018-11-03 12:00 -03:00: line 0", "2018-11-04 01:00 -02:00: line 2", "2018-11-05 00:00 -02:00: line 0", "never"},
		},
		"a day that ends twice": {
			"zone America/Sao_Paulo\nSat 23:30-24:00 min=5\nSat 00:00-24:00 min=4", "2018-02-17T12:00:00-02:00",
			[]string{"2018-02-17 12:00 -02:00: line 3", "2018-02-17 23:30 -02:00: line 2", "2018-02-17 23:00 -03:00: line 3", "2018-02-17 23:30 -03:00: line 2", "2018-02-18 00:00 -03:00: line 0"},
		},
		"a day that is skipped": {
			"zone Pacific/Apia\n2011-12-30 00:00-24:00 min=5\n2011-12-30 22:00-06:00 min=4\n2011-12-31 05:00-07:00 min=3", "2011-12-29T12:00:00-10:00",
			[]string{"2011-12-29 12:00 -10:00: line 0", "2011-12-31 00:00 +14:00: line 3", "2011-12-31 06:00 +14:00: line 4", "2011-12-31 07:00 +14:00: line 0", "never"},
		},
		"the first line that fits": {
			"zone UTC\n2026-12-24 00:00-24:00 replicas=1\nThu 10:00-14:00 min=5\ndaily 08:00-18:00 min=3", "2026-12-23T12:00:00Z",
			[]string{"2026-12-23 12:00 +00:00: line 4", "2026-12-23 18:00 +00:00: line 0", "2026-12-24 00:00 +00:00: line 2", "2026-12-25 00:00 +00:00: line 0",
				"2026-12-25 08:00 +00:00: line 4", "2026-12-25 18:00 +00:00: line 0"},
		},
		"whole days in a row are one time": {
			"zone UTC\nFri-Mon 00:00-24:00 min=5", "2026-11-19T12:00:00Z",
			[]string{"2026-11-19 12:00 +00:00: line 0", "2026-11-20 00:00 +00:00: line 2", "2026-11-24 00:00 +00:00: line 0", "2026-11-27 00:00 +00:00: line 2"},
		},
		"every day is for ever": {
			"zone Europe/Berlin\nSat-Fri 00:00-24:00 min=5\ndaily 10:00-12:00 min=4", "2026-11-19T12:00:00Z", []string{"2026-11-19 13:00 +01:00: line 2", "never"},
		},
		"the whole month is for ever": {
			"zone Europe/Berlin\n1-31 00:00-24:00 min=5", "2026-11-19T12:00:00Z", []string{"2026-11-19 13:00 +01:00: line 2", "never"},
		},
		"the last day of a leap year": { // once there are no more entries in the zone's table
			"zone Europe/Berlin\n1 10:00-12:00 min=5", "2040-12-31T12:00:00Z", []string{"2040-12-31 13:00 +01:00: line 0", "2041-01-01 10:00 +01:00: line 2"},
		},
		"over the last day of a leap year": {
			"zone Europe/Berlin\n2041-02-01 10:00-12:00 min=5", "2040-12-01T12:00:00Z", []string{"2040-12-01 13:00 +01:00: line 0", "2041-02-01 10:00 +01:00: line 2"},
		},
		"days that not every month has": {
			"zone UTC\n31 10:00-12:00 min=5", "2026-12-31T12:00:00Z",
			[]string{"2026-12-31 12:00 +00:00: line 0", "2027-01-31 10:00 +00:00: line 2", "2027-01-31 12:00 +00:00: line 0",
				"2027-03-31 10:00 +00:00: line 2", "2027-03-31 12:00 +00:00: line 0", "2027-05-31 10:00 +00:00: line 2"},
		},
		"the end of February": {
			"zone UTC\n29-31 22:00-02:00 min=5", "2027-01-31T12:00:00Z",
			[]string{"2027-01-31 12:00 +00:00: line 0", "2027-01-31 22:00 +00:00: line 2", "2027-02-01 02:00 +00:00: line 0", "2027-03-29 22:00 +00:00: line 2"},
		},
		"the end of February in a leap year": {
			"zone UTC\n29-31 00:00-24:00 min=5", "2028-02-01T12:00:00Z",
			[]string{"2028-02-01 12:00 +00:00: line 0", "2028-02-29 00:00 +00:00: line 2", "2028-03-01 00:00 +00:00: line 0", "2028-03-29 00:00 +00:00: line 2", "2028-04-01 00:00 +00:00: line 0"},
		},
		"all but one day of the month": {
			"zone UTC\n1-28 00:00-24:00 min=5", "2027-02-15T12:00:00Z", []string{"2027-02-15 12:00 +00:00: line 2", "2027-03-29 00:00 +00:00: line 0", "2027-04-01 00:00 +00:00: line 2"},
		},
		"a leap day": {
			"2028-02-29 12:00-13:00 min=5", "2027-01-01T00:00:00Z", []string{"2027-01-01 00:00 +00:00: line 0", "2028-02-29 12:00 +00:00: line 1", "2028-02-29 13:00 +00:00: line 0", "never"},
		},
		"the end of next year": {
			"zone Europe/Berlin\n2028-12-31 23:59-24:00 min=5", "2027-01-01T00:00:00+01:00", []string{"2027-01-01 00:00 +01:00: line 0", "2028-12-31 23:59 +01:00: line 2", "2029-01-01 00:00 +01:00: line 0", "never"},
		},
		"a date beyond the horizon":  {"2036-01-01 00:00-24:00 min=5", "2026-01-01T00:00:00Z", []string{"2026-01-01 00:00 +00:00: line 0", "never"}},
		"an end beyond the horizon":  {"2026-01-01..2036-01-01 00:00-24:00 min=5", "2026-01-01T00:00:00Z", []string{"2026-01-01 00:00 +00:00: line 1", "never"}},
		"less than a second is left": {"daily 10:00-12:00 min=5", "2026-01-01T09:59:59.999999999Z", []string{"2026-01-01 09:59 +00:00: line 0", "2026-01-01 10:00 +00:00: line 1"}},
		"before 1970":                {"daily 10:00-12:00 min=5", "1969-12-31T09:59:59.5Z", []string{"1969-12-31 09:59 +00:00: line 0", "1969-12-31 10:00 +00:00: line 1", "1969-12-31 12:00 +00:00: line 0"}},
		"noon of the railways": { // local mean time was four minutes behind
			"zone America/New_York\ndaily 12:00-12:01 min=5", "1883-11-18T12:00:00Z",
			[]string{"1883-11-18 07:03 -04:56: line 0", "1883-11-18 12:00 -04:56: line 2", "1883-11-18 12:01 -04:56: line 0", "1883-11-18 12:00 -05:00: line 2", "1883-11-18 12:01 -05:00: line 0"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			from, err := time.Parse(time.RFC3339Nano, tt.from)
			if err != nil {
				t.Fatal(err)
			}
			got := moments(mustParse(t, tt.text), from, max(len(tt.want)-1, 1))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestNoLine: the zero value is a schedule in which nothing ever counts.
func TestNoLine(t *testing.T) {
	var s Schedule
	if _, ok := s.At(time.Unix(0, 0)); ok || !s.Next(time.Unix(0, 0)).IsZero() || !s.IsZero() || s.Shadowed() != nil || s.Past(time.Unix(0, 0)) != nil {
		t.Error("something counts in the zero value")
	}
}

func TestLine(t *testing.T) {
	s := mustParse(t, "zone Europe/Berlin\n\nMon-Fri 07:30-20:00 min=5 max=40\nSat 00:00-24:00 replicas=0\ndaily 10:00-11:00 min=0\ndaily 00:00-24:00 max=2147483647")
	want := []string{
		`line 3, "Mon-Fri 07:30-20:00", Europe/Berlin: 5 to 40`, `line 4, "Sat 00:00-24:00", Europe/Berlin: 0 to 0`,
		`line 5, "daily 10:00-11:00", Europe/Berlin: 0 to 3`, `line 6, "daily 00:00-24:00", Europe/Berlin: 2 to 2147483647`,
	}
	var got []string
	for w := range s.Lines() {
		fewest, most := w.Bounds(2, 3)
		got = append(got, fmt.Sprintf("%v: %d to %d", w, fewest, most))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestEqual(t *testing.T) {
	const text = "zone Europe/Berlin\nMon-Fri 07:30-20:00 min=5\ndaily 00:00-24:00 max=2"
	one := mustParse(t, text)
	tests := map[string]struct {
		text string
		want bool
	}{
		"the same text":    {text, true},
		"other blanks":     {strings.ReplaceAll(text, " ", "\t "), true},
		"another zone":     {strings.Replace(text, "Berlin", "Paris", 1), false},
		"another bound":    {text + "0", false},
		"one line less":    {strings.TrimSuffix(text, "\ndaily 00:00-24:00 max=2"), false},
		"on another line":  {strings.Replace(text, "\n", "\n\n", 1), false},
		"in another order": {"zone Europe/Berlin\ndaily 00:00-24:00 max=2\nMon-Fri 07:30-20:00 min=5", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := one.Equal(mustParse(t, tt.text)); got != tt.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

func TestProblems(t *testing.T) {
	const (
		zone    = ` must be "UTC" or the name of a place in the IANA time zone database, such as "Europe/Berlin"`
		dayWord = ` must be "daily", days of the week such as "Mon-Fri" or "Sat,Sun", days of the month from 1 to 31 such as "1" or "25-31", or dates such as "2026-12-24" or "2026-11-27..2026-11-30"`
		date    = ` must be a date that exists, such as "2026-12-24", or the first and the last one, such as "2026-11-27..2026-11-30"`
		hours   = ` must be two times of day from "00:00" to "24:00", such as "07:30-20:00" or, over midnight, "22:00-06:00"`
		begin   = ` must begin with days and hours, such as "Mon-Fri 07:30-20:00 min=5 max=40"`
		number  = ` must be a whole number of replicas from 0 to 2147483647, in digits only`
		row     = "must have at least one line such as \"Mon-Fri 07:30-20:00 min=5 max=40\""
	)
	tests := map[string]struct{ text, want string }{
		"nothing":                   {"", row},
		"a zone only":               {"zone Europe/Berlin\n# nothing", row},
		"what every reader says":    {"daily 10:00-12:00 min=5 'x'", `line 1: quote "'" must not be in a word; a value with blanks is written key="a b"`},
		"the order is that of text": {"a b\n'\nc d", "line 1: days \"a\"" + dayWord + "\nline 1: hours \"b\"" + hours + "\nline 1: must have min, max or replicas after the hours, such as \"Mon-Fri 07:30-20:00 min=5 max=40\"\nline 2: quote \"'\" must not be in a word; a value with blanks is written key=\"a b\"\nline 3: days \"c\"" + dayWord + "\nline 3: hours \"d\"" + hours + "\nline 3: must have min, max or replicas after the hours, such as \"Mon-Fri 07:30-20:00 min=5 max=40\""},
		"one word":                  {"daily", "line 1:" + begin},
		"no hours":                  {"daily min=5", "line 1:" + begin},
		"a second zone":             {"zone UTC\nzone UTC\ndaily 10:00-12:00 min=1", "line 2: zone must be the first line; it is that of all lines"},
		"a late zone":               {"daily 10:00-12:00 min=1\nzone UTC", "line 2: zone must be the first line; it is that of all lines"},
		"a zone without a name":     {"zone\ndaily 10:00-12:00 min=1", `line 1: zone must have one name, such as "zone Europe/Berlin"`},
		"a zone with two":           {"zone UTC UTC\ndaily 10:00-12:00 min=1", `line 1: zone must have one name, such as "zone Europe/Berlin"`},
		"a zone with a key":         {"zone name=UTC\ndaily 10:00-12:00 min=1", `line 1: zone must have one name, such as "zone Europe/Berlin"`},
		"a zone that is not known":  {"zone Europe/Berlni\ndaily 10:00-12:00 min=1", `line 1: zone "Europe/Berlni" is not known; it` + zone},
		"neither bound":             {"daily 10:00-12:00", `line 1: must have min, max or replicas after the hours, such as "Mon-Fri 07:30-20:00 min=5 max=40"`},
		"min above max":             {"daily 10:00-12:00 min=5 max=4", "line 1: min 5 must not be above max 4"},
		"replicas and max":          {"daily 10:00-12:00 replicas=5 max=5", "line 1: must have either replicas or min and max"},
		"min and replicas":          {"daily 10:00-12:00 min=5 replicas=5", "line 1: must have either replicas or min and max"},
		"another key":               {"daily 10:00-12:00 min=5 limit=4", `line 1: key "limit" must be "min", "max" or "replicas"`},
		"a word at the end":         {"daily 10:00-12:00 min=5 # a\ndaily 10:00-12:00 13:00-14:00 min=5", `line 2: word "13:00-14:00" must not be there; after the hours there may be "min", "max" or "replicas", each with a value`},
		"too many":                  {"daily 10:00-12:00 max=2147483648", `line 1: max "2147483648"` + number},
		"fewer than none":           {"daily 10:00-12:00 min=-1 max=+1", "line 1: min \"-1\"" + number + "\nline 1: max \"+1\"" + number},
		"numbers with underscores":  {"daily 10:00-12:00 replicas=1_0", `line 1: replicas "1_0"` + number},
		"an empty number":           {`daily 10:00-12:00 replicas=""`, `line 1: replicas ""` + number},
		"no time at all":            {"daily 10:00-10:00 min=1", `line 1: hours "10:00-10:00" must not end when they begin; a whole day is "00:00-24:00"`},
		"over the end of a month":   {"25-3 10:00-12:00 min=1", `line 1: days "25-3" must not go over the end of a month; write such as "25-31,1-3"`},
		"a period back in time":     {"2026-12-24..2026-12-23 10:00-12:00 min=1", `line 1: days "2026-12-24..2026-12-23" must not end before it begins`},
	}
	for _, bad := range []string{"Local", "EST", "EST5EDT", "CET", "GMT", "Etc/GMT+5", "US/Eastern", "GB", "utc", "+01:00", "europe/berlin", "Europe", "Europe/", "/Europe/Berlin", "Europe//Berlin", "../Europe/Berlin", "Europe/../Europe/Berlin", "posix/Europe/Berlin", "right/Europe/Berlin"} {
		tests["zone "+bad] = struct{ text, want string }{"zone " + bad + "\ndaily 10:00-12:00 min=1", fmt.Sprintf("line 1: zone %q", bad) + zone}
	}
	for _, bad := range []string{"mon-fri", "Monday", "Mon-", "-Fri", "Mon,", "Mon-Wed-Fri", "Mon..Fri", "weekends", "Mon,1", "1,Mon", "0", "32", "0-3", "1,2,", "001", "1..3", "2026-1-1", "Daily", "*"} {
		tests["days "+bad] = struct{ text, want string }{bad + " 10:00-12:00 min=1", fmt.Sprintf("line 1: days %q", bad) + dayWord}
	}
	for _, bad := range []string{"2026-02-29", "2026-13-01", "2026-12-24..", "2026-12-24..25", "2026-12-24-2026-12-25", "20261-02-01", "2026-12-24T00:00:00Z"} {
		tests["date "+bad] = struct{ text, want string }{bad + " 10:00-12:00 min=1", fmt.Sprintf("line 1: days %q", bad) + date}
	}
	for _, bad := range []string{"10:00", "10:00-", "-10:00", "10-12", "1:00-2:00", "10:00-25:00", "10:60-12:00", "24:00-12:00", "24:00-24:00", "10:00-24:01", "10:00-12:00-14:00", "10:00..12:00", "10:00-12:0", "10:00:00-12:00:00", "10:00–12:00"} {
		tests["hours "+bad] = struct{ text, want string }{"daily " + bad + " min=1", fmt.Sprintf("line 1: hours %q", bad) + hours}
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, err := Parse(tt.text, &Zones{})
			if err == nil || !s.IsZero() {
				t.Fatal("there is no error")
			}
			if diff := cmp.Diff(strings.Split(tt.want, "\n"), strings.Split(err.Error(), "\n")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestColumns: a problem says where it is.
func TestColumns(t *testing.T) {
	tests := map[string]struct {
		text string
		want int
	}{
		"days":    {"  Mun 10:00-12:00 min=1", 3},
		"hours":   {"Mon\t10:00-12:99 min=1", 5},
		"a key":   {"Mon 10:00-12:00 mni=1", 17},
		"a value": {"Mon 10:00-12:00 max=1 min=x", 23},
		"bounds":  {"Mon 10:00-12:00 min=3 max=1", 23},
		"a zone":  {"zone EST\nMon 10:00-12:00 min=3", 6},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Parse(tt.text, &Zones{})
			if p, ok := errors.AsType[lines.Problem](err); !ok || p.Line != 1 || p.Column != tt.want {
				t.Errorf("got %d:%d, %v", p.Line, p.Column, err)
			}
		})
	}
}

// TestPlaces: these are zones, however they are spelled.
func TestPlaces(t *testing.T) {
	zones := &Zones{}
	for _, name := range []string{"UTC", "Etc/UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "America/Port-au-Prince", "Antarctica/DumontDUrville", "Arctic/Longyearbyen", "Indian/Maldives"} {
		s, err := Parse("zone "+name+"\ndaily 10:00-12:00 min=1", zones)
		if err != nil {
			t.Error(err)
		}
		again, _ := Parse("zone "+name+"\ndaily 10:00-12:00 min=1", zones)
		if s.zone != again.zone {
			t.Errorf("%s was read twice", name)
		}
	}
}

func TestUnused(t *testing.T) {
	tests := map[string]struct {
		text           string
		now            string
		shadowed, past []int
	}{
		"none":                               {"Mon 10:00-12:00 min=1\ndaily 10:00-12:00 min=2", "2026-01-01", nil, nil},
		"the same line again":                {"Mon 10:00-12:00 min=1\nMon 10:00-12:00 min=2", "2026-01-01", []int{2}, nil},
		"below a whole day":                  {"daily 00:00-24:00 min=1\nMon 22:00-04:00 min=2\n2026-12-24 10:00-11:00 min=1\n31 10:00-11:00 max=2", "2026-01-01", []int{2, 3, 4}, nil},
		"below two halves of a day":          {"daily 22:00-06:00 min=1\ndaily 06:00-22:00 max=4\nSun 05:59-06:01 max=5", "2026-01-01", []int{3}, nil},
		"but for a minute":                   {"daily 22:00-06:00 min=1\ndaily 06:01-22:00 max=4\nSun 05:59-06:01 max=5", "2026-01-01", nil, nil},
		"every day of the week":              {"Sat,Sun 08:00-12:00 min=1\nMon-Fri 08:00-12:00 min=2\n1-7 09:00-10:00 max=5", "2026-01-01", []int{3}, nil},
		"a night covers the morning after":   {"Fri 22:00-06:00 min=1\nSat 00:00-06:00 min=2\nSat 00:00-06:01 min=2", "2026-01-01", []int{2}, nil},
		"a night at the end of a month":      {"28-31 22:00-06:00 min=1\n1 00:00-05:00 min=2\n29 00:00-05:00 min=2", "2026-01-01", []int{2, 3}, nil},
		"a night that not every month has":   {"30,31 22:00-06:00 min=1\n1 00:00-05:00 min=2", "2026-01-01", nil, nil},
		"dates below dates":                  {"2026-12-20..2026-12-31 08:00-20:00 min=1\n2026-12-24 08:00-20:00 max=2\n2026-12-31 08:00-20:01 min=1", "2026-01-01", []int{2}, nil},
		"a night of a date":                  {"2026-12-24 20:00-08:00 min=1\n2026-12-25 00:00-08:00 min=2\n2026-12-24 00:00-08:00 min=2", "2026-01-01", []int{2}, nil},
		"dates below days":                   {"Thu 00:00-24:00 min=1\n2026-12-24 08:00-20:00 max=2\n2026-12-24..2026-12-25 08:00-20:00 max=2", "2026-01-01", []int{2}, nil},
		"days below dates":                   {"2000-01-01..2099-12-31 00:00-24:00 min=1\ndaily 08:00-20:00 max=2", "2026-01-01", nil, nil},
		"many dates":                         {"daily 08:00-20:00 max=2\n2000-01-01..2099-12-31 08:00-20:00 min=1\n2000-01-01..2099-12-31 00:00-24:00 min=1", "2026-01-01", []int{2}, nil},
		"dates of last year":                 {"2025-12-24 08:00-20:00 min=1\n2025-12-20..2026-01-06 08:00-20:00 min=1\ndaily 00:00-24:00 min=2", "2026-01-02", nil, []int{1}},
		"a night that has just ended":        {"2025-12-30 20:00-08:00 min=1", "2026-01-01", nil, nil},
		"a night that ended two days before": {"2025-12-30 20:00-08:00 min=1", "2026-01-02", nil, []int{1}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			now, err := time.Parse(time.DateOnly, tt.now)
			if err != nil {
				t.Fatal(err)
			}
			s := mustParse(t, tt.text)
			if diff := cmp.Diff(tt.shadowed, numbers(s.Shadowed())); diff != "" {
				t.Errorf("shadowed: %s", diff)
			}
			if diff := cmp.Diff(tt.past, numbers(s.Past(now))); diff != "" {
				t.Errorf("past: %s", diff)
			}
		})
	}
}

func numbers(lines []Line) []int {
	var all []int
	for _, w := range lines {
		all = append(all, w.Number)
	}
	slices.Sort(all)
	return all
}

// TestTextOfASchedule: what is written reads as the same.
func TestTextOfASchedule(t *testing.T) {
	for text, want := range map[string]string{
		"zone Europe/Berlin\n\nMon-Fri  07:30-20:00 max=40 min=5 # office\nSat,Sun 00:00-24:00 replicas=0\ndaily 22:00-06:00 max=3": "zone Europe/Berlin\nMon-Fri 07:30-20:00 min=5 max=40\nSat,Sun 00:00-24:00 replicas=0\ndaily 22:00-06:00 max=3\n",
		"2026-12-24 00:00-24:00 min=2": "2026-12-24 00:00-24:00 min=2\n",
	} {
		s := mustParse(t, text)
		written, err := s.MarshalText()
		if err != nil || string(written) != want {
			t.Errorf("%q is written as %q, error %v; want %q", text, written, err, want)
		}
		var read Schedule
		if err := read.UnmarshalText(written); err != nil || read.Zone() != s.Zone() || len(read.lines) != len(s.lines) {
			t.Errorf("%q reads as %v, error %v", written, read, err)
		}
	}
	var none Schedule
	if written, err := none.MarshalText(); err != nil || len(written) > 0 || none.UnmarshalText(nil) != nil || none.Zone() != "" {
		t.Errorf("no schedule is written as %q, error %v", written, err)
	}
}
