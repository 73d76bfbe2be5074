package sources

import (
	"cmp"
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
)

// mostFromScaler is how many bytes a message of a scaler may have.
const mostFromScaler = 1 << 20

// kedaConnection is a connection of gRPC that connects only where the file says, by itself, whatever the environment says of proxies.
type kedaConnection struct {
	*grpc.ClientConn

	mu sync.Mutex
	// failed is why the last attempt to connect has failed; nil if it has not.
	failed error
}

func newKedaConnection(d *dialer, address string) (*kedaConnection, error) {
	c := &kedaConnection{}
	encryption := insecure.NewCredentials()
	if d.encrypted {
		encryption = &kedaTLS{TransportCredentials: credentials.NewTLS(nil), dialer: d, address: address, outcome: c.outcome}
	}
	var err error
	c.ClientConn, err = grpc.NewClient("passthrough:///"+address,
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			connection, err := d.dialPlain(ctx, "tcp", address)
			c.outcome(err)
			return connection, err
		}),
		grpc.WithTransportCredentials(encryption),
		grpc.WithNoProxy(), grpc.WithDisableServiceConfig(), grpc.WithDisableRetry(), grpc.WithDisableHealthCheck(),
		grpc.WithUserAgent("mini-hpa"),
		grpc.WithMaxHeaderListSize(16<<10),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(kedaCodec{}), grpc.MaxCallRecvMsgSize(mostFromScaler)),
		grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: dialTimeout,
			Backoff: backoff.Config{BaseDelay: time.Second, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 15 * time.Second}}),
		// Servers end connections on which more often than every five minutes is asked whether they are there.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 6 * time.Minute, Timeout: 20 * time.Second}))
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (c *kedaConnection) outcome(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed = err
}

// explain is a Fault that says why there is no answer. A deadline stays what it is: others put it into words.
func (c *kedaConnection) explain(ctx context.Context, err error, secrets []string) error {
	var already *Fault
	if errors.As(err, &already) {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	// The scaler is told of the deadline, and may notice it first.
	if end, ok := ctx.Deadline(); ok && status.Code(err) == codes.DeadlineExceeded && time.Until(end) < time.Second {
		return context.DeadlineExceeded
	}
	cause := errors.New(hide(err.Error(), secrets...))
	switch status.Code(err) {
	case codes.Unavailable:
		c.mu.Lock()
		defer c.mu.Unlock()
		return cmp.Or(c.failed, fault("broke off the connection", cause))
	case codes.DeadlineExceeded:
		return fault("did not answer in time", cause)
	case codes.Unauthenticated, codes.PermissionDenied:
		return fault("refused the credentials", cause)
	case codes.Unimplemented:
		return fault("is no external scaler of KEDA", cause)
	case codes.ResourceExhausted:
		return fault("has too much to do, or answered more than is read", cause)
	case codes.NotFound, codes.InvalidArgument, codes.FailedPrecondition, codes.OutOfRange:
		return unanswered("has no answer to what was asked", cause)
	default: // such as one of its own code, which has no status
		return unanswered("answered with an error", cause)
	}
}

// kedaTLS encrypts connections with files that are read again for each.
type kedaTLS struct {
	credentials.TransportCredentials
	dialer  *dialer
	address string
	outcome func(error)
}

// ClientHandshake is that of the configuration of the moment.
func (t *kedaTLS) ClientHandshake(ctx context.Context, _ string, connection net.Conn) (net.Conn, credentials.AuthInfo, error) {
	config, err := t.dialer.config(t.address)
	if err != nil {
		t.outcome(err)
		return nil, nil, err
	}
	// The authority is whose certificate it has to be, whatever the configuration says.
	encrypted, info, err := credentials.NewTLS(config).ClientHandshake(ctx, config.ServerName, connection)
	if err != nil {
		err = explainConnection(err)
		t.outcome(err)
	}
	return encrypted, info, err
}

// Clone returns the same: nothing in it changes.
func (t *kedaTLS) Clone() credentials.TransportCredentials { return t }
