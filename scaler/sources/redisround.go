package sources

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/rueidis"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

// The parameters that name a key, by what is there.
const (
	keyList      = "list"
	keySet       = "set"
	keySortedSet = "sorted-set"
	keyStream    = "stream"
)

// redisQuestion asks for the length of what is at a key, or what a group has left of a stream.
type redisQuestion struct {
	place            int
	kind, key, group string // kind is keyList and the like
	db               int
}

func redisQuestionOf(place int, asked metrics.Question) (*redisQuestion, error) {
	q := &redisQuestion{place: place}
	for _, kind := range []string{keyList, keySet, keySortedSet, keyStream} {
		key, ok := asked.Parameters.Get(kind)
		if ok && q.kind != "" {
			return nil, unanswered("was asked for more than one key", fmt.Errorf("%s and %s", q.kind, kind))
		}
		if ok {
			q.kind, q.key = kind, key
		}
	}
	q.group, _ = asked.Parameters.Get("group")
	if text, ok := asked.Parameters.Get("db"); ok {
		db, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return nil, unanswered("was asked for a database that is no number", err)
		}
		q.db = int(db)
	}
	if q.key == "" {
		return nil, unanswered("was asked for no key", nil)
	}
	return q, nil
}

// commands are what is asked. A stream of which all entries were deleted is still there, and one that does not exist has the length 0, too.
func (q *redisQuestion) commands(b rueidis.Builder) []rueidis.Completed {
	switch {
	case q.kind == keyList:
		return []rueidis.Completed{b.Llen().Key(q.key).Build()}
	case q.kind == keySet:
		return []rueidis.Completed{b.Scard().Key(q.key).Build()}
	case q.kind == keySortedSet:
		return []rueidis.Completed{b.Zcard().Key(q.key).Build()}
	case q.group == "":
		return []rueidis.Completed{b.Xlen().Key(q.key).Build(), b.Exists().Key(q.key).Build()}
	}
	return []rueidis.Completed{b.XinfoGroups().Key(q.key).Build()}
}

// redisRound asks a Redis.
type redisRound struct {
	library  rueidis.Client
	cluster  bool
	conclude func(q *redisQuestion, a metrics.Answer, err error)
}

// ask answers questions with one pipeline, and those with another of which the lag is not known.
func (r *redisRound) ask(ctx context.Context, questions []*redisQuestion) {
	var unknown []*redisQuestion
	groups := map[*redisQuestion]streamGroup{}
	r.send(ctx, questions, (*redisQuestion).commands, func(q *redisQuestion, results []rueidis.RedisResult) {
		if q.group == "" {
			length, err := q.length(results)
			r.tell(q, length, err)
			return
		}
		group, err := q.find(results[0])
		if err == nil && group.lag == lagUnknown {
			groups[q], unknown = group, append(unknown, q)
			return
		}
		r.tell(q, group.left(), err)
	})
	if len(unknown) == 0 {
		return
	}
	behind := func(q *redisQuestion, b rueidis.Builder) []rueidis.Completed { return q.behind(b, groups[q].delivered) }
	r.send(ctx, unknown, behind, func(q *redisQuestion, results []rueidis.RedisResult) {
		group, err := groups[q], error(nil)
		group.lag, err = q.estimate(results)
		r.tell(q, group.left(), err)
	})
}

func (r *redisRound) tell(q *redisQuestion, number int64, err error) {
	if err != nil {
		r.conclude(q, metrics.Answer{}, err)
		return
	}
	r.conclude(q, answerOf(*resource.NewQuantity(number, resource.DecimalSI)), nil)
}

// send sends the commands of questions in one pipeline. The database is chosen within it, each time: who was before is not known.
func (r *redisRound) send(ctx context.Context, questions []*redisQuestion, commands func(*redisQuestion, rueidis.Builder) []rueidis.Completed, read func(*redisQuestion, []rueidis.RedisResult)) {
	const nothing = -1
	var pipeline []rueidis.Completed
	chosen, choice := nothing, nothing
	type span struct{ choice, first, end int }
	spans := make([]span, len(questions))
	for i, q := range questions {
		if !r.cluster && q.db != chosen {
			chosen, choice = q.db, len(pipeline)
			pipeline = append(pipeline, r.library.B().Select().Index(int64(q.db)).Build())
		}
		first := len(pipeline)
		pipeline = append(pipeline, commands(q, r.library.B())...)
		spans[i] = span{choice, first, len(pipeline)}
	}
	results := r.library.DoMulti(ctx, pipeline...)
	for i, q := range questions {
		s := spans[i]
		if s.choice != nothing {
			if err := results[s.choice].Error(); err != nil {
				r.conclude(q, metrics.Answer{}, err)
				continue
			}
		}
		read(q, results[s.first:s.end])
	}
}

// length reads the answers to the commands of a question without a group.
func (q *redisQuestion) length(results []rueidis.RedisResult) (int64, error) {
	length, err := results[0].AsInt64()
	if err != nil {
		return 0, q.explain(err)
	}
	if q.kind != keyStream {
		return length, nil // Redis deletes what has become empty
	}
	return length, q.checkExists(results[1])
}

func (q *redisQuestion) checkExists(result rueidis.RedisResult) error {
	n, err := result.AsInt64()
	if err != nil {
		return q.explain(err)
	}
	if n == 0 {
		return unanswered("has no stream of that name", nil)
	}
	return nil
}

// explain puts into words what is about the key.
func (q *redisQuestion) explain(err error) error {
	var said *rueidis.RedisError
	switch {
	case !errors.As(err, &said):
		return err
	case strings.HasPrefix(said.Error(), "WRONGTYPE"):
		return unanswered("has something else than a "+strings.ReplaceAll(q.kind, "-", " ")+" at that key", err)
	case said.Error() == "no such key":
		return unanswered("has no stream of that name", err)
	}
	return err
}

// streamGroup is a consumer group of a stream.
type streamGroup struct {
	// pending are entries that consumers have and have not acknowledged, lag those that were not delivered yet; it may be lagUnknown.
	pending, lag int64
	// delivered is the ID of the entry that was delivered last.
	delivered string
}

const (
	lagUnknown = -1
	// mostCounted is how many entries are counted one by one where the lag is not known.
	mostCounted = 100
)

// left is what there is to do.
func (g streamGroup) left() int64 { return g.pending + min(g.lag, math.MaxInt64-g.pending) }

// find looks up the group.
func (q *redisQuestion) find(result rueidis.RedisResult) (group streamGroup, err error) {
	all, err := result.ToArray()
	if err != nil {
		return group, q.explain(err)
	}
	for i := range all {
		fields, err := all[i].AsMap()
		if err != nil {
			return group, unreadable(err)
		}
		if name := fields["name"]; !isText(&name, q.group) {
			continue
		}
		return readGroup(fields)
	}
	return group, unanswered("has no group of that name", nil)
}

func isText(m *rueidis.RedisMessage, want string) bool {
	text, err := m.ToString()
	return err == nil && text == want
}

func readGroup(fields map[string]rueidis.RedisMessage) (group streamGroup, err error) {
	pending, delivered, lag := fields["pending"], fields["last-delivered-id"], fields["lag"]
	var problems [3]error
	group.pending, problems[0] = pending.AsInt64()
	group.delivered, problems[1] = delivered.ToString()
	if _, ok := fields["lag"]; !ok {
		return group, unanswered("does not count what a group has left, as Redis does from version 7 on", nil)
	}
	if group.lag = lagUnknown; !lag.IsNil() {
		group.lag, problems[2] = lag.AsInt64()
	}
	if err := errors.Join(problems[:]...); err != nil {
		return group, unreadable(err)
	}
	if group.pending < 0 || group.lag < lagUnknown {
		return group, unreadable(fmt.Errorf("%d pending, a lag of %d", group.pending, group.lag))
	}
	return group, nil
}

// behind asks for the first entries that were not delivered, where Redis does not know how many they are: the group was made in the middle of the
// stream, or entries in front of it were deleted. It knows again as soon as the group has read to the end.
func (q *redisQuestion) behind(b rueidis.Builder, delivered string) []rueidis.Completed {
	return []rueidis.Completed{
		b.Xrange().Key(q.key).Start("(" + delivered).End("+").Count(mostCounted + 1).Build(), b.Xlen().Key(q.key).Build(), b.Exists().Key(q.key).Build(),
	}
}

// estimate is the number of entries that were not delivered, or where there are many of them, the length of the stream. That may be too much, for a
// while, but never leaves a group behind for ever, as too little would: nobody would help it to read to the end.
func (q *redisQuestion) estimate(results []rueidis.RedisResult) (int64, error) {
	entries, err := results[0].ToArray()
	if err != nil {
		return 0, q.explain(err)
	}
	length, err := q.length(results[1:])
	if err != nil {
		return 0, err
	}
	if n := int64(len(entries)); n <= mostCounted {
		return n, nil
	}
	return length, nil
}

// explainRedis is a Fault that says what an error of Redis means, of which the library leaves out "ERR".
func explainRedis(said string) error {
	code, _, _ := strings.Cut(said, " ")
	cause := fmt.Errorf("it said %.300q", said)
	switch {
	case slices.Contains([]string{"WRONGPASS", "NOAUTH"}, code), strings.Contains(said, "AUTH"), strings.Contains(said, "invalid password"):
		return fault("refused the credentials", cause)
	case code == "NOPERM":
		return unanswered("does not permit its user to count that", cause)
	case strings.HasPrefix(said, "No such master"):
		return fault("has no master of that name", cause)
	case code == "LOADING":
		return fault("is still loading its data", cause)
	case code == "CLUSTERDOWN", code == "TRYAGAIN":
		return fault("is a cluster that is down at that key", cause)
	case code == "MOVED", code == "ASK":
		return fault("is a cluster, which the file does not say", cause)
	case code == "DENIED":
		return fault("accepts no connections but from its own machine", cause)
	case strings.HasPrefix(said, "DB index"), strings.HasPrefix(said, "SELECT is not allowed"):
		return unanswered("has no database of that number", cause)
	case strings.HasPrefix(said, "max number of clients"):
		return fault("has too much to do", cause)
	}
	return fault("answered with an error", cause)
}
