package rig

import (
	"bufio"
	"errors"
	"io"
	"slices"
	"time"
)

// lateLine is a line of an answer, and when it arrives.
type lateLine struct {
	at   time.Time
	text []byte
}

// lateBody is the body of an answer whose lines arrive later than they came. Those that are as late as each other stay in their order, others overtake each
// other, and the end comes last. What is under way when it is closed is lost.
type lateBody struct {
	*io.PipeReader

	body io.Closer
}

func newLateBody(body io.ReadCloser, late func(line []byte) time.Duration) io.ReadCloser {
	out, in := io.Pipe()
	came, gone := make(chan lateLine), make(chan struct{})
	var end error
	go func() {
		defer close(came)
		for from := bufio.NewReader(body); ; {
			text, err := from.ReadBytes('\n')
			select {
			case came <- lateLine{time.Now().Add(late(text)), text}:
			case <-gone:
				return
			}
			if err != nil {
				end = err
				return
			}
		}
	}()
	go func() {
		defer close(gone)
		if deliver(came, in) {
			_ = in.CloseWithError(end)
		}
	}()
	return lateBody{out, body}
}

// deliver writes each line at its time until there are no more, and then says true, or until nobody reads them.
func deliver(came <-chan lateLine, to io.Writer) bool {
	var coming []lateLine // by when they arrive
	for came != nil || len(coming) > 0 {
		var due <-chan time.Time
		if len(coming) > 0 {
			due = time.After(time.Until(coming[0].at))
		}
		select {
		case line, ok := <-came:
			if !ok {
				came = nil
				continue
			}
			at := len(coming)
			for at > 0 && coming[at-1].at.After(line.at) {
				at--
			}
			coming = slices.Insert(coming, at, line)
		case <-due:
			if _, err := to.Write(coming[0].text); err != nil {
				return false
			}
			coming = coming[1:]
		}
	}
	return true
}

// Close is io.Closer's.
func (b lateBody) Close() error { return errors.Join(b.PipeReader.Close(), b.body.Close()) }
