package trace

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// longestLine is the most that is read as one line, in bytes: about fifty thousand pods as kubectl prints them.
const longestLine = 256 << 20

// LineError says which line of a trace cannot be read. The file's name is the caller's to add.
type LineError struct {
	// Line counts from 1, which is the header.
	Line int
	// Err is what is wrong with it.
	Err error
}

// Error names the line.
func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap returns what is wrong with the line.
func (e *LineError) Unwrap() error { return e.Err }

// Reader reads a trace, one line at a time.
type Reader struct {
	in       *bufio.Reader
	workload *annotations.Workload
	line     int
	limit    int
	last     time.Time
	buffer   []byte
}

// NewReader reads the header of a trace, plain or compressed with gzip: its content tells which. Every error is a
// *LineError.
func NewReader(r io.Reader) (*Reader, error) { return newReader(r, longestLine) }

func newReader(r io.Reader, limit int) (*Reader, error) {
	t := &Reader{in: bufio.NewReader(r), line: 1, limit: limit}
	if magic, _ := t.in.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		plain, err := gzip.NewReader(t.in)
		if err != nil {
			return nil, &LineError{Line: 1, Err: fmt.Errorf("cannot decompress: %w", err)}
		}
		t.in = bufio.NewReader(plain)
	}
	switch mark, _ := t.in.Peek(3); {
	case bytes.HasPrefix(mark, []byte("\xff\xfe")), bytes.HasPrefix(mark, []byte("\xfe\xff")):
		return nil, &LineError{Line: 1, Err: errors.New("the trace is text in UTF-16; save it as UTF-8")}
	case string(mark) == "\ufeff":
		_, _ = t.in.Discard(len(mark)) // they were seen already
	}
	t.line = 0
	if err := t.header(); err != nil {
		return nil, t.failed(err)
	}
	return t, nil
}

// failed is an error with the line that was read last. An object that goes on in the next line was not cut off: somebody has made it pretty.
func (t *Reader) failed(err error) *LineError {
	told := &LineError{Line: max(t.line, 1), Err: err}
	cut := cutOff{}
	if !errors.As(err, &cut) {
		return told
	}
	if next, err := t.read(); err == nil && !json.Valid(next) {
		told.Err = fmt.Errorf("a trace has one JSON object in each line, and this one goes on in line %d; make it so with: %s", t.line, cut.remedy)
	}
	return told
}

// Workload is that of the header, with its mini-hpa/ annotations.
func (t *Reader) Workload() *annotations.Workload { return t.workload }

// Next returns the next observation, and io.EOF after the last one. Every other error is a *LineError; nothing can be
// read after it. A last line without a line break counts if it is whole.
func (t *Reader) Next() (recommend.Snapshot, error) {
	text, err := t.read()
	if errors.Is(err, io.EOF) {
		return recommend.Snapshot{}, io.EOF
	}
	var s recommend.Snapshot
	if err == nil {
		s, err = observation(text)
	}
	if err == nil && s.Time.Before(t.last) {
		err = fmt.Errorf("time %s is before that of the observation before, %s; times must not decrease",
			s.Time.Format(time.RFC3339Nano), t.last.Format(time.RFC3339Nano))
	}
	if err != nil {
		return recommend.Snapshot{}, t.failed(err)
	}
	t.last = s.Time
	return s, nil
}

func (t *Reader) header() error {
	text, err := t.read()
	if errors.Is(err, io.EOF) {
		return errors.New(`the trace is empty; want a header {"workload": <object>}`)
	}
	if err != nil {
		return err
	}
	var of struct {
		Workload *metav1.TypeMeta `json:"workload"`
	}
	if err := decode(text, &of); err != nil {
		return err
	}
	if of.Workload == nil {
		return errors.New(`the header has no workload; want {"workload": <object>}`)
	}
	if err := scalable(*of.Workload); err != nil {
		return err
	}
	if of.Workload.Kind == "" || inApps(*of.Workload) {
		t.workload, err = workloadOf[appsObject](text)
	} else {
		t.workload, err = workloadOf[customObject](text)
	}
	return err
}

// workloadOf reads the workload of a header in a form.
func workloadOf[T any, P interface {
	*T
	whole() *annotations.Workload
}](text []byte) (*annotations.Workload, error) {
	var h struct {
		Workload T `json:"workload"`
	}
	if err := decode(text, &h); err != nil {
		return nil, err
	}
	return P(&h.Workload).whole(), nil
}

// read returns the next line that is not blank; it is valid until the next call. The error is io.EOF after the last line.
func (t *Reader) read() ([]byte, error) {
	for {
		text, err := t.readLine()
		if text = bytes.TrimSpace(text); len(text) > 0 && (err == nil || errors.Is(err, io.EOF)) {
			return text, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func (t *Reader) readLine() ([]byte, error) {
	t.line++
	t.buffer = t.buffer[:0]
	for {
		part, err := t.in.ReadSlice('\n')
		t.buffer = append(t.buffer, part...)
		switch {
		case len(t.buffer) > t.limit:
			return nil, fmt.Errorf("the line is longer than %d bytes", t.limit)
		case err == nil:
			return t.buffer, nil
		case errors.Is(err, io.EOF): // not io.ErrUnexpectedEOF: that is compressed data that was cut off
			return t.buffer, io.EOF
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, fmt.Errorf("cannot read: %w", err)
		}
	}
}

// observation decodes one line and makes sure that the recommender can rely on what it says.
func observation(text []byte) (recommend.Snapshot, error) {
	var line struct {
		recommend.Snapshot
		// Replicas tells "not there" from 0, which means that autoscaling is off.
		Replicas        *int32                     `json:"replicas"`
		PodMetrics      []*podMetrics              `json:"podMetrics"`
		CustomMetrics   map[string][]customValue   `json:"customMetrics"`
		ExternalMetrics map[string][]externalValue `json:"externalMetrics"`
		Hints           map[string]hint            `json:"hints"`
	}
	if err := decode(text, &line); err != nil {
		return recommend.Snapshot{}, err
	}
	line.Snapshot.PodMetrics = each(line.PodMetrics, (*podMetrics).whole)
	line.Snapshot.CustomMetrics = eachOf(line.CustomMetrics, customValue.whole)
	line.Snapshot.ExternalMetrics = eachOf(line.ExternalMetrics, externalValue.whole)
	line.Snapshot.Hints = hintsOf(line.Hints)
	switch s := &line.Snapshot; {
	case s.Time.IsZero():
		return *s, errors.New(`the observation has no time; want "time": "2026-01-01T12:00:00Z"`)
	case line.Replicas == nil:
		return *s, errors.New(`the observation has no replicas; want "replicas": <spec.replicas>`)
	case *line.Replicas < 0 || s.StatusReplicas < 0:
		return *s, fmt.Errorf("replicas %d, statusReplicas %d: must not be negative", *line.Replicas, s.StatusReplicas)
	}
	line.Snapshot.Replicas = *line.Replicas
	return line.Snapshot, errors.Join(filled(&line.Snapshot), stamped(&line.Snapshot))
}

// stamped refuses times of which nobody could say what they are of.
func stamped(s *recommend.Snapshot) error {
	if times, n := len(s.Taken.PodMetrics), len(s.PodMetrics); times != 0 && times != n {
		return fmt.Errorf("taken.podMetrics has %d times for %d podMetrics; want one for each", times, n)
	}
	for name, times := range s.Taken.CustomMetrics {
		if n := len(s.CustomMetrics[name]); len(times) != n {
			return fmt.Errorf("taken.customMetrics[%q] has %d times for %d values; want one for each", name, len(times), n)
		}
	}
	for name, times := range s.Taken.ExternalMetrics {
		if n := len(s.ExternalMetrics[name]); len(times) != n {
			return fmt.Errorf("taken.externalMetrics[%q] has %d times for %d values; want one for each", name, len(times), n)
		}
	}
	return nil
}

// filled refuses null where a pod or a sample should be.
func filled(s *recommend.Snapshot) error {
	for i, pod := range s.Pods {
		if pod == nil {
			return fmt.Errorf("pods[%d] is null; want a Pod", i)
		}
	}
	for i, sample := range s.PodMetrics {
		if sample == nil {
			return fmt.Errorf("podMetrics[%d] is null; want a PodMetrics", i)
		}
	}
	return nil
}

// cutOff is what a line is that ends before its JSON does.
type cutOff struct {
	err error
	// remedy is what makes a trace of such lines.
	remedy string
}

// Error says what is missing.
func (c cutOff) Error() string { return fmt.Sprintf("the line is cut off: %v", c.err) }

// Unwrap returns what the decoder has said.
func (c cutOff) Unwrap() error { return c.err }

// decode reads one JSON object. A line that was cut off while it was written is told from one that was never JSON.
func decode(text []byte, into any) error {
	err := json.Unmarshal(text, into)
	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) && syntax.Offset >= int64(len(text)) {
		if text[0] == '[' {
			return cutOff{err, "jq -c '.[]'"}
		}
		return cutOff{err, "jq -c ."}
	}
	if other := (*json.UnmarshalTypeError)(nil); errors.As(err, &other) {
		return fmt.Errorf("cannot decode: %s is %s; want %s", fieldOf(other), withArticle(other.Value), wanted(other.Type))
	}
	if err != nil {
		return fmt.Errorf("cannot decode: %w", err)
	}
	return nil
}

// fieldOf is the field that an error is about, without the names that only this program has for its parts.
func fieldOf(err *json.UnmarshalTypeError) string {
	names := slices.DeleteFunc(strings.Split(err.Field, "."), func(name string) bool { return name == "" || unicode.IsUpper(rune(name[0])) })
	if len(names) == 0 {
		return "the line"
	}
	return strings.Join(names, ".")
}

// withArticle is a kind of JSON, of which numbers come with what they are.
func withArticle(kind string) string {
	if strings.HasPrefix(kind, "a") || strings.HasPrefix(kind, "o") {
		return "an " + kind
	}
	return "a " + kind
}

// wanted is what JSON has for a type.
func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Int32:
		return "a whole number of 32 bits"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "an array"
	default:
		return "an object"
	}
}
