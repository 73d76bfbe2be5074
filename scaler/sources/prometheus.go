package sources

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.uber.org/zap"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

// prometheusKind is Prometheus, and what has its API, such as Thanos, Mimir and VictoriaMetrics.
var prometheusKind = Kind{
	Type: catalog.Type{Name: "prometheus", Queries: true, Settings: func() catalog.Settings { return &prometheusSettings{} }},
	Open: opens(func(e *catalog.Entry, settings *prometheusSettings, env Env) (Client, error) {
		web, err := settings.open(env, e.Concurrency)
		if err != nil {
			return nil, err
		}
		return &prometheusClient{entry: e, web: web, warnings: incidents{log: env.Log, message: "a query has warnings", secrets: env.secrets}}, nil
	}),
}

type prometheusSettings struct{ Web }

// Check is catalog.Settings'.
func (s *prometheusSettings) Check(e *catalog.Entry, at *field.Path) field.ErrorList {
	problems := s.Web.check(at)
	for i := range e.Queries {
		q, at := &e.Queries[i], at.Child("queries").Index(i)
		if q.Path != "" {
			problems = append(problems, field.Forbidden(at.Child("path"), `type "prometheus" has query instead`))
		}
		if q.Value != "" {
			problems = append(problems, field.Forbidden(at.Child("value"), `type "prometheus" has query instead`))
		}
		if strings.TrimSpace(q.Query) == "" {
			problems = append(problems, field.Required(at.Child("query"), "such as sum(rate(http_requests_total{namespace=\"$namespace\"}[2m]))"))
		} else if _, err := promQL(q, func(string) (string, error) { return "0", nil }); err != nil {
			problems = append(problems, field.Invalid(at.Child("query"), q.Query, err.Error()))
		}
	}
	return problems
}

// promQL fills in a query. Text is written only within double quotes, with the escapes of a string, and where the string is a regular expression so
// that it stands for nothing but itself; numbers and durations also stand outside.
func promQL(query *catalog.Query, value func(variable string) (string, error)) (string, error) {
	template, err := catalog.ParseTemplate(query.Query, query.Declares)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	var at promPlace
	for _, part := range template.Parts() {
		if part.Variable == "" {
			at.pass(part.Literal)
			text.WriteString(part.Literal)
			continue
		}
		if err := at.mayHave(part.Variable, query.Parameters[part.Variable].Kind); err != nil {
			return "", err
		}
		v, err := value(part.Variable)
		if err != nil {
			return "", err
		}
		if at.in == '"' {
			if at.isPattern {
				v = regexp.QuoteMeta(v)
			}
			quoted := strconv.Quote(v)
			v = quoted[1 : len(quoted)-1]
		}
		at.afterVariable()
		text.WriteString(v)
	}
	if at.in != 0 && at.in != '#' {
		return "", errors.New("has a string without its closing quote")
	}
	return text.String(), nil
}

// promPlace is where in a query one is.
type promPlace struct {
	// in is the quote of the string, '#' in a comment, 0 elsewhere.
	in byte
	// isPattern says that the string, or the last one, is a regular expression: that of a matcher, or of a function.
	isPattern, isEscaped bool
	// hasWith says that there were templates of MetricsQL: WITH (name = "...").
	hasWith bool
	// before are the last two characters that are not blanks, word the name that ends with them, or here, as isInWord says.
	before   [2]byte
	word     string
	isInWord bool
	// within are the brackets that are open, the innermost last.
	within []promBracket
}

// mayHave fails where a variable of a kind may not stand.
func (p *promPlace) mayHave(variable string, kind catalog.Kind) error {
	isNumber := kind == catalog.KindInteger || kind == catalog.KindDuration
	switch {
	case p.in != '"' && (p.in != 0 || !isNumber):
		return fmt.Errorf(`has $%s where it is not within double quotes; only integers and durations may be elsewhere, and nothing in a comment or other quotes`, variable)
	case p.isEscaped:
		return fmt.Errorf("has $%s behind a backslash", variable)
	case p.in == '"' && p.hasWith:
		return fmt.Errorf("has $%s behind WITH, whose names may stand in a pattern: want the query without WITH", variable)
	}
	return nil
}

// promBracket is a bracket, the word before it, which is the name of a function, and how many commas were in it so far.
type promBracket struct {
	word   string
	commas int
}

// pass goes over literal text.
func (p *promPlace) pass(text string) {
	for i := range len(text) {
		c := text[i]
		switch {
		case p.in == '#':
			if c == '\n' {
				p.in = 0
			}
		case p.in != 0:
			p.passInString(c)
		case c == '#' || c == '"' || c == '\'' || c == '`':
			p.in, p.isPattern, p.isInWord = c, p.beginsPattern(), false
		default:
			p.passOutside(c)
		}
		if p.in != '#' && c > ' ' {
			p.before = [2]byte{p.before[1], c}
		}
	}
}

// patternOf is how many commas are before the regular expression of a function, of Prometheus and of MetricsQL
// (https://docs.victoriametrics.com/victoriametrics/metricsql/#label-manipulation-functions).
var patternOf = map[string]int{"label_replace": 4, "label_match": 2, "label_mismatch": 2, "label_transform": 2}

// beginsPattern says whether a string that begins here is a regular expression, also in brackets of its own, or added to one as MetricsQL has it.
func (p *promPlace) beginsPattern() bool {
	switch {
	case p.before == [2]byte{'=', '~'}, p.before == [2]byte{'!', '~'}:
		return true
	case p.isPattern && p.before[1] == '+' && strings.IndexByte("\"'`", p.before[0]) >= 0:
		return true
	}
	return slices.ContainsFunc(p.within, func(b promBracket) bool {
		commas, takesOne := patternOf[strings.ToLower(b.word)]
		return takesOne && commas == b.commas
	})
}

// passOutside goes over a character that is in no string and no comment.
func (p *promPlace) passOutside(c byte) {
	last := len(p.within) - 1
	isLetter := c == '_' || c == ':' || 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9'
	switch {
	case isLetter && p.isInWord:
		p.word += string(c)
	case isLetter:
		p.word = string(c)
	case c == '(' || c == '[' || c == '{':
		p.hasWith = p.hasWith || c == '(' && strings.EqualFold(p.word, "with")
		p.within = append(p.within, promBracket{word: p.word})
	case c == ',' && last >= 0:
		p.within[last].commas++
	case (c == ')' || c == ']' || c == '}') && last >= 0:
		p.within = p.within[:last]
	}
	if p.isInWord = isLetter; !isLetter && c > ' ' { // between the name of a function and its bracket there may be blanks
		p.word = ""
	}
}

func (p *promPlace) passInString(c byte) {
	switch {
	case p.isEscaped:
		p.isEscaped = false
	case c == '\\' && p.in != '`':
		p.isEscaped = true
	case c == p.in:
		p.in = 0
	}
}

// afterVariable goes over the value of a variable.
func (p *promPlace) afterVariable() { p.isEscaped, p.before, p.isInWord = false, [2]byte{}, false }

type prometheusClient struct {
	entry    *catalog.Entry
	web      *webClient
	warnings incidents
}

// Close is Client's.
func (c *prometheusClient) Close() { c.web.close() }

// Ask is Client's.
func (c *prometheusClient) Ask(ctx context.Context, all []metrics.Question, answer func(int, metrics.Answer, error)) {
	inTurn(all, answer, func(q metrics.Question) (metrics.Answer, error) { return c.ask(ctx, q) })
}

func (c *prometheusClient) ask(ctx context.Context, q metrics.Question) (metrics.Answer, error) {
	query := queryOf(c.entry, q)
	if query == nil {
		return metrics.Answer{}, unanswered("has no such query", fmt.Errorf("there is no query %q", q.Metric))
	}
	text, err := promQL(query, func(variable string) (string, error) { return valueIn(q.Parameters, variable) })
	if err != nil {
		return metrics.Answer{}, err
	}
	body, err := c.web.get(ctx, formRequest("/api/v1/query", url.Values{
		"query": {text}, "timeout": {c.entry.Timeout.String()},
		// Thanos would leave out what it cannot reach, which looks like less work.
		"partial_response": {"false"},
	}))
	if err != nil {
		return metrics.Answer{}, err
	}
	a, warnings, err := readPrometheus(body)
	if len(warnings) > 0 {
		c.warnings.name(query.Name, q.Namespace, true, fmt.Errorf("%q", warnings), zap.String("query", query.Name), zap.String("namespace", q.Namespace))
	}
	return a, err
}

// promAnswer is what the API answers.
type promAnswer struct {
	Status string `json:"status"`
	Error  string `json:"error"`
	Data   struct {
		Type   string          `json:"resultType"`
		Result json.RawMessage `json:"result"`
	} `json:"data"`
	Warnings []string `json:"warnings"`
}

// promSample is a point in time and a value: [1700000000.1, "5"].
type promSample [2]any

// readPrometheus is the one value of an answer, and none where the result is empty.
func readPrometheus(body []byte) (metrics.Answer, []string, error) {
	var said promAnswer
	if err := json.Unmarshal(body, &said); err != nil {
		return metrics.Answer{}, nil, fault("did not answer as Prometheus does", err)
	}
	if said.Status != "success" {
		return metrics.Answer{}, nil, fault("did not answer as Prometheus does", fmt.Errorf("status %q: %q", said.Status, said.Error))
	}
	var one promSample
	switch said.Data.Type {
	case "scalar":
		if err := json.Unmarshal(said.Data.Result, &one); err != nil {
			return metrics.Answer{}, nil, fault("did not answer as Prometheus does", err)
		}
	case "vector":
		var all []struct {
			Value *promSample `json:"value"`
		}
		if err := json.Unmarshal(said.Data.Result, &all); err != nil {
			return metrics.Answer{}, nil, fault("did not answer as Prometheus does", err)
		}
		switch {
		case len(all) == 0:
			return metrics.Answer{}, said.Warnings, nil
		case len(all) > 1:
			return metrics.Answer{}, nil, unanswered("has more than one series for it: the query has to aggregate them, such as by sum()", fmt.Errorf("the result has %d series", len(all)))
		case all[0].Value == nil:
			return metrics.Answer{}, nil, unanswered("has a histogram for it, and no number", errors.New("the element has no value"))
		}
		one = *all[0].Value
	default:
		return metrics.Answer{}, nil, unanswered("has no number for it: the query has to be an instant vector or a scalar", fmt.Errorf("the result is a %q", said.Data.Type))
	}
	text, _ := one[1].(string)
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return metrics.Answer{}, nil, fault("did not answer as Prometheus does", err)
	}
	a, err := counted(value)
	return a, said.Warnings, err
}
