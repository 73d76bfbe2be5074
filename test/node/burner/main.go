//go:build linux

// Command burner serves HTTP and uses as much CPU time per request as the request says; it is built into an image for the node test.
//
//	GET /?cpu=20ms   answers after 20 ms of CPU time
//	GET /healthz     answers at once
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

const (
	address = ":8080"
	// most is the longest burn of one request: nobody can keep a processor busy by one.
	most = time.Second
	// headerTimeout and grace bound what a slow client can take.
	headerTimeout, grace = 5 * time.Second, 5 * time.Second
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	server := &http.Server{Addr: address, Handler: handler(burn), ReadHeaderTimeout: headerTimeout}
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	select {
	case err := <-ended:
		fmt.Fprintln(os.Stderr, "burner:", err)
		os.Exit(1)
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "burner:", err)
	}
}

func handler(burn func(time.Duration) error) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		duration, err := parse(r.URL.Query().Get("cpu"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if err := burn(duration); err != nil {
			http.Error(w, "burner: "+err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintln(w, "burnt")
	})
	return mux
}

var errRange = fmt.Errorf("cpu must be a duration from 0s to %s, such as 20ms", most)

func parse(text string) (time.Duration, error) {
	duration, err := time.ParseDuration(text)
	if err != nil || duration < 0 || duration > most {
		return 0, errRange
	}
	return duration, nil
}

// burn uses CPU time of its own thread, so that the amount is the same however many share the processors.
func burn(duration time.Duration) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return burnUntil(duration, used)
}

// burnUntil burns until a clock has gone on by duration.
func burnUntil(duration time.Duration, clock func() (time.Duration, error)) error {
	now, err := clock()
	for end := now + duration; err == nil && now < end; now, err = clock() {
		for range 10_000 {
			runtime.KeepAlive(nil)
		}
	}
	return err
}

// used is the calling thread's CPU time so far.
func used() (time.Duration, error) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_THREAD, &usage); err != nil {
		return 0, fmt.Errorf("read the thread's CPU time: %w", err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), nil
}
