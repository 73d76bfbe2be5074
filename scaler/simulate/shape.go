package simulate

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Shape is a load that has a name and parameters.
type Shape struct {
	// Name is how it is asked for, Doc what it is, for users.
	Name, Doc string
	// Millicores and Messages are the defaults of its parameters in each unit, as a user would write them: name=value, separated by
	// commas.
	Millicores, Messages string

	load func(parameters) func(time.Duration) float64
}

// Shapes are the loads that have a name. Their defaults suit a pod that carries 500 millicores at its target, and one that serves 10
// messages per second.
func Shapes() []Shape {
	return []Shape{
		{"steady", "the same all the time", "load=1000", "load=20", steady},
		{"step", "from one load to another, for good", "from=500,to=4000,at=5m", "from=0,to=40,at=5m", step},
		{"ramp", "from one load to another, in a straight line", "from=500,to=4000,at=5m,over=10m", "from=0,to=40,at=5m,over=10m", ramp},
		{"spike", "another load for a while", "from=500,to=4000,at=5m,for=2m", "from=0,to=40,at=5m,for=2m", spike},
		{"sine", "up and down in a curve, from low at the start", "low=500,high=4000,period=10m", "low=0,high=40,period=1h", sine},
		{"burst", "low, then high for the end of each period", "low=200,high=1900,period=3m,on=90s", "low=0,high=40,period=15m,on=2m", burst},
		{"noise", "another load at each interval, at random within load plus and minus by", "load=2000,by=800,every=30s,seed=1", "load=20,by=20,every=30s,seed=1", noise},
	}
}

// Defaults are those in a unit.
func (s Shape) Defaults(u Unit) string {
	if u == PerSecond {
		return s.Messages
	}
	return s.Millicores
}

// parameters are a shape's values by name: loads in a unit, times, whole numbers.
type parameters struct {
	unit   Unit
	load   map[string]float64
	span   map[string]time.Duration
	number map[string]uint64
}

func (p parameters) value(name string) float64      { return p.load[name] }
func (p parameters) time(name string) time.Duration { return p.span[name] }

// ParseShape reads NAME or NAME:PARAMETER=VALUE,... Loads are in the unit (millicores may be written as 500m), times in seconds or
// with units (90, 90s, 1m30s). The error says what is allowed.
func ParseShape(text string, u Unit) (Load, error) {
	name, given, _ := strings.Cut(text, ":")
	var names []string
	for _, s := range Shapes() {
		if s.Name == name {
			return s.parse(text, given, u)
		}
		names = append(names, s.Name)
	}
	return Load{}, fmt.Errorf("%q is not a shape; want one of %s", name, strings.Join(names, ", "))
}

func (s Shape) parse(text, given string, u Unit) (Load, error) {
	p := parameters{u, map[string]float64{}, map[string]time.Duration{}, map[string]uint64{}}
	if err := p.read(s.Defaults(u), nil); err != nil {
		return Load{}, err
	}
	if given != "" {
		if err := p.read(given, p.names()); err != nil {
			return Load{}, fmt.Errorf("%s: %w; a %s has %s", s.Name, err, s.Name, s.Defaults(u))
		}
	}
	if err := p.check(); err != nil {
		return Load{}, fmt.Errorf("%s: %w", s.Name, err)
	}
	return Load{Name: text, At: s.load(p)}, nil
}

// check refuses what would be lost between two ticks.
func (p parameters) check() error {
	for _, least := range []struct {
		name string
		span time.Duration
	}{{"period", 2 * Tick}, {"every", Tick}, {"over", Tick}, {"for", Tick}, {"on", Tick}} {
		if given, ok := p.span[least.name]; ok && given < least.span {
			return fmt.Errorf("%s is %s; want at least %s, as the load is looked at once a second", least.name, given, least.span)
		}
	}
	if on, period := p.span["on"], p.span["period"]; on > period {
		return fmt.Errorf("on is %s; want at most the period, %s", on, period)
	}
	return nil
}

// read takes name=value pairs; with known names it takes only those.
func (p parameters) read(pairs string, known []string) error {
	for _, pair := range strings.Split(pairs, ",") {
		name, value, _ := strings.Cut(pair, "=")
		if known != nil && !slices.Contains(known, name) {
			return fmt.Errorf("unknown parameter %q", name)
		}
		if err := p.set(name, value); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func (p parameters) set(name, value string) (err error) {
	switch name {
	case "seed":
		if p.number[name], err = strconv.ParseUint(value, 10, 64); err != nil {
			return fmt.Errorf("%q is not a whole number from 0 up", value)
		}
	case "at", "over", "for", "period", "on", "every":
		p.span[name], err = parseTime(value)
	default:
		p.load[name], err = p.unit.parse(value)
	}
	return err
}

func (p parameters) names() []string {
	return slices.Concat(slices.Collect(maps.Keys(p.load)), slices.Collect(maps.Keys(p.span)), slices.Collect(maps.Keys(p.number)))
}

// longest is the latest time that is accepted.
const longest = 1000 * time.Hour

// parseTime reads seconds or a duration with units.
func parseTime(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if s, bad := strconv.ParseFloat(text, 64); bad == nil && 0 <= s && s <= longest.Seconds() {
		d, err = time.Duration(s*float64(time.Second)), nil
	}
	if err != nil || d < 0 || d > longest {
		return 0, fmt.Errorf("%q is not a time; want seconds or a duration from 0s to 1000h, such as 90 or 1m30s", text)
	}
	return d, nil
}

func steady(p parameters) func(time.Duration) float64 {
	return func(time.Duration) float64 { return p.value("load") }
}

func step(p parameters) func(time.Duration) float64 {
	return func(at time.Duration) float64 {
		if at < p.time("at") {
			return p.value("from")
		}
		return p.value("to")
	}
}

func ramp(p parameters) func(time.Duration) float64 {
	return func(at time.Duration) float64 {
		share := float64(at-p.time("at")) / float64(p.time("over"))
		return p.value("from") + min(max(share, 0), 1)*(p.value("to")-p.value("from"))
	}
}

func spike(p parameters) func(time.Duration) float64 {
	return func(at time.Duration) float64 {
		if at < p.time("at") || at >= p.time("at")+p.time("for") {
			return p.value("from")
		}
		return p.value("to")
	}
}

func sine(p parameters) func(time.Duration) float64 {
	return func(at time.Duration) float64 {
		turn := 2 * math.Pi * float64(at) / float64(p.time("period"))
		return p.value("low") + (p.value("high")-p.value("low"))*(1-math.Cos(turn))/2
	}
}

func burst(p parameters) func(time.Duration) float64 {
	return func(at time.Duration) float64 {
		if at >= 0 && at%p.time("period") >= p.time("period")-p.time("on") {
			return p.value("high")
		}
		return p.value("low")
	}
}

// noise draws one number for each stretch of time from the seed and the stretch's place, so that the load at a time
// does not depend on what was asked before.
func noise(p parameters) func(time.Duration) float64 {
	return func(at time.Duration) float64 {
		stretch := max(at, 0) / p.time("every")
		return max(0, p.value("load")+p.value("by")*(2*draw(p.number["seed"], uint64(stretch))-1))
	}
}

// draw is the n-th number from 0 to 1 of a seed: SplitMix64 (Steele, Lea and Flood 2014), whose n-th number needs none
// of those before.
func draw(seed, n uint64) float64 {
	z := mixed(seed) + (n+1)*0x9e3779b97f4a7c15
	return float64(mixed(z)>>11) / (1 << 53)
}

func mixed(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
