//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
)

// result is what one contender did with so many workloads.
type result struct {
	Name            string
	Workloads, Pods int
	setting
	// Flags are those that mini-hpa was given.
	Flags []string `json:",omitempty"`
	// Program is the commit of a mini-hpa that is not of the commit that was measured.
	Program string `json:",omitempty"`
	Rounds  []round
}

// round is what came of one start: a rest and load steps.
type round struct {
	Rest         usage
	RSS, PeakRSS int64
	// Evaluations is how often each workload was evaluated in one period of the samples, on the average.
	Evaluations float64
	Age         spread
	Steps       []step
}

func (r round) String() string {
	return fmt.Sprintf("%s; RSS %.1f MiB, peak %.1f MiB; %.2f evaluations a period, age of the last %s", r.Rest, float64(r.RSS)/(1<<20), float64(r.PeakRSS)/(1<<20), r.Evaluations, r.Age)
}

// median is that of a figure over the rounds, or their steps, 0 without any. Of an even number it is the mean of the two in the middle.
func (r result) median(of func(round) []float64) float64 {
	var all []float64
	for _, round := range r.Rounds {
		all = append(all, of(round)...)
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
}

// book keeps the results in a file, so that a long run that fails late has not been for nothing, and sizes may be measured one
// after the other. A new result takes the place of an older one of the same kind; one of the same run is added to it.
type book struct {
	path string

	Results  []result
	Fairness *fairness `json:",omitempty"`
	Churn    *churn    `json:",omitempty"`
	Backlogs *backlogs `json:",omitempty"`
	Views    *views    `json:",omitempty"`
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
	incomplete := func(r result) bool {
		return len(r.Rounds) == 0 || slices.ContainsFunc(r.Rounds, func(r round) bool { return len(r.Steps) == 0 })
	}
	if i := slices.IndexFunc(b.Results, incomplete); i >= 0 {
		return nil, fmt.Errorf("%s: result %d lacks rounds or their steps: it is of another version of this program, remove it", path, i+1)
	}
	return b, nil
}

func (b *book) add(r result) error {
	same := func(old result) bool {
		return old.Name == r.Name && old.Workloads == r.Workloads && old.Pods == r.Pods
	}
	if i := slices.IndexFunc(b.Results, same); i >= 0 && b.Results[i].Run.Equal(r.Run) {
		r.Rounds = slices.Concat(b.Results[i].Rounds, r.Rounds)
	}
	b.Results = append(slices.DeleteFunc(b.Results, same), r)
	return b.save()
}

func (b *book) save() error {
	text, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(b.path, text, 0o644)
}
