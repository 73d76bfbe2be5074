//go:build linux

package machine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mini-hpa/mini-hpa/test/node/sandbox"
)

const (
	clusterDomain = "cluster.local"
	// timeToLive is how long an answer may be kept, in seconds; CoreDNS says 30 by default, a test should not wait for that.
	timeToLive = 5
	// maxQuestion is the longest question that UDP carries without extensions (RFC 1035, 2.3.4).
	maxQuestion = 512
)

// startNames answers the pods' questions for addresses of Services, which is all of the cluster's DNS that is needed here.
func (m *Machine) startNames(ctx context.Context) error {
	conn, err := new(net.ListenConfig).ListenPacket(ctx, "udp", net.JoinHostPort(sandbox.Address, "53"))
	if err != nil {
		return fmt.Errorf("listen for questions: %w", err)
	}
	go m.answerAll(context.WithoutCancel(ctx), conn)
	return nil
}

func (m *Machine) answerAll(ctx context.Context, conn net.PacketConn) {
	for {
		question := make([]byte, maxQuestion)
		n, from, err := conn.ReadFrom(question)
		if err != nil {
			return // the socket is closed at the sandbox's end only
		}
		go func() {
			if answer, err := respond(question[:n], func(name string) (netip.Addr, error) { return m.lookUp(ctx, name) }); err == nil {
				_, _ = conn.WriteTo(answer, from) // a client without an answer asks again
			}
		}()
	}
}

// errNoName says that there is no such name.
var errNoName = errors.New("there is no such name")

// respond makes the answer to a question with one name. IPv6 addresses do not exist: of a name that does, that is an empty answer.
func respond(question []byte, lookUp func(name string) (netip.Addr, error)) ([]byte, error) {
	var message dnsmessage.Message
	if err := message.Unpack(question); err != nil {
		return nil, fmt.Errorf("read the question: %w", err)
	}
	if len(message.Questions) != 1 {
		return nil, fmt.Errorf("one question is wanted, got %d", len(message.Questions))
	}
	asked := message.Questions[0]
	answer := dnsmessage.Message{Questions: message.Questions}
	answer.Header = dnsmessage.Header{ID: message.ID, Response: true, Authoritative: true, RecursionDesired: message.RecursionDesired}
	address, err := lookUp(asked.Name.String())
	switch {
	case errors.Is(err, errNoName):
		answer.RCode = dnsmessage.RCodeNameError
	case err != nil:
		answer.RCode = dnsmessage.RCodeServerFailure
	case asked.Type == dnsmessage.TypeA:
		answer.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: asked.Name, Class: dnsmessage.ClassINET, TTL: timeToLive},
			Body:   &dnsmessage.AResource{A: address.As4()},
		}}
	}
	return answer.Pack()
}

// lookUp finds the address of SERVICE.NAMESPACE.svc.cluster.local.
func (m *Machine) lookUp(ctx context.Context, name string) (netip.Addr, error) {
	service, namespace, ok := split(name)
	if !ok {
		return netip.Addr{}, errNoName
	}
	found, err := m.Client.CoreV1().Services(namespace).Get(ctx, service, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return netip.Addr{}, errNoName
	}
	if err != nil {
		return netip.Addr{}, err
	}
	address, err := netip.ParseAddr(found.Spec.ClusterIP)
	if err != nil || !address.Is4() {
		return netip.Addr{}, errNoName // one without an address of its own
	}
	return address, nil
}

// split finds Service and namespace in a name.
func split(name string) (service, namespace string, ok bool) {
	rest, ok := strings.CutSuffix(strings.ToLower(name), ".svc."+clusterDomain+".")
	if !ok {
		return "", "", false
	}
	service, namespace, ok = strings.Cut(rest, ".")
	return service, namespace, ok && service != "" && namespace != "" && !strings.Contains(namespace, ".")
}
