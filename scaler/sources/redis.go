package sources

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

// redisKind counts the elements of a list, a set or a sorted set, and the entries of a stream: all of them, or those that a group has not acknowledged.
var redisKind = Kind{
	Type: catalog.Type{
		Name:     "redis",
		Settings: func() catalog.Settings { return &redisSettings{} },
		OneOf:    []string{keyList, keySet, keySortedSet, keyStream},
		Parameters: []catalog.Parameter{
			{Name: keyList, Kind: catalog.KindWord, Allowed: true},
			{Name: keySet, Kind: catalog.KindWord, Allowed: true},
			{Name: keySortedSet, Kind: catalog.KindWord, Allowed: true},
			{Name: keyStream, Kind: catalog.KindWord, Allowed: true},
			{Name: "group", Kind: catalog.KindWord, Allowed: true, With: keyStream, Optional: true},
			{Name: "db", Kind: catalog.KindInteger, Min: "0", Max: "16383", Default: "0"},
		},
	},
	Open:  opens(openRedis),
	Batch: true,
}

// redisSettings are what the file says of a Redis.
type redisSettings struct {
	// Addresses are host:port of the server; with Cluster of some of its members, which name the others, and with Sentinel of some sentinels.
	Addresses []string `json:"addresses"`
	// Cluster says that it is a Redis Cluster.
	Cluster bool `json:"cluster,omitempty"`
	// Sentinel is the name of the master that the sentinels watch.
	Sentinel string `json:"sentinel,omitempty"`
	TLS      *TLS   `json:"tls,omitempty"`
	// Auth is the user of the server, SentinelAuth that of the sentinels. Without a user the password is the default user's.
	Auth         *Credentials `json:"auth,omitempty"`
	SentinelAuth *Credentials `json:"sentinelAuth,omitempty"`
}

// Check says what is wrong with them.
func (s *redisSettings) Check(_ *catalog.Entry, at *field.Path) field.ErrorList {
	problems := s.TLS.check(at.Child("tls"))
	problems = append(problems, checkAddresses(s.Addresses, "redis-0.redis.svc:6379", at.Child("addresses"))...)
	if len(s.Addresses) > 1 && !s.Cluster && s.Sentinel == "" {
		problems = append(problems, field.Invalid(at.Child("addresses"), field.OmitValueType{}, "want one address, or cluster: true, or the name of a master as sentinel"))
	}
	if s.Cluster && s.Sentinel != "" {
		problems = append(problems, field.Invalid(at.Child("sentinel"), s.Sentinel, "a cluster has no sentinels: want cluster or sentinel"))
	}
	if s.SentinelAuth != nil && s.Sentinel == "" {
		problems = append(problems, field.Invalid(at.Child("sentinelAuth"), field.OmitValueType{}, "want sentinel beside it"))
	}
	problems = append(problems, checkRedisUser(s.Auth, at.Child("auth"))...)
	return append(problems, checkRedisUser(s.SentinelAuth, at.Child("sentinelAuth"))...)
}

func checkRedisUser(c *Credentials, at *field.Path) field.ErrorList {
	switch {
	case c == nil:
		return nil
	case c.PasswordFile == "":
		return field.ErrorList{field.Required(at.Child("passwordFile"), "")}
	}
	return c.check(at)
}

// redisClient asks one Redis, over one connection to each server that has keys.
type redisClient struct {
	settings *redisSettings
	env      Env
	dialer   *dialer
	timeout  time.Duration

	mu      sync.Mutex
	library rueidis.Client // nil until there was a connection
	// master is what library is connected to, where sentinels say that; looked is when they were asked last.
	master  string
	looked  time.Time
	attempt *redisAttempt
	closed  bool
	// secrets are the passwords that were read last.
	secrets map[string]string
}

// redisAttempt is one to connect, for the first time or to another master.
type redisAttempt struct {
	done    chan struct{}
	library rueidis.Client // read only after done
	err     error
}

func openRedis(e *catalog.Entry, settings *redisSettings, env Env) (Client, error) {
	dial := newDialer
	if settings.Cluster || settings.Sentinel != "" { // other members are named by those
		dial = newMemberDialer
	}
	c := &redisClient{
		settings: settings, env: env, timeout: min(max(e.Timeout, time.Second), time.Minute), secrets: map[string]string{},
		dialer: dial(env, settings.TLS, settings.TLS != nil, settings.Addresses...),
	}
	c.dialer.most = mostOfBroker
	if (settings.Auth != nil || settings.SentinelAuth != nil) && settings.TLS == nil && !c.dialer.local {
		env.Log.Warn("credentials are sent without encryption: there is no tls")
	}
	return c, nil
}

// Close gives up the connections.
func (c *redisClient) Close() {
	c.mu.Lock()
	library := c.library
	c.library, c.closed = nil, true
	c.mu.Unlock()
	if library != nil {
		library.Close()
	}
}

// Ask sends all questions in one round, and a second one for the few groups of streams of which Redis does not know the lag. In a cluster each question
// goes to the server that has the key, and waits for no other.
func (c *redisClient) Ask(ctx context.Context, all []metrics.Question, answer func(i int, a metrics.Answer, err error)) {
	var questions []*redisQuestion
	for i, asked := range all {
		q, err := redisQuestionOf(i, asked)
		if err == nil && c.settings.Cluster && q.db != 0 {
			err = unanswered("is a cluster, which has no databases but 0", nil)
		}
		if err != nil {
			answer(i, metrics.Answer{}, err)
			continue
		}
		questions = append(questions, q)
	}
	if len(questions) == 0 {
		return
	}
	pending := make(map[int]bool, len(questions))
	for _, q := range questions {
		pending[q.place] = true
	}
	together := len(questions)
	if c.settings.Cluster { // each server is asked for what is its own, which the library knows
		together = 1
	}
	concluded := make(chan redisResult, 2*len(questions)) // whoever is late does not wait
	for some := range slices.Chunk(questions, together) {
		go c.begin(ctx, some, concluded)
	}
	for len(pending) > 0 {
		select {
		case r := <-concluded:
			if pending[r.place] {
				delete(pending, r.place)
				answer(r.place, r.answer, r.err)
			}
		case <-ctx.Done():
			for i := range pending {
				answer(i, metrics.Answer{}, ctx.Err())
			}
			return
		}
	}
}

// redisResult is what came of a question.
type redisResult struct {
	place  int
	answer metrics.Answer
	err    error
}

// begin sends questions together. If that fails, so has each that has no result before.
func (c *redisClient) begin(ctx context.Context, questions []*redisQuestion, concluded chan<- redisResult) {
	err := caught(func() error {
		library, err := c.connected(ctx)
		if err != nil {
			return err
		}
		round := &redisRound{library: library, cluster: c.settings.Cluster, conclude: func(q *redisQuestion, a metrics.Answer, err error) {
			if err != nil {
				err = c.explain(err)
			}
			if c.settings.Sentinel != "" && !answersSomething(err) {
				c.leave(library)
			}
			concluded <- redisResult{q.place, a, err}
		}}
		round.ask(ctx, questions)
		return nil
	})
	if err == nil {
		return
	}
	for _, q := range questions {
		concluded <- redisResult{place: q.place, err: err}
	}
}

// lookAgain is after how long sentinels are asked again for the master, in the background.
const lookAgain = 5 * time.Second

// connected returns the library's client. The first connection is made here, and not in the time of one who asks: the library has no
// deadline for it but those of its steps.
func (c *redisClient) connected(ctx context.Context) (rueidis.Client, error) {
	c.mu.Lock()
	if c.closed {
		defer c.mu.Unlock()
		return nil, errClosed
	}
	isDue := c.library == nil || c.settings.Sentinel != "" && time.Since(c.looked) >= lookAgain
	if c.attempt == nil && isDue {
		c.attempt = &redisAttempt{done: make(chan struct{})}
		go c.connect(c.attempt, c.library, c.master)
	}
	attempt, library := c.attempt, c.library
	c.mu.Unlock()
	if library != nil {
		return library, nil
	}
	select {
	case <-attempt.done:
		return attempt.library, attempt.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

var errClosed = errors.New("the client is closed")

// connect connects, if there is no connection to the master yet. If that fails, what there was stays.
func (c *redisClient) connect(attempt *redisAttempt, before rueidis.Client, master string) {
	library := before
	err := caught(func() (err error) {
		addresses := c.settings.Addresses
		if c.settings.Sentinel != "" {
			was := master
			if master, err = c.askSentinels(); err != nil || before != nil && master == was {
				return err
			}
			addresses = []string{master}
		}
		library, err = c.join(addresses)
		return err
	})
	if err != nil {
		library, err = before, c.explain(err)
	}
	c.mu.Lock()
	closed := c.closed
	c.attempt, c.looked = nil, time.Now()
	if !closed && err == nil {
		c.library, c.master = library, master
	}
	c.mu.Unlock()
	if library != before { // of the two, one is not needed
		switch {
		case closed:
			library.Close()
		case before != nil:
			before.Close()
		}
	}
	if closed {
		library, err = nil, errClosed
	}
	attempt.library, attempt.err = library, err
	close(attempt.done)
}

// leave gives up a connection to a master that does not answer: the next time, sentinels are asked first.
func (c *redisClient) leave(library rueidis.Client) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.library == library {
		c.library = nil
		go library.Close() // waits for what is under way
	}
}

// askSentinels returns the address of the master: what the first of them says that answers.
func (c *redisClient) askSentinels() (address string, err error) {
	for _, sentinel := range c.settings.Addresses {
		if address, err = c.askSentinel(sentinel); err == nil {
			return address, nil
		}
	}
	return "", err
}

func (c *redisClient) askSentinel(address string) (master string, err error) {
	library, err := rueidis.NewClient(c.options([]string{address}, c.settings.SentinelAuth, "sentinel"))
	if err != nil {
		return "", err
	}
	defer library.Close()
	ctx, cancel := context.WithTimeout(context.Background(), c.timeout)
	defer cancel()
	parts, err := library.Do(ctx, library.B().SentinelGetMasterAddrByName().Master(c.settings.Sentinel).Build()).AsStrSlice()
	switch {
	case rueidis.IsRedisNil(err):
		return "", fault("has no master of that name", fmt.Errorf("no master %q is known to the sentinel %s", c.settings.Sentinel, address))
	case err == nil && len(parts) != 2:
		err = unreadable(fmt.Errorf("a sentinel says that the master is at %s", c.env.secrets.quote(strings.Join(parts, " "), 2*mostQuoted)))
	case err == nil:
		master = net.JoinHostPort(parts[0], parts[1])
	}
	return master, err
}

// join connects.
func (c *redisClient) join(addresses []string) (rueidis.Client, error) {
	library, err := rueidis.NewClient(c.options(addresses, c.settings.Auth, "server"))
	switch {
	case err != nil:
	case c.settings.Cluster && library.Mode() != rueidis.ClientModeCluster:
		err = fault("is no cluster, which the file says", nil)
	case c.settings.Sentinel != "":
		err = c.checkRole(library)
	}
	if err != nil {
		if library != nil {
			library.Close()
		}
		return nil, err
	}
	return library, nil
}

// checkRole fails if what sentinels call the master is none: they have not noticed yet, or it has not.
func (c *redisClient) checkRole(library rueidis.Client) error {
	ctx, cancel := context.WithTimeout(context.Background(), c.timeout)
	defer cancel()
	said, err := library.Do(ctx, library.B().Role().Build()).ToArray()
	if err == nil && (len(said) == 0 || !isText(&said[0], "master")) {
		err = fault("has no master at present", errors.New("what the sentinels call the master has another role"))
	}
	return err
}

// options are the library's, for a connection to whom the credentials are known.
func (c *redisClient) options(addresses []string, whose *Credentials, to string) rueidis.ClientOption {
	const (
		idle      = 30 * time.Second // after which a connection is tried with a PING
		redirects = 4                // how often a cluster may send a question on
		buffer    = 32 << 10
	)
	options := rueidis.ClientOption{
		InitAddress: addresses, ForceSingleClient: !c.settings.Cluster,
		DialCtxFn: c.dial, Dialer: net.Dialer{Timeout: c.timeout, KeepAlive: idle}, ConnWriteTimeout: c.timeout,
		AuthCredentialsFn: func(rueidis.AuthCredentialsContext) (rueidis.AuthCredentials, error) { return c.credentials(whose, to) },
		ClientName:        "mini-hpa", ClientSetInfo: rueidis.DisableClientSetInfo,
		// No caching on this side, and no repeating: the next answer is a period away.
		DisableCache: true, DisableRetry: true,
		// One connection, on which all of Ask stays together: SELECT is for what comes behind it. It is read from all the time, so that one that the
		// server has closed is known before it is used.
		PipelineMultiplex: -1, AlwaysPipelining: true, BlockingPipeline: math.MaxInt,
		RingScaleEachConn: 8, ReadBufferEachConn: buffer, WriteBufferEachConn: buffer,
		ClusterOption: rueidis.ClusterOption{MaxMovedRedirections: redirects},
	}
	if c.settings.TLS != nil { // says which port of a member is meant; dial has the real one
		options.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return options
}

// dial makes a connection for the library.
func (c *redisClient) dial(ctx context.Context, address string, _ *net.Dialer, _ *tls.Config) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	connection, err := c.dialer.dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &guardedRedis{Conn: connection, replies: respScanner{secrets: c.env.secrets}}, nil
}

// credentials reads those of a connection to the server or to a sentinel.
func (c *redisClient) credentials(whose *Credentials, to string) (rueidis.AuthCredentials, error) {
	if whose == nil {
		return rueidis.AuthCredentials{}, nil
	}
	user, password, err := whose.read(c.env)
	if err != nil {
		return rueidis.AuthCredentials{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.secrets[to] = password
	return rueidis.AuthCredentials{Username: user, Password: password}, nil
}

// explain is a Fault that says why Redis did not answer.
func (c *redisClient) explain(err error) error {
	var already *Fault
	var said *rueidis.RedisError
	var network net.Error
	switch {
	case errors.As(err, &already):
		return err
	case errors.As(err, &said):
		c.mu.Lock()
		defer c.mu.Unlock()
		return explainRedis(c.env.secrets.hide(hide(said.Error(), c.secrets["server"], c.secrets["sentinel"])))
	case errors.Is(err, rueidis.ErrClosing):
		return fault("broke off the connection", err)
	case errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, context.Canceled):
		return explainRequest(err)
	}
	return unreadable(err)
}
