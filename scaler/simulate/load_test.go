package simulate

import (
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const minute = time.Minute

func TestShapes(t *testing.T) {
	tests := map[string]map[time.Duration]float64{
		"steady":                          {0: 1000, 30 * minute: 1000},
		"steady:load=250m":                {0: 250},
		"step":                            {0: 500, 5*minute - 1: 500, 5 * minute: 4000, time.Hour: 4000},
		"step:from=0,to=1,at=90":          {89 * time.Second: 0, 90 * time.Second: 1},
		"step:at=0":                       {0: 4000},
		"ramp":                            {0: 500, 5 * minute: 500, 10 * minute: 2250, 15 * minute: 4000, time.Hour: 4000},
		"ramp:from=100,to=0,at=0,over=10": {0: 100, 5 * time.Second: 50, 20 * time.Second: 0},
		"spike":                           {5*minute - 1: 500, 5 * minute: 4000, 7*minute - 1: 4000, 7 * minute: 500},
		"sine":                            {0: 500, 5 * minute: 4000, 10 * minute: 500},
		"burst":                           {0: 200, 89 * time.Second: 200, 90 * time.Second: 1900, 3*minute - 1: 1900, 3 * minute: 200},
		"burst:on=3m":                     {0: 1900, 179 * time.Second: 1900},
		"burst:on=1,period=2":             {0: 200, 1 * time.Second: 1900, 2 * time.Second: 200},
		"noise:by=0":                      {0: 2000, time.Hour: 2000},
		"noise:load=0,by=0":               {0: 0},
	}
	for text, want := range tests {
		load, err := ParseShape(text, Millicores)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		for at, milli := range want {
			if got := load.At(at); math.Abs(got-milli) > 1e-6 {
				t.Errorf("%s at %s is %v, want %v", text, at, got, milli)
			}
		}
	}
}

func TestShapesThatAreRefused(t *testing.T) {
	tests := map[string]string{
		"":                   `"" is not a shape; want one of steady, step, ramp, spike, sine, burst, noise`,
		"brst":               `"brst" is not a shape; want one of`,
		"burst:low":          `burst: low: "" is not a load; want millicores from 0 to 1000000000, such as 500; a burst has low=200,high=1900,period=3m,on=90s`,
		"burst:hi=1":         `burst: unknown parameter "hi"; a burst has`,
		"burst:low=-1":       `burst: low: "-1" is not a load`,
		"burst:low=NaN":      `burst: low: "NaN" is not a load`,
		"burst:low=1e10":     `burst: low: "1e10" is not a load`,
		"burst:period=0":     `burst: period is 0s; want at least 2s, as the load is looked at once a second`,
		"burst:period=1":     `burst: period is 1s; want at least 2s`,
		"sine:period=1.9s":   `sine: period is 1.9s; want at least 2s`,
		"burst:on=0":         `burst: on is 0s; want at least 1s`,
		"burst:on=181":       `burst: on is 3m1s; want at most the period, 3m0s`,
		"spike:for=0":        `spike: for is 0s; want at least 1s`,
		"spike:for=999ms":    `spike: for is 999ms; want at least 1s`,
		"burst:period=1001h": `burst: period: "1001h" is not a time; want seconds or a duration from 0s to 1000h, such as 90 or 1m30s`,
		"burst:on=-1s":       `burst: on: "-1s" is not a time`,
		"ramp:over=0s":       `ramp: over is 0s; want at least 1s`,
		"noise:seed=x":       `noise: seed: "x" is not a whole number from 0 up`,
		"noise:every=0":      `noise: every is 0s; want at least 1s`,
	}
	for text, want := range tests {
		if _, err := ParseShape(text, Millicores); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestNoiseDependsOnItsSeedAlone(t *testing.T) {
	draw := func(text string) (all []float64) {
		load, err := ParseShape(text, Millicores)
		if err != nil {
			t.Fatal(err)
		}
		for at := time.Duration(0); at < time.Hour; at += 30 * time.Second {
			v := load.At(at)
			if v < 1200 || v > 2800 {
				t.Errorf("%s: %v is out of 2000±800", text, v)
			}
			all = append(all, v)
		}
		return all
	}
	if diff := cmp.Diff(draw("noise"), draw("noise:seed=1")); diff != "" {
		t.Errorf("the same seed gives another load: %s", diff)
	}
	if cmp.Equal(draw("noise"), draw("noise:seed=2")) {
		t.Error("another seed gives the same load")
	}
}

func TestReadCSV(t *testing.T) {
	tests := map[string]struct {
		text  string
		steps bool
		want  map[time.Duration]float64
	}{
		"seconds":              {text: "0,100\n10,200\n", want: map[time.Duration]float64{0: 100, 5 * time.Second: 150, 10 * time.Second: 200, time.Hour: 200}},
		"steps":                {text: "0,100\n10,200\n", steps: true, want: map[time.Duration]float64{5 * time.Second: 100, 10 * time.Second: 200}},
		"durations, a header":  {text: "time,millicores\n1m,100\n2m,200m\n", want: map[time.Duration]float64{0: 100, 90 * time.Second: 150}},
		"comments, spaces":     {text: "# made by hand\n\n 0, 100\n# more\n10 ,300\n", want: map[time.Duration]float64{5 * time.Second: 200}},
		"a byte order mark":    {text: "\ufeff0,100\n", want: map[time.Duration]float64{0: 100}},
		"a jump":               {text: "0,100\n10,100\n10,500\n20,500", want: map[time.Duration]float64{9 * time.Second: 100, 10 * time.Second: 500}},
		"fractions of seconds": {text: "0,0\n0.5,100\n", want: map[time.Duration]float64{250 * time.Millisecond: 50}},
		"Windows' line breaks": {text: "time,load\r\n0,100\r\n", want: map[time.Duration]float64{0: 100}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			load, err := ReadCSV(strings.NewReader(tt.text), "load.csv", Millicores, tt.steps)
			if err != nil {
				t.Fatal(err)
			}
			for at, want := range tt.want {
				if got := load.At(at); math.Abs(got-want) > 1e-6 {
					t.Errorf("at %s: %v, want %v", at, got, want)
				}
			}
		})
	}
}

// What happens within a second counts for as long as it lasts.
func TestPointsWithinOneSecond(t *testing.T) {
	tests := map[string]struct {
		text  string
		steps bool
		want  []float64 // from 0 on
	}{
		"straight":         {text: "0,0\n2,200\n", want: []float64{50, 150, 200}},
		"a needle":         {text: "0,0\n0.5,0\n0.5,1000\n0.75,1000\n0.75,0\n", want: []float64{250, 0}},
		"a tent":           {text: "0,0\n1,0\n1.5,1000\n2,0\n", want: []float64{0, 500, 0}},
		"steps":            {text: "0,100\n0.25,300\n1.5,700\n", steps: true, want: []float64{250, 500, 700}},
		"before the first": {text: "0.5,100\n1,300\n", want: []float64{150, 300}},
		"it does not move": {text: "0,500\n3,500\n", want: []float64{500, 500, 500, 500}},
	}
	for name, tt := range tests {
		load, err := ReadCSV(strings.NewReader(tt.text), "load.csv", Millicores, tt.steps)
		if err != nil {
			t.Fatal(err)
		}
		s := setup(t, "steady", nil)
		s.Load, s.Duration = load, time.Duration(len(tt.want)-1)*Tick
		var got []float64
		for _, m := range play(t, s).Moments {
			got = append(got, m.Load)
		}
		if diff := cmp.Diff(tt.want, got, cmpopts.EquateApprox(0, 1e-9)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestCSVThatIsRefused(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"nothing":           {"", "there is no point; want rows of time,millicores, such as 90,500"},
		"a header alone":    {"time,millicores\n", "there is no point"},
		"one field":         {"0\n", "line 1: 1 fields; want 2, time and millicores"},
		"three fields":      {"0,1\n1,2,3\n", "line 2: 3 fields"},
		"a second header":   {"time,load\ntime,load\n", `line 2: "time" is not a time; want seconds or a duration`},
		"backwards":         {"10,1\n\n5,1\n", "line 3: time 5s is before the one above, 10s; times must not decrease"},
		"a negative load":   {"0,-1\n", `line 1: "-1" is not a load`},
		"a load in words":   {"0,much\n", `line 1: "much" is not a load`},
		"an endless load":   {"0,Inf\n", `line 1: "Inf" is not a load`},
		"a quote left open": {"0,\"1\n", "cannot read: parse error on line 1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := ReadCSV(strings.NewReader(tt.text), "load.csv", Millicores, false); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
}

func TestCSVThatCannotBeRead(t *testing.T) {
	if _, err := ReadCSV(closed(t), "load.csv", Millicores, false); err == nil || !strings.HasPrefix(err.Error(), "cannot read: ") {
		t.Errorf("%v", err)
	}
}

func closed(t *testing.T) *os.File {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	return f
}

func FuzzReadCSV(f *testing.F) {
	for _, seed := range []string{"0,100\n10,200\n", "time,millicores\n1m,1\n", "0,1\n0,2\n", "\ufeff#\n1e3,1e3", "0,\"1\""} {
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, text string, steps bool) {
		load, err := ReadCSV(strings.NewReader(text), "load.csv", Millicores, steps)
		if err != nil {
			return
		}
		for _, at := range []time.Duration{0, time.Second, load.Length / 2, load.Length, load.Length + time.Hour} {
			if v, mean := load.At(at), load.Mean(at); !(0 <= v && v <= Millicores.most && 0 <= mean && mean <= Millicores.most*(1+1e-9)) {
				t.Errorf("%v at %s, %v on average", v, at, mean)
			}
		}
	})
}

func FuzzParseShape(f *testing.F) {
	for _, s := range Shapes() {
		f.Add(s.Name + ":" + s.Millicores)
	}
	f.Fuzz(func(t *testing.T, text string) {
		load, err := ParseShape(text, Millicores)
		if err != nil {
			return
		}
		for _, at := range []time.Duration{-time.Minute, 0, time.Second, time.Hour} {
			if v := load.At(at); !(0 <= v && v <= 2*Millicores.most) {
				t.Errorf("%v at %s", v, at)
			}
		}
	})
}
