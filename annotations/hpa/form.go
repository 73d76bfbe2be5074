package hpa

import (
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Form is what the JSON of a HorizontalPodAutoscaler of a version is read into; nil for a version that there never was.
func Form(apiVersion string) any {
	version, err := schema.ParseGroupVersion(apiVersion)
	switch {
	case err != nil || version.Group != Group:
		return nil
	case version.Version == "v2" || version.Version == "v2beta2":
		return &newer{}
	case version.Version == "v2beta1" || version.Version == "v1":
		return &older{}
	}
	return nil
}
