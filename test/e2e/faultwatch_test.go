package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/mini-hpa/mini-hpa/test/rig"
)

// line is a line of a controller's log.
type line struct {
	At      time.Time `json:"ts"`
	Level   string
	Message string `json:"msg"`
	Error   string
}

// lines are those of the log in which something is said, in the message or in the error.
func (c *controller) lines(said string) []line {
	c.t.Helper()
	log, err := os.ReadFile(c.logFile)
	if err != nil {
		c.t.Fatal(err)
	}
	var found []line
	for text := range strings.Lines(string(log)) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err == nil && (strings.Contains(l.Message, said) || strings.Contains(l.Error, said)) {
			found = append(found, l)
		}
	}
	return found
}

// awaitLine waits until the log says something, and returns the first line that does.
func (c *controller) awaitLine(said string) line {
	c.t.Helper()
	var found []line
	eventually(c.t, "the log says "+said, func(context.Context) (bool, string) {
		found = c.lines(said)
		return len(found) > 0, ""
	})
	return found[0]
}

// TestFaultSilentWatch: the watch of one kind of object is open and tells nothing, those that follow it as well. When the third one ends, that
// is told, and what happened meanwhile is known.
func TestFaultSilentWatch(t *testing.T) {
	t.Parallel()
	for resource, story := range map[string]func(t *testing.T, d *workload){
		// Nothing is written that could meet a conflict: a change of the annotations is all there is to see.
		"deployments": func(_ *testing.T, d *workload) {
			d.annotate(map[string]string{"max": "9"})
			d.await(9)
			d.annotate(map[string]string{"max": "7"})
			d.await(7)
			d.setLoad(loadFor(6)) // and a load step, whose write meets a version that the watch has not told of
			d.await(6)
			d.setLoad(loadBeyond(16))
			d.await(7)
		},
		"pods": func(_ *testing.T, d *workload) {
			d.annotate(map[string]string{"max": "16"})
			d.await(16)
		},
		"replicasets": func(t *testing.T, d *workload) {
			d.patch(map[string]any{"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{"labels": map[string]any{"version": "2"}}}}})
			d.annotate(map[string]string{"max": "16"})
			d.await(16)
		},
	} {
		t.Run(resource, func(t *testing.T) {
			t.Parallel()
			ns := shared.namespace(t)
			d := shared.deploy(t, ns, "web", 4, loadBeyond(16), map[string]string{"target-cpu": "50", "max": "4", "scale-down-stabilization": "0s",
				"scale-up-policies": "20 pods/1s"})
			proxy, through := shared.proxied(t, ns)
			c := shared.controller(t, ns, through...)
			shared.awaitLeader(t, ns)
			shared.samples(t, 3)
			d.wantHistory(4)

			silent := time.Now()
			lift := proxy.Break(rig.On("watch", resource), rig.Fault{Silence: true})
			story(t, d)
			told := c.awaitLine("watching " + resource + ": ")
			t.Logf("told after %s: %s", told.At.Sub(silent).Round(time.Second), told.Error)
			begun := proxy.Seen(rig.On("watch", resource).Before(told.At))
			begun = slices.DeleteFunc(begun, func(r rig.Request) bool { return r.At.Before(silent) })
			if len(begun) > 3 { // two, and the next one, which begins when the third has ended
				t.Errorf("told when %d watches had begun after the one that became silent", len(begun))
			}
			lift()
			d.annotate(map[string]string{"max": "3"})
			d.await(3)
		})
	}
}

// TestFaultExpiredWatch: every watch is answered with 410, in place of one or in the midst of it. Objects are listed instead, and
// that costs about one request a second.
func TestFaultExpiredWatch(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]rig.Fault{
		"refused":  {Answer: http.StatusGone},
		"streamed": {Answer: http.StatusGone, InStream: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lasts := 20 * time.Second
			if *long {
				lasts = 3 * time.Minute
			}
			ns := shared.namespace(t)
			d := shared.deploy(t, ns, "web", 2, loadFor(2), map[string]string{"target-cpu": "50", "max": "10"})
			proxy, through := shared.proxied(t, ns)
			c := shared.controller(t, ns, through...)
			shared.awaitLeader(t, ns)
			shared.samples(t, 3)
			d.wantHistory(2)

			since := time.Now()
			lift := proxy.Break(rig.On("watch", ""), fault)
			proxy.Cut()
			proxy.Mend() // which ends the watches that are open
			d.setLoad(loadFor(4))
			d.await(4)
			c.awaitLine("watches in a row ended before they had begun")
			<-time.After(time.Until(since.Add(lasts)))
			requests := len(proxy.Seen(rig.On("watch", ""))) + len(proxy.Seen(rig.On("list", "")))
			seconds := time.Since(since).Seconds()
			t.Logf("%d lists and watches of 5 kinds of objects in %.0f s", requests, seconds)
			if float64(requests) > 5*seconds+50 {
				t.Errorf("%d lists and watches in %.0f s, want at most one a second for each of 5 kinds", requests, seconds)
			}
			lift()
			d.setLoad(loadFor(8))
			d.await(8)
		})
	}
}

// awaitUnreached waits until the log has told that the API server cannot be reached or that a watch of it is not answered, and a while later
// has told it once more, each time with the address. It returns the first line.
func (c *controller) awaitUnreached(server string) line {
	c.t.Helper()
	var found []line
	eventually(c.t, "the log tells again and again that "+server+" cannot be reached", func(context.Context) (bool, string) {
		found = slices.DeleteFunc(c.lines(server), func(l line) bool { return l.Message != unreachable && !strings.HasPrefix(l.Error, "watching ") })
		return len(found) > 0 && found[len(found)-1].At.Sub(found[0].At) >= time.Second, fmt.Sprint(found)
	})
	return found[0]
}

// unreachable is the message of a line about the API server, where nothing listens or a connection has ended.
const unreachable = "cannot reach the API server"

// TestFaultUnreachable: what cannot be reached is said at once, with its address, and each time when it is tried again. Who is told to
// end meanwhile does.
func TestFaultUnreachable(t *testing.T) {
	t.Parallel()
	for name, story := range map[string]struct {
		cut func(*rig.Proxy)
		// lost is what the log says when a connection is lost, and again of a further try; "" where each kind of object has its own words.
		lost, again string
	}{
		"closed":    {(*rig.Proxy).Cut, unreachable, "(try 2 in "},
		"swallowed": {(*rig.Proxy).Swallow, "http2: client connection lost", ""}, // pings are sent after 30 s in which nothing came
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ns := shared.namespace(t)
			shared.deploy(t, ns, "web", 2, 1000, map[string]string{"target-cpu": "50", "max": "10"})
			proxy, through := shared.proxied(t, ns)
			config, err := clientcmd.BuildConfigFromFlags("", through[1])
			if err != nil {
				t.Fatal(err)
			}
			story.cut(proxy)
			started := time.Now()
			c := shared.controller(t, ns, through...)
			told := c.awaitUnreached(config.Host)
			t.Logf("told after %s: %s", told.At.Sub(started).Round(time.Millisecond), told.Error)
			c.awaitLine(story.again)
			wantEnd(c)

			proxy.Mend()
			c = shared.controller(t, ns, through...)
			shared.awaitLeader(t, ns)
			shared.samples(t, 2)
			story.cut(proxy)
			lost := time.Now()
			told = c.awaitLine(story.lost)
			t.Logf("told after %s: %s", told.At.Sub(lost).Round(time.Millisecond), told.Error)
			c.awaitUnreached(config.Host)
			c.awaitLine(story.again)
			wantEnd(c)
			proxy.Mend()
		})
	}
}

// wantEnd ends a controller and fails where that takes longer than anything but a wait that nothing cuts short. A pod has 30 s.
func wantEnd(c *controller) {
	c.t.Helper()
	const limit = 25 * time.Second
	ending := time.Now()
	c.terminate()
	took := time.Since(ending)
	c.t.Logf("ended %s after SIGTERM", took.Round(time.Millisecond))
	if took > limit {
		c.t.Errorf("ended only %s after SIGTERM", took)
	}
}
