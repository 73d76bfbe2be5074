package recommend

import (
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// text collects what one decision has to say. A decision is made for each workload at each sample, mostly to change
// nothing, so all of its details share one buffer instead of being formatted one by one.
type text struct{ written strings.Builder }

// span is a piece of a text.
type span struct{ from, to int32 }

func (t *text) str(s string) *text {
	t.written.WriteString(s)
	return t
}

func (t *text) raw(b []byte) *text {
	t.written.Write(b)
	return t
}

func (t *text) int(n int64) *text {
	var room [20]byte
	return t.raw(strconv.AppendInt(room[:0], n, 10))
}

// float prints four significant digits, enough to see on which side of a tolerance a ratio is.
func (t *text) float(f float64) *text {
	var room [24]byte
	return t.raw(strconv.AppendFloat(room[:0], f, 'g', 4, 64))
}

// seconds prints a duration without its fraction.
func (t *text) seconds(d time.Duration) *text { return t.str(d.Truncate(time.Second).String()) }

// amount prints thousandths of a resource as kubectl does: 250m of CPU, 512Mi of memory; other metrics as decimals.
func (t *text) amount(name corev1.ResourceName, thousandths int64) *text {
	const mebi = 1 << 20
	if name == corev1.ResourceCPU {
		return t.int(thousandths).str("m")
	}
	if bytes := thousandths / 1000; name == corev1.ResourceMemory && bytes >= mebi {
		return t.int(bytes / mebi).str("Mi")
	}
	return t.decimal(thousandths)
}

// decimal prints thousandths with up to three decimals.
func (t *text) decimal(thousandths int64) *text {
	if thousandths%1000 == 0 {
		return t.int(thousandths / 1000)
	}
	var room [32]byte
	return t.raw(strconv.AppendFloat(room[:0], float64(thousandths)/1000, 'f', -1, 64))
}

// tolerances prints the band around 1.
func (t *text) tolerances(band tolerances) *text {
	return t.float(1 - band.down).str("..").float(1 + band.up)
}
