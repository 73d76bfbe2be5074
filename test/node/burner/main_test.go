//go:build linux

package main

import (
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
	before := used()
	burn(asked)
	if burnt := used() - before; burnt < asked || burnt > most {
		t.Errorf("burnt %s, asked for %s", burnt, asked)
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
		handler().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, target, nil))
		if recorder.Code != want {
			t.Errorf("%s: got %d, want %d", target, recorder.Code, want)
		}
	}
}
