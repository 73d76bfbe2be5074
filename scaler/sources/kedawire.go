package sources

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// What is said to KEDA's external scalers, and by them: the messages of its service externalscaler.ExternalScaler, with its names of fields and
// methods, in the wire format of protobuf. There are six small ones, so that they are written and read here without generated code. Fields that
// are not known are skipped, as protobuf has it.

// The methods of the service.
const (
	kedaMetricSpec = "/externalscaler.ExternalScaler/GetMetricSpec"
	kedaMetrics    = "/externalscaler.ExternalScaler/GetMetrics"
	kedaActive     = "/externalscaler.ExternalScaler/IsActive"
	kedaStream     = "/externalscaler.ExternalScaler/StreamIsActive"
)

// scaledObjectRef says for whom a scaler is asked: ScaledObjectRef{name = 1, namespace = 2, map<string, string> scalerMetadata = 3}.
type scaledObjectRef struct {
	name, namespace string
	metadata        map[string]string
}

func (r *scaledObjectRef) write() []byte {
	b := writeText(nil, 1, r.name)
	b = writeText(b, 2, r.namespace)
	for _, key := range slices.Sorted(maps.Keys(r.metadata)) {
		b = writeBytes(b, 3, writeText(writeText(nil, 1, key), 2, r.metadata[key]))
	}
	return b
}

// metricsRequest asks for the values of a metric: GetMetricsRequest{scaledObjectRef = 1, metricName = 2}.
type metricsRequest struct {
	of   *scaledObjectRef
	name string
}

func (r *metricsRequest) write() []byte {
	return writeText(writeBytes(nil, 1, r.of.write()), 2, r.name)
}

// activeResponse says whether there is something to do: IsActiveResponse{bool result = 1}.
type activeResponse struct{ active bool }

func (r *activeResponse) read(message []byte) error {
	*r = activeResponse{}
	return readFields(message, func(f wireField) (err error) {
		if f.number == 1 {
			var bit uint64
			bit, err = f.varint()
			r.active = bit != 0
		}
		return err
	})
}

// named is a number of a metric: MetricSpec{metricName = 1, int64 targetSize = 2, double targetSizeFloat = 3}, and MetricValue, which has the same
// fields for a value.
type named struct {
	name  string
	whole int64
	float float64
}

// number is the float, unless only the older field says something.
func (n *named) number() float64 {
	if n.float != 0 {
		return n.float
	}
	return float64(n.whole)
}

// size is what the number of a metric is divided by, which is nothing where the scaler has no target for it.
func (n *named) size() float64 {
	if target := n.number(); target > 0 {
		return target
	}
	return 1
}

// mostNamed is how many numbers a response may have.
const mostNamed = 1000

// namedResponse is GetMetricSpecResponse{repeated MetricSpec = 1} and GetMetricsResponse{repeated MetricValue = 1}.
type namedResponse struct{ all []named }

func (r *namedResponse) read(message []byte) error {
	*r = namedResponse{}
	return readFields(message, func(f wireField) error {
		if f.number != 1 {
			return nil
		}
		if len(r.all) == mostNamed {
			return fmt.Errorf("it has more than %d metrics", mostNamed)
		}
		inner, err := f.bytes()
		if err != nil {
			return err
		}
		var one named
		err = readFields(inner, one.set)
		r.all = append(r.all, one)
		return err
	})
}

func (n *named) set(f wireField) (err error) {
	switch f.number {
	case 1:
		var name []byte
		name, err = f.bytes()
		n.name = string(name)
	case 2:
		var whole uint64
		whole, err = f.varint()
		n.whole = int64(whole)
	case 3:
		n.float, err = f.double()
	default: // newer than this
	}
	return err
}

func writeText(b []byte, number protowire.Number, text string) []byte {
	if text == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, number, protowire.BytesType), text)
}

func writeBytes(b []byte, number protowire.Number, inner []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, number, protowire.BytesType), inner)
}

// wireField is one field of a message, with its value still as it was sent.
type wireField struct {
	number protowire.Number
	kind   protowire.Type
	value  []byte
}

// readFields calls f with each field of a message.
func readFields(message []byte, f func(wireField) error) error {
	for field, err := range fieldsOf(message) {
		if err == nil {
			err = f(field)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func fieldsOf(message []byte) iter.Seq2[wireField, error] {
	return func(yield func(wireField, error) bool) {
		for len(message) > 0 {
			number, kind, n := protowire.ConsumeTag(message)
			if n < 0 {
				yield(wireField{}, protowire.ParseError(n))
				return
			}
			length := protowire.ConsumeFieldValue(number, kind, message[n:])
			if length < 0 {
				yield(wireField{}, protowire.ParseError(length))
				return
			}
			if !yield(wireField{number, kind, message[n : n+length]}, nil) {
				return
			}
			message = message[n+length:]
		}
	}
}

func (f wireField) want(kind protowire.Type) error {
	if f.kind != kind {
		return fmt.Errorf("field %d has wire type %d, not %d", f.number, f.kind, kind)
	}
	return nil
}

func (f wireField) varint() (uint64, error) {
	if err := f.want(protowire.VarintType); err != nil {
		return 0, err
	}
	value, _ := protowire.ConsumeVarint(f.value)
	return value, nil
}

func (f wireField) double() (float64, error) {
	if err := f.want(protowire.Fixed64Type); err != nil {
		return 0, err
	}
	bits, _ := protowire.ConsumeFixed64(f.value)
	return math.Float64frombits(bits), nil
}

func (f wireField) bytes() ([]byte, error) {
	if err := f.want(protowire.BytesType); err != nil {
		return nil, err
	}
	value, _ := protowire.ConsumeBytes(f.value)
	return value, nil
}

// kedaCodec writes and reads the messages for gRPC.
type kedaCodec struct{}

// Name is that of protobuf, in which they are.
func (kedaCodec) Name() string { return "proto" }

// Marshal writes a request.
func (kedaCodec) Marshal(message any) ([]byte, error) {
	m, ok := message.(interface{ write() []byte })
	if !ok {
		return nil, errors.New("this is no request")
	}
	return m.write(), nil
}

// Unmarshal reads an answer.
func (kedaCodec) Unmarshal(text []byte, message any) error {
	m, ok := message.(interface{ read([]byte) error })
	if !ok {
		return errors.New("this is no answer")
	}
	return m.read(text)
}
