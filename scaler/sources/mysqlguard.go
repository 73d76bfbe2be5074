package sources

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
)

// guardedMySQL is a connection on which only comes what the driver can bear, one packet at a time. The driver trusts servers: it makes room for as many
// columns as one says, which may be more than there is memory, and a packet that is too short is a panic. What is within TLS is not seen here: the driver makes
// it.
type guardedMySQL struct {
	net.Conn
	// asked is what was sent last; isAnswered says that nothing may follow any more.
	asked      mysqlCommand
	isAnswered bool
	// packet is what is left of the one that came last.
	packet []byte
	// broken is why no more is read.
	broken error
}

// mysqlCommand is what a client asks.
type mysqlCommand int

const (
	// mysqlGreeting is nothing yet, mysqlLogin who the client is, mysqlTLS what follows in TLS, mysqlRows the rest of an answer.
	mysqlGreeting, mysqlLogin, mysqlTLS, mysqlRows mysqlCommand = 0, -1, -2, -3
	// mysqlQuery and mysqlExecute are commands of the protocol (COM_QUERY, COM_STMT_EXECUTE).
	mysqlQuery, mysqlExecute mysqlCommand = 0x03, 0x17
)

const (
	mysqlHeader     = 4  // bytes: a length and a number
	mysqlTLSRequest = 32 // bytes of the packet behind which TLS begins: the beginning of the login
)

// Write is net.Conn's. The driver writes a packet at a time.
func (c *guardedMySQL) Write(p []byte) (int, error) {
	if c.asked == mysqlTLS || len(p) <= mysqlHeader {
		return c.Conn.Write(p)
	}
	switch number := p[3]; {
	case number == 0:
		c.asked = mysqlCommand(p[mysqlHeader])
	case c.asked == mysqlGreeting && len(p) == mysqlHeader+mysqlTLSRequest:
		c.asked = mysqlTLS
	default:
		c.asked = mysqlLogin
	}
	c.isAnswered = false
	return c.Conn.Write(p)
}

// Read is net.Conn's.
func (c *guardedMySQL) Read(p []byte) (int, error) {
	if c.asked == mysqlTLS {
		return c.Conn.Read(p)
	}
	if len(c.packet) == 0 {
		if err := c.readPacket(); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.packet)
	c.packet = c.packet[n:]
	return n, nil
}

// readPacket reads one, and looks at it.
func (c *guardedMySQL) readPacket() error {
	if c.broken != nil {
		return c.broken
	}
	header := make([]byte, mysqlHeader)
	if _, err := io.ReadFull(c.Conn, header); err != nil {
		return err
	}
	length := int(binary.LittleEndian.Uint32(header) & 0xffffff)
	if length > mostFromDatabase {
		c.broken = tooMuch(mostFromDatabase)
		return c.broken
	}
	c.packet = append(header, make([]byte, length)...)
	if _, err := io.ReadFull(c.Conn, c.packet[mysqlHeader:]); err != nil {
		return err
	}
	if err := c.check(c.packet[mysqlHeader:]); err != nil {
		c.broken, c.packet = unreadable(err), nil
		return c.broken
	}
	return nil
}

// check fails for a packet that the driver cannot bear.
func (c *guardedMySQL) check(said []byte) error {
	if len(said) == 0 || c.isAnswered {
		return errors.New("a packet that nobody waits for")
	}
	switch kind := said[0]; {
	case kind == 0xff: // an error: its number, and perhaps # with a state
		c.isAnswered = true
		return atLeast(said, map[bool]int{true: 9, false: 4}[len(said) > 3 && said[3] == '#'])
	case c.asked == mysqlGreeting: // all but the name of a plugin
		version := bytes.IndexByte(said[1:], 0)
		if version < 0 {
			return errors.New("a greeting without the end of a version")
		}
		return atLeast(said[1+version+1:], 44)
	case c.asked == mysqlQuery && kind == 0, c.asked == mysqlExecute && kind == 0, c.asked == mysqlLogin && kind == 0: // done: two numbers, a state and warnings
		c.isAnswered = true
		if err := atLeast(said, 7); err != nil {
			return err
		}
		if max(said[1], said[2]) > 250 {
			return errors.New("rows were changed")
		}
	case c.asked == mysqlQuery, c.asked == mysqlExecute: // how many columns, and perhaps whether they are described
		if c.asked = mysqlRows; kind != 1 || len(said) > 2 {
			return fmt.Errorf("an answer that begins with %.9q instead of one column", said)
		}
	}
	return nil
}

// atLeast fails if there are less bytes.
func atLeast(said []byte, want int) error {
	if len(said) < want {
		return fmt.Errorf("%d bytes instead of %d", len(said), want)
	}
	return nil
}
