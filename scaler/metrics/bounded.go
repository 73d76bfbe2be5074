package metrics

import (
	"fmt"
	"io"
	"net/http"
)

// maxBody bounds one answer: it is read into memory as a whole. 5000 values take about 2 MB of JSON.
const maxBody = 8 << 20

// bounded is a transport for APIs that cannot be trusted to be brief or prompt: answers beyond maxBody fail, and no
// server can talk the client into waiting and asking again within one question's deadline.
type bounded struct{ next http.RoundTripper }

// RoundTrip is http.RoundTripper's.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := b.next.RoundTrip(r)
	if err != nil {
		return response, err
	}
	response.Header.Del("Retry-After")
	response.Body = &boundedBody{ReadCloser: response.Body, left: maxBody}
	return response, nil
}

// WrappedRoundTripper lets client-go find the transport below, to end requests and connections.
func (b bounded) WrappedRoundTripper() http.RoundTripper { return b.next }

// boundedBody fails where it is longer than allowed; cut off, it might still parse.
type boundedBody struct {
	io.ReadCloser
	left int64
}

// Read is io.Reader's.
func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, fmt.Errorf("the answer is longer than %d MiB", maxBody>>20)
	}
	return n, err
}
