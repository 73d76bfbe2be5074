package sources

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// awsAuth is how a client says to AWS who it is: by an access key. Its secret part is never sent.
type awsAuth struct {
	AccessKeyIDFile     string `json:"accessKeyIdFile"`
	SecretAccessKeyFile string `json:"secretAccessKeyFile"`
	// SessionTokenFile belongs to keys that expire.
	SessionTokenFile string `json:"sessionTokenFile,omitempty"`
}

func (a *awsAuth) check(at *field.Path) field.ErrorList {
	problems := append(checkPath(a.AccessKeyIDFile, at.Child("accessKeyIdFile")), checkPath(a.SecretAccessKeyFile, at.Child("secretAccessKeyFile"))...)
	problems = append(problems, checkPath(a.SessionTokenFile, at.Child("sessionTokenFile"))...)
	if a.AccessKeyIDFile == "" || a.SecretAccessKeyFile == "" {
		problems = append(problems, field.Invalid(at, field.OmitValueType{}, "want accessKeyIdFile and secretAccessKeyFile"))
	}
	return problems
}

// read reads the files.
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
	auth            *awsAuth
	service, region string
}

// sign is authorizer's. A signer of the library believes for a day that the secret part of a key stays the same, so that there is one for each request:
// a file that was wrong may be put right.
func (s *awsSigner) sign(env Env, r *http.Request, body []byte) (secrets []string, err error) {
	credentials, err := s.auth.read(env)
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
