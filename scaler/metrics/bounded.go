package metrics

import (
	"fmt"
	"io"
	"net/http"
)

// mostRefused bounds what an API has to say of why it does not answer, which is read into memory as a whole.
const mostRefused = 1 << 20

// largest bounds one PodMetrics, which is in memory as a whole while it is read; they have some hundred bytes for each container.
const largest = 4 << 20

// bounded is a transport for APIs that cannot be trusted to be brief or prompt: answers of more than so many bytes fail, and no
// server can talk the client into waiting and asking again within one question's deadline. Bytes are counted as they are read, after they
// were decompressed.
type bounded struct {
	next http.RoundTripper
	most int64
	// values, if not 0, is about how many values the JSON of an answer may have. Decoded, an empty one takes a hundred times the
	// memory of its text.
	values int
}

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := b.next.RoundTrip(r)
	if err != nil {
		return response, err
	}
	response.Header.Del("Retry-After")
	most := b.most
	if response.StatusCode >= http.StatusMultipleChoices {
		most = min(most, mostRefused)
	}
	response.Body = &boundedBody{ReadCloser: response.Body, left: most, most: most, values: b.values}
	return response, nil
}

// WrappedRoundTripper lets client-go find the transport below, to end requests and connections.
func (b bounded) WrappedRoundTripper() http.RoundTripper { return b.next }

// boundedBody fails where it is longer than allowed; cut off, it might still parse.
type boundedBody struct {
	io.ReadCloser
	left, most int64
	values     int
	counted    separators
}

// Read implements io.Reader.
func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, &excess{fmt.Sprintf("it is longer than %s", sizeText(b.most))}
	}
	if b.values > 0 {
		b.counted.read(p[:n])
		if tooMuch := b.counted.judge(b.values); tooMuch != nil {
			return 0, tooMuch
		}
	}
	return n, err
}

// judge returns an error if an answer of at most so many values is too large. The exact number of values is checked, and reported, when
// they are decoded.
func (s *separators) judge(values int) error {
	const some, fields = 4, 40
	switch {
	case s.listed > some*values:
		return &excess{fmt.Sprintf("it has more than %d values, and %d are allowed", s.listed, values)}
	case s.all > fields*values:
		return &excess{fmt.Sprintf("what it says of its first %d values, such as labels, has more than %d parts, and %d are allowed", s.listed+1, s.all, fields*values)}
	}
	return nil
}

// separators counts those of JSON as it comes: what a list in the outermost object has between its items, and all.
type separators struct {
	listed, all      int
	depth            int
	quoted, verbatim bool
}

func (s *separators) read(text []byte) {
	for _, c := range text {
		switch {
		case s.verbatim:
			s.verbatim = false
		case s.quoted:
			s.verbatim, s.quoted = c == '\\', c != '"'
		case c == '"':
			s.quoted = true
		case c == '{' || c == '[':
			s.depth++
		case c == '}' || c == ']':
			s.depth--
		case c == ',':
			if s.all++; s.depth == 2 {
				s.listed++
			}
		}
	}
}

func sizeText(bytes int64) string {
	const kibi, mebi = 1 << 10, 1 << 20
	if bytes < mebi {
		return fmt.Sprintf("%d KiB", bytes/kibi)
	}
	return fmt.Sprintf("%d MiB", bytes/mebi)
}

// excess is an answer that is not read to its end because there is too much of it.
type excess struct{ text string }

// Error says what is too much.
func (e *excess) Error() string { return "the answer is not read: " + e.text }
