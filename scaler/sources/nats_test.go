package sources

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What servers answer is played in test/sources, on servers.

func TestNATSSettings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want string
	}{
		"plain":         {`{"servers": ["nats.nats.svc:4222", "[::1]:4222"]}`, ""},
		"credentials":   {`{"servers": ["n:4222"], "tls": {}, "auth": {"credentialsFile": "/c"}}`, ""},
		"password":      {`{"servers": ["n:4222"], "auth": {"userFile": "/u", "passwordFile": "/p"}}`, ""},
		"no servers":    {`{}`, `servers: Required value: such as [nats.nats.svc:4222]`},
		"a URL":         {`{"servers": ["nats://n:4222"]}`, `servers[0]: Invalid value: "nats://n:4222": want HOST:PORT`},
		"nobody":        {`{"servers": ["n:4222"], "auth": {}}`, `auth: Invalid value: want one of userFile with passwordFile, tokenFile, nkeyFile and credentialsFile`},
		"two ways":      {`{"servers": ["n:4222"], "auth": {"tokenFile": "/t", "nkeyFile": "/n"}}`, `auth: Invalid value: want one of userFile with passwordFile, tokenFile, nkeyFile and credentialsFile`},
		"no password":   {`{"servers": ["n:4222"], "auth": {"userFile": "/u"}}`, `auth: Invalid value: userFile and passwordFile belong together: want both`},
		"relative path": {`{"servers": ["n:4222"], "auth": {"nkeyFile": "n"}}`, `auth.nkeyFile: Invalid value: "n": want an absolute path without "..", such as /etc/mini-hpa/sources/NAME/password`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := natsKind.Settings()
			if err := json.Unmarshal([]byte(c.text), settings); err != nil {
				t.Fatal(err)
			}
			got := ""
			if err := settings.Check(nil, nil).ToAggregate(); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
