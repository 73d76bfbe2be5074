package metrics

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"k8s.io/apimachinery/pkg/runtime"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
	"k8s.io/metrics/pkg/client/clientset/versioned/scheme"
)

const (
	// magic is what every protobuf answer of a Kubernetes API begins with (runtime/serializer/protobuf of apimachinery).
	magic = "k8s\x00"
	// typeField and rawField are those of the object in the envelope (runtime.Unknown), itemsField that of the items in a
	// PodMetricsList.
	typeField, rawField, itemsField = 1, 2, 2
	// largest bounds what is reserved for one PodMetrics; they have some hundred bytes for each container.
	largest = 4 << 20
	// window is how much of an answer is read at a time.
	window = 64 << 10
)

// The wire types of the protobuf encoding that fields of Kubernetes' messages can have.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

// readList reads the body of a LIST item by item: of 25,000 pods the body has 6 MB and the decoded list 50 MB, which would be the
// largest thing in the controller's memory every 15 seconds. Answers that are not protobuf are read as a whole.
func readList(body io.Reader) ([]Sample, error) {
	in := bufio.NewReaderSize(body, window)
	start, err := in.Peek(len(magic))
	if err != nil && (len(start) == 0 || !errors.Is(err, io.EOF)) {
		return nil, broken(err)
	}
	if string(start) != magic {
		return readWhole(in)
	}
	if _, err := in.Discard(len(magic)); err != nil {
		return nil, err
	}
	list := &listing{wire: wire{in: in}, known: names{}}
	if err := list.read(); err != nil {
		return nil, broken(err)
	}
	return list.samples, nil
}

// listing is a LIST that is being read.
type listing struct {
	wire
	samples []Sample
	known   names
	// typed and found say that the envelope told the type of what it holds, and held it.
	typed, found bool
}

// read reads the envelope.
func (l *listing) read() error {
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

func (l *listing) checkType(size int64) error {
	text, err := l.bytes(size)
	if err != nil {
		return err
	}
	var got runtime.TypeMeta
	if err := got.Unmarshal(text); err != nil {
		return err
	}
	if l.typed = true; got.Kind != "PodMetricsList" {
		return fmt.Errorf("the answer is of kind %s instead of PodMetricsList", quote(got.Kind))
	}
	return nil
}

// readItems reads the PodMetricsList up to its end.
func (l *listing) readItems(end int64) error {
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

func (l *listing) readItem(size int64) error {
	text, err := l.bytes(size)
	if err != nil {
		return err
	}
	var item metricsv1beta1.PodMetrics
	if err := item.Unmarshal(text); err != nil {
		return err
	}
	l.samples = append(l.samples, sampleOf(&item, l.known))
	return nil
}

// readWhole is for other encodings, of which JSON is the only one that is asked for.
func readWhole(in io.Reader) ([]Sample, error) {
	body, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	list := &metricsv1beta1.PodMetricsList{}
	if err := runtime.DecodeInto(scheme.Codecs.UniversalDeserializer(), body, list); err != nil {
		return nil, err
	}
	return SamplesOf(list.Items), nil
}

// wire reads protobuf messages and counts the bytes.
type wire struct {
	in *bufio.Reader
	at int64
	// buffer holds one item; it is used again for the next one.
	buffer []byte
}

// ReadByte is io.ByteReader's.
func (w *wire) ReadByte() (byte, error) {
	b, err := w.in.ReadByte()
	if err == nil {
		w.at++
	}
	return b, err
}

// bytes reads so many; they are good until the next call.
func (w *wire) bytes(size int64) ([]byte, error) {
	if size > largest {
		return nil, fmt.Errorf("an item has %d bytes, more than the %d that are read", size, largest)
	}
	if int64(cap(w.buffer)) < size {
		w.buffer = make([]byte, size)
	}
	w.buffer = w.buffer[:size]
	n, err := io.ReadFull(w.in, w.buffer)
	w.at += int64(n)
	return w.buffer, err
}

// field reads the head of a field and how many bytes follow. A number, which has no length, is read over and counts as field 0, which
// no message has: only newer versions of the messages could have them. The error is io.EOF only where a field could begin.
func (w *wire) field() (number uint64, size int64, err error) {
	tag, err := binary.ReadUvarint(w)
	if err != nil {
		return 0, 0, err
	}
	if number = tag >> 3; tag&7 != wireBytes {
		return 0, 0, broken(w.number(number, tag&7))
	}
	size, err = w.size(number)
	return number, size, broken(err)
}

func (w *wire) size(field uint64) (int64, error) {
	const most = 1 << 40
	size, err := binary.ReadUvarint(w)
	if err == nil && size > most {
		err = fmt.Errorf("field %d has %d bytes", field, size)
	}
	return int64(min(size, most)), err
}

// number reads over the value of a field that is not bytes.
func (w *wire) number(field, wireType uint64) error {
	switch wireType {
	case wireVarint:
		_, err := binary.ReadUvarint(w)
		return err
	case wireFixed64:
		return w.skip(8)
	case wireFixed32:
		return w.skip(4)
	}
	return fmt.Errorf("field %d has the wire type %d", field, wireType)
}

func (w *wire) skip(size int64) error {
	n, err := io.CopyN(io.Discard, w.in, size)
	w.at += n
	return err
}

// broken tells an end in the middle of something from one between two fields.
func broken(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
