//go:build linux

package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"
)

func TestRequestsBurnWhatTheySay(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const asked = 30 * time.Millisecond
	before, beforeErr := used()
	err := burn(asked)
	after, afterErr := used()
	if err := errors.Join(beforeErr, err, afterErr); err != nil {
		t.Fatal(err)
	}
	if burnt := after - before; burnt < asked || burnt > most {
		t.Errorf("burnt %s, asked for %s", burnt, asked)
	}
}

func TestABrokenClockEndsTheBurning(t *testing.T) {
	t.Parallel()
	broken := errors.New("no such clock")
	for name, good := range map[string]int{"at once": 0, "while it burns": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reads := 0
			err := burnUntil(most, func() (time.Duration, error) {
				if reads++; reads > good {
					return 0, broken
				}
				return 0, nil
			})
			if !errors.Is(err, broken) || reads != good+1 {
				t.Errorf("after %d reads: %v", reads, err)
			}
		})
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]int{
		"/?cpu=1ms":  http.StatusOK,
		"/?cpu=0s":   http.StatusOK,
		"/healthz":   http.StatusOK,
		"/":          http.StatusBadRequest,
		"/?cpu=-1ms": http.StatusBadRequest,
		"/?cpu=2s":   http.StatusBadRequest,
		"/?cpu=much": http.StatusBadRequest,
		"/else":      http.StatusNotFound,
	} {
		recorder := httptest.NewRecorder()
		handler(burn).ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, target, nil))
		if recorder.Code != want {
			t.Errorf("%s: got %d, want %d", target, recorder.Code, want)
		}
	}
}

func TestWhatCannotBeBurntIsNotAnsweredAsIfItWere(t *testing.T) {
	t.Parallel()
	recorder := httptest.NewRecorder()
	broken := func(time.Duration) error { return errors.New("no such clock") }
	handler(broken).ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/?cpu=1ms", nil))
	if body := recorder.Body.String(); recorder.Code != http.StatusInternalServerError || body != "burner: no such clock\n" {
		t.Errorf("got %d, %q", recorder.Code, body)
	}
}
