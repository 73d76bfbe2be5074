package main

import (
	"fmt"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// didYouMean names the candidate that was probably meant, or nothing where none is close.
func didYouMean(word string, candidates []string) string {
	best, least := "", len(word)/3+2
	for _, c := range candidates {
		if d := annotations.EditDistance(word, c); d < least {
			best, least = c, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}
