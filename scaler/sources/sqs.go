package sources

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

// sqsKind counts the messages of a queue of Amazon SQS, which knows their number approximately, and sometimes not for a minute
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html).
var sqsKind = Kind{
	Type: catalog.Type{
		Name:     "sqs",
		Settings: func() catalog.Settings { return &sqsSettings{} },
		Settle:   time.Minute,
		Parameters: []catalog.Parameter{
			{Name: "queue", Kind: catalog.KindName, Allowed: true},
			{Name: "count", Kind: catalog.KindEnum, Values: []string{countAll, countVisible}, Default: countAll},
		},
	},
	Open: opens(openSQS),
}

// The values of count: with the messages that consumers have received and not deleted yet, or without them. Whoever counts without them takes
// consumers away that are at work.
const (
	countAll     = "all"
	countVisible = "visible"
)

// sqsSettings are what the file says of the queues of an account in a region.
type sqsSettings struct {
	// URL is the endpoint of the region, such as https://sqs.eu-central-1.amazonaws.com.
	URL string `json:"url"`
	TLS *TLS   `json:"tls,omitempty"`
	// Region is that which the endpoint is in, Account the twelve digits of whose the queues are.
	Region  string  `json:"region"`
	Account string  `json:"account"`
	Auth    awsAuth `json:"auth"`
}

var (
	awsRegion  = regexp.MustCompile(`^[a-z]{2,}(-[a-z0-9]+)+$`)
	awsAccount = regexp.MustCompile(`^[0-9]{12}$`)
	// sqsQueue is the name of a queue, of 80 characters at most.
	sqsQueue = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.fifo)?$`)
)

const mostOfQueueName = 80

// Check says what is wrong with them.
func (s *sqsSettings) Check(_ *catalog.Entry, at *field.Path) field.ErrorList {
	var problems field.ErrorList
	if s.URL == "" {
		problems = append(problems, field.Required(at.Child("url"), "the endpoint of the region, such as https://sqs.eu-central-1.amazonaws.com"))
	} else {
		problems = append(problems, s.web().check(at)...)
		problems = append(problems, s.web().checkEncrypted(at, "who is in between could say that nothing waits")...)
	}
	if base, err := url.Parse(s.URL); len(problems) == 0 && err == nil && strings.Trim(base.Path, "/") != "" {
		problems = append(problems, field.Invalid(at.Child("url"), s.URL, "want no path: account and the queue of a line are behind it"))
	}
	if !awsRegion.MatchString(s.Region) {
		problems = append(problems, field.Invalid(at.Child("region"), s.Region, "want that of the endpoint, such as eu-central-1"))
	}
	if !awsAccount.MatchString(s.Account) {
		problems = append(problems, field.Invalid(at.Child("account"), s.Account, "want the twelve digits of whose the queues are"))
	}
	return append(problems, s.Auth.check(at.Child("auth"))...)
}

// web is the endpoint without who asks.
func (s *sqsSettings) web() *Web { return &Web{URL: s.URL, TLS: s.TLS} }

// sqsClient asks an endpoint, for one queue after the other: there is no request for many.
type sqsClient struct {
	web    *webClient
	signer *awsSigner
	// queues is the URL to which the name of one is added.
	queues string
}

func openSQS(e *catalog.Entry, settings *sqsSettings, env Env) (Client, error) {
	web, err := settings.web().open(env, e.Concurrency)
	if err != nil {
		return nil, err
	}
	signer, err := newAWSSigner(&settings.Auth, env, "sqs", settings.Region)
	if err != nil {
		return nil, err
	}
	web.auth = signer
	return &sqsClient{web: web, signer: signer, queues: strings.TrimSuffix(settings.URL, "/") + "/" + settings.Account + "/"}, nil
}

// Close gives up the connections.
func (c *sqsClient) Close() {
	c.web.close()
	c.signer.close()
}

// Ask is Client's.
func (c *sqsClient) Ask(ctx context.Context, all []metrics.Question, answer func(i int, a metrics.Answer, err error)) {
	inTurn(all, answer, func(q metrics.Question) (metrics.Answer, error) { return c.ask(ctx, q) })
}

// The attributes of a queue: the messages that can be received, and those that were received and neither deleted nor made visible again.
const (
	sqsVisible = "ApproximateNumberOfMessages"
	sqsInWork  = "ApproximateNumberOfMessagesNotVisible"
)

func (c *sqsClient) ask(ctx context.Context, q metrics.Question) (metrics.Answer, error) {
	queue, _ := q.Parameters.Get("queue")
	count, _ := q.Parameters.Get("count")
	if len(queue) > mostOfQueueName || !sqsQueue.MatchString(queue) {
		return metrics.Answer{}, unanswered(fmt.Sprintf("cannot have a queue %q", queue), nil)
	}
	names := []string{sqsVisible}
	if count != countVisible {
		names = append(names, sqsInWork)
	}
	body, err := json.Marshal(map[string]any{"QueueUrl": c.queues + queue, "AttributeNames": names})
	if err != nil {
		return metrics.Answer{}, err
	}
	text, err := c.web.get(ctx, webRequest{path: "/", body: body, header: map[string]string{
		"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AmazonSQS.GetQueueAttributes",
	}})
	if err != nil {
		c.signer.refused(err)
		return metrics.Answer{}, explainSQS(err)
	}
	return sumOf(text, names)
}

// sumOf adds up the attributes of an answer.
func sumOf(text []byte, names []string) (metrics.Answer, error) {
	var said struct {
		Attributes map[string]string `json:"Attributes"`
	}
	if err := json.Unmarshal(text, &said); err != nil {
		return metrics.Answer{}, unreadable(err)
	}
	var sum int64
	for _, name := range names {
		n, err := strconv.ParseInt(said.Attributes[name], 10, 64)
		if err != nil || n < 0 {
			return metrics.Answer{}, unanswered("does not say how many messages that queue has", fmt.Errorf("%s is %q", name, said.Attributes[name]))
		}
		sum += min(n, math.MaxInt64-sum) // a sum that overflows would be below 0
	}
	return answerOf(*resource.NewQuantity(sum, resource.DecimalSI)), nil
}

// explainSQS is a Fault that says what a failure means, by what the endpoint calls it.
func explainSQS(err error) error {
	var status *statusError
	if !errors.As(err, &status) {
		return err
	}
	failure := readAWSFailure(status.said)
	switch failure.Type {
	case "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", "InvalidAddress":
		return unanswered("has no queue of that name, or none that mini-hpa may see", status)
	}
	return cmp.Or(failure.explain(status), err)
}
