package sources

import (
	"errors"
	"strings"
	"testing"
)

// TestNoHalfOfASecretIsQuoted: a server can have one come where an error's quotation of it ends.
func TestNoHalfOfASecretIsQuoted(t *testing.T) {
	t.Parallel()
	const secret = "hunter2-hunter2-hunter2"
	known := &secrets{}
	known.add(secret)
	for name, broken := range map[string]func(said string) error{
		"a line of NATS": func(said string) error { return (&guardedNATS{secrets: known}).scan([]byte(said + "\r\n")) },
		"what is behind a message of NATS": func(said string) error {
			return (&guardedNATS{secrets: known}).scan([]byte("MSG a 1 0\r\n" + said + "\r\n"))
		},
		"the length of a message of NATS": func(said string) error {
			return (&guardedNATS{secrets: known}).scan([]byte("MSG a 1 " + said + "\r\n"))
		},
		"a length of Redis": func(said string) error {
			_, err := (&respScanner{secrets: known}).scan([]byte("$" + said + "\r\n"))
			return err
		},
		"a redirection of Redis": func(said string) error {
			_, err := (&respScanner{secrets: known}).scan([]byte("-MOVED" + said + "\r\n"))
			return err
		},
		"an answer of MySQL": func(said string) error {
			return (&guardedMySQL{secrets: known, asked: mysqlQuery}).check([]byte("\x01" + said))
		},
		"a panic": func(said string) error { // the log hides it
			return errors.New(known.hide(caught(func() error { panic(said) }).Error()))
		},
	} {
		for before := range 10 * mostQuoted {
			err := broken(strings.Repeat("x", before) + secret)
			if err == nil || strings.Contains(err.Error(), secret[:2]) {
				t.Errorf("%s: %v", name, err)
				break
			}
		}
	}
}
