//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

// load is what was measured of one contender in one round.
type load struct {
	// PerSecond is how many requests were answered each second by Clients that ask one after the other.
	PerSecond float64
	// CPU is what the way takes of a processor for each of these requests. Other than times it hardly depends on what else the machine does.
	CPU time.Duration
	// P50 and P99 are how long answers take while fewer are asked than could be answered.
	P50, P99 time.Duration
	// Failed is how many got another answer than they should, or none.
	Failed int
}

const (
	// clients ask at a time for the throughput; quiet is how many at a fixed rate.
	clients = 32
	quiet   = 8
	// rate is how many requests are sent in a second while latency is measured.
	rate = 500
)

// measure asks for so long, twice.
func measure(ctx context.Context, c *contender, takes time.Duration) (load, error) {
	address := c.address
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: clients, MaxConnsPerHost: clients}}
	defer client.CloseIdleConnections()
	var l load
	warm, cancel := context.WithTimeout(ctx, takes/5)
	ask(warm, client, address, clients, 0)
	cancel()
	before, err := c.cpu()
	if err != nil {
		return l, err
	}
	full, cancel := context.WithTimeout(ctx, takes)
	begun := time.Now()
	times, failed := ask(full, client, address, clients, 0)
	cancel()
	l.PerSecond, l.Failed = float64(len(times))/time.Since(begun).Seconds(), failed
	used, err := c.cpu()
	if err != nil {
		return l, err
	}
	l.CPU = (used - before) / time.Duration(max(1, len(times)))
	slow, cancel := context.WithTimeout(ctx, takes)
	times, failed = ask(slow, client, address, quiet, time.Second*quiet/rate)
	cancel()
	l.Failed += failed
	if slices.Sort(times); len(times) > 0 {
		l.P50, l.P99 = times[len(times)/2], times[len(times)*99/100]
	}
	return l, nil
}

// ask has so many ask until ctx ends, each once in a period, and counts from when it was due.
func ask(ctx context.Context, client *http.Client, address string, n int, period time.Duration) (times []time.Duration, failed int) {
	var mu sync.Mutex
	var asking sync.WaitGroup
	for i := range n {
		asking.Go(func() {
			var own []time.Duration
			lost := 0
			due := time.Now().Add(period * time.Duration(i) / time.Duration(n))
			for ctx.Err() == nil {
				if period > 0 {
					time.Sleep(time.Until(due)) //nolint:forbidigo // the rate is what is asked for
				} else {
					due = time.Now()
				}
				if err := once(client, address); err != nil {
					lost++
				} else {
					own = append(own, time.Since(due))
				}
				due = due.Add(period)
			}
			mu.Lock()
			defer mu.Unlock()
			times, failed = append(times, own...), failed+lost
		})
	}
	asking.Wait()
	return times, failed
}

func once(client *http.Client, address string) error {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+address+"/", http.NoBody)
	if err != nil {
		return err
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if n, err := io.Copy(io.Discard, answer.Body); err != nil || n != answerSize || answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%d bytes, status %d: %w", n, answer.StatusCode, err)
	}
	return nil
}
