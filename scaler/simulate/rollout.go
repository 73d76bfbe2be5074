package simulate

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Rollout replaces all pods by new ones, as the Deployment controller does after a change of the template: at no time are there more
// pods than the replicas and Surge, nor fewer that take load than the replicas without Unavailable.
type Rollout struct {
	At time.Duration
	// Surge and Unavailable are numbers of pods, or percents of the replicas.
	Surge, Unavailable intstr.IntOrString
}

// Outage is a time in which the metrics API fails.
type Outage struct{ At, For time.Duration }

func (o *Outage) on(now time.Duration) bool { return o != nil && o.At <= now && now < o.At+o.For }

// mostPods is how many pods a simulation may have, so that a mistyped load does not take all memory.
const mostPods = 5000

// ParseRollout reads at=TIME,surge=N,unavailable=N, where N is a number of pods or a percent. What is left out is the strategy's of the
// Deployment or, without one, 25%. The error says what is allowed.
func ParseRollout(text string, strategy appsv1.DeploymentStrategy) (*Rollout, error) {
	r := &Rollout{At: -1, Surge: intstr.FromString("25%"), Unavailable: intstr.FromString("25%")}
	switch rolling := strategy.RollingUpdate; {
	case strategy.Type == appsv1.RecreateDeploymentStrategyType:
		r.Surge, r.Unavailable = intstr.FromInt32(0), intstr.FromString("100%")
	case rolling != nil:
		if rolling.MaxSurge != nil {
			r.Surge = *rolling.MaxSurge
		}
		if rolling.MaxUnavailable != nil {
			r.Unavailable = *rolling.MaxUnavailable
		}
	}
	err := pairs(text, func(name, value string) (err error) {
		switch name {
		case "at":
			r.At, err = parseMoment(value)
		case "surge":
			r.Surge, err = parsePods(value, 1000)
		case "unavailable":
			r.Unavailable, err = parsePods(value, 100)
		default:
			return errors.New("is not known")
		}
		return err
	})
	switch {
	case err != nil:
	case r.At < 0:
		err = errors.New("at is missing")
	case isNone(r.Surge) && isNone(r.Unavailable): // ValidateRollingUpdateDeployment
		err = fmt.Errorf("surge is %s and unavailable is %s, so that no pod could ever be replaced, and a Deployment with both is refused", r.Surge.String(), r.Unavailable.String())
	}
	if err != nil {
		return nil, fmt.Errorf("%w; want at=TIME,surge=PODS,unavailable=PODS, such as at=10m,surge=25%%,unavailable=1", err)
	}
	return r, nil
}

// ParseOutage reads at=TIME,for=TIME. The error says what is allowed.
func ParseOutage(text string) (*Outage, error) {
	o := &Outage{At: -1}
	err := pairs(text, func(name, value string) (err error) {
		switch name {
		case "at":
			o.At, err = parseMoment(value)
		case "for":
			if o.For, err = parseMoment(value); err == nil && o.For < Tick {
				err = fmt.Errorf("%q is too short; want at least %s", value, Tick)
			}
		default:
			return errors.New("is not known")
		}
		return err
	})
	switch {
	case err != nil:
	case o.At < 0:
		err = errors.New("at is missing")
	case o.For == 0:
		err = errors.New("for is missing")
	}
	if err != nil {
		return nil, fmt.Errorf("%w; want at=TIME,for=TIME, such as at=10m,for=5m", err)
	}
	return o, nil
}

// pairs reads NAME=VALUE,..., each NAME once.
func pairs(text string, set func(name, value string) error) error {
	seen := map[string]bool{}
	for pair := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(pair, "=")
		err := set(name, value)
		if seen[name] {
			err = errors.New("is there twice")
		}
		if err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
		seen[name] = true
	}
	return nil
}

// parseMoment reads a time of whole seconds.
func parseMoment(text string) (time.Duration, error) {
	d, err := parseTime(text)
	if err == nil && d%Tick != 0 {
		err = fmt.Errorf("%q is not a whole number of seconds", text)
	}
	return d, err
}

// isNone says whether it is no pod, however many replicas there are.
func isNone(pods intstr.IntOrString) bool {
	return strings.Trim(pods.String(), "0") == "" || strings.Trim(pods.String(), "0") == "%"
}

// parsePods reads a number of pods, or a percent of the replicas up to the largest one.
func parsePods(text string, percents int64) (intstr.IntOrString, error) {
	digits, isPercent := strings.CutSuffix(text, "%")
	highest := int64(mostPods)
	if isPercent {
		highest = percents
	}
	n, err := strconv.ParseUint(digits, 10, 31)
	if err != nil || int64(n) > highest {
		return intstr.IntOrString{}, fmt.Errorf("%q is neither a number of pods from 0 to %d nor a percent from 0%% to %d%%", text, mostPods, percents)
	}
	if isPercent {
		return intstr.FromString(text), nil
	}
	return intstr.FromInt32(int32(n)), nil
}

// bounds are how many pods there may be at most, and how many have to take load at least (deployment/util: ResolveFenceposts).
func (r *Rollout) bounds(replicas int32) (most, available int32) {
	surge, unavailable := share(r.Surge, replicas, math.Ceil), share(r.Unavailable, replicas, math.Floor)
	if surge == 0 && unavailable == 0 {
		unavailable = 1 // else nothing could ever begin
	}
	return replicas + surge, max(replicas-unavailable, 0)
}

func share(of intstr.IntOrString, replicas int32, round func(float64) float64) int32 {
	if of.Type == intstr.Int {
		return of.IntVal
	}
	percent, err := strconv.ParseFloat(strings.TrimSuffix(of.StrVal, "%"), 64)
	if err != nil { // a manifest's, which the API server would refuse
		return 0
	}
	return int32(round(percent * float64(replicas) / 100))
}
