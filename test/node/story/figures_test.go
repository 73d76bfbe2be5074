//go:build linux

package story

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mini-hpa/mini-hpa/test/node/calls"
	"github.com/mini-hpa/mini-hpa/test/rig"
)

func TestTimelines(t *testing.T) {
	t.Parallel()
	ledger := &calls.Ledger{}
	ledger.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/began", strings.NewReader("answers-1")))
	began := ledger.Began("answers-1")
	ledger.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/began", strings.NewReader("answers-1"))) // after a crash
	if again := ledger.Began("answers-1"); !again.Equal(began) {
		t.Errorf("it began at %s, and again at %s", began, again)
	}
	at := func(ms int) time.Time { return began.Add(time.Duration(ms-700) * time.Millisecond) } // it begins at 700
	record := func(verb, user, resource, subresource, name string, received, answered int) rig.Record {
		text, err := json.Marshal(map[string]any{"verb": verb, "user": map[string]any{"username": user}, "responseStatus": map[string]any{"code": 200},
			"requestReceivedTimestamp": at(received), "stageTimestamp": at(answered),
			"objectRef": map[string]any{"resource": resource, "subresource": subresource, "namespace": shop, "name": name}})
		if err != nil {
			t.Fatal(err)
		}
		var r rig.Record
		if err := json.Unmarshal(text, &r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	records := []rig.Record{
		record("update", account, "deployments", "scale", answers, -5000, -4990),
		record("get", account, "deployments", "scale", answers, 20, 25),
		record("update", "somebody", "deployments", "scale", answers, 26, 27),
		record("update", account, "deployments", "scale", answers, 30, 40),
		record("create", "system:kube-scheduler", "pods", "binding", "answers-2", 90, 99), // which is ready later
		record("create", "system:kube-scheduler", "pods", "binding", "answers-1", 100, 120),
	}
	ready := []readiness{{at(-9000), "answers-0"}, {at(1500), "answers-1"}, {at(9000), "answers-2"}}
	all := timelines([]awakening{{at(0), at(1550)}, {at(20000), at(21000)}}, records, ready, ledger)
	if len(all) != 1 {
		t.Fatalf("%d timelines, want the one that is known in all its parts", len(all))
	}
	want := []int64{1550, 40, 80, 580, 800, 50}
	for i, s := range all[0].spans() {
		if s.takes().Milliseconds() != want[i] {
			t.Errorf("%s: %s, want %d ms", s.what, s.takes(), want[i])
		}
	}
	if text := all[0].text(); !strings.Contains(text, "      40 ms  the API server has answered that\n") || strings.HasSuffix(text, "\n") {
		t.Errorf("it is told as\n%s", text)
	}
	picture := all[0].draw()
	for parser := xml.NewDecoder(strings.NewReader(picture)); ; {
		if _, err := parser.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, picture)
		}
	}
	if n := strings.Count(picture, "<rect"); n != 1+len(want) || !strings.Contains(picture, ">1500 ms</text>") {
		t.Errorf("%d rectangles, in\n%s", n, picture)
	}
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	var all []time.Duration
	for i := range 200 {
		all = append(all, time.Duration(200-i))
	}
	if p50, p99 := quantile(all, 50), quantile(all, 99); p50 != 100 || p99 != 198 {
		t.Errorf("p50 %d, p99 %d of 1 to 200", p50, p99)
	}
	if one := quantile(all[:1], 50); one != 200 {
		t.Errorf("of one: %d", one)
	}
}
