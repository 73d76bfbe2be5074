package annotations

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
)

// maxSyncPeriod bounds what a workload may ask for: a longer one would sleep through the longest stabilization window.
const maxSyncPeriod = time.Hour

// maxWarmUp bounds the time for which a pod's own usage does not count when scaling up.
const maxWarmUp = 30 * time.Minute

// maxTolerancePercent is far beyond any use, and small enough that nothing wraps around.
const maxTolerancePercent = 1_000_000

// number reads plain ASCII digits, and says whether they are a number from low to high. ParseUint already refuses
// signs, fractions, exponents, blanks, foreign digits and everything that would wrap around.
func number(digits string, low, high int64) (int64, bool) {
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || int64(n) < low || int64(n) > high {
		return 0, false
	}
	return int64(n), true
}

// duration reads a Go duration, and says whether it is one from low to high. A unit is needed also for zero.
func duration(value string, low, high time.Duration) (time.Duration, bool) {
	d, err := time.ParseDuration(value)
	if err != nil || value == "0" || strings.ContainsAny(value, "+-") || d < low || d > high {
		return 0, false
	}
	return d, true
}

// seconds is duration for fields that hold whole seconds.
func seconds(value string, low, high time.Duration) (int32, bool) {
	d, ok := duration(value, low, high)
	if !ok || d%time.Second != 0 {
		return 0, false
	}
	return int32(d / time.Second), true
}

// isPlain says whether an amount starts with digits, with at most one point between digits: no sign, no exponent.
// ParseQuantity accepts those.
func isPlain(value string) bool {
	number := strings.TrimRight(value, "KMGTPki")
	whole, fraction, hasPoint := strings.Cut(number, ".")
	return isDigits(whole) && (!hasPoint || isDigits(fraction))
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

var errTolerance = errors.New(`must be a whole percent from "0%" to "1000000%" such as "10%", ` +
	`or a decimal fraction with up to 9 decimals such as "0.05"`)

// readTolerance reads "10%" or "0.05". A plain integer could mean either percent or a fraction, so only 0 is taken.
func readTolerance(value string) (resource.Quantity, error) {
	if value == "0" {
		return resource.Quantity{Format: resource.DecimalSI}, nil
	}
	if digits, ok := strings.CutSuffix(value, "%"); ok {
		if percent, ok := number(digits, 0, maxTolerancePercent); ok {
			return *resource.NewMilliQuantity(percent*10, resource.DecimalSI), nil
		}
		return resource.Quantity{}, errTolerance
	}
	return readFraction(value)
}

// readFraction reads digits on both sides of a point. A Quantity keeps nine decimals and would round the tenth up.
func readFraction(value string) (resource.Quantity, error) {
	whole, decimals, _ := strings.Cut(value, ".")
	_, inRange := number(whole, 0, maxTolerancePercent/100)
	if !inRange || !isDigits(decimals) || len(decimals) > 9 {
		return resource.Quantity{}, errTolerance
	}
	return resource.ParseQuantity(value)
}

func setMin(p *draft, value string) error {
	n, ok := number(value, 0, math.MaxInt32)
	p.min = int32(n)
	return bound(ok, 0)
}

func setMax(p *draft, value string) error {
	n, ok := number(value, 0, math.MaxInt32)
	if p.max = unread; ok {
		p.max = int32(n)
	}
	return bound(ok, 0)
}

// unread is a bound that is missing or cannot be read.
const unread = -1

func bound(ok bool, low int) error {
	if ok {
		return nil
	}
	return fmt.Errorf("must be a whole number of replicas from %d to %d, in digits only", low, math.MaxInt32)
}

func setWarmUp(p *draft, value string) error {
	warmUp, ok := duration(value, 0, maxWarmUp)
	if !ok {
		return errors.New(`must be a duration from "0s" to "30m", with a unit, such as "90s"`)
	}
	p.warmUp = warmUp
	return nil
}

func setSyncPeriod(p *draft, value string) error {
	period, ok := duration(value, p.minSync, maxSyncPeriod)
	if !ok {
		return fmt.Errorf("must be a duration from %q to %q, with a unit, such as %q",
			p.minSync.String(), "1h", max(p.minSync, 5*time.Second).String())
	}
	p.syncPeriod = period
	return nil
}

func setMode(p *draft, value string) error {
	switch mode := Mode(value); mode {
	case ModeAuto, ModeObserve, ModePaused:
		p.mode = mode
		return nil
	}
	return fmt.Errorf("must be %q, %q or %q", ModeAuto, ModeObserve, ModePaused)
}
