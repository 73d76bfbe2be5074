package sources

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/zap"
	"golang.org/x/net/dns/dnsmessage"
)

// environment is that of a client in tests.
func environment() Env { return Env{Log: zap.NewNop(), ReadFile: os.ReadFile} }

// nameserver answers every question with one address, which may be another one each time.
func nameserver(t *testing.T, answer func() string) *net.Resolver {
	t.Helper()
	listener, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := listener.ReadFrom(buffer)
			if err != nil {
				return
			}
			var message dnsmessage.Message
			if message.Unpack(buffer[:n]) != nil {
				continue
			}
			message.Response, message.Additionals = true, nil
			question, ip := message.Questions[0], netip.MustParseAddr(answer())
			header := dnsmessage.ResourceHeader{Name: question.Name, Type: question.Type, Class: question.Class}
			switch {
			case question.Type == dnsmessage.TypeA && ip.Is4():
				message.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AResource{A: ip.As4()}}}
			case question.Type == dnsmessage.TypeAAAA && ip.Is6():
				message.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AAAAResource{AAAA: ip.As16()}}}
			}
			packed, err := message.Pack()
			if err == nil {
				_, _ = listener.WriteTo(packed, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", listener.LocalAddr().String())
	}}
}

// told is what a tenant reads of an error.
func told(err error) string {
	var f *Fault
	if errors.As(err, &f) {
		return f.Told
	}
	return ""
}

const notDialled = "has an address that is not dialled"

// TestAddressesThatNoSourceHas: an administrator's file names them, or a name resolves to them, or the member of a cluster has them.
func TestAddressesThatNoSourceHas(t *testing.T) {
	apiServer := netip.MustParseAddrPort("10.96.0.1:443")
	env := environment()
	env.Refused = func(to netip.AddrPort) bool { return to == apiServer }
	for name, address := range map[string]string{
		"a cloud's credentials":             "169.254.169.254:80",
		"the credentials of tasks of ECS":   "169.254.170.2:80",
		"link-local, IPv4":                  "169.254.0.7:9090",
		"link-local, IPv6":                  "[fe80::1]:80",
		"link-local with a zone":            "[fe80::1%lo]:80",
		"IPv4-mapped":                       "[::ffff:169.254.169.254]:80",
		"IPv4-mapped, in hexadecimal":       "[::ffff:a9fe:a9fe]:80",
		"IPv4-compatible":                   "[::a9fe:a9fe]:80",
		"NAT64":                             "[64:ff9b::a9fe:a9fe]:80",
		"NAT64 of a network":                "[64:ff9b:1::a9fe:a9fe]:80",
		"6to4":                              "[2002:a9fe:a9fe::1]:80",
		"AWS, IPv6":                         "[fd00:ec2::254]:80",
		"Google, IPv6":                      "[fd20:ce::254]:80",
		"Alibaba":                           "100.100.100.200:80",
		"Azure":                             "168.63.129.16:80",
		"Oracle":                            "192.0.0.192:80",
		"no address, which is this machine": "0.0.0.0:80",
		"no address, IPv6":                  "[::]:80",
		"multicast":                         "224.0.0.1:80",
		"broadcast":                         "255.255.255.255:80",
		"this machine":                      "127.0.0.1:80",
		"this machine, otherwise":           "127.9.9.9:80",
		"this machine, IPv6":                "[::1]:80",
		"this machine, IPv4-mapped":         "[::ffff:127.0.0.1]:80",
		"the API server":                    "10.96.0.1:443",
		"the API server, IPv4-mapped":       "[::ffff:10.96.0.1]:443",
		"the API server by NAT64":           "[64:ff9b::10.96.0.1]:443",
	} {
		t.Run(name, func(t *testing.T) {
			d := newMemberDialer(env, nil, false, "kafka.example")
			if _, err := d.dial(t.Context(), "tcp", address); told(err) != notDialled {
				t.Errorf("dialled: %v", err)
			}
			host, port, _ := net.SplitHostPort(address)
			if strings.Contains(host, "%") || strings.HasPrefix(host, "::ffff:") { // no name resolves to these as such
				return
			}
			d = newDialer(env, nil, false, "web.example")
			d.net.Resolver = nameserver(t, func() string { return host })
			if _, err := d.dial(t.Context(), "tcp", "web.example:"+port); told(err) != notDialled {
				t.Errorf("a name that resolves to it: %v", err)
			}
		})
	}
}

// TestANameThatLeadsElsewhereLater: what is checked is the address of each connection, and not what the name has led to before.
func TestANameThatLeadsElsewhereLater(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	var leads atomic.Pointer[string]
	d := newDialer(environment(), nil, false, "web.example")
	d.local = true // so that something can listen
	d.net.Resolver = nameserver(t, func() string { return *leads.Load() })
	for _, to := range []struct{ address, told string }{{"127.0.0.1", ""}, {"169.254.169.254", notDialled}, {"fd00:ec2::254", notDialled}, {"0.0.0.0", notDialled}, {"127.0.0.1", ""}} {
		leads.Store(&to.address)
		connection, err := d.dial(t.Context(), "tcp", "web.example:"+port)
		if err == nil {
			_ = connection.Close()
		}
		if got := told(err); got != to.told || (err == nil) != (to.told == "") {
			t.Errorf("it leads to %s: %v", to.address, err)
		}
	}
}

// TestAddressesInOtherNotations, which some resolvers take for addresses: they are names, and what they resolve to is checked.
func TestAddressesInOtherNotations(t *testing.T) {
	for _, host := range []string{"2852039166", "0xa9fea9fe", "0xa9.0xfe.0xa9.0xfe", "0251.0376.0251.0376", "169.254.43518", "169.16689662", "2130706433", "0x7f.1", "127.1", "0177.0.0.1", "0", "0x0", "127.0.0.01"} {
		for _, d := range []*dialer{newDialer(environment(), nil, false, host), newMemberDialer(environment(), nil, false, "kafka.example")} {
			d.net.Resolver = nameserver(t, func() string { return "169.254.169.254" })
			connection, err := d.dial(t.Context(), "tcp", host+":80")
			if err == nil {
				_ = connection.Close()
			}
			if got := told(err); got != notDialled && got != "has a name that cannot be resolved" {
				t.Errorf("%s: %v", host, err)
			}
		}
	}
}

// TestAnswersOfBrokersAreBounded: of what comes in before something is sent again, so much is read.
func TestAnswersOfBrokersAreBounded(t *testing.T) {
	here, there := net.Pipe()
	defer func() { _, _ = here.Close(), there.Close() }()
	m := &metered{Conn: here, most: 1000}
	go func() {
		for {
			if _, err := there.Write(make([]byte, 300)); err != nil {
				return
			}
		}
	}()
	buffer, read := make([]byte, 300), 0
	for {
		n, err := m.Read(buffer)
		if err != nil {
			if told(err) != "answered more than is read" || read != 900 {
				t.Errorf("%v after %d bytes", err, read)
			}
			return
		}
		read += n
	}
}

// TestOnlyTheHostsOfTheFile are dialled, whatever else a client is led to.
func TestOnlyTheHostsOfTheFile(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	for name, c := range map[string]struct {
		file, network, address, told string
	}{
		"the one":               {"127.0.0.1", "tcp", "127.0.0.1:" + port, ""},
		"the one, with a port":  {"127.0.0.1:" + port, "tcp4", "127.0.0.1:" + port, ""},
		"another one":           {"127.0.0.1", "tcp", "127.0.0.2:" + port, notDialled},
		"another name of it":    {"127.0.0.1", "tcp", "localhost:" + port, notDialled},
		"a file of the machine": {"127.0.0.1", "unix", "/var/run/docker.sock", notDialled},
		"a datagram":            {"127.0.0.1", "udp", "127.0.0.1:53", notDialled},
		"the name, in capitals": {"localhost", "tcp", "LocalHost:" + port, ""},
	} {
		t.Run(name, func(t *testing.T) {
			connection, err := newDialer(environment(), nil, false, c.file).dial(t.Context(), c.network, c.address)
			if err == nil {
				_ = connection.Close()
			}
			if got := told(err); got != c.told || (err != nil) != (c.told != "") {
				t.Errorf("%v, told as %q, want %q", err, got, c.told)
			}
		})
	}
}

// TestLoopbackWhereTheFileSaysSo, and where it does not a name does not lead there.
func TestLoopbackWhereTheFileSaysSo(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "127.0.0.1": true, "[::1]": true, "::1": true, "127.0.0.1:9092": true, "LocalHost:1": true, "::ffff:127.0.0.1": true,
		"localhost.example": false, "10.0.0.1": false, "127.0.0.1.example": false,
	} {
		if got := newMemberDialer(environment(), nil, false, host).local; got != want {
			t.Errorf("%s is local: %t, want %t", host, got, want)
		}
	}
}
