package guard

import (
	"fmt"
	"net/http"
	"time"
)

// refusal is an answer that the guard gives without the handler. It repeats nothing of the request.
type refusal struct {
	reason string // the value of the metric's label
	status int
	text   string
}

// The refusals. Those with status 429 carry Retry-After. The API server's client then asks again a second later, until the
// webhook's timeout (client-go, rest/with_retry.go), and on a new connection, which may lead to another replica.
var (
	noSuchPath   = refusal{"path", http.StatusNotFound, "there is nothing here"}
	wrongMethod  = refusal{"method", http.StatusMethodNotAllowed, "only POST is answered"}
	wrongType    = refusal{"content-type", http.StatusUnsupportedMediaType, "the Content-Type must be application/json"}
	noLength     = refusal{"length", http.StatusLengthRequired, "the Content-Length must be given"}
	emptyBody    = refusal{"empty", http.StatusBadRequest, "the request has no body"}
	tooLargeBody = refusal{"too-large", http.StatusRequestEntityTooLarge, fmt.Sprintf("the body must be smaller than %d MiB", maxBody>>20)}
	tooSlow      = refusal{"slow", http.StatusRequestTimeout, "the body did not arrive in time"}
	brokenOff    = refusal{"broken-off", http.StatusBadRequest, "the body could not be read to its end"}
	noMemory     = refusal{"memory", http.StatusTooManyRequests, "too much is being received at the moment"}
	tooBusy      = refusal{"busy", http.StatusTooManyRequests, "too many requests are being answered at the moment"}
	panicked     = refusal{"panic", http.StatusInternalServerError, "the request could not be answered because of a bug"}
)

// lingerTimeout is how long the server goes on reading a refused body, so that a client that writes before it reads sees the
// answer and not a reset connection. net/http reads 256 KiB of it at most.
const lingerTimeout = time.Second

// refuse writes the refusal and has the connection closed.
func (g *guard) refuse(w http.ResponseWriter, no refusal) {
	g.refused(no.reason)
	h := w.Header()
	h.Set("Connection", "close")
	switch no.status {
	case http.StatusMethodNotAllowed:
		h.Set("Allow", http.MethodPost)
	case http.StatusTooManyRequests:
		h.Set("Retry-After", "1") // seconds
	}
	// This fails only if the connection is gone. Then the answer fails as well, which is not worth a log line.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(lingerTimeout))
	http.Error(w, no.text, no.status)
}
