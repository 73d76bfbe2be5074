package metrics

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// readJSON reads a PodMetricsList item by item, for implementations that do not speak protobuf.
func (l *listing) readJSON(in io.Reader) error {
	list := &jsonList{listing: l, portion: portion{in: in}}
	list.decoder = json.NewDecoder(&list.portion)
	if err := list.token('{'); err != nil {
		return err
	}
	for list.more() {
		if err := list.field(); err != nil {
			return err
		}
	}
	if err := list.token('}'); err != nil {
		return err
	}
	if list.left = largest; list.decoder.More() {
		return errors.New("the answer goes on behind its end")
	}
	return checkKind(list.kind)
}

// jsonList is a LIST in JSON that is being read. Its fields come in any order.
type jsonList struct {
	*listing
	portion
	decoder *json.Decoder
	kind    string
	// found says that there were items.
	found bool
}

// portion bounds what is read for one value, which the decoder holds as a whole.
type portion struct {
	in   io.Reader
	left int
}

// Read implements io.Reader.
func (p *portion) Read(b []byte) (int, error) {
	if p.left == 0 {
		return 0, &excess{"an item has more than " + sizeText(largest)}
	}
	n, err := p.in.Read(b[:min(len(b), p.left)])
	p.left -= n
	return n, err
}

// more says whether the list or the object goes on; where the answer breaks off it does not.
func (l *jsonList) more() bool {
	l.left = largest
	return l.decoder.More()
}

// token reads one that has to come next.
func (l *jsonList) token(want json.Delim) error {
	l.left = largest
	got, err := l.decoder.Token()
	if err == nil && got != want {
		err = fmt.Errorf("%v instead of %v in the answer", got, want)
	}
	return err
}

// field reads a field of the list; those that do not matter are read over.
func (l *jsonList) field() error {
	l.left = largest
	name, err := l.decoder.Token()
	if err != nil {
		return err
	}
	switch name {
	case "items":
		return l.items()
	case "kind":
		return l.decoder.Decode(&l.kind)
	}
	var other json.RawMessage
	return l.decoder.Decode(&other)
}

func (l *jsonList) items() error {
	if l.found {
		return errors.New("the answer has items twice")
	}
	l.found = true
	switch begin, err := l.decoder.Token(); {
	case err != nil:
		return err
	case begin == nil: // null
		return nil
	case begin != json.Delim('['):
		return fmt.Errorf("items are %v instead of a list", begin)
	}
	var text json.RawMessage
	for l.more() {
		if err := l.decoder.Decode(&text); err != nil {
			return err
		}
		var item jsonItem
		err := utiljson.Unmarshal(text, &item)
		if err := l.add(item.whole(), err); err != nil {
			return err
		}
	}
	return l.token(']')
}
