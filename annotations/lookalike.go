package annotations

import (
	"slices"
	"strings"
	"unicode"
)

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
	if letters != own && EditDistance(lettersOf(name), lettersOf(strings.TrimPrefix(meant, Prefix))) > few {
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
	return EditDistance(letters, own) <= few
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
