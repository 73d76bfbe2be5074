package schedule

import (
	"fmt"
	"time"
)

// MarshalText writes the lines as an annotation has them, without comments.
func (s Schedule) MarshalText() ([]byte, error) {
	var text []byte
	if !s.IsZero() && s.zone != time.UTC {
		text = fmt.Appendf(text, "zone %s\n", s.zone)
	}
	for _, l := range s.lines {
		text = fmt.Appendf(text, "%s %s\n", l.When(), l.Says())
	}
	return text, nil
}

// UnmarshalText reads lines, or none.
func (s *Schedule) UnmarshalText(text []byte) error {
	var err error
	if *s = (Schedule{}); len(text) > 0 {
		*s, err = Parse(string(text), &Zones{})
	}
	return err
}
