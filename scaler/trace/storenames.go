package trace

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// stampLayout is a time in a file's name. Sorted by name it is sorted by time.
const stampLayout = "20060102T150405.000Z"

// longestName leaves room for the time in a file's name, which file systems limit to 255 bytes. Kubernetes allows 253.
const longestName = 200

// recorded is what the files of a Recorder are called. Anything else in the directory is left alone. No name of an API
// object has an underscore in it, so that the workload "web" and the workload "web.2" never share a name.
var recorded = regexp.MustCompile(`^([a-z0-9-]+/[a-z0-9.-]+)_(\d{8}T\d{6}\.\d{3}Z)\.trace\.jsonl$`)

func newFile(base string, at time.Time) *file {
	stamp := at.UTC().Format(stampLayout)
	return &file{path: base + "_" + stamp + ".trace.jsonl", base: base, stamp: stamp}
}

// basePath is where the workload's files are, but for their time.
func basePath(key annotations.Key) (string, error) {
	if len(validation.IsDNS1123Label(key.Namespace)) > 0 || len(validation.IsDNS1123Subdomain(key.Name)) > 0 {
		return "", fmt.Errorf("%q in %q is not the name of a Deployment", key.Name, key.Namespace)
	}
	name := key.Name
	if len(name) > longestName {
		hash := fnv.New64a()
		hash.Write([]byte(name)) // never fails
		name = fmt.Sprintf("%s-%016x", name[:longestName-17], hash.Sum64())
	}
	return key.Namespace + "/" + name, nil
}

func namespaceOf(name string) string { return path.Dir(name) }

// scan finds the files of earlier processes: they count, and go when there is no room for them. They are not continued,
// because their last line may be cut off and their history is forgotten.
func (s *store) scan() error {
	err := fs.WalkDir(s.root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && strings.Contains(name, "/") {
			return fs.SkipDir
		}
		return s.found(name, entry)
	})
	slices.SortStableFunc(s.files, func(a, b *file) int { return cmp.Compare(a.stamp, b.stamp) })
	return err
}

func (s *store) found(name string, entry fs.DirEntry) error {
	parts := recorded.FindStringSubmatch(name)
	if parts == nil || !entry.Type().IsRegular() {
		return nil
	}
	info, err := entry.Info()
	if err != nil {
		return err
	}
	workload := annotations.DeploymentKey(namespaceOf(name), path.Base(parts[1])) // of a long name there is no such workload
	s.files = append(s.files, &file{path: name, base: parts[1], stamp: parts[2], size: info.Size(), workload: workload})
	s.total += info.Size()
	return nil
}
