package sources

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// natsDialTimeout is how long one server may take to be connected to.
const natsDialTimeout = 2 * time.Second

// natsDialer makes connections as the library calls it, and reads on them before the library does: for a message that is said to have a terabyte
// it would make room, in a goroutine of its own, where nobody could catch what comes of that. So TLS, which NATS agrees upon in the first
// line of a server, is agreed upon here.
type natsDialer struct{ *dialer }

// SkipTLSHandshake says that Dial has made it.
func (natsDialer) SkipTLSHandshake() bool { return true }

// Dial connects, with TLS if the server wants it, or the file does.
func (d natsDialer) Dial(network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), natsDialTimeout)
	defer cancel()
	connection, err := d.dialPlain(ctx, network, address)
	if err != nil {
		return nil, err
	}
	_ = connection.SetDeadline(time.Now().Add(natsDialTimeout))
	first, err := firstOfNATS(connection)
	inside := connection
	if err == nil {
		inside, err = d.agreed(ctx, connection, address, first)
	}
	if err != nil {
		return nil, errors.Join(err, connection.Close())
	}
	_ = connection.SetDeadline(time.Time{})
	return &guardedNATS{Conn: inside, secrets: d.env.secrets, first: []byte(first)}, nil
}

// agreed is the connection with TLS, or without it where neither the server nor the file wants it. The library sends credentials on whatever is
// returned, so that a first line which is read here and there in two ways is refused, and so is a server without the TLS that the file wants.
func (d natsDialer) agreed(ctx context.Context, connection net.Conn, address, first string) (net.Conn, error) {
	text, isInfo := strings.CutPrefix(first, "INFO ")
	if err := (&guardedNATS{secrets: d.env.secrets}).takeLine(first); err != nil || !isInfo {
		return nil, unreadable(errors.Join(err, fmt.Errorf("the first line is %s", d.env.secrets.quote(first, mostQuoted))))
	}
	var info struct {
		Required  bool `json:"tls_required"`
		Available bool `json:"tls_available"`
	}
	if err := json.Unmarshal([]byte(text), &info); err != nil {
		return nil, unreadable(err)
	}
	switch {
	case d.tls == nil && !info.Required:
		return connection, nil
	case !info.Required && !info.Available:
		return nil, fault("does not speak TLS", nil)
	}
	config, err := d.config(address)
	if err != nil {
		return nil, err
	}
	encrypted := tls.Client(connection, config)
	if err := encrypted.HandshakeContext(ctx); err != nil {
		return nil, explainConnection(err)
	}
	return encrypted, nil
}

// mostOfNATSLine is how many bytes a line of the protocol may have, for the addresses of all servers of a large cluster.
const mostOfNATSLine = 256 << 10

// firstOfNATS reads the first line, and nothing behind it.
func firstOfNATS(connection net.Conn) (string, error) {
	var line []byte
	one := make([]byte, 1)
	for len(line) < mostOfNATSLine {
		if _, err := connection.Read(one); err != nil {
			return "", explainRequest(err)
		}
		if line = append(line, one[0]); one[0] == '\n' {
			return string(line), nil
		}
	}
	return "", tooMuch(mostOfNATSLine)
}

// guardedNATS is a connection on which only comes what the library can bear.
type guardedNATS struct {
	net.Conn
	secrets *secrets
	// first is what is left of the line that Dial has read.
	first []byte
	// line is what has come of one, payload how much of a message is still to come. ending says that a line break has to follow it.
	line    []byte
	payload int
	ending  bool
	// broken is why no more is read.
	broken error
}

// Read is net.Conn's.
func (c *guardedNATS) Read(p []byte) (int, error) {
	if len(c.first) > 0 {
		n := copy(p, c.first)
		c.first = c.first[n:]
		return n, nil
	}
	if c.broken != nil {
		return 0, c.broken
	}
	n, err := c.Conn.Read(p)
	if problem := c.scan(p[:n]); problem != nil {
		c.broken = unreadable(problem)
		return 0, c.broken
	}
	return n, err
}

// scan reads on.
func (c *guardedNATS) scan(p []byte) error {
	for len(p) > 0 {
		if n := min(c.payload, len(p)); n > 0 {
			c.payload, p = c.payload-n, p[n:]
			continue
		}
		n := bytes.IndexByte(p, '\n') + 1
		isWhole := n > 0
		if !isWhole {
			n = len(p)
		}
		if c.line = append(c.line, p[:n]...); len(c.line) > mostOfNATSLine {
			return fmt.Errorf("a line of more than %d bytes", mostOfNATSLine)
		}
		p = p[n:]
		if !isWhole {
			return nil
		}
		if err := c.takeLine(string(c.line)); err != nil {
			return err
		}
		c.line = c.line[:0]
	}
	return nil
}

// takeLine takes a line. It is stricter than the library, so that both agree upon where a message begins and ends.
func (c *guardedNATS) takeLine(line string) error {
	text, ok := strings.CutSuffix(line, "\r\n")
	if !ok || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' }) {
		return fmt.Errorf("the line %s", c.secrets.quote(line, mostQuoted))
	}
	if c.ending {
		if c.ending = false; text != "" {
			return fmt.Errorf("%s behind a message", c.secrets.quote(text, mostQuoted))
		}
		return nil
	}
	word, rest, _ := strings.Cut(text, " ")
	fields := strings.FieldsFunc(rest, func(r rune) bool { return r == ' ' })
	switch {
	case (word == "PING" || word == "PONG" || word == "+OK") && len(fields) == 0, (word == "INFO" || word == "-ERR") && len(fields) > 0:
		return nil
	case word == "MSG" && (len(fields) == 3 || len(fields) == 4), word == "HMSG" && (len(fields) == 4 || len(fields) == 5):
	default:
		return fmt.Errorf("the line %s", c.secrets.quote(line, mostQuoted))
	}
	size, err := strconv.ParseUint(fields[len(fields)-1], 10, 31)
	if err != nil || size > mostAnswered {
		return fmt.Errorf("a message of %s bytes", c.secrets.quote(fields[len(fields)-1], mostQuoted))
	}
	c.payload, c.ending = int(size), true
	return nil
}
