package sources

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/sets"
)

// dialer makes all connections of a client. Whatever a name resolves to, and whatever a server sends it on to, it connects neither to
// addresses that a machine has for itself, such as those of a cloud's credentials, nor to the API server. What is checked is the address that is
// dialled and not a name, which may resolve to something else a moment later.
type dialer struct {
	env Env
	// tls is how connections are encrypted; encrypted says whether they are.
	tls       *TLS
	encrypted bool
	// hosts are the only ones that are dialled; nil is any that the system names as its members.
	hosts sets.Set[string]
	// local says that the administrator has written down a loopback address.
	local bool
	// most is how many bytes may come in on a connection before something is sent again; 0 is any number.
	most int64
	net  net.Dialer
}

// dialTimeout is for a connection whose caller has no deadline.
const dialTimeout = 10 * time.Second

// newDialer dials only the given hosts, which are addresses or names, with or without a port. encrypted is whether its connections are; t
// may be nil then, too.
func newDialer(env Env, t *TLS, encrypted bool, hosts ...string) *dialer {
	d := newMemberDialer(env, t, encrypted, hosts...)
	d.hosts = sets.New[string]()
	for _, host := range hosts {
		d.hosts.Insert(hostOf(host))
	}
	return d
}

// newMemberDialer also dials hosts that the given ones name: the members of a cluster, of which the file has but a few.
func newMemberDialer(env Env, t *TLS, encrypted bool, hosts ...string) *dialer {
	t.warn(env)
	d := &dialer{env: env, tls: t, encrypted: encrypted}
	for _, host := range hosts {
		d.local = d.local || isLocal(hostOf(host))
	}
	d.net = net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second,
		Control: func(_, address string, _ syscall.RawConn) error { return d.allow(address) }}
	return d
}

// hostOf is a host without its port, as hosts are compared.
func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		address = host
	}
	return strings.TrimSuffix(strings.ToLower(strings.Trim(address, "[]")), ".")
}

// isLocal says whether a host is this machine by what it is called, and not by what its name resolves to.
func isLocal(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.Unmap().IsLoopback()
}

// dial connects to host:port, with TLS where connections are encrypted.
func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	connection, err := d.dialPlain(ctx, network, address)
	if err != nil || !d.encrypted {
		return connection, err
	}
	config, err := d.config(address)
	if err != nil {
		return nil, errors.Join(err, connection.Close())
	}
	encrypted := tls.Client(connection, config)
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if err := encrypted.HandshakeContext(ctx); err != nil {
		_ = connection.Close()
		return nil, explainConnection(err)
	}
	return encrypted, nil
}

// config is that of one connection, for protocols that agree upon TLS after they have begun.
func (d *dialer) config(address string) (*tls.Config, error) {
	return d.tls.config(d.env, hostOf(address))
}

// dialPlain connects without TLS, for protocols that agree upon it after they have begun.
func (d *dialer) dialPlain(ctx context.Context, network, address string) (net.Conn, error) {
	if host := hostOf(address); !strings.HasPrefix(network, "tcp") || d.hosts != nil && !d.hosts.Has(host) {
		return nil, refusedAddress(fmt.Errorf("%s over %s is not what the file says", address, network))
	}
	connection, err := d.net.DialContext(ctx, network, address)
	if err != nil {
		return nil, explainConnection(err)
	}
	if d.most > 0 {
		connection = &metered{Conn: connection, most: d.most}
	}
	return connection, nil
}

// tooMuch is the failure of an answer with more bytes than are read.
func tooMuch(most int) error {
	return fault("answered more than is read", fmt.Errorf("an answer has more than %d bytes", most))
}

// mostOfBroker is how many bytes a broker may answer to what was sent to it: what libraries read of it is in memory.
const mostOfBroker = 16 << 20

// metered is a connection of a protocol in which one side speaks at a time. It fails where more is answered than may be.
type metered struct {
	net.Conn
	most int64
	came atomic.Int64
}

// Read is net.Conn's.
func (m *metered) Read(p []byte) (int, error) {
	n, err := m.Conn.Read(p)
	if m.came.Add(int64(n)) > m.most {
		return 0, tooMuch(int(m.most))
	}
	return n, err
}

// Write is net.Conn's.
func (m *metered) Write(p []byte) (int, error) {
	m.came.Store(0)
	return m.Conn.Write(p)
}

// explainConnection is a Fault that says why there is no connection.
func explainConnection(err error) error {
	var already *Fault
	var certificate *tls.CertificateVerificationError
	var remote *net.OpError
	var record tls.RecordHeaderError
	var name *net.DNSError
	switch {
	case errors.As(err, &already): // with all around it, by which libraries know that another member may be tried
		return fault(already.Told, err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &certificate):
		return fault("has a certificate that is not trusted", err)
	case errors.As(err, &remote) && remote.Op == "remote error": // an alert of TLS
		return fault("refused the TLS connection", err)
	case errors.As(err, &record):
		return fault("does not speak TLS", err)
	case errors.As(err, &name):
		return fault("has a name that cannot be resolved", err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fault("refused the connection", err)
	}
	return fault("cannot be reached", err)
}

// refusedAddress is the failure of an address that is not dialled.
func refusedAddress(err error) error { return fault("has an address that is not dialled", err) }

// allow refuses addresses that no source can have.
func (d *dialer) allow(address string) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return refusedAddress(fmt.Errorf("%q is no address: %w", address, err))
	}
	for _, ip := range meant(to.Addr()) {
		switch {
		case ip.IsLinkLocalUnicast(), ip.IsMulticast(), ip.IsUnspecified(), ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}), reserved.Has(ip):
			return refusedAddress(fmt.Errorf("%s is an address that machines have for themselves", to))
		case ip.IsLoopback() && !d.local:
			return refusedAddress(fmt.Errorf("%s is this machine, which the file does not say", to))
		case d.env.Refused != nil && d.env.Refused(netip.AddrPortFrom(ip, to.Port())):
			return refusedAddress(fmt.Errorf("%s is the API server", to))
		}
	}
	return nil
}

// reserved are addresses, other than link-local ones, at which clouds tell their machines credentials.
var reserved = sets.New(
	netip.MustParseAddr("100.100.100.200"), // Alibaba
	netip.MustParseAddr("168.63.129.16"),   // Azure
	netip.MustParseAddr("192.0.0.192"),     // Oracle
	netip.MustParseAddr("fd00:ec2::254"),   // AWS
	netip.MustParseAddr("fd20:ce::254"),    // Google
)

// meant are the addresses that an address leads to: itself, and an IPv4 one in it.
//
//	::ffff:a.b.c.d   IPv4-mapped
//	::a.b.c.d        IPv4-compatible (RFC 4291)
//	64:ff9b::a.b.c.d NAT64 (RFC 6052), and 64:ff9b:1::/48 (RFC 8215)
//	2002:ab:cd::     6to4 (RFC 3056)
func meant(ip netip.Addr) []netip.Addr {
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return []netip.Addr{ip}
	}
	all, b := []netip.Addr{ip}, ip.As16()
	for _, prefix := range []string{"::/96", "64:ff9b::/96", "64:ff9b:1::/48"} {
		if netip.MustParsePrefix(prefix).Contains(ip) && ip != netip.IPv6Loopback() && !ip.IsUnspecified() {
			all = append(all, netip.AddrFrom4([4]byte(b[12:])))
		}
	}
	if netip.MustParsePrefix("2002::/16").Contains(ip) {
		all = append(all, netip.AddrFrom4([4]byte(b[2:6])))
	}
	return all
}
