package annotations

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mini-hpa/mini-hpa/annotations/spelling"
)

// warnUnknown warns of unknown keys with the prefix, which are probably misspelt. If there are many, it only counts the rest, because
// finding the nearest key takes time.
func (p *draft) warnUnknown(annotations map[string]string) {
	var unknown []string
	for key := range annotations {
		if strings.HasPrefix(key, Prefix) && !IsKnown(key) {
			unknown = append(unknown, key)
		}
	}
	slices.Sort(unknown)
	for i, key := range unknown {
		if i == maxProblems {
			p.warnings = append(p.warnings, Warning{Field: "metadata.annotations", Rule: FoundUnknownAnnotation,
				Message: fmt.Sprintf("%d more keys that begin with %s are unknown and have no effect", len(unknown)-i, Prefix)})
			return
		}
		p.warnings = append(p.warnings, Warning{Key: key, Rule: FoundUnknownAnnotation,
			Message: fmt.Sprintf("unknown annotation, it has no effect; did you mean %q?", nearest(key))})
	}
}

// IsKnown says whether a key is one of the table's.
func IsKnown(key string) bool {
	for i := range table {
		if table[i].Name == key {
			return true
		}
	}
	return false
}

// Lookalike returns which annotation was meant by a key with almost the Prefix, such as minihpa/min or mini-hpa.io/max, or "" if the key
// belongs to something else.
func Lookalike(key string) string {
	if strings.HasPrefix(key, Prefix) || len(key) > shownKey {
		return ""
	}
	domain, name, isQualified := strings.Cut(key, "/")
	if !isQualified { // mini-hpa-max
		name, isQualified = strings.CutPrefix(strings.ToLower(strings.NewReplacer("_", "-", ".", "-").Replace(key)), "mini-hpa-")
		domain = Prefix
	}
	if strings.Count(domain, ".") > 1 { // mini-hpa.example.com belongs to example.com, but mini-hpa.io does not
		return ""
	}
	const own, few = "minihpa", 2
	letters := lettersOf(domain)
	isOurs := strings.HasPrefix(letters, own) || len(letters) <= len(own)+1 && isNear(letters, own)
	if !isQualified || name == "" || !isOurs {
		return "" // most keys end here, and there may be many
	}
	meant := nearest(Prefix + name)
	if letters != own && spelling.Distance(lettersOf(name), lettersOf(strings.TrimPrefix(meant, Prefix))) > few {
		return ""
	}
	return meant
}

// isNear says whether two names differ in one letter, or in two neighbors that have changed places. A name with two other letters may
// belong to something else, such as miniapp.
func isNear(letters, own string) bool {
	few := 1
	if slices.Equal(slices.Sorted(slices.Values([]byte(letters))), slices.Sorted(slices.Values([]byte(own)))) {
		few = 2
	}
	return spelling.Distance(letters, own) <= few
}

// lettersOf are the letters of a name, which is what is left of it in one's memory.
func lettersOf(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
}

// nearest returns the key of the table that, or one of whose aliases, takes the fewest edits to become name. The
// first row wins a draw.
func nearest(key string) string {
	name := strings.ToLower(clean(strings.TrimPrefix(key, Prefix), shown))
	length := utf8.RuneCountInString(name)
	best, fewest := "", shown*2
	for i := range table {
		row := &table[i]
		for _, known := range append([]string{strings.TrimPrefix(row.Name, Prefix)}, row.aliases...) {
			if more := length - len(known); max(more, -more) >= fewest {
				continue // each takes an edit
			}
			if edits := spelling.Distance(name, known); edits < fewest {
				best, fewest = row.Name, edits
			}
		}
	}
	return best
}
