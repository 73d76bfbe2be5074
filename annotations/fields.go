package annotations

import (
	"math"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Fields of objects that are read from JSON without a type. One that is missing or of another type is empty.

func part(fields map[string]any, name string) map[string]any {
	members, _ := fields[name].(map[string]any)
	return members
}

func text(fields map[string]any, name string) string {
	value, _ := fields[name].(string)
	return value
}

func groupOf(apiVersion string) string {
	version, err := schema.ParseGroupVersion(apiVersion)
	if err != nil {
		return ""
	}
	return version.Group
}

// Steps are the names of the fields on a path of a CustomResourceDefinition. It has no indexes (ValidateCustomResourceDefinition).
func Steps(path string) []string {
	return slices.DeleteFunc(strings.Split(path, "."), func(step string) bool { return step == "" })
}

// at is the value at the end of a path; nil if there is none.
func at(object map[string]any, path string) any {
	steps := Steps(path)
	if len(steps) == 0 {
		return nil
	}
	last := len(steps) - 1
	for _, step := range steps[:last] {
		object = part(object, step)
	}
	return object[steps[last]]
}

// count is a number of replicas; 0 for anything else.
func count(value any) int32 {
	n, ok := value.(int64)
	if f, isFloat := value.(float64); isFloat && f == math.Trunc(f) && math.Abs(f) <= math.MaxInt32 {
		n, ok = int64(f), true
	}
	if !ok || n < 0 || n > math.MaxInt32 {
		return 0
	}
	return int32(n)
}
