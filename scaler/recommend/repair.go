package recommend

import (
	"encoding/json"
	"slices"
)

// Repairs is a set of repairs: rules by which mini-hpa decides otherwise than the HPA controller, where that is known
// to decide wrongly.
type Repairs uint32

// The repairs of the decision; RepairTable says what each of them does.
const (
	// RepairAgainst is "never against the ratio".
	RepairAgainst Repairs = 1 << iota
	// RepairUnready is "monotone in load".
	RepairUnready
	// RepairSpec is "spec, not status".
	RepairSpec
	// RepairAllUnready is "all pods unready holds".
	RepairAllUnready
	// RepairParticipants is "only the pods that take part need requests".
	RepairParticipants
	// RepairSidecar is "an injected sidecar without a request degrades".
	RepairSidecar
	// RepairSaturation is "saturation".
	RepairSaturation
	// RepairStale is "a stale sample is a missing sample".
	RepairStale
	// RepairSettled is "a sample from before a change does not drive a further scale-in".
	RepairSettled
	// RepairUnseen is "a pod that is not seen is missing".
	RepairUnseen
	// RepairBlind is "after a gap the present size is a recommendation".
	RepairBlind
)

// Repair is one row of the table of repairs.
type Repair struct {
	// Bit is the repair as a set of one.
	Bit Repairs
	// Name is what decisions and documentation call it.
	Name string
}

// RepairTable returns the repairs in the order of their documentation.
func RepairTable() []Repair {
	return []Repair{
		{RepairAgainst, "against-ratio"},
		{RepairUnready, "unready-at-target"},
		{RepairSpec, "spec-not-status"},
		{RepairAllUnready, "all-unready-holds"},
		{RepairParticipants, "only-participants"},
		{RepairSidecar, "unrequested-sidecar"},
		{RepairSaturation, "saturation"},
		{RepairStale, "stale-is-missing"},
		{RepairSettled, "settled-samples"},
		{RepairUnseen, "unseen-is-missing"},
		{RepairBlind, "blind-gap"},
	}
}

// Names lists the set in the order of RepairTable.
func (r Repairs) Names() []string {
	var names []string
	for _, repair := range RepairTable() {
		if r&repair.Bit != 0 {
			names = append(names, repair.Name)
		}
	}
	return names
}

// UnmarshalJSON reads what MarshalJSON writes; names that are not known are left out.
func (r *Repairs) UnmarshalJSON(raw []byte) error {
	var names []string
	if err := json.Unmarshal(raw, &names); err != nil {
		return err
	}
	*r = 0
	for _, repair := range RepairTable() {
		if slices.Contains(names, repair.Name) {
			*r |= repair.Bit
		}
	}
	return nil
}

// MarshalJSON renders the set as a list of names.
func (r Repairs) MarshalJSON() ([]byte, error) { return json.Marshal(r.Names()) }
