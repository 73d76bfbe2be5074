package calls

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Kind is a kind of request.
type Kind struct {
	Name string
	// Port is the one of the Service to which it goes.
	Port string
	// Call makes a request, and says whether the answer is as it has to be.
	Call func(ctx context.Context, id string) error
}

// idle is how long a connection is kept without a request. A connection that a client keeps open by way of an activator keeps the workload awake.
const idle = 3 * time.Second

// Kinds are all of them, each with connections of its own. The addresses of the Service's ports are given by their names: http, http2, grpc and tcp. An answer may
// take as long as patience.
func Kinds(addresses map[string]string, patience time.Duration) ([]Kind, error) {
	client, err := grpc.NewClient("passthrough:///"+addresses["grpc"], grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithIdleTimeout(idle))
	if err != nil {
		return nil, err
	}
	var two http.Protocols
	two.SetUnencryptedHTTP2(true)
	kept, each, prior := &http.Client{Transport: &http.Transport{IdleConnTimeout: idle}, Timeout: patience}, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience},
		&http.Client{Transport: &http.Transport{Protocols: &two, IdleConnTimeout: idle}, Timeout: patience}
	post := func(client *http.Client, port string) func(context.Context, string) error {
		return func(ctx context.Context, id string) error { return post(ctx, client, addresses[port], id) }
	}
	return []Kind{
		{"HTTP/1.1, connections kept", "http", post(kept, "http")},
		{"HTTP/1.1, a connection each", "http", post(each, "http")},
		{"HTTP/2 without TLS", "http2", post(prior, "http2")},
		{"gRPC stream", "grpc", func(ctx context.Context, id string) error { return stream(ctx, client, id, patience) }},
		{"TCP", "tcp", func(ctx context.Context, id string) error { return connection(ctx, addresses["tcp"], id, patience) }},
	}, nil
}

func payload(id string) []byte { return bytes.Repeat([]byte(id+"\n"), 200) }

// post sends a body that cannot be sent again, so that whatever is lost shows.
func post(ctx context.Context, client *http.Client, address, id string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/"+id, io.MultiReader(bytes.NewReader(payload(id))))
	if err != nil {
		return err
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK || !bytes.Equal(body, payload(id)) {
		return fmt.Errorf("%s: %.200q", answer.Status, body)
	}
	return nil
}

func stream(parent context.Context, client *grpc.ClientConn, id string, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(parent, patience)
	defer cancel()
	s, err := client.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method, grpc.WaitForReady(true))
	if err != nil {
		return err
	}
	for _, message := range [][]byte{[]byte(id), payload(id), []byte("end")} {
		if err := s.SendMsg(wrapperspb.Bytes(message)); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		back := &wrapperspb.BytesValue{}
		if err := s.RecvMsg(back); err != nil {
			return err
		}
		if !bytes.Equal(back.Value, message) {
			return fmt.Errorf("the stream answers %.100q", back.Value)
		}
	}
	return s.CloseSend()
}

func connection(ctx context.Context, address, id string, patience time.Duration) error {
	dialer := net.Dialer{Timeout: patience}
	c, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	want := append([]byte(id+"\n"), payload(id)...)
	if _, err := c.Write(want); err != nil {
		return err
	}
	if half, ok := c.(*net.TCPConn); ok {
		if err := half.CloseWrite(); err != nil {
			return err
		}
	}
	got, err := io.ReadAll(c)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%d bytes came back of %d", len(got), len(want))
	}
	return nil
}
