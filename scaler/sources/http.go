package sources

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

// httpKind is any server that answers with JSON in which there is a number.
var httpKind = Kind{
	Type: catalog.Type{Name: "http", Queries: true, Settings: func() catalog.Settings { return &httpSettings{} }},
	Open: opens(func(e *catalog.Entry, settings *httpSettings, env Env) (Client, error) {
		web, err := settings.open(env, e.Concurrency)
		if err != nil {
			return nil, err
		}
		return &httpClient{entry: e, web: web}, nil
	}),
}

type httpSettings struct{ Web }

// Check is catalog.Settings'.
func (s *httpSettings) Check(e *catalog.Entry, at *field.Path) field.ErrorList {
	problems := s.Web.check(at)
	for i := range e.Queries {
		q, at := &e.Queries[i], at.Child("queries").Index(i)
		if q.Query != "" {
			problems = append(problems, field.Forbidden(at.Child("query"), `type "http" has path and value instead`))
		}
		if !strings.HasPrefix(q.Path, "/") || strings.ContainsAny(q.Path, "?#") {
			problems = append(problems, field.Invalid(at.Child("path"), q.Path, `must begin with "/", and have no parameters and no fragment`))
		} else if _, err := url.PathUnescape(q.Path); err != nil || isRelative(q.Path) {
			problems = append(problems, field.Invalid(at.Child("path"), q.Path, `must be a path as it is in a URL, without the segments "." and ".."`))
		}
	}
	return problems
}

// isRelative says whether a path has segments that lead elsewhere, also if a server takes escaped slashes for slashes.
func isRelative(path string) bool {
	plain, err := url.PathUnescape(path)
	return err != nil || slices.ContainsFunc(strings.FieldsFunc(plain, func(c rune) bool { return c == '/' || c == '\\' }),
		func(segment string) bool { return segment == "." || segment == ".." })
}

type httpClient struct {
	entry *catalog.Entry
	web   *webClient
}

// Close is Client's.
func (c *httpClient) Close() { c.web.close() }

// Ask is Client's.
func (c *httpClient) Ask(ctx context.Context, all []metrics.Question, answer func(int, metrics.Answer, error)) {
	inTurn(all, answer, func(q metrics.Question) (metrics.Answer, error) { return c.ask(ctx, q) })
}

func (c *httpClient) ask(ctx context.Context, q metrics.Question) (metrics.Answer, error) {
	query := queryOf(c.entry, q)
	if query == nil {
		return metrics.Answer{}, unanswered("has no such query", fmt.Errorf("there is no query %q", q.Metric))
	}
	path, err := pathOf(query, q.Parameters)
	if err != nil {
		return metrics.Answer{}, err
	}
	body, err := c.web.get(ctx, webRequest{path: path})
	if err != nil {
		return metrics.Answer{}, err
	}
	return numberAt(body, query.Value)
}

// pathOf fills in the path of a query. A value is one segment of it, or a part of one.
func pathOf(query *catalog.Query, values catalog.Parameters) (string, error) {
	template, err := catalog.ParseTemplate(query.Path, query.Declares)
	if err != nil {
		return "", err
	}
	var path strings.Builder
	for _, part := range template.Parts() {
		value := ""
		if part.Variable != "" {
			if value, err = valueIn(values, part.Variable); err != nil {
				return "", err
			}
		}
		path.WriteString(part.Literal + url.PathEscape(value))
	}
	if isRelative(path.String()) {
		return "", unanswered(`is not asked for a path with "." or ".."`, fmt.Errorf("path %q", path.String()))
	}
	return path.String(), nil
}

// numberAt is the number at a JSON pointer (RFC 6901) of a text. Where nothing is there, or null, the answer is empty.
func numberAt(text []byte, pointer string) (metrics.Answer, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var document any
	if err := decoder.Decode(&document); err != nil {
		return metrics.Answer{}, fault("did not answer with JSON", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return metrics.Answer{}, fault("did not answer with JSON", errors.New("there is more behind the value"))
	}
	number := ""
	switch found := follow(document, pointer).(type) {
	case nil:
		return metrics.Answer{}, nil
	case json.Number:
		number = found.String()
	case string:
		number = found
	default:
		return metrics.Answer{}, unanswered("has no number at that place", fmt.Errorf("at %q there is a %T", pointer, found))
	}
	value, err := readNumber(number)
	if err != nil {
		return metrics.Answer{}, unanswered("has no number at that place", fmt.Errorf("at %q: %w", pointer, err))
	}
	return counted(value)
}

// follow goes where a JSON pointer leads to; nil is nowhere.
func follow(document any, pointer string) any {
	if pointer == "" {
		return document
	}
	for _, token := range strings.Split(pointer[1:], "/") {
		token = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
		switch at := document.(type) {
		case map[string]any:
			document = at[token]
		case []any:
			n, err := strconv.ParseUint(token, 10, 31)
			if err != nil || n >= uint64(len(at)) || strconv.FormatUint(n, 10) != token {
				return nil
			}
			document = at[n]
		default:
			return nil
		}
	}
	return document
}
