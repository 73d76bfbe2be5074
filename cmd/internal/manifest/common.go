package manifest

import (
	kubectl "sigs.k8s.io/yaml"
)

// common is what the parts of a file have in common, and the texts that stand in them.
type common struct {
	// room is how much more their aliases may repeat, in bytes, inside how many more parts the texts may have that stand in it, and items how
	// many more objects its lists.
	room, inside, items int
	// broken are short parts that cannot be parsed, and why. filled says of short parts whether they can be, once their placeholders stand for nothing;
	// texts are what kubectl's parser makes of them. A file may have a hundred thousand of the same.
	broken map[string]error
	filled map[string]bool
	texts  map[string]jsonText
}

const (
	// maxRepeated, spareRepeated and repeatedTimes are how much the aliases of a file may repeat together: so many times its size and some more, in bytes.
	// A few lines of them can stand for gigabytes, or be nested without end, and what they repeat takes the time of what is written out.
	maxRepeated   = 8 << 20
	spareRepeated = 1 << 20
	repeatedTimes = 2
	// maxShort is how long a part may be of which it is remembered what was found. Of longer ones there are not so many.
	maxShort = 64
	// spareInside and sizeInside are how many parts the texts may have that stand in a file: so many, and one more for so many bytes of the file. Each
	// takes the time of a document, and in ten bytes there is room for one. sizeItem is the same for the objects in its lists, which may all be workloads.
	spareInside, sizeInside, sizeItem = 1000, 32, 100
)

func newCommon(size int) *common {
	return &common{room: roomFor(size), inside: spareInside + size/sizeInside, items: spareInside + size/sizeItem, broken: map[string]error{}, filled: map[string]bool{}, texts: map[string]jsonText{}}
}

// roomFor is how much the aliases of a file of this size may repeat.
func roomFor(size int) int { return min(spareRepeated+repeatedTimes*size, maxRepeated) }

// jsonText is a part as JSON, or why it cannot be that.
type jsonText struct {
	text []byte
	err  error
}

// asJSON asks kubectl's parser.
func (c *common) asJSON(text string) ([]byte, error) {
	known, ok := c.texts[text]
	if !ok {
		known.text, known.err = kubectl.YAMLToJSON([]byte(text))
	}
	if !ok && len(text) <= maxShort {
		c.texts[text] = known
	}
	return known.text, known.err
}
