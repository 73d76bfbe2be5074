package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// ledger is a system that an administrator lists as a source: a page of JSON for each namespace.
type ledger struct {
	address string
	open    atomic.Int64
	broken  atomic.Bool
	asked   atomic.Int64
}

const secretOfTheLedger = "password=hunter2"

func newLedger(t *testing.T) *ledger {
	l := &ledger{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.asked.Add(1)
		if l.broken.Load() {
			http.Error(w, secretOfTheLedger, http.StatusInternalServerError)
			return
		}
		fmt.Fprintf(w, `{"path": %q, "open": %d}`, r.URL.Path, l.open.Load())
	}))
	t.Cleanup(server.Close)
	l.address = server.URL
	return l
}

// list writes the administrator's file, in the way in which the kubelet replaces that of a ConfigMap.
func (l *ledger) list(t *testing.T, file string, namespaces ...string) {
	t.Helper()
	text := fmt.Sprintf("version: v1\nsources:\n- name: billing\n  type: http\n  url: %s\n  namespaces: [%s]\n  queries:\n  - {name: open-invoices, path: /tenants/$namespace, value: /open}\n",
		l.address, strings.Join(namespaces, ", "))
	if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

// TestSourceWakesAndPutsToSleep: a worker takes 100 of a source's number for each pod. It sleeps, wakes in proportion, stays while the
// source fails or the namespace may not ask any more, and sleeps again.
func TestSourceWakesAndPutsToSleep(t *testing.T) {
	t.Parallel()
	ns, l, file := shared.namespace(t), newLedger(t), filepath.Join(t.TempDir(), "sources.yaml")
	l.list(t, file, ns)
	l.open.Store(100)
	d := shared.deploy(t, ns, "worker", 1, 0, map[string]string{"sources": "billing open-invoices target=100", "min": "0", "max": "40",
		"sync-period": "1s", "scale-down-stabilization": "1s", "scale-up-policies": "4 pods/3s, 100%/3s"})
	shared.controller(t, ns, "--sources", file)
	shared.awaitLeader(t, ns)
	shared.samples(t, 2)
	d.wantHistory(1)

	l.open.Store(0)
	d.await(0)
	d.awaitState("asleep", "--sources", file)
	l.open.Store(5200) // 52 pods are needed, 40 allowed
	d.await(40)
	d.wantHistory(1, 0, 4, 8, 16, 32, 40)

	l.open.Store(0)
	l.broken.Store(true)
	if event := d.awaitEvent("FailedGetSource"); !strings.Contains(event, "billing") || strings.Contains(event, "hunter2") {
		t.Errorf("event %q, want one that names the source and not what it has answered", event)
	}
	shared.samples(t, 3)
	d.await(40)

	l.list(t, file, "somebody-else")
	d.awaitEvent("SourceForbidden")
	before := l.asked.Load()
	l.broken.Store(false)
	shared.samples(t, 3)
	d.await(40)
	if asked := l.asked.Load() - before; asked > 2 { // which were under way
		t.Errorf("the source was asked %d times for a namespace that may not ask", asked)
	}

	l.list(t, file, ns)
	d.await(0)
	if told := d.told("SourceForbidden"); told != 1 {
		t.Errorf("it was told %d times that the namespace may not ask", told)
	}
	d.wantTurns(1, 0, 40, 0) // while a failure is in the window, it keeps a replica: there may have been something to do
	d.eventually("an Event for each write, with the source's name", func(context.Context) (bool, string) {
		events := strings.Join(d.events(), "\n")
		return d.told("SuccessfulRescale") == len(d.history())-1 && strings.Contains(events, "billing@open-invoices"), events
	})
	if events := strings.Join(d.events(), "\n"); strings.Contains(events, "hunter2") {
		t.Errorf("Events have what the source has answered: %s", events)
	}
}
