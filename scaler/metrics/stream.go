package metrics

import (
	"bufio"
	"errors"
	"io"

	"github.com/mini-hpa/mini-hpa/scaler/sample"
)

// window is how much of an answer is read at a time.
const window = 64 << 10

// mostExpected is how many samples an answer may be expected to have, whatever the one before had: as many pods as the largest cluster that
// Kubernetes supports.
const mostExpected = 150_000

// readList reads the body of a LIST item by item. For 25,000 pods the body has 6 MB and the decoded list 50 MB, which would be the largest
// thing in the controller's memory every 15 seconds. Any error fails the whole list, except that complete items with a bad content are
// left out. As many samples are expected as there were in the answer before: a list that grows while it is read is copied again and again, and
// that takes some four times its memory in all.
func readList(body io.Reader, expected int) (Listing, error) {
	return readAtMost(body, expected, keepable)
}

func readAtMost(body io.Reader, expected, keepable int) (Listing, error) {
	in := bufio.NewReaderSize(body, window)
	start, err := in.Peek(len(magic))
	if err != nil && (len(start) == 0 || !errors.Is(err, io.EOF)) {
		return Listing{}, broken(err)
	}
	l := &listing{Listing: Listing{Samples: make([]sample.Pod, 0, min(expected, mostExpected))}, known: names{}, keepable: keepable}
	if string(start) == magic {
		err = l.readProto(in)
	} else {
		err = l.readJSON(in)
	}
	if err != nil {
		return Listing{}, broken(err)
	}
	return l.Listing, nil
}
