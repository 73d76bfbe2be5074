package migrate

import (
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
)

// input says what is read.
type input struct {
	files     []string
	namespace string
	all       bool
	cluster   cluster.Flags
	api       cluster.APIFlags
}

func (i *input) declare(f *pflag.FlagSet) {
	f.VarP(cli.Value[[]string]{Var: &i.files, Kind: "file", Want: "the path of a file or a directory, or - for standard input",
		Format: func(files []string) string { return strings.Join(files, ",") },
		Parse:  func(name string) ([]string, bool) { return append(slices.Clone(i.files), name), name != "" }},
		"filename", "f", "YAML or JSON of any number of documents and lists, or a directory of *.yaml, *.yml and *.json; may be repeated. Without it the cluster is asked")
	f.VarP(cli.Namespace(&i.namespace), "namespace", "n", "the namespace; of files that of objects that name none. Without it the context's, and none in files")
	f.BoolVarP(&i.all, "all-namespaces", "A", false, "all namespaces of the cluster")
	i.cluster.Declare(f, "KUBECONFIG, ~/.kube/config or the pod's service account")
	f.Var(cli.Duration(&i.api.Timeout, 100*time.Millisecond, 5*time.Minute), "kube-api-timeout", "deadline of one request to the API server")
}
