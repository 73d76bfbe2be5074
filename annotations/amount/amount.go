// Package amount reads quantities in bounded time, wherever they come in.
package amount

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// A quantity of 1e999999999 is valid, and the API server stores it. Reading one of 1e-999999999, and exact arithmetic with either, takes
// hours and gigabytes. So what users of a cluster can write, and what a publisher of metrics says, is bounded where it comes in: by the
// informers, the webhook, lint, the readers of the metrics APIs and those of traces. 1e30 is far more than any resource has.
const (
	// exactExponent is the number of digits of an exponent that is read exactly, longestAmount that of a quantity.
	exactExponent, longestAmount = 3, 500
	// boundless is what stands for anything larger.
	boundless = "1e30"
)

var largest = resource.MustParse(boundless)

// Read reads a quantity as resource.ParseQuantity does, but in bounded time. A quantity larger than 1e30 becomes 1e30. One smaller than a
// billionth becomes a billionth, to which ParseQuantity also rounds up. The errors are ParseQuantity's, and a text of more than 500 bytes
// is an error.
func Read(text string) (resource.Quantity, error) {
	if len(text) > longestAmount {
		return resource.Quantity{}, resource.ErrFormatWrong
	}
	if IsQuick(text, exactExponent) {
		q, err := resource.ParseQuantity(text)
		return Bounded(q), err
	}
	at := strings.LastIndexAny(text, "eE")
	if _, err := strconv.ParseInt(text[at+1:], 10, 64); err != nil || strings.Trim(text[:at], "+-0123456789.") != "" {
		return resource.ParseQuantity(text) // which refuses it
	}
	q, err := resource.ParseQuantity(text[:at])
	if err != nil || q.Sign() == 0 {
		return Bounded(q), err
	}
	least := resource.MustParse("1n")
	bound := &largest
	if text[at+1] == '-' {
		bound = &least
	}
	q = bound.DeepCopy()
	if strings.HasPrefix(text, "-") {
		q.Neg()
	}
	return q, nil
}

// IsQuick says whether an amount has no exponent or one of no more digits, so that resource.ParseQuantity takes no time for it.
func IsQuick(amount string, digits int) bool {
	i := strings.LastIndexAny(amount, "eE")
	return i < 0 || len(strings.TrimLeft(amount[i+1:], "+-0")) <= digits
}

// Bounded is the quantity, or 1e30 in place of a larger one, with its sign.
func Bounded(q resource.Quantity) resource.Quantity {
	if isBounded(q) {
		return q
	}
	bound := largest.DeepCopy()
	switch q.Sign() {
	case 0:
		return resource.Quantity{Format: q.Format}
	case -1:
		bound.Neg()
	}
	return bound
}

// isBounded looks at the size in floating point, which takes no time whatever the exponent is.
func isBounded(q resource.Quantity) bool {
	const most = 1e30
	size := math.Abs(q.AsApproximateFloat64())
	return size <= most && size >= 0 // not NaN, which is 0e999999999
}

// BoundedList is the list, or a copy of it with what has to be bounded.
func BoundedList(list corev1.ResourceList) corev1.ResourceList {
	own := false
	for name, q := range list {
		if isBounded(q) {
			continue
		}
		if !own {
			list, own = maps.Clone(list), true
		}
		list[name] = Bounded(q)
	}
	return list
}

// BoundedItem is an item of a LimitRange, all of whose lists are a BoundedList.
func BoundedItem(item corev1.LimitRangeItem) corev1.LimitRangeItem {
	for _, list := range []*corev1.ResourceList{&item.Max, &item.Min, &item.Default, &item.DefaultRequest, &item.MaxLimitRequestRatio} {
		*list = BoundedList(*list)
	}
	return item
}

// JSON is a quantity that is read from JSON in bounded time. A struct in which it hides the field of an embedded one is read like that.
type JSON struct{ resource.Quantity }

// UnmarshalJSON takes what a quantity's does.
func (j *JSON) UnmarshalJSON(text []byte) (err error) {
	if string(text) == "null" {
		j.Quantity = resource.Quantity{}
		return nil
	}
	said := string(text)
	if text[0] == '"' {
		if err := json.Unmarshal(text, &said); err != nil {
			return err
		}
	}
	if j.Quantity, err = Read(strings.TrimSpace(said)); err != nil {
		return fmt.Errorf("quantity %.40q: %w", said, err)
	}
	return nil
}

// ListJSON is a list of quantities that are read from JSON in bounded time.
type ListJSON map[corev1.ResourceName]JSON

// List is the list of the API; nil stays nil.
func (l ListJSON) List() corev1.ResourceList {
	if l == nil {
		return nil
	}
	list := make(corev1.ResourceList, len(l))
	for name, q := range l {
		list[name] = q.Quantity
	}
	return list
}
