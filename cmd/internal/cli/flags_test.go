package cli

import (
	"testing"
)

func TestFractionIsExact(t *testing.T) {
	tests := map[string]int64{"0.1": 100, "10%": 100, "7.5%": 75, "0.075": 75, "1": 1000, "100%": 1000, "0": 0, "0.3": 300, ".5": 500, "5.%": 50}
	for text, thousandths := range tests {
		q, ok := parseFraction(text)
		if !ok || q.MilliValue() != thousandths {
			t.Errorf("%q: %v, %v; want %d thousandths", text, q.MilliValue(), ok, thousandths)
		}
	}
}

func FuzzFraction(f *testing.F) {
	for _, seed := range []string{"0.1", "10%", "1e9", "-1", ".", "%", "00000000000001"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, ok := parseFraction(text)
		if ok && (q.Sign() < 0 || q.CmpInt64(1) > 0) {
			t.Errorf("%q became %s", text, q.String())
		}
	})
}
