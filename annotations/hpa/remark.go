package hpa

import (
	"strings"
)

// Remark is something about a field that whoever converts has to know.
type Remark struct {
	// Path is the field's, in the object that is converted, such as spec.behavior.scaleUp.
	Path string `json:"path"`
	// Member is what it is about within the field, if that is a mapping; empty if it is about all of it, or about something that is missing.
	Member string `json:"-"`
	// Value is what it was set to, in one line; empty where that says nothing.
	Value string `json:"value,omitempty"`
	// Why says what becomes of it, in words that follow the path and the value.
	Why string `json:"why"`
	// Do says what to do about it; empty is nothing.
	Do string `json:"do,omitempty"`
	// Lost says that the workload is scaled otherwise than before. Other remarks are about what is the same but looks otherwise.
	Lost bool `json:"lost"`
}

// shown is text in one line that is not too long for a message.
func shown(text string) string {
	const most = 80
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}
