package sources

import (
	"fmt"
	"path"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Credentials are a user's name and password, of which an entry names the files.
type Credentials struct {
	UserFile     string `json:"userFile,omitempty"`
	PasswordFile string `json:"passwordFile,omitempty"`
}

func (c Credentials) check(at *field.Path) field.ErrorList {
	return append(checkPath(c.UserFile, at.Child("userFile")), checkPath(c.PasswordFile, at.Child("passwordFile"))...)
}

// read reads both files; that of a missing path is "".
func (c Credentials) read(env Env) (user, password string, err error) {
	if user, err = secretFrom(env, c.UserFile); err != nil {
		return "", "", err
	}
	password, err = secretFrom(env, c.PasswordFile)
	return user, password, err
}

// checkPath says what is wrong with the path of a file; none is right.
func checkPath(p string, at *field.Path) field.ErrorList {
	switch {
	case p == "":
	case !path.IsAbs(p) || path.Clean(p) != p:
		return field.ErrorList{field.Invalid(at, p, `want an absolute path without "..", such as /etc/mini-hpa/sources/NAME/password`)}
	case path.Base(p) == "token" && strings.Contains(p, "/run/secrets/kubernetes.io/serviceaccount/"):
		return field.ErrorList{field.Invalid(at, p, "is the controller's own token, with which whoever gets it can scale in its place: want one that was made for this source")}
	}
	return nil
}

// mostOfFile is how many bytes a credential or certificate may have.
const mostOfFile = 1 << 20

// fileOf reads a file that an entry names.
func fileOf(env Env, p string) ([]byte, error) {
	text, err := env.ReadFile(p)
	switch {
	case err != nil:
		return nil, fault("is not set up: a file of it cannot be read", err)
	case len(text) > mostOfFile:
		return nil, fault("is not set up: a file of it cannot be read", fmt.Errorf("%s has %d bytes, more than %d", p, len(text), mostOfFile))
	}
	return text, nil
}

// leastKey is how long a word of keysFrom is at least that is no word for people: seeds of keys have 58 characters, and JWTs hundreds.
const leastKey = 16

// keysFrom reads a file in which credentials stand between lines for people, as nsc writes it, or alone. A JWT of it is sent to the server, which may repeat it.
func keysFrom(env Env, p string) ([]byte, error) {
	text, err := fileOf(env, p)
	if err != nil {
		return nil, err
	}
	for word := range strings.FieldsSeq(string(text)) {
		if len(word) >= leastKey && strings.Trim(word, "-*") == word {
			env.secrets.add(word)
		}
	}
	return text, nil
}

// secretFrom reads a credential: a file without the line break at its end, which editors add. Only a path of "" has none.
func secretFrom(env Env, p string) (string, error) {
	if p == "" {
		return "", nil
	}
	text, err := fileOf(env, p)
	if err != nil {
		return "", err
	}
	secret := strings.TrimRight(string(text), "\r\n")
	env.secrets.add(secret)
	if secret == "" || strings.ContainsAny(secret, "\r\n\x00") {
		return "", fault("is not set up: a file of it cannot be read", fmt.Errorf("%s holds no credential: want one line", p))
	}
	return secret, nil
}
