package metrics

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"k8s.io/apimachinery/pkg/runtime"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"github.com/mini-hpa/mini-hpa/scaler/sample"
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

// Listing is what a LIST has brought.
type Listing struct {
	Samples []sample.Pod
	// Unreadable is how many more there were that could not be read, Why the reason for the first of them; nil if there were none.
	Unreadable int
	Why        error
}

// readList reads the body of a LIST item by item. For 25,000 pods the body has 6 MB and the decoded list 50 MB, which would be the largest
// thing in the controller's memory every 15 seconds. Any error fails the whole list, except that complete items with a bad content are
// left out.
func readList(body io.Reader) (Listing, error) { return readAtMost(body, keepable) }

// keepable is what the samples of a LIST may take in memory: a third more than those of 150,000 pods of two containers do, which is the
// largest cluster that Kubernetes supports.
const keepable = 128 << 20

func readAtMost(body io.Reader, keepable int) (Listing, error) {
	in := bufio.NewReaderSize(body, window)
	start, err := in.Peek(len(magic))
	if err != nil && (len(start) == 0 || !errors.Is(err, io.EOF)) {
		return Listing{}, broken(err)
	}
	l := &listing{wire: wire{in: in}, known: names{}, keepable: keepable}
	if string(start) == magic {
		if _, err := in.Discard(len(magic)); err != nil {
			return Listing{}, err
		}
		err = l.read()
	} else {
		err = l.readJSON(in)
	}
	if err != nil {
		return Listing{}, broken(err)
	}
	return l.Listing, nil
}

// listing is a LIST that is being read.
type listing struct {
	Listing
	wire
	known names
	// spent is what the samples take in memory, about, keepable what they may.
	spent, keepable int
	// typed and found say that the envelope told the type of what it holds, and held it.
	typed, found bool
}

// add takes over an item, or what is wrong with it.
func (l *listing) add(item *metricsv1beta1.PodMetrics, err error) error {
	if err != nil {
		if l.Unreadable++; l.Why == nil {
			l.Why = fmt.Errorf("pod %s/%s: %s", item.Namespace, item.Name, quote(err.Error()))
		}
		return nil
	}
	s := sampleOf(item, l.known)
	if l.spent += sizeOf(&s); l.spent > l.keepable {
		return &excess{fmt.Sprintf("its samples, %d of which were read, take more than the %s of memory that are kept for them", len(l.Samples), sizeText(int64(l.keepable)))}
	}
	l.Samples = append(l.Samples, s)
	return nil
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
	l.typed = true
	return checkKind(got.Kind)
}

func checkKind(got string) error {
	if got != "PodMetricsList" {
		return fmt.Errorf("the answer is of kind %s instead of PodMetricsList", quote(got))
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
	return l.add(&item, unmarshal(&item, text))
}

// wire reads protobuf messages and counts the bytes.
type wire struct {
	in *bufio.Reader
	at int64
	// buffer holds one item; it is used again for the next one.
	buffer []byte
}

// ReadByte implements io.ByteReader.
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
		return nil, &excess{fmt.Sprintf("an item has %d bytes", size)}
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

// broken distinguishes an end in the middle of a field from one between two fields.
func broken(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
