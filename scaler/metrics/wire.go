package metrics

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The wire types of the protobuf encoding that fields of Kubernetes' messages can have.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

// fields hands on those of a message that are not numbers, which only newer versions of these messages could have.
func fields(text []byte, take func(field int32, value []byte) error) error {
	const known = 4 // the largest that is no number
	for len(text) > 0 {
		tag, n := binary.Uvarint(text)
		field, size := int32(tag>>3), uint64(0) //nolint:gosec // cut off like everywhere in protobuf
		if n <= 0 || field <= 0 || tag&7 != wireBytes && field <= known {
			return fmt.Errorf("field %d has the wire type %d", field, tag&7)
		}
		text = text[n:]
		switch tag & 7 {
		case wireVarint:
			_, n = binary.Uvarint(text)
		case wireFixed64:
			n = 8
		case wireFixed32:
			n = 4
		case wireBytes:
			size, n = binary.Uvarint(text)
		default:
			return fmt.Errorf("field %d has the wire type %d", field, tag&7)
		}
		if n <= 0 || n > len(text) || size > uint64(len(text)-n) {
			return io.ErrUnexpectedEOF
		}
		value := text[n : n+int(size)] //nolint:gosec // no more than there is
		text = text[n+len(value):]
		if tag&7 != wireBytes {
			continue
		}
		if err := take(field, value); err != nil {
			return err
		}
	}
	return nil
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
