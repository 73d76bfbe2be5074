//go:build unix

package binaries

import (
	"fmt"
	"io"
	"time"
)

// reportInterval is how often a long build says that it is still at it.
const reportInterval = 10 * time.Second

// progress tells a waiting person what is being built and for how long.
type progress struct {
	out         io.Writer
	began       time.Time
	total, done int
}

func (p *progress) say(format string, args ...any) {
	_, _ = fmt.Fprintf(p.out, "controlplane: "+format+"\n", args...) // nobody is helped by a build that fails for its terminal
}

// track runs work and reports its start, its duration so far, and its end.
func (p *progress) track(name string, work func() error) error {
	began := time.Now()
	p.done++
	p.say("building %s (%d of %d)", name, p.done, p.total)
	result := make(chan error, 1)
	go func() { result <- work() }()
	tick := time.NewTicker(reportInterval)
	defer tick.Stop()
	for {
		select {
		case err := <-result:
			if err == nil {
				p.say("built %s in %s", name, since(began))
			}
			return err
		case <-tick.C:
			p.say("building %s (%d of %d): %s, %s in total", name, p.done, p.total, since(began), since(p.began))
		}
	}
}

func since(t time.Time) time.Duration { return time.Since(t).Round(time.Second) }
