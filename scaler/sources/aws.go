package sources

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// awsAuth is how a client says to AWS who it is: by an access key, whose secret part is never sent, or by a role.
type awsAuth struct {
	AccessKeyIDFile     string `json:"accessKeyIdFile,omitempty"`
	SecretAccessKeyFile string `json:"secretAccessKeyFile,omitempty"`
	// SessionTokenFile belongs to keys that expire.
	SessionTokenFile string   `json:"sessionTokenFile,omitempty"`
	Role             *awsRole `json:"role,omitempty"`
}

// awsRole is a role that is assumed with a token of a ServiceAccount
// (https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html).
type awsRole struct {
	// ARN is the role.
	ARN string `json:"arn"`
	// TokenFile holds a token that is made for AWS, and not the one for the API server.
	TokenFile string `json:"tokenFile"`
	// URL is the endpoint of the Security Token Service in the region, such as https://sts.eu-central-1.amazonaws.com.
	URL string `json:"url"`
}

func (a *awsAuth) check(at *field.Path) field.ErrorList {
	problems := append(checkPath(a.AccessKeyIDFile, at.Child("accessKeyIdFile")), checkPath(a.SecretAccessKeyFile, at.Child("secretAccessKeyFile"))...)
	problems = append(problems, checkPath(a.SessionTokenFile, at.Child("sessionTokenFile"))...)
	isKey, hasKey := a.AccessKeyIDFile != "" && a.SecretAccessKeyFile != "", a.AccessKeyIDFile+a.SecretAccessKeyFile+a.SessionTokenFile != ""
	if isKey == (a.Role != nil) || hasKey && !isKey {
		problems = append(problems, field.Invalid(at, field.OmitValueType{}, "want accessKeyIdFile and secretAccessKeyFile, or role"))
	}
	return append(problems, a.Role.check(at.Child("role"))...)
}

var awsRoleARN = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$`)

func (r *awsRole) check(at *field.Path) field.ErrorList {
	if r == nil {
		return nil
	}
	problems := append((&Web{URL: r.URL}).check(at), checkPath(r.TokenFile, at.Child("tokenFile"))...)
	problems = append(problems, (&Web{URL: r.URL}).checkEncrypted(at, "the token is sent there")...)
	if r.TokenFile == "" {
		problems = append(problems, field.Required(at.Child("tokenFile"), "such as /var/run/secrets/eks.amazonaws.com/serviceaccount/token"))
	}
	if !awsRoleARN.MatchString(r.ARN) {
		problems = append(problems, field.Invalid(at.Child("arn"), r.ARN, "want a role, such as arn:aws:iam::111122223333:role/mini-hpa"))
	}
	return problems
}

// read reads the files of a key.
func (a *awsAuth) read(env Env) (c aws.Credentials, err error) {
	if c.AccessKeyID, err = secretFrom(env, a.AccessKeyIDFile); err != nil {
		return c, err
	}
	if c.SecretAccessKey, err = secretFrom(env, a.SecretAccessKeyFile); err != nil {
		return c, err
	}
	c.SessionToken, err = secretFrom(env, a.SessionTokenFile)
	return c, err
}

// awsSigner signs requests to a service of AWS (Signature Version 4).
type awsSigner struct {
	auth *awsAuth
	// role is nil where there is a key.
	role            *assumedRole
	service, region string
}

func newAWSSigner(auth *awsAuth, env Env, service, region string) (*awsSigner, error) {
	s := &awsSigner{auth: auth, service: service, region: region}
	if auth.Role == nil {
		return s, nil
	}
	web, err := (&Web{URL: auth.Role.URL}).open(env, 1)
	if err != nil {
		return nil, err
	}
	s.role = newAssumedRole(auth.Role, web)
	return s, nil
}

func (s *awsSigner) close() {
	if s.role != nil {
		s.role.close()
	}
}

// refused takes note of a failure: keys that AWS does not take any more are made anew.
func (s *awsSigner) refused(err error) {
	var status *statusError
	if s.role == nil || !errors.As(err, &status) || status.asked == nil || !readAWSFailure(status.said).isOfKey() {
		return
	}
	_, credential, _ := strings.Cut(status.asked.Header.Get("Authorization"), "Credential=")
	key, _, _ := strings.Cut(credential, "/")
	s.role.refused(key)
}

// sign is authorizer's. A signer of the library believes for a day that the secret part of a key stays the same, so that there is one for each request:
// a file that was wrong may be put right.
func (s *awsSigner) sign(env Env, r *http.Request, body []byte) (secrets []string, err error) {
	var credentials aws.Credentials
	if s.role != nil {
		credentials, err = s.role.credentials(r.Context())
	} else {
		credentials, err = s.auth.read(env)
	}
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(r.Context(), credentials, r, hex.EncodeToString(sum[:]), s.service, s.region, time.Now()); err != nil {
		return nil, err
	}
	_, signature, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
	return []string{signature, credentials.SessionToken}, nil
}

// assumedRole has the keys of a role, which expire: an hour after they were made, if the role says nothing else.
//
//	made ---55 minutes---> renewed meanwhile, and used on ---5 minutes---> waited for
//	 ^                        |                                               |
//	 +-----answered-----------+-----------------answered----------------------+
type assumedRole struct {
	role *awsRole
	web  *webClient
	// open ends when the role is closed.
	open  context.Context
	close func()

	mu    sync.Mutex
	known aws.Credentials
	// asked is when new keys were asked for last, and failed why there are none; nil if there are.
	asked  time.Time
	failed error
	// making is closed when they are there, or not; nil while nobody asks for any.
	making chan struct{}
}

const (
	// roleRenewed is how long before they expire keys are renewed, and roleAgain after what time that is tried again.
	roleRenewed, roleAgain = 5 * time.Minute, 30 * time.Second
	// roleTimeout is how long a request for keys may take, by which nobody is kept who has good ones.
	roleTimeout = 10 * time.Second
)

func newAssumedRole(role *awsRole, web *webClient) *assumedRole {
	a := &assumedRole{role: role, web: web}
	open, end := context.WithCancel(context.Background())
	a.open, a.close = open, func() { end(); web.close() }
	return a
}

// credentials are the keys of the role. Who has none waits for them until ctx ends, or is told at once why there are none.
func (a *assumedRole) credentials(ctx context.Context) (aws.Credentials, error) {
	making := a.renew()
	if known, isGood := a.good(); isGood {
		return known, nil
	}
	if making != nil {
		select {
		case <-making:
		case <-ctx.Done():
			return aws.Credentials{}, ctx.Err()
		}
	}
	if known, isGood := a.good(); isGood {
		return known, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return aws.Credentials{}, cmp.Or(a.failed, unreadable(errors.New("the keys have expired already")))
}

// good are the keys, and whether they have not expired.
func (a *assumedRole) good() (known aws.Credentials, isGood bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.known, time.Until(a.known.Expires) > 0
}

// renew asks for new keys, if it is time, and returns what ends when they are there; nil if nobody asks.
func (a *assumedRole) renew() (making chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.making != nil || time.Until(a.known.Expires) > roleRenewed || time.Since(a.asked) < roleAgain {
		return a.making
	}
	making = make(chan struct{})
	a.making, a.asked = making, time.Now()
	go func() {
		ctx, cancel := context.WithTimeout(a.open, roleTimeout)
		defer cancel()
		var made aws.Credentials
		err := caught(func() (err error) { made, err = a.assume(ctx); return err })
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.failed = err; err == nil {
			a.known = made
		}
		a.making = nil
		close(making)
	}()
	return making
}

// refused forgets keys that AWS does not take, if they are still those.
func (a *assumedRole) refused(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.known.AccessKeyID == key {
		a.known, a.failed = aws.Credentials{}, fault("refused the credentials", errors.New("keys that were made not long ago are not taken"))
	}
}

// assume asks for new keys.
func (a *assumedRole) assume(ctx context.Context) (aws.Credentials, error) {
	token, err := secretFrom(a.web.env, a.role.TokenFile)
	if err != nil {
		return aws.Credentials{}, err
	}
	text, err := a.web.get(ctx, formRequest("/", url.Values{
		"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "RoleArn": {a.role.ARN}, "RoleSessionName": {"mini-hpa"}, "WebIdentityToken": {token},
	}))
	if status := (*statusError)(nil); errors.As(err, &status) && status.code >= 400 && status.code < 500 && status.code != http.StatusTooManyRequests {
		return aws.Credentials{}, fault("is not set up: AWS does not give mini-hpa the role", status)
	}
	if err != nil {
		return aws.Credentials{}, err
	}
	_, said, _ := strings.Cut(string(text), "<Credentials>")
	made := aws.Credentials{AccessKeyID: element(said, "AccessKeyId"), SecretAccessKey: element(said, "SecretAccessKey"), SessionToken: element(said, "SessionToken"), CanExpire: true}
	a.web.env.secrets.add(made.SecretAccessKey, made.SessionToken)
	if made.Expires, err = time.Parse(time.RFC3339, element(said, "Expiration")); err != nil {
		return aws.Credentials{}, unreadable(errors.New("it has no time at which the keys expire"))
	}
	if made.AccessKeyID == "" || made.SecretAccessKey == "" || made.SessionToken == "" || time.Until(made.Expires) <= 0 {
		return aws.Credentials{}, unreadable(errors.New("a key is missing, or has expired"))
	}
	return made, nil
}

// element is what an element of XML has in it, which is plain text of base64, a name or a time; empty for anything else. The decoder of encoding/xml is for all
// of XML, and a hundred kilobytes of the program.
func element(text, name string) string {
	_, rest, _ := strings.Cut(text, "<"+name+">")
	value, _, closed := strings.Cut(rest, "</"+name+">")
	if value = strings.TrimSpace(value); !closed || strings.ContainsAny(value, "<>&") {
		return ""
	}
	return value
}

// awsFailure is a failure in the body of an answer, as a service of AWS writes it in JSON.
type awsFailure struct {
	// Type is how it is called: "QueueDoesNotExist", which may stand as "com.amazonaws.sqs#QueueDoesNotExist:http://...".
	Type    string `json:"__type"`
	Message string `json:"message"`
}

// readAWSFailure is in the zero value what cannot be read.
func readAWSFailure(body string) (f awsFailure) {
	if json.Unmarshal([]byte(body), &f) != nil {
		return awsFailure{}
	}
	if _, name, isQualified := strings.Cut(f.Type, "#"); isQualified {
		f.Type = name
	}
	f.Type, _, _ = strings.Cut(f.Type, ":")
	return f
}

// isOfKey says that other keys may be taken.
func (f awsFailure) isOfKey() bool {
	switch f.Type {
	case "InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "InvalidToken", "ExpiredToken", "ExpiredTokenException":
		return true
	}
	return false
}

// explain is a Fault that says what the failure means for any service, by how it is called
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html); nil for one that is not known.
func (f awsFailure) explain(err error) error {
	switch f.Type {
	case "RequestExpired", "RequestTimeTooSkewed":
		return fault("has another time than mini-hpa", err)
	case "InvalidSignatureException", "SignatureDoesNotMatch":
		if strings.HasPrefix(f.Message, "Signature expired") || strings.HasPrefix(f.Message, "Signature not yet current") {
			return fault("has another time than mini-hpa", err)
		}
		return fault("refused the credentials", err)
	case "InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "IncompleteSignature", "IncompleteSignatureException",
		"MissingAuthenticationToken", "MissingAuthenticationTokenException", "InvalidToken", "OptInRequired":
		return fault("refused the credentials", err)
	case "ExpiredToken", "ExpiredTokenException":
		return fault("refused the credentials, which have expired", err)
	case "AccessDenied", "AccessDeniedException", "NotAuthorized":
		return unanswered("does not allow mini-hpa what the line asks", err)
	case "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException", "TooManyRequestsException", "RequestLimitExceeded", "OverLimit":
		return fault("has too much to do", err)
	case "InternalError", "InternalFailure", "InternalServerError", "ServiceUnavailable", "ServiceUnavailableException":
		return fault("failed", err)
	}
	return nil
}
