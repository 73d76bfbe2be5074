package get

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/scaler"
)

// names are the workloads that are asked for; empty for all. The kind is empty where any will do.
type names []struct{ kind, name string }

// wantedOf reads NAME..., KIND/NAME... and KIND NAME..., in the forms of kubectl.
func wantedOf(args []string) (names, error) {
	var all names
	of := ""
	if len(args) > 1 && !strings.Contains(strings.Join(args, ""), "/") && cli.IsKind(args[0]) {
		of, args = args[0], args[1:]
	}
	for _, arg := range args {
		kind, name, slash := strings.Cut(arg, "/")
		if !slash {
			kind, name = of, arg
		}
		if name == "" {
			return nil, cli.Usagef("%s names no workload; want NAME or KIND/NAME, such as web or deploy/web", cli.Quote(arg))
		}
		kind, _, _ = strings.Cut(strings.ToLower(kind), ".")
		all = append(all, struct{ kind, name string }{kind, name})
	}
	return all, nil
}

// isOf says whether a kind is meant by a word, such as deploy, deployments or Deployment.
func isOf(word, kind string) bool {
	kind = strings.ToLower(kind)
	short := map[string]string{"deploy": "deployment", "sts": "statefulset", "rs": "replicaset"}
	return word == "" || word == kind || word == kind+"s" || short[word] == kind
}

func (n names) want(s *scaler.Status) bool {
	return len(n) == 0 || slices.ContainsFunc(n, func(one struct{ kind, name string }) bool { return one.name == s.Name && isOf(one.kind, s.Kind) })
}

// missing is an error about those that are not there.
func (n names) missing(items []scaler.Status) error {
	for _, one := range n {
		if !slices.ContainsFunc(items, func(s scaler.Status) bool { return one.name == s.Name && isOf(one.kind, s.Kind) }) {
			return fmt.Errorf("%s is not scaled by mini-hpa, or is not there", cli.Quote(one.name))
		}
	}
	return nil
}
