package migrate

import (
	"slices"
	"strings"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
)

// offer is what can be read of a cluster.
type offer struct {
	kinds []kind
	// anyCustom says that custom resources may be named that are of no kind of these.
	anyCustom bool
}

// wanted is a kind, and the names of those that are asked for; without any it is all.
type wanted struct {
	kind
	asked []string
}

// namedBy reads KIND/NAME and KIND.
func (f offer) namedBy(args []string, all bool) ([]*wanted, error) {
	var list []*wanted
	known := map[string]*wanted{}
	know := func(k kind) *wanted {
		w := &wanted{kind: k}
		for _, name := range k.names {
			known[name], known[name+"."+k.Group] = w, w
		}
		return w
	}
	for _, k := range f.kinds {
		if w := know(k); len(args) == 0 {
			list = append(list, w)
		}
	}
	for _, arg := range args {
		word, name, isNamed := strings.Cut(arg, "/")
		w := known[strings.ToLower(word)]
		if custom, ok := customNamed(strings.ToLower(word)); w == nil && f.anyCustom && ok {
			w = know(custom)
		}
		switch {
		case w == nil:
			return nil, cli.Usagef("cannot read %s; want %s", cli.Quote(arg), f.allowedNames())
		case isNamed && name == "" || isNamed && all:
			return nil, cli.Usagef("cannot read %s; want a name in one namespace", cli.Quote(arg))
		case isNamed:
			w.asked = append(w.asked, name)
		}
		if !slices.Contains(list, w) {
			list = append(list, w)
		}
	}
	return list, nil
}

func (f offer) allowedNames() string {
	var words []string
	for _, k := range f.kinds {
		words = append(words, k.names[0]+"/NAME")
	}
	text := strings.Join(words, " or ")
	if f.anyCustom {
		text += ", or a custom resource that is named in full, such as rollouts.argoproj.io/web"
	}
	return text
}
