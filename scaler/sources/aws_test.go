package sources

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// A second reading of Signature Version 4 (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html), which shares
// nothing with the library that signs.

// signedBy says why a request is not signed with a key for a service in a region.
func signedBy(r *http.Request, body []byte, key, secret, region, service string, now time.Time) error {
	algorithm, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	said := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		said[name] = value
	}
	date := r.Header.Get("X-Amz-Date")
	at, err := time.Parse("20060102T150405Z", date)
	if err != nil || at.Sub(now).Abs() > 5*time.Minute {
		return fmt.Errorf("the time is %q", date)
	}
	scope := strings.Join([]string{date[:8], region, service, "aws4_request"}, "/")
	if algorithm != "AWS4-HMAC-SHA256" || said["Credential"] != key+"/"+scope {
		return fmt.Errorf("the authorization is %q", r.Header.Get("Authorization"))
	}
	signed := strings.Split(said["SignedHeaders"], ";")
	for name := range r.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-") && !slices.Contains(signed, name) {
			return fmt.Errorf("%s is not signed", name)
		}
	}
	if !slices.IsSorted(signed) || !slices.Contains(signed, "host") {
		return fmt.Errorf("the signed headers are %q", signed)
	}
	if want := signatureOf(r, body, signed, date, scope, secret); said["Signature"] != want {
		return fmt.Errorf("the signature is %q, want %q", said["Signature"], want)
	}
	return nil
}

// signatureOf is the signature of a request whose path has no characters that are escaped, and which has no parameters.
func signatureOf(r *http.Request, body []byte, signed []string, date, scope, secret string) string {
	mac := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		_, _ = io.WriteString(h, text)
		return h.Sum(nil)
	}
	sum := func(text []byte) string { s := sha256.Sum256(text); return hex.EncodeToString(s[:]) }
	canonical := r.Method + "\n" + r.URL.Path + "\n\n"
	for _, name := range signed {
		value := strings.Join(r.Header.Values(name), ",")
		switch name {
		case "host":
			value = r.Host
		case "content-length":
			value = fmt.Sprint(len(body))
		}
		canonical += name + ":" + strings.TrimSpace(value) + "\n"
	}
	canonical += "\n" + strings.Join(signed, ";") + "\n" + sum(body)
	key := []byte("AWS4" + secret)
	for part := range strings.SplitSeq(scope, "/") {
		key = mac(key, part)
	}
	return hex.EncodeToString(mac(key, "AWS4-HMAC-SHA256\n"+date+"\n"+scope+"\n"+sum([]byte(canonical))))
}

// TestSignatures of the suite that AWS has published for those who write such code (aws-sig-v4-test-suite).
func TestSignatures(t *testing.T) {
	t.Parallel()
	const scope, secret = "20150830/us-east-1/service/aws4_request", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	for name, c := range map[string]struct {
		method, body string
		header       map[string]string
		want         string
	}{
		"get-vanilla":                {"GET", "", nil, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		"post-vanilla":               {"POST", "", nil, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
		"post-x-www-form-urlencoded": {"POST", "Param1=value1", map[string]string{"content-type": "application/x-www-form-urlencoded"}, "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
	} {
		r, err := http.NewRequest(c.method, "https://example.amazonaws.com/", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		signed := []string{"host", "x-amz-date"}
		r.Header.Set("X-Amz-Date", "20150830T123600Z")
		for name, value := range c.header {
			r.Header.Set(name, value)
			signed = append(signed, name)
		}
		slices.Sort(signed)
		if got := signatureOf(r, []byte(c.body), signed, "20150830T123600Z", scope, secret); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// TestWhatAWSCallsAFailure, in all the ways in which services write it.
func TestWhatAWSCallsAFailure(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]awsFailure{
		`{"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "a"}`:                    {"QueueDoesNotExist", "a"},
		`{"__type": "AccessDeniedException:http://internal.amazon.com/coral", "Message": "b"}`: {"AccessDeniedException", "b"},
		`{"__type": "com.amazon.coral.service#ThrottlingException:x"}`:                         {"ThrottlingException", ""},
		`{"__type": 3}`: {}, `{"__type": "a#`: {}, `<ErrorResponse/>`: {}, ``: {},
	} {
		if got := readAWSFailure(body); got != want {
			t.Errorf("%s: %+v, want %+v", body, got, want)
		}
	}
	if err := (awsFailure{Type: "Surprise"}).explain(errors.New("a")); err != nil {
		t.Errorf("what nobody knows is %v", err)
	}
}
