package sources

import (
	"context"
	"fmt"
	"math"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

func TestWhatTheFileSaysOfAnExternalScaler(t *testing.T) {
	allow := map[string][]string{"container": {"*"}}
	for name, c := range map[string]struct {
		settings kedaSettings
		want     []string
	}{
		"right":            {kedaSettings{Address: "scaler.keda.svc:4050", Metadata: map[string]string{"a": "b"}, MetadataFiles: map[string]string{"c": "/d"}}, nil},
		"no address":       {kedaSettings{}, []string{"it.address"}},
		"no port":          {kedaSettings{Address: "scaler.keda.svc"}, []string{"it.address"}},
		"another resolver": {kedaSettings{Address: "dns:///scaler.keda.svc:4050"}, []string{"it.address"}},
		"a socket":         {kedaSettings{Address: "unix:/run/scaler:1"}, []string{"it.address"}},
		"no name":          {kedaSettings{Address: "a/b:1"}, []string{"it.address"}},
		"any name":         {kedaSettings{Address: "Scaler_1.example.com.:65535"}, nil},
		"whose metadata":   {kedaSettings{Address: "[fd00::1]:1", Metadata: map[string]string{"container": "b"}}, []string{"it.metadata[container]"}},
		"whose file":       {kedaSettings{Address: "10.0.0.1:1", MetadataFiles: map[string]string{"container": "b"}}, []string{"it.metadataFiles[container]", "it.metadataFiles[container]"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, problem := range c.settings.Check(&catalog.Entry{Allow: allow}, field.NewPath("it")) {
				got = append(got, problem.Field)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("problems of %q, want %q", got, c.want)
			}
		})
	}
}

func TestNumbersOfAScaler(t *testing.T) {
	for _, c := range []struct {
		n    named
		want float64
	}{{named{whole: 7}, 7}, {named{whole: 7, float: 2.5}, 2.5}, {named{float: -1}, -1}, {named{}, 0}} {
		if got := c.n.number(); got != c.want {
			t.Errorf("%+v is %v, want %v", c.n, got, c.want)
		}
	}
}

// FuzzScalersAnswer: nothing that a scaler sends is more than an error.
func FuzzScalersAnswer(f *testing.F) {
	one := writeText(nil, 1, "length")
	one = protowire.AppendVarint(protowire.AppendTag(one, 2, protowire.VarintType), 7)
	one = protowire.AppendFixed64(protowire.AppendTag(one, 3, protowire.Fixed64Type), math.Float64bits(2.5))
	f.Add(writeBytes(nil, 1, one))
	f.Add([]byte{0x08, 0x01})
	f.Add([]byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, text []byte) {
		var a activeResponse
		_ = kedaCodec{}.Unmarshal(text, &a)
		var n namedResponse
		if err := (kedaCodec{}).Unmarshal(text, &n); err != nil {
			return
		}
		var written []byte
		for _, one := range n.all {
			b := writeText(nil, 1, one.name)
			b = protowire.AppendVarint(protowire.AppendTag(b, 2, protowire.VarintType), uint64(one.whole))
			b = protowire.AppendFixed64(protowire.AppendTag(b, 3, protowire.Fixed64Type), math.Float64bits(one.float))
			written = writeBytes(written, 1, b)
		}
		var again namedResponse
		if err := again.read(written); err != nil || fmt.Sprint(again) != fmt.Sprint(n) {
			t.Errorf("%v is read as %v: %v", n, again, err)
		}
	})
}

// TestNoScalerIsReached: the words are those of the connection, and the deadline is kept.
func TestNoScalerIsReached(t *testing.T) {
	entry := &catalog.Entry{Settings: &kedaSettings{Address: "127.0.0.1:1"}}
	client, err := kedaKind.Open(entry, Env{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var mu sync.Mutex
	got := ""
	client.Ask(ctx, []metrics.Question{{Namespace: "shop"}}, func(_ int, a metrics.Answer, err error) {
		mu.Lock()
		defer mu.Unlock()
		got = toldOf(a, err)
	})
	if got != "refused the connection" {
		t.Errorf("told %q", got)
	}
}

// TestAScalerThatIsUpdatedToHaveStreams is asked for one again, though not at once.
func TestAScalerThatIsUpdatedToHaveStreams(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	server := grpc.NewServer(grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error {
		asked.Add(1)
		return status.Error(codes.Unimplemented, "there are no streams")
	}))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()
	made, err := kedaKind.Open(&catalog.Entry{Settings: &kedaSettings{Address: listener.Addr().String()}}, Env{Again: func(metrics.Question) {}})
	if err != nil {
		t.Fatal(err)
	}
	defer made.Close()
	client, ok := made.(*kedaClient)
	if !ok {
		t.Fatal("this is another client")
	}
	question := client.remember(metrics.Question{Namespace: "shop"})
	for i, want := range []int32{1, 1, 2} {
		if i == 2 {
			client.streamless = client.streamless.Add(-streamlessFor)
		}
		client.follow(question)
		client.running.Wait()
		if got := asked.Load(); got != want {
			t.Errorf("the %d. time: asked for %d streams, want %d", i+1, got, want)
		}
	}
}

// TestSecretsOfAScaler are what is in files, and what is long enough for one.
func TestSecretsOfAScaler(t *testing.T) {
	client := &kedaClient{settings: &kedaSettings{Metadata: map[string]string{"x": "1", "password": "hunter2"}, MetadataFiles: map[string]string{"pin": "/pin"}},
		env: Env{ReadFile: func(string) ([]byte, error) { return []byte("77"), nil }}}
	_, secrets, err := client.reference(metrics.Question{})
	if err != nil {
		t.Fatal(err)
	}
	if got := hide("1 of 10 calls with hunter2 and 77", secrets...); got != "1 of 10 calls with *** and ***" {
		t.Errorf("the log has %q", got)
	}
}
