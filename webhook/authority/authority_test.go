package authority

import (
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes/fake"
)

func TestConfig(t *testing.T) {
	t.Parallel()
	good := Config{Client: fake.NewClientset(), Namespace: "n", Secret: "s", Configuration: "c", Hosts: []string{"a.b.svc", "10.0.0.1", "::1"}}
	if a, err := New(good); err != nil || a.config.CALife != 365*24*time.Hour || a.config.LeafLife != 7*24*time.Hour {
		t.Errorf("%v", err)
	}
	for want, change := range map[string]func(*Config){
		"no Client":           func(c *Config) { c.Client = nil },
		`Namespace is ""`:     func(c *Config) { c.Namespace = "" },
		`Secret is "a/b"`:     func(c *Config) { c.Secret = "a/b" },
		"Configuration is":    func(c *Config) { c.Configuration = "a/b" },
		"Publish.Secret is":   func(c *Config) { c.Publish.Secret = "a/b" },
		"no Hosts":            func(c *Config) { c.Hosts = nil },
		`the host "a b"`:      func(c *Config) { c.Hosts = []string{"ok", "a b"} },
		"life of 1s and":      func(c *Config) { c.CALife = time.Second },
		"and 1s is too short": func(c *Config) { c.LeafLife = time.Second },
		"-1h0m0s":             func(c *Config) { c.LeafLife = -time.Hour },
	} {
		c := good
		change(&c)
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
	if len(good.Client.(*fake.Clientset).Actions()) > 0 {
		t.Error("New asked the API server")
	}
}

// TestBeforeRun asks an Authority that does nothing yet.
func TestBeforeRun(t *testing.T) {
	t.Parallel()
	a, err := New(Config{Client: fake.NewClientset(), Namespace: "n", Secret: "s", Configuration: "c", Hosts: []string{"h"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.GetCertificate(nil); err == nil || !strings.Contains(err.Error(), "not asked yet") {
		t.Errorf("certificate: %v", err)
	}
	if err := a.Ready(); err == nil {
		t.Error("ready")
	}
	if a.Status() != (Status{}) {
		t.Errorf("%+v", a.Status())
	}
}
