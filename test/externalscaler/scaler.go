// Package externalscaler is an external scaler as KEDA asks it, for tests: what it answers is what they say, and may be changed while it serves.
package externalscaler

import (
	"context"
	"encoding/json"
	"net"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/mini-hpa/mini-hpa/test/controlplane"
)

// service is what KEDA's API says of the messages of an external scaler.
const service = `
name: "externalscaler.proto" package: "externalscaler" syntax: "proto3"
message_type { name: "ScaledObjectRef"
  field { name: "name" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "namespace" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "scalerMetadata" number: 3 type: TYPE_MESSAGE label: LABEL_REPEATED type_name: ".externalscaler.ScaledObjectRef.ScalerMetadataEntry" }
  nested_type { name: "ScalerMetadataEntry" options { map_entry: true }
    field { name: "key" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
    field { name: "value" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL } } }
message_type { name: "IsActiveResponse" field { name: "result" number: 1 type: TYPE_BOOL label: LABEL_OPTIONAL } }
message_type { name: "MetricSpec"
  field { name: "metricName" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "targetSize" number: 2 type: TYPE_INT64 label: LABEL_OPTIONAL }
  field { name: "targetSizeFloat" number: 3 type: TYPE_DOUBLE label: LABEL_OPTIONAL } }
message_type { name: "GetMetricSpecResponse" field { name: "metricSpecs" number: 1 type: TYPE_MESSAGE label: LABEL_REPEATED type_name: ".externalscaler.MetricSpec" } }
message_type { name: "GetMetricsRequest"
  field { name: "scaledObjectRef" number: 1 type: TYPE_MESSAGE label: LABEL_OPTIONAL type_name: ".externalscaler.ScaledObjectRef" }
  field { name: "metricName" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL } }
message_type { name: "MetricValue"
  field { name: "metricName" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "metricValue" number: 2 type: TYPE_INT64 label: LABEL_OPTIONAL }
  field { name: "metricValueFloat" number: 3 type: TYPE_DOUBLE label: LABEL_OPTIONAL } }
message_type { name: "GetMetricsResponse" field { name: "metricValues" number: 1 type: TYPE_MESSAGE label: LABEL_REPEATED type_name: ".externalscaler.MetricValue" } }
`

// Spoken is what the scaler says to one call: the text of a message, or an error.
type Spoken func(ctx context.Context, request string) (string, error)

// Says is an answer that is always the same.
func Says(text string) Spoken {
	return func(context.Context, string) (string, error) { return text, nil }
}

// Fails is an error that is always the same.
func Fails(code codes.Code, text string) Spoken {
	return func(context.Context, string) (string, error) { return "", status.Error(code, text) }
}

// Scaler is one.
type Scaler struct {
	t *testing.T
	// Address is HOST:PORT.
	Address string
	// Ended has one for each stream that was ended by its client.
	Ended chan struct{}

	listen  func(network, address string) (net.Listener, error)
	options []grpc.ServerOption
	server  *grpc.Server
	file    protoreflect.FileDescriptor

	mu      sync.Mutex
	answers map[string]Spoken // by method
	calls   map[string]int
	seen    map[string]string // the newest request, by method
	pushed  chan string       // the messages of streams; nil has no streams
}

// Serve starts a scaler that answers calls, by the names of their methods, until the test ends. It writes and reads its messages with the protobuf library,
// by their description. listen is net.Listen, or does more.
func Serve(t *testing.T, listen func(network, address string) (net.Listener, error), answers map[string]Spoken, options ...grpc.ServerOption) *Scaler {
	t.Helper()
	var description descriptorpb.FileDescriptorProto
	if err := prototext.Unmarshal([]byte(service), &description); err != nil {
		t.Fatal(err)
	}
	file, err := protodesc.NewFile(&description, nil)
	if err != nil {
		t.Fatal(err)
	}
	address, err := controlplane.FreeAddress() // which is its own also while it does not serve
	if err != nil {
		t.Fatal(err)
	}
	s := &Scaler{t: t, Address: address, listen: listen, options: options, file: file, answers: answers, calls: map[string]int{}, seen: map[string]string{}, Ended: make(chan struct{}, 10)}
	s.Start()
	t.Cleanup(func() { s.Stop() })
	return s
}

// Start serves once more at the address of before.
func (s *Scaler) Start() {
	s.t.Helper()
	listener, err := s.listen("tcp", s.Address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.Address = listener.Addr().String()
	s.server = grpc.NewServer(s.options...)
	s.server.RegisterService(&grpc.ServiceDesc{ServiceName: "externalscaler.ExternalScaler", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{
			s.method("GetMetricSpec", "ScaledObjectRef", "GetMetricSpecResponse"),
			s.method("GetMetrics", "GetMetricsRequest", "GetMetricsResponse"),
			s.method("IsActive", "ScaledObjectRef", "IsActiveResponse"),
		},
		Streams: []grpc.StreamDesc{{StreamName: "StreamIsActive", ServerStreams: true, Handler: s.stream}},
	}, s)
	go func() { _ = s.server.Serve(listener) }()
}

// Stop ends it at once.
func (s *Scaler) Stop() { s.server.Stop() }

// Pushes has the scaler take streams, and returns where their messages come from.
func (s *Scaler) Pushes() chan<- string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pushed = make(chan string)
	return s.pushed
}

func (s *Scaler) message(name string) *dynamicpb.Message {
	return dynamicpb.NewMessage(s.file.Messages().ByName(protoreflect.Name(name)))
}

func (s *Scaler) method(name, request, response string) grpc.MethodDesc {
	return grpc.MethodDesc{MethodName: name, Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		in := s.message(request)
		if err := decode(in); err != nil {
			return nil, err
		}
		answer, seen := s.call(name, in)
		text, err := answer(ctx, seen)
		if err != nil {
			return nil, err
		}
		out := s.message(response)
		return out, prototext.Unmarshal([]byte(text), out)
	}}
}

func (s *Scaler) call(name string, in proto.Message) (answer Spoken, seen string) {
	text, err := protojson.Marshal(in)
	var sorted any
	if err == nil {
		err = json.Unmarshal(text, &sorted)
	}
	if err != nil {
		s.t.Errorf("%s was asked for what is no JSON: %v", name, err)
	}
	text, _ = json.Marshal(sorted) // of what was JSON
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[name]++
	s.seen[name] = string(text)
	return s.answers[name], s.seen[name]
}

func (s *Scaler) stream(_ any, stream grpc.ServerStream) error {
	in := s.message("ScaledObjectRef")
	if err := stream.RecvMsg(in); err != nil {
		return err
	}
	s.call("StreamIsActive", in)
	s.mu.Lock()
	pushed := s.pushed
	s.mu.Unlock()
	if pushed == nil {
		return status.Error(codes.Unimplemented, "unknown method")
	}
	for {
		select {
		case <-stream.Context().Done():
			s.Ended <- struct{}{}
			return stream.Context().Err()
		case text := <-pushed:
			out := s.message("IsActiveResponse")
			if err := prototext.Unmarshal([]byte(text), out); err != nil {
				return err
			}
			if err := stream.SendMsg(out); err != nil {
				return err
			}
		}
	}
}

// Turn makes the scaler answer otherwise from now on.
func (s *Scaler) Turn(name string, a Spoken) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[name] = a
}

// Count is how often a method was called.
func (s *Scaler) Count(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[name]
}

// Request is the newest one of a method.
func (s *Scaler) Request(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[name]
}
