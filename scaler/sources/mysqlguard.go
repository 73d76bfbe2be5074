package sources

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
)

// guardedMySQL is a connection on which only comes what the driver can bear, one packet at a time. The driver trusts servers: it makes room for as many
// columns as one says, which may be more than there is memory, and a packet that is too short is a panic. TLS, upon which the protocol agrees behind the
// greeting, is made here, so that what comes within it is looked at, too; of that the driver knows nothing:
//
//	driver    guardedMySQL                server
//	  <- 0 greeting ----------- 0 greeting <-
//	               -> 1 the beginning of 2, with the flag of TLS
//	               <==== handshake ====>
//	  -- 1 login -------------- 2 login ----->
//	  <- 2 done ---------------- 3 done <-----
//	  -- 0 query --------------- 0 query ---->
type guardedMySQL struct {
	net.Conn
	// tls is how it is encrypted; nil is not at all.
	tls     *tls.Config
	secrets *secrets
	// through is what is read and written: the connection, or TLS within it.
	through io.ReadWriter
	// shift is by how much the numbers of packets are higher there than for the driver.
	shift byte
	// asked is what was sent last; isAnswered says that nothing may follow any more.
	asked      mysqlCommand
	isAnswered bool
	// packet is what is left of the one that came last.
	packet []byte
	// broken is why no more is read.
	broken error
}

func newGuardedMySQL(connection net.Conn, config *tls.Config, secrets *secrets) *guardedMySQL {
	return &guardedMySQL{Conn: connection, tls: config, secrets: secrets, through: connection}
}

// mysqlCommand is what a client asks.
type mysqlCommand int

const (
	// mysqlGreeting is nothing yet, mysqlLogin who the client is, mysqlRows the rest of an answer.
	mysqlGreeting, mysqlLogin, mysqlRows mysqlCommand = 0, -1, -2
	// mysqlQuery and mysqlExecute are commands of the protocol (COM_QUERY, COM_STMT_EXECUTE).
	mysqlQuery, mysqlExecute mysqlCommand = 0x03, 0x17
)

const (
	mysqlHeader     = 4  // bytes: a length and a number
	mysqlTLSRequest = 32 // bytes of the packet behind which TLS begins: the beginning of the login
	// mysqlCan is where a greeting says behind the version what the server can: a connection's number and twelve bytes for the password are before it.
	mysqlCan = 13
	// mysqlTLSFlag is in the second byte of what client and server say that they can (CLIENT_SSL).
	mysqlTLSFlag = 0x08
)

// Write is net.Conn's. The driver writes a packet at a time.
func (c *guardedMySQL) Write(p []byte) (int, error) {
	if len(p) < mysqlHeader {
		return c.through.Write(p)
	}
	sent := bytes.Clone(p)
	switch number := p[3]; {
	case number > 0 && c.asked == mysqlGreeting:
		if err := c.encrypt(sent); err != nil {
			return 0, err
		}
		c.asked = mysqlLogin
	case number > 0:
		c.asked = mysqlLogin
	case len(p) > mysqlHeader:
		c.asked, c.shift = mysqlCommand(p[mysqlHeader]), 0
	}
	sent[3] += c.shift
	c.isAnswered = false
	return c.through.Write(sent)
}

// encrypt begins TLS, if there is to be some, before a login is sent, to which it adds that there is.
func (c *guardedMySQL) encrypt(login []byte) error {
	if c.tls == nil {
		return nil
	}
	if len(login) < mysqlHeader+mysqlTLSRequest {
		return fmt.Errorf("a login of %d bytes", len(login))
	}
	login[mysqlHeader+1] |= mysqlTLSFlag
	request := append([]byte{mysqlTLSRequest, 0, 0, 1}, login[mysqlHeader:mysqlHeader+mysqlTLSRequest]...)
	if _, err := c.Conn.Write(request); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	inside := tls.Client(c.Conn, c.tls)
	if err := inside.HandshakeContext(ctx); err != nil {
		c.broken = explainConnection(err)
		return c.broken
	}
	c.through, c.shift = inside, 1
	return nil
}

// Read is net.Conn's.
func (c *guardedMySQL) Read(p []byte) (int, error) {
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
	if _, err := io.ReadFull(c.through, header); err != nil {
		return err
	}
	length := int(binary.LittleEndian.Uint32(header) & 0xffffff)
	if length > mostFromDatabase {
		c.broken = tooMuch(mostFromDatabase)
		return c.broken
	}
	c.packet = append(header, make([]byte, length)...)
	if _, err := io.ReadFull(c.through, c.packet[mysqlHeader:]); err != nil {
		return err
	}
	c.packet[3] -= c.shift
	if err := c.check(c.packet[mysqlHeader:]); err != nil {
		var already *Fault
		if c.broken, c.packet = err, nil; !errors.As(err, &already) {
			c.broken = unreadable(err)
		}
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
	case c.asked == mysqlGreeting:
		return c.checkGreeting(said)
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
			return fmt.Errorf("an answer that begins with %s instead of one column", c.secrets.quote(string(said), 9))
		}
	}
	return nil
}

// checkGreeting is about all of it but the name of a plugin.
func (c *guardedMySQL) checkGreeting(said []byte) error {
	version := bytes.IndexByte(said[1:], 0)
	if version < 0 {
		return errors.New("a greeting without the end of a version")
	}
	rest := said[1+version+1:]
	if err := atLeast(rest, 44); err != nil {
		return err
	}
	if c.tls != nil && rest[mysqlCan+1]&mysqlTLSFlag == 0 {
		return fault("does not speak TLS", nil)
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
