package sources

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Web is what an entry says of a server that speaks HTTP. The settings of its type embed it.
type Web struct {
	// URL begins with http:// or https://; its path goes before those that are asked for.
	URL  string `json:"url"`
	TLS  *TLS   `json:"tls,omitempty"`
	Auth *Auth  `json:"auth,omitempty"`
}

// Auth is how a client says who it is: with a user's name and password, or with a token.
type Auth struct {
	Credentials
	BearerTokenFile string `json:"bearerTokenFile,omitempty"`
}

// check says what is wrong with it.
func (w *Web) check(at *field.Path) field.ErrorList {
	problems := w.TLS.check(at.Child("tls"))
	base, err := url.Parse(w.URL)
	urlAt := at.Child("url")
	switch {
	case w.URL == "":
		problems = append(problems, field.Required(urlAt, "such as https://prometheus.monitoring.svc:9090"))
	case err != nil:
		problems = append(problems, field.Invalid(urlAt, field.OmitValueType{}, "want a URL such as https://prometheus.monitoring.svc:9090"))
	case base.User != nil:
		problems = append(problems, field.Invalid(urlAt, field.OmitValueType{}, "want no credentials in it: auth names the files that hold them"))
	case base.Scheme != "http" && base.Scheme != "https" || base.Hostname() == "" || base.Opaque != "":
		problems = append(problems, field.Invalid(urlAt, w.URL, "want http://HOST[:PORT][/PATH] or https://HOST[:PORT][/PATH]"))
	case strings.ContainsAny(w.URL, "?#"):
		problems = append(problems, field.Invalid(urlAt, w.URL, "want no parameters and no fragment"))
	case base.Scheme == "http" && w.TLS != nil:
		problems = append(problems, field.Invalid(at.Child("tls"), field.OmitValueType{}, "url begins with http://, which is not encrypted: want https://, or no tls"))
	}
	return append(problems, w.Auth.check(at.Child("auth"))...)
}

// checkEncrypted says that a URL is not encrypted, and why it has to be, where it does not stay on this machine.
func (w *Web) checkEncrypted(at *field.Path, why string) field.ErrorList {
	if base, err := url.Parse(w.URL); err != nil || base.Scheme != "http" || isLocal(base.Hostname()) {
		return nil
	}
	return field.ErrorList{field.Invalid(at.Child("url"), w.URL, "want https://, as "+why)}
}

func (a *Auth) check(at *field.Path) field.ErrorList {
	if a == nil {
		return nil
	}
	problems := append(a.Credentials.check(at), checkPath(a.BearerTokenFile, at.Child("bearerTokenFile"))...)
	if basic := a.UserFile != "" || a.PasswordFile != ""; basic == (a.BearerTokenFile != "") {
		problems = append(problems, field.Invalid(at, field.OmitValueType{}, "want userFile and passwordFile, or bearerTokenFile"))
	} else if basic && (a.UserFile == "" || a.PasswordFile == "") {
		problems = append(problems, field.Invalid(at, field.OmitValueType{}, "userFile and passwordFile belong together: want both"))
	}
	return problems
}

// sign is authorizer's: the Authorization header.
func (a *Auth) sign(env Env, r *http.Request, _ []byte) (secrets []string, err error) {
	if a == nil {
		return nil, nil
	}
	if a.BearerTokenFile != "" {
		token, err := secretFrom(env, a.BearerTokenFile)
		r.Header.Set("Authorization", "Bearer "+token)
		return []string{token}, err
	}
	user, password, err := a.read(env)
	if err != nil {
		return nil, err
	}
	both := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	env.secrets.add(both)
	r.Header.Set("Authorization", "Basic "+both)
	return []string{both, password}, nil
}

// authorizer is how a client says who it is.
type authorizer interface {
	// sign says it in the headers of a request with this body, which are complete otherwise, and returns what of that must not be seen.
	sign(env Env, r *http.Request, body []byte) (secrets []string, err error)
}

// webClient asks one server by HTTP.
type webClient struct {
	env    Env
	base   *url.URL
	auth   authorizer
	client *http.Client
}

const (
	// mostAnswered is how many bytes an answer may have, where its reader does not say otherwise.
	mostAnswered = 1 << 20
	// mostOfHeaders is the same for its headers, mostOfFailure for the body of a failure.
	mostOfHeaders, mostOfFailure = 64 << 10, 16 << 10
)

// open makes the client. connections is how many it keeps for the next requests.
func (w *Web) open(env Env, connections int) (*webClient, error) {
	base, err := url.Parse(w.URL)
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	if w.Auth != nil && base.Scheme == "http" && !isLocal(base.Hostname()) {
		env.Log.Warn("credentials are sent without encryption: the url begins with http://")
	}
	d := newDialer(env, w.TLS, base.Scheme == "https", base.Hostname())
	return &webClient{env: env, base: base, auth: w.Auth, client: &http.Client{
		// Without a proxy: one would dial in our place, and see what only the source may see.
		Transport: &http.Transport{
			DialContext: d.dialPlain, DialTLSContext: d.dial, MaxIdleConnsPerHost: connections, IdleConnTimeout: 90 * time.Second,
			MaxResponseHeaderBytes: mostOfHeaders, DisableCompression: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

func (c *webClient) close() { c.client.CloseIdleConnections() }

// webRequest is one request.
type webRequest struct {
	// path goes behind that of the URL, in its escaped form, and begins with "/".
	path  string
	query url.Values
	// body is that of a POST; nil is a GET. header is what there is beside the usual ones: of which type the body is.
	body   []byte
	header map[string]string
}

// formRequest is a POST of a form.
func formRequest(path string, form url.Values) webRequest {
	return webRequest{path: path, body: []byte(form.Encode()), header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}
}

// get sends a request and returns the body of its answer. Answers other than 200 are Faults, and so are those that have more than
// mostAnswered bytes. The body is as it came, and may repeat a secret: an error that quotes it has the whole of a value, out of which the log takes it.
func (c *webClient) get(ctx context.Context, r webRequest) ([]byte, error) {
	body, err := c.stream(ctx, r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }()
	text, err := io.ReadAll(io.LimitReader(body, mostAnswered+1))
	switch {
	case err != nil:
		return nil, explainRequest(err)
	case len(text) > mostAnswered:
		return nil, tooMuch(mostAnswered)
	}
	return text, nil
}

// stream sends a request and returns the body of an answer with the status 200, which the caller bounds and closes.
func (c *webClient) stream(ctx context.Context, r webRequest) (io.ReadCloser, error) {
	request, secrets, err := c.request(ctx, r)
	if err != nil {
		return nil, err
	}
	response, err := c.client.Do(request)
	if err != nil {
		return nil, explainRequest(err)
	}
	if response.StatusCode == http.StatusOK {
		return response.Body, nil
	}
	defer func() { _ = response.Body.Close() }()
	return nil, c.explainStatus(response, secrets)
}

func (c *webClient) request(ctx context.Context, r webRequest) (*http.Request, []string, error) {
	to := *c.base
	to.RawPath = strings.TrimSuffix(c.base.EscapedPath(), "/") + r.path
	var err error
	if to.Path, err = url.PathUnescape(to.RawPath); err != nil {
		return nil, nil, fmt.Errorf("path %q: %w", r.path, err)
	}
	to.RawQuery = r.query.Encode()
	method, body := http.MethodGet, io.Reader(http.NoBody)
	if r.body != nil {
		method, body = http.MethodPost, bytes.NewReader(r.body)
	}
	request, err := http.NewRequestWithContext(ctx, method, to.String(), body)
	if err != nil {
		return nil, nil, err
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "mini-hpa")
	for name, value := range r.header {
		request.Header.Set(name, value)
	}
	secrets, err := c.auth.sign(c.env, request, r.body)
	return request, secrets, err
}

// explainRequest is a Fault that says why there is no answer. A deadline stays what it is: others put it into words.
func explainRequest(err error) error {
	var network net.Error
	if errors.As(err, &network) && network.Timeout() && !errors.Is(err, context.DeadlineExceeded) {
		return fault("did not answer in time", err)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fault("broke off its answer", err)
	}
	return explainConnection(err)
}

// statusError is an answer with another status than 200.
type statusError struct {
	code int
	// said is the beginning of its body as it came, text what the log has of it.
	said, text string
	// asked is what was answered.
	asked *http.Request
}

// Error is for the log.
func (e *statusError) Error() string { return e.text }

// explainStatus is a Fault that says what an answer without a result means. The log has the beginning of the body.
func (c *webClient) explainStatus(response *http.Response, secrets []string) error {
	const quoted = 300
	var body []byte
	if response.StatusCode >= http.StatusOK { // what is behind another protocol's beginning has no end, and no deadline
		body, _ = io.ReadAll(io.LimitReader(response.Body, mostOfFailure))
	}
	said := string(bytes.ToValidUTF8(body, nil))
	cause := &statusError{response.StatusCode, said, fmt.Sprintf("%s answered %d: %.*q", response.Request.URL.Redacted(), response.StatusCode, quoted, c.env.secrets.hide(hide(said, secrets...))), response.Request}
	switch code := response.StatusCode; {
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return fault("refused the credentials", cause)
	case code == http.StatusNotFound:
		return unanswered("has nothing at that path", cause)
	case code == http.StatusTooManyRequests:
		return fault("has too much to do", cause)
	case code >= 300 && code < 400:
		return fault("answered with a redirect, which is not followed", cause)
	case code >= 400 && code < 500:
		return unanswered(fmt.Sprintf("answered %d", code), cause)
	}
	return fault(fmt.Sprintf("answered %d", response.StatusCode), cause)
}
