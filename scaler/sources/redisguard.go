package sources

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync/atomic"
)

// guardedRedis is a connection on which only comes what the library can bear. The library trusts servers: a reply that nobody has asked for, a
// length below 0 or above all memory, and lists in lists without end are a panic, in a goroutine of its own, where nobody could catch it. Here they
// are errors, as if the connection had broken.
type guardedRedis struct {
	net.Conn
	commands, replies respScanner
	// open is how many commands are without a reply.
	open atomic.Int64
	// broken is why no more is read.
	broken error
}

// Write is net.Conn's.
func (c *guardedRedis) Write(p []byte) (int, error) {
	commands, err := c.commands.scan(p)
	if err != nil {
		return 0, err
	}
	c.open.Add(int64(commands)) // a reply may come before Write returns
	return c.Conn.Write(p)
}

// Read is net.Conn's.
func (c *guardedRedis) Read(p []byte) (int, error) {
	if c.broken != nil {
		return 0, c.broken
	}
	n, err := c.Conn.Read(p)
	replies, problem := c.replies.scan(p[:n])
	if c.open.Add(-int64(replies)) < 0 {
		problem = errors.New("a reply that nobody has asked for")
	}
	if problem != nil {
		c.broken = unreadable(problem)
		return 0, c.broken
	}
	return n, err
}

const (
	// mostOfReply is how many bytes a reply may have, mostInReply how many values: for a hundred entries of a stream, thousands of groups, and the
	// members of a large cluster.
	mostOfReply, mostInReply = 16 << 20, 1 << 18
	// deepestReply is how many lists may be in each other. CLUSTER SHARDS has four.
	deepestReply = 8
)

// respScanner finds where values end in RESP2 and RESP3, the protocols of Redis. Of what only some clients ask for it knows nothing: pushes,
// attributes, and texts and lists of which the length is not said first.
type respScanner struct {
	secrets *secrets
	// line is what has come of one, text how many bytes of a text are still to come, with its line break.
	line []byte
	text int
	// lacking is how many values are still to come of each list that is open.
	lacking []int
	// bytes and values are those of the value at the top.
	bytes, values int
}

// scan reads on, and returns how many values at the top have ended.
func (s *respScanner) scan(p []byte) (ended int, err error) {
	for len(p) > 0 {
		n, isWhole := min(s.text, len(p)), false
		if s.text > 0 {
			s.text -= n
			isWhole = s.text == 0
		} else if n, isWhole, err = s.readLine(p); err != nil {
			return ended, err
		}
		p = p[n:]
		if s.bytes += n; s.bytes > mostOfReply {
			return ended, fmt.Errorf("a reply of more than %d bytes", mostOfReply)
		}
		if isWhole && s.isLast() {
			s.bytes, s.values, ended = 0, 0, ended+1
		}
	}
	return ended, nil
}

// readLine takes the first n bytes, of a line that may have begun before, and says whether they end a value.
func (s *respScanner) readLine(p []byte) (n int, isWhole bool, err error) {
	n = bytes.IndexByte(p, '\n') + 1
	if n == 0 {
		s.line = append(s.line, p...)
		return len(p), false, nil
	}
	line := append(s.line, p[:n]...)
	s.line = line[:0]
	said, ok := bytes.CutSuffix(line, []byte("\r\n"))
	if !ok || len(said) == 0 {
		return n, false, errors.New("a line with nothing in it, or with another end")
	}
	isWhole, err = s.begin(said[0], said[1:])
	return n, isWhole, err
}

// begin begins a value, and says whether that is all of it.
func (s *respScanner) begin(kind byte, said []byte) (isWhole bool, err error) {
	switch kind {
	case '+', ':', ',', '(':
		return true, nil
	case '-':
		return true, s.checkRedirect(said)
	case '_', '#':
		if want := map[byte]int{'_': 0, '#': 1}[kind]; len(said) != want {
			return false, fmt.Errorf("%d characters behind %q", len(said), kind)
		}
		return true, nil
	case '$', '=', '*', '~', '%':
	default:
		return false, fmt.Errorf("a value of the type %q", kind)
	}
	length, err := strconv.Atoi(string(said))
	switch isText := kind == '$' || kind == '='; {
	case err != nil || length < -1 || length < 0 && kind == '%':
		return false, fmt.Errorf("%s behind %q", s.secrets.quote(string(said), mostQuoted), kind)
	case length < 0: // what there was before RESP3 had null
		return true, nil
	case isText && length > mostOfReply:
		return false, fmt.Errorf("a text of %d bytes", length)
	case isText:
		s.text = length + len("\r\n")
		return false, nil
	case length > mostInReply:
		return false, fmt.Errorf("a list of %d values", length)
	}
	if kind == '%' {
		length *= 2
	}
	if s.values += length; s.values > mostInReply || len(s.lacking) == deepestReply {
		return false, fmt.Errorf("%d values, in %d lists in each other", s.values, len(s.lacking)+1)
	}
	if length > 0 {
		s.lacking = append(s.lacking, length)
	}
	return length == 0, nil
}

// checkRedirect fails if an error sends on to nowhere: of "MOVED SLOT ADDRESS" the library takes the third word without looking whether there is one.
func (s *respScanner) checkRedirect(said []byte) error {
	for _, word := range []string{"MOVED", "ASK", "REDIRECT"} {
		if bytes.HasPrefix(said, []byte(word)) && bytes.Count(said, []byte(" ")) < 2 {
			return fmt.Errorf("%s without an address", s.secrets.quote(string(said), mostQuoted))
		}
	}
	return nil
}

// isLast says whether the value that has ended is the last of all lists that it is in.
func (s *respScanner) isLast() bool {
	for len(s.lacking) > 0 {
		innermost := &s.lacking[len(s.lacking)-1]
		if *innermost--; *innermost > 0 {
			return false
		}
		s.lacking = s.lacking[:len(s.lacking)-1]
	}
	return true
}
