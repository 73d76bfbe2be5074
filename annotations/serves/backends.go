package serves

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	kjson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

const (
	// MaxBackends is how many pods the annotation may name.
	MaxBackends = 1000
	// maxBackendsLength is how many bytes the annotation may have.
	maxBackendsLength = 128 << 10
)

// Backends are pods that are ready and have the same ports, as an EndpointSlice would say it.
type Backends struct {
	// Addresses are the pods' IP addresses, of the slice's family.
	Addresses []string `json:"addresses"`
	// Ports are the numbers of the pods' ports, by the names of the Service's.
	Ports map[string]int32 `json:"ports"`
}

// parseBackends reads the annotation. An error says all that is wrong with it.
func parseBackends(text string) ([]Backends, error) {
	if len(text) > maxBackendsLength {
		return nil, fmt.Errorf("annotation %s is %d bytes long; must be at most %d", BackendsAnnotation, len(text), maxBackendsLength)
	}
	var all []Backends
	if err := kjson.Unmarshal([]byte(text), &all); err != nil {
		return nil, fmt.Errorf("annotation %s must be JSON: %w", BackendsAnnotation, err)
	}
	at := field.NewPath(BackendsAnnotation)
	var wrong field.ErrorList
	pods := 0
	for i, b := range all {
		pods += len(b.Addresses)
		wrong = append(wrong, b.check(at.Index(i))...)
	}
	if pods > MaxBackends {
		wrong = append(wrong, field.TooMany(at, pods, MaxBackends))
	}
	if err := wrong.ToAggregate(); err != nil {
		return nil, err
	}
	return all, nil
}

// formatBackends is the annotation.
func formatBackends(all []Backends) string {
	text, err := json.Marshal(all)
	if err != nil {
		panic(err) // texts and numbers can always be written
	}
	return string(text)
}

func (b Backends) check(at *field.Path) field.ErrorList {
	var wrong field.ErrorList
	for i, address := range b.Addresses {
		wrong = append(wrong, validation.IsValidIP(at.Child("addresses").Index(i), address)...)
	}
	for _, port := range slices.Sorted(maps.Keys(b.Ports)) {
		for _, must := range validation.IsValidPortNum(int(b.Ports[port])) {
			wrong = append(wrong, field.Invalid(at.Child("ports").Key(port), b.Ports[port], must))
		}
	}
	return wrong
}
