package sources

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
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
	if base, err := url.Parse(r.URL); err == nil && base.Scheme == "http" && !isLocal(base.Hostname()) {
		problems = append(problems, field.Invalid(at.Child("url"), r.URL, "want https://, as the token is sent there"))
	}
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
	s.role = &assumedRole{role: auth.Role, web: web, turn: make(chan struct{}, 1)}
	return s, nil
}

func (s *awsSigner) close() {
	if s.role != nil {
		s.role.web.close()
	}
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
type assumedRole struct {
	role *awsRole
	web  *webClient
	// turn is taken by who looks at the rest, or asks for new keys meanwhile.
	turn  chan struct{}
	known aws.Credentials
	// failed is when new ones were asked for last in vain.
	failed time.Time
}

const (
	// roleRenewed is how long before they expire keys are renewed, and roleAgain after what time that is tried again while the old ones are good.
	roleRenewed, roleAgain = 5 * time.Minute, 30 * time.Second
)

// credentials are the keys of the role.
func (a *assumedRole) credentials(ctx context.Context) (aws.Credentials, error) {
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-ctx.Done():
		return aws.Credentials{}, ctx.Err()
	}
	left := time.Until(a.known.Expires)
	if left > roleRenewed || left > 0 && time.Since(a.failed) < roleAgain {
		return a.known, nil
	}
	made, err := a.assume(ctx)
	switch {
	case err == nil:
		a.known = made
	case left > 0:
		a.failed = time.Now()
	default:
		return aws.Credentials{}, err
	}
	return a.known, nil
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
	var said struct {
		Made struct {
			ID      string    `xml:"AccessKeyId"`
			Secret  string    `xml:"SecretAccessKey"`
			Token   string    `xml:"SessionToken"`
			Expires time.Time `xml:"Expiration"`
		} `xml:"AssumeRoleWithWebIdentityResult>Credentials"`
	}
	if err := xml.Unmarshal(text, &said); err != nil {
		return aws.Credentials{}, unreadable(err)
	}
	made := said.Made
	a.web.env.secrets.add(made.Secret, made.Token)
	if made.ID == "" || made.Secret == "" || made.Token == "" || time.Until(made.Expires) <= 0 {
		return aws.Credentials{}, unreadable(errors.New("a key is missing, or has expired"))
	}
	return aws.Credentials{AccessKeyID: made.ID, SecretAccessKey: made.Secret, SessionToken: made.Token, CanExpire: true, Expires: made.Expires}, nil
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
