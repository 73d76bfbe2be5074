package sources

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

// TestHowASourceStands: what came of its newest request, and since when it has not answered. A question that it has no answer to is no failure of it.
func TestHowASourceStands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var failure error
		s, _ := asking(&system{answer: func(context.Context, metrics.Question) (metrics.Answer, error) {
			time.Sleep(time.Second)
			if failure != nil {
				return metrics.Answer{}, failure
			}
			return counted(7)
		}}, 0)
		ask := func(next error) Status {
			failure = next
			time.Sleep(15 * time.Second)
			_, _ = s.Ask(t.Context(), asked("q"))
			return s.status()
		}
		if got := s.status(); got != (Status{Name: "rabbit", Type: "test"}) {
			t.Errorf("before it was asked: %+v", got)
		}
		began := time.Now().Add(15 * time.Second)
		want := Status{Name: "rabbit", Type: "test", Last: Request{began, time.Second, 1, resultOK}, Answered: began.Add(time.Second)}
		if got := ask(nil); got != want {
			t.Errorf("it answers: %+v, want %+v", got, want)
		}
		if got := ask(unanswered("has no queue of that name", nil)); got.Failure != "" || got.Last.Result != resultOK {
			t.Errorf("it has no answer to one question: %+v", got)
		}
		for range mostFailures {
			if got := ask(fault("refused the credentials", nil)); !strings.HasPrefix(got.Failure, "refused the credentials (id ") || got.Last.Result != resultFailed || got.Answered.IsZero() {
				t.Errorf("it fails: %+v", got)
			}
		}
		if got := s.status(); got.Resting != 1 {
			t.Errorf("it is left alone for nobody: %+v", got)
		}
		if got := ask(nil); got.Failure != "" || got.Resting != 0 || got.Last.Result != resultOK {
			t.Errorf("it answers again: %+v", got)
		}
	})
}

// TestHowTheSourcesOfAFileStand: also one that cannot be opened, and not what stands in no file; and why the file is not right.
func TestHowTheSourcesOfAFileStand(t *testing.T) {
	text, failure := `{version: v1, sources: [
		{name: cache, type: redis, addresses: ["cache:6379"], allow: {list: ["$namespace:*"]}},
		{name: billing, type: http, url: "https://billing", tls: {caFile: /none}, namespaces: ["*"], queries: [{name: q, path: /}]}]}`, error(nil)
	s := NewSet(SetConfig{Path: "/sources.yaml", Connect: true, Env: Env{Log: zap.NewNop(), ReadFile: func(path string) ([]byte, error) {
		if path != "/sources.yaml" {
			return nil, os.ErrNotExist
		}
		return []byte(text), failure
	}}})
	all, fileError := s.Status()
	if len(all) != 2 || all[0].Name != "billing" || all[1] != (Status{Name: "cache", Type: "redis"}) || fileError != "" {
		t.Errorf("%+v, %q", all, fileError)
	}
	failure = errors.New("gone")
	s.look()
	if all, fileError = s.Status(); len(all) != 2 || fileError != "gone" {
		t.Errorf("of a file that is gone: %+v, %q", all, fileError)
	}
	failure = nil
	s.look()
	if _, fileError = s.Status(); fileError != "" {
		t.Errorf("of a file that is there again: %q", fileError)
	}
}
