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

// count is how many pods there are, and how many of them take load.
func (w *world) count(old bool) (all, ready int32) {
	for _, p := range w.pods {
		if p.old == old {
			all++
			if p.ready <= w.now {
				ready++
			}
		}
	}
	return all, ready
}

// roll takes the rollout a step further (deployment/rolling.go: new pods first, then the old ones that do not take load, then others
// as far as there are enough without them).
func (w *world) roll() {
	if w.Rollout == nil || w.now < w.Rollout.At {
		return
	}
	if w.now == w.Rollout.At {
		for _, p := range w.pods {
			p.old = true
		}
	}
	old, oldReady := w.count(true)
	fresh, freshReady := w.count(false)
	most, available := w.Rollout.bounds(w.replicas)
	added := max(min(most-old-fresh, w.replicas-fresh), 0)
	w.add(added)
	w.remove(fresh-w.replicas, false)
	// What is not there yet could still be needed in place of old pods.
	spare := old + fresh + added - available - (fresh + added - freshReady)
	idle := max(min(old-oldReady, spare), 0)
	w.remove(idle+max(min(oldReady, oldReady+freshReady-available, spare-idle), 0), true)
}

// scale makes and removes pods at once. During a rollout the old and the new ones have their shares of it
// (deployment/sync.go: scale).
func (w *world) scale(to int32) {
	w.replicas = to
	old, _ := w.count(true)
	fresh, _ := w.count(false)
	if old == 0 {
		w.add(to - fresh)
		w.remove(fresh-to, false)
		return
	}
	allowed := to
	if to > 0 {
		allowed, _ = w.Rollout.bounds(to)
	}
	part := int32(math.Round(float64(old) * float64(allowed) / float64(old+fresh)))
	w.add(allowed - part - fresh)
	w.remove(fresh-(allowed-part), false)
	w.revive(part - old)
	w.remove(old-part, true)
}

// add makes new pods; none if n is not above 0.
func (w *world) add(n int32) {
	for range n {
		w.pods = append(w.pods, w.newPod(w.now))
	}
}

// revive makes more of the old ones.
func (w *world) revive(n int32) {
	for range n {
		p := w.newPod(w.now)
		p.old = true
		w.pods = append(w.pods, p)
	}
}

// remove takes pods away as the ReplicaSet controller does: those that do not take load first, then the newest. Pods are in the order
// of their creation, and all take equally long to start: the last ones are those to go.
func (w *world) remove(n int32, old bool) {
	for i := len(w.pods) - 1; i >= 0 && n > 0; i-- {
		if w.pods[i].old == old {
			w.pods = append(w.pods[:i], w.pods[i+1:]...)
			n--
		}
	}
}
