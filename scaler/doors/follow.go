package doors

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/mini-hpa/mini-hpa/annotations/serves"
)

const (
	// silence is after how long without a line a connection to an activator is given up, and lost after how long without one the activator counts as gone.
	silence = 2*serves.Heartbeat + time.Second
	lost    = 3 * serves.Heartbeat
	// connecting is how long it may take until an activator answers.
	connecting = 3 * time.Second
	// firstPause and longestPause are between two tries to follow an activator.
	firstPause, longestPause = 100 * time.Millisecond, 5 * time.Second
)

// activator is a pod that holds requests.
type activator struct {
	uid  types.UID
	name string
	// addresses are the pod's, by family, node and zone where it is.
	addresses  []string
	node, zone string
	namespace  string
	port       int32
}

// follower follows the state of one activator.
type follower struct {
	activator
	// tls is what a connection is made with; nil is without TLS.
	tls func() (*tls.Config, error)
	// begins is told when a connection begins to tell the state anew, says each line of it, and breaks when it has broken off: it says whether there is anybody to try
	// again with. Ends is told when it was not heard for too long, or when nobody is there any more.
	begins func(uid types.UID)
	says   func(uid types.UID, line serves.Line)
	breaks func(uid types.UID) (again bool)
	ends   func(uid types.UID, why error)
}

// run follows until ctx ends.
func (f *follower) run(ctx context.Context) {
	began := time.Now()
	heard := began
	told := false
	backoff := f.backoff()
	for ctx.Err() == nil {
		err := f.stream(ctx, func() {
			heard, told, backoff = time.Now(), false, f.backoff()
		})
		if ctx.Err() != nil {
			return
		}
		if !f.breaks(f.uid) {
			f.ends(f.uid, errGone)
			return
		}
		if !told && hasEnded(err, heard.After(began), time.Since(heard)) {
			told = true
			f.ends(f.uid, err)
		}
		pause := backoff.Step()
		if !told {
			pause = min(pause, max(lost-time.Since(heard), firstPause))
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

var errGone = errors.New("its pod is gone")

// hasEnded says whether an activator is gone that has not been heard for a time: nobody listens any more where it has answered before, or it has been silent
// for too long. A network that does not work refuses nothing.
func hasEnded(why error, answered bool, silent time.Duration) bool {
	return silent >= lost || answered && errors.Is(why, syscall.ECONNREFUSED)
}

func (f *follower) backoff() *wait.Backoff {
	return &wait.Backoff{Duration: firstPause, Factor: 2, Jitter: 0.2, Steps: 1 << 20, Cap: longestPause}
}

// stream reads the state until it breaks off, and calls heard with each line.
func (f *follower) stream(parent context.Context, heard func()) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	watchdog := time.AfterFunc(connecting, func() { cancel(errors.New("it does not answer")) })
	defer watchdog.Stop()
	client, err := f.client()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	scheme := "https"
	if f.tls == nil {
		scheme = "http"
	}
	at := scheme + "://" + net.JoinHostPort(f.addresses[0], strconv.Itoa(int(f.port))) + serves.StatePath + "?watch=1"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return fmt.Errorf("cannot ask activator %s: %w", f.name, err)
	}
	answer, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("cannot ask activator %s: %w", f.name, because(ctx, err))
	}
	defer answer.Body.Close() // the connection ends with it
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("activator %s does not tell its state: %s", f.name, answer.Status)
	}
	f.begins(f.uid)
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, serves.MaxLine)
	for lines.Scan() {
		watchdog.Reset(silence)
		line, err := serves.ParseLine(lines.Bytes())
		if err != nil {
			return fmt.Errorf("activator %s tells what cannot be read: %w", f.name, err)
		}
		heard()
		f.says(f.uid, line)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("the state of activator %s broke off: %w", f.name, because(ctx, err))
	}
	return fmt.Errorf("activator %s has ended its state", f.name)
}

// because is why a context was cancelled, where that is why something failed.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// client makes a connection of its own: certificates may have changed since the last one.
func (f *follower) client() (*http.Client, error) {
	transport := &http.Transport{DisableCompression: true, DisableKeepAlives: true, MaxResponseHeaderBytes: 16 << 10, ResponseHeaderTimeout: connecting,
		DialContext: (&net.Dialer{Timeout: connecting}).DialContext}
	if f.tls != nil {
		config, err := f.tls()
		if err != nil {
			return nil, fmt.Errorf("cannot ask activator %s: %w", f.name, err)
		}
		transport.TLSClientConfig = config
	}
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, nil
}
