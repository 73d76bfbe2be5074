//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"
)

// result is what one contender did with so many workloads.
type result struct {
	Name            string
	Workloads, Pods int
	// Date is when it was measured.
	Date         time.Time
	Rest         usage
	RSS, PeakRSS int64
	Age          spread
	Steps        []step
}

// reaction is the median over the steps.
func (r result) reaction() step {
	median := func(of func(step) time.Duration) time.Duration {
		var all []time.Duration
		for _, s := range r.Steps {
			all = append(all, of(s))
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	if len(r.Steps) == 0 {
		return step{}
	}
	return step{
		FromSample: spread{median(func(s step) time.Duration { return s.FromSample.P50 }), median(func(s step) time.Duration { return s.FromSample.P99 }),
			median(func(s step) time.Duration { return s.FromSample.Last })},
		FromLoad: spread{median(func(s step) time.Duration { return s.FromLoad.P50 }), median(func(s step) time.Duration { return s.FromLoad.P99 }),
			median(func(s step) time.Duration { return s.FromLoad.Last })},
	}
}

// book keeps the results in a file, so that a long run that fails late has not been for nothing, and sizes may be measured one
// after the other. A new result takes the place of an older one of the same kind.
type book struct {
	path string
	// Kubernetes is the version of what was measured against.
	Kubernetes string

	Results  []result
	Fairness *fairness `json:",omitempty"`
	Churn    *churn    `json:",omitempty"`
}

func openBook(path string) (*book, error) {
	b := &book{path: path}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, b); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}

func (b *book) add(r result) error {
	b.Results = append(slices.DeleteFunc(b.Results, func(old result) bool {
		return old.Name == r.Name && old.Workloads == r.Workloads && old.Pods == r.Pods
	}), r)
	return b.save()
}

func (b *book) save() error {
	text, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(b.path, text, 0o644)
}
