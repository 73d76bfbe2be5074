package trace

import (
	"fmt"
	"hash/fnv"
	"path"
	"regexp"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// stampLayout is a time in a file's name. Sorted by name it is sorted by time.
const stampLayout = "20060102T150405.000Z"

// longestName leaves room for the time in a file's name, which file systems limit to 255 bytes. Kubernetes allows 253.
const longestName = 200

// recorded is what the files of a Recorder are called. Anything else in the directory is left alone. No name of an API
// object has an underscore in it, so that the workload "web" and the workload "web.2" never share a name. Files of a Deployment do not
// name its kind.
var recorded = regexp.MustCompile(`^([a-z0-9-]+/[a-z0-9.-]+(?:_[A-Za-z0-9.-]+)?)_(\d{8}T\d{6}\.\d{3}Z)\.trace\.jsonl$`)

// file is a trace in the directory; base is the workload's part of its path.
type file struct {
	path, base, stamp string
	size              int64
	workload          annotations.Key
}

func newFile(base string, at time.Time) *file {
	stamp := at.UTC().Format(stampLayout)
	return &file{path: base + "_" + stamp + ".trace.jsonl", base: base, stamp: stamp}
}

// kindName is what a kind is called. It is a word of the API in Go, so that nothing else is to be expected.
var kindName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*$`)

// basePath is where the workload's files are, but for their time: "shop/web" for a Deployment, "shop/web_StatefulSet.apps" for others.
func basePath(key annotations.Key) (string, error) {
	if len(validation.IsDNS1123Label(key.Namespace)) > 0 || len(validation.IsDNS1123Subdomain(key.Name)) > 0 {
		return "", fmt.Errorf("%q in %q is not the name of an object", key.Name, key.Namespace)
	}
	name := key.Name
	if key != annotations.DeploymentKey(key.Namespace, key.Name) {
		if !kindName.MatchString(key.Kind.Kind) || len(validation.IsDNS1123Subdomain(key.Kind.Group)) > 0 {
			return "", fmt.Errorf("%q is not the name of a kind of objects", key.Kind)
		}
		name += "_" + key.Kind.String()
	}
	if len(name) > longestName {
		hash := fnv.New64a()
		hash.Write([]byte(name)) // never fails
		name = fmt.Sprintf("%s-%016x", name[:longestName-17], hash.Sum64())
	}
	return key.Namespace + "/" + name, nil
}

// workloadAt is the workload whose files have this base. Of a long name there is no such workload.
func workloadAt(base string) annotations.Key {
	name, kind, named := strings.Cut(path.Base(base), "_")
	key := annotations.DeploymentKey(namespaceOf(base), name)
	if named {
		key.Kind = schema.ParseGroupKind(kind)
	}
	return key
}

func namespaceOf(name string) string { return path.Dir(name) }
