package metrics

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"k8s.io/apimachinery/pkg/runtime"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

// magic is what every protobuf answer of a Kubernetes API begins with (runtime/serializer/protobuf of apimachinery).
const magic = "k8s\x00"

// typeField and rawField are those of the object in the envelope (runtime.Unknown), itemsField that of the items in a
// PodMetricsList.
const typeField, rawField, itemsField = 1, 2, 2

// readProto reads a PodMetricsList in protobuf item by item, envelope and all.
func (l *listing) readProto(in *bufio.Reader) error {
	list := &protoList{listing: l, wire: wire{in: in}}
	if err := list.skip(int64(len(magic))); err != nil {
		return err
	}
	return list.read()
}

// protoList is a LIST in protobuf that is being read.
type protoList struct {
	*listing
	wire
	// item is the one that is being read, in the memory of the one before.
	item metricsv1beta1.PodMetrics
	// typed and found say that the envelope told the type of what it holds, and held it.
	typed, found bool
}

// read reads the envelope.
func (l *protoList) read() error {
	for {
		field, size, err := l.field()
		switch {
		case errors.Is(err, io.EOF) && l.found:
			return nil
		case err != nil:
		case field == typeField:
			err = l.checkType(size)
		case field == rawField:
			err = l.readItems(l.at + size)
		default:
			err = l.skip(size)
		}
		if err != nil {
			return err
		}
	}
}

func (l *protoList) checkType(size int64) error {
	text, err := l.bytes(size)
	if err != nil {
		return err
	}
	var got runtime.TypeMeta
	if err := got.Unmarshal(text); err != nil {
		return err
	}
	l.typed = true
	return checkKind(got.Kind)
}

// readItems reads the PodMetricsList up to its end.
func (l *protoList) readItems(end int64) error {
	if !l.typed || l.found {
		return errors.New("the answer is not one object behind its type")
	}
	l.found = true
	for l.at < end {
		field, size, err := l.field()
		switch {
		case err != nil:
		case l.at+size > end:
			err = fmt.Errorf("field %d has %d bytes, more than its list", field, size)
		case field == itemsField:
			err = l.readItem(size)
		default:
			err = l.skip(size)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *protoList) readItem(size int64) error {
	text, err := l.bytes(size)
	if err != nil {
		return err
	}
	return l.add(&l.item, unmarshal(&l.item, text, l.known))
}
