package annotations

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
)

// Limits of the API server for the behavior of a HorizontalPodAutoscaler (MaxStabilizationWindowSeconds and
// MaxPeriodSeconds of its validation).
const (
	maxStabilization = time.Hour
	maxPolicyPeriod  = 30 * time.Minute
)

// up and down pick the direction that a row of the table is about.
func up(p *draft) *rules   { return &p.up }
func down(p *draft) *rules { return &p.down }

func setTolerance(p *draft, value string) error {
	tolerance, err := readTolerance(value)
	if err != nil {
		return err
	}
	p.up.tolerance, p.down.tolerance = tolerance, tolerance.DeepCopy()
	return nil
}

// stabilization reads the window of one direction.
func stabilization(direction func(*draft) *rules) func(*draft, string) error {
	return func(p *draft, value string) error {
		window, ok := seconds(value, 0, maxStabilization)
		if !ok {
			return errors.New(`must be a duration in whole seconds from "0s" to "1h", with a unit, such as "90s" or "5m"`)
		}
		direction(p).window = window
		return nil
	}
}

// disabled is the one word that a list of policies can be instead of a list.
const disabled = "disabled"

// policies reads the rate limits of one direction, separated by commas.
func policies(direction func(*draft) *rules) func(*draft, string) error {
	return func(p *draft, value string) error {
		r := direction(p)
		if value == disabled {
			r.choice, r.policies = autoscalingv2.DisabledPolicySelect, []autoscalingv2.HPAScalingPolicy{}
			return nil
		}
		var errs []error
		for item := range strings.SplitSeq(value, ",") {
			policy, err := readPolicy(item)
			errs = append(errs, err)
			r.policies = append(r.policies, policy)
		}
		return errors.Join(errs...)
	}
}

// readPolicy reads "4 pods/15s" or "100%/15s".
func readPolicy(item string) (autoscalingv2.HPAScalingPolicy, error) {
	amount, period, _ := strings.Cut(item, "/")
	kind, value, amountOK := readChange(strings.Trim(amount, " "))
	every, periodOK := seconds(strings.Trim(period, " "), time.Second, maxPolicyPeriod)
	if !amountOK || !periodOK {
		return autoscalingv2.HPAScalingPolicy{}, fmt.Errorf("policy %q must be a number of pods or a percent, each from 1 to %d, "+
			`within a period in whole seconds from "1s" to "30m", such as "4 pods/15s" or "100%%/15s"; `+
			`or the whole value is "disabled"`, clean(strings.Trim(item, " "), shown), math.MaxInt32)
	}
	return autoscalingv2.HPAScalingPolicy{Type: kind, Value: value, PeriodSeconds: every}, nil
}

// readChange reads the part of a policy before the slash: "4 pods", "1 pod" or "100%".
func readChange(amount string) (autoscalingv2.HPAScalingPolicyType, int32, bool) {
	kind := autoscalingv2.PercentScalingPolicy
	digits, ok := strings.CutSuffix(amount, "%")
	if !ok {
		kind = autoscalingv2.PodsScalingPolicy
		digits, ok = strings.CutSuffix(strings.TrimSuffix(amount, "s"), " pod")
	}
	value, inRange := number(digits, 1, math.MaxInt32)
	return kind, int32(value), ok && inRange
}
