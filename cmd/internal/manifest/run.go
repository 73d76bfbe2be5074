package manifest

import (
	"errors"
	"io"
	"strings"

	yaml "sigs.k8s.io/yaml/goyaml.v3"
)

// run parses the parts of a text one after the other. A short document costs little more than the start of its parser, so documents that follow each
// other share one, as long as it makes of each what a parser of its own would. What the shared one cannot parse gets a parser of its own.
type run struct {
	chunks []chunk
	// decoder reads chunks from the run, and has got those before fed but for the rest of the last one. It is nil before the first, and when it has failed.
	decoder *yaml.Decoder
	fed     int
	rest    string
	// next is the document of the chunk given, or why there is none, and passed how many lines were before that, as YAML counts them. Only when the next
	// one is there, it is certain that a document was all of its chunk.
	next          *yaml.Node
	err           error
	given, passed int
	// failed is how many parsers were started in vain.
	failed int
}

// maxFailed is how many parsers of a text may fail before each part gets its own.
const maxFailed = 16

// nodes is that of one chunk, of which each is asked for at most once, in order.
func (r *run) nodes(i int) (*yaml.Node, error) {
	c := r.chunks[i]
	if r.decoder == nil || r.given != i || r.fed <= i {
		if r.failed == maxFailed || !c.isSimple() {
			return c.nodes()
		}
		r.decoder, r.fed, r.rest, r.passed = yaml.NewDecoder(r), i, "", 0
		r.next, r.err = decoded(r.decoder)
	}
	root, err, before := r.next, r.err, r.passed
	if err == nil {
		r.next, r.err = decoded(r.decoder)
		r.given, r.passed = i+1, before+len(c.lines())-1
	}
	isWhole := err == nil && (r.err == nil && r.next.Line > r.passed || errors.Is(r.err, io.EOF))
	if !isWhole || !moveUp(root, before, map[*yaml.Node]bool{}) {
		r.decoder, r.failed = nil, r.failed+1
		return c.nodes()
	}
	return root, nil
}

// Read is io.Reader's. It ends before a chunk that needs its own parser.
func (r *run) Read(into []byte) (int, error) {
	if r.rest == "" {
		if r.fed == len(r.chunks) || !r.chunks[r.fed].isSimple() {
			return 0, io.EOF
		}
		r.rest = r.chunks[r.fed].text
		r.fed++
	}
	n := copy(into, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// isSimple says whether a chunk is one document, with no directive and no end but that of the text, in lines that YAML counts as editors do.
func (c chunk) isSimple() bool {
	if !isSeparator(c.text[:min(len(c.text), len("--- "))]) || !strings.HasSuffix(c.text, "\n") || c.isEmpty() {
		return false
	}
	if strings.Contains(c.text, "\n%") || strings.Contains(c.text, "\n...") || strings.ContainsAny(c.text, "\u0085\u2028\u2029") ||
		strings.Count(c.text, "\r") != strings.Count(c.text, "\r\n") {
		return false
	}
	_, isBroken := c.common.broken[c.text]
	return !isBroken
}

// decoded is the next document of a decoder.
func decoded(decoder *yaml.Decoder) (root *yaml.Node, err error) {
	// Where a parser contradicts itself, it panics.
	defer func() {
		if recover() != nil {
			err = errors.New("the YAML parser does not understand it")
		}
	}()
	var document yaml.Node
	if err := decoder.Decode(&document); err != nil {
		return nil, err
	}
	return document.Content[0], nil
}

// moveUp takes so many lines from those of a node and all that is in it. It fails if an alias stands for what is in an earlier document, which the parser
// does not forget; own are the nodes of this one that aliases may stand for.
func moveUp(n *yaml.Node, lines int, own map[*yaml.Node]bool) bool {
	n.Line -= lines
	if n.Anchor != "" {
		own[n] = true
	}
	if n.Kind == yaml.AliasNode {
		return own[n.Alias]
	}
	for _, child := range n.Content {
		if !moveUp(child, lines, own) {
			return false
		}
	}
	return true
}
