package recommend

import (
	"fmt"
	"strconv"
	"time"
)

// Text is for people. It holds facts and puts them into words when somebody reads it: a decision is made for each workload at each
// sample, and few of them are ever told. Its JSON form is the words; what is read back from there knows the words only.
type Text struct {
	// Facts say themselves; nil is an empty text.
	Facts fmt.Stringer
}

// Plain is a text whose words are known already.
func Plain(words string) Text { return Text{plain(words)} }

// String is the text in words.
func (t Text) String() string {
	if t.Facts == nil {
		return ""
	}
	return t.Facts.String()
}

// IsZero says that there is nothing to say, for JSON's omitzero.
func (t Text) IsZero() bool { return t.String() == "" }

// Equal says that two texts have the same words.
func (t Text) Equal(o Text) bool { return t.String() == o.String() }

// MarshalText renders the words.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (t *Text) UnmarshalText(words []byte) error {
	*t = Plain(string(words))
	return nil
}

// plain is a fact that is a text.
type plain string

func (p plain) String() string { return string(p) }

// relation says on which side of the target a value is.
func relation(ratio float64) string {
	switch {
	case ratio > 1:
		return "above"
	case ratio < 1:
		return "below"
	}
	return "at"
}

// decimal is thousandths with up to three decimals.
func decimal(thousandths int64) string {
	if thousandths%1000 == 0 {
		return strconv.FormatInt(thousandths/1000, 10)
	}
	return strconv.FormatFloat(float64(thousandths)/1000, 'f', -1, 64)
}

// whole is a duration without its fraction of a second.
func whole(d time.Duration) string { return d.Truncate(time.Second).String() }

// printable quotes a name that the API server accepts and a terminal should not see as it is.
func printable(name string) string {
	for i := range len(name) {
		c := name[i]
		if plain := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == ':' || c == '.' || c == '_' || c == '-' || c == '|'; !plain {
			return strconv.Quote(name)
		}
	}
	return name
}
