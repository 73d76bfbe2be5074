package migrate

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/manifest"
)

// objects is what was read.
type objects struct {
	objects []*object
	// texts are the files, by their names in names.
	texts      map[string]string
	names      []string
	unreadable []string
	// broken is how many parts of a file cannot be read.
	broken map[string]int
	// notes are about what was not read.
	notes []string
}

// fail notes that a part of a file cannot be read.
func (r *objects) fail(file string, told manifest.LineError) {
	r.unreadable = append(r.unreadable, fmt.Sprintf("%s:%d: %v", file, told.Line, told))
	if r.broken == nil {
		r.broken = map[string]int{}
	}
	r.broken[file]++
}

// byIdentity are the objects by what they are. Of two that are the same the first counts.
func (r *objects) byIdentity() map[identity]*object {
	all := make(map[identity]*object, len(r.objects))
	for _, o := range r.objects {
		if is, ok := o.identity(); ok && all[is] == nil {
			all[is] = o
		}
	}
	return all
}

// outcome is the error of a command that has written all that there is.
func (r *objects) outcome(lost bool) error {
	switch {
	case len(r.unreadable) > 0:
		return cli.Unreadable(errors.New("cannot read all of it:\n" + strings.Join(r.unreadable, "\n")))
	case lost:
		return cli.ErrReported
	}
	return nil
}
