//go:build linux

package story

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	// inFlight bounds the requests that wait for an answer; more are counted as failed.
	inFlight = 32
	// requestTimeout is generous: the first pod alone is overloaded for a while.
	requestTimeout = 10 * time.Second
)

// throttle sends requests at a rate that can change.
type throttle struct {
	target           string // URL
	perSecond        atomic.Int64
	answered, failed atomic.Int64
}

func (t *throttle) set(perSecond int64) { t.perSecond.Store(perSecond) }

// run sends until ctx ends. Every request has a connection of its own, so that kube-proxy spreads them over the pods.
func (t *throttle) run(ctx context.Context) {
	client := &http.Client{Timeout: requestTimeout, Transport: &http.Transport{DisableKeepAlives: true}}
	slots := make(chan struct{}, inFlight)
	for {
		wait := interval
		if rate := t.perSecond.Load(); rate > 0 {
			wait = time.Second / time.Duration(rate)
			t.send(ctx, client, slots)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

func (t *throttle) send(ctx context.Context, client *http.Client, slots chan struct{}) {
	select {
	case slots <- struct{}{}:
	default:
		t.failed.Add(1)
		return
	}
	go func() {
		defer func() { <-slots }()
		if err := t.ask(ctx, client); err != nil {
			t.failed.Add(1)
			return
		}
		t.answered.Add(1)
	}()
}

func (t *throttle) ask(ctx context.Context, client *http.Client) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, t.target, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the answer is %s", response.Status)
	}
	return nil
}
