package annotations

import (
	"errors"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// ClassOf is the class of the installation that is to scale a workload with these annotations, as an Ingress has one; empty is the installation
// without a class. A value that cannot be a class is of that one, too, so that somebody tells of it.
func ClassOf(annotations map[string]string) string {
	if class := strings.Trim(annotations[ClassKey], " "); class != "" && IsClass(class) {
		return class
	}
	return ""
}

// IsClass says whether a text is the name of a class, which is a DNS label.
func IsClass(text string) bool { return len(validation.IsDNS1123Label(text)) == 0 }

// setClass only checks the value: which installation scales a workload is asked before the rest of it is read.
func setClass(_ *draft, value string) error {
	if !IsClass(value) {
		return errClass
	}
	return nil
}

var errClass = errors.New(`must be the class of an installation (a DNS label), such as "batch"`)
