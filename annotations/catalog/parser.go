package catalog

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// The bounds of what an entry says about requests, and what counts where neither it nor the defaults of the file do.
const (
	leastTimeout, usualTimeout, mostTimeout = 100 * time.Millisecond, 5 * time.Second, time.Minute
	leastMaxAge, usualMaxAge, mostMaxAge    = time.Second, 15 * time.Second, 10 * time.Minute
	usualConcurrency, mostConcurrency       = 4, 64
	mostSettle                              = time.Hour
)

// parser makes a catalog of a file.
type parser struct {
	decoder
	types    []Type
	names    map[string]bool
	catalog  *Catalog
	defaults defaults
}

func newParser(types []Type) *parser {
	return &parser{
		decoder: decoder{problems: &problems{}},
		types:   slices.Clone(types),
		names:   map[string]bool{},
		catalog: &Catalog{named: map[string]*known{}},
		defaults: defaults{
			Timeout: &metav1.Duration{Duration: usualTimeout}, MaxAge: &metav1.Duration{Duration: usualMaxAge}, Concurrency: new(usualConcurrency),
		},
	}
}

// defaults are for all entries of the file.
type defaults struct {
	Timeout     *metav1.Duration `json:"timeout"`
	Concurrency *int             `json:"concurrency"`
	MaxAge      *metav1.Duration `json:"maxAge"`
}

// or fills in what is not said.
func (d defaults) or(other defaults) defaults {
	if d.Timeout == nil {
		d.Timeout = other.Timeout
	}
	if d.MaxAge == nil {
		d.MaxAge = other.MaxAge
	}
	if d.Concurrency == nil {
		d.Concurrency = other.Concurrency
	}
	return d
}

// checkRequests holds what is said about requests to its bounds.
func (p *parser) checkRequests(d *defaults, at *field.Path) {
	p.checkDuration(d.Timeout, leastTimeout, mostTimeout, at.Child("timeout"))
	p.checkDuration(d.MaxAge, leastMaxAge, mostMaxAge, at.Child("maxAge"))
	if d.Concurrency != nil && (*d.Concurrency < 1 || *d.Concurrency > mostConcurrency) {
		p.wrong(at.Child("concurrency"), fmt.Sprint(*d.Concurrency), fmt.Sprintf("must be from 1 to %d", mostConcurrency))
	}
}

func (p *parser) checkDuration(d *metav1.Duration, least, most time.Duration, at *field.Path) {
	if d != nil && (d.Duration < least || d.Duration > most) {
		p.wrong(at, d.Duration.String(), fmt.Sprintf("must be from %v to %v", least, most))
	}
}
