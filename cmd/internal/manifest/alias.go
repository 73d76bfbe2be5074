package manifest

import (
	"errors"
	"fmt"

	yaml "sigs.k8s.io/yaml/goyaml.v3"
)

const (
	// maxNested is how deep lists and mappings may be nested. Reading deeper ones takes more than linear time.
	maxNested = 1000
	// nodeWeight is about what a node takes in memory besides its text.
	nodeWeight = 64
	// textWeight is how much longer a byte takes in a text that may be a document, such as the metrics of a workload: one that is longer than shortText, and
	// of which no more than maxDocument is read.
	textWeight, shortText, maxDocument = 8, 64, 16 << 10
)

var errName = errors.New("the name in a mapping must be text")

// expansion measures how large a document is with its aliases expanded, without expanding them.
type expansion struct {
	// anchored are the weights of the nodes with an anchor. Those come before their aliases.
	anchored map[*yaml.Node]int
	// repeated is what the aliases of the document come to, room what those of the file may still come to.
	repeated, room int
	// nested is how deep what is measured is.
	nested int
}

// measure returns what a node comes to when its aliases are followed. It refuses what is no tree then, and names that are
// no text: {{ .Values.max }} is a mapping whose only name is one.
func (x *expansion) measure(n *yaml.Node) (int, error) {
	if n.Kind == yaml.AliasNode {
		return x.repeat(n)
	}
	if x.nested == maxNested {
		return 0, LineError{n.Line, fmt.Errorf("is nested too deep; at most %d levels are allowed", maxNested)}
	}
	x.nested++
	defer func() { x.nested-- }()
	weight := nodeWeight + len(n.Value) + (textWeight-1)*max(min(len(n.Value), maxDocument)-shortText, 0)
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 && Followed(child).Kind != yaml.ScalarNode {
			return 0, LineError{child.Line, errName}
		}
		part, err := x.measure(child)
		if err != nil {
			return 0, err
		}
		weight += part
	}
	if n.Anchor != "" {
		if x.anchored == nil {
			x.anchored = map[*yaml.Node]int{}
		}
		x.anchored[n] = weight
	}
	return weight, nil
}

func (x *expansion) repeat(n *yaml.Node) (int, error) {
	weight, ok := x.anchored[n.Alias]
	if !ok {
		return 0, LineError{n.Line, errors.New("an alias stands for what it is a part of")}
	}
	if x.repeated += weight; x.repeated > x.room {
		return 0, LineError{n.Line, fmt.Errorf("the aliases up to here stand for too much; those of a file may repeat %d MiB and %d times its size, and at most %d MiB",
			spareRepeated>>20, repeatedTimes, maxRepeated>>20)}
	}
	return weight, nil
}
