package amount

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// TestAmountTakesNoTime: each of these would take resource.ParseQuantity or Quantity.Cmp hours, and gigabytes.
func TestAmountTakesNoTime(t *testing.T) {
	for text, want := range map[string]string{
		"1e999999999": "1e30", "-1e999999999": "-1e30", "1E+999999999": "1e30", "9.5e000000001000": "1e30", "1e99": "1e30", "123456789e25": "1e30",
		"1e-999999999": "1n", "-1e-999999999": "-1n", "1e-100": "1n",
		"0e999999999": "0", "0e-999999999": "0", "0e99": "0",
		"1e30": "1e30", "1e29": "1e29", "1e3": "1e3", "1e003": "1e3", "1" + strings.Repeat("0", 100) + "e-100": "1", "0." + strings.Repeat("0", 100) + "1e100": "0.1", "1E": "1E", "1Ei": "1Ei", "500m": "500m", "0": "0", "-1": "-1",
	} {
		got, err := Read(text)
		if err != nil || got.String() != want && got.Cmp(resource.MustParse(want)) != 0 {
			t.Errorf("%s is read as %s (%v), want %s", text, got.String(), err, want)
		}
	}
}

func TestReadRefusesWhatParseQuantityDoes(t *testing.T) {
	for _, text := range []string{"", "e999999999", "1e", "1e+", "1e--5000", "1e+-5000", "1e1000k", "1e9999999999999999999999x", "1e9999999999999999999999", strings.Repeat("1", 501), "one", "1ee1000", "1e1000e1000", "1Ke1000", "1..2e1000"} {
		if got, err := Read(text); err == nil {
			t.Errorf("%q is read as %s", text, got.String())
		}
	}
}

// FuzzRead holds Read to ParseQuantity wherever that is quick.
func FuzzRead(f *testing.F) {
	for _, text := range []string{"1e3", "-1.5Gi", "1e-9", "100e20", "0e0", "1e-500", "1000000e-103"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Read(text)
		if !IsQuick(text, exactExponent) || len(text) > longestAmount {
			return
		}
		want, wanted := resource.ParseQuantity(text)
		if (err == nil) != (wanted == nil) {
			t.Fatalf("%q: %v, want %v", text, err, wanted)
		}
		if err == nil && isBounded(want) && got.Cmp(want) != 0 {
			t.Errorf("%q is %s, want %s", text, got.String(), want.String())
		}
	})
}

func TestBoundedListLeavesTheListAlone(t *testing.T) {
	list := corev1.ResourceList{"cpu": resource.MustParse("1"), "memory": resource.MustParse("1e999999999"), "zero": resource.MustParse("0e999999999"), "owed": resource.MustParse("-1e999999999")}
	got := BoundedList(list)
	for name, want := range map[corev1.ResourceName]string{"cpu": "1", "memory": "1e30", "zero": "0", "owed": "-1e30"} {
		if q := got[name]; !strings.EqualFold(q.String(), want) {
			t.Errorf("%s is %s, want %s", name, q.String(), want)
		}
	}
	if q := list["memory"]; q.AsApproximateFloat64() < 1e300 {
		t.Error("the list that was given is changed")
	}
	plain := corev1.ResourceList{"cpu": resource.MustParse("1")}
	if n := testing.AllocsPerRun(10, func() { BoundedList(plain) }); n > 0 {
		t.Errorf("%.0f allocations where nothing has to be bounded", n)
	}
}
