package loadsim

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// moments are enough times to tell the curves of these tests apart.
var moments = []time.Duration{0, time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute, time.Hour}

func TestParseCurve(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Curve{
		"500m":                      Constant(500),
		"2":                         Constant(2000),
		"0.5":                       Constant(500),
		"0":                         Constant(0),
		" 500m\n":                   Constant(500),
		"100m@0s,2200m@30s":         Steps(Step{0, 100}, Step{30 * time.Second, 2200}),
		"1@5s":                      Steps(Step{5 * time.Second, 1000}),
		" 100m @ 0s , 2 @ 1m ":      Steps(Step{0, 100}, Step{time.Minute, 2000}),
		"burst(200m,2200m,20s,10s)": Burst(200, 2200, 20*time.Second, 10*time.Second),
		"burst ( 0, 1, 10s, 10s )":  Burst(0, 1000, 10*time.Second, 10*time.Second),
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			c, err := ParseCurve(text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(at(want, moments...), at(c, moments...)); diff != "" {
				t.Errorf("loads (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseCurveSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                           `load "": "" is not a load`,
		"fast":                       `"fast" is not a load such as 500m, 2 or 0.5; want a load ("500m"), steps`,
		"-5":                         `"-5" is not a load`,
		"1e9":                        `"1e9" is not a load`,
		"5Gi":                        `"5Gi" is not a load`,
		"1.2.3":                      `"1.2.3" is not a load`,
		"1234567890123m":             `is not a load`,
		"5@":                         `time: "" is not a duration`,
		"@5s":                        `load: "" is not a load`,
		"5@-1s":                      `time: "-1s" is not a duration`,
		"5@soon":                     `time: "soon" is not a duration such as 30s`,
		"5@0s,":                      `load: "" is not a load`,
		"5@9s,6@9s":                  `step at 9s is not later than the one before it`,
		"burst(1,2,20s,10s":          `closing parenthesis`,
		"burst(1,2,20s)":             `on is missing`,
		"burst(1,2,20s,10s,5s)":      `1 arguments too many`,
		"burst(1,2,20s,30s)":         `on (30s) is longer than the period (20s)`,
		"burst(1,2,0s,0s)":           `period: want more than 0s`,
		"burst(x,2,20s,10s)":         `low: "x" is not a load`,
		"burst()":                    `low: "" is not a load`,
		"square(1,2,3s)":             `want a load ("500m")`,
		"(":                          `closing parenthesis`,
		"\x1b[31m" + "x":             `load "\x1b[31mx"`,
		strings.Repeat("x", 65):      `load "` + strings.Repeat("x", 64) + `"...: `,
		strings.Repeat("1@1s,", 999): `4995 bytes are more than 4096`,
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			c, err := ParseCurve(text)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error = %v, want one with %q", err, want)
			}
			if c != nil {
				t.Error("there is a curve beside the error")
			}
		})
	}
}

func FuzzParseCurve(f *testing.F) {
	for _, text := range []string{
		"500m", "100m@0s,2200m@30s", "burst(200m,2200m,20s,10s)", "1e999999999", "(", "@", ",",
		"burst(0,999999999999,1ns,1ns)", "0.0000000001", "1@2540400h10m10.000000000s",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseCurve(text)
		if (c == nil) == (err == nil) {
			t.Fatalf("ParseCurve(%q): curve %t, error %v; want one of them", text, c != nil, err)
		}
		if err != nil {
			if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' }) {
				t.Fatalf("the error holds control characters: %q", err)
			}
			return
		}
		const most = 1e15 // twelve digits of cores, in millicores
		for i, load := range at(c, moments...) {
			if load < 0 || load > most {
				t.Fatalf("%q at %s is %d millicores", text, moments[i], load)
			}
		}
	})
}
