package catalog

import (
	"os"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// The types here are like the real ones, as far as this package is concerned.

type tlsFiles struct {
	CAFile   string `json:"caFile"`
	CertFile string `json:"certFile"`
	KeyFile  string `json:"keyFile"`
	Insecure bool   `json:"insecure"`
}

type server struct {
	URL  string    `json:"url"`
	TLS  *tlsFiles `json:"tls"`
	Auth struct {
		BearerTokenFile string `json:"bearerTokenFile"`
		UserFile        string `json:"userFile"`
		PasswordFile    string `json:"passwordFile"`
	} `json:"auth"`
	Linger metav1.Duration `json:"linger"`
}

func (s *server) Check(e *Entry, at *field.Path) field.ErrorList {
	if !strings.HasPrefix(s.URL, "https://") {
		return field.ErrorList{field.Invalid(at.Child("url"), s.URL, "must be https for "+e.Name)}
	}
	return nil
}

type brokers struct {
	TLS     tlsFiles          `json:"tls"`
	Brokers []string          `json:"brokers"`
	SASL    map[string]string `json:"sasl"`
}

func (*brokers) Check(*Entry, *field.Path) field.ErrorList { return nil }

type cache struct {
	Addresses []string `json:"addresses"`
	Sentinel  string   `json:"sentinel"`
	Private   int
}

func (*cache) Check(*Entry, *field.Path) field.ErrorList { return nil }

type scaler struct {
	tlsOfScaler
	Address  string            `json:"address"`
	Metadata map[string]string `json:"metadata"`
}

type tlsOfScaler struct {
	TLS tlsFiles `json:"tls"`
}

func (*scaler) Check(*Entry, *field.Path) field.ErrorList { return nil }

func types() []Type {
	return []Type{
		{Name: "prometheus", Settings: func() Settings { return &server{} }, Queries: true},
		{Name: "http", Settings: func() Settings { return &server{} }, Queries: true},
		{Name: "kafka", Settings: func() Settings { return &brokers{} }, Parameters: []Parameter{
			{Name: "group", Kind: KindWord, Allowed: true},
			{Name: "topic", Kind: KindWord, Allowed: true},
			{Name: "reset", Kind: KindEnum, Values: []string{"latest", "earliest"}, Default: "latest"},
		}},
		{Name: "rabbitmq", Settings: func() Settings { return &server{} }, Parameters: []Parameter{
			{Name: "queue", Kind: KindWord, Allowed: true},
			{Name: "vhost", Kind: KindWord, Allowed: true, Scope: true, Default: "/"},
			{Name: "count", Kind: KindEnum, Values: []string{"messages", "ready"}, Default: "messages"},
		}},
		{Name: "redis", Settings: func() Settings { return &cache{} }, OneOf: []string{"list", "set", "stream"}, Parameters: []Parameter{
			{Name: "list", Kind: KindWord, Allowed: true},
			{Name: "set", Kind: KindWord, Allowed: true},
			{Name: "stream", Kind: KindWord, Allowed: true},
			{Name: "group", Kind: KindWord, Allowed: true, With: "stream", Optional: true},
			{Name: "db", Kind: KindInteger, Min: "0", Max: "15", Default: "0"},
		}},
		{Name: "keda", Settings: func() Settings { return &scaler{} }, Open: true, PerWorkload: true},
		{Name: "workload", Entryless: true, Parameters: []Parameter{{Name: "selector", Kind: KindWord}, {Name: "phase", Kind: KindEnum, Values: []string{"running", "all"}, Default: "running"}}},
	}
}

// example is the file of the documentation.
func example(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/sources.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func parsed(t testing.TB, text string) *Catalog {
	t.Helper()
	c, err := Parse([]byte(text), types())
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	return c
}

// mustPrint is what holds for all messages.
func mustPrint(t testing.TB, said string) {
	t.Helper()
	if !utf8.ValidString(said) || strings.ContainsFunc(said, func(r rune) bool { return !unicode.IsPrint(r) }) || len(said) > 4096 {
		t.Errorf("message %q", said)
	}
}
